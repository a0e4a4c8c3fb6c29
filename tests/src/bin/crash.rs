//! `tasuki-crash [--times N] [--database URL]`: kills the relay with SIGKILL at random moments under load, again
//! and again, and looks whether a promise was broken.
//!
//! What must hold at the end: no parcel with a receipt is missing, doubled, mixed up, or in a state that its
//! events contradict; what was answered as fetched or acknowledged still is; `log verify` finds nothing.

use std::collections::HashMap;
use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tasuki_certs::open::{OpeningKey, open};
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::pb;
use tasuki_proto::pb::tracking_client::TrackingClient;
use tasuki_proto::statement::AboutParcel;
use tasuki_tests::office::import;
use tasuki_tests::programs::{Programs, dispatch};
use tasuki_tests::raw::{Forge, RawOffice, acknowledge, fetch, now_us, parcel_ref, reason, submit};
use tasuki_tests::relay::Relay;
use tonic::transport::Channel;

const SENDERS: [&str; 4] = ["9900000011", "9900000029", "9900000037", "9900000045"];
const RECEIVERS: [&str; 2] = ["9900000052", "9900000060"];

/// One parcel in so many is large.
const LARGE_EVERY: usize = 6;

/// What was promised for one parcel.
#[derive(Clone, Debug)]
struct Promise {
    recipient: &'static str,
    digest: [u8; 32],
    fetched: bool,
    acknowledged: bool,
}

type Promises = Arc<Mutex<HashMap<ParcelKey, Promise>>>;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = dispatch(&args) {
        return code;
    }
    let words: Vec<String> = args.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
    let value = |name: &str| words.iter().position(|w| w == name).and_then(|i| words.get(i + 1));
    let times = value("--times").and_then(|n| n.parse().ok()).unwrap_or(100);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(crash(times, value("--database"))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tasuki-crash: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn crash(times: u32, database: Option<&String>) -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let programs = Programs::new(std::env::current_exe().map_err(|e| e.to_string())?);
    let mut relay = Relay::init(programs, &folder.path().join("relay"));
    if let Some(url) = database {
        relay.use_database(url);
    }
    let all = || SENDERS.iter().chain(&RECEIVERS);
    let rows: Vec<_> = all().map(|number| (*number, "crash", "クラッシュ", "11")).collect();
    import(&relay, &rows);
    let mut offices = HashMap::new();
    for number in all() {
        let out = folder.path().join(number);
        relay.run(&["cert", "issue", number, "--out", &out.display().to_string()]).expect(0);
        offices.insert(*number, Arc::new(RawOffice::load(&out, number)));
    }
    let promises: Promises = Arc::default();
    for time in 1..=times {
        relay.start();
        let mut tasks = tokio::task::JoinSet::new();
        for number in SENDERS {
            let channel = offices[number].connect(&relay).await?;
            tasks.spawn(send(channel, Arc::clone(&offices[number]), Arc::clone(&promises)));
        }
        for number in RECEIVERS {
            let channel = offices[number].connect(&relay).await?;
            tasks.spawn(receive(channel, Arc::clone(&offices[number]), number, Arc::clone(&promises)));
        }
        let pause = 20 + u64::from(sha256(&time.to_be_bytes())[0]) * 2;
        tokio::time::sleep(Duration::from_millis(pause)).await;
        relay.kill();
        // The tasks end by themselves: their connections are gone.
        while let Some(done) = tasks.join_next().await {
            done.map_err(|e| e.to_string())??;
        }
        if time % 10 == 0 {
            println!("killed {time:>3} times, {} parcels promised", lock(&promises).len());
        }
    }
    relay.start();
    check(&relay, &offices, &promises).await?;
    if !relay.stop() {
        return Err(format!("the relay did not stop cleanly:\n{}", relay.log_text()));
    }
    let verified = relay.run(&["log", "verify"]);
    if verified.code != 0 {
        return Err(format!("log verify: {}{}", verified.out, verified.err));
    }
    println!("✔ {times} kills, {} parcels, every promise kept, log verify clean", lock(&promises).len());
    Ok(())
}

fn lock(promises: &Promises) -> std::sync::MutexGuard<'_, HashMap<ParcelKey, Promise>> {
    promises.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends until the relay is gone. What got no answer is sent again, as the same bytes, after the restart
/// by whoever runs next: here, at the beginning.
async fn send(channel: Channel, office: Arc<RawOffice>, promises: Promises) -> Result<(), String> {
    let mut n = 0usize;
    loop {
        let recipient = RECEIVERS[n % RECEIVERS.len()];
        n += 1;
        // Some stand outside the database.
        let forge = if n.is_multiple_of(LARGE_EVERY) {
            Forge::large(&office.number, recipient)
        } else {
            Forge::withdrawal(&office.number, recipient)
        };
        let key = ParcelKey { sender: office.number.parse().map_err(|_| "a number")?, id: forge.id };
        let container = forge.sign(&office.identity);
        let digest = sha256(&container);
        // Twice, so that repetition under crashes is part of the test.
        for _ in 0..2 {
            let Ok(response) = submit(&channel, container.clone()).await else { return Ok(()) };
            match reason(&response) {
                "accepted" => {
                    let promise = Promise { recipient, digest, fetched: false, acknowledged: false };
                    lock(&promises).entry(key).or_insert(promise);
                }
                // The relay may say that it goes down or can't write; then it has promised nothing.
                "SHUTTING_DOWN" | "STORE_UNAVAILABLE" | "OVERLOADED" => {}
                other => return Err(format!("a good parcel was rejected: {other}")),
            }
        }
    }
}

/// Receives and acknowledges until the relay is gone.
async fn receive(
    channel: Channel,
    office: Arc<RawOffice>,
    number: &'static str,
    promises: Promises,
) -> Result<(), String> {
    let states = vec![pb::ParcelState::Delivered.into(), pb::ParcelState::Fetched.into()];
    let opening = [OpeningKey::from_identity(&office.identity).map_err(|e| e.to_string())?];
    loop {
        let request = pb::ListRequest { states: states.clone(), page_size: 20, ..pb::ListRequest::default() };
        let Ok(list) = TrackingClient::new(channel.clone()).list_received(request).await else {
            return Ok(());
        };
        for summary in list.into_inner().parcels {
            let name = summary.r#ref.ok_or("a parcel without a name")?;
            let key = ParcelKey {
                sender: name.sender.parse().map_err(|_| "a sender")?,
                id: name.parcel_id.parse().map_err(|_| "an id")?,
            };
            let Ok(sealed) = fetch(&channel, &key, 0).await else { return Ok(()) };
            let sealed = sealed.map_err(|reason| format!("{key} can't be fetched: {reason}"))?;
            mark(&promises, &key, |p| p.fetched = true);
            let opened = open(&sealed, &opening).map_err(|e| format!("{key} does not open: {e}"))?;
            let digest = sha256(&opened);
            if digest.as_slice() != summary.digest.as_ref() {
                return Err(format!("{key} holds other bytes than the relay says"));
            }
            let recipient = number.parse().map_err(|_| "a number")?;
            let about = AboutParcel { parcel: key, recipient, digest, time_us: now_us() };
            let Ok(answer) = acknowledge(&channel, about, &office).await else { return Ok(()) };
            match answer.as_str() {
                "accepted" => mark(&promises, &key, |p| p.acknowledged = true),
                "SHUTTING_DOWN" | "STORE_UNAVAILABLE" => {}
                other => return Err(format!("{key}: acknowledgement rejected: {other}")),
            }
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Notes a promise; the sender may not have heard of its own parcel's acceptance.
fn mark(promises: &Promises, key: &ParcelKey, note: impl FnOnce(&mut Promise)) {
    if let Some(promise) = lock(promises).get_mut(key) {
        note(promise);
    }
}

/// Holds what the relay says against what was promised.
async fn check(
    relay: &Relay,
    offices: &HashMap<&str, Arc<RawOffice>>,
    promises: &Promises,
) -> Result<(), String> {
    let promises = lock(promises).clone();
    for number in SENDERS {
        let channel = offices[number].connect(relay).await?;
        let mut client = TrackingClient::new(channel);
        let mut seen = HashMap::new();
        let mut token = String::new();
        loop {
            let request = pb::ListRequest { page_size: 500, page_token: token, ..pb::ListRequest::default() };
            let page = client.list_sent(request).await.map_err(|e| e.to_string())?.into_inner();
            for parcel in page.parcels {
                let id = parcel.r#ref.clone().map(|r| r.parcel_id).unwrap_or_default();
                if seen.insert(id.clone(), parcel).is_some() {
                    return Err(format!("{id} stands twice in the list of {number}"));
                }
            }
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        for (key, promise) in promises.iter().filter(|(key, _)| key.sender.as_str() == number) {
            let parcel = seen.get(&key.id.to_string()).ok_or_else(|| format!("{key} is missing"))?;
            if parcel.digest.as_ref() != promise.digest || parcel.recipient != promise.recipient {
                return Err(format!("{key} is mixed up"));
            }
            let request = pb::GetParcelRequest { r#ref: Some(parcel_ref(key)) };
            let history = client.get_parcel(request).await.map_err(|e| e.to_string())?.into_inner();
            agree(key, promise, parcel.state(), &history)?;
        }
    }
    Ok(())
}

/// State, events and promise tell the same story.
fn agree(
    key: &ParcelKey,
    promise: &Promise,
    state: pb::ParcelState,
    history: &pb::GetParcelResponse,
) -> Result<(), String> {
    let kinds: Vec<String> = history
        .events
        .iter()
        .filter_map(|e| e.entry.as_ref())
        .map(|e| Event::parse(&e.text).map(|e| e.kind).map_err(|e| e.to_string()))
        .collect::<Result<_, _>>()?;
    let all = [kind::PARCEL_DELIVERED, kind::PARCEL_FETCHED, kind::PARCEL_ACKNOWLEDGED];
    let expected = match state {
        pb::ParcelState::Delivered => &all[..1],
        pb::ParcelState::Fetched => &all[..2],
        pb::ParcelState::Acknowledged => &all[..3],
        other => return Err(format!("{key} is in an unexpected state: {other:?}")),
    };
    if kinds != expected {
        return Err(format!("{key} is {state:?} but its events are {kinds:?}"));
    }
    let kept = (!promise.fetched || expected.len() >= 2) && (!promise.acknowledged || expected.len() == 3);
    if kept { Ok(()) } else { Err(format!("{key} is {state:?}, but {promise:?} was promised")) }
}
