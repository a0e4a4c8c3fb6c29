//! Taking up an invitation: a new terminal has a code and a key of its own, and gets a certificate of the relay's CA.
//!
//! The relay never has the code. It sees the code's public key in the office's invitation, and that key's signature over the
//! terminal's: so it can check who enrols, and can't enrol anybody by itself.

mod tries;

use std::net::IpAddr;
use std::sync::Arc;

use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::profile::Identity;
use tasuki_certs::request::{RequestError, RequestedKey};
use tasuki_certs::trial_ca::IssueOptions;
use tasuki_certs::trust::{CurrentTrust as _, Purpose};
use tasuki_proto::event::sha256;
use tasuki_proto::ids::is_office;
use tasuki_proto::mandate::{Enrolment, KeyChain};
use tasuki_proto::reason;

use crate::clock::Clock;
use crate::store::mandates::{Holder, MandateRow};
use crate::trial_ca::{CaError, TrialCaFiles};
use crate::trust::Trust;
use tries::Tries;

/// Why nobody is enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// A stable reason word.
    #[error("{0}")]
    Because(&'static str),
    /// The request for a certificate does not hold.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The CA can't issue.
    #[error(transparent)]
    Ca(#[from] CaError),
}

/// A terminal's certificate, and the mandate as it stands with it.
#[derive(Debug)]
pub struct Enrolled {
    /// The mandate, with certificate, enrolment and its new end.
    pub row: MandateRow,
    /// Certificates above the terminal's, DER, the root last.
    pub chain: Vec<Vec<u8>>,
    /// It has been enrolled before, with the same key.
    pub repeated: bool,
}

/// Issues certificates of terminals.
#[derive(Debug)]
pub struct Enrolments {
    ca: Option<Arc<TrialCaFiles>>,
    trust: Trust,
    verifier: Arc<SignatureVerifier>,
    clock: Arc<dyn Clock>,
    tries: Tries,
}

impl Enrolments {
    /// Issues with this CA; none: nobody can be enrolled here.
    pub fn new(
        ca: Option<Arc<TrialCaFiles>>,
        trust: Trust,
        verifier: Arc<SignatureVerifier>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { ca, trust, verifier, clock, tries: Tries::default() }
    }

    /// Whether this relay issues certificates.
    pub fn offered(&self) -> bool {
        self.ca.is_some()
    }

    /// Whether an address may try a code now.
    pub fn may_try(&self, address: IpAddr) -> bool {
        self.tries.may_try(address, self.clock.now_us())
    }

    /// Notes a code that was none; true: this address is locked out from now on.
    pub fn failed(&self, address: IpAddr) -> bool {
        self.tries.failed(address, self.clock.now_us())
    }

    /// Whether an invitation can be taken up now: its time, and the office's signature.
    ///
    /// # Errors
    /// [`EnrolError::Because`] with `CODE_USED`.
    pub fn check_open(&self, row: &MandateRow) -> Result<(), EnrolError> {
        self.signer_ends_us(row).map(|_| ())
    }

    fn signer_ends_us(&self, row: &MandateRow) -> Result<i64, EnrolError> {
        let now_us = self.clock.now_us();
        let over = EnrolError::Because(reason::CODE_USED);
        if row.ended_us != 0 || now_us >= row.until_us {
            return Err(over);
        }
        match self.verifier.verify(&row.cms, None, now_us) {
            Ok(signed) if is_office(&signed.signer.identity, row.office) => Ok(signed.signer.not_after_us),
            // Revoked since, or ended: the invitation is worth nothing any more.
            _ => Err(over),
        }
    }

    /// Checks what a terminal brings, and issues its certificate. Reads and writes files: no work for the threads that
    /// serve the network. Nothing is in force before the row is committed.
    ///
    /// `others` are the office's mandates, none of which may have the same key.
    ///
    /// # Errors
    /// [`EnrolError`].
    pub fn issue(
        &self,
        row: MandateRow,
        others: &[MandateRow],
        enrolment: &[u8],
        request: &[u8],
    ) -> Result<Enrolled, EnrolError> {
        let ca = self.ca.as_ref().ok_or(EnrolError::Because(reason::NO_ISSUING_CA))?;
        let unknown = EnrolError::Because(reason::CODE_UNKNOWN);
        let Holder::Terminal(name) = &row.holder else { return Err(unknown) };
        let Ok(code_key) = <[u8; 32]>::try_from(row.code_key.as_slice()) else { return Err(unknown) };
        let Ok(said) = Enrolment::verify(enrolment, &code_key) else { return Err(unknown) };
        let fits = said.office == row.office && said.name == *name && said.invitation == row.digest;
        if !fits {
            return Err(unknown);
        }
        let (office, now_us) = (row.office.to_string(), self.clock.now_us());
        let key = RequestedKey::read(request, &office, name)?;
        if sha256(key.spki_der()) != said.key {
            return Err(RequestError::Signature.into());
        }
        let authority = ca.load()?;
        if !row.certificate.is_empty() {
            // The answer was lost: the same key gets the same certificate.
            let same = key_of(&row) == Some(said.key);
            return if same {
                let chain = ca.chain_of(&row.certificate)?;
                Ok(Enrolled { row, chain, repeated: true })
            } else {
                Err(EnrolError::Because(reason::CODE_USED))
            };
        }
        let signer_ends_us = self.signer_ends_us(&row)?;
        let has_it = |other: &MandateRow| {
            KeyChain::peek(&other.enrolment).is_ok_and(|keys| keys.keys().any(|key| key == said.key))
        };
        if others.iter().any(has_it) {
            return Err(RequestError::Subject.into());
        }
        let not_after_us = now_us.saturating_add(ca.certificate_life_us());
        let options = IssueOptions { not_after_us, ..IssueOptions::new(now_us) };
        let issued = authority.issue_terminal_for(&office, name, &key, &options).map_err(CaError::from)?;
        // What is not in the register can't be revoked: it comes first.
        ca.register(&format!("{office}:{name}"), &issued.cert_der, &issued.serial, now_us)?;
        let identity = Identity::Terminal { office, name: name.clone() };
        let verified = self.trust.current().verify(&issued.cert_der, &[], Purpose::TlsClient, now_us);
        let Some(verified) = verified.ok().filter(|verified| verified.identity == identity) else {
            tracing::error!("the relay's CA is none of its trust anchors, or its profile names no terminals");
            return Err(EnrolError::Because(reason::NO_ISSUING_CA));
        };
        let until_us = verified.not_after_us.min(signer_ends_us);
        let row = MandateRow {
            fingerprint: verified.fingerprint.to_vec(),
            certificate: issued.cert_der,
            enrolment: enrolment.to_vec(),
            until_us,
            ..row
        };
        Ok(Enrolled { row, chain: issued.chain, repeated: false })
    }
}

/// SHA-256 of the key that a terminal enrolled with.
fn key_of(row: &MandateRow) -> Option<[u8; 32]> {
    KeyChain::peek(&row.enrolment).ok().map(|said| said.enrolment.key)
}
