//! Units chosen and left out, attachments that say where they go, serials that do not fit, and checks left to the relay.

use tasuki_careplan::unit::UnitClass;

use super::*;
use crate::send::select::Why;

const SERIAL: &str = "20260125103000";
const ATTACHED: &str = "ATTACH_signed-use-slip_1371215102_9971100012_20260125103000_0001.pdf";

/// Plan documents and slips of one export: the same serial.
fn export(name: &str) -> Folder {
    let folder = testing::folder(name);
    for sample in
        ["01_plan_documents_to_visit", "03_slip_202602_to_visit"].into_iter().flat_map(samples::of_folder)
    {
        let name = sample.name.replace("20260120101500", SERIAL);
        std::fs::write(folder.path().join(name), sample.bytes).unwrap();
    }
    folder
}

fn plan_of(folder: &Folder, options: &SendOptions) -> Plan {
    planned(&[folder.path().to_owned()], options)
}

fn only(class: UnitClass) -> SendOptions {
    SendOptions { only: Some(class), ..SendOptions::default() }
}

fn left(plan: &Plan) -> Vec<Why> {
    plan.left_out.iter().map(|left| left.why).collect()
}

#[test]
fn one_export_of_plan_and_slips_is_two_units_or_the_one_asked_for() {
    let folder = export("units");
    std::fs::write(folder.path().join(ATTACHED), b"%PDF-1.7").unwrap();
    let plan = plan_of(&folder, &SendOptions::default());
    assert_eq!((plan.parcels.len(), plan.parcels[0].files.len(), plan.left_out.len()), (1, 8, 0));
    let plan = plan_of(&folder, &only(UnitClass::Slip));
    assert_eq!((plan.parcels[0].files.len(), left(&plan)), (4, vec![Why::OtherUnit; 4]));
    assert_eq!(plan.parcels[0].words().en, "service use slips (tables 6, 7) for 2026-02, create or update");
    let plan = plan_of(&folder, &only(UnitClass::Plan));
    assert_eq!((plan.parcels[0].files.len(), plan.left_out.len()), (5, 3));
    let plan = plan_of(&folder, &only(UnitClass::Result));
    assert_eq!((plan.parcels.len(), plan.left_out.len()), (0, 8));
    assert_eq!(plan.left_out.iter().filter(|left| left.why == Why::NoParcel).count(), 1);
}

#[test]
fn what_makes_no_unit_is_an_error_unless_it_is_left_out() {
    let folder = export("unneeded");
    std::fs::remove_file(folder.path().join(format!("UP1KYO_1371215102_43_9971100012_11_{SERIAL}.CSV")))
        .unwrap();
    let bench = Bench::new("unneeded-home");
    let refused = |options: &SendOptions| {
        let plan = plan_of(&folder, options);
        match bench.workshop(false).prepare(&plan.parcels[0], batch()).unwrap().0 {
            Prepared::Refused(refusal) => refusal.findings.into_iter().map(|f| f.rule).collect(),
            _ => Vec::new(),
        }
    };
    assert_eq!(refused(&SendOptions::default()), ["SEND_UNIT"]);
    // Asked for plans only, the incomplete one is an error; asked for slips only, it is no matter.
    assert_eq!(refused(&only(UnitClass::Plan)), ["SEND_UNIT"]);
    assert_eq!(refused(&only(UnitClass::Slip)), Vec::<String>::new());
    let skip = SendOptions { skip_unneeded: true, ..SendOptions::default() };
    assert_eq!(refused(&skip), Vec::<String>::new());
    assert_eq!(left(&plan_of(&folder, &skip)), [Why::NoUnit; 3]);
}

#[test]
fn halves_of_a_unit_with_two_serials_are_both_held_back() {
    let folder = testing::folder("serials");
    for sample in samples::of_folder("03_slip_202602_to_visit") {
        let name = if sample.name.starts_with("UPPLAN") {
            sample.name.replace(SERIAL, "20260125103001")
        } else {
            sample.name.to_owned()
        };
        std::fs::write(folder.path().join(name), sample.bytes).unwrap();
    }
    let bench = Bench::new("serials-home");
    let plan = plan_of(&folder, &SendOptions::default());
    assert_eq!(plan.parcels.len(), 2);
    for parcel in &plan.parcels {
        match bench.workshop(false).prepare(parcel, batch()).unwrap().0 {
            Prepared::Refused(refusal) => {
                let rules: Vec<_> =
                    refusal.findings.iter().map(|f| (f.rule.as_str(), &f.file[..6])).collect();
                assert_eq!(rules, [("SERIAL_MISMATCH", "UPPLAN")]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn attachments_go_with_the_parcel_of_their_serial_or_not_at_all() {
    let folder = export("addressed");
    for name in [ATTACHED, &ATTACHED.replace(SERIAL, "20260125103001"), "ATTACH_memo.pdf"] {
        std::fs::write(folder.path().join(name), b"%PDF-1.7").unwrap();
    }
    let plan = plan_of(&folder, &SendOptions::default());
    assert_eq!(plan.parcels[0].files.iter().filter(|file| file.standard.is_none()).count(), 1);
    let mut rules = rules(&plan);
    rules.sort_unstable();
    assert_eq!(rules, ["FILE_NAME", "NO_PARCEL"]);
}

#[test]
fn unchecked_leaves_the_checks_to_the_relay() {
    let bench = Bench::new("unchecked");
    let out = bench.folder.path().join("out");
    std::fs::remove_file(out.join(format!("UPPLAN_202602_1371215102_43_9971100012_11_{SERIAL}.CSV")))
        .unwrap();
    assert_eq!(bench.refused(), reason::FILES_REJECTED);
    let plan = planned(&[out], &SendOptions { unchecked: true, ..SendOptions::default() });
    let workshop = Workshop { unchecked: true, ..bench.workshop(false) };
    assert!(matches!(workshop.prepare(&plan.parcels[0], batch()).unwrap().0, Prepared::Built(_)));
}
