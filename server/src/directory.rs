//! Who takes part, from memory: an office's standing, its name, the keys that parcels are sealed to, and who may act for it.
//!
//! Entries are forgotten when `Head::directory` moves (an office or a key changed, by whichever process), when
//! the trust store changes, and when one of their keys ends. A key of the directory is used only while its
//! certificate verifies: a revoked one gets nothing more, although it stays registered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::error::CertError;
use tasuki_certs::profile::Identity;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::signature_error::SignatureError;
use tasuki_certs::trust::{CurrentTrust, Purpose, TrustStore};
use tasuki_proto::ids::ProxyNumber;
use tokio::sync::watch;

use crate::cache::Generations;
use crate::clock::Clock;
use crate::mandates::{Loaded, Mandate, MandateKey};
use crate::store::offices::{KeyKind, KeyRow, MAX_KEYS_USED, OfficeRow, OfficeState};
use crate::store::proxies::{ProxyRow, ProxyState};
use crate::store::{Store, StoreError};
use crate::trust::Trust;
use crate::verified::{Judge, Verified};

/// The generation is read from the database at most this often.
const FOLLOW_EVERY: Duration = Duration::from_millis(50);

/// An office as the relay deals with it.
#[derive(Debug)]
pub struct Member {
    /// Its entry.
    pub office: OfficeRow,
    /// Keys that can be used now, oldest first.
    pub keys: Vec<KeyRow>,
    /// Who else may act for it now.
    pub mandates: Vec<Arc<Mandate>>,
    /// Keys of those of them that may receive.
    pub mandate_keys: Vec<MandateKey>,
    /// All these keys, ready for sealing.
    pub recipients: Vec<Recipient>,
    /// A key of its own waits for an OCSP answer about its certificate.
    pub awaits_answer: bool,
    /// `Head::directory` when this was read.
    pub generation: i64,
    /// Read it again after this time, Unix microseconds: a key or what vouches for it ends.
    valid_until_us: i64,
}

impl Member {
    /// Takes part.
    pub fn active(&self) -> bool {
        self.office.state == OfficeState::Active
    }

    /// A mandate that can be used now, by its digest.
    pub fn mandate(&self, digest: &[u8; 32]) -> Option<&Arc<Mandate>> {
        self.mandates.iter().find(|mandate| mandate.row.digest == *digest)
    }
}

/// The directory, cached.
#[derive(Debug)]
pub struct Directory {
    store: Store,
    trust: Trust,
    verifier: Arc<SignatureVerifier>,
    clock: Arc<dyn Clock>,
    cache: Mutex<Cache>,
    verified: Arc<Verified>,
}

#[derive(Debug)]
struct Cache {
    generation: i64,
    trust: Arc<TrustStore>,
    entries: Generations<OfficeNumber, Option<Arc<Member>>>,
    proxies: Generations<ProxyNumber, Option<Arc<ProxyRow>>>,
}

impl Cache {
    fn clear(&mut self) {
        self.entries.clear();
        self.proxies.clear();
    }
}

/// Offices that are read with one set of queries: one or two megabytes, and some tens where each has all the mandates that it may have.
const READ_AT_ONCE: usize = 128;
/// Offices whose certificates one thread verifies in a row, 0.1 ms each.
const JUDGED_AT_ONCE: usize = 16;

/// Proxies that are remembered: a country has a few hundred.
const KNOWN_PROXIES: usize = 2_000;

impl Directory {
    /// A directory that remembers at most `known_offices`.
    pub fn new(
        store: Store,
        trust: Trust,
        verifier: Arc<SignatureVerifier>,
        clock: Arc<dyn Clock>,
        known_offices: usize,
    ) -> Self {
        let cache = Cache {
            generation: 0,
            trust: trust.current(),
            entries: Generations::new(known_offices),
            proxies: Generations::new(KNOWN_PROXIES),
        };
        let verified = Arc::new(Verified::new(known_offices));
        Self { store, trust, verifier, clock, cache: Mutex::new(cache), verified }
    }

    /// An office; `None` if the directory does not hold it.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn member(&self, office: OfficeNumber) -> Result<Option<Arc<Member>>, StoreError> {
        let trust = self.trust.current();
        match self.known(office, &trust) {
            Known::Member(member) => return Ok(Some(member)),
            Known::Nobody => return Ok(None),
            Known::Nothing => {}
        }
        Ok(self.read(&[office], &trust).await?.pop())
    }

    /// Reads what is not remembered of these offices with a few queries for all: what is asked of each afterwards comes from memory.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn prepare(&self, offices: impl Iterator<Item = OfficeNumber>) -> Result<(), StoreError> {
        let trust = self.trust.current();
        let unknown: BTreeSet<OfficeNumber> =
            offices.filter(|office| matches!(self.known(*office, &trust), Known::Nothing)).collect();
        let unknown: Vec<OfficeNumber> = unknown.into_iter().collect();
        for some in unknown.chunks(READ_AT_ONCE) {
            self.read(some, &trust).await?;
        }
        Ok(())
    }

    /// Reads offices, and remembers them. Those that the directory does not hold are left out.
    async fn read(
        &self,
        offices: &[OfficeNumber],
        trust: &Arc<TrustStore>,
    ) -> Result<Vec<Arc<Member>>, StoreError> {
        // Read before the rows: if they change in between, the entry is older than it says, never newer.
        let generation = self.refresh().await?;
        let rows = self.store.offices_of(offices).await?;
        for office in offices.iter().filter(|office| rows.iter().all(|row| row.number != **office)) {
            self.remember(*office, None, generation, trust);
        }
        let numbers: Vec<OfficeNumber> = rows.iter().map(|row| row.number).collect();
        let now_us = self.clock.now_us();
        let mut keys: BTreeMap<OfficeNumber, Vec<KeyRow>> = BTreeMap::new();
        for key in self.store.office_keys(&numbers, now_us).await? {
            keys.entry(key.office).or_default().push(key);
        }
        let mut mandates = Loaded::read(&self.store, &numbers, now_us).await?;
        let mut read: Vec<Read> = rows
            .into_iter()
            .map(|office| Read {
                keys: keys.remove(&office.number).unwrap_or_default(),
                mandates: mandates.remove(&office.number).unwrap_or_default(),
                office,
            })
            .collect();
        // Certificates are verified: that is no work for the threads that serve the network.
        let judge = Judge {
            verifier: Arc::clone(&self.verifier),
            verified: Arc::clone(&self.verified),
            trust: Arc::clone(trust),
            now_us,
        };
        let mut judging = Vec::new();
        while !read.is_empty() {
            let some = read.split_off(read.len().saturating_sub(JUDGED_AT_ONCE));
            let judge = judge.clone();
            judging.push(tokio::task::spawn_blocking(move || {
                let judged = |one: Read| Arc::new(one.judge(&judge, generation));
                some.into_iter().map(judged).collect::<Vec<_>>()
            }));
        }
        let mut members = Vec::with_capacity(numbers.len());
        for judged in judging {
            let judged = judged.await.map_err(|_| StoreError::from(sqlx::Error::WorkerCrashed))?;
            for member in judged {
                self.remember(member.office.number, Some(Arc::clone(&member)), generation, trust);
                members.push(member);
            }
        }
        Ok(members)
    }

    /// An office. Where what is remembered of it is not `good`, the database is asked first: nobody is refused for
    /// what another process changed a moment ago.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn member_checked(
        &self,
        office: OfficeNumber,
        good: impl Fn(&Member) -> bool,
    ) -> Result<Option<Arc<Member>>, StoreError> {
        let known = self.member(office).await?;
        if known.as_deref().is_some_and(good) {
            return Ok(known);
        }
        self.refresh().await?;
        self.member(office).await
    }

    /// An office's name, empty where it left the directory.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn name(&self, office: OfficeNumber) -> Result<String, StoreError> {
        Ok(self.member(office).await?.map(|m| m.office.name.clone()).unwrap_or_default())
    }

    /// A proxy; `None` if there is none of this number.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn proxy(&self, number: ProxyNumber) -> Result<Option<Arc<ProxyRow>>, StoreError> {
        if let Some(known) = self.cache().proxies.get(&number) {
            return Ok(known);
        }
        let generation = self.refresh().await?;
        let row = self.store.proxy(number).await?.map(Arc::new);
        let mut cache = self.cache();
        // What changed meanwhile was not read.
        if cache.generation == generation {
            cache.proxies.put(number, row.clone());
        }
        Ok(row)
    }

    /// A proxy that takes part. Where what is remembered says otherwise, the database is asked first.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn proxy_checked(&self, number: ProxyNumber) -> Result<Option<Arc<ProxyRow>>, StoreError> {
        let known = self.proxy(number).await?;
        if known.as_ref().is_some_and(|proxy| proxy.state == ProxyState::Active) {
            return Ok(known);
        }
        self.refresh().await?;
        self.proxy(number).await
    }

    /// Looks whether the directory changed, and forgets what is known of it if so. Returns its generation.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn refresh(&self) -> Result<i64, StoreError> {
        let generation = self.store.head().await?.directory;
        let mut cache = self.cache();
        if cache.generation < generation {
            cache.generation = generation;
            cache.clear();
        }
        Ok(cache.generation)
    }

    /// Follows the log: whatever changes the directory moves it. Runs until the log's writer is gone.
    pub async fn follow<T>(&self, mut log: watch::Receiver<T>) {
        while log.changed().await.is_ok() {
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "the directory's generation can't be read");
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    }

    fn known(&self, office: OfficeNumber, trust: &Arc<TrustStore>) -> Known {
        let mut cache = self.cache();
        if !Arc::ptr_eq(&cache.trust, trust) {
            cache.trust = Arc::clone(trust);
            cache.clear();
        }
        match cache.entries.get(&office) {
            Some(Some(member)) if self.clock.now_us() <= member.valid_until_us => Known::Member(member),
            Some(None) => Known::Nobody,
            Some(Some(_)) | None => Known::Nothing,
        }
    }

    fn remember(
        &self,
        office: OfficeNumber,
        member: Option<Arc<Member>>,
        generation: i64,
        trust: &Arc<TrustStore>,
    ) {
        let mut cache = self.cache();
        // What changed meanwhile was not read.
        if cache.generation == generation && Arc::ptr_eq(&cache.trust, trust) {
            cache.entries.put(office, member);
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Every change of the cache is complete when it is made: a panic can't leave it half done.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An office as the database has it.
struct Read {
    office: OfficeRow,
    keys: Vec<KeyRow>,
    mandates: Loaded,
}

impl Read {
    fn judge(self, judge: &Judge, generation: i64) -> Member {
        let usable = usable_keys(self.keys, judge);
        let mandates = self.mandates.judge(judge);
        let mut recipients = usable.recipients;
        recipients.extend(mandates.keys.iter().map(|key| key.recipient.clone()));
        Member {
            office: self.office,
            keys: usable.rows,
            mandates: mandates.mandates.into_iter().map(Arc::new).collect(),
            mandate_keys: mandates.keys,
            recipients,
            awaits_answer: usable.awaits_answer,
            generation,
            valid_until_us: usable.until_us.min(mandates.until_us),
        }
    }
}

/// What the cache says of an office.
enum Known {
    /// This.
    Member(Arc<Member>),
    /// The directory does not hold it.
    Nobody,
    /// Nothing: ask the database.
    Nothing,
}

struct Usable {
    rows: Vec<KeyRow>,
    recipients: Vec<Recipient>,
    awaits_answer: bool,
    until_us: i64,
}

/// The newest of `keys` that can be used; `keys` are sorted, newest first.
fn usable_keys(keys: Vec<KeyRow>, judge: &Judge) -> Usable {
    let mut usable =
        Usable { rows: Vec::new(), recipients: Vec::new(), awaits_answer: false, until_us: i64::MAX };
    for row in keys {
        if usable.rows.len() == MAX_KEYS_USED {
            break;
        }
        match usable_key(&row, judge) {
            Ok((recipient, until_us)) => {
                usable.until_us = usable.until_us.min(until_us).min(row.not_after_us);
                usable.recipients.push(recipient);
                usable.rows.push(row);
            }
            Err(reason) => {
                // Asked again at once: the answer may come any moment.
                if ["OCSP_MISSING", "OCSP_STALE"].contains(&reason) {
                    usable.awaits_answer = true;
                    usable.until_us = judge.now_us;
                }
                tracing::debug!(office.number = %row.office, reason, "a registered key is not used");
            }
        }
    }
    usable.rows.reverse();
    usable.recipients.reverse();
    usable
}

/// Whether parcels may be sealed to a registered key now; if so, until when that is known.
fn usable_key(row: &KeyRow, judge: &Judge) -> Result<(Recipient, i64), &'static str> {
    if row.not_after_us < judge.now_us {
        return Err("CERTIFICATE_EXPIRED");
    }
    match row.kind {
        KeyKind::Certificate => {
            let certificate = judge.certificate(&row.key, Purpose::Seal)?;
            if certificate.identity != (Identity::Office { number: row.office.to_string() }) {
                return Err("IDENTITY_NOT_FOUND");
            }
            let recipient = certificate.recipient.clone().ok_or("UNSUPPORTED_KEY")?;
            Ok((recipient, certificate.valid_until_us))
        }
        KeyKind::Sealing => {
            let until_us = match judge.signature(&row.approval) {
                Ok(approval) => approval.signer.valid_until_us,
                // The key outlives the certificate that approved it; it does not outlive its revocation.
                Err(SignatureError::Certificate(CertError::CertificateExpired(_))) => i64::MAX,
                Err(error) => return Err(error.code()),
            };
            let recipient = Recipient::from_sealing_key(&row.key).map_err(|_| "KEY_MALFORMED")?;
            // Ask again when the approving certificate ends: the answer then is another, not no.
            Ok((recipient, until_us))
        }
    }
}
