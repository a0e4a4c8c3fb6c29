//! Keys, certificates and tools that the tests of this folder share. Keys are made once per run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::X509;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, KeyUse, Revocation, RevocationReason, TrialCa};
use tasuki_certs::trust::{OnDoubt, RevocationPolicy, TrustMaterial, TrustStore};

/// The time at which everything here is valid: 2026-03-01T00:00:00Z.
pub(crate) const NOW_US: i64 = 1_772_323_200_000_000;
/// One second.
pub(crate) const SECOND_US: i64 = 1_000_000;
/// One day.
pub(crate) const DAY_US: i64 = 86_400 * SECOND_US;
/// Certificates are valid from 2025-01-01T00:00:00Z …
const NOT_BEFORE_US: i64 = 1_735_689_600 * SECOND_US;
/// … to 2035-01-01T00:00:00Z.
const NOT_AFTER_US: i64 = 2_051_222_400 * SECOND_US;

macro_rules! once {
    ($(#[$doc:meta])* $name:ident: $make:expr) => {
        $(#[$doc])*
        pub(crate) fn $name() -> &'static PKey<Private> {
            static KEY: OnceLock<PKey<Private>> = OnceLock::new();
            KEY.get_or_init(|| $make)
        }
    };
}

once!(/// An RSA-2048 key.
    rsa: rsa_key(2048));
once!(/// Another RSA-2048 key.
    other_rsa: rsa_key(2048));
once!(/// An RSA key below the policy.
    weak_rsa: rsa_key(1024));
once!(/// A P-256 key.
    p256: PKey::ec_gen("P-256").unwrap());
once!(/// A P-384 key.
    p384: PKey::ec_gen("P-384").unwrap());
once!(/// A P-521 key, outside the policy.
    p521: PKey::ec_gen("P-521").unwrap());
fn rsa_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// Options for certificates that are valid around [`NOW_US`].
fn lasting(options: IssueOptions) -> IssueOptions {
    IssueOptions { not_before_us: NOT_BEFORE_US, not_after_us: NOT_AFTER_US, ..options }
}

fn root_ca() -> &'static TrialCa {
    static CA: OnceLock<TrialCa> = OnceLock::new();
    CA.get_or_init(|| TrialCa::create_with("Root CA", &lasting(IssueOptions::for_ca(NOW_US))).unwrap())
}

/// The CA that issues the offices' certificates; its own is by the root CA.
pub(crate) fn issuing_ca() -> &'static TrialCa {
    static CA: OnceLock<TrialCa> = OnceLock::new();
    let options = || lasting(IssueOptions::for_ca(NOW_US));
    CA.get_or_init(|| root_ca().issue_intermediate("Issuing CA", &options()).unwrap())
}

/// The root CA's certificate.
pub(crate) fn root() -> X509 {
    X509::from_der(&root_ca().cert_der().unwrap()).unwrap()
}

/// The issuing CA's certificate.
pub(crate) fn issuing() -> X509 {
    X509::from_der(&issuing_ca().cert_der().unwrap()).unwrap()
}

/// What a certificate may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Signs and receives: an office's.
    Office,
    /// Signs only.
    SignsOnly,
    /// Receives only: RSA.
    ReceivesOnly,
    /// Has no key usage extension.
    Unlimited,
}

/// An office's certificate by the issuing CA, for office `1371215102`.
pub(crate) fn office(serial: u16, key: &PKey<Private>, kind: Kind) -> X509 {
    let receiving = if key.rsa().is_ok() { KeyUse::KeyEncipherment } else { KeyUse::KeyAgreement };
    let signing = [KeyUse::DigitalSignature, KeyUse::NonRepudiation];
    let options = IssueOptions {
        serial: Some(serial.to_be_bytes().to_vec()),
        key_usage: match kind {
            Kind::Office => [&signing[..], &[receiving]].concat(),
            Kind::SignsOnly => signing.to_vec(),
            Kind::ReceivesOnly => vec![receiving],
            Kind::Unlimited => vec![],
        },
        key: KeyChoice::Pkcs8(key.private_key_to_pkcs8().unwrap().into()),
        ..lasting(IssueOptions::new(NOW_US))
    };
    let issued = issuing_ca().issue_office("1371215102", "Office A", &options).unwrap();
    X509::from_der(&issued.cert_der).unwrap()
}

/// What trusts the root CA; no CA here publishes CRLs.
pub(crate) fn trust() -> Arc<TrustStore> {
    trust_with(&root(), vec![])
}

/// What trusts this anchor, with these CRLs.
pub(crate) fn trust_with(anchor: &X509, crls: Vec<Vec<u8>>) -> Arc<TrustStore> {
    let policy = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    let anchors = vec![anchor.to_der().unwrap()];
    Arc::new(TrustStore::new(TrustMaterial { anchors, crls, policy, ..TrustMaterial::default() }).unwrap())
}

/// A verifier that knows nobody yet.
pub(crate) fn verifier() -> SignatureVerifier {
    SignatureVerifier::new(trust())
}

/// The identity of `key` with `certificate` and both CAs' certificates.
pub(crate) fn identity(key: &PKey<Private>, certificate: &X509) -> KeyIdentity {
    KeyIdentity::from_pem(&chain_pem(certificate), &key.private_key_to_pem_pkcs8().unwrap()).unwrap()
}

/// `certificate` and both CAs' certificates, PEM.
pub(crate) fn chain_pem(certificate: &X509) -> Vec<u8> {
    [certificate, &issuing(), &root()].map(|one| one.to_pem().unwrap()).concat()
}

/// An office with an RSA key.
pub(crate) fn rsa_office() -> &'static KeyIdentity {
    static IDENTITY: OnceLock<KeyIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| identity(rsa(), &office(11, rsa(), Kind::Office)))
}

/// An office with a P-256 key.
pub(crate) fn p256_office() -> &'static KeyIdentity {
    static IDENTITY: OnceLock<KeyIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| identity(p256(), &office(12, p256(), Kind::Office)))
}

/// An office with a P-384 key.
pub(crate) fn p384_office() -> &'static KeyIdentity {
    static IDENTITY: OnceLock<KeyIdentity> = OnceLock::new();
    IDENTITY.get_or_init(|| identity(p384(), &office(13, p384(), Kind::SignsOnly)))
}

/// A certificate's PEM.
pub(crate) fn pem(der: &[u8]) -> Vec<u8> {
    X509::from_der(der).unwrap().to_pem().unwrap()
}

/// A folder of one test, deleted when dropped, with the `openssl` command running inside it.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new, empty folder.
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cms-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }

    /// Reads a file.
    pub(crate) fn get(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// Runs the machine's own `openssl` here, with the words of `arguments`; whether it succeeded, and what it said.
    pub(crate) fn openssl(&self, arguments: &str) -> (bool, String) {
        let output = Command::new("openssl")
            .args(arguments.split_whitespace())
            .current_dir(&self.0)
            .output()
            .expect("the openssl command is installed");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Runs `openssl`, which must succeed.
    pub(crate) fn must(&self, arguments: &str) {
        let (done, said) = self.openssl(arguments);
        assert!(done, "openssl {arguments}: {said}");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind is no reason to fail.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The root CA's key with its own certificate.
pub(crate) fn identity_of_root() -> KeyIdentity {
    KeyIdentity::from_pem(&root_ca().cert_pem().unwrap(), &root_ca().key_pem().unwrap()).unwrap()
}

/// A root CA that has nothing to do with the others.
pub(crate) fn strangers_root() -> X509 {
    let ca = TrialCa::create_with("Stranger", &lasting(IssueOptions::for_ca(NOW_US))).unwrap();
    X509::from_der(&ca.cert_der().unwrap()).unwrap()
}

/// A CRL of the issuing CA, of the day before [`NOW_US`] and good for a week, that revokes these serial numbers.
pub(crate) fn crl(revoked: &[u16]) -> Vec<u8> {
    crl_of(NOW_US - DAY_US, revoked)
}

/// A CRL of the issuing CA, issued at this time and good for a week, that revokes these serial numbers since then.
pub(crate) fn crl_of(since_us: i64, revoked: &[u16]) -> Vec<u8> {
    let revoked: Vec<Revocation> = revoked
        .iter()
        .map(|serial| Revocation::new(&serial.to_be_bytes(), since_us, RevocationReason::KeyCompromise))
        .collect();
    issuing_ca().crl(&revoked, 1, since_us, since_us + 7 * DAY_US).unwrap()
}
