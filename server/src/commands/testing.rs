//! A relay's folder for tests, its database on either system, and commands run in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser as _;
use ring::rand::SystemRandom;
use serde_json::Value;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::lifecycle::Act;
use tasuki_proto::statement::Word;
use tempfile::TempDir;

use super::exit::Exit;
use super::lang::Lang;
use super::output::Output;
use crate::boot::Boot;
use crate::cli::Cli;
use crate::clock::{Clock as _, SystemClock};
use crate::committer::change::{Actor, Change, Delivery, Doing, Done, Paper, Signed};
use crate::config::Config;
use crate::config::template::names;
use crate::store::archive::Archived;
use crate::store::dialect::Dialect;
use crate::store::parcels::FileRow;
use crate::store::testing::TestDatabase;

/// Offices of the standard's sample files.
pub(super) const SENDER: &str = "1371215102";
pub(super) const RECEIVER: &str = "9971100012";

/// A relay made by `init`.
pub(super) struct TestRelay {
    outer: TempDir,
    /// Keeps a PostgreSQL database's folder.
    _database: Option<TestDatabase>,
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) exit: Exit,
    /// The JSON objects on standard output.
    pub(super) out: Vec<Value>,
    pub(super) err: String,
}

impl Ran {
    #[track_caller]
    pub(super) fn expect(self, exit: Exit) -> Self {
        assert_eq!(self.exit, exit, "{self:?}");
        self
    }
}

impl TestRelay {
    pub(super) async fn new(dialect: Dialect) -> Self {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("relay");
        run(&["init", &folder.display().to_string(), "--json"]).await.expect(Exit::Done);
        let database = match dialect {
            Dialect::Sqlite => None,
            Dialect::Postgres => {
                let database = TestDatabase::new(dialect).await;
                let text = std::fs::read_to_string(folder.join(names::CONFIG)).unwrap();
                let text = text.replace("sqlite:relay.db", &database.url);
                std::fs::write(folder.join(names::CONFIG), text).unwrap();
                // The witness knows the embedded database's log.
                std::fs::remove_file(folder.join(names::WITNESS)).unwrap();
                Some(database)
            }
        };
        Self { outer, _database: database }
    }

    /// A file or folder in the relay's folder.
    pub(super) fn at(&self, name: &str) -> PathBuf {
        self.outer.path().join("relay").join(name)
    }

    /// A place beside the relay's folder.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        self.outer.path().join(name)
    }

    pub(super) fn config(&self) -> Config {
        Config::load(&self.at(names::CONFIG)).unwrap()
    }

    /// Runs an administrative command with `--json`.
    pub(super) async fn run(&self, arguments: &[&str]) -> Ran {
        let config = self.at(names::CONFIG).display().to_string();
        run(&[&["--config", &config, "--json"], arguments].concat()).await
    }

    /// Store and committer of a relay that runs.
    pub(super) async fn boot(&self) -> Boot {
        Boot::start(&self.config()).await.unwrap()
    }

    /// Brings the two offices into the directory.
    pub(super) async fn with_offices(&self) {
        for number in [SENDER, RECEIVER] {
            self.run(&["office", "add", number, "--name", "事業所"]).await.expect(Exit::Done);
        }
    }

    /// Writes a file beside the relay's folder.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> String {
        let path = self.beside(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }
}

/// Runs a command line, in English.
pub(super) async fn run(arguments: &[&str]) -> Ran {
    let line = std::iter::once("tasuki-relay").chain(arguments.iter().copied());
    let cli = Cli::try_parse_from(line).unwrap();
    let (mut out, results, errors) = Output::captured(Lang::En, cli.global.json);
    let exit = match super::run(&cli, &mut out).await {
        Ok(exit) => exit,
        Err(failure) => super::tell(&failure, &mut out),
    };
    let out = if cli.global.json { results.objects() } else { Vec::new() };
    Ran { exit, out, err: errors.text() }
}

pub(super) fn office(number: &str) -> OfficeNumber {
    number.parse().unwrap()
}

fn archived(kind: &'static str, der: &[u8], above: &[[u8; 32]]) -> Archived {
    let fingerprint = sha256(der);
    let own = if kind == "certificate" { vec![fingerprint] } else { Vec::new() };
    Archived { fingerprint, kind, der: der.into(), chain: [&own, above].concat() }
}

/// A parcel as intake would hand it to the committer, with everything that evidence needs.
pub(super) fn delivery(n: u8) -> Box<Delivery> {
    let now_us = SystemClock.now_us();
    let sealed = vec![n; 1000];
    let anchor = archived("certificate", b"anchor", &[]);
    let signer = archived("certificate", b"signer", &[anchor.fingerprint]);
    let crl = archived("crl", b"list", &[]);
    Box::new(Delivery {
        key: ParcelKey { sender: office(SENDER), id: ParcelId::new(now_us, &SystemRandom::new()).unwrap() },
        recipient: office(RECEIVER),
        digest: [n; 32],
        container_size: 900,
        sealed_digest: sha256(&sealed),
        sealed_size: 1000,
        aside: false,
        sealed,
        files: vec![FileRow {
            kind: "UPPLAN".to_owned(),
            month: "202602".to_owned(),
            serial: "20260125103000".to_owned(),
            size: 2444,
        }],
        signer: signer.fingerprint,
        transmitter: format!("office:{SENDER}"),
        mandates: Vec::new(),
        proxy: None,
        vouched: false,
        confirm: false,
        crls: vec![crl.fingerprint],
        archive: Arc::new(vec![signer, anchor, crl]),
        directory: 0,
        hold: None,
        supersedes: None,
        partners: crate::config::PartnersConfig::default(),
    })
}

/// Brings a parcel into the receiver's mailbox.
pub(super) async fn deliver(boot: &Boot, n: u8) -> ParcelKey {
    let delivery = delivery(n);
    let key = delivery.key;
    submit(boot, Change::Deliver(delivery)).await;
    key
}

pub(super) async fn fetch(boot: &Boot, key: ParcelKey) -> Done {
    submit(boot, by_receiver(key, Act::Fetch, None)).await
}

fn by_receiver(key: ParcelKey, act: Act, signed: Option<Signed>) -> Change {
    let by = Actor::Office {
        office: office(RECEIVER),
        name: format!("office:{RECEIVER}"),
        mandate: None,
        vouched: false,
    };
    Change::Act(Box::new(Doing { key, act, by, signed }))
}

pub(super) async fn acknowledge(boot: &Boot, key: ParcelKey, n: u8) -> Done {
    let signer = archived("certificate", b"receiver", &[]);
    let paper = Paper {
        cms: format!("signed for {key}").into_bytes(),
        text: Vec::new(),
        signer: signer.fingerprint,
        archive: Arc::new(vec![signer]),
    };
    let signed = Signed { digest: [n; 32], recipient: office(RECEIVER), word: Word::Acknowledge, paper };
    submit(boot, by_receiver(key, Act::Acknowledge, Some(signed))).await
}

pub(super) async fn submit(boot: &Boot, change: Change) -> Done {
    boot.started.committer.submit(change).await.unwrap()
}

/// Permission bits of a file.
#[cfg(unix)]
pub(super) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
