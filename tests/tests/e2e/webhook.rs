//! A program that is told over HTTPS: signed, in order, once it takes what it is told; one that hangs, redirects or fails; addresses
//! that the operator does not allow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tasuki_certs::trial_ca::{IssueOptions, TrialCa};
use tasuki_tests::office::Office;
use tasuki_tests::raw::{Forge, RawOffice, now_us, reason, submit};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::text;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// What the program does with what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Takes,
    Fails,
    Redirects,
    Hangs,
}

/// One POST.
#[derive(Clone, Debug)]
struct Post {
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Post {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The signature of Standard Webhooks.
    fn is_signed(&self, key: &str) -> bool {
        let key = STANDARD.decode(key.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed =
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let tag = self.header("webhook-signature").strip_prefix("v1,").unwrap();
        hmac::verify(&key, signed.as_bytes(), &STANDARD.decode(tag).unwrap()).is_ok()
    }
}

#[derive(Debug)]
struct Shared {
    mood: Mood,
    posts: Vec<Post>,
}

/// A program behind a real HTTPS server, known by a CA of its own.
struct Program {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    _runtime: Runtime,
}

impl Program {
    fn start(ca: &TrialCa) -> Self {
        let issued = ca.issue_server(&["localhost"], &IssueOptions::for_server(now_us())).unwrap();
        let chain = vec![CertificateDer::from(issued.cert_der.clone())];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key_pkcs8_der.to_vec()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let shared = Arc::new(Mutex::new(Shared { mood: Mood::Takes, posts: Vec::new() }));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::clone(&shared);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, seen) = (acceptor.clone(), Arc::clone(&seen));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let Some(post) = read_post(&mut stream).await else { return };
                    let mood = {
                        let mut shared = lock(&seen);
                        shared.posts.push(post);
                        shared.mood
                    };
                    let head = match mood {
                        Mood::Takes => "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
                        Mood::Fails => "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned(),
                        Mood::Redirects => {
                            format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: https://localhost:{port}/elsewhere\r\ncontent-length: 0\r\n\r\n")
                        }
                        Mood::Hangs => {
                            tokio::time::sleep(Duration::from_secs(60)).await;
                            return;
                        }
                    };
                    let _gone = stream.write_all(head.as_bytes()).await;
                    let _gone = stream.shutdown().await;
                });
            }
        });
        Self { port, shared, _runtime: runtime }
    }

    fn url(&self) -> String {
        format!("https://localhost:{}/tasuki?office=1", self.port)
    }

    fn mood(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    fn posts(&self) -> Vec<Post> {
        lock(&self.shared).posts.clone()
    }

    /// Waits until so many posts have come.
    fn wait(&self, count: usize) -> Vec<Post> {
        until(|| Some(self.posts()).filter(|posts| posts.len() >= count))
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read_post(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Post> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let path = lines.next()?.split(' ').nth(1)?.to_owned();
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.iter().find(|(key, _)| key == "content-length")?.1.parse().ok()?;
            if body.len() >= length {
                return Some(Post { path, headers, body: body.to_owned() });
            }
        }
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).await.ok()?;
        if read == 0 {
            return None;
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "it did not happen within a minute");
        std::thread::sleep(Duration::from_millis(100));
    }
}

struct Play {
    stage: Stage,
    ca: TrialCa,
    program: Program,
    visit: Office,
    sender: RawOffice,
    runtime: Runtime,
}

impl Play {
    fn new(database: Database, allow_private: bool) -> Self {
        let mut stage = Stage::new(database);
        let ca = TrialCa::create("the web", now_us()).unwrap();
        let ca_file = stage.path().join("web-ca.pem");
        std::fs::write(&ca_file, ca.cert_pem().unwrap()).unwrap();
        let program = Program::start(&ca);
        assert!(stage.relay.stop());
        stage.relay.configure(|line| match line.split(' ').next() {
            Some("ca_file") => Some(format!("ca_file = \"{}\"", ca_file.display())),
            Some("allow_private") => Some(format!("allow_private = {allow_private}")),
            Some("give_up_after") => Some("give_up_after = \"4s\"".to_owned()),
            Some("first_pause") => Some("first_pause = \"1s\"".to_owned()),
            _ => None,
        });
        stage.relay.start();
        let visit = stage.office(VISIT);
        visit.run(&["--json", "inbox"]).expect(0);
        let sender = stage.raw(MANAGER);
        let runtime = Runtime::new().unwrap();
        Self { stage, ca, program, visit, sender, runtime }
    }

    /// Sends a parcel to the visiting office; returns its id.
    fn send(&self) -> String {
        self.send_through(&self.stage.relay, VISIT)
    }

    fn send_through(&self, relay: &Relay, to: &str) -> String {
        let forge = Forge::withdrawal(MANAGER, to);
        let container = forge.sign(&self.sender.identity);
        self.runtime.block_on(async {
            let channel = self.sender.connect(relay).await.unwrap();
            assert_eq!(reason(&submit(&channel, container).await.unwrap()), "accepted");
        });
        forge.id.to_string()
    }

    fn webhook(&self) -> Value {
        self.visit.run(&["--json", "webhook", "list"]).expect(0).json().remove(0)
    }
}

fn told_in_order_and_signed(database: Database) {
    let mut play = Play::new(database, true);
    let before = play.send();
    assert!(play.visit.run(&["--json", "webhook", "list"]).expect(0).json().is_empty());
    let bad = play.visit.run(&["webhook", "set", "http://localhost/"]);
    assert!(bad.expect(1).err.contains("[WEBHOOK_URL]"), "{}", bad.err);
    let none = play.visit.run(&["webhook", "test"]);
    assert!(none.expect(1).err.contains("[WEBHOOK_NONE]"), "{}", none.err);

    let url = play.program.url();
    let set = play.visit.run(&["--json", "webhook", "set", &url]).expect(0).json().remove(0);
    let key = text(&set, "key").to_owned();
    assert_eq!(text(&set, "url"), url);
    let test = play.visit.run(&["--json", "webhook", "test"]).expect(0).json().remove(0);
    assert_eq!(test["taken"], true);
    let sent = [play.send(), play.send()];
    let posts = play.program.wait(3);
    assert_eq!(posts[0].json()["type"], "webhook.test");
    for (post, parcel) in posts[1..].iter().zip(&sent) {
        assert!(post.is_signed(&key), "{post:?}");
        assert_eq!(post.path, "/tasuki?office=1");
        let json = post.json();
        assert_eq!(text(&json, "type"), "parcel.delivered");
        assert_eq!(text(&json["data"], "parcel"), parcel);
        assert_eq!((text(&json["data"], "office"), text(&json["data"], "sender")), (VISIT, MANAGER));
        assert!(!post.body.contains("DLTPLAN") && !post.body.contains(&before), "{}", post.body);
    }
    // Another office's webhook is its own; what the program missed while it failed comes in order, after a restart too.
    play.program.mood(Mood::Fails);
    let (third, fourth) = (play.send(), play.send());
    play.program.wait(4);
    until(|| Some(play.webhook()).filter(|webhook| webhook["tries"] != 0));
    assert_eq!(text(&play.webhook(), "last_error"), "HTTP 500");
    assert!(play.stage.relay.stop());
    play.program.mood(Mood::Takes);
    play.stage.relay.start();
    let taken = until(|| {
        let posts: Vec<Post> = play.program.posts().into_iter().skip(3).collect();
        let last = posts.last()?.json();
        (text(&last["data"], "parcel") == fourth).then_some(posts)
    });
    assert_eq!(text(&taken[0].json()["data"], "parcel"), third);
    let ids: Vec<&str> = taken.iter().map(|post| post.header("webhook-id")).collect();
    let mut once = ids.clone();
    once.dedup();
    assert_eq!(once.len(), 2, "one id for every try of one event: {ids:?}");
    let webhook = until(|| Some(play.webhook()).filter(|webhook| webhook["tries"] == 0));
    assert!(webhook["dead"].as_array().unwrap().is_empty(), "{webhook}");

    assert_eq!(play.visit.run(&["--json", "webhook", "remove"]).expect(0).json()[0]["removed"], true);
    assert_eq!(play.visit.run(&["--json", "webhook", "remove"]).expect(0).json()[0]["removed"], false);
}

#[test]
fn told_in_order_and_signed_sqlite() {
    told_in_order_and_signed(Database::Sqlite);
}

#[test]
fn told_in_order_and_signed_postgres() {
    told_in_order_and_signed(Database::Postgres);
}

#[test]
fn what_nobody_takes_is_given_up_and_listed() {
    let play = Play::new(Database::Sqlite, true);
    play.visit.run(&["webhook", "set", &play.program.url()]).expect(0);
    // It redirects for ever: nobody follows.
    play.program.mood(Mood::Redirects);
    let lost = play.send();
    let webhook =
        until(|| Some(play.webhook()).filter(|webhook| webhook["dead"] != Value::Array(Vec::new())));
    let dead = &webhook["dead"][0];
    assert_eq!((text(dead, "type"), text(dead, "error")), ("parcel.delivered", "HTTP 307"));
    let posts = play.program.posts();
    assert!(posts.len() > 1 && posts.iter().all(|post| post.path == "/tasuki?office=1"), "{posts:?}");
    assert!(posts.iter().all(|post| text(&post.json()["data"], "parcel") == lost));
    assert!(play.stage.relay.metrics().contains("tasuki_webhook_posts_total{outcome=\"given_up\"} 1"));
    // It hangs: its answer is waited for so long and no longer, and nobody else waits for it.
    play.program.mood(Mood::Hangs);
    let began = Instant::now();
    let hung = play.visit.run(&["--json", "webhook", "test"]).expect(1).json().remove(0);
    assert!(text(&hung, "error").contains("no answer within 10 s"), "{hung}");
    assert!(began.elapsed() < Duration::from_secs(20));
    // What comes after is told when it works again.
    play.program.mood(Mood::Takes);
    let next = play.send();
    until(|| {
        play.program.posts().iter().any(|post| post.json()["data"]["parcel"] == next.as_str()).then_some(())
    });
    assert_eq!(play.webhook()["dead"].as_array().unwrap().len(), 1);
}

#[test]
fn a_program_that_hangs_holds_up_nobody_else() {
    let play = Play::new(Database::Sqlite, true);
    let day = play.stage.office(DAY);
    day.run(&["--json", "inbox"]).expect(0);
    let other = Program::start(&play.ca);
    play.visit.run(&["webhook", "set", &play.program.url()]).expect(0);
    day.run(&["webhook", "set", &other.url()]).expect(0);
    play.program.mood(Mood::Hangs);
    play.send();
    play.program.wait(1);
    let began = Instant::now();
    let sent = [DAY, DAY].map(|to| play.send_through(&play.stage.relay, to));
    let posts = other.wait(2);
    // A hanging program is waited for ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let told: Vec<Value> = posts.iter().map(|post| post.json()["data"]["parcel"].clone()).collect();
    assert_eq!(told, sent);
    assert_eq!(play.program.posts().len(), 1, "it hangs still");
}

#[test]
fn two_relays_tell_a_program_each_event_once() {
    const PARCELS: usize = 12;
    let play = Play::new(Database::Postgres, true);
    let mut twin = play.stage.relay.twin(&play.stage.path().join("twin"));
    twin.start();
    play.visit.run(&["webhook", "set", &play.program.url()]).expect(0);
    let both = [&play.stage.relay, &twin];
    let sent: Vec<String> = (0..PARCELS).map(|n| play.send_through(both[n % 2], VISIT)).collect();
    play.program.wait(PARCELS);
    // Time for whoever would tell it again.
    std::thread::sleep(Duration::from_secs(3));
    let posts = play.program.posts();
    let told: Vec<Value> = posts.iter().map(|post| post.json()["data"]["parcel"].clone()).collect();
    assert_eq!(told, sent, "in the feed's order, each once");
    // One of them goes, and the other tells what comes after.
    assert!(twin.stop());
    let last = play.send();
    let posts = play.program.wait(PARCELS + 1);
    assert_eq!(posts[PARCELS].json()["data"]["parcel"], last.as_str());
}

#[test]
fn nobody_has_the_relay_knock_at_private_doors() {
    let play = Play::new(Database::Sqlite, false);
    play.visit.run(&["webhook", "set", &play.program.url()]).expect(0);
    let test = play.visit.run(&["--json", "webhook", "test"]).expect(1).json().remove(0);
    assert_eq!(text(&test, "error"), "the address is not a public one");
    play.send();
    until(|| Some(play.webhook()).filter(|webhook| webhook["tries"] != 0));
    assert!(play.program.posts().is_empty());
}
