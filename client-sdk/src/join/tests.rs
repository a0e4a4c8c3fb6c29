use tasuki_careplan::samples;

use super::*;
use crate::progress::Silent;
use crate::split::{SplitOptions, split};
use crate::testing::{self, Folder};

fn bench<'a>(name: &str, files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Folder {
    let folder = testing::folder(name);
    std::fs::create_dir(folder.path().join("in")).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.path().join("in").join(name), bytes).unwrap();
    }
    folder
}

fn run(folder: &Folder, one_file: bool) -> JoinReport {
    let (from, to) = (folder.path().join("in"), folder.path().join("out"));
    join(&[from], &to, &JoinOptions { one_file }, &Silent).unwrap()
}

fn rules(report: &JoinReport) -> Vec<&str> {
    report.problems.iter().flat_map(|problem| &problem.findings).map(|f| f.rule.as_str()).collect()
}

#[test]
fn results_of_two_offices_are_one_file_to_import() {
    let results = samples::all().iter().filter(|sample| sample.name.starts_with("UPJSK_202602"));
    let results: Vec<_> = results.map(|sample| (sample.name, sample.bytes)).collect();
    let folder = bench("join-results", results.clone());
    std::fs::write(folder.path().join("in/note.txt"), "送付状").unwrap();
    let report = run(&folder, false);
    assert_eq!((report.files.len(), report.beside.len(), rules(&report)), (1, 1, vec![]));
    assert_eq!(report.files[0].sources.len(), 2);
    let bytes = std::fs::read(&report.files[0].path).unwrap();
    assert_eq!(bytes.len(), results.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());

    // The same again is the same; something else is not written over, and then nothing at all is.
    assert!(run(&folder, false).files[0].already_there);
    std::fs::write(&report.files[0].path, b"mine").unwrap();
    let again = run(&folder, false);
    assert_eq!((again.files.len(), rules(&again)), (0, vec!["OUTPUT_DIFFERS"]));
    assert_eq!(std::fs::read(&report.files[0].path).unwrap(), b"mine");
}

#[test]
fn all_samples_in_the_one_file_form_split_into_the_same_files() {
    let folder = bench("join-all", samples::all().iter().map(|sample| (sample.name, sample.bytes)));
    let report = run(&folder, true);
    assert_eq!(rules(&report), Vec::<&str>::new());
    let again = folder.path().join("again");
    let (split, _) = split(&[folder.path().join("out")], &again, &SplitOptions::default(), &Silent).unwrap();
    assert_eq!((split.parcels.len(), split.left.len()), (24, 0));
    for sample in samples::all() {
        let parcel = split.parcels.iter().find(|p| p.files.iter().any(|name| name == sample.name)).unwrap();
        assert_eq!(std::fs::read(parcel.folder.join(sample.name)).unwrap(), sample.bytes);
    }
}

#[test]
fn what_can_not_be_joined_is_told_and_nothing_is_written() {
    let name = "UPJSK_202602_9971100012_11_1371215102_43_20260301174500.CSV";
    for (case, file, bytes, rule) in [
        ("join-name", "UPJSK_202613_9971100012_11_1371215102_43_20260301174500.CSV", &b"1"[..], "FILE_NAME"),
        ("join-csv", name, b"\"1", "CSV_SYNTAX"),
    ] {
        let folder = bench(case, [(file, bytes)]);
        let report = run(&folder, false);
        assert_eq!((report.files.len(), rules(&report)), (0, vec![rule]));
        assert!(report.problems[0].path.ends_with(file));
        assert!(!folder.path().join("out").exists());
    }
}
