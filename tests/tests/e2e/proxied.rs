//! Offices behind an HTTP proxy: everything goes through `CONNECT`, and whatever the proxy does to a connection,
//! running the same command again loses nothing and doubles nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;
use tasuki_tests::http_proxy::{Behaviour, Direction, HttpProxy};
use tasuki_tests::office::{Office, write_sample, write_slips};
use tasuki_tests::run::{Ran, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

const CLOSED: Behaviour = Behaviour::Refuse("403 Forbidden");

fn behind(stage: &Stage, proxy: &HttpProxy, number: &str) -> Office {
    stage.office_with(number, &["--https-proxy", &proxy.url(None)])
}

fn ids(parcels: &[Value]) -> BTreeSet<String> {
    parcels.iter().map(|parcel| text(parcel, "parcel").to_owned()).collect()
}

/// The relay's own lists of one direction: each parcel once on either side.
fn arrived_once(sender: &Office, recipient: &Office, expected: usize) {
    let sent = sender.run(&["--json", "sent"]).expect(0).json();
    let inbox = recipient.run(&["--json", "inbox"]).expect(0).json();
    assert_eq!((sent.len(), inbox.len()), (expected, expected));
    assert_eq!(ids(&sent).len(), expected);
    assert_eq!(ids(&sent), ids(&inbox));
}

fn says(ran: &Ran, reason: &str, answer: &str) {
    ran.expect(3);
    assert!(ran.err.contains(reason) && ran.err.contains(answer), "{}", ran.err);
}

#[test]
fn a_month_goes_through_a_proxy() {
    let stage = Stage::new(Database::Sqlite);
    let proxy = HttpProxy::start();
    let (manager, visit) = (behind(&stage, &proxy, MANAGER), behind(&stage, &proxy, VISIT));
    // `init` works offline.
    assert_eq!(proxy.tunnels(), 0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    assert_eq!(text(&sent[0], "state"), "delivered");
    assert_eq!(visit.run(&["--json", "inbox"]).expect(0).json().len(), 1);
    let out = stage.path().join("in").display().to_string();
    let received = visit.run(&["--json", "receive", "--out", &out]).expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged");
    let news = manager.run(&["--json", "watch", "--once"]).expect(0).json();
    assert!(news.iter().any(|n| text(n, "kind") == "parcel.acknowledged"), "{news:?}");
    assert!(proxy.tunnels() >= 4, "a command went past the proxy: {}", proxy.tunnels());

    // Where `init` names none, the environment does.
    let before = proxy.tunnels();
    let direct = manager.with_home(stage.path().join("direct"));
    fs::create_dir(&direct.home).unwrap();
    copy_home(&manager.home, &direct.home);
    let mut command = direct.command(&["sent"]);
    tasuki_tests::run::run(command.env("HTTPS_PROXY", proxy.url(None))).expect(0);
    assert_eq!(proxy.tunnels(), before + 1);
}

/// Copies a HOME, without the proxy that it names.
fn copy_home(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_home(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
    let config = to.join("config.toml");
    if let Ok(text) = fs::read_to_string(&config) {
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with("proxy")).collect();
        fs::write(&config, kept.join("\n")).unwrap();
    }
}

#[test]
fn a_proxy_that_refuses_is_named_and_nothing_is_lost() {
    let stage = Stage::new(Database::Sqlite);
    let proxy = HttpProxy::start();
    let (manager, visit) = (behind(&stage, &proxy, MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slip = write_sample(stage.path(), "03_slip_202602_to_visit").display().to_string();

    proxy.behave([CLOSED]);
    let inbox = manager.run(&["--lang", "en", "inbox"]);
    says(&inbox, "PROXY_REFUSED", "403 Forbidden");
    let inbox = manager.run(&["--lang", "ja", "inbox"]);
    says(&inbox, "PROXY_REFUSED", "HTTPプロキシ");
    let inbox = manager.run(&["--json", "inbox"]);
    says(&inbox, "PROXY_REFUSED", "message_ja");
    let pending = manager.run(&["--json", "send", &slip]).expect(3).json();
    assert_eq!((text(&pending[0], "state"), text(&pending[0], "reason")), ("pending", "PROXY_REFUSED"));

    // It asks for a password that HOME does not have, then has wrong, then has.
    proxy.behave([Behaviour::Carry]);
    proxy.ask_for("Basic a8Ohc2thOnDDpHNz");
    let asked = manager.run(&["--lang", "en", "inbox"]);
    says(&asked, "PROXY_REFUSED", "407 Proxy Authentication Required");
    assert!(asked.err.contains("config.toml"), "says where the password belongs: {}", asked.err);
    let with_user = |user: &str| {
        let config = manager.home.join("config.toml");
        let (old, new) = (proxy.url(None), proxy.url(Some(user)));
        let text = fs::read_to_string(&config).unwrap();
        let line = text.lines().find(|line| line.starts_with("proxy")).unwrap().to_owned();
        assert!(line.contains(old.trim_start_matches("http://")));
        fs::write(&config, text.replace(&line, &format!("proxy = \"{new}\""))).unwrap();
    };
    with_user("k%C3%A1ska:wrong");
    let wrong = manager.run(&["--lang", "en", "inbox"]);
    says(&wrong, "PROXY_REFUSED", "407 Proxy Authentication Required");
    assert!(!wrong.err.contains("wrong"), "a password is never shown: {}", wrong.err);
    with_user("k%C3%A1ska:p%C3%A4ss");
    let sent = manager.run(&["--json", "send", &slip]).expect(0).json();
    assert_eq!(text(&sent[0], "parcel"), text(&pending[0], "parcel"));
    arrived_once(&manager, &visit, 1);
}

/// Sends many parcels over a connection that is cut in one direction after `bytes`, and again once it holds.
fn cut_while_sending(direction: Direction, bytes: u64) {
    const PARCELS: usize = 80;
    let stage = Stage::new(Database::Sqlite);
    let proxy = HttpProxy::start();
    let (manager, visit) = (behind(&stage, &proxy, MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    let slips = write_slips(&stage.path().join("out"), 80).display().to_string();

    // The call is cut, and the relay can't be reached again.
    proxy.behave([Behaviour::CutAfter(direction, bytes), CLOSED]);
    let first = manager.run(&["--json", "send", &slips]).expect(3).json();
    assert_eq!(first.len(), PARCELS);
    let pending = first.iter().filter(|p| text(p, "state") == "pending").count();
    assert!(pending > 0, "the cut came too late to matter");
    let there = visit.run(&["--json", "inbox"]).expect(0).json().len();
    assert!(there < PARCELS || direction == Direction::Down, "the cut came too late to matter");

    proxy.behave([Behaviour::Carry]);
    let second = manager.run(&["--json", "send", &slips]).expect(0).json();
    assert!(second.iter().all(|p| text(p, "state") == "delivered"), "{second:?}");
    assert_eq!(ids(&first), ids(&second), "the same parcels, not new ones");
    arrived_once(&manager, &visit, PARCELS);

    // Cut again and again, one command finishes by itself as long as each connection brings something.
    let more = write_slips(&stage.path().join("more"), 160);
    for entry in fs::read_dir(&slips).unwrap() {
        fs::remove_file(more.join(entry.unwrap().file_name())).unwrap();
    }
    let cut = || Behaviour::CutAfter(direction, bytes);
    proxy.behave([cut(), cut(), Behaviour::Carry]);
    let third = manager.run(&["--json", "send", &more.display().to_string()]).expect(0).json();
    assert_eq!(third.len(), PARCELS);
    arrived_once(&manager, &visit, 2 * PARCELS);
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn a_sending_that_is_cut_on_the_way_up_resumes() {
    cut_while_sending(Direction::Up, 200_000);
}

#[test]
fn a_sending_whose_answers_are_cut_resumes() {
    cut_while_sending(Direction::Down, 30_000);
}

#[test]
fn a_fetch_that_is_cut_resumes_where_it_was() {
    const BYTES: u64 = 4_000_000;
    let stage = Stage::new(Database::Sqlite);
    let proxy = HttpProxy::start();
    let (manager, visit) = (stage.office(MANAGER), behind(&stage, &proxy, VISIT));
    visit.run(&["inbox"]).expect(0);
    let scan = stage.path().join("scan.pdf");
    let mut bytes = vec![0; usize::try_from(BYTES).unwrap()];
    SystemRandom::new().fill(&mut bytes).unwrap();
    bytes[..5].copy_from_slice(b"%PDF-");
    fs::write(&scan, &bytes).unwrap();
    let attach = format!("{VISIT}={}", scan.display());
    let sent = manager.run(&["--json", "send", "--attach", &attach]).expect(0).json();
    let id = text(&sent[0], "parcel").to_owned();

    // The first connection breaks after three quarters, the relay stays away: nothing is written to the folder.
    let out = stage.path().join("in");
    let receive = || visit.run(&["--json", "receive", "--out", &out.display().to_string()]);
    proxy.behave([Behaviour::CutAfter(Direction::Down, BYTES / 4 * 3), CLOSED]);
    let cut = receive().expect(3).json();
    assert_eq!(text(&cut[0], "reason"), "PROXY_REFUSED");
    assert!(!out.join(MANAGER).join(&id).exists());

    // The next run fetches what is missing, not the whole.
    proxy.behave([Behaviour::Carry]);
    let before = proxy.carried(Direction::Down);
    let received = receive().expect(0).json();
    assert_eq!(text(&received[0], "state"), "acknowledged");
    let fetched = proxy.carried(Direction::Down) - before;
    assert!(fetched < BYTES / 2, "{fetched} bytes came again");
    assert_eq!(fs::read(out.join(MANAGER).join(&id).join("scan.pdf")).unwrap(), bytes);

    // One command goes on by itself where the connection comes back. One fetch is one event.
    let again = manager.run(&["--json", "send", "--again", "--attach", &attach]).expect(0).json();
    let id = text(&again[0], "parcel").to_owned();
    proxy.behave([Behaviour::CutAfter(Direction::Down, BYTES / 2), Behaviour::Carry]);
    let received = receive().expect(0).json();
    assert_eq!(text(&received[0], "parcel"), id);
    assert_eq!(fs::read(out.join(MANAGER).join(&id).join("scan.pdf")).unwrap(), bytes);
    let show = manager.run(&["--json", "show", &id]).expect(0).json().remove(0);
    let kinds: Vec<&str> = show["events"].as_array().unwrap().iter().map(|e| text(e, "kind")).collect();
    assert_eq!(kinds, ["parcel.delivered", "parcel.fetched", "parcel.acknowledged"]);
}
