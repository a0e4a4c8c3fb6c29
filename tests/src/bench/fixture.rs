//! Offices, certificates and signed parcels for the benchmark, made before anything is measured.

use std::borrow::Cow;

use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, Issued, KeyChoice, TrialCa};
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::parcel::{FileEntry, Header, Software, build};

/// Offices that send. Each has a certificate of its own.
pub const SENDERS: usize = 1_000;
/// Offices that receive.
pub const RECIPIENTS: usize = 64;
/// Bytes of the standard CSV in each parcel: a month's results of ten users.
pub const CSV_BYTES: usize = 20 * 1024;
/// RSA keys that all certificates share: making 1,064 would take minutes, and no cache looks at keys.
const KEYS: usize = 8;

/// One office of the benchmark.
pub struct Party {
    /// 10 digits.
    pub number: String,
    /// Certificate, key and chain.
    pub issued: Issued,
    /// The same, ready to sign and to connect.
    pub identity: KeyIdentity,
}

/// A parcel, signed and ready to be sent.
pub struct Signed {
    /// Which sender's it is: an index into the senders.
    pub sender: usize,
    /// Whom it is for: an index into the recipients.
    pub recipient: usize,
    /// Sender and id.
    pub key: ParcelKey,
    /// The container.
    pub container: bytes::Bytes,
}

/// Makes senders and recipients with certificates of the relay's trial CA.
///
/// # Panics
/// If the CA can't issue.
pub fn parties(ca: &TrialCa, now_us: i64) -> (Vec<Party>, Vec<Party>) {
    some_parties(ca, SENDERS, RECIPIENTS, now_us)
}

/// As [`parties`], so many of them.
///
/// # Panics
/// If the CA can't issue.
pub fn some_parties(
    ca: &TrialCa,
    senders: usize,
    recipients: usize,
    now_us: i64,
) -> (Vec<Party>, Vec<Party>) {
    let keys: Vec<Issued> = in_parallel(KEYS, |_| {
        ca.issue_office("0000000000", "key", &IssueOptions::new(now_us)).expect("the trial CA issues")
    });
    let make = |n: usize, first: u64| {
        let number = format!("99{:08}", first + n as u64);
        let key = KeyChoice::Pkcs8(keys[n % KEYS].key_pkcs8_der.clone());
        let options = IssueOptions::new(now_us).with_key(key);
        let issued =
            ca.issue_office(&number, &format!("bench {number}"), &options).expect("the trial CA issues");
        let (chain, key) = (issued.chain_pem().expect("PEM"), issued.key_pem().expect("PEM"));
        let identity = KeyIdentity::from_pem(&chain, &key).expect("what was issued fits together");
        Party { number, issued, identity }
    };
    (in_parallel(senders, |n| make(n, 10_000_000)), in_parallel(recipients, |n| make(n, 20_000_000)))
}

/// Signs `count` parcels: the senders in turn, the recipients in turn.
///
/// # Panics
/// If a parcel can't be built.
pub fn parcels(senders: &[Party], recipients: &[Party], count: usize, now_us: i64) -> Vec<Signed> {
    in_parallel(count, |n| {
        let sender = n % senders.len();
        // Another recipient each time a sender's turn comes.
        let recipient = (n / senders.len() + n) % recipients.len();
        let (key, container) = parcel(&senders[sender], &recipients[recipient], n, now_us);
        Signed { sender, recipient, key, container: container.into() }
    })
}

fn parcel(sender: &Party, recipient: &Party, n: usize, now_us: i64) -> (ParcelKey, Vec<u8>) {
    let id = ParcelId::new(now_us, &SystemRandom::new()).expect("the system gives randomness");
    let software = Software { name: "bench-relay".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let office = |number: &str| number.parse().expect("10 digits");
    let mut header = Header::new(id, office(&sender.number), office(&recipient.number), now_us, software);
    let (second, minute) = (n % 60, n / 60 % 60);
    let name = format!(
        "UPJSK_202602_{}_11_{}_43_202603011{:01}{minute:02}{second:02}.CSV",
        sender.number,
        recipient.number,
        n / 3600 % 9
    );
    header.files.push(FileEntry::standard(&name, "UPJSK", "text/csv"));
    let csv = results(&sender.number, &recipient.number);
    let container = build(&header, &[Cow::Owned(csv)], &sender.identity, now_us);
    (ParcelKey { sender: header.sender, id }, container.expect("a parcel that follows the rules"))
}

/// Results (実績) in MS932: rows of the standard's sample with other users and offices, so that they compress as real
/// ones do, about 5 : 1, not as copies of one row would. A file of results is a whole send unit.
fn results(sender: &str, recipient: &str) -> Vec<u8> {
    let sample = tasuki_careplan::samples::of_folder("06_result_202602_from_visit")
        .next()
        .expect("the unit has one file");
    let (provider, plan_office) = (&b"9971100012"[..], &b"1371215102"[..]);
    let rows: Vec<&[u8]> = sample.bytes.split_inclusive(|b| *b == b'\n').collect();
    let mut random = [0; 2048];
    SystemRandom::new().fill(&mut random).expect("the system gives randomness");
    let mut dice = random.iter().cycle();
    let mut csv = Vec::with_capacity(CSV_BYTES + 512);
    for row in rows.iter().cycle() {
        if csv.len() + row.len() > CSV_BYTES {
            break;
        }
        let items: Vec<&[u8]> = row.split(|b| *b == b',').collect();
        for (n, item) in items.iter().enumerate() {
            if n > 0 {
                csv.push(b',');
            }
            match n {
                _ if *item == provider => csv.extend_from_slice(sender.as_bytes()),
                _ if *item == plan_office => csv.extend_from_slice(recipient.as_bytes()),
                // Digits of insured and managers' numbers, not of dates, months, times and codes.
                2 | 7 => csv.extend(item.iter().map(|b| {
                    if b.is_ascii_digit() { b'0' + dice.next().copied().unwrap_or(0) % 10 } else { *b }
                })),
                _ => csv.extend_from_slice(item),
            }
        }
    }
    csv
}

/// Makes `count` things on all cores, in order.
///
/// # Panics
/// If making one does.
pub fn in_parallel<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = count.div_ceil(cores).max(1);
    let make = &make;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..count)
            .step_by(share)
            .map(|first| {
                scope.spawn(move || (first..(first + share).min(count)).map(make).collect::<Vec<T>>())
            })
            .collect();
        workers.into_iter().flat_map(|w| w.join().expect("a worker that does not panic")).collect()
    })
}
