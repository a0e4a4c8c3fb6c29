//! X.509 and CMS for Tasuki: which certificate speaks for whom, and what it may do.
//!
//! | looking for | module |
//! |---|---|
//! | why a certificate was refused | [`error`] |
//! | where the office number stands in a certificate | [`profile`] |
//! | trust anchors, intermediates and CRLs; verifying a certificate | [`trust`] |
//!
//! *Architecture invariant:* nothing else in the workspace touches OpenSSL or parses X.509, and this crate knows no
//! other crate of the workspace. Time is always a parameter, in Unix microseconds.

pub mod error;
mod pattern;
pub mod profile;
mod source;
pub mod trust;
