//! The operator of a command: certificate and key by `--operator`, and what they sign.

use std::io::IsTerminal as _;
use std::path::Path;

use console::Term;
use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::Identity;
use tasuki_proto::operator::OperatorAct;
use tasuki_proto::reason;
use zeroize::Zeroizing;

use super::exit::Failure;
use crate::committer::administering::Described;
use crate::committer::change::{By, SignedAct};
use crate::config::{Config, OperatorFiles};
use crate::key_file::read_secret;
use crate::store::Store;
use crate::trust::Trust;

/// An operator's key, and what the relay believes of its certificate.
pub(super) struct OperatorKey {
    identity: KeyIdentity,
    verifier: SignatureVerifier,
    name: String,
}

impl std::fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OperatorKey").field("name", &self.name).finish_non_exhaustive()
    }
}

impl OperatorKey {
    /// Reads the files. They are secrets: others than their owner may not read them.
    pub(super) async fn load(files: &OperatorFiles, config: &Config, store: &Store) -> Result<Self, Failure> {
        let identity = read(files)?;
        let trust = Trust::load_with(&config.trust, store).await?;
        let profile = tasuki_certs::trust::CurrentTrust::current(&trust).profile().clone();
        let Ok(Identity::Operator { name }) = profile.identify(identity.certificate_der()) else {
            return Err(Failure::usage(
                "OPERATOR_FILE",
                "--operator の証明書は運用担当者のものではありません",
                "the certificate of --operator is no operator's",
            ));
        };
        Ok(Self { identity, verifier: SignatureVerifier::new(trust), name })
    }

    /// Signs what is to be done. A signature that the relay does not believe is told to the committer all the same, which
    /// refuses and has the log say so.
    pub(super) fn sign(&self, described: Described, log: &str, now_us: i64) -> Result<By, Failure> {
        let mut nonce = [0; 16];
        SystemRandom::new().fill(&mut nonce).map_err(|_| {
            Failure::rejected("NO_RANDOMNESS", "乱数を得られません", "the system gives no random bytes")
        })?;
        let Described { kind, role, details } = described;
        let act = OperatorAct {
            log: log.to_owned(),
            operator: self.name.clone(),
            kind: kind.to_owned(),
            role,
            details,
            nonce,
            time_us: now_us,
        };
        let cms = cms_sign::sign(&self.identity, act.print().as_bytes(), Content::Attached, now_us);
        let cms = cms.map_err(|error| Failure::Setup(format!("--operator: {error}")))?;
        Ok(self.believed(act, cms, now_us))
    }

    fn believed(&self, act: OperatorAct, cms: Vec<u8>, now_us: i64) -> By {
        let key = self.identity.fingerprint();
        let read = self.verifier.verify(&cms, None, now_us).map(|verified| {
            let named =
                matches!(&verified.signer.identity, Identity::Operator { name } if *name == act.operator);
            named && verified.content == Some(act.print().as_bytes())
        });
        match read {
            Err(error) => By::Stranger { reason: reason::explain(error.code()).code, key },
            Ok(false) => By::Stranger { reason: reason::OPERATOR_UNKNOWN, key },
            Ok(true) => By::Operator(Box::new(SignedAct { act, cms, signer: key })),
        }
    }
}

/// Asks whoever sits there; what is typed does not appear.
fn asked(files: &OperatorFiles) -> Result<Zeroizing<String>, Failure> {
    let (term, place) = (Term::stderr(), files.certificate.display());
    let typed =
        term.write_str(&format!("{place} パスワード / password: ")).and_then(|()| term.read_secure_line());
    typed.map(Zeroizing::new).map_err(|error| {
        Failure::usage(
            "PASSWORD_MISSING",
            format!("パスワードを読めません: {error}"),
            format!("the password can't be read: {error}"),
        )
    })
}

fn read(files: &OperatorFiles) -> Result<KeyIdentity, Failure> {
    let text = |path: &Path| -> Result<Zeroizing<Vec<u8>>, Failure> { Ok(read_secret(path)?) };
    let certificate = text(&files.certificate)?;
    let identity = match (&files.key, &files.password_file) {
        (Some(key), _) => KeyIdentity::from_pem(&certificate, &text(key)?),
        (None, _) if certificate.starts_with(b"-----BEGIN") => {
            KeyIdentity::from_pem(&certificate, &certificate)
        }
        (None, None) if std::io::stdin().is_terminal() => {
            let password = asked(files)?;
            KeyIdentity::from_pkcs12(&certificate, &password)
        }
        (None, None) => {
            return Err(Failure::usage(
                "PASSWORD_MISSING",
                "--password-file でPKCS#12のパスワードのファイルを指定してください(/dev/fd/N も使えます)",
                "name the file with the PKCS#12 file's password by --password-file (/dev/fd/N works as well)",
            ));
        }
        (None, Some(password)) => {
            let password = text(password)?;
            let password = String::from_utf8_lossy(&password);
            KeyIdentity::from_pkcs12(&certificate, password.trim_end_matches(['\r', '\n']))
        }
    };
    identity.map_err(|error| {
        let place = files.certificate.display();
        Failure::usage(
            error.code(),
            format!("--operator のファイルを使えません: {place}: {error}"),
            format!("the file of --operator can't be used: {place}: {error}"),
        )
    })
}
