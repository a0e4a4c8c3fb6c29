use super::*;
use crate::samples;

fn names(text: &str) -> Vec<FileName> {
    text.split_whitespace().map(|name| name.parse().unwrap()).collect()
}

/// Names in short: `UPPLAN 202602`, or `UPPLAN 202602 other-serial`.
fn short(list: &[&str]) -> Vec<FileName> {
    let name = |text: &&str| {
        let mut parts = text.split(' ');
        let kind = parts.next().unwrap();
        let mut month = String::new();
        let mut serial = "20260125103000".to_owned();
        let mut to = "9971100012_11".to_owned();
        for part in parts {
            match part.len() {
                6 => month = format!("{part}_"),
                14 => part.clone_into(&mut serial),
                _ => part.clone_into(&mut to),
            }
        }
        let branch = if kind == "UPKIHON_IMAGE" { "_0001.jpg" } else { ".CSV" };
        format!("{kind}_{month}1371215102_43_{to}_{serial}{branch}").parse().unwrap()
    };
    list.iter().map(name).collect()
}

fn units_of(names: &[FileName]) -> Vec<(&'static str, Vec<usize>)> {
    recognise(names).units.into_iter().map(|unit| (unit.rule.id, unit.members)).collect()
}

#[test]
fn every_sample_folder_is_one_unit() {
    let expected = [
        ("01", "H1"),
        ("02", "H1"),
        ("03", "H2"),
        ("04", "H2"),
        ("05", "H2"),
        ("06", "H5"),
        ("07", "H5"),
        ("08", "H5"),
        ("09", "H3"),
        ("10", "H3"),
        ("11", "H4"),
        ("12", "H4"),
        ("13", "H6"),
        ("14", "H6"),
        ("15", "P1"),
        ("16", "P1"),
        ("17", "P3"),
        ("18", "P2"),
        ("19", "P5"),
        ("20", "P5"),
        ("21", "P6"),
        ("22", "P6"),
        ("v3_01", "H2"),
        ("v3_02", "H5"),
    ];
    let mut folders: Vec<&str> = samples::all().iter().map(|sample| sample.folder).collect();
    folders.dedup();
    assert_eq!(folders.len(), expected.len());
    for (folder, (start, id)) in folders.into_iter().zip(expected) {
        assert!(folder.starts_with(start));
        let names: Vec<FileName> = samples::of_folder(folder).map(|s| s.name.parse().unwrap()).collect();
        assert_eq!(units_of(&names), [(id, (0..names.len()).collect())], "{folder}");
    }
}

#[test]
fn all_samples_at_once_are_their_units_in_the_order_of_their_serials() {
    let names: Vec<FileName> = samples::all().iter().map(|s| s.name.parse().unwrap()).collect();
    let heap = recognise(&names);
    assert_eq!((heap.units.len(), heap.leftovers.len()), (24, 0));
    assert!(heap.units.is_sorted_by_key(|unit| unit.address.serial));
    let members: usize = heap.units.iter().map(|unit| unit.members.len()).sum();
    assert_eq!(members, names.len());
}

#[test]
fn everything_at_once_is_two_units() {
    let names = short(&[
        "UPHOSOKU 202602",
        "UP1KYO",
        "UPPLAN 202602",
        "UP2KYO",
        "UPSIKYU 202602",
        "UP3KYO",
        "UPHOSOKU 000000",
    ]);
    let heap = recognise(&names);
    let told: Vec<_> = heap.units.iter().map(|u| (u.rule.id, u.class(), u.members.clone())).collect();
    assert_eq!(told, [("H1", UnitClass::Plan, vec![1, 3, 5, 6]), ("H2", UnitClass::Slip, vec![0, 2, 4])]);
    assert!(heap.leftovers.is_empty());
}

#[test]
fn two_months_and_two_service_kinds_are_two_units_each() {
    let slip = |rest: &str| ["UPPLAN", "UPSIKYU", "UPHOSOKU"].map(|kind| format!("{kind} {rest}"));
    for (one, other) in [("202602", "202603"), ("202602 9971100012_11", "202602 9971100012_13")] {
        let list = [slip(one), slip(other)].concat();
        let names = short(&list.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(units_of(&names), [("H2", vec![0, 1, 2]), ("H2", vec![3, 4, 5])]);
    }
}

#[test]
fn plans_without_table_3_are_a_unit_of_edition_3_2_only() {
    let old = names(
        "UP1KYO_1371215102_9971100012_20230625100000.CSV UP2KYO_1371215102_9971100012_20230625100000.CSV
         UPHOSOKU_000000_1371215102_9971100012_20230625100000.CSV",
    );
    assert_eq!(units_of(&old), [("H1-V3", vec![0, 1, 2])]);
    let heap = recognise(&short(&["UP1KYO", "UP2KYO", "UPHOSOKU 000000"]));
    assert!(heap.units.is_empty());
    assert_eq!(heap.leftovers[0].reason, Reason::Missing(vec![FileKind::Up3kyo]));
}

#[test]
fn results_forwarded_with_their_slip_are_two_units() {
    let names = short(&[
        "UPPLAN 202602 9900100042_46",
        "UPSIKYU 202602 9900100042_46",
        "UPHOSOKU 202602 9900100042_46",
        "UPJSK 202602 9900100042_46",
    ]);
    assert_eq!(units_of(&names), [("P4", vec![0, 1, 2]), ("P8", vec![3])]);
}

/// Reason, members, odd ones.
type Told = (Reason, Vec<usize>, Vec<usize>);

fn leftovers(list: &[&str]) -> Vec<Told> {
    let heap = recognise(&short(list));
    heap.leftovers.into_iter().map(|left| (left.reason, left.members, left.odd)).collect()
}

#[test]
fn something_missing() {
    let missing = |kinds: &[FileKind]| Reason::Missing(kinds.to_vec());
    assert_eq!(
        leftovers(&["UPPLAN 202602", "UPSIKYU 202602"]),
        [(missing(&[FileKind::Uphosoku]), vec![0, 1], vec![0, 1])]
    );
    assert_eq!(leftovers(&["UPHOSOKU 202602"]).len(), 1);
    assert_eq!(
        leftovers(&["UPKIHON_SUB1", "UPKIHON_IMAGE"]),
        [(missing(&[FileKind::Upkihon]), vec![0, 1], vec![0, 1])]
    );
    assert_eq!(leftovers(&["UPYOBO_SUB"])[0].0, missing(&[FileKind::Upyobo]));
}

#[test]
fn something_too_much() {
    let slip = ["UPPLAN 202602", "UPSIKYU 202602", "UPHOSOKU 202602"];
    let with = |more: &[&'static str]| leftovers(&[&slip[..], more].concat());
    assert_eq!(with(&[]), []);
    assert_eq!(with(&["UPPLAN 202602"]), [(Reason::TooMuch, vec![3], vec![3])]);
    assert_eq!(with(&["UP1KYO"])[0].1, [3]);
    assert_eq!(
        with(&["UPPLAN 202602 20260125103001"])[0].0,
        Reason::Missing(vec![FileKind::Upsikyu, FileKind::Uphosoku])
    );
}

#[test]
fn groups_that_together_make_one_unit_disagree_about_their_serials() {
    assert_eq!(
        leftovers(&["UPPLAN 202602", "UPSIKYU 202602 20260125103001", "UPHOSOKU 202602"]),
        [(Reason::Serials, vec![0, 1, 2], vec![1])]
    );
    assert_eq!(
        leftovers(&["UPPLAN 202602 20260125103001", "UPSIKYU 202602", "UPHOSOKU 202602 20260125103002"]),
        [(Reason::Serials, vec![0, 1, 2], vec![0, 2])]
    );
    // An annex whose parent would be complete without it.
    assert_eq!(leftovers(&["UPKIHON", "UPKIHON_SUB1 20260125103001"]), [(Reason::Serials, vec![1], vec![1])]);
    // Two halves that are too much together are two incomplete units.
    let two = leftovers(&[
        "UPPLAN 202602",
        "UPSIKYU 202602",
        "UPPLAN 202602 20260125103001",
        "UPHOSOKU 202602 20260125103001",
    ]);
    assert_eq!(two.len(), 2);
    assert!(two.iter().all(|(reason, ..)| matches!(reason, Reason::Missing(_))));
}

#[test]
fn groups_that_disagree_about_service_kind_or_month() {
    assert_eq!(
        leftovers(&["UPPLAN 202602", "UPSIKYU 202602 9971100012_13", "UPHOSOKU 202602"]),
        [(Reason::Services, vec![0, 1, 2], vec![1])]
    );
    assert_eq!(
        leftovers(&["UPPLAN 202602", "UPSIKYU 202603", "UPHOSOKU 202602"]),
        [(Reason::Months, vec![0, 1, 2], vec![1])]
    );
}

#[test]
fn every_name_is_in_one_unit_or_leftover() {
    let all: Vec<FileName> = samples::all().iter().map(|s| s.name.parse().unwrap()).collect();
    for skip in 0..all.len() {
        for step in 1..4 {
            let names: Vec<FileName> = all.iter().copied().skip(skip).step_by(step).collect();
            let heap = recognise(&names);
            let mut members: Vec<usize> = heap.units.iter().flat_map(|unit| unit.members.clone()).collect();
            members.extend(heap.unneeded());
            members.sort_unstable();
            assert_eq!(members, (0..names.len()).collect::<Vec<_>>());
            assert!(heap.leftovers.iter().all(|left| !left.odd.is_empty()));
        }
    }
}

#[test]
fn classes_have_words() {
    for class in UnitClass::ALL {
        assert_eq!(class.as_str().parse(), Ok(class));
        assert_eq!(serde_json::to_string(&class).unwrap(), format!("\"{class}\""));
    }
    assert_eq!("plans".parse::<UnitClass>(), Err(UnknownClass));
}
