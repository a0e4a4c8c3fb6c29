//! The way to the mail server: STARTTLS, TLS from the first byte, the server's certificate, and the login, which nobody hears who is not
//! the server. What fails there loses no mail.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tasuki_certs::trial_ca::{IssueOptions, TrialCa};
use tasuki_tests::raw::{Forge, now_us, reason, submit};
use tasuki_tests::run::text;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// Pauses between the relay's tries double.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the server is like at present.
#[derive(Clone)]
struct Manners {
    /// TLS from the first byte.
    implicit: bool,
    /// It says that it can STARTTLS.
    offers: bool,
    tls: TlsAcceptor,
    /// The password that it takes.
    password: &'static str,
}

/// What it heard.
#[derive(Debug, Default)]
struct Heard {
    /// Lines outside of TLS.
    open: Vec<String>,
    /// Logins within, decoded.
    logins: Vec<String>,
    mails: usize,
}

/// A mail server (RFC 5321, 3207, 4954).
struct Server {
    port: u16,
    manners: Arc<Mutex<Manners>>,
    heard: Arc<Mutex<Heard>>,
    _runtime: Runtime,
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn acceptor(ca: &TrialCa) -> TlsAcceptor {
    let issued = ca.issue_server(&["localhost"], &IssueOptions::for_server(now_us())).unwrap();
    let chain = vec![CertificateDer::from(issued.cert_der.clone())];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(issued.key_pkcs8_der.to_vec()));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

impl Server {
    fn start(manners: Manners) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (manners, heard) = (Arc::new(Mutex::new(manners)), Arc::new(Mutex::new(Heard::default())));
        let (now, hears) = (Arc::clone(&manners), Arc::clone(&heard));
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (manners, heard) = (lock(&now).clone(), Arc::clone(&hears));
                tokio::spawn(async move { serve(stream, &manners, &heard).await });
            }
        });
        Self { port, manners, heard, _runtime: runtime }
    }

    fn change(&self, change: impl FnOnce(&mut Manners)) {
        change(&mut lock(&self.manners));
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.heard)
    }
}

async fn serve(mut stream: TcpStream, manners: &Manners, heard: &Mutex<Heard>) -> Option<()> {
    if !manners.implicit {
        stream.write_all(b"220 test\r\n").await.ok()?;
        let mut open = BufReader::new(&mut stream);
        loop {
            let mut line = String::new();
            if open.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            lock(heard).open.push(line.trim_end().to_owned());
            let answer: &[u8] = match line.split_whitespace().next() {
                Some("EHLO") if manners.offers => b"250-test\r\n250 STARTTLS\r\n",
                Some("STARTTLS") => b"220 go on\r\n",
                _ => b"250 ok\r\n",
            };
            open.write_all(answer).await.ok()?;
            if line.starts_with("STARTTLS") {
                break;
            }
        }
    }
    let stream = manners.tls.accept(stream).await.ok()?;
    converse(BufReader::new(stream), manners, heard).await
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: BufReader<S>,
    manners: &Manners,
    heard: &Mutex<Heard>,
) -> Option<()> {
    if manners.implicit {
        stream.write_all(b"220 test\r\n").await.ok()?;
    }
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let mut words = line.split_whitespace();
        let answer: &[u8] = match words.next()? {
            "EHLO" => b"250-test\r\n250 AUTH PLAIN\r\n",
            "AUTH" => {
                let login = String::from_utf8(STANDARD.decode(words.nth(1)?).ok()?).ok()?;
                let taken = login == format!("\0tasuki\0{}", manners.password);
                lock(heard).logins.push(login);
                if taken { b"235 welcome\r\n" } else { b"535 who are you\r\n" }
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut data = String::new();
                while !data.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut data).await.ok()? == 0 {
                        return None;
                    }
                }
                lock(heard).mails += 1;
                b"250 taken\r\n"
            }
            "QUIT" => b"221 bye\r\n",
            _ => b"250 ok\r\n",
        };
        stream.write_all(answer).await.ok()?;
    }
}

fn the_way_is_protected(tls: &str) {
    let mut stage = Stage::new(Database::Sqlite);
    let visit = stage.office(VISIT);
    visit.run(&["--json", "inbox"]).expect(0);
    let (ca, stranger) =
        (TrialCa::create("mail", now_us()).unwrap(), TrialCa::create("x", now_us()).unwrap());
    let (ca_file, pass_file) = (stage.path().join("mail-ca.pem"), stage.path().join("mail.pass"));
    std::fs::write(&ca_file, ca.cert_pem().unwrap()).unwrap();
    std::fs::write(&pass_file, "secret\r\nsecond line\n").unwrap();
    let implicit = tls == "implicit";
    let server =
        Server::start(Manners { implicit, offers: false, tls: acceptor(&stranger), password: "another" });
    assert!(stage.relay.stop());
    let mut section = String::new();
    stage.relay.configure(|line| {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        }
        match (section.as_str(), line.split(' ').next()) {
            ("[mail]", Some("server")) => Some(format!(
                "server = \"localhost\"\nfrom = \"tasuki@relay.example\"\nuser = \"tasuki\"\n\
                 password_file = \"{}\"\nca_file = \"{}\"",
                pass_file.display(),
                ca_file.display()
            )),
            ("[mail]", Some("port")) => Some(format!("port = {}", server.port)),
            ("[mail]", Some("tls")) => Some(format!("tls = {tls:?}")),
            _ => None,
        }
    });
    stage.relay.start();
    visit.run(&["mail", "set", "office@example.jp"]).expect(0);
    let sender = stage.raw(MANAGER);
    Runtime::new().unwrap().block_on(async {
        let container = Forge::withdrawal(MANAGER, VISIT).sign(&sender.identity);
        let channel = sender.connect(&stage.relay).await.unwrap();
        assert_eq!(reason(&submit(&channel, container).await.unwrap()), "accepted");
    });
    let fails = |why: &str| {
        let mut last = String::new();
        let began = Instant::now();
        while last != why {
            assert!(began.elapsed() < PATIENCE, "{why}, not {last}: {}", stage.relay.log_text());
            std::thread::sleep(Duration::from_millis(100));
            let settings = visit.run(&["--json", "mail", "list"]).expect(0).json().remove(0);
            text(&settings, "last_error").clone_into(&mut last);
        }
    };
    if !implicit {
        // A server, or somebody on the way, that offers no TLS hears nothing more.
        fails("SMTP: the server does not offer what is set (TLS, login)");
        server.change(|manners| manners.offers = true);
    }
    // Somebody else's certificate.
    fails("SMTP: TLS failed");
    assert!(server.heard().logins.is_empty());
    server.change(|manners| manners.tls = acceptor(&ca));
    // The login is not taken: the mail waits.
    fails("SMTP 535");
    server.change(|manners| manners.password = "secret");
    let began = Instant::now();
    while server.heard().mails == 0 {
        assert!(began.elapsed() < PATIENCE, "{}", stage.relay.log_text());
        std::thread::sleep(Duration::from_millis(100));
    }
    let heard = server.heard();
    assert!(heard.logins.iter().all(|login| login == "\0tasuki\0secret"), "{heard:?}");
    assert!(heard.open.is_empty() || !implicit, "{heard:?}");
    let harmless = |line: &String| ["EHLO", "STARTTLS", "QUIT"].iter().any(|verb| line.starts_with(verb));
    assert!(heard.open.iter().all(harmless), "{heard:?}");
    assert!(!stage.relay.log_text().contains("secret"), "a password is in the log");
}

#[test]
fn the_way_is_protected_starttls() {
    the_way_is_protected("starttls");
}

#[test]
fn the_way_is_protected_implicit() {
    the_way_is_protected("implicit");
}
