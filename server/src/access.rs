//! Who calls: the TLS peer's certificate, judged for every call, and the office that it stands for.
//!
//! The handshake has checked the certificate once. A connection lives longer than that answer: the certificate
//! is verified again when the trust store changes, when the answer's time is over, and every minute. A resumed
//! TLS session brings the certificate of the first handshake, so it is judged in the same way.
//!
//! An office's certificate speaks for that office. A terminal's speaks for its office as far as the office's mandate lets it. A
//! proxy's speaks for nobody by itself: each of its calls names the office that it is for, whose mandate it needs.
//! Operators' certificates verify, and are answered `NOT_ALLOWED`.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::error::{CertError, OcspFault, Position};
use tasuki_certs::profile::Identity;
use tasuki_certs::trust::{CurrentTrust, Purpose, TrustStore, VerifiedCertificate};
use tasuki_proto::event::sha256;
use tasuki_proto::ids::{ProxyNumber, identity_text};
use tasuki_proto::mandate::{Role, Scope};
use tasuki_proto::reason;

use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{Actor, Certifying, Change, Mandating};
use crate::directory::{self, Directory};
use crate::mandates::Mandate;
use crate::store::certificates::{Bearer, CertificateRow};
use crate::store::mandates::{Holder, Use};
use crate::store::offices::{KeyKind, KeyRow};
use crate::store::proxies::{ProxyKeyRow, ProxyState};
use crate::store::{Store, StoreError};
use crate::trust::Trust;

/// An answer about a certificate is used for at most this long.
const RECHECK_US: i64 = 60 * 1_000_000;

/// How often, and with which pauses, is looked whether an OCSP answer has come: for six seconds.
const ANSWER_LOOKS: u32 = 60;
const ANSWER_PAUSE: Duration = Duration::from_millis(100);

/// For so long uses of mandates are gathered before they are written: as long as a page of a proxy's offices takes.
const USES_GATHERED: Duration = Duration::from_millis(100);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these hold is complete at each moment: a panic elsewhere leaves nothing half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a certificate is refused only until a responder has answered.
pub(crate) fn awaits_answer(error: &CertError) -> bool {
    matches!(error, CertError::OcspMissing(_) | CertError::OcspStale(_))
}

/// The peer of one connection; clones share what is known of it.
#[derive(Clone, Debug)]
pub struct Peer {
    shared: Arc<PeerState>,
}

#[derive(Debug)]
struct PeerState {
    /// DER, its own certificate first; empty: it showed none.
    chain: Vec<Vec<u8>>,
    address: IpAddr,
    judged: Mutex<Option<Judged>>,
    /// An OCSP answer about its certificate that it brought and nobody has looked at.
    stapled: Mutex<Option<Vec<u8>>>,
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
    /// From the certificates that the handshake brought, and where the connection comes from.
    pub fn new(chain: Vec<Vec<u8>>, address: IpAddr) -> Self {
        let (judged, stapled) = (Mutex::new(None), Mutex::new(None));
        let shared = PeerState { chain, address, judged, stapled, key_known: AtomicBool::new(false) };
        Self { shared: Arc::new(shared) }
    }

    /// It showed no certificate.
    pub fn is_anonymous(&self) -> bool {
        self.shared.chain.is_empty()
    }

    /// Where the connection comes from.
    pub fn address(&self) -> IpAddr {
        self.shared.address
    }

    /// SHA-256 of its certificate; none: it showed none.
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        self.shared.chain.first().map(|certificate| sha256(certificate))
    }

    /// It brings an OCSP answer about its certificate.
    pub fn bring(&self, answer: Vec<u8>) {
        *lock(&self.shared.stapled) = Some(answer);
    }

    fn brought(&self) -> Option<Vec<u8>> {
        lock(&self.shared.stapled).take()
    }

    /// The certificate as of now, from memory where that is as good.
    fn certificate(&self, trust: &Arc<TrustStore>, now_us: i64) -> Result<Arc<VerifiedCertificate>, Denied> {
        let mut judged = lock(&self.shared.judged);
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
        let valid = match &self.outcome {
            Ok(certificate) => now_us <= certificate.valid_until_us,
            // The answer may come any moment.
            Err(error) => !awaits_answer(error),
        };
        fresh && valid && Arc::ptr_eq(&self.trust, trust)
    }
}

/// Why a caller is turned away.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// The connection brought none. It is served nothing that asks for a caller, so this is a fault of the relay's own.
    #[error("no client certificate")]
    NoCertificate,
    /// The certificate is not, or no longer, accepted.
    #[error("client certificate: {0}")]
    Certificate(CertError),
    /// An operator.
    #[error("the certificate is nobody's who acts for offices")]
    NotAnOffice,
    /// A proxy that does not say for which office it calls.
    #[error("the call names no office")]
    OfficeNotNamed,
    /// A terminal or a proxy that the office does not let act, or not any more.
    #[error("the office does not let it act")]
    NoMandate,
    /// Its mandate does not go so far.
    #[error("its mandate does not go so far")]
    Scope,
    /// The relay does not know the proxy.
    #[error("no such proxy")]
    ProxyUnknown,
    /// The proxy is suspended.
    #[error("the proxy is suspended")]
    ProxySuspended,
    /// The directory does not hold the office.
    #[error("the office is not in the directory")]
    Unknown,
    /// The office is suspended, has not joined, or left: the reason word that says which.
    #[error("the office does not take part: {0}")]
    Standing(&'static str),
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
            Self::OfficeNotNamed => reason::OFFICE_NOT_NAMED,
            Self::NoMandate => reason::MANDATE_MISSING,
            Self::Scope => reason::MANDATE_SCOPE,
            Self::ProxyUnknown => reason::PROXY_UNKNOWN,
            Self::ProxySuspended => reason::PROXY_SUSPENDED,
            Self::Standing(word) => word,
            Self::Store(_) => reason::STORE_UNAVAILABLE,
        }
    }
}

/// Who calls, for whom: what places are counted by. Two terminals of an office don't take each other's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Who {
    /// An office.
    Office(OfficeNumber),
    /// A terminal of an office: SHA-256 of its mandate.
    Terminal(OfficeNumber, [u8; 32]),
    /// A proxy, and the office that it acts for; none: it acts for itself.
    Proxy(ProxyNumber, Option<OfficeNumber>),
}

/// A caller that may call, for one office.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The office that the call is for.
    pub office: OfficeNumber,
    /// In which role.
    pub role: Role,
    /// Who, for whom.
    pub who: Who,
    /// How events name it.
    pub name: String,
    /// What lets it act, where it is not the office itself.
    pub mandate: Option<Arc<Mandate>>,
    /// `Head::directory` when its right was looked at.
    pub generation: i64,
    /// What the call is, at least.
    scope: Scope,
    peer: Peer,
}

impl Caller {
    /// The office that a request is about: the named one, which must be the one that the call is for, or that.
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

    /// Whether it may do something more.
    ///
    /// # Errors
    /// [`Denied::Scope`].
    pub fn may(&self, scope: Scope) -> Result<(), Denied> {
        match &self.mandate {
            Some(mandate) if !mandate.may(scope) => Err(Denied::Scope),
            _ => Ok(()),
        }
    }

    /// It, as who does something for its office.
    pub fn actor(&self) -> Actor {
        Actor::Office {
            office: self.office,
            name: self.name.clone(),
            mandate: self.mandate_digest(),
            vouched: self.vouched(),
        }
    }

    /// The operator registered what lets it act: no office signed it.
    pub fn vouched(&self) -> bool {
        self.mandate.as_ref().is_some_and(|mandate| mandate.row.by_operator())
    }

    /// SHA-256 of what lets it act, where it is not the office itself.
    pub fn mandate_digest(&self) -> Option<[u8; 32]> {
        self.mandate.as_ref().map(|mandate| mandate.row.digest)
    }

    /// Its proxy's number, where it is one.
    pub fn proxy(&self) -> Option<ProxyNumber> {
        match self.role {
            Role::Proxy { number } => Some(number),
            Role::Office | Role::Terminal { .. } => None,
        }
    }
}

/// Somebody that takes part, and asks for what all may know.
#[derive(Clone, Debug)]
pub struct Member {
    /// Who.
    pub who: Who,
    /// The office that it belongs to or named; none: a proxy for itself.
    pub office: Option<OfficeNumber>,
}

/// An office with its own certificate, whether it takes part or not.
#[derive(Clone, Debug)]
pub struct Applicant {
    /// Which.
    pub office: OfficeNumber,
    /// How events name it.
    pub name: String,
}

/// Judges callers.
#[derive(Debug)]
pub struct Access {
    trust: Trust,
    directory: Arc<Directory>,
    committer: Committer,
    store: Store,
    clock: Arc<dyn Clock>,
    /// Uses that are not yet written: of each mandate at most one an hour.
    uses: Arc<Mutex<Vec<Use>>>,
}

impl Access {
    /// Judges by this trust store and directory.
    pub fn new(
        trust: Trust,
        directory: Arc<Directory>,
        committer: Committer,
        store: Store,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { trust, directory, committer, store, clock, uses: Arc::default() }
    }

    /// The caller behind a connection, for the office that it names; none: its own.
    ///
    /// The first time that an office or a proxy comes whose certificate allows encryption, the certificate is registered as
    /// a key that parcels for it are sealed to.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn caller(
        &self,
        peer: &Peer,
        named: Option<OfficeNumber>,
        scope: Scope,
    ) -> Result<Caller, Denied> {
        let certificate = self.certificate(peer).await?;
        let (office, role) = match &certificate.identity {
            Identity::Office { number } => (own(number, named)?, Role::Office),
            Identity::Terminal { office, name } => {
                (own(office, named)?, Role::Terminal { name: name.clone() })
            }
            Identity::Proxy { number } => {
                let number = number.parse().map_err(|_| Denied::ProxyUnknown)?;
                self.proxy(peer, &certificate, number).await?;
                (named.ok_or(Denied::OfficeNotNamed)?, Role::Proxy { number })
            }
            Identity::Operator { .. } => return Err(Denied::NotAnOffice),
        };
        let found = |member: &directory::Member| holds(member, &role, &certificate.fingerprint).cloned();
        let good =
            |member: &directory::Member| member.active() && (role == Role::Office || found(member).is_some());
        let member = self.directory.member_checked(office, good).await?.ok_or(Denied::Unknown)?;
        if let Some(word) = member.office.state.refuses_as_caller() {
            return Err(Denied::Standing(word));
        }
        let mandate = match role {
            Role::Office => {
                self.offer_key(peer, &certificate, &member).await;
                None
            }
            Role::Terminal { .. } | Role::Proxy { .. } => Some(found(&member).ok_or(Denied::NoMandate)?),
        };
        let who = match (&role, &mandate) {
            (Role::Proxy { number }, _) => Who::Proxy(*number, Some(office)),
            (Role::Terminal { .. }, Some(mandate)) => Who::Terminal(office, mandate.row.digest),
            (Role::Office | Role::Terminal { .. }, _) => Who::Office(office),
        };
        let caller = Caller {
            office,
            role,
            who,
            name: identity_text(&certificate.identity),
            mandate,
            generation: member.generation,
            scope,
            peer: peer.clone(),
        };
        caller.may(scope)?;
        self.note_use(&caller);
        Ok(caller)
    }

    /// The peer's certificate as of now. One that a responder must be asked about waits for the answer for a few seconds.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn certificate(&self, peer: &Peer) -> Result<Arc<VerifiedCertificate>, Denied> {
        let awaits = |outcome: &Result<_, Denied>| match outcome {
            Err(Denied::Certificate(error)) => awaits_answer(error),
            _ => false,
        };
        let look = || peer.certificate(&self.trust.current(), self.clock.now_us());
        let mut outcome = look();
        let mut fault = None;
        for _ in 0..ANSWER_LOOKS {
            if !awaits(&outcome) {
                return outcome;
            }
            match self.take_brought(peer) {
                None => tokio::time::sleep(ANSWER_PAUSE).await,
                Some(taken) => fault = taken.err(),
            }
            outcome = look();
        }
        match fault {
            // What it brought itself was no help, and no other answer came.
            Some(fault) if awaits(&outcome) => {
                Err(Denied::Certificate(CertError::OcspInvalid(Position::LEAF, fault)))
            }
            _ => outcome,
        }
    }

    /// Looks at the OCSP answer that the peer brought; none: it brought none since the last look.
    fn take_brought(&self, peer: &Peer) -> Option<Result<(), OcspFault>> {
        let (answer, certificate) = (peer.brought()?, peer.fingerprint()?);
        Some(self.trust.take_stapled(&certificate, &answer, self.clock.now_us()))
    }

    /// How events name whoever connected, where its certificate is good.
    pub fn name(&self, peer: &Peer) -> Option<String> {
        let certificate = peer.certificate(&self.trust.current(), self.clock.now_us()).ok()?;
        Some(identity_text(&certificate.identity))
    }

    /// Whoever takes part: for what all may know. An office that is named is looked at like any caller's.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn member(&self, peer: &Peer, named: Option<OfficeNumber>) -> Result<Member, Denied> {
        let certificate = self.certificate(peer).await?;
        if let (Identity::Proxy { number }, None) = (&certificate.identity, named) {
            let number = number.parse().map_err(|_| Denied::ProxyUnknown)?;
            self.proxy(peer, &certificate, number).await?;
            return Ok(Member { who: Who::Proxy(number, None), office: None });
        }
        let caller = self.caller(peer, named, Scope::ReadStatus).await?;
        Ok(Member { who: caller.who, office: Some(caller.office) })
    }

    /// An office behind a connection that calls about its own taking part. Its certificate counts, not the directory.
    ///
    /// # Errors
    /// [`Denied`]. Terminals and proxies speak for nobody here.
    pub fn applicant(&self, peer: &Peer, named: Option<OfficeNumber>) -> Result<Applicant, Denied> {
        let certificate = peer.certificate(&self.trust.current(), self.clock.now_us())?;
        match &certificate.identity {
            Identity::Office { number } => {
                let office = own(number, named)?;
                Ok(Applicant { office, name: identity_text(&certificate.identity) })
            }
            Identity::Terminal { .. } | Identity::Proxy { .. } => Err(Denied::NotItself),
            Identity::Operator { .. } => Err(Denied::NotAnOffice),
        }
    }

    /// Asks again, for calls that last: certificate, standing, mandate. Returns the caller as it is now.
    ///
    /// # Errors
    /// [`Denied`].
    pub async fn still(&self, caller: &Caller) -> Result<Caller, Denied> {
        self.caller(&caller.peer, Some(caller.office), caller.scope).await
    }

    /// A proxy that takes part.
    async fn proxy(
        &self,
        peer: &Peer,
        certificate: &VerifiedCertificate,
        number: ProxyNumber,
    ) -> Result<(), Denied> {
        let proxy = self.directory.proxy_checked(number).await?.ok_or(Denied::ProxyUnknown)?;
        if proxy.state != ProxyState::Active {
            return Err(Denied::ProxySuspended);
        }
        if peer.shared.key_known.load(Ordering::Relaxed) {
            return Ok(());
        }
        if certificate.may_encrypt {
            let key = ProxyKeyRow {
                proxy: number,
                key: certificate.der.clone(),
                fingerprint: certificate.fingerprint,
                not_after_us: certificate.not_after_us,
                registered_us: 0,
            };
            self.register(peer, Change::Mandate(Box::new(Mandating::RegisterProxyKey(key)))).await;
        } else {
            self.note_seen(peer, certificate, Bearer::Proxy(number)).await;
        }
        Ok(())
    }

    /// Remembers that a mandate was used, beside the call. A proxy comes for hundreds of offices at once: their uses are written together.
    fn note_use(&self, caller: &Caller) {
        let now_us = self.clock.now_us();
        let Some(mandate) = caller.mandate.as_ref().filter(|mandate| mandate.used(now_us)) else { return };
        let mut uses = lock(&self.uses);
        uses.push(Use { mandate: mandate.row.digest, at_us: now_us });
        if uses.len() > 1 {
            return;
        }
        let (store, uses) = (self.store.clone(), Arc::clone(&self.uses));
        tokio::spawn(async move {
            tokio::time::sleep(USES_GATHERED).await;
            let uses = std::mem::take(&mut *lock(&uses));
            if let Err(error) = store.touch_mandates(&uses).await {
                tracing::warn!(%error, "the use of mandates can't be noted");
            }
        });
    }

    async fn offer_key(&self, peer: &Peer, certificate: &VerifiedCertificate, member: &directory::Member) {
        let known = &peer.shared.key_known;
        let registered = |key: &KeyRow| key.fingerprint == certificate.fingerprint;
        if known.load(Ordering::Relaxed) || member.keys.iter().any(registered) {
            return;
        }
        if !certificate.may_encrypt {
            return self.note_seen(peer, certificate, Bearer::Office(member.office.number)).await;
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
        self.register(peer, Change::RegisterKey(Box::new(row))).await;
    }

    /// Remembers a certificate that parcels can't be sealed to: it ends one day, too.
    async fn note_seen(&self, peer: &Peer, certificate: &VerifiedCertificate, bearer: Bearer) {
        match self.store.knows_certificate(&bearer, &certificate.fingerprint).await {
            Ok(true) => peer.shared.key_known.store(true, Ordering::Relaxed),
            Ok(false) => {
                let seen = CertificateRow::seen(
                    bearer,
                    &certificate.der,
                    certificate.fingerprint,
                    certificate.not_after_us,
                );
                self.register(peer, Change::Certificate(Box::new(Certifying::Seen(seen)))).await;
            }
            Err(error) => tracing::warn!(%error, "a certificate can't be remembered"),
        }
    }

    /// Has a key registered, once for each connection.
    async fn register(&self, peer: &Peer, change: Change) {
        let known = &peer.shared.key_known;
        match self.committer.submit(change).await {
            Ok(_) => known.store(true, Ordering::Relaxed),
            // The next call tries again.
            Err(refused) => tracing::warn!(reason = refused.code(), "a key can't be registered"),
        }
        if let Err(error) = self.directory.refresh().await {
            tracing::warn!(%error, "the directory's generation can't be read");
        }
    }
}

/// The own office of a certificate: a call that names another is for somebody else.
fn own(number: &str, named: Option<OfficeNumber>) -> Result<OfficeNumber, Denied> {
    let office = number.parse().map_err(|_| Denied::Unknown)?;
    if named.is_some_and(|named| named != office) { Err(Denied::NotItself) } else { Ok(office) }
}

/// The mandate that lets somebody act for an office.
fn holds<'m>(member: &'m directory::Member, role: &Role, fingerprint: &[u8; 32]) -> Option<&'m Arc<Mandate>> {
    member.mandates.iter().find(|mandate| match (&mandate.row.holder, role) {
        (Holder::Proxy(one), Role::Proxy { number }) => one == number,
        // A terminal's name is not enough: the certificate must be the one that its invitation led to, or a renewal of it.
        (Holder::Terminal(one), Role::Terminal { name }) => one == name && mandate.is_held_with(fingerprint),
        _ => false,
    })
}
