//! Certificate profiles: where a certificate says whose it is.

use tasuki_certs::error::CertError;
use tasuki_certs::profile::{CertificateProfile, Identity, ProfileError};
use tasuki_certs::trial_ca::IssueOptions;
use tasuki_certs::trust::{Purpose, TrustMaterial};

use crate::trial::{NOW_US, OFFICE, ca, material, office, quick, store_of};

/// Options for a subject of these attributes.
fn subject(attributes: &[(&str, &str)]) -> IssueOptions {
    let owned = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    IssueOptions { subject: Some(owned), ..quick() }
}

/// Whom a certificate made as `options` say speaks for, by the profile in `toml`.
fn identify(toml: &str, options: &IssueOptions) -> Result<Identity, CertError> {
    let profile = CertificateProfile::from_toml(toml).expect("the profile is good");
    let store = store_of(TrustMaterial { profile, ..material() });
    store.verify(&office(ca(), options), &[], Purpose::Sign, NOW_US).map(|verified| verified.identity)
}

fn an_office() -> Identity {
    Identity::Office { number: OFFICE.to_owned() }
}

#[test]
fn a_number_in_the_common_name_in_an_organizational_unit_or_in_a_uri() {
    let in_name = r#"rules = [{ identity = "office", match = [
        { source = "subject:CN", pattern = "{}[{number:10}]" }] }]"#;
    assert_eq!(identify(in_name, &subject(&[("CN", "事業所 [1371215102]")])), Ok(an_office()));
    assert_eq!(identify(in_name, &subject(&[("CN", "事業所 1371215102")])), Err(CertError::IdentityNotFound));

    let in_unit = r#"rules = [{ identity = "office", match = [
        { source = "subject:OU", pattern = "No.{number:10}" }, { source = "issuer:O", pattern = "Tasuki trial" }] }]"#;
    let unit = subject(&[("OU", "billing"), ("OU", "No.1371215102"), ("CN", "x")]);
    assert_eq!(identify(in_unit, &unit), Ok(an_office()));

    let in_uri = r#"rules = [{ identity = "office", match = [
        { source = "san:uri", pattern = "urn:jp:kaigo:office:{number:10}" }] }]"#;
    let uri = IssueOptions { uris: vec!["urn:jp:kaigo:office:1371215102".to_owned()], ..quick() };
    assert_eq!(identify(in_uri, &uri), Ok(an_office()));
    assert_eq!(identify(in_uri, &quick()), Err(CertError::IdentityNotFound));
}

#[test]
fn two_parties_in_one_certificate() {
    let twice = subject(&[("OU", "office"), ("serialNumber", OFFICE), ("serialNumber", "1371215110")]);
    let store = store_of(material());
    let verify = |options: &IssueOptions| {
        store.verify(&office(ca(), options), &[], Purpose::Sign, NOW_US).map(|verified| verified.identity)
    };
    assert_eq!(verify(&twice), Err(CertError::IdentityAmbiguous));
    let two_kinds = subject(&[("OU", "office"), ("OU", "terminal"), ("CN", "x"), ("serialNumber", OFFICE)]);
    assert_eq!(verify(&two_kinds), Err(CertError::IdentityAmbiguous));
    let same_twice = subject(&[("OU", "office"), ("serialNumber", OFFICE), ("serialNumber", OFFICE)]);
    assert_eq!(verify(&same_twice), Ok(an_office()));
}

#[test]
fn nobody_in_a_certificate() {
    let store = store_of(material());
    for attributes in [
        &[("CN", "office")][..],
        &[("OU", "Office"), ("serialNumber", OFFICE)],
        &[("OU", "office"), ("serialNumber", "137121510")],
        &[("OU", "proxy"), ("serialNumber", OFFICE)],
    ] {
        let der = office(ca(), &subject(attributes));
        let refused = store.verify(&der, &[], Purpose::Sign, NOW_US).err();
        assert_eq!(refused, Some(CertError::IdentityNotFound));
        // Without the question whose it is, the certificate is good.
        assert!(store.verify_chain(&der, &[], Purpose::Sign, NOW_US).is_ok());
    }
}

#[test]
fn a_profile_is_written_back_as_it_was_read() {
    let profile = CertificateProfile::trial();
    let text = toml::to_string(&profile).expect("a profile can be written");
    assert_eq!(CertificateProfile::from_toml(&text), Ok(profile));
}

#[test]
fn profiles_that_cannot_work_are_refused() {
    let error = |toml: &str| CertificateProfile::from_toml(toml).expect_err("the profile is bad").to_string();
    assert!(error("rules = []").contains("has no rule"));
    assert!(error("").contains("missing field"));
    assert!(error("rules = []\nother = 1").contains("unknown field"));
    let rule = |inside: &str| error(&format!("rules = [{{ identity = \"office\", match = [{inside}] }}]"));
    assert!(rule("").contains("rule 1 of the certificate profile must capture exactly once: number"));
    assert!(rule(r#"{ source = "subject:CN", pattern = "{name}" }"#).contains("exactly once: number"));
    assert!(
        rule(r#"{ source = "subject:xx", pattern = "{number:10}" }"#).contains("no place in a certificate")
    );
    assert!(rule(r#"{ source = "subject:CN", pattern = "{number" }"#).contains("brace"));
    assert_eq!(CertificateProfile::new(Vec::new()), Err(ProfileError::NoRule));
}
