//! X.509 and CMS for Tasuki: which certificate speaks for whom, and what it may do.
//!
//! | looking for | module |
//! |---|---|
//! | why a certificate was refused | [`error`] |
//! | where the office number stands in a certificate | [`profile`] |
//! | trust anchors, intermediates and CRLs; verifying a certificate | [`trust`] |
//! | trust read from files, and again when they change | [`trust_files`] |
//! | a CA that handed over to a new key | [`handover`] |
//! | TLS for the relay and its clients | [`tls`] |
//! | certificates and CRLs for trials, demos and tests | [`trial_ca`] |
//! | an office's key with its certificates, from PKCS#12 or PEM | [`identity`] |
//! | a P-256 key for receiving where the certificate may not encrypt | [`sealing_key`] |
//! | a request for a certificate (PKCS #10), made and read | [`request`] |
//! | time stamps (RFC 3161) | [`timestamp`] |
//! | signing (CAdES baseline B-B) | [`cms_sign`] |
//! | what a key says of its successor | [`key_signature`] |
//! | verifying a signature, known signers, why one was refused | [`cms_verify`], [`signature_error`] |
//! | whom a parcel is sealed to; sealing; opening | [`recipient`], [`seal`], [`open`] |
//! | the cryptographic operations all of this is made of | [`primitives`] |
//!
//! *Architecture invariant:* nothing else in the workspace touches OpenSSL or parses X.509, and this crate knows no
//! other crate of the workspace. Time is always a parameter, in Unix microseconds.

mod certificate;
mod certificate_ids;
mod chain;
pub mod cms_sign;
pub mod cms_verify;
mod cms_verify_attributes;
mod cms_verify_walk;
mod crl;
mod crl_scope;
mod crl_standing;
mod der_walk;
mod der_write;
pub mod error;
mod fetched_list;
pub mod handover;
pub mod identity;
mod key_policy;
pub mod key_signature;
mod name_syntax;
mod ocsp;
mod oids;
pub mod open;
mod open_walk;
mod path;
mod pattern;
pub mod primitives;
pub mod profile;
pub mod recipient;
pub mod request;
mod revocation;
pub mod seal;
pub mod sealing_key;
pub mod signature_error;
mod signer_cache;
mod source;
mod sources;
mod stapled;
pub mod timestamp;
pub mod tls;
pub mod token;
pub mod trial_ca;
pub mod trust;
pub mod trust_files;
mod usage;
mod well_formed;
