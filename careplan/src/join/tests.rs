use super::*;
use crate::check::check_file;
use crate::samples;

fn sources() -> Vec<SourceFile<'static>> {
    let source = |sample: &samples::Sample| SourceFile { name: sample.name, bytes: sample.bytes };
    samples::all().iter().map(source).collect()
}

#[test]
fn all_samples_are_joined_by_kind_and_come_back() {
    let sources = sources();
    let joined = join(&sources).unwrap();
    let mut back: Vec<OwnedFile> = joined.files.iter().flat_map(JoinedFile::split).collect();
    back.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    let mut expected: Vec<SourceFile<'_>> =
        sources.iter().copied().filter(|file| !file.name.ends_with("jpg")).collect();
    expected.sort_unstable_by_key(|file| file.name);
    assert_eq!(back.iter().map(OwnedFile::as_source).collect::<Vec<_>>(), expected);
    assert_eq!(joined.beside.len(), 2);
    assert!(joined.files.len() < expected.len());
    let records: usize = joined.files.iter().map(|file| file.bytes.len()).sum();
    assert_eq!(records, expected.iter().map(|file| file.bytes.len()).sum::<usize>());
}

#[test]
fn results_of_two_offices_become_one_file() {
    let results: Vec<SourceFile<'_>> =
        sources().into_iter().filter(|file| file.name.starts_with("UPJSK_202602")).collect();
    let joined = join(&results).unwrap();
    assert_eq!(joined.files.len(), 1);
    let file = &joined.files[0];
    assert_eq!(file.name.serial.to_string(), "20260301181200");
    let bytes = results.iter().map(|file| file.bytes).collect::<Vec<_>>().concat();
    assert_eq!(file.bytes, bytes);
    // Who sent which record is no longer told by the name, which is what the check says too.
    let findings = check_file(&file.name.to_string(), &file.bytes);
    assert!(findings.iter().all(|finding| finding.rule.as_str() == "OFFICE_MISMATCH"));
}

#[test]
fn a_later_state_of_the_same_is_another_turn() {
    let first = sources().into_iter().find(|file| file.name.starts_with("UPJSK_202602")).unwrap();
    let again = first.name.replace("20260301174500", "20260305090000");
    let withdrawn = "DLTJSK_202602_9971100012_11_1371215102_43_20260302090000.CSV";
    let files = [
        SourceFile { name: &again, bytes: first.bytes },
        sources().into_iter().find(|file| file.name == withdrawn).unwrap(),
        first,
    ];
    let joined = join(&files).unwrap();
    let order: Vec<Vec<usize>> =
        joined.files.iter().map(|file| file.sources.iter().map(|source| source.file).collect()).collect();
    assert_eq!(order, [vec![2], vec![1], vec![0]]);
}

#[test]
fn a_missing_line_end_gets_one_between() {
    let name = |office: &str| format!("DLTPLAN_202602_1371215102_43_9971100012_11_2026012609000{office}.CSV");
    let to = |n: &str| name(n).replace("1371215102_43", &format!("137121510{n}_43"));
    let (one, other) = (to("0"), to("1"));
    let bytes = b"202407,131128,1234567896,202602";
    let files = [SourceFile { name: &one, bytes }, SourceFile { name: &other, bytes }];
    let joined = join(&files).unwrap();
    assert_eq!(joined.files[0].bytes, [&bytes[..], b"\r\n", bytes].concat());
    assert_eq!(joined.files[0].split().iter().map(OwnedFile::as_source).collect::<Vec<_>>(), files);
}

#[test]
fn what_would_lose_something_is_refused() {
    let name = "DLTPLAN_202602_1371215102_43_9971100012_11_20260126090000.CSV";
    let file = |bytes| SourceFile { name, bytes };
    assert_eq!(join(&[file(b"1,\"")]), Err(JoinError::NotCsv { file: 0, line: 1 }));
    assert_eq!(join(&[file(b"1"), file(b"1")]), Err(JoinError::Double { file: 1 }));
    let wrong = SourceFile { name: "UPPLAN.CSV", bytes: b"" };
    assert_eq!(join(&[wrong]), Err(JoinError::Name { file: 0 }));
    let memo = SourceFile { name: "memo.pdf", bytes: b"" };
    assert_eq!(join(&[memo]), Ok(Joined { files: vec![], beside: vec![0] }));
}
