use super::*;
use crate::check::check_file;
use crate::finding::RuleId;
use crate::parcel::{CheckOptions, ParcelFacts, check_parcel};
use crate::samples;

/// The slip of two users of the day service, with a third whose only service is elsewhere.
fn with_a_stranger() -> Vec<OwnedFile> {
    let own = samples::of_folder("04_slip_202602_to_day_two_users");
    let other: Vec<&samples::Sample> = samples::of_folder("03_slip_202602_to_visit").collect();
    own.map(|sample| {
        let kind = sample.name.split('_').next().unwrap();
        let stranger = other.iter().find(|sample| sample.name.starts_with(kind)).unwrap();
        let text = String::from_utf8_lossy(stranger.bytes).into_owned();
        // Of another insured number, and served by the visiting service alone.
        let mut bytes = sample.bytes.to_vec();
        for line in stranger.bytes.split_inclusive(|byte| *byte == b'\n') {
            let line: Vec<u8> = replace(line, b"1234567896", b"1234567897");
            if !line.windows(10).any(|ten| ten == b"9971100020") {
                bytes.extend_from_slice(&line);
            }
        }
        assert!(!text.is_empty());
        OwnedFile { name: sample.name.to_owned(), bytes }
    })
    .collect()
}

fn replace(bytes: &[u8], from: &[u8; 10], to: &[u8; 10]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for at in 0..bytes.len().saturating_sub(9) {
        if bytes[at..at + 10] == *from {
            bytes[at..at + 10].copy_from_slice(to);
        }
    }
    bytes
}

fn sources(files: &[OwnedFile]) -> Vec<SourceFile<'_>> {
    files.iter().map(OwnedFile::as_source).collect()
}

#[test]
fn a_stranger_is_found_and_taken_out_of_all_three_files() {
    let files = with_a_stranger();
    let mut found = 0;
    for file in &files {
        let findings = check_file(&file.name, &file.bytes);
        let rules: Vec<RuleId> = findings.iter().map(|finding| finding.rule).collect();
        let expected = if file.name.starts_with("UPHOSOKU") { vec![] } else { vec![RuleId::Misdirected] };
        assert_eq!(rules, expected, "{}", file.name);
        found += rules.len();
    }
    assert_eq!(found, 2);
    let kept = drop_misdirected(&sources(&files), None);
    let own = samples::of_folder("04_slip_202602_to_day_two_users");
    let own: Vec<SourceFile<'_>> = own.map(|s| SourceFile { name: s.name, bytes: s.bytes }).collect();
    assert_eq!(sources(&kept.files), own, "the others' records are as they were");
    assert_eq!(kept.users, 1);
    assert!(kept.records >= 3);
    assert!(check_parcel(&ParcelFacts::default(), &own, &CheckOptions::default()).is_clean());
}

#[test]
fn a_new_serial_is_given_to_slips_that_lose_somebody() {
    let mut files = with_a_stranger();
    let clean: Vec<OwnedFile> = samples::of_folder("03_slip_202602_to_visit")
        .map(|sample| OwnedFile { name: sample.name.to_owned(), bytes: sample.bytes.to_vec() })
        .collect();
    files.extend(clean.iter().cloned());
    let serial: Serial = "20260126000000".parse().unwrap();
    let kept = drop_misdirected(&sources(&files), Some(serial));
    let renamed = kept.files.iter().filter(|file| file.name.contains("20260126000000")).count();
    assert_eq!((kept.files.len(), renamed), (6, 3));
    assert_eq!(kept.files[3..], clean);
}

#[test]
fn without_strangers_nothing_changes() {
    let all: Vec<SourceFile<'_>> =
        samples::all().iter().map(|s| SourceFile { name: s.name, bytes: s.bytes }).collect();
    let kept = drop_misdirected(&all, "20300101000000".parse().ok());
    assert_eq!(sources(&kept.files), all);
    assert_eq!((kept.users, kept.records), (0, 0));
    let odd = [SourceFile { name: "memo.pdf", bytes: b"\"" }, SourceFile { name: "UPPLAN.CSV", bytes: b"" }];
    assert_eq!(sources(&drop_misdirected(&odd, None).files), odd);
}
