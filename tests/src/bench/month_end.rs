//! The month's end of many offices through one proxy: files as care managers' software exports them, three or four to a parcel.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::rand::SystemRandom;
use tasuki_careplan::file_name::FileName;
use tasuki_careplan::samples::{Sample, of_folder};
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::identity::KeyIdentity;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::mandate::Delegate;
use tasuki_proto::parcel::{FileEntry, Header, Software, build};
use tasuki_proto::pb;
use tasuki_proto::pb::exchange_client::ExchangeClient;
use tasuki_proto::statement::Statement;
use tokio::sync::mpsc;

use super::cpu;
use super::fixture::{Party, Signed};
use super::load::{self, Load, Measured};
use crate::office::{IMPORT_HEADER, Office};
use crate::raw::now_us;
use crate::relay::Relay;
use crate::run::Ran;

/// The proxy's number.
pub const PROXY: &str = "P00001";

/// Offices of the judged run, and parcels of each: 100 files, two parcels in three of three files, the others of four.
pub const OFFICES: usize = 300;
/// See [`OFFICES`].
pub const PARCELS_EACH: usize = 30;

/// How often a run that is killed is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Unanswered parcels of the plain run: as many as the client library has.
const WINDOW: usize = 256;

/// How long a round may take.
const PATIENCE: Duration = Duration::from_mins(20);

/// A parcel that nobody signed yet.
#[derive(Clone, Debug)]
pub struct Unsent {
    /// An index into the senders.
    pub sender: usize,
    /// An index into the recipients.
    pub recipient: usize,
    /// Names and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Makes every sender's parcels: slips and plan documents, the standard's samples with other offices, written on this day (`YYYYMMDD`).
pub fn parcels(senders: &[Party], recipients: &[Party], each: usize, day: &str) -> Vec<Unsent> {
    let (slip, plan): (Vec<_>, Vec<_>) =
        (of_folder("03_slip_202602_to_visit").collect(), of_folder("01_plan_documents_to_visit").collect());
    let mut parcels = Vec::with_capacity(senders.len() * each);
    for (sender, party) in senders.iter().enumerate() {
        for n in 0..each {
            let recipient = (sender + n) % recipients.len();
            let offices = (party.number.as_str(), recipients[recipient].number.as_str());
            let samples = if n % 3 == 2 { &plan } else { &slip };
            let files = samples.iter().map(|sample| of_sample(sample, offices, day, n)).collect();
            parcels.push(Unsent { sender, recipient, files });
        }
    }
    parcels
}

fn of_sample(sample: &Sample, (sender, recipient): (&str, &str), day: &str, n: usize) -> (String, Vec<u8>) {
    let (stem, _) = sample.name.rsplit_once('_').expect("a standard name");
    let stem = stem.replace("1371215102", sender).replace("9971100012", recipient);
    // Files that share a serial are one parcel.
    let name = format!("{stem}_{day}10{:02}{:02}.CSV", n / 60 % 60, n % 60);
    let content = replace(&replace(sample.bytes, b"1371215102", sender), b"9971100012", recipient);
    (name, content)
}

fn replace(bytes: &[u8], from: &[u8; 10], to: &str) -> Vec<u8> {
    let mut all = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = all[at..].windows(from.len()).position(|window| window == from) {
        all[at + found..at + found + from.len()].copy_from_slice(to.as_bytes());
        at += found + from.len();
    }
    all
}

/// Puts the offices into the directory.
///
/// # Panics
/// If the import fails.
pub fn import(relay: &Relay, parties: &[&[Party]]) {
    let mut csv = format!("{IMPORT_HEADER}\n");
    for party in parties.iter().copied().flatten() {
        csv.extend([party.number.as_str(), ",bench ", &party.number, ",ベンチ,43 11,true\n"]);
    }
    let path = relay.dir.join("month-end.csv");
    std::fs::write(&path, csv).expect("the relay's folder is writable");
    relay.run(&["office", "import", &path.display().to_string()]).expect(0);
}

/// The plain run: each sender over its own connection, its parcels signed while they are sent, on all cores.
///
/// # Errors
/// A parcel is rejected or a call breaks.
///
/// # Panics
/// If a parcel can't be built.
pub async fn plain(
    relay: &Relay,
    senders: &[Party],
    recipients: &[Party],
    unsent: Arc<Vec<Unsent>>,
) -> Result<Measured, String> {
    introduce(relay, recipients).await?;
    let (address, ca) = address(relay);
    let mut channels = Vec::with_capacity(senders.len());
    for party in senders {
        channels.push(load::connect(&address, &ca, &party.identity).await?);
    }
    let keys: Arc<Vec<(String, KeyIdentity)>> =
        Arc::new(senders.iter().map(|p| (p.number.clone(), p.identity.clone())).collect());
    let to: Arc<Vec<String>> = Arc::new(recipients.iter().map(|p| p.number.clone()).collect());
    let (made, mut parcels) = mpsc::channel(WINDOW);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut load = Load::open(&channels);
    for core in 0..cores {
        let (unsent, keys, to, made) =
            (Arc::clone(&unsent), Arc::clone(&keys), Arc::clone(&to), made.clone());
        tokio::task::spawn_blocking(move || {
            for parcel in unsent.iter().skip(core).step_by(cores) {
                let (number, identity) = &keys[parcel.sender];
                let signed = sign(parcel, number, &to[parcel.recipient], identity);
                if made.blocking_send(signed).is_err() {
                    return;
                }
            }
        });
    }
    drop(made);
    load.run_live(&mut parcels, unsent.len(), WINDOW).await
}

fn sign(parcel: &Unsent, sender: &str, recipient: &str, identity: &KeyIdentity) -> Signed {
    let now_us = now_us();
    let id = ParcelId::new(now_us, &SystemRandom::new()).expect("the system gives randomness");
    let software = Software { name: "bench-relay".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let office = |number: &str| number.parse().expect("10 digits");
    let mut header = Header::new(id, office(sender), office(recipient), now_us, software);
    for (name, _) in &parcel.files {
        let kind = FileName::parse(name).expect("a standard name").kind.prefix();
        header.files.push(FileEntry::standard(name, kind, "text/csv"));
    }
    let contents: Vec<Cow<'_, [u8]>> =
        parcel.files.iter().map(|(_, bytes)| bytes.as_slice().into()).collect();
    let container = build(&header, &contents, identity, now_us).expect("a parcel that follows the rules");
    let key = ParcelKey { sender: header.sender, id };
    Signed { sender: parcel.sender, recipient: parcel.recipient, key, container: container.into() }
}

fn address(relay: &Relay) -> (String, PathBuf) {
    (relay.url.trim_start_matches("https://").to_owned(), relay.dir.join("relay-ca.pem"))
}

async fn introduce(relay: &Relay, parties: &[Party]) -> Result<(), String> {
    let (address, ca) = address(relay);
    for party in parties {
        load::introduce(load::connect(&address, &ca, &party.identity).await?).await?;
    }
    Ok(())
}

/// A proxy with the offices that let it act, and its folder with their files in `out/`.
#[derive(Debug)]
pub struct Proxied {
    /// The proxy.
    pub office: Office,
    /// Its folder.
    pub folder: PathBuf,
}

impl Proxied {
    /// Lets the proxy act for all senders on a relay that runs and knows the offices.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    ///
    /// # Panics
    /// If a command fails.
    pub async fn set_up(
        relay: &Relay,
        dir: &Path,
        senders: &[Party],
        recipients: &[Party],
        scopes: &str,
    ) -> Result<Self, String> {
        relay.run(&["proxy", "add", PROXY, "--name", "伝送サービス"]).expect(0);
        let office = Office::join(relay, dir, PROXY);
        introduce(relay, recipients).await?;
        let (address, ca) = address(relay);
        for party in senders {
            let channel = load::connect(&address, &ca, &party.identity).await?;
            let now_us = now_us();
            let said = Statement::Delegate(Delegate {
                office: party.number.parse().expect("10 digits"),
                proxy: PROXY.parse().expect("a proxy's number"),
                scopes: scopes.parse().expect("scopes"),
                from_us: now_us,
                until_us: now_us + 30 * 86_400 * 1_000_000,
                time_us: now_us,
                confirm: false,
            });
            let cms = cms_sign::sign(&party.identity, said.print().as_bytes(), Content::Attached, now_us);
            let statement = cms.map_err(|e| e.to_string())?.into();
            let signed = pb::SignedStatement { statement, ..pb::SignedStatement::default() };
            let request = pb::DeclareRequest { statements: vec![signed] };
            let answer = ExchangeClient::new(channel).declare(request).await.map_err(|e| e.to_string())?;
            match answer.into_inner().results.into_iter().next().and_then(|result| result.outcome) {
                Some(pb::declare_result::Outcome::Accepted(_)) => {}
                other => return Err(format!("a delegation was refused: {other:?}")),
            }
        }
        let folder = dir.join("work");
        std::fs::create_dir_all(folder.join("out")).map_err(|e| e.to_string())?;
        Ok(Self { office, folder })
    }

    /// Puts files into the heap, or into a folder for each office.
    ///
    /// # Panics
    /// If they can't be written.
    pub fn put(&self, unsent: &[Unsent], of_office: Option<&dyn Fn(usize) -> String>) {
        for parcel in unsent {
            let into = of_office.map_or_else(String::new, |number| number(parcel.sender));
            let into = self.folder.join("out").join(into);
            std::fs::create_dir_all(&into).expect("a writable folder");
            for (name, content) in &parcel.files {
                std::fs::write(into.join(name), content).expect("a writable folder");
            }
        }
    }

    fn command(&self) -> std::process::Command {
        let folder = self.folder.display().to_string();
        self.office.command(&["--json", "proxy", &folder, "--once", "--new-partner"])
    }

    /// One round: what it told, how long it took, and the CPU time of its process.
    ///
    /// # Panics
    /// If it can't be started or does not end.
    pub fn round(&self) -> (Ran, Duration, Duration) {
        let mut command = self.command();
        let line = format!("{command:?}");
        let (out, err) = (self.folder.join("round.out"), self.folder.join("round.err"));
        let file = |path: &Path| std::fs::File::create(path).expect("a writable folder");
        command.stdin(Stdio::null()).stdout(file(&out)).stderr(file(&err));
        let began = Instant::now();
        let mut child = command.spawn().expect("the proxy starts");
        let mut cpu = Duration::ZERO;
        let status = loop {
            if let Some(status) = child.try_wait().expect("a child") {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "the round does not end");
            // The last look is a few milliseconds before the end.
            cpu = cpu.max(cpu::of_process(child.id()));
            std::thread::sleep(LOOK);
        };
        let took = began.elapsed();
        let output = std::process::Output {
            status,
            stdout: std::fs::read(&out).expect("it was written"),
            stderr: std::fs::read(&err).expect("it was written"),
        };
        (Ran::new(line, &output), took, cpu)
    }

    /// Rounds that are killed, each once so many more parcels are recorded as sent; then one to the end. Gives what that told.
    ///
    /// # Panics
    /// If a round ended before it could be killed.
    pub fn rounds_killed(&self, parcels: usize, kills: usize) -> Ran {
        let mut known = HashMap::new();
        for kill in 1..=kills {
            let until = parcels * kill / (kills + 1);
            let child =
                self.command().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
            let mut child: Child = child.expect("the proxy starts");
            let began = Instant::now();
            while self.recorded(&mut known) < until {
                let ended = child.try_wait().expect("a child");
                assert!(ended.is_none(), "round {kill} ended by itself: {ended:?}");
                assert!(began.elapsed() < PATIENCE, "round {kill} does not get on");
                std::thread::sleep(LOOK);
            }
            child.kill().expect("a child");
            child.wait().expect("a child");
        }
        self.round().0
    }

    /// Parcels whose acceptance the proxy has recorded: a line of a file each, behind a first one. Files that were read do not change.
    fn recorded(&self, known: &mut HashMap<PathBuf, usize>) -> usize {
        let entries =
            |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        let homes = entries(self.office.home.join("offices"));
        let files = homes.flat_map(|home| entries(home.path().join("sent"))).map(|file| file.path());
        let mut parcels = 0;
        for file in files.filter(|file| file.extension().is_some_and(|e| e == "jsonl")) {
            parcels += *known.entry(file).or_insert_with_key(|file| {
                std::fs::read_to_string(file).map_or(0, |text| text.lines().count().saturating_sub(1))
            });
        }
        parcels
    }

    /// How many files lie below a folder of the proxy's.
    pub fn count(&self, inside: &str) -> usize {
        count(&self.folder.join(inside))
    }
}

fn count(folder: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let entries = entries.filter_map(Result::ok).map(|entry| entry.path());
    entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
}

/// Parcels that this relay has, as the check of its whole log counts them.
///
/// # Panics
/// If the log does not verify.
pub fn accepted(relay: &Relay) -> usize {
    let verified = relay.run(&["log", "verify", "--json"]).expect(0).json();
    let count = verified.last().and_then(|object| object["parcels"].as_u64()).expect("it counts parcels");
    usize::try_from(count).expect("a few thousand")
}
