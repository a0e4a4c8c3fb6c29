//! Identities, signatures and seals: against themselves, against OpenSSL, and against hostile bytes.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; this lint allows it in #[test] functions only"
)]

mod der_tree;
mod differential;
mod pkcs12_identities;
mod seal_hostile;
mod seal_openssl;
mod seal_round_trip;
mod sign_openssl;
mod signature_parts;
mod support;
mod verify_good;
mod verify_known_signers;
mod verify_refused_form;
mod verify_refused_signer;
