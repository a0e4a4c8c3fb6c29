use tasuki_careplan::samples;

use super::*;
use crate::progress::Silent;
use crate::testing::{self, Folder};

const ATTACHED: &str = "ATTACH_signed-use-slip_1371215102_9971100012_20260125103000_0001.pdf";

/// A folder with an `in` that holds these files.
fn bench<'a>(name: &str, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Folder {
    let folder = testing::folder(name);
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join("in").join(name), bytes).unwrap();
    }
    folder
}

fn run(folder: &Folder, options: SplitOptions) -> (SplitReport, Dropped) {
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    split(&[from], &to, &options, &Silent).unwrap()
}

fn rules(report: &SplitReport) -> Vec<&str> {
    report.left.iter().flat_map(|left| &left.findings).map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn every_sample_ends_in_the_folder_of_its_parcel_and_is_the_same() {
    let folder = bench("split-all", samples::all().iter().map(|sample| (sample.name, sample.bytes)));
    std::fs::write(folder.path().join("in").join(ATTACHED), b"%PDF-1.4").unwrap();
    std::fs::write(folder.path().join("in").join("memo.txt"), b"x").unwrap();
    let (report, _) = run(&folder, SplitOptions::default());
    assert_eq!((report.parcels.len(), rules(&report)), (24, vec!["NO_PARCEL"]));
    let serials: Vec<Serial> = report.parcels.iter().map(|parcel| parcel.serial).collect();
    assert!(serials.is_sorted());
    for sample in samples::all() {
        let parcel = report.parcels.iter().find(|p| p.files.iter().any(|file| file == sample.name)).unwrap();
        assert_eq!(std::fs::read(parcel.folder.join(sample.name)).unwrap(), sample.bytes);
    }
    let slip = report.parcels.iter().find(|p| p.serial.to_string() == "20260125103000").unwrap();
    assert_eq!(slip.folder, folder.path().join("out/20260125103000_1371215102_9971100012"));
    assert!(slip.files.iter().any(|file| file == ATTACHED));
    assert_eq!(slip.words.en, "service use slips (tables 6, 7) for 2026-02, create or update");

    // The same again changes nothing; something else there is left alone, and told.
    assert!(run(&folder, SplitOptions::default()).0.parcels.iter().all(|parcel| parcel.already_there));
    std::fs::write(slip.folder.join(ATTACHED), b"mine").unwrap();
    let (report, _) = run(&folder, SplitOptions::default());
    assert_eq!((report.parcels.len(), rules(&report)), (23, vec!["NO_PARCEL", "OUTPUT_DIFFERS"]));
    assert_eq!(std::fs::read(slip.folder.join(ATTACHED)).unwrap(), b"mine");
}

#[test]
fn the_one_file_form_and_zips_are_taken_apart() {
    let folder = bench("split-one-file", []);
    let month = ["03_slip_202602_to_visit", "04_slip_202602_to_day_two_users"];
    let samples: Vec<_> = month.iter().flat_map(|unit| samples::of_folder(unit)).collect();
    let renamed: Vec<(String, &[u8])> =
        samples.iter().map(|s| (s.name.replace("20260125103130", "20260125103000"), s.bytes)).collect();
    let sources: Vec<SourceFile<'_>> =
        renamed.iter().map(|(name, bytes)| SourceFile { name, bytes }).collect();
    let whole = tasuki_careplan::one_file::join(&sources).unwrap().files.remove(0);
    let zip = folder.path().join("in").join("all.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(zip).unwrap());
    writer.start_file(format!("二月/{}", whole.name), zip::write::SimpleFileOptions::default()).unwrap();
    std::io::Write::write_all(&mut writer, &whole.bytes).unwrap();
    writer.finish().unwrap();
    let (report, _) = run(&folder, SplitOptions::default());
    assert_eq!((report.parcels.len(), report.left.len()), (2, 0));
    for (name, bytes) in &renamed {
        let parcel = report.parcels.iter().find(|p| p.files.contains(name)).unwrap();
        assert_eq!(std::fs::read(parcel.folder.join(name)).unwrap(), *bytes);
    }
}

#[test]
fn two_different_files_of_one_name_stop_their_parcel() {
    let folder = bench(
        "split-double",
        samples::of_folder("03_slip_202602_to_visit").map(|sample| (sample.name, sample.bytes)),
    );
    let deep = folder.path().join("in/deep");
    std::fs::create_dir(&deep).unwrap();
    let name = samples::of_folder("03_slip_202602_to_visit").next().unwrap().name;
    std::fs::write(deep.join(name), b"other").unwrap();
    std::fs::write(deep.join("UPPLAN_202613_1371215102_43_9971100012_11_20260125103000.CSV"), b"1").unwrap();
    let (report, _) = run(&folder, SplitOptions::default());
    assert_eq!((report.parcels.len(), rules(&report)), (0, vec!["FILE_NAME", "DUPLICATE_NAME"]));
}

/// A slip of two users who have a service at the day service and none at this office.
fn misdirected(to: &str) -> Vec<(String, Vec<u8>)> {
    samples::of_folder("04_slip_202602_to_day_two_users")
        .map(|sample| (sample.name.replace("9971100020_15", to), sample.bytes.to_vec()))
        .collect()
}

#[test]
fn misdirected_users_are_taken_out_and_the_slip_gets_a_new_serial() {
    // One more user, who has a service elsewhere only, in the slip to the visiting service.
    let mut files: Vec<(String, Vec<u8>)> = samples::of_folder("03_slip_202602_to_visit")
        .map(|sample| (sample.name.to_owned(), sample.bytes.to_vec()))
        .collect();
    for (file, other) in files.iter_mut().zip(misdirected("9971100020_15")) {
        let is_stranger = |line: &[u8]| !line.is_empty() && !line.windows(10).any(|w| w == b"1234567896");
        let lines = other.1.split_inclusive(|byte| *byte == b'\n');
        let added: Vec<u8> = lines.filter(|line| is_stranger(line)).flatten().copied().collect();
        assert!(!added.is_empty(), "{}", other.0);
        file.1.extend_from_slice(&added);
    }
    let folder = bench("split-drop", files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    std::fs::write(folder.path().join("in").join(ATTACHED), b"%PDF-1.4").unwrap();
    let serial: Serial = "20260126080000".parse().unwrap();
    let (report, dropped) = run(&folder, SplitOptions { drop_misdirected: Some(serial) });
    assert_eq!((dropped.users, report.parcels.len(), report.left.len()), (1, 1, 0));
    let parcel = &report.parcels[0];
    assert_eq!((parcel.serial, parcel.files.len()), (serial, 4));
    assert!(parcel.files.iter().all(|name| name.contains("20260126080000")));
    // A serial that is not later would be imported before the slip that it mends.
    let early = SplitOptions { drop_misdirected: "20260125103000".parse().ok() };
    assert_eq!(rules(&run(&folder, early).0), ["SERIAL_MISMATCH"]);
    for sample in samples::of_folder("03_slip_202602_to_visit") {
        let name = sample.name.replace("20260125103000", "20260126080000");
        assert_eq!(std::fs::read(parcel.folder.join(name)).unwrap(), sample.bytes);
    }
}

#[test]
fn an_attachment_does_not_go_without_its_users() {
    let files = misdirected("9971100038_17");
    let folder = bench("split-nobody", files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())));
    let attached = "ATTACH_signed-use-slip_1371215102_9971100038_20260125103130_0001.pdf";
    std::fs::write(folder.path().join("in").join(attached), b"%PDF-1.4").unwrap();
    let serial = "20260126080000".parse().ok();
    let (report, dropped) = run(&folder, SplitOptions { drop_misdirected: serial });
    assert_eq!((dropped.users, report.parcels.len(), rules(&report)), (2, 0, vec!["NO_PARCEL"]));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn serials_go_on_across_midnight() {
    let after_of = |serial: &str| after(serial.parse().unwrap()).to_string();
    assert_eq!(after_of("20260228235959"), "20260301000000");
    assert_eq!(after_of("20260126080000"), "20260126080001");
}
