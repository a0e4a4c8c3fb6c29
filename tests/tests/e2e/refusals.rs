//! What the relay did not accept, kept for its sender alone: reason and findings, no content, not for ever; and where a parcel
//! stands on its way, accepted or not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::Value;
use tasuki_proto::pb;
use tasuki_proto::pb::tracking_client::TrackingClient;
use tasuki_proto::{limits, reason as word};
use tasuki_tests::office::{Office, write_sample, write_slips};
use tasuki_tests::raw::{Forge, reason, status_reason, submit, submit_messages};
use tasuki_tests::run::text;
use tonic::transport::Channel;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// A slip for the day-care office under the visiting office's name: one of its users has no service there.
fn misdirected(folder: &Path) -> String {
    fs::create_dir_all(folder).unwrap();
    for sample in tasuki_careplan::samples::of_folder("04_slip_202602_to_day_two_users") {
        fs::write(folder.join(sample.name.replace("9971100020_15", "9971100012_11")), sample.bytes).unwrap();
    }
    folder.display().to_string()
}

fn way(object: &Value) -> Vec<(&str, &str)> {
    let stations = object["path"].as_array().map(Vec::as_slice).unwrap_or_default();
    stations.iter().map(|station| (text(station, "station"), text(station, "state"))).collect()
}

fn kept_for_their_sender(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let list = |office: &Office, flags: &[&str]| {
        office.run(&[&["--json", "refused"], flags].concat()).expect(0).json()
    };
    assert!(list(&manager, &[]).is_empty());
    let people = manager.run(&["--lang", "ja", "refused"]);
    assert!(people.expect(0).out.contains("拒否された電文はありません"), "{}", people.out);

    let slip = misdirected(&stage.path().join("misdirected"));
    let sent = manager.run(&["--json", "send", "--unchecked", &slip]).expect(1).json();
    let parcel = text(&sent[0], "parcel");
    let listed = list(&manager, &[]);
    assert_eq!(listed.len(), 1, "{listed:?}");
    let submission = &listed[0];
    for key in ["parcel", "recipient", "reason", "message_ja", "message_en", "state", "findings"] {
        assert_eq!(submission[key], sent[0][key], "{key}");
    }
    assert_eq!(text(submission, "reason"), "FILES_REJECTED");
    assert_eq!(text(submission, "recipient_name"), "ひまわり訪問介護");
    assert_eq!(list(&manager, &["--partner", VISIT]).len(), 1);
    assert!(list(&manager, &["--partner", DAY]).is_empty());

    // By its id: why, what to do, and where it stopped.
    let show =
        |office: &Office, flags: &[&str], name: &str| office.run(&[&["show"], flags, &[name]].concat());
    let shown = show(&manager, &["--json"], parcel).expect(0).json().remove(0);
    assert_eq!((text(&shown, "state"), &shown["findings"]), ("rejected", &submission["findings"]));
    assert_eq!(way(&shown), [("sender", "passed"), ("relay", "stopped"), ("recipient", "not-yet")]);
    let people = show(&manager, &["--lang", "ja"], parcel);
    people.expect(0);
    for words in ["ここで止まりました", "[FILES_REJECTED]", "[MISDIRECTED]", "ひまわり訪問介護"]
    {
        assert!(people.out.contains(words), "{words}: {}", people.out);
    }
    // Nobody else: neither whom it was for, nor by its full name.
    assert!(list(&visit, &[]).is_empty());
    for name in [parcel.to_owned(), format!("{MANAGER}/{parcel}")] {
        let hidden = show(&visit, &[], &name);
        assert!(hidden.expect(1).err.contains(word::PARCEL_NOT_FOUND), "{}", hidden.err);
    }
    // It is no parcel of the log's, and stays over a restart.
    assert!(manager.run(&["--json", "sent"]).expect(0).json().is_empty());
    assert!(stage.relay.stop());
    stage.relay.run(&["log", "verify"]).expect(0);
    stage.relay.start();
    assert_eq!(list(&manager, &[]), listed);

    // Its time over, it is forgotten.
    assert!(stage.relay.stop());
    stage.relay.configure(|line| match line {
        line if line.starts_with("rejected =") => Some("rejected = \"0s\"".to_owned()),
        line if line.starts_with("sweep_every_s =") => Some("sweep_every_s = 1".to_owned()),
        _ => None,
    });
    stage.relay.start();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !list(&manager, &[]).is_empty() {
        assert!(Instant::now() < deadline, "{}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
    let gone = show(&manager, &[], parcel);
    assert!(gone.expect(1).err.contains(word::PARCEL_NOT_FOUND), "{}", gone.err);
}

#[test]
fn kept_for_their_sender_sqlite() {
    kept_for_their_sender(Database::Sqlite);
}

#[test]
fn kept_for_their_sender_postgres() {
    kept_for_their_sender(Database::Postgres);
}

async fn list(channel: &Channel, request: pb::ListRefusedRequest) -> pb::ListRefusedResponse {
    TrackingClient::new(channel.clone()).list_refused(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_wire_by_pages_with_ids_only_of_ones_own() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.raw(MANAGER), stage.raw(VISIT));
    let (to_manager, to_visit) =
        (manager.connect(&stage.relay).await.unwrap(), visit.connect(&stage.relay).await.unwrap());
    let nobody = Forge::withdrawal(MANAGER, "9999999999");
    let theirs = Forge::withdrawal(VISIT, MANAGER);
    for (container, expected) in [
        (b"no container at all".to_vec(), "CONTAINER_STRUCTURE"),
        (theirs.sign(&visit.identity), word::TRANSMITTER_NOT_ALLOWED),
        (nobody.sign(&manager.identity), word::RECIPIENT_UNKNOWN),
    ] {
        let refused = submit(&to_manager, container).await.unwrap();
        if expected != "CONTAINER_STRUCTURE" {
            assert_eq!(reason(&refused), expected);
        }
    }
    let whole = list(&to_manager, pb::ListRefusedRequest::default()).await;
    assert_eq!((whole.submissions.len(), whole.next_page_token.as_str()), (3, ""));
    let rejected: Vec<pb::Rejected> =
        whole.submissions.iter().map(|submission| submission.rejected.clone().unwrap()).collect();
    assert_eq!(rejected[0].r#ref.as_ref().map(|named| named.parcel_id.clone()), Some(nobody.id.to_string()));
    assert_eq!((rejected[1].reason.as_str(), &rejected[1].r#ref), (word::TRANSMITTER_NOT_ALLOWED, &None));
    assert_eq!((&rejected[2].r#ref, rejected[2].recipient.as_str()), (&None, ""));
    assert!(rejected.iter().all(|rejected| !rejected.message_ja.is_empty() && !rejected.retry));
    // The office whose parcel it would have been has nothing to do with it.
    assert!(list(&to_visit, pb::ListRefusedRequest::default()).await.submissions.is_empty());

    // Page by page it is the same.
    let (mut paged, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListRefusedRequest { page_size: 1, page_token, ..Default::default() };
        let page = list(&to_manager, request).await;
        assert_eq!(page.submissions.len(), 1);
        paged.extend(page.submissions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(paged, whole.submissions);

    for (bad, expected) in [
        (pb::ListRefusedRequest { page_size: 501, ..Default::default() }, word::REQUEST_MALFORMED),
        (pb::ListRefusedRequest { page_token: "x".into(), ..Default::default() }, word::REQUEST_MALFORMED),
        (pb::ListRefusedRequest { parcel_id: "x".into(), ..Default::default() }, word::REQUEST_MALFORMED),
        (pb::ListRefusedRequest { partner: "x".into(), ..Default::default() }, word::REQUEST_MALFORMED),
        (pb::ListRefusedRequest { office: VISIT.into(), ..Default::default() }, word::NOT_ALLOWED),
    ] {
        let status = TrackingClient::new(to_manager.clone()).list_refused(bad.clone()).await.unwrap_err();
        assert_eq!(status_reason(&status), expected, "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_bad_parcels_holds_nobody_up_and_is_bounded() {
    const FLOOD: u32 = 6_000;
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.raw(MANAGER), stage.raw(VISIT));
    let flooded = visit.connect(&stage.relay).await.unwrap();
    let to_manager = manager.connect(&stage.relay).await.unwrap();
    let bad = Bytes::from(Forge::withdrawal(VISIT, "9999999999").sign(&visit.identity));
    let size = bad.len() as u64;
    let flood = (1..=FLOOD).map(|ticket| pb::SubmitRequest { ticket, size, chunk: bad.clone() }).collect();
    let flood = tokio::spawn(async move { submit_messages(&flooded, flood).await });
    let mut slowest = Duration::ZERO;
    let mut accepted = 0;
    while !flood.is_finished() {
        let good = Forge::withdrawal(MANAGER, VISIT).sign(&manager.identity);
        let began = Instant::now();
        assert_eq!(reason(&submit(&to_manager, good).await.unwrap()), "accepted");
        slowest = slowest.max(began.elapsed());
        accepted += 1;
    }
    let answers = flood.await.unwrap().unwrap();
    assert_eq!(answers.len(), FLOOD as usize);
    assert!(answers.iter().all(|answer| reason(answer) == word::RECIPIENT_UNKNOWN));
    assert!(
        accepted > 0 && slowest < Duration::from_secs(5),
        "{accepted} accepted, the slowest in {slowest:?}"
    );

    // Garbage that is no parcel has no id to be known by: each is kept, up to the bound.
    let mut messages = Vec::new();
    for ticket in 1..=FLOOD {
        messages.push(pb::SubmitRequest { ticket, size: 7, chunk: Bytes::from_static(b"garbage") });
    }
    let flooded = visit.connect(&stage.relay).await.unwrap();
    submit_messages(&flooded, messages).await.unwrap();
    let metrics = stage.relay.metrics();
    let dropped = metrics.lines().find_map(|line| line.strip_prefix("tasuki_refusals_dropped_total "));
    assert!(dropped.is_some_and(|count| count.parse::<u64>().unwrap() > 0), "{metrics}");
    let page = pb::ListRefusedRequest { page_size: limits::MAX_PAGE, ..Default::default() };
    let mut listed = 0;
    let mut request = page;
    loop {
        let answer = list(&flooded, request.clone()).await;
        listed += answer.submissions.len();
        if answer.next_page_token.is_empty() {
            break;
        }
        request.page_token = answer.next_page_token;
    }
    assert!((1..=1_000).contains(&listed), "{listed}");
    let other = list(&to_manager, pb::ListRefusedRequest::default()).await;
    assert!(other.submissions.is_empty());
}

#[test]
fn the_way_of_a_parcel_shows_what_waits() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", "--hold", &slip]).expect(0).json();
    let parcel = text(&sent[0], "parcel").to_owned();
    let show = |office: &Office| office.run(&["--json", "show", &parcel]).expect(0).json().remove(0);
    let states = |office: &Office| {
        let shown = show(office);
        way(&shown).into_iter().map(|(_, state)| state.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(states(&manager), ["passed", "waiting", "not-yet"]);
    manager.run(&["release", &parcel]).expect(0);
    for office in [&manager, &visit] {
        assert_eq!(states(office), ["passed", "passed", "waiting"]);
    }
    let shown = show(&manager);
    let own = &shown["path"][0];
    assert!(text(own, "name").contains("A居宅介護支援事業所 (tasuki "), "{own}");
    assert!(!text(own, "at").is_empty() && shown["path"][2]["at"].is_null(), "{shown}");
    let people = manager.run(&["--lang", "ja", "show", &parcel]);
    people.expect(0);
    let drawing: Vec<&str> = people.out.lines().filter(|line| line.starts_with('(')).collect();
    assert_eq!(drawing.len(), 3, "{}", people.out);
    assert!(
        drawing[2].starts_with("(*)  宛先") && drawing[2].ends_with("ここで待っています"),
        "{}",
        people.out
    );

    let out = stage.path().join("in").display().to_string();
    visit.run(&["receive", "--out", &out]).expect(0);
    assert_eq!(states(&manager), ["passed", "passed", "passed"]);
    visit.run(&["refuse", &parcel, "--reason", "wrong-content"]).expect(0);
    for office in [&manager, &visit] {
        assert_eq!(states(office), ["passed", "passed", "stopped"]);
    }

    // What never left this computer: the relay is away, then back and does not know it.
    assert!(stage.relay.stop());
    let next = write_slips(&stage.path().join("next"), 2).display().to_string();
    let waits = manager.run(&["--json", "send", &next]).expect(3).json();
    assert!(stage.relay.pid().is_none());
    stage.relay.start();
    let parcel = text(&waits[1], "parcel");
    let shown = manager.run(&["--json", "show", parcel]).expect(0).json().remove(0);
    assert_eq!(text(&shown, "state"), "pending");
    assert_eq!(way(&shown), [("sender", "waiting"), ("relay", "not-yet"), ("recipient", "not-yet")]);
}

#[test]
fn an_office_has_its_own_idea_of_overdue() {
    let mut stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    assert!(stage.relay.stop());
    stage
        .relay
        .configure(|line| line.starts_with("overdue_after =").then(|| "overdue_after = \"1s\"".to_owned()));
    stage.relay.start();
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    let parcel = text(&sent[0], "parcel");
    let list = |args: &[&str]| manager.run(&[&["--json"], args].concat()).expect(0).json();
    let deadline = Instant::now() + Duration::from_secs(30);
    while list(&["overdue"]).is_empty() {
        assert!(Instant::now() < deadline, "{}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
    // The relay calls it so, and the office has no threshold of its own.
    let late = list(&["overdue"]).remove(0);
    assert_eq!((text(&late, "parcel"), text(&late, "partner")), (parcel, VISIT));
    assert_eq!(text(&late, "partner_name"), "ひまわり訪問介護");
    assert!(!text(&late, "waiting_since").is_empty() && late["after_days"].is_null(), "{late}");
    assert_eq!(list(&["sent", "--overdue"]).len(), 1);
    assert!(
        list(&["overdue", "--partner", DAY]).is_empty() && list(&["overdue", "--month", "202601"]).is_empty()
    );
    assert_eq!(list(&["overdue", "--month", "202602", "--partner", VISIT]).len(), 1);

    // With its own, the relay's does not count: for a line, or in its settings.
    assert!(list(&["overdue", "--after-days", "3"]).is_empty());
    manager.run(&["overdue", "--after-days", "501"]).expect(2);
    let path = manager.home.join("config.toml");
    let config = fs::read_to_string(&path).unwrap();
    assert!(config.contains("[send]"), "{config}");
    fs::write(&path, config.replace("[send]", "[send]\noverdue_after_days = 3")).unwrap();
    assert!(list(&["overdue"]).is_empty() && list(&["sent", "--overdue"]).is_empty());
    let sent = list(&["sent"]);
    assert_eq!(sent[0]["overdue"], false, "{sent:?}");
    // Its receiver sees what the relay says.
    assert_eq!(visit.run(&["--json", "inbox", "--overdue"]).expect(0).json().len(), 1);
}
