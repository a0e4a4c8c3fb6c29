//! The trust store: an immutable snapshot of anchors, intermediates, CRLs, profile and policy, and what it verifies.

mod material;

use std::fmt;
use std::sync::Arc;

pub use self::material::{DEFAULT_MAX_INTERMEDIATES, TrustError, TrustMaterial};
use self::material::{contents_fingerprint, hash, read_cas};
use crate::certificate::Certificate;
use crate::chain::{Issuers, first_good_path};
use crate::crl::Crl;
use crate::crl_standing;
pub use crate::crl_standing::{CrlStanding, RankedCrl};
pub use crate::error::OcspFault;
use crate::error::{CertError, CrlFault, Position};
use crate::fetched_list;
pub use crate::fetched_list::{FetchedList, ListRefusal};
use crate::handover::{self, Handover};
use crate::identity::sha256;
use crate::ocsp::{self, OcspAnswer};
use crate::path;
use crate::profile::{CertificateProfile, Identity};
pub use crate::revocation::{
    AlarmState, OcspUse, OnDoubt, RevocationAge, RevocationAlarm, RevocationPolicy, Warning,
};
use crate::revocation::{Moment, Standing, has_revoked};
pub use crate::sources::{Inquiry, NotedPoint};
use crate::sources::{RELIED_ON_US, Sources};
pub use crate::usage::Purpose;

/// Certificates that may come along with the one that is verified. A chain has two or three; more is a way to make the
/// verifier work.
pub const MAX_EXTRA_CERTIFICATES: usize = 16;
/// A certificate whose chain was accepted, and what was used to accept it; whose it is has not been asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedChain {
    /// The chain, DER, from the certificate to the anchor, both included.
    pub chain: Vec<Vec<u8>>,
    /// SHA-256 of each CRL, and of each OCSP answer, that was relied on.
    pub crls: Vec<[u8; 32]>,
    /// The answer holds for no earlier time than this (Unix microseconds).
    pub valid_from_us: i64,
    /// The answer holds for no later time than this (Unix microseconds): the earliest end of validity in the chain,
    /// or the time when a CRL becomes stale.
    pub valid_until_us: i64,
    /// What somebody should see.
    pub warnings: Vec<Warning>,
}

/// A certificate that was accepted, and what was used to accept it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedCertificate {
    /// The certificate.
    pub der: Vec<u8>,
    /// SHA-256 of the certificate's DER.
    pub fingerprint: [u8; 32],
    /// Whom the certificate speaks for, by the profile.
    pub identity: Identity,
    /// Its `SubjectPublicKeyInfo`, DER.
    pub spki_der: Vec<u8>,
    /// `notBefore`, Unix microseconds.
    pub not_before_us: i64,
    /// `notAfter`, Unix microseconds; the last microsecond of the second that it names.
    pub not_after_us: i64,
    /// See [`VerifiedChain::valid_from_us`].
    pub valid_from_us: i64,
    /// See [`VerifiedChain::valid_until_us`].
    pub valid_until_us: i64,
    /// See [`VerifiedChain::chain`].
    pub chain: Vec<Vec<u8>>,
    /// See [`VerifiedChain::crls`].
    pub crls: Vec<[u8; 32]>,
    /// Whether parcels may be sealed to this certificate's key ([`Purpose::Seal`]).
    pub may_encrypt: bool,
    /// See [`VerifiedChain::warnings`].
    pub warnings: Vec<Warning>,
}

/// Whether these bytes are an answer of an OCSP responder rather than a CRL, by how they begin.
pub fn is_ocsp_answer(der: &[u8]) -> bool {
    OcspAnswer::looks_like_one(der)
}

/// Whether these bytes can be read as a CRL, whoever signed it.
pub fn is_revocation_list(der: &[u8]) -> bool {
    Crl::parse(der).is_ok()
}

/// Anchors, intermediates, CRLs, profile and policy: an immutable snapshot. A reload makes a new one.
pub struct TrustStore {
    contents: Arc<Contents>,
    policies: Policies,
    fingerprint: [u8; 32],
    sources: Arc<Sources>,
}

/// How revocation is decided, by anchor.
#[derive(Debug, Clone)]
struct Policies {
    general: RevocationPolicy,
    /// Of anchors that have their own, by SHA-256 of their DER.
    own: Vec<([u8; 32], RevocationPolicy)>,
}

impl Policies {
    fn of(&self, anchor: &Certificate) -> &RevocationPolicy {
        let fingerprint = sha256(&anchor.der);
        let own = self.own.iter().find(|(named, _)| *named == fingerprint);
        own.map_or(&self.general, |(_, policy)| policy)
    }

    /// What holds below an anchor holds below the one that took its place.
    fn inherit(&mut self, handovers: &[Handover]) {
        for handover in handovers.iter().take(handover::MAX_HANDOVERS) {
            let (before, next) = (sha256(&handover.previous), sha256(&handover.next));
            let own = self.own.iter().find(|(named, _)| *named == before).map(|(_, policy)| policy.clone());
            if let Some(policy) = own.filter(|_| self.own.iter().all(|(named, _)| *named != next)) {
                self.own.push((next, policy));
            }
        }
    }

    fn with_override(&self, until_us: Option<i64>) -> Self {
        let with =
            |policy: &RevocationPolicy| RevocationPolicy { override_until_us: until_us, ..policy.clone() };
        Self {
            general: with(&self.general),
            own: self.own.iter().map(|(anchor, policy)| (*anchor, with(policy))).collect(),
        }
    }
}

/// What snapshots that differ in policy only have in common.
struct Contents {
    anchors: Vec<Certificate>,
    intermediates: Vec<Certificate>,
    /// Keys of CAs that are not believed about any time from this on.
    withdrawn: Vec<(Vec<u8>, i64)>,
    crls: Vec<Crl>,
    answers: Vec<Arc<OcspAnswer>>,
    profile: CertificateProfile,
    max_intermediates: usize,
    fingerprint: [u8; 32],
}

impl TrustStore {
    /// Parses everything in `material`; the first thing that cannot be used is the error.
    pub fn new(material: TrustMaterial) -> Result<Self, TrustError> {
        if material.anchors.is_empty() {
            return Err(TrustError::NoAnchor);
        }
        let fingerprint = contents_fingerprint(&material);
        let (answers, crls): (Vec<_>, Vec<_>) =
            material.crls.iter().enumerate().partition(|(_, der)| OcspAnswer::looks_like_one(der));
        let read_answer = |(number, der): (usize, &Vec<u8>)| {
            let read = OcspAnswer::parse(der).map(Arc::new);
            read.map_err(|_| TrustError::Crl(number, CrlFault::Malformed))
        };
        let mut followed =
            handover::follow(read_cas(&material.anchors, TrustError::Anchor)?, &material.handovers);
        followed.intermediates.extend(read_cas(&material.intermediates, TrustError::Intermediate)?);
        let contents = Contents {
            anchors: followed.anchors,
            intermediates: followed.intermediates,
            withdrawn: followed.withdrawn,
            answers: answers.into_iter().map(read_answer).collect::<Result<_, _>>()?,
            crls: crls
                .into_iter()
                .map(|(number, der)| Crl::parse(der).map_err(|fault| TrustError::Crl(number, fault)))
                .collect::<Result<_, _>>()?,
            profile: material.profile,
            max_intermediates: usize::from(material.max_intermediates.min(32)),
            fingerprint,
        };
        let mut policies = Policies { general: material.policy, own: material.anchor_policies };
        policies.inherit(&material.handovers);
        Ok(Self::assemble(Arc::new(contents), policies, Arc::default()))
    }

    fn assemble(contents: Arc<Contents>, policies: Policies, sources: Arc<Sources>) -> Self {
        // Debug text of plain data names every field; it is compared only within one process.
        let fingerprint =
            hash(&[&contents.fingerprint, format!("{policies:?}").as_bytes(), &sources.news().to_be_bytes()]);
        Self { contents, policies, fingerprint, sources }
    }

    /// This snapshot, noting on where `before` noted: the one that takes its place.
    #[must_use]
    pub(crate) fn following(self, before: &Self) -> Self {
        Self::assemble(self.contents, self.policies, Arc::clone(&before.sources))
    }

    /// The same with what answers have said since it was made.
    #[must_use]
    pub(crate) fn renewed(&self) -> Self {
        Self::assemble(Arc::clone(&self.contents), self.policies.clone(), Arc::clone(&self.sources))
    }

    /// The same snapshot with another [`RevocationPolicy::override_until_us`].
    #[must_use]
    pub fn with_override(&self, until_us: Option<i64>) -> Self {
        let policies = self.policies.with_override(until_us);
        Self::assemble(Arc::clone(&self.contents), policies, Arc::clone(&self.sources))
    }

    /// The trust anchors, DER.
    pub fn anchors_der(&self) -> impl Iterator<Item = &[u8]> {
        self.contents.anchors.iter().map(|anchor| anchor.der.as_slice())
    }

    /// The intermediate CA certificates, DER.
    pub fn intermediates_der(&self) -> impl Iterator<Item = &[u8]> {
        self.contents.intermediates.iter().map(|one| one.der.as_slice())
    }

    /// Verifies `leaf_der` as of `at_us` (Unix microseconds): chain to an anchor, revocation, keys, usage, identity.
    ///
    /// `extra` are certificates that came along and may serve as intermediates; none of them is trusted. There may be
    /// [`MAX_EXTRA_CERTIFICATES`] of them; those that cannot be read are passed over.
    pub fn verify(
        &self,
        leaf_der: &[u8],
        extra: &[&[u8]],
        purpose: Purpose,
        at_us: i64,
    ) -> Result<VerifiedCertificate, CertError> {
        self.verify_as_of(leaf_der, extra, purpose, at_us, at_us)
    }

    /// [`TrustStore::verify`] about an earlier time: was the certificate good at `at_us`, as far as is known at
    /// `known_us` (both Unix microseconds)? CRLs issued between the two count: what they name as revoked by `at_us` is
    /// refused, and where they cover the certificate no older CRL is needed.
    pub fn verify_as_of(
        &self,
        leaf_der: &[u8],
        extra: &[&[u8]],
        purpose: Purpose,
        at_us: i64,
        known_us: i64,
    ) -> Result<VerifiedCertificate, CertError> {
        let leaf = Certificate::parse_at(leaf_der, Position::LEAF)?;
        let moment = Moment { at_us, known_us: known_us.max(at_us) };
        let verified = self.verify_parsed(&leaf, extra, purpose, moment)?;
        Ok(VerifiedCertificate {
            fingerprint: sha256(leaf_der),
            identity: self.contents.profile.identify(leaf_der)?,
            may_encrypt: Purpose::Seal.check_leaf(&leaf).is_ok(),
            not_before_us: leaf.not_before_us,
            not_after_us: leaf.not_after_us,
            valid_from_us: verified.valid_from_us,
            valid_until_us: verified.valid_until_us,
            chain: verified.chain,
            crls: verified.crls,
            warnings: verified.warnings,
            spki_der: leaf.spki,
            der: leaf.der,
        })
    }

    /// Everything that [`TrustStore::verify`] checks except the identity, which some certificates do not have: a
    /// server's, a timestamping authority's.
    pub fn verify_chain(
        &self,
        leaf_der: &[u8],
        extra: &[&[u8]],
        purpose: Purpose,
        at_us: i64,
    ) -> Result<VerifiedChain, CertError> {
        let leaf = Certificate::parse_at(leaf_der, Position::LEAF)?;
        self.verify_parsed(&leaf, extra, purpose, Moment { at_us, known_us: at_us })
    }

    fn verify_parsed(
        &self,
        leaf: &Certificate,
        extra: &[&[u8]],
        purpose: Purpose,
        moment: Moment,
    ) -> Result<VerifiedChain, CertError> {
        if extra.len() > MAX_EXTRA_CERTIFICATES {
            return Err(CertError::TooManyCertificates(MAX_EXTRA_CERTIFICATES));
        }
        // The key is judged before any signature is checked with it: its size decides what that costs.
        leaf.check_built(Position::LEAF)?;
        if leaf.is_ca {
            return Err(CertError::CaAsEndEntity);
        }
        // What cannot be read cannot be part of the chain; the chain is judged without it.
        let extra: Vec<Certificate> = extra.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
        let issuers = Issuers {
            anchors: &self.contents.anchors,
            intermediates: &self.contents.intermediates,
            extra: &extra,
            max_intermediates: self.contents.max_intermediates,
        };
        first_good_path(leaf, &issuers, |path| {
            path::check(path, moment.at_us)?;
            purpose.check_leaf(leaf)?;
            self.check_path(path, purpose, moment)
        })
    }

    /// Usage of the intermediates and revocation, on a path whose signatures are known to be good.
    fn check_path(
        &self,
        path: &[&Certificate],
        purpose: Purpose,
        moment: Moment,
    ) -> Result<VerifiedChain, CertError> {
        let mut verified = VerifiedChain {
            chain: path.iter().map(|certificate| certificate.der.clone()).collect(),
            crls: Vec::new(),
            valid_from_us: path.iter().map(|one| one.not_before_us).max().unwrap_or(i64::MAX),
            valid_until_us: path.iter().map(|one| one.not_after_us).min().unwrap_or(i64::MIN),
            warnings: Vec::new(),
        };
        for (index, certificate) in path.iter().enumerate().skip(1) {
            let Some(from_us) = self.withdrawn_us(certificate) else { continue };
            if moment.at_us >= from_us {
                return Err(CertError::IssuerWithdrawn(path::position(index - 1)));
            }
            verified.valid_until_us = verified.valid_until_us.min(from_us.saturating_sub(1));
        }
        let policy = path.last().map_or(&self.policies.general, |anchor| self.policies.of(anchor));
        for (index, pair) in path.windows(2).enumerate() {
            let [certificate, issuer] = pair else { continue };
            let position = path::position(index);
            purpose.check_extended(certificate, position)?;
            self.sources.note(certificate, issuer);
            let standing = self.standing(policy, certificate, issuer, position, moment)?;
            verified.crls.extend(standing.crls);
            verified.warnings.extend(standing.warnings);
            verified.valid_from_us = verified.valid_from_us.max(standing.from_us.unwrap_or(i64::MIN));
            verified.valid_until_us = verified.valid_until_us.min(standing.until_us.unwrap_or(i64::MAX));
        }
        Ok(verified)
    }

    /// From when on a CA is not believed any more, whoever else vouches for its key.
    fn withdrawn_us(&self, ca: &Certificate) -> Option<i64> {
        let of_key = self.contents.withdrawn.iter().filter(|(key, _)| *key == ca.spki);
        of_key.map(|(_, from_us)| *from_us).min()
    }

    /// Revocation of one certificate of a path, by lists and by answers.
    fn standing(
        &self,
        policy: &RevocationPolicy,
        certificate: &Certificate,
        issuer: &Certificate,
        position: Position,
        moment: Moment,
    ) -> Result<Standing, CertError> {
        let crls = &self.contents.crls;
        if policy.ocsp == OcspUse::Off {
            return policy.check(crls, &[], certificate, issuer, position, moment);
        }
        let fetched = self.sources.answers(certificate);
        let answers: Vec<Arc<OcspAnswer>> = self.contents.answers.iter().cloned().chain(fetched).collect();
        let mut outcome = policy.check(crls, &answers, certificate, issuer, position, moment);
        let is_now = moment.at_us == moment.known_us;
        let required = policy.ocsp == OcspUse::Require && !certificate.is_ca;
        let wanted =
            required || (certificate.ocsp_url.is_some() && (outcome.is_err() || !answers.is_empty()));
        if is_now && wanted {
            self.sources.ask(certificate, issuer, policy.max_ocsp_age_s, moment.known_us);
            if let Ok(standing) = &mut outcome {
                standing.no_longer_than(moment.known_us.saturating_add(RELIED_ON_US));
            }
        }
        outcome
    }

    /// Certificates that OCSP responders are to be asked about at `now_us` (Unix microseconds). At most 8,192; those
    /// that were not verified for an hour are forgotten.
    pub fn inquiries(&self, now_us: i64) -> Vec<Inquiry> {
        self.sources.inquiries(now_us)
    }

    /// The question for a responder, DER. `nonce`: what makes the answer one to this question.
    pub fn ocsp_question(&self, inquiry: &Inquiry, nonce: &[u8]) -> Option<Vec<u8>> {
        let certificate = Certificate::parse(&inquiry.certificate).ok()?;
        let issuer = Certificate::parse(&inquiry.issuer).ok()?;
        ocsp::question(&certificate, &issuer, nonce)
    }

    /// Judges an answer at `now_us` (Unix microseconds) and, if it is good, relies on it from now on. A responder that
    /// sends no nonce is believed for as long as its answer is fresh (RFC 5019). `true`: the certificate stands otherwise
    /// than before, and [`TrustStore::fingerprint`] of the next snapshot differs.
    ///
    /// # Errors
    /// [`OcspFault`]: what is held stays.
    pub fn take_answer(
        &self,
        inquiry: &Inquiry,
        answer: &[u8],
        nonce: &[u8],
        now_us: i64,
    ) -> Result<bool, OcspFault> {
        self.take(inquiry, OcspAnswer::parse(answer)?, Some(nonce), now_us)
    }

    /// The same for an answer that came along with the certificate (stapling): what it was an answer to is not known, so that it is worth what
    /// its time is. `false` also where no answer about the certificate (SHA-256) is wanted.
    ///
    /// # Errors
    /// [`OcspFault`]: what is held stays.
    pub fn take_stapled(
        &self,
        fingerprint: &[u8; 32],
        answer: &[u8],
        now_us: i64,
    ) -> Result<bool, OcspFault> {
        let Some(inquiry) = self.sources.inquiry(fingerprint) else { return Ok(false) };
        self.take(&inquiry, OcspAnswer::parse(answer)?, None, now_us)
    }

    fn take(
        &self,
        inquiry: &Inquiry,
        answer: OcspAnswer,
        nonce: Option<&[u8]>,
        now_us: i64,
    ) -> Result<bool, OcspFault> {
        let certificate =
            Certificate::parse(&inquiry.certificate).map_err(|_| OcspFault::OtherCertificate)?;
        let issuer = Certificate::parse(&inquiry.issuer).map_err(|_| OcspFault::OtherCertificate)?;
        let word = answer.about(&certificate, &issuer).ok_or(OcspFault::OtherCertificate)?;
        let moment = Moment { at_us: now_us, known_us: now_us };
        let responder = word.usability(&issuer, moment)?;
        if responder.is_some_and(|one| has_revoked(&self.contents.crls, &issuer, one, moment)) {
            return Err(OcspFault::ResponderRevoked);
        }
        if let (Some(sent), Some(own)) = (nonce, answer.nonce.as_deref())
            && own != sent
        {
            return Err(OcspFault::Nonce);
        }
        let policy = RevocationPolicy { max_ocsp_age_s: inquiry.max_age_s, ..RevocationPolicy::default() };
        let until_us = policy.answer_until_us(word);
        if now_us > until_us {
            return Err(OcspFault::Stale);
        }
        let held = inquiry.held().last().and_then(|held| held.about(&certificate, &issuer));
        let revoked = word.revoked_since_us().is_some();
        // Of two words of one second the one that revokes counts.
        let outdone = |held: ocsp::Word<'_>| {
            let (held_us, own_us) = (held.this_update_us(), word.this_update_us());
            held_us > own_us || (held_us == own_us && held.revoked_since_us().is_some() && !revoked)
        };
        if held.is_some_and(outdone) {
            return Err(OcspFault::Older);
        }
        let news = held.is_none_or(|held| held.revoked_since_us().is_some() != revoked);
        self.sources.keep(inquiry, answer, until_us, news);
        Ok(news)
    }

    /// SHA-256 over everything the snapshot is made of, policy and profile included: another value means that
    /// answers given before may no longer hold.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// What is wrong, or soon will be, at `now_us` (Unix microseconds) with the CRLs of the configured CAs.
    pub fn revocation_alarms(&self, now_us: i64) -> Vec<RevocationAlarm> {
        let cas = self.contents.anchors.iter().chain(&self.contents.intermediates);
        // The last list of a CA that is not believed any more stays what it is.
        let cas = cas.filter(|ca| self.withdrawn_us(ca).is_none());
        let alarm = |ca: &Certificate| {
            let state = self.policy_of_ca(ca).alarm(&self.contents.crls, ca, now_us)?;
            Some(RevocationAlarm { issuer: ca.subject_text(), state })
        };
        cas.filter_map(alarm).collect()
    }

    /// How old the CRLs of the configured CAs are. A CA without one is left out: there is an alarm for it.
    pub fn revocation_ages(&self) -> Vec<RevocationAge> {
        let cas = self.contents.anchors.iter().chain(&self.contents.intermediates);
        cas.filter_map(|ca| self.policy_of_ca(ca).age_of_lists(&self.contents.crls, ca)).collect()
    }

    /// The DER of a CRL, or of an OCSP answer, that [`VerifiedChain::crls`] names: with the chain, what a later check needs to come to the
    /// same answer. `None`: this snapshot does not have it.
    pub fn crl_der(&self, fingerprint: &[u8; 32]) -> Option<Arc<[u8]>> {
        let list = self.contents.crls.iter().find(|crl| crl.fingerprint == *fingerprint);
        let answer = || self.contents.answers.iter().find(|one| one.fingerprint == *fingerprint);
        list.map(|crl| &crl.der)
            .or_else(|| answer().map(|one| &one.der))
            .map(Arc::clone)
            .or_else(|| self.sources.answer_der(fingerprint))
    }

    /// Every CRL of this snapshot: SHA-256 and DER.
    pub fn crls(&self) -> impl Iterator<Item = ([u8; 32], Arc<[u8]>)> {
        self.contents.crls.iter().map(|crl| (crl.fingerprint, Arc::clone(&crl.der)))
    }

    /// How each CRL of this snapshot stands at `now_us` (Unix microseconds): what whoever has room for some only
    /// keeps first.
    pub fn ranked_crls(&self, now_us: i64) -> Vec<RankedCrl> {
        let cas: Vec<&Certificate> =
            self.contents.anchors.iter().chain(&self.contents.intermediates).collect();
        crl_standing::rank(&self.contents.crls, &cas, now_us)
    }

    /// The profile in force.
    pub fn profile(&self) -> &CertificateProfile {
        &self.contents.profile
    }

    /// The revocation policy in force, below anchors that have none of their own.
    pub fn policy(&self) -> &RevocationPolicy {
        &self.policies.general
    }

    /// The policy below the anchor that a configured CA's chain ends in.
    fn policy_of_ca(&self, ca: &Certificate) -> &RevocationPolicy {
        if self.policies.own.is_empty() {
            return &self.policies.general;
        }
        let mut at = ca;
        for _ in 0..=self.contents.max_intermediates {
            if let Some(anchor) = self.contents.anchors.iter().find(|anchor| anchor.der == at.der) {
                return self.policies.of(anchor);
            }
            let cas = self.contents.anchors.iter().chain(&self.contents.intermediates);
            let mut issuers = cas.filter(|above| above.der != at.der && above.issued(at));
            let Some(above) = issuers.next() else { break };
            at = above;
        }
        &self.policies.general
    }

    /// The CRL distribution points of certificates that were verified so far, and whose lists are there. At most 128.
    pub fn noted_points(&self) -> Vec<NotedPoint> {
        self.sources.points()
    }

    /// Judges a list that was fetched, at `now_us` (Unix microseconds): whether it may be used beside, or in the place
    /// of, those that this snapshot holds. `issuers`: certificates of CAs, DER, that are no configured ones and whose
    /// lists are wanted all the same; the caller vouches for them.
    ///
    /// # Errors
    /// [`ListRefusal`].
    pub fn judge_list(
        &self,
        bytes: &[u8],
        issuers: &[&[u8]],
        now_us: i64,
    ) -> Result<FetchedList, ListRefusal> {
        let further: Vec<Certificate> =
            issuers.iter().filter_map(|der| Certificate::parse(der).ok()).filter(|one| one.is_ca).collect();
        let cas = self.contents.anchors.iter().chain(&self.contents.intermediates).chain(&further);
        fetched_list::judge(bytes, &self.contents.crls, cas, now_us)
    }
}

impl fmt::Debug for TrustStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustStore")
            .field("anchors", &self.contents.anchors.len())
            .field("intermediates", &self.contents.intermediates.len())
            .field("crls", &self.contents.crls.len())
            .finish_non_exhaustive()
    }
}

/// Where the current [`TrustStore`] comes from: a fixed one, or one that follows its files.
pub trait CurrentTrust: Send + Sync {
    /// The snapshot to use now.
    fn current(&self) -> Arc<TrustStore>;
}

impl CurrentTrust for Arc<TrustStore> {
    fn current(&self) -> Arc<TrustStore> {
        Self::clone(self)
    }
}
