//! Which mandates of an office can be used now, and the keys that parcels are sealed to by them.
//!
//! A mandate counts only while what gives it verifies: the office's signature under its statement, the terminal's
//! certificate, the proxy's standing. So a revoked certificate of the office takes all that it signed with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::profile::Identity;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::trust::Purpose;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::{ProxyNumber, is_office};
use tasuki_proto::mandate::Scope;

use crate::store::Store;
use crate::store::StoreError;
use crate::store::mandates::{Holder, MandateRow};
use crate::store::proxies::{MAX_PROXY_KEYS, ProxyKeyRow, ProxyRow, ProxyState};
use crate::verified::Judge;

/// A use is written down at most this often for each mandate.
const NOTE_EVERY_US: i64 = 3_600 * 1_000_000;

/// A mandate that can be used.
#[derive(Debug)]
pub struct Mandate {
    /// As it stands in the database.
    pub row: MandateRow,
    /// SHA-256 of the terminal's certificate before its renewal.
    previous: Option<[u8; 32]>,
    used_us: AtomicI64,
}

impl Mandate {
    fn new(row: MandateRow) -> Self {
        let used_us = AtomicI64::new(row.last_used_us);
        let previous = Some(&row.previous).filter(|der| !der.is_empty()).map(|der| sha256(der));
        Self { row, previous, used_us }
    }

    /// Whether a terminal holds it with this certificate: its own, or the one before its renewal.
    pub fn is_held_with(&self, fingerprint: &[u8; 32]) -> bool {
        self.row.fingerprint == *fingerprint || self.previous == Some(*fingerprint)
    }

    /// Whether its holder may do something for the office.
    pub fn may(&self, scope: Scope) -> bool {
        self.row.holder.role().may(self.row.scopes, scope)
    }

    /// Notes a use; true: it is time to write it down.
    pub fn used(&self, now_us: i64) -> bool {
        let last = self.used_us.load(Ordering::Relaxed);
        // Of several at once, one writes.
        now_us - last >= NOTE_EVERY_US
            && self.used_us.compare_exchange(last, now_us, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A key that parcels for an office are sealed to because a mandate lets its holder receive.
#[derive(Clone, Debug)]
pub struct MandateKey {
    /// What gives it.
    pub mandate: MandateRow,
    /// Certificate, DER.
    pub certificate: Vec<u8>,
    /// SHA-256 of it.
    pub fingerprint: [u8; 32],
    /// End of its validity, Unix microseconds.
    pub not_after_us: i64,
    /// Since when parcels are sealed to it, Unix microseconds.
    pub since_us: i64,
    /// Ready for sealing.
    pub recipient: Recipient,
}

/// An office's mandates as the database has them, with the proxies that they name.
#[derive(Debug, Default)]
pub struct Loaded {
    rows: Vec<MandateRow>,
    /// Of all offices that were read together.
    proxies: Arc<Vec<(ProxyRow, Vec<ProxyKeyRow>)>>,
}

/// What can be used of them.
#[derive(Debug, Default)]
pub struct Usable {
    /// Mandates, oldest first.
    pub mandates: Vec<Mandate>,
    /// Their keys.
    pub keys: Vec<MandateKey>,
    /// Ask again after this time, Unix microseconds.
    pub until_us: i64,
}

impl Loaded {
    /// Reads offices' mandates; an office without any is not there.
    ///
    /// # Errors
    /// If the database can't be read.
    pub async fn read(
        store: &Store,
        offices: &[OfficeNumber],
        now_us: i64,
    ) -> Result<BTreeMap<OfficeNumber, Self>, StoreError> {
        let rows = store.mandates(offices, now_us).await?;
        let mut proxies = Vec::new();
        for number in rows.iter().filter_map(proxy_of).collect::<BTreeSet<_>>() {
            if let Some(proxy) = store.proxy(number).await? {
                proxies.push((proxy, store.proxy_keys(number, now_us).await?));
            }
        }
        let proxies = Arc::new(proxies);
        let mut loaded: BTreeMap<OfficeNumber, Self> = BTreeMap::new();
        for row in rows {
            let own = || Self { rows: Vec::new(), proxies: Arc::clone(&proxies) };
            loaded.entry(row.office).or_insert_with(own).rows.push(row);
        }
        Ok(loaded)
    }

    /// Judges them. Verifies certificates: no work for the threads that serve the network.
    pub(crate) fn judge(self, judge: &Judge) -> Usable {
        let mut usable = Usable { until_us: i64::MAX, ..Usable::default() };
        for row in &self.rows {
            match self.one(row, judge, &mut usable) {
                Ok(()) => usable.mandates.push(Mandate::new(row.clone())),
                Err(reason) => {
                    tracing::debug!(office.number = %row.office, reason, "a mandate is not used");
                }
            }
        }
        usable
    }

    fn one(&self, row: &MandateRow, judge: &Judge, usable: &mut Usable) -> Result<(), &'static str> {
        if judge.now_us < row.from_us {
            usable.until_us = usable.until_us.min(row.from_us - 1);
            return Err("NOT_YET");
        }
        usable.until_us = usable.until_us.min(row.until_us - 1);
        if row.is_invitation() {
            return Err("INVITED");
        }
        if !row.by_operator() {
            let signed = judge.signature(&row.cms).map_err(|error| error.code())?;
            if !is_office(&signed.signer.identity, row.office) {
                return Err("SIGNER");
            }
            usable.until_us = usable.until_us.min(signed.signer.valid_until_us);
        }
        match &row.holder {
            Holder::Terminal(name) => {
                let identity = Identity::Terminal { office: row.office.to_string(), name: name.clone() };
                let key = key(row, &row.certificate, row.enrolled_us, &identity, judge)?;
                usable.until_us = usable.until_us.min(key.1);
                if row.scopes.has(Scope::Receive) {
                    usable.keys.extend(key.0);
                    // Whoever has not noticed yet that it was renewed opens with the key before.
                    let before = self::key(row, &row.previous, row.enrolled_us, &identity, judge);
                    if let Ok((key, until_us)) = before {
                        usable.until_us = usable.until_us.min(until_us);
                        usable.keys.extend(key);
                    }
                }
            }
            Holder::Proxy(number) => {
                let (proxy, keys) =
                    self.proxies.iter().find(|(p, _)| p.number == *number).ok_or("PROXY_UNKNOWN")?;
                if proxy.state != ProxyState::Active {
                    return Err("PROXY_SUSPENDED");
                }
                if row.scopes.has(Scope::Receive) {
                    let identity = Identity::Proxy { number: number.to_string() };
                    let since = |at_us: i64| at_us.max(row.made_us);
                    let good = keys
                        .iter()
                        .filter_map(|k| key(row, &k.key, since(k.registered_us), &identity, judge).ok());
                    for (key, until_us) in good.take(MAX_PROXY_KEYS as usize) {
                        usable.until_us = usable.until_us.min(until_us);
                        usable.keys.extend(key);
                    }
                }
            }
        }
        Ok(())
    }
}

fn proxy_of(row: &MandateRow) -> Option<ProxyNumber> {
    match row.holder {
        Holder::Proxy(number) => Some(number),
        Holder::Terminal(_) => None,
    }
}

/// A holder's certificate, if it verifies: as a key where it may encrypt, and until when that is known.
fn key(
    mandate: &MandateRow,
    certificate: &[u8],
    since_us: i64,
    identity: &Identity,
    judge: &Judge,
) -> Result<(Option<MandateKey>, i64), &'static str> {
    let good = judge.certificate(certificate, Purpose::TlsClient)?;
    if good.identity != *identity {
        return Err("IDENTITY_NOT_FOUND");
    }
    let key = good.recipient.clone().map(|recipient| MandateKey {
        mandate: mandate.clone(),
        certificate: certificate.to_vec(),
        fingerprint: good.fingerprint,
        not_after_us: good.not_after_us,
        since_us,
        recipient,
    });
    Ok((key, good.valid_until_us))
}
