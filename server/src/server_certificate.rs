//! The relay's own TLS certificate: read at start, and again when its files change.
//!
//! Certificate and key are two files, so that they can't be replaced at one moment: a change is taken over when two looks
//! in a row found the same. What can't be used then is logged once, and the old certificate stays.

use std::path::PathBuf;
use std::time::Duration;

use tasuki_certs::identity::{IdentityError, KeyIdentity};
use tasuki_certs::tls::{ServerCertificate, TlsError};
use tasuki_proto::event::sha256;
use zeroize::Zeroizing;

use crate::clock::Clock;
use crate::config::ServerConfig;
use crate::key_file::{KeyFileError, read_secret};
use crate::trust::seconds;

/// The files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ServerCertificateError {
    /// The certificate's file.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key's file.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// What they hold.
    #[error("server.certificate and server.private_key: {0}")]
    Identity(#[from] IdentityError),
    /// TLS can't be set up with it.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A new certificate that clients would not accept today.
    #[error("{0}: the certificate is not valid now")]
    NotValid(PathBuf),
}

/// The certificate in use, and the files that it came from.
#[derive(Debug)]
pub struct Follower {
    files: Files,
    shown: ServerCertificate,
    /// Its end, Unix microseconds.
    until_us: i64,
    /// What the files were like when they were last taken over.
    in_use: Seen,
    /// What the last look found, where that differs from what is in use.
    changed: Option<Seen>,
    /// What could not be used, so that it is said once.
    refused: Option<Seen>,
}

#[derive(Clone, Debug)]
struct Files {
    certificate: PathBuf,
    private_key: PathBuf,
}

/// SHA-256 of what a look at the files found.
type Seen = [u8; 32];

type Contents = Result<(Vec<u8>, Zeroizing<Vec<u8>>), ServerCertificateError>;

impl Files {
    fn read(&self) -> Contents {
        let path = &self.certificate;
        let chain = std::fs::read(path)
            .map_err(|source| ServerCertificateError::File { path: path.clone(), source })?;
        Ok((chain, read_secret(&self.private_key)?))
    }
}

fn seen(contents: &Contents) -> Seen {
    match contents {
        Ok((chain, key)) => sha256(&[sha256(chain), sha256(key)].concat()),
        Err(error) => sha256(error.to_string().as_bytes()),
    }
}

impl Follower {
    /// Reads the files for the first time. A certificate that has ended is taken all the same: `doctor` and clients
    /// say so, and a relay that does not start would say less.
    ///
    /// # Errors
    /// [`ServerCertificateError`] names the file.
    pub fn load(config: &ServerConfig) -> Result<Self, ServerCertificateError> {
        let files =
            Files { certificate: config.certificate.clone(), private_key: config.private_key.clone() };
        let contents = files.read();
        let in_use = seen(&contents);
        let (chain, key) = contents?;
        let identity = KeyIdentity::from_pem(&chain, &key)?;
        let (_, until_us) = identity.validity_us()?;
        let shown = ServerCertificate::new(&identity)?;
        Ok(Self { files, shown, until_us, in_use, changed: None, refused: None })
    }

    /// What handshakes show.
    pub fn certificate(&self) -> ServerCertificate {
        self.shown.clone()
    }

    /// Looks at the files. `Ok(true)`: another certificate is shown from now on.
    ///
    /// # Errors
    /// What they hold by now can't be used. It is told once; the old certificate stays.
    pub fn look(&mut self, now_us: i64) -> Result<bool, ServerCertificateError> {
        let contents = self.files.read();
        let found = seen(&contents);
        if found == self.in_use {
            (self.changed, self.refused) = (None, None);
            return Ok(false);
        }
        let settled = self.changed.replace(found) == Some(found);
        if !settled || self.refused == Some(found) {
            return Ok(false);
        }
        self.refused = Some(found);
        let (chain, key) = contents?;
        let identity = KeyIdentity::from_pem(&chain, &key)?;
        let (from_us, until_us) = identity.validity_us()?;
        if !(from_us..=until_us).contains(&now_us) {
            return Err(ServerCertificateError::NotValid(self.files.certificate.clone()));
        }
        self.shown.replace(&identity)?;
        (self.in_use, self.until_us, self.changed, self.refused) = (found, until_us, None, None);
        Ok(true)
    }

    /// Looks again and again. Never ends.
    pub async fn follow(mut self, clock: std::sync::Arc<dyn Clock>, every: Duration) {
        let mut ticks = tokio::time::interval(every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let now_us = clock.now_us();
            // Two small files: that is less than handing the work to another thread.
            match self.look(now_us) {
                Ok(true) => tracing::info!("a new server certificate is in use"),
                Ok(false) => {}
                Err(error) => {
                    tracing::error!(%error, "the new server certificate can't be used; the old one stays");
                }
            }
            metrics::gauge!("tasuki_tls_certificate_seconds")
                .set(seconds(self.until_us.saturating_sub(now_us)));
        }
    }
}

#[cfg(test)]
mod tests {
    use tasuki_certs::trial_ca::{IssueOptions, TrialCa};

    use super::*;
    use crate::files::{Readers, replace};

    const DAY_US: i64 = 86_400 * 1_000_000;
    const NOW_US: i64 = 1_795_261_114_000_000;

    struct Place {
        folder: tempfile::TempDir,
        ca: TrialCa,
    }

    impl Place {
        fn config(&self) -> ServerConfig {
            ServerConfig {
                listen: "127.0.0.1:0".parse().unwrap(),
                certificate: self.folder.path().join("tls.pem"),
                private_key: self.folder.path().join("tls.key"),
                metrics_listen: None,
                drain_s: 1,
                ocsp_staple: true,
                ocsp_responder: String::new(),
            }
        }

        fn issue(&self, at_us: i64) -> (Vec<u8>, Vec<u8>) {
            let issued = self.ca.issue_server(&["localhost"], &IssueOptions::for_server(at_us)).unwrap();
            (issued.chain_pem().unwrap(), issued.key_pem().unwrap().to_vec())
        }

        fn put_certificate(&self, pem: &[u8]) {
            replace(&self.config().certificate, pem, Readers::All).unwrap();
        }

        fn put_key(&self, pem: &[u8]) {
            replace(&self.config().private_key, pem, Readers::Owner).unwrap();
        }
    }

    #[test]
    fn a_new_pair_is_taken_over_and_a_broken_one_is_told_once() {
        let ca = TrialCa::create("Relay CA", NOW_US).unwrap();
        let place = Place { folder: tempfile::tempdir().unwrap(), ca };
        let (chain, key) = place.issue(NOW_US);
        place.put_certificate(&chain);
        place.put_key(&key);
        let mut follower = Follower::load(&place.config()).unwrap();
        let until_us = follower.until_us;
        let look = |follower: &mut Follower| follower.look(NOW_US + DAY_US);
        assert!(!look(&mut follower).unwrap());

        // Key and certificate are replaced one after the other, a look falls between, and nobody is told.
        let (new_chain, new_key) = place.issue(NOW_US + DAY_US);
        place.put_key(&new_key);
        assert!(!look(&mut follower).unwrap());
        place.put_certificate(&new_chain);
        assert!(!look(&mut follower).unwrap(), "it may still be written");
        assert!(look(&mut follower).unwrap());
        assert!(!look(&mut follower).unwrap());
        assert_eq!(follower.until_us, until_us + DAY_US);

        place.put_certificate(b"no certificate");
        assert!(!look(&mut follower).unwrap());
        assert!(matches!(look(&mut follower), Err(ServerCertificateError::Identity(_))));
        assert!(!look(&mut follower).unwrap(), "once is enough");
        std::fs::remove_file(place.config().certificate).unwrap();
        assert!(!look(&mut follower).unwrap());
        assert!(matches!(look(&mut follower), Err(ServerCertificateError::File { .. })));
        // One whose time has not come, or has gone.
        for at_us in [NOW_US + 30 * DAY_US, NOW_US - 500 * DAY_US] {
            let (chain, key) = place.issue(at_us);
            place.put_certificate(&chain);
            place.put_key(&key);
            assert!(!look(&mut follower).unwrap());
            assert!(matches!(look(&mut follower), Err(ServerCertificateError::NotValid(_))));
        }
        // The good one again is no change at all.
        place.put_certificate(&new_chain);
        place.put_key(&new_key);
        assert!(!look(&mut follower).unwrap() && !look(&mut follower).unwrap());
        assert_eq!(follower.until_us, until_us + DAY_US);
    }
}
