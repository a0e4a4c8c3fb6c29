//! The trial's steps through the command line. Step by step, for every office: what arrives, what the receiver's software
//! makes of it, and what both sides' lists say.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::cast::{Connection, MANAGERS, PATTERNS, PROVIDERS, PROXIES, Player, Step, Visit, partners};
use super::files::{MadeFile, Sheet};
use super::software::{Software, State, Topic};
use crate::office::{Office, import};
use crate::programs::Programs;
use crate::relay::Relay;
use crate::run::text;

/// One parcel to be.
struct Sending {
    from: Player,
    to: Player,
    serial: String,
    files: Vec<MadeFile>,
    /// What it is about, and the state that it leads to; `None`: it withdraws.
    topic: Topic,
    lines: Option<BTreeSet<String>>,
}

/// What must be true of a parcel in its sender's list.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    state: String,
    superseded_by: Option<String>,
}

/// The trial in progress.
pub struct Trial {
    /// The relay, running.
    pub relay: Relay,
    folder: PathBuf,
    /// Who acts for each office: itself, or its proxy.
    offices: BTreeMap<Player, Office>,
    /// The offices that have a certificate, themselves.
    own: BTreeMap<Player, Office>,
    software: BTreeMap<Player, Software>,
    /// What each receiver's software must hold.
    truth: BTreeMap<Player, State>,
    /// The newest parcel about something, from an office to an office.
    newest: BTreeMap<(Player, Player, Topic), String>,
    /// Each sender's list.
    sent: BTreeMap<Player, BTreeMap<String, Listed>>,
    /// Each receiver's list.
    received: BTreeMap<Player, BTreeSet<String>>,
    serials: u32,
}

/// What a step came to, for people.
#[derive(Clone, Copy, Debug, Default)]
pub struct Played {
    /// Parcels that were sent.
    pub parcels: usize,
    /// Those that replace an earlier one.
    pub superseding: usize,
    /// Those that withdraw.
    pub withdrawing: usize,
}

impl Trial {
    /// A relay with all offices: some connected directly, some through the three proxies.
    ///
    /// # Panics
    /// If a command fails.
    pub fn begin(programs: &Programs, folder: &Path) -> Self {
        let mut relay = Relay::init(programs.clone(), &folder.join("relay"));
        let players: Vec<Player> = MANAGERS.into_iter().chain(PROVIDERS).collect();
        let rows: Vec<_> = players.iter().map(|p| (p.number, p.name, "ジギョウショ", p.kind)).collect();
        import(&relay, &rows);
        relay.start();
        let proxies: BTreeMap<&str, Office> =
            PROXIES.into_iter().map(|(number, name)| (number, proxy(&relay, folder, number, name))).collect();
        let (mut offices, mut own) = (BTreeMap::new(), BTreeMap::new());
        for player in players {
            if !matches!(player.connection, Connection::Assigned(_)) {
                let office = Office::join(&relay, folder, player.number);
                // Its first call registers its key.
                office.run(&["inbox"]).expect(0);
                own.insert(player, office);
            }
            match player.connection {
                Connection::Direct => {}
                Connection::Delegated(proxy) => {
                    own[&player].run(&[&["delegate", proxy][..], &EVERYTHING].concat()).expect(0);
                }
                Connection::Assigned(proxy) => {
                    relay
                        .run(&[&["proxy", "assign", player.number, proxy][..], &EVERYTHING].concat())
                        .expect(0);
                }
            }
        }
        for proxy in proxies.values() {
            // A round in which there is nothing to do makes a HOME for each of its offices.
            let work = folder.join(format!("work-{}", proxy.number)).display().to_string();
            proxy.run(&["proxy", &work, "--once"]).expect(0);
        }
        for player in MANAGERS.into_iter().chain(PROVIDERS) {
            let office = match player.connection.proxy() {
                None => own[&player].clone(),
                Some(number) => {
                    let proxy = &proxies[number];
                    proxy.with_home(proxy.home.join("offices").join(player.number))
                }
            };
            offices.insert(player, office);
        }
        Self {
            relay,
            folder: folder.to_owned(),
            own,
            software: offices.keys().map(|player| (*player, Software::default())).collect(),
            offices,
            truth: BTreeMap::new(),
            newest: BTreeMap::new(),
            sent: BTreeMap::new(),
            received: BTreeMap::new(),
            serials: 0,
        }
    }

    /// How many rounds there are: the longest pattern's steps.
    pub fn rounds() -> usize {
        PATTERNS.iter().map(|pattern| pattern.steps.len()).max().unwrap_or(0)
    }

    /// Every manager's and user's step of one round; then everybody receives, and everything is compared.
    ///
    /// # Panics
    /// If anything is not as it must be.
    pub fn round(&mut self, round: usize) -> Played {
        let mut sendings = Vec::new();
        for (m, manager) in MANAGERS.into_iter().enumerate() {
            for (p, pattern) in PATTERNS.iter().enumerate() {
                if let Some(step) = pattern.steps.get(round) {
                    self.step(manager, m, p, *step, &mut sendings);
                }
            }
        }
        let mut played = Played { parcels: sendings.len(), ..Played::default() };
        let arriving = self.send(sendings, round, &mut played);
        self.receive(&arriving, round);
        self.compare();
        played
    }

    /// What both sides see at the end of the month.
    ///
    /// # Panics
    /// If anything is not as it must be.
    pub fn end(&mut self) {
        for (m, manager) in MANAGERS.into_iter().enumerate() {
            let progress = self.json(manager, &["progress", "202602"]);
            for one in &progress {
                let expected = outstanding(m, text(one, "office"));
                assert_eq!(one["outstanding"], expected, "{manager:?}: {one}");
            }
            assert!(!progress.is_empty());
        }
        self.seen_by_the_offices_themselves();
        self.proven();
        self.relay.run(&["log", "verify"]).expect(0);
    }

    /// What a proxy did for an office that has a certificate, that office sees as its own.
    fn seen_by_the_offices_themselves(&self) {
        let parcels = |list: Vec<Value>| -> BTreeSet<String> {
            list.iter().map(|one| text(one, "parcel").to_owned()).collect()
        };
        for (player, office) in &self.own {
            let list = |args: &[&str]| parcels(office.run(&[&["--json"], args].concat()).expect(0).json());
            let sent: BTreeSet<String> =
                self.sent.get(player).into_iter().flatten().map(|(id, _)| id.clone()).collect();
            assert_eq!(list(&["sent"]), sent, "{player:?} itself: sent");
            let received = self.received.get(player).cloned().unwrap_or_default();
            assert_eq!(list(&["inbox", "--all"]), received, "{player:?} itself: received");
        }
    }

    /// Of each pairing of connections, one parcel's way and proof are what the connections make of them.
    fn proven(&self) {
        let mut seen = BTreeSet::new();
        for ((from, to, _), parcel) in &self.newest {
            if !seen.insert((from.connection, to.connection)) {
                continue;
            }
            let shown = self.json(*from, &["show", parcel]).remove(0);
            let stations: Vec<&str> = shown["path"]
                .as_array()
                .expect("a path")
                .iter()
                .map(|station| text(station, "station"))
                .collect();
            let expected = [
                Some("sender"),
                from.connection.proxy().map(|_| "sender-proxy"),
                Some("relay"),
                to.connection.proxy().map(|_| "recipient-proxy"),
                Some("recipient"),
            ];
            assert_eq!(stations, expected.into_iter().flatten().collect::<Vec<_>>(), "{shown}");
            assert_eq!(shown["recipient_proxy"].as_str(), to.connection.proxy(), "{shown}");
            assert_eq!(shown["handed_over_at"].is_string(), to.connection.proxy().is_some(), "{shown}");

            let proof = self.folder.join(format!("proof-{parcel}")).display().to_string();
            self.json(*from, &["evidence", parcel, "--out", &proof]);
            let verified = self.offices[from].run(&["--json", "verify", &proof]).expect(0).out.clone();
            for (player, signs) in [(from, "signed"), (to, "acknowledged")] {
                let name = match player.connection.proxy() {
                    Some(proxy) => format!("proxy:{proxy}"),
                    None => format!("office:{}", player.number),
                };
                assert!(verified.contains(&name), "who {signs}: {verified}");
            }
            let vouched = [from, to].iter().any(|p| matches!(p.connection, Connection::Assigned(_)));
            assert_eq!(verified.contains("operator vouches"), vouched, "{verified}");
        }
        assert!(seen.len() >= 9, "direct, delegated and assigned, on both sides: {seen:?}");
    }

    /// An office's command.
    pub fn office(&self, player: Player) -> &Office {
        &self.offices[&player]
    }

    fn json(&self, player: Player, args: &[&str]) -> Vec<Value> {
        self.offices[&player].run(&[&["--json"], args].concat()).expect(0).json()
    }

    /// The parcels of one step, and what must be true after it.
    fn step(&mut self, manager: Player, m: usize, p: usize, step: Step, sendings: &mut Vec<Sending>) {
        let services = partners(m, p);
        let person = &PATTERNS[p].person;
        for (place, service) in services.iter().enumerate() {
            let by_service = matches!(step, Step::Result(..) | Step::WithdrawResult(_));
            let (from, to) = if by_service { (*service, manager) } else { (manager, *service) };
            let serial = self.next_serial();
            let sheet = Sheet { from, to, person, manager, services: &services, serial: &serial };
            let topic = |subject, month: &str| {
                (from.number.to_owned(), person.insured.to_owned(), subject, month.to_owned())
            };
            let (files, topic, lines) = match step {
                Step::Plan(policy) => {
                    (sheet.plan(policy), topic("plan", ""), Some(BTreeSet::from([policy.to_owned()])))
                }
                Step::WithdrawPlan => (sheet.withdraw_plan(), topic("plan", ""), None),
                Step::Slip(month, visits) => {
                    let lines = lines(month, &services, visits);
                    (sheet.slip(month, visits), topic("slip", month), Some(lines))
                }
                Step::WithdrawSlip(month) => (sheet.withdraw_slip(month), topic("slip", month), None),
                Step::Result(month, visits) => {
                    let own = &visits[place..=place];
                    let lines = lines(month, &[*service], own);
                    (sheet.result(month, own[0]), topic("result", month), Some(lines))
                }
                Step::WithdrawResult(month) => (sheet.withdraw_result(month), topic("result", month), None),
            };
            let truth = self.truth.entry(to).or_default();
            match &lines {
                Some(lines) => drop(truth.insert(topic.clone(), lines.clone())),
                None => drop(truth.remove(&topic)),
            }
            sendings.push(Sending { from, to, serial, files, topic, lines });
        }
    }

    fn next_serial(&mut self) -> String {
        let n = self.serials;
        self.serials += 1;
        format!("20260125{:02}{:02}{:02}", 9 + n / 3600, n / 60 % 60, n % 60)
    }

    /// Sends everything: what replaces nothing in one go for each sender, what replaces something by itself. Returns what
    /// each receiver gets.
    fn send(
        &mut self,
        sendings: Vec<Sending>,
        round: usize,
        played: &mut Played,
    ) -> BTreeMap<Player, BTreeMap<String, bool>> {
        let mut arriving: BTreeMap<Player, BTreeMap<String, bool>> = BTreeMap::new();
        let mut together: BTreeMap<Player, Vec<Sending>> = BTreeMap::new();
        for sending in sendings {
            let key = (sending.from, sending.to, sending.topic.clone());
            let older = self.newest.get(&key).cloned().filter(|_| sending.lines.is_some());
            match older {
                Some(older) => {
                    played.superseding += 1;
                    self.send_together(sending.from, vec![sending], Some(&older), round, &mut arriving);
                }
                None => together.entry(sending.from).or_default().push(sending),
            }
        }
        for (from, sendings) in together {
            played.withdrawing += sendings.iter().filter(|sending| sending.lines.is_none()).count();
            self.send_together(from, sendings, None, round, &mut arriving);
        }
        arriving
    }

    fn send_together(
        &mut self,
        from: Player,
        sendings: Vec<Sending>,
        older: Option<&str>,
        round: usize,
        arriving: &mut BTreeMap<Player, BTreeMap<String, bool>>,
    ) {
        let out = self.folder.join(format!("out-{round}-{}-{}", from.number, sendings[0].serial));
        fs::create_dir_all(&out).expect("a writable folder");
        for (name, bytes) in sendings.iter().flat_map(|sending| &sending.files) {
            fs::write(out.join(name), bytes).expect("a writable folder");
        }
        let path = out.display().to_string();
        let mut args = vec!["send", path.as_str(), "--new-partner"];
        if let Some(older) = older {
            args.extend(["--supersedes", older]);
        }
        let told = self.json(from, &args);
        assert_eq!(told.len(), sendings.len(), "{told:?}");
        for sending in sendings {
            let mine = |one: &&Value| one["serial"] == sending.serial.as_str();
            let told =
                told.iter().find(mine).unwrap_or_else(|| panic!("{} is missing: {told:?}", sending.serial));
            assert_eq!(
                (text(told, "state"), text(told, "recipient")),
                ("delivered", sending.to.number),
                "{told}"
            );
            let parcel = text(told, "parcel").to_owned();
            let withdraws = sending.lines.is_none();
            assert_eq!(text(told, "content_ja").contains("取下げ"), withdraws, "{told}");
            let list = self.sent.entry(from).or_default();
            list.insert(parcel.clone(), Listed { state: "acknowledged".to_owned(), superseded_by: None });
            if let Some(older) = older {
                let older = list.get_mut(older).expect("it was sent before");
                older.superseded_by = Some(parcel.clone());
            }
            let key = (from, sending.to, sending.topic);
            if withdraws {
                self.newest.remove(&key);
            } else {
                self.newest.insert(key, parcel.clone());
            }
            arriving.entry(sending.to).or_default().insert(parcel, withdraws);
        }
    }

    fn receive(&mut self, arriving: &BTreeMap<Player, BTreeMap<String, bool>>, round: usize) {
        for (player, parcels) in arriving {
            let waiting = self.json(*player, &["inbox"]);
            let ids: BTreeSet<&str> = waiting.iter().map(|one| text(one, "parcel")).collect();
            assert_eq!(ids, parcels.keys().map(String::as_str).collect(), "{player:?}'s inbox");
            for one in &waiting {
                assert_eq!(text(one, "content_ja").contains("取下げ"), parcels[text(one, "parcel")], "{one}");
                assert!(!text(one, "sender_name").is_empty(), "{one}");
                assert_eq!(one["proxy"].as_str(), sender(one).connection.proxy(), "{one}");
            }
            let into = self.folder.join(format!("in-{round}-{}", player.number)).display().to_string();
            let received = self.json(*player, &["receive", "--out", &into]);
            assert_eq!(received.len(), parcels.len());
            let mut files = Vec::new();
            for one in &received {
                assert_eq!(text(one, "state"), "acknowledged", "{one}");
                let vouched = matches!(sender(one).connection, Connection::Assigned(_));
                assert_eq!(one["vouched_by"].as_str(), vouched.then_some("operator"), "{one}");
                let dir = Path::new(text(one, "dir"));
                for name in one["files"].as_array().expect("a list").iter().filter_map(Value::as_str) {
                    files.push((name.to_owned(), fs::read(dir.join(name)).expect("it was stored")));
                }
            }
            if player.connection.proxy().is_some() {
                let ids = parcels.keys().map(String::as_str);
                let args: Vec<&str> = ["handed-over"].into_iter().chain(ids).collect();
                let told = self.json(*player, &args);
                assert!(told.iter().all(|one| one["event"] == "parcel.handed-over"), "{told:?}");
            }
            self.software.get_mut(player).expect("every office has software").import(files);
            self.received.entry(*player).or_default().extend(parcels.keys().cloned());
        }
    }

    /// Every receiver's software holds the newest state and nothing else; both sides' lists are as they must be.
    fn compare(&self) {
        for (player, software) in &self.software {
            let truth = self.truth.get(player).cloned().unwrap_or_default();
            assert_eq!(software.state, truth, "what {player:?} imported");
            assert!(self.json(*player, &["inbox"]).is_empty(), "nothing waits at {player:?}");
            let received: BTreeSet<String> = self
                .json(*player, &["inbox", "--all"])
                .iter()
                .map(|one| text(one, "parcel").to_owned())
                .collect();
            assert_eq!(
                received,
                self.received.get(player).cloned().unwrap_or_default(),
                "{player:?} received"
            );
            let sent: BTreeMap<String, Listed> = self
                .json(*player, &["sent"])
                .iter()
                .map(|one| {
                    let superseded_by = one["superseded_by"].as_str().map(str::to_owned);
                    let state = text(one, "state").to_owned();
                    (text(one, "parcel").to_owned(), Listed { state, superseded_by })
                })
                .collect();
            assert_eq!(sent, self.sent.get(player).cloned().unwrap_or_default(), "{player:?} sent");
        }
    }
}

/// What an office lets its proxy do in the trial.
const EVERYTHING: [&str; 4] = ["--scopes", "send,receive,acknowledge,read-status", "--days", "60"];

/// A proxy with its certificate and HOME.
fn proxy(relay: &Relay, folder: &Path, number: &str, name: &str) -> Office {
    relay.run(&["proxy", "add", number, "--name", name]).expect(0);
    Office::join(relay, folder, number)
}

/// Who sent a parcel, as a list shows it.
fn sender(one: &Value) -> Player {
    let number = text(one, "sender");
    let player = MANAGERS.into_iter().chain(PROVIDERS).find(|player| player.number == number);
    player.expect("one of the players")
}

/// What a slip or results of a month say, a line for each visit.
fn lines(month: &str, services: &[Player], visits: &[&[Visit]]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (service, visits) in services.iter().zip(visits) {
        for (day, from, to) in *visits {
            lines.insert(format!("{month}{day:02} {from} {to} {}", service.number));
        }
    }
    lines
}

/// Whether results of February are outstanding from a service office, by the patterns: a slip that stands and no
/// results that do.
fn outstanding(manager: usize, office: &str) -> bool {
    let (mut slips, mut results) = (0_i32, 0_i32);
    for (p, pattern) in PATTERNS.iter().enumerate() {
        if !partners(manager, p).iter().any(|partner| partner.number == office) {
            continue;
        }
        for step in pattern.steps {
            match step {
                Step::Slip("202602", _) => slips += 1,
                Step::WithdrawSlip("202602") => slips -= 1,
                Step::Result("202602", _) => results += 1,
                Step::WithdrawResult("202602") => results -= 1,
                _ => {}
            }
        }
    }
    slips > 0 && results <= 0
}
