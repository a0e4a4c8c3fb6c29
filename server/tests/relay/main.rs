//! A relay as a process, and offices that speak to it without the SDK.

#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;
mod server_certificate;
mod serving;
