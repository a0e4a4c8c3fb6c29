use tasuki_careplan::unit::UnitClass;
use tasuki_sdk::State;
use tasuki_sdk::error::{Refusal, Unreachable};
use tasuki_sdk::send::plan::Unsendable;
use tasuki_sdk::send::select::{LeftOut, Why};

use super::*;
use crate::args::AttachArg;
use crate::testing;

fn finding() -> Finding {
    Finding {
        rule: "FIELD_COUNT".into(),
        severity: "error".into(),
        file: "UPPLAN.CSV".into(),
        line: Some(3),
        item: None,
        item_name_ja: None,
        shape: "24 items".into(),
        message_ja: "項目が足りません。".into(),
        message_en: "Items are missing.".into(),
    }
}

fn report(outcome: SendOutcome) -> ParcelReport {
    ParcelReport {
        parcel: Some(testing::key()),
        recipient: "9971100012".parse().unwrap(),
        serial: Some("20260301174500".parse().unwrap()),
        files: vec!["UPPLAN.CSV".into()],
        new_partner: false,
        warnings: Vec::new(),
        outcome,
    }
}

fn accepted() -> SendOutcome {
    SendOutcome::Accepted { state: State::Delivered, accepted_us: testing::ACCEPTED_US, repeated: false }
}

fn rejected() -> SendOutcome {
    SendOutcome::Rejected(Refusal { findings: vec![finding()], ..Refusal::of("FILES_REJECTED") })
}

fn printed(outcomes: Vec<SendOutcome>, unsendable: Vec<Unsendable>, lang: Lang, json: bool) -> String {
    let parcels = outcomes.into_iter().map(report).collect();
    let report = SendReport { parcels, unsendable, left_out: vec![] };
    let content = Text::new("実績 2026年2月分", "results for 2026-02");
    let told: Vec<Told<'_>> = report
        .parcels
        .iter()
        .map(|report| Told { report, recipient_name: "あおぞら訪問介護", content: &content })
        .collect();
    let (mut out, results, _) = Output::captured(lang, json);
    print(&told, &report, &mut out).unwrap();
    results.text()
}

fn objects(outcomes: Vec<SendOutcome>, unsendable: Vec<Unsendable>) -> Vec<serde_json::Value> {
    let text = printed(outcomes, unsendable, Lang::Ja, true);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn accepted_parcels_have_no_reason() {
    let recorded = SendOutcome::Recorded { state: State::Delivered, accepted_us: testing::ACCEPTED_US };
    let objects = objects(vec![accepted(), recorded], vec![]);
    for object in &objects {
        assert_eq!(object["parcel"], testing::ID);
        assert_eq!(object["recipient"], "9971100012");
        assert_eq!(object["recipient_name"], "あおぞら訪問介護");
        assert_eq!(object["state"], "delivered");
        assert!(object.get("reason").is_some_and(serde_json::Value::is_null));
        assert_eq!(object["accepted_at"], "2026-11-21T11:38:34.000123Z");
    }
    assert_eq!((&objects[0]["repeated"], &objects[1]["repeated"]), (&false.into(), &true.into()));
}

#[test]
fn rejected_and_pending_parcels_say_why() {
    let pending = SendOutcome::Pending(Unreachable::Timeout.into());
    let objects = objects(vec![rejected(), pending], vec![]);
    assert_eq!((&objects[0]["state"], &objects[0]["reason"]), (&"rejected".into(), &"FILES_REJECTED".into()));
    assert_eq!(objects[0]["findings"][0]["rule"], "FIELD_COUNT");
    assert!(objects[0]["message_ja"].is_string() && objects[0]["message_en"].is_string());
    assert_eq!((&objects[1]["state"], &objects[1]["reason"]), (&"pending".into(), &"RELAY_TIMEOUT".into()));
}

#[test]
fn a_file_that_can_not_be_sent_is_a_line_of_its_own() {
    let unsendable = Unsendable { path: "memo.txt".into(), findings: vec![finding()] };
    let objects = objects(vec![accepted()], vec![unsendable.clone()]);
    assert_eq!((&objects[1]["path"], &objects[1]["state"]), (&"memo.txt".into(), &"rejected".into()));
    assert!(objects[1]["parcel"].is_null());
    let text = printed(vec![], vec![unsendable], Lang::En, false);
    assert!(text.contains("can't be sent: memo.txt\n  UPPLAN.CSV, line 3: Items are missing."), "{text}");
    assert!(text.ends_with("1 not sendable.\n"), "{text}");
}

#[test]
fn what_is_left_out_is_named() {
    let left =
        LeftOut { path: "UP1KYO.CSV".into(), recipient: "9971100012".parse().unwrap(), why: Why::OtherUnit };
    let report = SendReport { left_out: vec![left], ..SendReport::default() };
    assert_eq!(Exit::from(report.worst()), Exit::Done);
    let (mut out, results, _) = Output::captured(Lang::Ja, true);
    print(&[], &report, &mut out).unwrap();
    let object = results.objects().remove(0);
    assert_eq!((&object["state"], &object["reason"]), (&"left_out".into(), &"OTHER_UNIT".into()));
    assert_eq!((&object["path"], &object["recipient"]), (&"UP1KYO.CSV".into(), &"9971100012".into()));
    let (mut out, results, _) = Output::captured(Lang::En, false);
    print(&[], &report, &mut out).unwrap();
    assert!(results.text().contains("UP1KYO.CSV"), "{}", results.text());
    assert!(results.text().ends_with("1 left out on request.\n"), "{}", results.text());
}

#[test]
fn people_see_who_gets_what_and_what_to_mend() {
    let text = printed(vec![accepted(), rejected()], vec![], Lang::Ja, false);
    assert!(text.contains("配達済  9971100012 あおぞら訪問介護  実績 2026年2月分  0193a3f0"), "{text}");
    assert!(text.contains("UPPLAN.CSV、3行: 項目が足りません。 (24 items) [FIELD_COUNT]"), "{text}");
    assert!(text.ends_with("1件を送りました。1件は拒否されました。\n"), "{text}");
}

fn args(paths: &[&str], note: Vec<NoteArg>, attach: Vec<AttachArg>) -> Send {
    Send {
        paths: paths.iter().map(Into::into).collect(),
        note,
        attach,
        again: true,
        unchecked: true,
        unit: Some(UnitClass::Slip),
        skip_unneeded: true,
        delivery: crate::args::acts::Delivery::default(),
    }
}

#[test]
fn notes_and_attachments_go_to_whom_they_name() {
    let office: OfficeNumber = "9971100012".parse().unwrap();
    let note = |office, text: &str| NoteArg { office, text: text.into() };
    let options = options(args(
        &["a"],
        vec![note(None, "all"), note(Some(office), "one")],
        vec![AttachArg { office, file: "scan.pdf".into() }],
    ))
    .unwrap();
    assert_eq!((options.note.as_deref(), options.notes_by_office[&office].as_str()), (Some("all"), "one"));
    assert_eq!(options.attachments, [Attachment { office, path: "scan.pdf".into() }]);
    assert!(options.again && options.software.name == "tasuki");
    assert!(options.unchecked && options.skip_unneeded && options.only == Some(UnitClass::Slip));
}

#[test]
fn notes_without_a_clear_meaning_are_usage_errors() {
    let note = |text: &str| NoteArg { office: None, text: text.into() };
    for wrong in [args(&["a"], vec![note("x"), note("y")], vec![]), args(&[], vec![note("x")], vec![])] {
        assert_eq!(options(wrong).unwrap_err().exit(), Exit::Usage);
    }
}
