//! Renewing certificates of the relay's own CA: who is connected with one gets another for a new key, before it ends.
//!
//! The key before signs the new one (`tasuki_proto::mandate::Renewal`). For a terminal that signature is what others check, beside
//! the office's invitation: the certificate alone would be the relay's word.

use std::sync::Arc;

use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::profile::Identity;
use tasuki_certs::request::{RequestError, RequestedKey};
use tasuki_certs::trial_ca::{Certified, IssueOptions, TrialCa, TrialCaError};
use tasuki_certs::trust::{CurrentTrust as _, Purpose, TrustStore, VerifiedCertificate};
use tasuki_proto::event::sha256;
use tasuki_proto::ids::{identity_text, is_office};
use tasuki_proto::mandate::{KeyChain, Renewal};
use tasuki_proto::{limits, reason};

use crate::clock::Clock;
use crate::committer::change::Renewing;
use crate::enrolments::EnrolError;
use crate::store::certificates::{Bearer, CertificateRow};
use crate::store::mandates::MandateRow;
use crate::trial_ca::{CaError, TrialCaFiles};
use crate::trust::Trust;

/// Certificates of one holder that have not ended and are not revoked: what an office needs for its computers, and their renewals.
const MAX_LIVE: usize = 32;

/// A renewal that was signed longer ago is not taken: whoever wants a new certificate signs now.
const MAX_AGE_US: i64 = 24 * 3_600 * 1_000_000;

/// Who asks, and what is known of it.
#[derive(Debug)]
pub struct Asking {
    /// The certificate with which it is connected.
    pub current: Arc<VerifiedCertificate>,
    /// Whose that is.
    pub bearer: Bearer,
    /// Its name in the directory, for the new certificate.
    pub name: String,
    /// What lets it act, where it is a terminal.
    pub mandate: Option<MandateRow>,
    /// Certificates of the same holder that have not ended.
    pub known: Vec<CertificateRow>,
}

/// A renewed certificate.
#[derive(Debug)]
pub struct Renewed {
    /// DER.
    pub certificate: Vec<u8>,
    /// Certificates above it, DER, the root last.
    pub chain: Vec<Vec<u8>>,
    /// Until when its holder may act with it, Unix microseconds.
    pub until_us: i64,
    /// What is to be committed before anybody gets it; absent: it was renewed before, with the same key.
    pub change: Option<Renewing>,
}

/// Renews certificates.
#[derive(Debug)]
pub struct Renewals {
    ca: Option<Arc<TrialCaFiles>>,
    trust: Trust,
    verifier: Arc<SignatureVerifier>,
    clock: Arc<dyn Clock>,
}

impl Renewals {
    /// Renews with this CA; none: nothing is renewed here.
    pub fn new(
        ca: Option<Arc<TrialCaFiles>>,
        trust: Trust,
        verifier: Arc<SignatureVerifier>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { ca, trust, verifier, clock }
    }

    /// Checks what a holder brings, and issues its next certificate. Reads and writes files: no work for the threads that serve the
    /// network. Nothing is in force before the change is committed.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn issue(&self, asking: Asking, renewal: &[u8], request: &[u8]) -> Result<Renewed, EnrolError> {
        let ca = self.ca.as_ref().ok_or(EnrolError::Because(reason::NO_ISSUING_CA))?;
        let now_us = self.clock.now_us();
        let Asking { current, bearer, name, mandate, known } = asking;
        let said = check(renewal, &current, now_us)?;
        let (number, common) = subject(&bearer);
        let key = RequestedKey::read(request, &number, &common)?;
        if sha256(key.spki_der()) != said.key {
            return Err(RequestError::Signature.into());
        }
        let authority = ca.load()?;
        // Whoever else issued it renews it: this CA does not vouch for what others looked at.
        let own = current.chain.get(1).map(|above| ca.is_own(above)).transpose()?;
        if own != Some(true) {
            return Err(EnrolError::Because(reason::RENEWAL_ELSEWHERE));
        }
        let trust = self.trust.current();
        let own_key = |row: &CertificateRow| key_of(row, &trust, now_us);
        if let Some(before) = known.iter().find(|row| own_key(row) == Some(said.key)) {
            if before.renews != Some(current.fingerprint) {
                // A key that it has anyhow, by another way: that is none to take another's place.
                return Err(RequestError::Subject.into());
            }
            let (certificate, until_us) = (before.certificate.clone(), before.not_after_us);
            let chain = ca.chain_of(&certificate)?;
            return Ok(Renewed { certificate, chain, until_us, change: None });
        }
        if known.iter().any(|row| row.renews == Some(current.fingerprint)) {
            return Err(EnrolError::Because(reason::RENEWED_ALREADY));
        }
        if known.len() >= MAX_LIVE {
            return Err(EnrolError::Because(reason::RENEWED_TOO_OFTEN));
        }
        // Without its office's word a terminal is none: its time ends with the certificate that invited it.
        let mandate = mandate.map(|row| self.prolong(row, &current, renewal)).transpose()?;
        let not_after_us = now_us.saturating_add(ca.certificate_life_us());
        let options = IssueOptions { not_after_us, ..IssueOptions::new(now_us) };
        let issued = certify(&authority, &bearer, &name, &key, &options).map_err(CaError::from)?;
        // What is not in the register can't be revoked: it comes first.
        ca.register(&registered(&bearer), &issued.cert_der, &issued.serial, now_us)?;
        let verified = trust.verify(&issued.cert_der, &[], Purpose::TlsClient, now_us);
        let Some(verified) = verified.ok().filter(|verified| verified.identity == current.identity) else {
            tracing::error!(
                "the relay's CA is none of its trust anchors, or its profile does not name what it issues"
            );
            return Err(EnrolError::Because(reason::NO_ISSUING_CA));
        };
        let until_us =
            mandate.as_ref().map_or(i64::MAX, |(_, until_us)| *until_us).min(verified.not_after_us);
        let mut row = CertificateRow::seen(bearer, &issued.cert_der, verified.fingerprint, until_us);
        row.renews = Some(current.fingerprint);
        row.renewal = renewal.to_vec();
        let mandate = mandate.map(|(mandate, _)| MandateRow {
            certificate: issued.cert_der.clone(),
            fingerprint: verified.fingerprint.to_vec(),
            previous: current.der.clone(),
            until_us,
            ..mandate
        });
        let change =
            Renewing { row, not_after_us: verified.not_after_us, may_encrypt: verified.may_encrypt, mandate };
        Ok(Renewed { certificate: issued.cert_der, chain: issued.chain, until_us, change: Some(change) })
    }

    /// A terminal's mandate with the renewal behind its enrolment, and until when its office's word can be checked.
    fn prolong(
        &self,
        row: MandateRow,
        current: &VerifiedCertificate,
        renewal: &[u8],
    ) -> Result<(MandateRow, i64), EnrolError> {
        if row.fingerprint != current.fingerprint {
            return Err(EnrolError::Because(reason::RENEWED_ALREADY));
        }
        let signed = self.verifier.verify(&row.cms, None, self.clock.now_us());
        let Some(signed) = signed.ok().filter(|signed| is_office(&signed.signer.identity, row.office)) else {
            return Err(EnrolError::Because(reason::MANDATE_ENDED));
        };
        let enrolment = [&row.enrolment, renewal].concat();
        // What the receivers will look at.
        if KeyChain::peek(&enrolment).is_err() {
            return Err(EnrolError::Because(reason::RENEWED_TOO_OFTEN));
        }
        let ends_us = signed.signer.not_after_us;
        Ok((MandateRow { enrolment, ..row }, ends_us))
    }
}

/// The renewal, if it is this holder's, signed now with the key of this certificate, for another key.
fn check(renewal: &[u8], current: &VerifiedCertificate, now_us: i64) -> Result<Renewal, EnrolError> {
    let invalid = || EnrolError::Because(reason::RENEWAL_INVALID);
    let said = Renewal::verify(renewal).map_err(|_| invalid())?;
    let time = now_us.saturating_sub(MAX_AGE_US)..=now_us.saturating_add(limits::MAX_CLOCK_AHEAD_US);
    let fits = said.holder == identity_text(&current.identity)
        && said.previous == current.spki_der
        && said.key != sha256(&current.spki_der)
        && time.contains(&said.time_us);
    if fits { Ok(said) } else { Err(invalid()) }
}

/// `serialNumber` and CN that a request names.
fn subject(bearer: &Bearer) -> (String, String) {
    match bearer {
        Bearer::Office(number) => (number.to_string(), number.to_string()),
        Bearer::Proxy(number) => (number.to_string(), number.to_string()),
        Bearer::Terminal(office, name) => (office.to_string(), name.clone()),
    }
}

/// As the CA's register names holders.
fn registered(bearer: &Bearer) -> String {
    match bearer {
        Bearer::Office(number) => number.to_string(),
        Bearer::Proxy(number) => number.to_string(),
        Bearer::Terminal(office, name) => format!("{office}:{name}"),
    }
}

fn certify(
    authority: &TrialCa,
    bearer: &Bearer,
    name: &str,
    key: &RequestedKey,
    options: &IssueOptions,
) -> Result<Certified, TrialCaError> {
    match bearer {
        Bearer::Office(number) => authority.issue_office_for(number.as_str(), name, key, options),
        Bearer::Proxy(number) => authority.issue_proxy_for(number.as_str(), name, key, options),
        Bearer::Terminal(office, name) => authority.issue_terminal_for(office.as_str(), name, key, options),
    }
}

/// SHA-256 of the key of a certificate that still verifies.
fn key_of(row: &CertificateRow, trust: &TrustStore, now_us: i64) -> Option<[u8; 32]> {
    let verified = trust.verify(&row.certificate, &[], Purpose::Any, now_us).ok()?;
    matches!(
        (&verified.identity, &row.bearer),
        (Identity::Office { .. }, Bearer::Office(_))
            | (Identity::Terminal { .. }, Bearer::Terminal(..))
            | (Identity::Proxy { .. }, Bearer::Proxy(_))
    )
    .then(|| sha256(&verified.spki_der))
}
