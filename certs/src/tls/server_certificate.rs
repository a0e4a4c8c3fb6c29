//! The relay's own certificate and key, which can be replaced while the relay runs, and the OCSP answer that is shown with it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, certified};
use crate::certificate::Certificate;
use crate::error::OcspFault;
use crate::identity::KeyIdentity;
use crate::ocsp;
use crate::stapled::judge_given;

/// What the relay shows to clients and signs handshakes with. Clones share it.
#[derive(Debug, Clone)]
pub struct ServerCertificate(Arc<RwLock<Shown>>);

#[derive(Debug)]
struct Shown {
    certified: Arc<CertifiedKey>,
    about: Option<Arc<Stapling>>,
}

/// A certificate that a responder can be asked about.
#[derive(Debug)]
struct Stapling {
    certificate: Certificate,
    /// `None`: it is not in the chain, so that no question can be asked.
    issuer: Option<Certificate>,
}

/// The certificate that a server shows, for whoever asks a responder about it.
#[derive(Debug, Clone)]
pub struct ServerInquiry(Arc<Stapling>);

/// Why an answer is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotShown {
    /// It can't be relied on.
    #[error(transparent)]
    Fault(#[from] OcspFault),
    /// The responder says that the server's certificate is revoked.
    #[error("the responder says that the server's certificate is revoked")]
    Revoked,
    /// The server shows another certificate by now.
    #[error("the server shows another certificate by now")]
    Replaced,
}

impl NotShown {
    /// A stable word for metrics and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Fault(fault) => fault.code(),
            Self::Revoked => "OCSP_REVOKED",
            Self::Replaced => "OCSP_OTHER_CERTIFICATE",
        }
    }
}

impl Shown {
    fn new(identity: &KeyIdentity) -> Result<Self, TlsError> {
        let certified = Arc::new(certified(identity)?);
        let about = Stapling::of(identity).map(Arc::new);
        Ok(Self { certified, about })
    }
}

impl Stapling {
    /// `None`: the certificate can't be read.
    fn of(identity: &KeyIdentity) -> Option<Self> {
        let (leaf, above) = identity.chain_der().split_first()?;
        let certificate = Certificate::parse(leaf).ok()?;
        let mut above = above.iter().filter_map(|der| Certificate::parse(der).ok());
        let issuer = above.find(|one| one.issued(&certificate));
        Some(Self { certificate, issuer })
    }
}

impl ServerInquiry {
    /// The responder that the certificate names; `None`: it names none.
    pub fn url(&self) -> Option<&str> {
        self.0.certificate.ocsp_url.as_deref()
    }

    /// Whether clients will insist on an answer (RFC 7633).
    pub fn must_staple(&self) -> bool {
        self.0.certificate.must_staple()
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::identity::sha256(&self.0.certificate.der)
    }

    /// Whether the chain holds the issuer's certificate, without which there is no question.
    pub fn knows_issuer(&self) -> bool {
        self.0.issuer.is_some()
    }

    /// The question for a responder, DER; `None`: the issuer is not known. `nonce`: what makes the answer one to this question.
    pub fn question(&self, nonce: &[u8]) -> Option<Vec<u8>> {
        ocsp::question(&self.0.certificate, self.0.issuer.as_ref()?, nonce)
    }
}

impl ServerCertificate {
    /// Shows the certificate of `identity`.
    pub fn new(identity: &KeyIdentity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Shown::new(identity)?))))
    }

    /// Shows another certificate in every handshake that begins from now on. After an error the old one stays.
    pub fn replace(&self, identity: &KeyIdentity) -> Result<(), TlsError> {
        let shown = Shown::new(identity)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = shown;
        Ok(())
    }

    /// What a responder is to be asked about. `None`: the certificate can't be read.
    pub fn inquiry(&self) -> Option<ServerInquiry> {
        self.read().about.clone().map(ServerInquiry)
    }

    /// Judges the answer to a question at `now_us` (Unix microseconds) and, if it says that all is well, shows it in every handshake that
    /// begins from now on (RFC 6066 section 8, RFC 8446 section 4.4.2.1). Gives its last microsecond (Unix time): then it must be another, or
    /// none.
    ///
    /// # Errors
    /// [`NotShown`]: what was shown before still is, but for [`NotShown::Revoked`].
    pub fn staple(
        &self,
        about: &ServerInquiry,
        answer: &[u8],
        nonce: &[u8],
        now_us: i64,
    ) -> Result<i64, NotShown> {
        let issuer = about.0.issuer.as_ref().ok_or(OcspFault::OtherCertificate)?;
        let judged = judge_given(answer, nonce, &about.0.certificate, issuer, now_us)?;
        if judged.revoked {
            self.show(about, None)?;
            return Err(NotShown::Revoked);
        }
        self.show(about, Some(answer.to_vec()))?;
        Ok(judged.until_us)
    }

    /// Shows no answer any more: its time is over.
    pub fn unstaple(&self, about: &ServerInquiry) {
        // Another certificate by now has none of this one's.
        let _replaced = self.show(about, None);
    }

    fn show(&self, about: &ServerInquiry, answer: Option<Vec<u8>>) -> Result<(), NotShown> {
        let mut shown = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !shown.about.as_ref().is_some_and(|now| Arc::ptr_eq(now, &about.0)) {
            return Err(NotShown::Replaced);
        }
        shown.certified = Arc::new(CertifiedKey { ocsp: answer, ..CertifiedKey::clone(&shown.certified) });
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Shown> {
        // The value is replaced whole: a panic elsewhere leaves nothing half written.
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.read().certified))
    }
}
