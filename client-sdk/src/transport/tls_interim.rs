//! Until `tasuki_certs::tls` lands.
use std::sync::Arc;

use tasuki_certs::identity::KeyIdentity;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore, crypto::ring};

pub(super) fn client_config(ca: &[Vec<u8>], identity: &KeyIdentity) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    for der in ca {
        roots.add(CertificateDer::from(der.clone()))?;
    }
    let chain = identity.chain_der().iter().map(|c| CertificateDer::from(c.clone())).collect();
    let key = identity.private_key_pkcs8_der().map_err(|e| Error::General(e.to_string()))?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}
