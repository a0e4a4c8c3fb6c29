//! The relay's own certificate and key, which can be replaced while the relay runs.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{TlsError, certified};
use crate::identity::KeyIdentity;

/// What the relay shows to clients and signs handshakes with. Clones share it.
#[derive(Debug, Clone)]
pub struct ServerCertificate(Arc<RwLock<Arc<CertifiedKey>>>);

impl ServerCertificate {
    /// Shows the certificate of `identity`.
    pub fn new(identity: &KeyIdentity) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(RwLock::new(Arc::new(certified(identity)?)))))
    }

    /// Shows another certificate in every handshake that begins from now on. After an error the old one stays.
    pub fn replace(&self, identity: &KeyIdentity) -> Result<(), TlsError> {
        let certified = Arc::new(certified(identity)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = certified;
        Ok(())
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The value is replaced whole: a panic elsewhere leaves nothing half written.
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}
