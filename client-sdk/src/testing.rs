//! What this library's own unit tests share.

pub(crate) mod case;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, Issued, KeyChoice, TrialCa};

use crate::home::{Home, IdentityFiles, InitOptions};
use crate::secret::Secret;

/// A folder that is gone when the test ends.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A new, empty folder.
pub(crate) fn folder(name: &str) -> Folder {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("tasuki-sdk-{}-{number}-{name}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    Folder(path)
}

/// The present of all tests: 2026-11-21T11:38:34Z.
pub(crate) const NOW_US: i64 = 1_795_261_114_000_000;

/// The sending office of the samples.
pub(crate) const SENDER: &str = "1371215102";

/// A receiving office of the samples.
pub(crate) const RECIPIENT: &str = "9971100012";

/// A parcel between two offices that a list shows, with nothing in it.
pub(crate) fn parcel(from: &str, to: &str) -> crate::Parcel {
    let id = tasuki_proto::ids::ParcelId::new(NOW_US, &ring::rand::SystemRandom::new()).unwrap();
    crate::Parcel {
        key: tasuki_proto::ids::ParcelKey { sender: office(from), id },
        sender_name: from.to_owned(),
        recipient: office(to),
        recipient_name: to.to_owned(),
        state: crate::State::Delivered,
        files: Vec::new(),
        digest: [1; 32],
        container_size: 1,
        sealed_size: 1,
        accepted_us: Some(NOW_US),
        fetched_us: None,
        acknowledged_us: None,
        signer: [2; 32],
        marks: crate::Marks::default(),
    }
}

pub(crate) fn office(number: &str) -> OfficeNumber {
    number.parse().unwrap()
}

/// One CA for all tests, with two offices (P-256, which is quick to make).
pub(crate) struct World {
    pub(crate) ca: TrialCa,
    pub(crate) sender: Issued,
    pub(crate) recipient: Issued,
}

pub(crate) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let ca = TrialCa::create("test", NOW_US).unwrap();
        let options = || IssueOptions::new(NOW_US).with_key(KeyChoice::P256);
        let sender = ca.issue_office(SENDER, "A", &options()).unwrap();
        let recipient = ca.issue_office(RECIPIENT, "B", &options()).unwrap();
        World { ca, sender, recipient }
    })
}

pub(crate) fn identity(issued: &Issued) -> KeyIdentity {
    KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap()
}

/// A HOME made offline, inside `folder`.
pub(crate) fn home(folder: &Folder, issued: &Issued) -> Home {
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let options = InitOptions {
        relay: "https://localhost:8443".to_owned(),
        relay_ca: put("relay-ca.pem", &world().ca.cert_pem().unwrap()),
        identity: IdentityFiles::Pkcs12 {
            file: put("office.p12", &issued.to_pkcs12("secret").unwrap()),
            password: Secret::File(put("office.pass", b"secret\r\n")),
        },
        ca: None,
        profile: None,
        proxy: None,
    };
    let home = folder.path().join("home");
    Home::init(&home, &options, NOW_US).unwrap();
    Home::open(&home).unwrap()
}
