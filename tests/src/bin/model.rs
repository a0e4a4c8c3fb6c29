//! `tasuki-model [--steps N] [--seed N] [--database URL]`: random requests to a real relay, each answer held against
//! a model of what it must be. The relay is killed and started again now and then.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::lifecycle::{Act, Party, Past, State, Step, Way, step};
use tasuki_proto::pb;
use tasuki_proto::pb::feed_client::FeedClient;
use tasuki_proto::pb::tracking_client::TrackingClient;
use tasuki_proto::reason as word;
use tasuki_proto::statement::{AboutParcel, Declaration, RefusalReason, Word};
use tasuki_tests::office::import;
use tasuki_tests::programs::{Programs, dispatch};
use tasuki_tests::raw::{Forge, RawOffice, acknowledge, declare, fetch, now_us, reason, submit};
use tasuki_tests::relay::Relay;
use tonic::transport::Channel;

const OFFICES: [&str; 4] = ["9900000011", "9900000029", "9900000037", "9900000045"];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = dispatch(&args) {
        return code;
    }
    let words: Vec<String> = args.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let value = |name: &str| words.iter().position(|w| w == name).and_then(|i| words.get(i + 1));
    let steps = value("--steps").and_then(|n| n.parse().ok()).unwrap_or(100_000);
    let seed = value("--seed").and_then(|n| n.parse().ok()).unwrap_or_else(|| now_us().unsigned_abs());
    println!("seed {seed}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(run(steps, seed, value("--database"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tasuki-model: seed {seed}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// What the model knows of one parcel.
struct Known {
    container: Vec<u8>,
    digest: [u8; 32],
    recipient: usize,
    state: State,
    past: Past,
    /// Place in the order of acceptance.
    place: usize,
    supersedes: Option<ParcelKey>,
    remarks: u32,
}

/// Steps between two crashes, on average.
const CRASH_EVERY: usize = 2_000;

/// Parcels that requests are about: the newest ones, so that their lives go on.
const ALIVE: usize = 60;

/// A small generator: the run must be repeatable from its seed, nothing more is asked of it.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % n.max(1)
    }
}

struct Model {
    offices: Vec<RawOffice>,
    channels: Vec<Channel>,
    parcels: BTreeMap<ParcelKey, Known>,
    /// In the order of their acceptance.
    order: Vec<ParcelKey>,
    /// Events that each office must have seen, besides those of the directory.
    events: Vec<u64>,
}

async fn run(steps: usize, seed: u64, database: Option<&String>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let programs = Programs::new(std::env::current_exe().map_err(|e| e.to_string())?);
    let mut relay = Relay::init(programs, &folder.path().join("relay"));
    if let Some(url) = database {
        relay.use_database(url);
    }
    let rows: Vec<_> = OFFICES.iter().map(|number| (*number, "model", "モデル", "11")).collect();
    import(&relay, &rows);
    relay.start();
    let mut model = Model {
        offices: Vec::new(),
        channels: Vec::new(),
        parcels: BTreeMap::new(),
        order: Vec::new(),
        events: vec![0; OFFICES.len()],
    };
    for number in OFFICES {
        let out = folder.path().join(number);
        relay.run(&["cert", "issue", number, "--out", &out.display().to_string()]).expect(0);
        let office = RawOffice::load(&out, number);
        model.channels.push(office.connect(&relay).await?);
        model.offices.push(office);
    }
    // What `cert issue` wrote from its own process reaches this relay's readers within half a second.
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let base = feed_lengths(&model).await?;
    let mut dice = Dice(seed);
    let mut crashes = 0;
    for step in 0..steps {
        if dice.below(CRASH_EVERY) == 0 {
            crashes += 1;
            relay.kill();
            relay.start();
            for (channel, office) in model.channels.iter_mut().zip(&model.offices) {
                *channel = office.connect(&relay).await?;
            }
        }
        model.step(&mut dice).await.map_err(|e| format!("step {step}: {e}"))?;
    }
    let lengths = feed_lengths(&model).await?;
    for (n, number) in OFFICES.iter().enumerate() {
        let (seen, expected) = (lengths[n] - base[n], model.events[n]);
        if seen != expected {
            return Err(format!("the feed of {number} has {seen} events, the model {expected}"));
        }
    }
    model.compare_lists().await?;
    if !relay.stop() {
        return Err(format!("the relay did not stop cleanly:\n{}", relay.log_text()));
    }
    let verified = relay.run(&["log", "verify"]);
    if verified.code != 0 {
        return Err(format!("log verify: {}{}", verified.out, verified.err));
    }
    println!(
        "✔ {steps} steps, {crashes} crashes, {} parcels, every answer as the model says",
        model.parcels.len()
    );
    Ok(())
}

impl Model {
    async fn step(&mut self, dice: &mut Dice) -> Result<(), String> {
        match dice.below(16) {
            0..=2 => self.send_new(dice).await,
            3 => self.send_again(dice).await,
            4 => self.reuse_id(dice).await,
            5..=7 => self.fetch(dice).await,
            8..=9 => self.acknowledge(dice).await,
            _ => self.act(dice).await,
        }
    }

    fn pick(&self, dice: &mut Dice) -> Option<ParcelKey> {
        let alive = self.order.len().min(ALIVE);
        // Now and then an old one: what is over stays over.
        let back = if dice.below(20) == 0 { self.order.len() } else { alive };
        self.order.iter().rev().nth(dice.below(back)).copied()
    }

    async fn send_new(&mut self, dice: &mut Dice) -> Result<(), String> {
        let sender = dice.below(OFFICES.len());
        let recipient = dice.below(OFFICES.len());
        let (hold, supersedes) = (dice.below(3) == 0, dice.below(4) == 0);
        let older = self.pick(dice).filter(|_| supersedes);
        let mut forge = Forge::withdrawal(OFFICES[sender], OFFICES[recipient]);
        let mut members = String::new();
        if hold {
            members.push_str("\"hold\": true,\n  ");
        }
        if let Some(older) = older {
            members.extend(["\"supersedes\": \"", &older.id.to_string(), "\",\n  "]);
        }
        forge.header = forge.header.replace("\"software\":", &format!("{members}\"software\":"));
        forge.cover();
        let container = forge.sign(&self.offices[sender].identity);
        let answer = submit(&self.channels[sender], container.clone()).await.map_err(|e| e.to_string())?;
        let known =
            older.is_none_or(|older| number(&older) == sender && self.parcels[&older].recipient == recipient);
        let expected = match (sender == recipient, known) {
            (true, _) => word::RECIPIENT_IS_SENDER,
            (false, false) => word::SUPERSEDES_UNKNOWN,
            (false, true) => "accepted",
        };
        same("new parcel", reason(&answer), expected)?;
        if expected != "accepted" {
            return Ok(());
        }
        let key = ParcelKey { sender: OFFICES[sender].parse().map_err(|_| "number")?, id: forge.id };
        let way = if hold { Way::Held } else { Way::Straight };
        let known = Known {
            digest: sha256(&container),
            container,
            recipient,
            state: if hold { State::Held } else { State::Delivered },
            past: Past { way, ..Past::default() },
            place: self.order.len(),
            supersedes: older,
            remarks: 0,
        };
        self.events[sender] += 1;
        self.events[recipient] += u64::from(!hold);
        self.parcels.insert(key, known);
        self.order.push(key);
        Ok(())
    }

    /// Any act by anybody, with the right digest or a wrong one.
    async fn act(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(key) = self.pick(dice) else { return Ok(()) };
        let who = dice.below(OFFICES.len());
        let wrong_digest = dice.below(10) == 0;
        let own: OfficeNumber = OFFICES[who].parse().map_err(|_| "number")?;
        let text = format!("sealed {}", dice.0).into_bytes();
        let digest = sha256(&text);
        let (word, sealed) = match dice.below(9) {
            0 => (Word::Release, &[][..]),
            1 => (Word::Discard, &[][..]),
            2 => (Word::Recall, &[][..]),
            3 => (Word::Import, &[][..]),
            4 => (Word::Refuse { reason: RefusalReason::Other, text: Some(digest) }, &text[..]),
            5 => (Word::AskWithdrawal { text: None }, &[][..]),
            6 => (Word::Acknowledge, &[][..]),
            7 => (Word::HandOver, &[][..]),
            _ => (Word::Remark { by: own, urgent: dice.below(2) == 0, text: digest }, &text[..]),
        };
        let known = self.parcels.get_mut(&key).ok_or("a parcel")?;
        let party = if who == number(&key) {
            Some(Party::Sender)
        } else {
            (who == known.recipient).then_some(Party::Recipient)
        };
        // Who signs for another's parcel says that it is his: as its sender, or as its receiver.
        let mut about = AboutParcel {
            parcel: key,
            recipient: OFFICES[known.recipient].parse().map_err(|_| "number")?,
            digest: if wrong_digest { [0; 32] } else { known.digest },
            time_us: now_us(),
        };
        let declared = Declaration { about: about.clone(), word: word.clone() };
        let (act, mut exists) = (word.act(), party.is_some());
        if declared.speaker() != own {
            match word {
                Word::Release | Word::Discard | Word::Recall | Word::AskWithdrawal { .. } => {
                    about.parcel.sender = own;
                    exists = self.parcels.contains_key(&about.parcel);
                }
                _ => about.recipient = own,
            }
        }
        let known = self.parcels.get_mut(&key).ok_or("a parcel")?;
        let told = match party.filter(|_| exists) {
            Some(party) => step(known.state, known.past, act, party),
            None => Err(word::PARCEL_NOT_FOUND),
        };
        let misstated = wrong_digest || about.recipient.as_str() != OFFICES[known.recipient];
        let full = matches!(act, Act::Remark | Act::AskWithdrawal) && known.remarks >= FEW;
        let expected = match told {
            Err(reason) => reason,
            Ok(_) if misstated => word::DIGEST_MISMATCH,
            Ok(_) => "accepted",
        };
        if full && expected == "accepted" {
            // The bound of statements is another test's.
            return Ok(());
        }
        let declaration = Declaration { about, word };
        let answer = declare(&self.channels[who], declaration, &self.offices[who], sealed).await;
        let (reason, repeated) = answer.map_err(|e| e.to_string())?;
        same(&format!("{act:?} by {who} of {:?} {:?}", known.state, known.past), &reason, expected)?;
        if expected != "accepted" {
            return Ok(());
        }
        let step = told.map_err(str::to_owned)?;
        if repeated != (step == Step::Repeats) {
            return Err(format!("{act:?} of {:?}: repeated is {repeated}", known.state));
        }
        if let Step::Moves(next) = step {
            known.state = next;
        }
        if step != Step::Repeats {
            known.past = known.past.after(act);
            known.remarks += u32::from(step == Step::Notes);
            let delivered = known.past.delivered();
            let recipient = known.recipient;
            self.events[number(&key)] += 1;
            self.events[recipient] += u64::from(delivered);
        }
        Ok(())
    }

    /// The newest parcel that supersedes one: delivered, and not recalled.
    fn superseded_by(&self, older: &ParcelKey) -> Option<ParcelKey> {
        let newer = self.parcels.iter().filter(|(_, known)| {
            known.supersedes.as_ref() == Some(older)
                && known.past.delivered()
                && known.state != State::Recalled
        });
        newer.max_by_key(|(_, known)| known.place).map(|(key, _)| *key)
    }

    async fn send_again(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(key) = self.pick(dice) else { return Ok(()) };
        let known = &self.parcels[&key];
        let answer =
            submit(&self.channels[number(&key)], known.container.clone()).await.map_err(|e| e.to_string())?;
        match answer.outcome {
            Some(pb::submit_response::Outcome::Accepted(a)) if a.repeated => Ok(()),
            other => Err(format!("the same parcel again: {other:?}")),
        }
    }

    async fn reuse_id(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(key) = self.pick(dice) else { return Ok(()) };
        let sender = number(&key);
        let recipient = OFFICES[self.parcels[&key].recipient];
        let mut forge = Forge::withdrawal(OFFICES[sender], recipient);
        forge.header = forge.header.replace(&forge.id.to_string(), &key.id.to_string());
        forge.cover();
        let container = forge.sign(&self.offices[sender].identity);
        let answer = submit(&self.channels[sender], container).await.map_err(|e| e.to_string())?;
        same("an id reused", reason(&answer), word::PARCEL_ID_REUSED)
    }

    async fn fetch(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(key) = self.pick(dice) else { return Ok(()) };
        let who = dice.below(OFFICES.len());
        let known = self.parcels.get_mut(&key).ok_or("a parcel")?;
        let answer = fetch(&self.channels[who], &key, 0).await.map_err(|e| e.to_string())?;
        if who != known.recipient {
            return same("fetch by another", &answer.err().unwrap_or_default(), word::PARCEL_NOT_FOUND);
        }
        let told = step(known.state, known.past, Act::Fetch, Party::Recipient);
        match (told, answer) {
            (Ok(told), Ok(_)) => {
                if let Step::Moves(next) = told {
                    known.state = next;
                    self.events[who] += 1;
                    self.events[number(&key)] += 1;
                }
                Ok(())
            }
            (told, answer) => same(
                "fetch by the receiver",
                &answer.err().unwrap_or_default(),
                told.err().unwrap_or_default(),
            ),
        }
    }

    async fn acknowledge(&mut self, dice: &mut Dice) -> Result<(), String> {
        let Some(key) = self.pick(dice) else { return Ok(()) };
        let right_digest = dice.below(4) > 0;
        let known = self.parcels.get_mut(&key).ok_or("a parcel")?;
        let digest = if right_digest { known.digest } else { [0; 32] };
        let who = known.recipient;
        let recipient = OFFICES[who].parse().map_err(|_| "number")?;
        let about = AboutParcel { parcel: key, recipient, digest, time_us: now_us() };
        let answer =
            acknowledge(&self.channels[who], about, &self.offices[who]).await.map_err(|e| e.to_string())?;
        let told = step(known.state, known.past, Act::Acknowledge, Party::Recipient);
        let expected = match told {
            Err(reason) => reason,
            Ok(_) if !right_digest => word::DIGEST_MISMATCH,
            Ok(_) => "accepted",
        };
        same("acknowledgement", &answer, expected)?;
        if let (Ok(Step::Moves(next)), "accepted") = (told, expected) {
            known.state = next;
            known.past = known.past.after(Act::Acknowledge);
            self.events[who] += 1;
            self.events[number(&key)] += 1;
        }
        Ok(())
    }

    async fn compare_lists(&self) -> Result<(), String> {
        for (n, office) in OFFICES.iter().enumerate() {
            let mut listed = BTreeMap::new();
            let mut token = String::new();
            loop {
                let request =
                    pb::ListRequest { page_size: 37, page_token: token, ..pb::ListRequest::default() };
                let mut client = TrackingClient::new(self.channels[n].clone());
                let page = client.list_sent(request).await.map_err(|e| e.to_string())?.into_inner();
                for parcel in page.parcels {
                    let (state, newer) = (parcel.state(), parcel.superseded_by.clone());
                    let id = parcel.r#ref.map(|r| r.parcel_id).unwrap_or_default();
                    if listed.insert(id, (state, newer)).is_some() {
                        return Err(format!("{office} lists a parcel twice"));
                    }
                }
                token = page.next_page_token;
                if token.is_empty() {
                    break;
                }
            }
            let expected: BTreeMap<String, (pb::ParcelState, String)> = self
                .parcels
                .iter()
                .filter(|(key, _)| number(key) == n)
                .map(|(key, known)| {
                    let newer = self.superseded_by(key).map(|newer| newer.id.to_string());
                    (key.id.to_string(), (pb::ParcelState::from(known.state), newer.unwrap_or_default()))
                })
                .collect();
            if listed != expected {
                return Err(format!("the list of {office} is not the model's"));
            }
        }
        Ok(())
    }
}

/// Remarks about one parcel that the model makes, far below the relay's bound.
const FEW: u32 = 20;

/// Which of the offices sent it.
fn number(key: &ParcelKey) -> usize {
    OFFICES.iter().position(|o| *o == key.sender.as_str()).unwrap_or(0)
}

fn same(what: &str, got: &str, expected: &str) -> Result<(), String> {
    if got == expected { Ok(()) } else { Err(format!("{what}: {got} instead of {expected}")) }
}

async fn feed_lengths(model: &Model) -> Result<Vec<u64>, String> {
    let mut lengths = Vec::new();
    for channel in &model.channels {
        let mut number = 0;
        loop {
            let cursor = Some(pb::Cursor { epoch: 1, number });
            let request = pb::PollRequest { cursor, limit: 500, ..pb::PollRequest::default() };
            let batch =
                FeedClient::new(channel.clone()).poll(request).await.map_err(|e| e.to_string())?.into_inner();
            number = batch.next.map_or(number, |next| next.number);
            if batch.entries.is_empty() {
                break;
            }
        }
        lengths.push(number);
    }
    Ok(lengths)
}
