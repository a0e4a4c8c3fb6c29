//! Every sample is clean, and is described as the unit that its folder is named for.

use std::collections::BTreeMap;

use tasuki_careplan::check::check_file;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::group::{group, kinds, months};
use tasuki_careplan::samples::{self, Sample};
use tasuki_careplan::words::describe;

fn name_of(sample: &Sample) -> FileName {
    FileName::parse(sample.name).expect("a sample has a name of the standard")
}

#[test]
fn every_sample_is_clean() {
    assert_eq!(samples::all().len(), 47);
    for sample in samples::all() {
        assert!(looks_standard(sample.name), "{}", sample.name);
        let findings = check_file(sample.name, sample.bytes);
        assert!(findings.is_clean(), "{}: {findings:?}", sample.name);
    }
}

#[test]
fn the_list_holds_every_file_of_the_folder() {
    let mut on_disk = BTreeMap::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("samples");
    for folder in
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let text = |part: Option<&std::ffi::OsStr>| part.unwrap().to_str().unwrap().to_owned();
            on_disk.insert((text(folder.file_name()), text(file.file_name())), std::fs::read(&file).unwrap());
        }
    }
    let listed: BTreeMap<_, _> =
        samples::all().iter().map(|s| ((s.folder.to_owned(), s.name.to_owned()), s.bytes.to_vec())).collect();
    assert_eq!(listed, on_disk);
    // CRLF has survived the checkout.
    let csv = samples::all().iter().filter(|sample| sample.name.ends_with("CSV"));
    assert!(csv.clone().count() > 0 && csv.clone().all(|sample| sample.bytes.ends_with(b"\r\n")));
}

#[test]
fn a_folder_is_a_group_with_words() {
    let names: Vec<FileName> = samples::all().iter().map(name_of).collect();
    let groups = group(&names);
    let described: BTreeMap<&str, String> = groups
        .iter()
        .map(|group| {
            let members = || group.members.iter().map(|&at| &names[at]);
            let folder = samples::all()[group.members[0]].folder;
            assert!(group.members.iter().all(|&at| samples::all()[at].folder == folder));
            assert_eq!(group.members.len(), samples::of_folder(folder).count());
            (folder, describe(&kinds(members()), &months(members())).ja)
        })
        .collect();
    let expected = [
        ("01_plan_documents_to_visit", "居宅サービス計画書（第1・2・3表）作成・更新"),
        ("02_plan_documents_to_day_two_users", "居宅サービス計画書（第1・2・3表）作成・更新"),
        ("03_slip_202602_to_visit", "サービス利用票（第6・7表）2026年2月分 作成・更新"),
        ("04_slip_202602_to_day_two_users", "サービス利用票（第6・7表）2026年2月分 作成・更新"),
        ("05_slip_202507_equipment", "サービス利用票（第6・7表）2025年7月分 作成・更新"),
        ("06_result_202602_from_visit", "実績 2026年2月分"),
        ("07_result_202602_from_day_two_users", "実績 2026年2月分"),
        ("08_result_202507_equipment", "実績 2025年7月分"),
        ("09_delete_plan_documents", "居宅サービス計画書 取下げ"),
        ("10_delete_plan_documents", "居宅サービス計画書 取下げ"),
        ("11_delete_slip", "サービス利用票 2026年2月分 取下げ"),
        ("12_delete_slip", "サービス利用票 2026年2月分 取下げ"),
        ("13_delete_result", "実績 2026年2月分 取下げ"),
        ("14_delete_result", "実績 2026年2月分 取下げ"),
        ("15_basic_information", "利用者基本情報（介護予防）作成・更新"),
        ("16_basic_information", "利用者基本情報（介護予防）作成・更新"),
        ("17_preventive_plan", "介護予防サービス・支援計画書 作成・更新"),
        (
            "18_preventive_plan_with_basic_information",
            "利用者基本情報（介護予防）作成・更新、介護予防サービス・支援計画書 作成・更新",
        ),
        ("19_delete_basic_information", "利用者基本情報（介護予防）取下げ"),
        ("20_delete_basic_information", "利用者基本情報（介護予防）取下げ"),
        ("21_delete_preventive_plan", "介護予防サービス・支援計画書 取下げ"),
        ("22_delete_preventive_plan", "介護予防サービス・支援計画書 取下げ"),
        ("v3_01_slip_202307", "サービス利用票（第6・7表）2023年7月分 作成・更新"),
        ("v3_02_result_202307", "実績 2023年7月分"),
    ];
    assert_eq!(described, expected.map(|(folder, ja)| (folder, ja.to_owned())).into());
}

#[test]
fn every_office_of_the_samples_has_a_right_check_digit() {
    for name in samples::all().iter().map(name_of) {
        assert!(name.sender.check_digit_ok() && name.recipient.check_digit_ok(), "{name}");
    }
}
