//! An office is told by e-mail: by a real SMTP conversation, from whom and how many, nothing of what; a server that is away loses nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_tests::raw::{Forge, RawOffice, reason, submit};
use tasuki_tests::relay::free_port;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

/// Mails as the server took them: recipients and data.
type Taken = Arc<Mutex<Vec<(Vec<String>, String)>>>;

/// A mail server that takes everything (RFC 5321).
async fn serve(listener: TcpListener, taken: Taken) {
    while let Ok((stream, _)) = listener.accept().await {
        let taken = Arc::clone(&taken);
        tokio::spawn(async move { converse(BufReader::new(stream), &taken).await });
    }
}

async fn converse(mut stream: BufReader<tokio::net::TcpStream>, taken: &Taken) -> Option<()> {
    let (mut to, mut line) = (Vec::new(), String::new());
    stream.write_all(b"220 test\r\n").await.ok()?;
    loop {
        line.clear();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let answer = match line.trim_end().split_at_checked(4).map_or("", |(verb, _)| verb) {
            "RCPT" => {
                to.push(line.trim_end().to_owned());
                "250 ok\r\n"
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut data = String::new();
                while !data.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut data).await.ok()? == 0 {
                        return None;
                    }
                }
                taken.lock().unwrap_or_else(PoisonError::into_inner).push((std::mem::take(&mut to), data));
                "250 taken\r\n"
            }
            "QUIT" => "221 bye\r\n",
            _ => "250 ok\r\n",
        };
        stream.write_all(answer.as_bytes()).await.ok()?;
    }
}

/// The text of a mail, out of the base64 that a text in Japanese travels in.
fn body(data: &str) -> String {
    use base64::Engine as _;
    let (head, body) = data.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("base64"), "{head}");
    let body: String = body.trim_end_matches("\r\n.\r\n").split_whitespace().collect();
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(body).unwrap()).unwrap()
}

struct Post {
    stage: Stage,
    sender: RawOffice,
    runtime: Runtime,
}

impl Post {
    fn send(&self, to: &str) {
        let container = Forge::withdrawal(MANAGER, to).sign(&self.sender.identity);
        self.runtime.block_on(async {
            let channel = self.sender.connect(&self.stage.relay).await.unwrap();
            assert_eq!(reason(&submit(&channel, container).await.unwrap()), "accepted");
        });
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

fn told_by_mail(database: Database) {
    let mut stage = Stage::new(database);
    let (visit, day) = (stage.office(VISIT), stage.office(DAY));
    for office in [&visit, &day] {
        office.run(&["--json", "inbox"]).expect(0);
    }
    let none = visit.run(&["mail", "set", "office@example.jp"]);
    assert!(none.expect(1).err.contains("[MAIL_NOT_OFFERED]"), "{}", none.err);

    let port = free_port();
    assert!(stage.relay.stop());
    let mut section = String::new();
    stage.relay.configure(|line| {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        }
        match (section.as_str(), line.split(' ').next()) {
            ("[mail]", Some("server")) => {
                Some("server = \"127.0.0.1\"\nfrom = \"tasuki@relay.example\"".to_owned())
            }
            ("[mail]", Some("port")) => Some(format!("port = {port}")),
            ("[mail]", Some("tls")) => Some("tls = \"none\"".to_owned()),
            ("[mail]", Some("at_most_every")) => Some("at_most_every = \"8s\"".to_owned()),
            _ => None,
        }
    });
    stage.relay.start();
    let runtime = Runtime::new().unwrap();
    let sender = stage.raw(MANAGER);
    let post = Post { stage, sender, runtime };
    let settings = |flags: &[&str]| -> Value {
        visit.run(&[&["--json", "mail"], flags].concat()).expect(0).json().remove(0)
    };
    let bad = visit.run(&["mail", "set", "A <a@example.jp>"]);
    assert!(bad.expect(1).err.contains("[MAIL_ADDRESS]"), "{}", bad.err);
    let set = settings(&["set", "office@example.jp", "boss@example.jp"]);
    assert_eq!(set["addresses"], serde_json::json!(["office@example.jp", "boss@example.jp"]));
    assert_eq!(settings(&["list"]), set);

    // The mail server is away: it is tried again.
    post.send(VISIT);
    post.send(DAY);
    let failed = until(|| Some(settings(&["list"])).filter(|settings| settings["tries"] != 0));
    assert_eq!(failed["last_error"], "SMTP: the server can't be reached");
    let taken = Taken::default();
    let mails = || taken.lock().unwrap_or_else(PoisonError::into_inner).clone();
    // From before the first: a busy machine may see it late, and the second counts from when it was sent.
    let at = Instant::now();
    let listener = post.runtime.block_on(TcpListener::bind(("127.0.0.1", port))).unwrap();
    post.runtime.spawn(serve(listener, Arc::clone(&taken)));
    let first = until(|| Some(mails()).filter(|mails| mails.len() == 2)).remove(0);
    assert_eq!(first.0, ["RCPT TO:<office@example.jp>"]);
    assert_eq!(mails()[1].0, ["RCPT TO:<boss@example.jp>"]);
    assert!(first.1.contains("Auto-Submitted: auto-generated"), "{}", first.1);
    let text = body(&first.1);
    assert!(text.contains("ひまわり訪問介護（9971100012）に新しい電文が1件届いています。"), "{text}");
    assert!(text.contains("A居宅介護支援事業所 (1371215102)  1  "), "{text}");
    assert!(!text.contains("DLTPLAN") && !text.contains("202602"), "{text}");

    // Two more soon after are one mail, and not before its time.
    post.send(VISIT);
    post.send(VISIT);
    let second = until(|| mails().get(2).cloned());
    assert!(at.elapsed() > Duration::from_secs(6), "{:?}", at.elapsed());
    assert!(body(&second.1).contains("電文が2件"), "{}", body(&second.1));
    // It is counted when both addresses have theirs.
    let counted = "tasuki_mails_total{outcome=\"sent\"} 2";
    until(|| post.stage.relay.metrics().contains(counted).then_some(()));
    assert_eq!(settings(&["remove"])["addresses"], serde_json::json!([]));
    // The other office set no address.
    assert!(mails().iter().all(|mail| mail.1.contains("Message-ID: <9971100012-")), "{:?}", mails());
}

#[test]
fn told_by_mail_sqlite() {
    told_by_mail(Database::Sqlite);
}

#[test]
fn told_by_mail_postgres() {
    told_by_mail(Database::Postgres);
}
