//! A trial CA and its certificates, made once per test process where keys are slow to make.

use std::sync::OnceLock;

use tasuki_certs::error::CertError;
use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, TrialCa};
use tasuki_certs::trust::{Purpose, TrustMaterial, TrustStore};

/// 2026-11-21 00:00:00 UTC.
pub(crate) const NOW_US: i64 = 1_795_219_200_000_000;
/// One second in microseconds.
pub(crate) const SECOND_US: i64 = 1_000_000;
/// One day in microseconds.
pub(crate) const DAY_US: i64 = 86_400 * SECOND_US;
/// The office whose certificates the tests issue.
pub(crate) const OFFICE: &str = "1371215102";

/// One CA for the process.
pub(crate) fn ca() -> &'static TrialCa {
    static CA: OnceLock<TrialCa> = OnceLock::new();
    CA.get_or_init(|| root("Trial root"))
}

/// A new CA.
pub(crate) fn root(name: &str) -> TrialCa {
    TrialCa::create(name, NOW_US - 30 * DAY_US).expect("a CA can be made")
}

/// Options for an office with a P-256 key, which is quick to make.
pub(crate) fn quick() -> IssueOptions {
    IssueOptions::new(NOW_US).with_key(KeyChoice::P256)
}

/// The certificate of [`OFFICE`] by `ca`, made as `options` say.
pub(crate) fn office(ca: &TrialCa, options: &IssueOptions) -> Vec<u8> {
    ca.issue_office(OFFICE, "office", options).expect("a certificate can be issued").cert_der
}

/// A CRL of `ca` from now that revokes nothing.
pub(crate) fn clean_crl(ca: &TrialCa) -> Vec<u8> {
    ca.crl(&[], 1, NOW_US, NOW_US + 7 * DAY_US).expect("a CRL can be made")
}

/// Trust in [`ca`] with a clean CRL.
pub(crate) fn material() -> TrustMaterial {
    trusting(&[ca()])
}

/// Trust in these roots, each with a clean CRL.
pub(crate) fn trusting(roots: &[&TrialCa]) -> TrustMaterial {
    TrustMaterial {
        anchors: roots.iter().map(|ca| ca.cert_der().expect("a CA has a certificate")).collect(),
        crls: roots.iter().map(|ca| clean_crl(ca)).collect(),
        ..TrustMaterial::default()
    }
}

/// The store of `material`.
pub(crate) fn store_of(material: TrustMaterial) -> TrustStore {
    TrustStore::new(material).expect("the material is good")
}

/// The store of [`material`].
pub(crate) fn store() -> TrustStore {
    store_of(material())
}

/// Why the store of `material` refuses `leaf` for `purpose` now.
pub(crate) fn refusal(
    material: TrustMaterial,
    leaf: &[u8],
    extra: &[&[u8]],
    purpose: Purpose,
) -> Option<CertError> {
    store_of(material).verify(leaf, extra, purpose, NOW_US).err()
}
