//! The path-validation cases of C2SP/x509-limbo (see `data/README.md`): each comes out as it should, or stands in
//! `data/x509-limbo-excluded.toml` with the rule that excludes it.

use std::collections::BTreeMap;

use serde::Deserialize;
use tasuki_certs::error::CertError;
use tasuki_certs::trust::{OnDoubt, Purpose, RevocationPolicy, TrustMaterial, TrustStore};

/// When a case names no time: well inside the validity of the certificates that the suite generates.
const DEFAULT_TIME_US: i64 = 1_735_689_600_000_000;

#[derive(Deserialize)]
struct Suite {
    testcases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    description: String,
    validation_kind: Kind,
    #[serde(default)]
    trusted_certs: Vec<String>,
    #[serde(default)]
    untrusted_intermediates: Vec<String>,
    peer_certificate: String,
    validation_time: Option<String>,
    expected_result: Expected,
    max_chain_depth: Option<u8>,
    #[serde(default)]
    crls: Vec<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "UPPERCASE")]
enum Kind {
    Client,
    Server,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "UPPERCASE")]
enum Expected {
    Success,
    Failure,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Excluded {
    #[serde(default)]
    case: Vec<ExcludedCase>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExcludedCase {
    id: String,
    rule: Rule,
    reason: String,
}

/// The rules by which a case may be excluded.
#[derive(Deserialize, Debug, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Rule {
    /// Compares a server's name, which the TLS library does and chain verification does not.
    ServerName,
    /// Requires or forbids an extended key usage of TLS servers.
    ServerEku,
    /// A rule of the public web's CAs that RFC 5280 does not have.
    WebPkiOnly,
    /// A feature that our policy refuses although RFC 5280 knows it, or has no use for.
    FeatureOutsidePolicy,
}

/// What our verifier says of a case.
fn run(case: &Case) -> Result<(), String> {
    let der = |pems: &[String]| pems.iter().map(|pem| from_pem(pem)).collect::<Vec<_>>();
    let policy = RevocationPolicy {
        // Most cases have no CRL; those that have one cover every certificate.
        on_missing: if case.crls.is_empty() { OnDoubt::Warn } else { OnDoubt::Refuse },
        // The suite's CRLs are valid from 1970 to 2969.
        max_crl_age_s: u32::MAX,
        ..RevocationPolicy::default()
    };
    let mut material = TrustMaterial {
        anchors: der(&case.trusted_certs),
        crls: der(&case.crls),
        policy,
        ..TrustMaterial::default()
    };
    if let Some(depth) = case.max_chain_depth {
        material.max_intermediates = depth;
    }
    let store = TrustStore::new(material).map_err(|error| format!("store: {error}"))?;
    let extra = der(&case.untrusted_intermediates);
    let extra: Vec<&[u8]> = extra.iter().map(Vec::as_slice).collect();
    let at_us = case.validation_time.as_deref().map_or(DEFAULT_TIME_US, unix_us);
    let purpose = match case.validation_kind {
        Kind::Client => Purpose::TlsClient,
        Kind::Server => Purpose::Any,
    };
    let verified = store.verify_chain(&from_pem(&case.peer_certificate), &extra, purpose, at_us);
    verified.map(|_| ()).map_err(|error: CertError| format!("{}: {error}", error.code()))
}

#[test]
fn every_case_comes_out_right_or_is_excluded_by_a_rule() {
    let suite: Suite =
        serde_json::from_str(include_str!("data/x509-limbo.json")).expect("the cases are well-formed");
    let excluded: Excluded =
        toml::from_str(include_str!("data/x509-limbo-excluded.toml")).expect("the table is well-formed");
    assert_eq!(suite.testcases.len(), 208);
    let mut table = BTreeMap::new();
    for case in &excluded.case {
        assert!(case.reason.len() > 20, "{}: the reason is missing", case.id);
        assert!(table.insert(case.id.as_str(), case.rule).is_none(), "{} stands twice in the table", case.id);
    }
    let mut wrong = Vec::new();
    for case in &suite.testcases {
        let outcome = run(case);
        let as_expected = outcome.is_ok() == (case.expected_result == Expected::Success);
        let shown = outcome.map_or_else(|error| error, |()| "accepted".to_owned());
        match (as_expected, table.remove(case.id.as_str())) {
            (true, None) | (false, Some(_)) => {}
            (true, Some(_)) => wrong.push(format!("{}: excluded, but comes out right ({shown})", case.id)),
            (false, None) => wrong.push(format!(
                "{}: expected {:?}, but {shown}\n    {}",
                case.id, case.expected_result, case.description
            )),
        }
        if std::env::var_os("LIMBO_SHOW").is_some() {
            println!("{} {:?} {shown}", case.id, case.expected_result);
        }
    }
    wrong.extend(table.keys().map(|id| format!("{id}: excluded, but there is no such case")));
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// The DER of one PEM block.
fn from_pem(pem: &str) -> Vec<u8> {
    use base64::Engine as _;
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    base64::engine::general_purpose::STANDARD.decode(body).expect("the cases hold PEM")
}

/// Unix microseconds of an RFC 3339 time at offset zero, which is what the suite holds.
fn unix_us(text: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("digits");
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    assert!(text.ends_with("+00:00"), "{text}");
    // Days from 1970-01-01 in the Gregorian calendar, years counted from March.
    let (y, m) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + number(11..13) * 3_600 + number(14..16) * 60 + number(17..19);
    let fraction = text[19..].strip_prefix('.').map_or(0, |rest| {
        let digits = rest.split('+').next().unwrap_or_default();
        format!("{digits:0<6}").parse::<i64>().expect("digits")
    });
    seconds * 1_000_000 + fraction
}
