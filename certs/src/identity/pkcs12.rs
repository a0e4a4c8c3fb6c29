//! Opening PKCS#12, also as it was protected twenty years ago.

use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12, Pkcs12Ref};
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;
use openssl::x509::X509;

use super::IdentityError;

// Numbers of OpenSSL's public headers (err.h, pkcs12err.h), which the openssl crate does not name.
const LIBRARY_PKCS12: i32 = 35;
const MAC_VERIFY_FAILURE: i32 = 113;
const CIPHER_FINAL_ERROR: i32 = 116;

/// The private key, its certificate, and the other certificates of the file.
pub(super) fn read(der: &[u8], password: &str) -> Result<(PKey<Private>, X509, Vec<X509>), IdentityError> {
    let file = Pkcs12::from_der(der).map_err(|_: ErrorStack| IdentityError::MalformedPkcs12)?;
    // A C string cannot hold it, so that no file can have been protected with it.
    if password.contains('\0') {
        return Err(IdentityError::WrongPassword);
    }
    let parsed = parse(&file, password)?;
    let key = parsed.pkey.ok_or(IdentityError::NoKey)?;
    let others: Vec<X509> = parsed.ca.into_iter().flatten().collect();
    match parsed.cert {
        Some(certificate) => Ok((key, certificate, others)),
        None if others.is_empty() => Err(IdentityError::NoCertificate),
        None => Err(IdentityError::KeyDoesNotMatch),
    }
}

/// Parses with OpenSSL's default algorithms; only a file that needs RC2 and its like brings in the legacy provider,
/// and only for this one call.
fn parse(file: &Pkcs12Ref, password: &str) -> Result<ParsedPkcs12_2, IdentityError> {
    match file.parse2(password) {
        Ok(parsed) => return Ok(parsed),
        Err(errors) if is_wrong_password(&errors) => return Err(IdentityError::WrongPassword),
        Err(_) => {}
    }
    let _legacy = Provider::try_load(None, "legacy", true).map_err(|_: ErrorStack| IdentityError::Library)?;
    file.parse2(password).map_err(|errors| {
        if is_wrong_password(&errors) { IdentityError::WrongPassword } else { IdentityError::MalformedPkcs12 }
    })
}

/// The MAC does not verify, or, where the file has none, the padding of what was decrypted is wrong.
fn is_wrong_password(errors: &ErrorStack) -> bool {
    errors.errors().iter().any(|error| {
        error.library_code() == LIBRARY_PKCS12
            && matches!(error.reason_code(), MAC_VERIFY_FAILURE | CIPHER_FINAL_ERROR)
    })
}
