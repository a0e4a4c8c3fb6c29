//! A trial CA and its certificates, made once per test process where keys are slow to make.

use std::sync::OnceLock;

use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, TrialCa};
use tasuki_certs::trust::{TrustMaterial, TrustStore};

/// 2026-11-21 00:00:00 UTC.
pub(crate) const NOW_US: i64 = 1_795_219_200_000_000;
/// One day in microseconds.
pub(crate) const DAY_US: i64 = 86_400_000_000;
/// The office whose certificates the tests issue.
pub(crate) const OFFICE: &str = "1371215102";

/// One CA for the process.
pub(crate) fn ca() -> &'static TrialCa {
    static CA: OnceLock<TrialCa> = OnceLock::new();
    CA.get_or_init(|| TrialCa::create("Trial root", NOW_US - 30 * DAY_US).expect("a CA can be made"))
}

/// Options for an office with a P-256 key, which is quick to make.
pub(crate) fn quick() -> IssueOptions {
    IssueOptions::new(NOW_US).with_key(KeyChoice::P256)
}

/// Trust in [`ca`] with a CRL from today that revokes nothing.
pub(crate) fn material() -> TrustMaterial {
    let crl = ca().crl(&[], 1, NOW_US, NOW_US + 7 * DAY_US).expect("a CRL can be made");
    TrustMaterial {
        anchors: vec![ca().cert_der().expect("the CA has a certificate")],
        crls: vec![crl],
        ..TrustMaterial::default()
    }
}

/// The store of [`material`].
pub(crate) fn store() -> TrustStore {
    TrustStore::new(material()).expect("the material is good")
}
