//! `tasuki proxy` at work: many offices, killed in between; what is refused; what moved; who acknowledges.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tasuki_certs::trial_ca::TrialCa;
use tasuki_tests::bench::fixture::{Party, some_parties};
use tasuki_tests::bench::month_end::{self, PROXY, Proxied, Unsent};
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::raw::now_us;
use tasuki_tests::run::{Ran, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

const ALL: &str = "send,receive,acknowledge,read-status";

/// A relay that knows so many offices more, and a proxy that acts for the senders of them.
struct Month {
    stage: Stage,
    proxied: Proxied,
    senders: Vec<Party>,
    unsent: Vec<Unsent>,
}

fn month(database: Database, offices: usize, each: usize) -> Month {
    let mut stage = Stage::new(database);
    let read = |name: &str| fs::read(stage.relay.dir.join(name)).unwrap();
    let ca = TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap();
    let (senders, recipients) = some_parties(&ca, offices, 5, now_us());
    stage.relay.stop();
    month_end::import(&stage.relay, &[&senders, &recipients]);
    stage.relay.start();
    let unsent = month_end::parcels(&senders, &recipients, each, "20260125");
    let proxied = tokio::runtime::Runtime::new()
        .unwrap()
        .block_on(Proxied::set_up(&stage.relay, stage.path(), &senders, &recipients, ALL))
        .unwrap();
    Month { stage, proxied, senders, unsent }
}

fn totals(told: &Ran) -> Value {
    told.json().pop().unwrap()["totals"].clone()
}

fn killed_five_times(database: Database) {
    const OFFICES: usize = 12;
    const EACH: usize = 50;
    let Month { stage, proxied, senders, unsent } = month(database, OFFICES, EACH);
    // Half of the offices put their files into the heap, the others into their folders.
    let (heap, folders) = unsent.split_at(unsent.len() / 2);
    proxied.put(heap, None);
    proxied.put(folders, Some(&|sender| senders[sender].number.clone()));
    let files = proxied.count("out");
    let told = proxied.rounds_killed(unsent.len(), 5);
    told.expect(0);
    // The relay has each parcel once, whatever was sent again after a kill.
    assert_eq!(month_end::accepted(&stage.relay), OFFICES * EACH);
    assert_eq!((proxied.count("out"), proxied.count("done"), proxied.count("error")), (0, files, 0));
    assert_eq!(totals(&told)["rejected"], 0);
    for sender in &senders {
        let of_office = proxied.office.with_home(proxied.office.home.join("offices").join(&sender.number));
        assert_eq!(of_office.run(&["--json", "sent"]).expect(0).json().len(), EACH);
        assert_eq!(proxied.count(&format!("done/{}", sender.number)), files / OFFICES);
    }
    // Nothing is left to be done.
    let again = proxied.round().0;
    let again = totals(again.expect(0));
    assert_eq!((&again["files"], &again["accepted"], &again["pending"]), (&0.into(), &0.into(), &0.into()));
    assert_eq!(month_end::accepted(&stage.relay), OFFICES * EACH);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn killed_five_times_every_parcel_goes_out_once_sqlite() {
    killed_five_times(Database::Sqlite);
}

#[test]
fn killed_five_times_every_parcel_goes_out_once_postgres() {
    killed_five_times(Database::Postgres);
}

#[test]
fn what_the_log_lost_goes_out_again_for_each_office() {
    let Month { mut stage, proxied, unsent, .. } = month(Database::Sqlite, 2, 2);
    let halves: [Vec<Unsent>; 2] = [0, 1].map(|n| unsent.iter().skip(n).step_by(2).cloned().collect());
    let put = |half: &[Unsent]| proxied.put(half, None);
    put(&halves[0]);
    proxied.round().0.expect(0);
    assert!(stage.relay.stop());
    let (database, copy) = (stage.relay.dir.join("relay.db"), stage.relay.dir.join("copy.db"));
    fs::copy(&database, &copy).unwrap();
    stage.relay.start();
    put(&halves[1]);
    proxied.round().0.expect(0);
    assert!(stage.relay.stop());
    fs::rename(&copy, &database).unwrap();
    stage.relay.start();
    assert_eq!(month_end::accepted(&stage.relay), 2);
    // The records of both halves say that they are sent: only those of the first do so rightly.
    put(&unsent);
    let told = proxied.round().0;
    assert_eq!(totals(told.expect(0))["accepted"], 4);
    assert_eq!(month_end::accepted(&stage.relay), 4);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn what_the_checks_refuse_goes_to_error_and_what_may_pass_stays() {
    let Month { stage, proxied, senders, unsent } = month(Database::Sqlite, 3, 2);
    proxied.put(&unsent, Some(&|sender| senders[sender].number.clone()));
    let out = proxied.folder.join("out");
    // One parcel's file is broken; another's receiver is unknown; one lies in another office's folder.
    let (number, other) = (senders[0].number.as_str(), senders[1].number.as_str());
    let broken = out.join(number).join(&unsent[0].files[1].0);
    fs::write(&broken, "no,slip\r\n").unwrap();
    let to_nobody: Vec<String> = unsent[2].files.iter().map(|(name, _)| nobody(name, other)).collect();
    for ((name, _), to) in unsent[2].files.iter().zip(&to_nobody) {
        fs::rename(out.join(other).join(name), out.join(other).join(to)).unwrap();
    }
    let strayed = &unsent[5].files[0].0;
    fs::write(out.join(other).join(strayed), "x").unwrap();
    fs::write(out.join(other).join("memo.txt"), "x").unwrap();

    let told = proxied.round().0;
    let objects = told.expect(1).json();
    let of = |office: &str| objects.iter().find(|object| object["office"] == office).unwrap();
    assert_eq!((&of(number)["accepted"], &of(number)["to_error"]), (&1.into(), &3.into()), "{objects:?}");
    assert_eq!(of(number)["reasons"], serde_json::json!(["FILES_REJECTED"]));
    assert_eq!(of(other)["reasons"], serde_json::json!(["RECIPIENT_UNKNOWN"]));
    let left = |file: &str| {
        let found = objects.iter().find(|object| object["left"] == format!("{other}/{file}"));
        text(found.unwrap(), "reason").to_owned()
    };
    assert_eq!([left(strayed), left("memo.txt")], ["OTHER_OFFICE", "NOT_STANDARD"]);

    // The whole parcel is in error/, with the reason beside each file; nothing of it went out.
    for (name, _) in &unsent[0].files {
        let file = proxied.folder.join("error").join(number).join(name);
        assert!(file.exists());
        let why = fs::read(file.with_file_name(format!("{name}.reason.json"))).unwrap();
        let why: Value = serde_json::from_slice(&why).unwrap();
        assert_eq!(text(&why, "reason"), "FILES_REJECTED");
        let finding = &why["findings"][0];
        assert!(!text(finding, "message_ja").is_empty() && !text(finding, "message_en").is_empty(), "{why}");
    }
    assert_eq!(month_end::accepted(&stage.relay), 4);
    // What may pass is where it was, and so are the strays; mended and put back, the rest goes.
    assert!(to_nobody.iter().all(|name| out.join(other).join(name).exists()));
    let good = &unsent[0].files[1];
    for (name, content) in &unsent[0].files {
        fs::write(out.join(number).join(name), content).unwrap();
    }
    assert_eq!(fs::read(out.join(number).join(&good.0)).unwrap(), good.1);
    proxied.round().0.expect(1);
    assert_eq!(month_end::accepted(&stage.relay), 5);
    assert_eq!(proxied.count("out"), to_nobody.len() + 2);
}

/// The name of the same file to an office that nobody knows.
fn nobody(name: &str, sender: &str) -> String {
    let (before, behind) = name.split_once(sender).unwrap();
    let mut parts: Vec<&str> = behind.split('_').collect();
    parts[2] = "1371215201";
    format!("{before}{sender}{}", parts.join("_"))
}

#[test]
fn two_rounds_in_one_home_do_not_fight() {
    let Month { stage: _stage, proxied, unsent, .. } = month(Database::Sqlite, 2, 1);
    proxied.put(&unsent, None);
    let folder = proxied.folder.display().to_string();
    // A proxy that works on and on has the HOME.
    let mut daemon = proxied.office.command(&["proxy", &folder, "--every", "1"]);
    let mut daemon = daemon.stdout(std::process::Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(2);
    // Its first round is over.
    while !proxied.office.home.join("state/feeds.json").exists() {
        assert!(std::time::Instant::now() < deadline, "the proxy does not begin");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let busy = proxied.office.run(&["--json", "proxy", &folder, "--once"]);
    busy.expect(1);
    assert!(busy.err.contains("PROXY_BUSY"), "{}", busy.err);
    // It ends in good order when it is asked to.
    tasuki_tests::run::run(std::process::Command::new("kill").arg("-TERM").arg(daemon.id().to_string()))
        .expect(0);
    assert!(daemon.wait().unwrap().success());
}

/// A proxy with its HOME and its folder.
fn proxy(stage: &Stage, number: &str) -> (Office, PathBuf) {
    stage.relay.run(&["proxy", "add", number, "--name", "伝送サービス"]).expect(0);
    (stage.office(number), stage.path().join(format!("work-{number}")))
}

fn once(proxy: &Office, folder: &Path) -> Vec<Value> {
    proxy.run(&["--json", "proxy", &folder.display().to_string(), "--once"]).expect(0).json()
}

/// A proxy that may receive and not acknowledge leaves that to the office; it fetches each parcel once.
#[test]
fn a_proxy_that_may_not_acknowledge_leaves_that_to_the_office() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let (west, folder) = proxy(&stage, PROXY);
    visit.run(&["delegate", PROXY, "--scopes", "receive,read-status", "--days", "30"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    let parcel = text(&sent[0], "parcel").to_owned();
    assert_eq!(once(&west, &folder)[0]["received"], 1);
    let stored = folder.join("in").join(VISIT).join(MANAGER).join(&parcel);
    assert!(stored.is_dir());
    let state = || text(&manager.run(&["--json", "show", &parcel]).expect(0).json()[0], "state").to_owned();
    assert_eq!(state(), "fetched");
    // Somebody takes the files away: they are not fetched again, though the parcel still waits for the office.
    fs::remove_dir_all(&stored).unwrap();
    for _ in 0..2 {
        assert_eq!(once(&west, &folder)[0]["received"], 0);
        assert!(!stored.exists());
    }
    let into = stage.path().join("in").display().to_string();
    visit.run(&["--json", "receive", "--out", &into]).expect(0);
    assert_eq!(state(), "acknowledged");
    assert_eq!(once(&west, &folder)[0]["received"], 0);
}

/// Two proxies that both may receive: either fetches, the first acknowledgement counts, both are content.
#[test]
fn two_proxies_that_may_receive_do_not_fight() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let ((east, east_folder), (west, west_folder)) = (proxy(&stage, "P00001"), proxy(&stage, "P00002"));
    for number in ["P00001", "P00002"] {
        visit
            .run(&["delegate", number, "--scopes", "receive,acknowledge,read-status", "--days", "30"])
            .expect(0);
    }
    let slips = tasuki_tests::office::write_slips(&stage.path().join("slips"), 20);
    manager.run(&["send", &slips.display().to_string()]).expect(0);
    let told: Vec<Vec<Value>> = std::thread::scope(|scope| {
        let both = [(&east, &east_folder), (&west, &west_folder)]
            .map(|(proxy, folder)| scope.spawn(move || once(proxy, folder)));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let received: u64 = told.iter().map(|told| told[0]["received"].as_u64().unwrap()).sum();
    assert!(received >= 20, "{told:?}");
    assert!(visit.run(&["--json", "inbox"]).expect(0).json().is_empty());
    let mut parcels = std::collections::BTreeSet::new();
    for folder in [&east_folder, &west_folder] {
        let Ok(entries) = fs::read_dir(folder.join("in").join(VISIT).join(MANAGER)) else { continue };
        parcels.extend(entries.map(|entry| entry.unwrap().file_name()));
    }
    assert_eq!(parcels.len(), 20);
    stage.relay.run(&["log", "verify"]).expect(0);
}

/// An office whose feed did not move since the last round costs no call: its HOME is not even opened.
#[test]
fn an_office_whose_feed_did_not_move_costs_nothing() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let (west, folder) = proxy(&stage, PROXY);
    visit.run(&["delegate", PROXY, "--scopes", ALL, "--days", "30"]).expect(0);
    once(&west, &folder);
    once(&west, &folder);
    // What would fail if the office were looked at.
    let config = west.home.join("offices").join(VISIT).join("config.toml");
    let kept = fs::read(&config).unwrap();
    fs::write(&config, "broken").unwrap();
    let idle = once(&west, &folder);
    assert_eq!(idle[0]["reasons"], serde_json::json!([]), "{idle:?}");
    // Something comes: the office is looked at again.
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    manager.run(&["send", &slip]).expect(0);
    west.run(&["--json", "proxy", &folder.display().to_string(), "--once"]).expect(2);
    fs::write(&config, kept).unwrap();
    assert_eq!(once(&west, &folder)[0]["received"], 1);
}
