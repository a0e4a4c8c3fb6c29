//! Who calls: the TLS peer's certificate, judged for every call, and the office that it stands for.
//!
//! The handshake has checked the certificate once. A connection lives longer than that answer: the certificate
//! is verified again when the trust store changes, when the answer's time is over, and every minute. A resumed
//! TLS session brings the certificate of the first handshake, so it is judged in the same way.
//!
//! Only offices call so far. Terminals, proxies and operators have certificates that verify, and are answered
//! `NOT_ALLOWED` until approvals and delegations exist.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::error::CertError;
use tasuki_certs::profile::Identity;
use tasuki_certs::trust::{CurrentTrust, Purpose, TrustStore, VerifiedCertificate};
use tasuki_proto::ids::identity_text;
use tasuki_proto::reason;

use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::Change;
use crate::directory::{Directory, Member};
use crate::store::StoreError;
use crate::store::offices::{KeyKind, KeyRow};
use crate::trust::Trust;

/// An answer about a certificate is used for at most this long.
const RECHECK_US: i64 = 60 * 1_000_000;

/// The peer of one connection; clones share what is known of it.
#[derive(Clone, Debug)]
pub struct Peer {
    shared: Arc<PeerState>,
}

#[derive(Debug)]
struct PeerState {
    /// DER, its own certificate first.
    chain: Vec<Vec<u8>>,
    judged: Mutex<Option<Judged>>,
    /// Its certificate was handed to the directory, or need not be.
    key_known: AtomicBool,
}

#[derive(Clone, Debug)]
struct Judged {
    trust: Arc<TrustStore>,
    at_us: i64,
    outcome: Result<Arc<VerifiedCertificate>, CertError>,
}

impl Peer {
    /// From the certificates that the handshake brought.
    pub fn new(chain: Vec<Vec<u8>>) -> Self {
        let shared = PeerState { chain, judged: Mutex::new(None), key_known: AtomicBool::new(false) };
        Self { shared: Arc::new(shared) }
    }

    /// The certificate as of now, from memory where that is as good.
    fn certificate(&self, trust: &Arc<TrustStore>, now_us: i64) -> Result<Arc<VerifiedCertificate>, Denied> {
        let mut judged = self.shared.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = judged.as_ref().filter(|known| known.holds(trust, now_us)) {
            return known.outcome.clone().map_err(Denied::Certificate);
        }
        let (leaf, rest) = self.shared.chain.split_first().ok_or(Denied::NoCertificate)?;
        let extra: Vec<&[u8]> = rest.iter().map(Vec::as_slice).collect();
        let outcome = trust.verify(leaf, &extra, Purpose::TlsClient, now_us).map(Arc::new);
        *judged = Some(Judged { trust: Arc::clone(trust), at_us: now_us, outcome: outcome.clone() });
        outcome.map_err(Denied::Certificate)
    }
}

impl Judged {
    fn holds(&self, trust: &Arc<TrustStore>, now_us: i64) -> bool {
        let fresh = (self.at_us..=self.at_us + RECHECK_US).contains(&now_us);
        let valid = self.outcome.as_ref().map_or(true, |c| now_us <= c.valid_until_us);
        fresh && valid && Arc::ptr_eq(&self.trust, trust)
    }
}

/// Why a caller is turned away.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The connection brought none. The handshake asks for one, so this is a fault of the relay's own.
    #[error("no client certificate")]
    NoCertificate,
    /// The certificate is not, or no longer, accepted.
    #[error("client certificate: {0}")]
    Certificate(CertError),
    /// A terminal, a proxy or an operator.
    #[error("the certificate is not an office's")]
    NotAnOffice,
    /// The directory does not hold the office.
    #[error("the office is not in the directory")]
    Unknown,
    /// The office is suspended.
    #[error("the office is suspended")]
    Suspended,
    /// The office asks for what is another's.
    #[error("an office acts for itself only")]
    NotItself,
    /// The directory can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Denied {
    /// Stable reason word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::Unknown => reason::CALLER_UNKNOWN,
            Self::Certificate(error) => error.code(),
            Self::NotAnOffice | Self::NotItself => reason::NOT_ALLOWED,
            Self::Suspended => reason::CALLER_SUSPENDED,
            Self::Store(_) => reason::STORE_UNAVAILABLE,
        }
    }
}

/// A caller that may call.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Its office.
    pub office: OfficeNumber,
    /// How events name it.
    pub name: String,
    peer: Peer,
}

impl Caller {
    /// The office that a request is about: the named one, which must be the caller's own, or the caller's.
    ///
    /// # Errors
    /// [`Denied::NotItself`].
    pub fn acts_for(&self, office: &str) -> Result<OfficeNumber, Denied> {
        if office.is_empty() || office == self.office.as_str() {
            Ok(self.office)
        } else {
            Err(Denied::NotItself)
        }
    }
}

/// Judges callers.
#[derive(Debug)]
pub struct Access {
    trust: Trust,
    directory: Arc<Directory>,
    committer: Committer,
    clock: Arc<dyn Clock>,
}

impl Access {
    /// Judges by this trust store and directory.
    pub fn new(trust: Trust, directory: Arc<Directory>, committer: Committer, clock: Arc<dyn Clock>) -> Self {
        Self { trust, directory, committer, clock }
    }

    /// The caller behind a connection.
    ///
    /// The first time that an office comes whose certificate allows encryption, the certificate is registered as
    /// a key that parcels for it are sealed to.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn caller(&self, peer: &Peer) -> Result<Caller, Denied> {
        let (certificate, member) = self.judge(peer).await?;
        let office = member.office.number;
        self.offer_key(peer, &certificate, &member).await;
        Ok(Caller { office, name: identity_text(&certificate.identity), peer: peer.clone() })
    }

    /// Asks again, for calls that last: certificate, standing.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn still(&self, caller: &Caller) -> Result<(), Denied> {
        self.judge(&caller.peer).await.map(|_| ())
    }

    async fn judge(&self, peer: &Peer) -> Result<(Arc<VerifiedCertificate>, Arc<Member>), Denied> {
        let certificate = peer.certificate(&self.trust.current(), self.clock.now_us())?;
        let Identity::Office { number } = &certificate.identity else { return Err(Denied::NotAnOffice) };
        let office = number.parse().map_err(|_| Denied::Unknown)?;
        let member = self.directory.member_checked(office, Member::active).await?.ok_or(Denied::Unknown)?;
        if member.active() { Ok((certificate, member)) } else { Err(Denied::Suspended) }
    }

    async fn offer_key(&self, peer: &Peer, certificate: &VerifiedCertificate, member: &Member) {
        let known = &peer.shared.key_known;
        let registered = |key: &KeyRow| key.fingerprint == certificate.fingerprint;
        if !certificate.may_encrypt || known.load(Ordering::Relaxed) || member.keys.iter().any(registered) {
            return;
        }
        let row = KeyRow {
            office: member.office.number,
            kind: KeyKind::Certificate,
            key: certificate.der.clone(),
            fingerprint: certificate.fingerprint,
            approval: Vec::new(),
            not_after_us: certificate.not_after_us,
            registered_us: 0,
        };
        match self.committer.submit(Change::RegisterKey(Box::new(row))).await {
            Ok(_) => known.store(true, Ordering::Relaxed),
            // The next call tries again.
            Err(refused) => tracing::warn!(reason = refused.code(), "a key can't be registered"),
        }
        if let Err(error) = self.directory.refresh().await {
            tracing::warn!(%error, "the directory's generation can't be read");
        }
    }
}
