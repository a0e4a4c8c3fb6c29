//! Keys, certificates and tools that the tests of this folder share. Keys are made once per run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectKeyIdentifier};
use openssl::x509::{X509, X509Builder, X509Extension, X509Name, X509NameBuilder, X509NameRef, X509Ref};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trust::{OnDoubt, RevocationPolicy, TrustMaterial, TrustStore};

/// The time at which everything here is valid: 2026-03-01T00:00:00Z.
pub(crate) const NOW_US: i64 = 1_772_323_200_000_000;
/// One second.
pub(crate) const SECOND_US: i64 = 1_000_000;
/// Certificates are valid from 2025-01-01T00:00:00Z …
const NOT_BEFORE_S: i64 = 1_735_689_600;
/// … to 2035-01-01T00:00:00Z.
const NOT_AFTER_S: i64 = 2_051_222_400;

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
once!(/// The root CA's key.
    root_key: PKey::ec_gen("P-256").unwrap());
once!(/// The issuing CA's key.
    issuing_key: PKey::ec_gen("P-256").unwrap());

fn rsa_key(bits: u32) -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap()
}

/// The root CA's certificate.
pub(crate) fn root() -> &'static X509 {
    static ROOT: OnceLock<X509> = OnceLock::new();
    ROOT.get_or_init(|| {
        let name = name(&[("CN", "Root CA")]);
        certificate(1, &name, root_key(), None, root_key(), Kind::Ca)
    })
}

/// The issuing CA's certificate, by the root CA.
pub(crate) fn issuing() -> &'static X509 {
    static ISSUING: OnceLock<X509> = OnceLock::new();
    ISSUING.get_or_init(|| {
        let subject = name(&[("CN", "Issuing CA")]);
        certificate(2, &subject, issuing_key(), Some(root()), root_key(), Kind::Ca)
    })
}

/// What a certificate may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Signs certificates and CRLs.
    Ca,
    /// Signs and receives: an office's.
    Office,
    /// Signs only.
    SignsOnly,
    /// Receives only: RSA.
    ReceivesOnly,
    /// Has no key usage extension and no subject key identifier.
    Bare,
}

/// An office's certificate by the issuing CA, for office `1371215102`.
pub(crate) fn office(serial: u32, key: &PKey<Private>, kind: Kind) -> X509 {
    let subject = name(&[("OU", "office"), ("serialNumber", "1371215102"), ("CN", "Office A")]);
    certificate(serial, &subject, key, Some(issuing()), issuing_key(), kind)
}

/// The name `parts`, most significant first.
pub(crate) fn name(parts: &[(&str, &str)]) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    for (attribute, value) in parts {
        builder.append_entry_by_text(attribute, value).unwrap();
    }
    builder.build()
}

/// A certificate for `subject`, by `issuer` and its key; without an issuer, by itself.
fn certificate(
    serial: u32,
    subject: &X509NameRef,
    key: &PKey<Private>,
    issuer: Option<&X509Ref>,
    issuer_key: &PKey<Private>,
    kind: Kind,
) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&Asn1Integer::from_bn(&BigNum::from_u32(serial).unwrap()).unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer.map_or(subject, X509Ref::subject_name)).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(NOT_BEFORE_S).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(NOT_AFTER_S).unwrap()).unwrap();
    for extension in extensions(&builder, key, issuer, kind) {
        builder.append_extension(extension).unwrap();
    }
    builder.sign(issuer_key, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn extensions(
    builder: &X509Builder,
    key: &PKey<Private>,
    issuer: Option<&X509Ref>,
    kind: Kind,
) -> Vec<X509Extension> {
    let mut usage = KeyUsage::new();
    usage.critical();
    let mut extensions = Vec::new();
    match kind {
        Kind::Ca => {
            usage.key_cert_sign().crl_sign();
            extensions.push(BasicConstraints::new().critical().ca().build().unwrap());
        }
        Kind::Office if key.rsa().is_ok() => {
            usage.digital_signature().non_repudiation().key_encipherment();
        }
        Kind::Office => {
            usage.digital_signature().non_repudiation().key_agreement();
        }
        Kind::SignsOnly => {
            usage.digital_signature().non_repudiation();
        }
        Kind::ReceivesOnly => {
            usage.key_encipherment();
        }
        Kind::Bare => {}
    }
    if kind != Kind::Bare {
        extensions.push(usage.build().unwrap());
        let context = builder.x509v3_context(issuer, None);
        extensions.push(SubjectKeyIdentifier::new().build(&context).unwrap());
    }
    if issuer.is_some() {
        let context = builder.x509v3_context(issuer, None);
        extensions.push(AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap());
    }
    extensions
}

/// What trusts the root CA; no CA here publishes CRLs.
pub(crate) fn trust() -> Arc<TrustStore> {
    trust_with(root(), vec![])
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
    [certificate, issuing(), root()].map(|one| one.to_pem().unwrap()).concat()
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
    let key = root_key().private_key_to_pem_pkcs8().unwrap();
    KeyIdentity::from_pem(&root().to_pem().unwrap(), &key).unwrap()
}

/// A root CA that has nothing to do with the others.
pub(crate) fn strangers_root() -> X509 {
    certificate(9, &name(&[("CN", "Stranger")]), p384(), None, p384(), Kind::Ca)
}
