//! What we sign, `openssl cms -verify -cades` accepts, and says what we meant.

use tasuki_certs::cms_sign::{Content, SignError, sign};
use tasuki_certs::identity::KeyIdentity;

use crate::der_tree::Node;
use crate::signature_parts as parts;
use crate::support::{self, Folder, NOW_US, SECOND_US};

const CONTENT: &[u8] = b"\x00\xff manifest\r\n\n";

fn offices() -> [(&'static str, &'static KeyIdentity); 3] {
    [("rsa", support::rsa_office()), ("p256", support::p256_office()), ("p384", support::p384_office())]
}

#[test]
fn openssl_accepts_detached_and_attached_signatures_of_every_key() {
    let folder = Folder::new();
    folder.put("root.pem", &support::root().to_pem().unwrap());
    folder.put("content", CONTENT);
    folder.put("other", b"other");
    let now_s = NOW_US / SECOND_US;
    // With the root alone: the issuing CA's certificate must be embedded.
    let verify = format!(
        "cms -verify -cades -binary -inform DER -CAfile root.pem -purpose any -attime {now_s} -out verified"
    );
    for (name, office) in offices() {
        folder.put("detached.p7s", &sign(office, CONTENT, Content::Detached, NOW_US).unwrap());
        folder.must(&format!("{verify} -in detached.p7s -content content"));
        assert_eq!(folder.get("verified"), CONTENT, "{name}");
        let (done, said) = folder.openssl(&format!("{verify} -in detached.p7s -content other"));
        assert!(!done && said.contains("Verification failure"), "{name}: {said}");

        folder.put("attached.p7m", &sign(office, CONTENT, Content::Attached, NOW_US).unwrap());
        folder.must(&format!("{verify} -in attached.p7m"));
        assert_eq!(folder.get("verified"), CONTENT, "{name}");
    }
}

#[test]
fn time_of_signing_is_the_one_given() {
    let folder = Folder::new();
    for (at_us, printed) in [
        (0, "Jan  1 00:00:00 1970 GMT"),
        (NOW_US, "Mar  1 00:00:00 2026 GMT"),
        (NOW_US + SECOND_US - 1, "Mar  1 00:00:00 2026 GMT"),
        (2_524_607_999 * SECOND_US, "Dec 31 23:59:59 2049 GMT"),
        (2_524_608_000 * SECOND_US, "Jan  1 00:00:00 2050 GMT"),
        (253_402_300_799 * SECOND_US, "Dec 31 23:59:59 9999 GMT"),
    ] {
        let signed = sign(support::p256_office(), CONTENT, Content::Detached, at_us).unwrap();
        folder.put("signed.p7s", &signed);
        folder.must("cms -cmsout -print -inform DER -in signed.p7s -out printed");
        let text = String::from_utf8_lossy(&folder.get("printed")).into_owned();
        assert!(text.contains(printed), "{printed}: {text}");
        // RFC 5652 section 11.3: UTCTime before 2050, GeneralizedTime after.
        let mut tree = Node::read(&signed);
        let time = parts::find(&mut tree, parts::SIGNING_TIME).at(&[1, 0]).tag;
        assert_eq!(time, if at_us < 2_524_608_000 * SECOND_US { 0x17 } else { 0x18 });
    }
    for at_us in [-1, i64::MIN, 253_402_300_800 * SECOND_US, i64::MAX] {
        let refusal = sign(support::p256_office(), CONTENT, Content::Detached, at_us);
        assert_eq!(refusal, Err(SignError::Time), "{at_us}");
    }
}

#[test]
fn own_and_issuing_certificates_are_embedded_and_no_anchor() {
    for (name, office) in offices() {
        let mut tree = Node::read(&sign(office, CONTENT, Content::Detached, NOW_US).unwrap());
        let mut embedded: Vec<Vec<u8>> =
            tree.at(parts::CERTIFICATES).children().iter().map(Node::write).collect();
        let mut expected = vec![office.certificate_der().to_vec(), support::issuing().to_der().unwrap()];
        embedded.sort();
        expected.sort();
        assert_eq!(embedded, expected, "{name}");
    }
}

/// An identity whose certificate is its own issuer embeds it all the same: there is no signature without its signer.
#[test]
fn self_signed_certificate_is_embedded() {
    let root = support::identity_of_root();
    let mut tree = Node::read(&sign(&root, CONTENT, Content::Detached, NOW_US).unwrap());
    assert_eq!(tree.at(parts::CERTIFICATES).children().len(), 1);
}

#[test]
fn rsa_signatures_depend_on_nothing_but_what_is_given() {
    let once = sign(support::rsa_office(), CONTENT, Content::Detached, NOW_US);
    assert_eq!(once, sign(support::rsa_office(), CONTENT, Content::Detached, NOW_US));
    assert_ne!(once, sign(support::rsa_office(), CONTENT, Content::Detached, NOW_US + SECOND_US));
}
