//! One candidate path, checked: every certificate by itself, then the whole by OpenSSL's `X509_verify_cert`.

use openssl::error::ErrorStack;
use openssl::stack::{Stack, StackRef};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509StoreContext, X509VerifyResult};

use crate::certificate::Certificate;
use crate::error::{CertError, Position};
use crate::name_syntax::wildcard_reaches;

/// Results of `X509_verify_cert` that have a value of their own here: `X509_V_ERR_*` in OpenSSL's `x509_vfy.h`, part of
/// its stable interface and not exported by the Rust bindings.
pub(crate) mod x509_v_err {
    pub(crate) const UNABLE_TO_GET_ISSUER_CERT: i32 = 2;
    pub(crate) const UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY: i32 = 6;
    pub(crate) const CERT_SIGNATURE_FAILURE: i32 = 7;
    pub(crate) const OUT_OF_MEM: i32 = 17;
    pub(crate) const DEPTH_ZERO_SELF_SIGNED_CERT: i32 = 18;
    pub(crate) const SELF_SIGNED_CERT_IN_CHAIN: i32 = 19;
    pub(crate) const UNABLE_TO_GET_ISSUER_CERT_LOCALLY: i32 = 20;
    pub(crate) const UNABLE_TO_VERIFY_LEAF_SIGNATURE: i32 = 21;
    pub(crate) const PATH_LENGTH_EXCEEDED: i32 = 25;
    pub(crate) const CERT_UNTRUSTED: i32 = 27;
    pub(crate) const SUBJECT_ISSUER_MISMATCH: i32 = 29;
    pub(crate) const AKID_ISSUER_SERIAL_MISMATCH: i32 = 31;
    pub(crate) const KEYUSAGE_NO_CERTSIGN: i32 = 32;
    pub(crate) const UNHANDLED_CRITICAL_EXTENSION: i32 = 34;
    pub(crate) const INVALID_POLICY_EXTENSION: i32 = 42;
    pub(crate) const NO_EXPLICIT_POLICY: i32 = 43;
    pub(crate) const PERMITTED_VIOLATION: i32 = 47;
    pub(crate) const UNSUPPORTED_NAME_SYNTAX: i32 = 53;
    pub(crate) const INVALID_CA: i32 = 79;
    pub(crate) const EC_KEY_EXPLICIT_PARAMS: i32 = 94;
}

/// Checks a path from the end entity to an anchor, both included, as of `at_us`; revocation and usage come after.
pub(crate) fn check(path: &[&Certificate], at_us: i64) -> Result<(), CertError> {
    let anchor = path.len().saturating_sub(1);
    for (index, certificate) in path.iter().enumerate() {
        let position = position(index);
        certificate.check_built(position)?;
        if index < anchor {
            certificate.check_issued(position)?;
        }
        if index > 0 {
            check_issuer(certificate, position)?;
        }
        certificate.check_time(position, at_us)?;
    }
    check_wildcards(path)?;
    match verify(path) {
        Ok(outcome) => outcome,
        Err(_) => Err(CertError::Library),
    }
}

/// A CA that may sign certificates (RFC 5280 section 6.1.4 (k) and (n)). OpenSSL would not even look at another one and
/// report that there is no issuer.
fn check_issuer(certificate: &Certificate, position: Position) -> Result<(), CertError> {
    if !certificate.is_ca {
        return Err(CertError::NotACa(position));
    }
    if certificate.key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
        return Err(CertError::WrongKeyUsage(position));
    }
    Ok(())
}

/// A wildcard name that stands, among others, for a name excluded by a CA above (CVE-2025-61727). OpenSSL compares the
/// wildcard itself only.
fn check_wildcards(path: &[&Certificate]) -> Result<(), CertError> {
    for (index, certificate) in path.iter().enumerate() {
        let mut excluded = path[index + 1..].iter().flat_map(|issuer| &issuer.excluded_dns);
        if excluded.any(|excluded| certificate.dns_names.iter().any(|name| wildcard_reaches(name, excluded)))
        {
            return Err(CertError::NameConstraint(position(index)));
        }
    }
    Ok(())
}

/// The position of the certificate with this index in a path.
pub(crate) fn position(index: usize) -> Position {
    Position(u8::try_from(index).expect("the bound on path length fits in eight bits"))
}

/// Signatures, path length, name constraints, policies and the rules of OpenSSL's strict mode.
fn verify(path: &[&Certificate]) -> Result<Result<(), CertError>, ErrorStack> {
    let [leaf, middle @ .., anchor] = path else {
        return Ok(Err(CertError::UntrustedIssuer));
    };
    let mut store = X509StoreBuilder::new()?;
    store.add_cert(anchor.x509.clone())?;
    // PARTIAL_CHAIN: an anchor need not be self-signed. NO_CHECK_TIME: OpenSSL takes the second of notAfter for past,
    // RFC 5280 for valid, so the time is checked above. POLICY_CHECK: a CA may require policies.
    store.set_flags(
        X509VerifyFlags::X509_STRICT
            | X509VerifyFlags::PARTIAL_CHAIN
            | X509VerifyFlags::NO_CHECK_TIME
            | X509VerifyFlags::POLICY_CHECK,
    )?;
    let store = store.build();
    let mut untrusted = Stack::new()?;
    for certificate in middle {
        untrusted.push(certificate.x509.clone())?;
    }
    X509StoreContext::new()?.init(&store, &leaf.x509, &untrusted, |context| {
        if !context.verify_cert()? {
            let index = (context.error_depth() as usize).min(path.len() - 1);
            return Ok(Err(refusal(context.error(), position(index))));
        }
        // OpenSSL may have taken a shorter way through the same certificates: then what it verified is not this path.
        let built = context.chain().map_or(0, StackRef::len);
        Ok(if built == path.len() { Ok(()) } else { Err(CertError::UntrustedIssuer) })
    })
}

fn refusal(result: X509VerifyResult, position: Position) -> CertError {
    use x509_v_err as v;
    match result.as_raw() {
        v::CERT_SIGNATURE_FAILURE | v::UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY => {
            CertError::BadCertificateSignature(position)
        }
        v::PATH_LENGTH_EXCEEDED => CertError::PathLength(position),
        v::INVALID_CA => CertError::NotACa(position),
        v::KEYUSAGE_NO_CERTSIGN => CertError::WrongKeyUsage(position),
        v::UNHANDLED_CRITICAL_EXTENSION => CertError::UnknownCriticalExtension(position),
        v::INVALID_POLICY_EXTENSION | v::NO_EXPLICIT_POLICY => CertError::CertificatePolicy(position),
        v::EC_KEY_EXPLICIT_PARAMS => CertError::UnsupportedKey(position),
        v::PERMITTED_VIOLATION..=v::UNSUPPORTED_NAME_SYNTAX => CertError::NameConstraint(position),
        v::UNABLE_TO_GET_ISSUER_CERT
        | v::DEPTH_ZERO_SELF_SIGNED_CERT
        | v::SELF_SIGNED_CERT_IN_CHAIN
        | v::UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | v::UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | v::CERT_UNTRUSTED
        | v::SUBJECT_ISSUER_MISMATCH..=v::AKID_ISSUER_SERIAL_MISMATCH => CertError::UntrustedIssuer,
        v::OUT_OF_MEM => CertError::Library,
        // What is left are the rules of the strict mode; OpenSSL's text names the rule.
        _ => CertError::MalformedCertificate(position, result.error_string()),
    }
}
