//! Signatures that are refused for their form: cut, altered, not DER, outside the profile. Where attributes change,
//! they are signed again, so that nothing but the form is wrong.

use tasuki_certs::cms_sign::{Content, sign};
use tasuki_certs::signature_error::{Attribute, OutsideProfile, SignatureError};

use crate::der_tree::Node;
use crate::signature_parts as parts;
use crate::support::{self, Folder, NOW_US};

const CONTENT: &[u8] = b"manifest";

fn signed() -> Vec<u8> {
    sign(support::rsa_office(), CONTENT, Content::Detached, NOW_US).unwrap()
}

/// What verifying says after `alter` changed the tree.
fn altered(alter: impl FnOnce(&mut Node)) -> Result<(), SignatureError> {
    let mut tree = Node::read(&signed());
    alter(&mut tree);
    support::verifier().verify(&tree.write(), Some(CONTENT), NOW_US).map(drop)
}

/// What verifying says after `alter` changed the attributes and the office signed them again.
fn altered_and_signed(alter: impl FnOnce(&mut Node)) -> Result<(), SignatureError> {
    altered(|tree| {
        alter(tree);
        tree.at(parts::ATTRIBUTES).sort();
        parts::sign_again(tree, support::rsa());
    })
}

fn malformed(field: &'static str) -> Result<(), SignatureError> {
    Err(SignatureError::Malformed(field))
}

fn outside(what: OutsideProfile) -> Result<(), SignatureError> {
    Err(SignatureError::OutsideProfile(what))
}

#[test]
fn signing_again_changes_nothing_by_itself() {
    assert_eq!(altered_and_signed(|_| {}), Ok(()));
}

#[test]
fn every_truncation() {
    let signed = signed();
    let verifier = support::verifier();
    for cut in 0..signed.len() {
        let refusal = verifier.verify(&signed[..cut], Some(CONTENT), NOW_US).map(drop);
        assert_eq!(refusal, malformed("ContentInfo"), "cut at {cut}");
    }
    let mut longer = signed;
    longer.push(0);
    assert_eq!(verifier.verify(&longer, Some(CONTENT), NOW_US).map(drop), malformed("ContentInfo"));
}

/// Every bit, both where the signer is not known yet and where they are.
#[test]
fn every_flipped_bit() {
    let signed = signed();
    let stranger = support::verifier();
    let acquainted = support::verifier();
    acquainted.verify(&signed, Some(CONTENT), NOW_US).unwrap();
    for at in 0..signed.len() {
        for bit in 0..8 {
            let mut flipped = signed.clone();
            flipped[at] ^= 1 << bit;
            for verifier in [&stranger, &acquainted] {
                assert!(verifier.verify(&flipped, Some(CONTENT), NOW_US).is_err(), "bit {bit} of {at}");
            }
        }
    }
    assert_eq!(stranger.known_signers(), 0, "nobody is remembered for a signature that did not verify");
}

#[test]
fn openssl_signatures_outside_the_profile() {
    let folder = Folder::new();
    folder.put("content", CONTENT);
    folder.put("issuing.pem", &support::issuing().to_pem().unwrap());
    folder.put("rsa.key", &support::rsa().private_key_to_pem_pkcs8().unwrap());
    folder.put("rsa.pem", &support::pem(support::rsa_office().certificate_der()));
    folder.put("p256.key", &support::p256().private_key_to_pem_pkcs8().unwrap());
    folder.put("p256.pem", &support::pem(support::p256_office().certificate_der()));
    let by_rsa = "-certfile issuing.pem -signer rsa.pem -inkey rsa.key";
    for (options, refusal) in [
        (format!("-md sha256 {by_rsa}"), SignatureError::MissingAttribute(Attribute::SigningCertificateV2)),
        (format!("-md sha256 -noattr {by_rsa}"), SignatureError::MissingAttribute(Attribute::ContentType)),
        (format!("-cades -md sha1 {by_rsa}"), SignatureError::Algorithm),
        (format!("-cades -md sha224 {by_rsa}"), SignatureError::Algorithm),
        (format!("-cades -md sha256 {by_rsa} -keyopt rsa_padding_mode:pss"), SignatureError::Algorithm),
        (
            "-cades -md sha512 -certfile issuing.pem -signer p256.pem -inkey p256.key".to_owned(),
            SignatureError::Algorithm,
        ),
        (
            format!("-cades -md sha256 {by_rsa} -signer p256.pem -inkey p256.key"),
            SignatureError::MoreThanOneSigner,
        ),
        (format!("-cades -md sha256 -nocerts {by_rsa}"), SignatureError::SignerNotEmbedded),
        (format!("-cades -md sha256 -stream {by_rsa}"), SignatureError::Malformed("ContentInfo")),
        (
            format!("-cades -md sha256 -econtent_type 1.2.3.4 {by_rsa}"),
            SignatureError::OutsideProfile(OutsideProfile::ContentType),
        ),
    ] {
        folder.must(&format!("cms -sign -binary -in content -outform DER -out signed {options}"));
        let refused = support::verifier().verify(&folder.get("signed"), Some(CONTENT), NOW_US).map(drop);
        assert_eq!(refused, Err(refusal), "{options}");
    }
}

#[test]
fn content_that_is_there_twice_or_not_at_all() {
    let attached = sign(support::rsa_office(), CONTENT, Content::Attached, NOW_US).unwrap();
    let verifier = support::verifier();
    let refusal = |cms: &[u8], content| verifier.verify(cms, content, NOW_US).map(drop);
    assert_eq!(refusal(&attached, Some(CONTENT)), Err(SignatureError::NotDetached));
    assert_eq!(refusal(&signed(), None), Err(SignatureError::NoContent));
    assert_eq!(refusal(&signed(), Some(b"manifesT")), Err(SignatureError::DigestMismatch));
    assert_eq!(refusal(&signed(), Some(b"")), Err(SignatureError::DigestMismatch));
}

#[test]
fn each_attribute_missing() {
    for (oid, attribute) in [
        (parts::CONTENT_TYPE, Attribute::ContentType),
        (parts::MESSAGE_DIGEST, Attribute::MessageDigest),
        (parts::SIGNING_TIME, Attribute::SigningTime),
        (parts::SIGNING_CERTIFICATE_V2, Attribute::SigningCertificateV2),
    ] {
        let refusal = altered_and_signed(|tree| parts::remove(tree, oid));
        assert_eq!(refusal, Err(SignatureError::MissingAttribute(attribute)));
    }
    let refusal = altered(|tree| drop(tree.at(parts::SIGNER_INFO).children().remove(3)));
    assert_eq!(refusal, Err(SignatureError::MissingAttribute(Attribute::ContentType)));
    let refusal = altered_and_signed(|tree| tree.at(parts::ATTRIBUTES).children().clear());
    assert_eq!(refusal, malformed("signedAttrs"), "an empty SET is no SET OF attributes");
}

#[test]
fn each_attribute_twice() {
    let other = |oid| parts::attribute(oid, vec![Node::bytes(5, b"")]);
    for (oid, attribute, field) in [
        (parts::CONTENT_TYPE, Attribute::ContentType, "content-type"),
        (parts::MESSAGE_DIGEST, Attribute::MessageDigest, "message-digest"),
        (parts::SIGNING_TIME, Attribute::SigningTime, "signing-time"),
        (parts::SIGNING_CERTIFICATE_V2, Attribute::SigningCertificateV2, "signing-certificate-v2"),
    ] {
        // A second one whose encoding sorts behind the first.
        let refusal = altered_and_signed(|tree| {
            let mut second = parts::find(tree, oid).clone();
            second.at(&[1]).children().push(Node::bytes(0x1e, &[0; 200]));
            tree.at(parts::ATTRIBUTES).children().push(second);
        });
        assert_eq!(refusal, Err(SignatureError::DuplicateAttribute(Some(attribute))));
        // One attribute with two values.
        let refusal = altered_and_signed(|tree| {
            let values = parts::find(tree, oid).at(&[1]).children();
            values.push(values[0].clone());
        });
        assert_eq!(refusal, malformed(field), "two values");
    }
    let refusal = altered_and_signed(|tree| {
        let long = parts::attribute("1.2.3.4", vec![Node::bytes(4, &[0; 9])]);
        tree.at(parts::ATTRIBUTES).children().extend([other("1.2.3.4"), long]);
    });
    assert_eq!(refusal, Err(SignatureError::DuplicateAttribute(None)));
    let refusal = altered_and_signed(|tree| {
        tree.at(parts::ATTRIBUTES).children().extend([other("1.2.3.4"), other("1.2.3.4")]);
    });
    assert_eq!(refusal, malformed("signedAttrs"), "equal elements of a SET OF");
}

#[test]
fn attributes_that_mean_nothing_here_must_be_der() {
    let with = |value: Node| {
        altered_and_signed(|tree| {
            tree.at(parts::ATTRIBUTES).children().push(parts::attribute("1.2.3.4", vec![value]));
        })
    };
    assert_eq!(with(Node::bytes(0x0c, "語".as_bytes())), Ok(()));
    assert_eq!(with(Node::bytes(0x0c, b"\xff")), malformed("attrValues"));
    assert_eq!(with(Node::bytes(0x30, &[0x04, 0x80, 0, 0])), malformed("attrValues"));
    assert_eq!(with(Node::bytes(0x02, &[0, 0])), malformed("attrValues"));
    let refusal = altered_and_signed(|tree| {
        tree.at(parts::ATTRIBUTES).children().push(parts::attribute("1.2.3.4", vec![]));
    });
    assert_eq!(refusal, malformed("attrValues"), "no value");
}

#[test]
fn attributes_out_of_order_or_under_the_wrong_tag() {
    let refusal = altered(|tree| {
        tree.at(parts::ATTRIBUTES).children().reverse();
        parts::sign_again(tree, support::rsa());
    });
    assert_eq!(refusal, malformed("signedAttrs"));
    // Signed with the tag under which they are sent.
    let refusal = altered(|tree| {
        let attributes = tree.at(parts::ATTRIBUTES).write();
        let sha256 = openssl::hash::MessageDigest::sha256();
        let mut signer = openssl::sign::Signer::new(sha256, support::rsa()).unwrap();
        *tree.at(parts::SIGNATURE).value() = signer.sign_oneshot_to_vec(&attributes).unwrap();
    });
    assert_eq!(refusal, Err(SignatureError::BadSignature));
}

#[test]
fn too_many_attributes_and_too_long_ones() {
    let refusal = altered_and_signed(|tree| {
        let more = (0..13).map(|n| parts::attribute(&format!("1.2.3.{n}"), vec![Node::bytes(5, b"")]));
        tree.at(parts::ATTRIBUTES).children().extend(more);
    });
    assert_eq!(refusal, malformed("signedAttrs"));
    let refusal = altered_and_signed(|tree| {
        let long = parts::attribute("1.2.3.4", vec![Node::bytes(4, &[0; 17_000])]);
        tree.at(parts::ATTRIBUTES).children().push(long);
    });
    assert_eq!(refusal, Err(SignatureError::TooLarge("signedAttrs")));
}

#[test]
fn signing_time_in_a_form_it_must_not_have() {
    let at = |tag, text: &str| {
        altered_and_signed(|tree| {
            *parts::find(tree, parts::SIGNING_TIME).at(&[1, 0]) = Node::bytes(tag, text.as_bytes());
        })
    };
    assert_eq!(at(0x17, "260301000000Z"), Ok(()));
    assert_eq!(at(0x18, "20510101000000Z"), Ok(()));
    for (tag, text) in [
        (0x18, "20260301000000Z"),
        (0x18, "20491231235959Z"),
        (0x17, "2603010000Z"),
        (0x17, "260301000000+0900"),
        (0x17, "260301000000"),
        (0x17, "260231000000Z"),
        (0x17, "260301240000Z"),
        (0x17, "600101000000Z"),
        (0x18, "20510101000000.5Z"),
        (0x18, "20510101000000+0900"),
        (0x0c, "260301000000Z"),
        (0x17, ""),
    ] {
        assert_eq!(at(tag, text), malformed("signing-time"), "{tag:x} {text:?}");
    }
}

#[test]
fn fields_outside_the_profile() {
    let push = |path: &[usize], node: Node| altered(|tree| tree.at(path).children().push(node));
    let empty = || vec![Node::nodes(0x30, vec![])];
    assert_eq!(
        push(parts::SIGNER_INFO, Node::nodes(0xa1, empty())),
        outside(OutsideProfile::UnsignedAttributes)
    );
    let refusal = altered(|tree| {
        tree.at(parts::SIGNED_DATA).children().insert(4, Node::nodes(0xa1, empty()));
    });
    assert_eq!(refusal, outside(OutsideProfile::EmbeddedCrls));
    for choice in [0xa0, 0xa1, 0xa2, 0xa3] {
        assert_eq!(
            push(parts::CERTIFICATES, Node::nodes(choice, empty())),
            outside(OutsideProfile::CertificateChoice)
        );
    }
    let refusal = altered(|tree| *tree.at(parts::ENCAPSULATED).at(&[0]) = parts::oid("1.2.3.4"));
    assert_eq!(refusal, outside(OutsideProfile::ContentType));
    let refusal = altered_and_signed(|tree| {
        *parts::find(tree, parts::CONTENT_TYPE).at(&[1, 0]) = parts::oid("1.2.3.4");
    });
    assert_eq!(refusal, outside(OutsideProfile::ContentType));
    assert_eq!(push(parts::SIGNED_DATA, Node::bytes(5, b"")), malformed("SignedData"));
    assert_eq!(push(parts::SIGNER_INFO, Node::bytes(5, b"")), malformed("SignerInfo"));
}

#[test]
fn signing_certificate_in_other_forms() {
    let refusal = altered_and_signed(|tree| {
        let v1 = parts::attribute(parts::SIGNING_CERTIFICATE, vec![Node::nodes(0x30, vec![])]);
        tree.at(parts::ATTRIBUTES).children().push(v1);
    });
    assert_eq!(refusal, outside(OutsideProfile::SigningCertificateV1));
    let refusal = altered_and_signed(|tree| {
        let ids = parts::find(tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0]).children();
        ids.push(ids[0].clone());
    });
    assert_eq!(refusal, outside(OutsideProfile::SigningCertificateExtras));
    let refusal = altered_and_signed(|tree| {
        let value = parts::find(tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0]).children();
        value.push(Node::nodes(0x30, vec![Node::nodes(0x30, vec![parts::oid("1.2.3.4")])]));
    });
    assert_eq!(refusal, outside(OutsideProfile::SigningCertificateExtras));
    // The default hash, written out.
    let sha256 = || Node::nodes(0x30, vec![parts::oid("2.16.840.1.101.3.4.2.1")]);
    let id = |tree: &mut Node| parts::find(tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0, 0]).clone();
    let refusal = altered_and_signed(|tree| {
        let mut id = id(tree);
        id.children().insert(0, sha256());
        *parts::find(tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0, 0]) = id;
    });
    assert_eq!(refusal, malformed("ESSCertIDv2.hashAlgorithm"));
    let refusal = altered_and_signed(|tree| {
        let sha1 = Node::nodes(0x30, vec![parts::oid("1.3.14.3.2.26")]);
        let id = parts::find(tree, parts::SIGNING_CERTIFICATE_V2).at(&[1, 0, 0, 0]);
        id.children().insert(0, sha1);
    });
    assert_eq!(refusal, Err(SignatureError::Algorithm));
}

#[test]
fn signers_none_two_and_under_other_versions() {
    assert_eq!(
        altered(|tree| tree.at(parts::SIGNER_INFOS).children().clear()),
        Err(SignatureError::NoSigner)
    );
    let refusal = altered(|tree| {
        let infos = tree.at(parts::SIGNER_INFOS).children();
        infos.push(infos[0].clone());
    });
    assert_eq!(refusal, Err(SignatureError::MoreThanOneSigner));
    for version in [0, 2, 3, 4, 5, 0x81] {
        let refusal = altered(|tree| tree.at(parts::VERSION).value()[0] = version);
        assert_eq!(refusal, malformed("SignedData.version"), "{version}");
    }
    let refusal = altered(|tree| tree.at(parts::SIGNER_VERSION).value()[0] = 3);
    assert_eq!(refusal, malformed("sid"), "version 3 names the signer by key identifier");
    let refusal = altered(|tree| *tree.at(parts::SID) = Node::bytes(0x80, &[1; 20]));
    assert_eq!(refusal, malformed("sid"), "version 1 names the signer by issuer and serial number");
}

#[test]
fn algorithms_that_do_not_fit() {
    let set = |path: &[usize], oid: &str, null: bool| {
        altered(|tree| {
            let mut nodes = vec![parts::oid(oid)];
            nodes.extend(null.then(|| Node::bytes(5, b"")));
            *tree.at(path) = Node::nodes(0x30, nodes);
        })
    };
    let refused = Err(SignatureError::Algorithm);
    let sha384_with_rsa = "1.2.840.113549.1.1.12";
    assert_eq!(set(parts::SIGNATURE_ALGORITHM, "1.2.840.113549.1.1.11", true), Ok(()), "its full name");
    assert_eq!(set(parts::SIGNATURE_ALGORITHM, sha384_with_rsa, true), refused, "not the digest's hash");
    assert_eq!(set(parts::SIGNATURE_ALGORITHM, "1.2.840.113549.1.1.1", false), refused, "RSA without NULL");
    assert_eq!(
        set(parts::SIGNATURE_ALGORITHM, "1.2.840.10045.4.3.2", false),
        refused,
        "ECDSA, but an RSA key"
    );
    assert_eq!(set(parts::SIGNATURE_ALGORITHM, "1.2.840.113549.1.1.5", true), refused, "SHA-1");
    assert_eq!(set(parts::DIGEST_ALGORITHM, "1.3.14.3.2.26", true), refused, "SHA-1");
    assert_eq!(
        set(parts::DIGEST_ALGORITHM, "2.16.840.1.101.3.4.2.3", true),
        malformed("digestAlgorithms"),
        "not the set's hash"
    );
    let refusal = altered(|tree| tree.at(parts::DIGEST_ALGORITHMS).children().clear());
    assert_eq!(refusal, malformed("digestAlgorithms"));
    let refusal = altered(|tree| {
        let hashes = tree.at(parts::DIGEST_ALGORITHMS).children();
        hashes.push(Node::nodes(0x30, vec![parts::oid("2.16.840.1.101.3.4.2.3")]));
    });
    assert_eq!(refusal, malformed("digestAlgorithms"));
}

#[test]
fn more_certificates_than_are_looked_at() {
    let with = |certificates: Vec<Node>| {
        altered(|tree| {
            tree.at(parts::CERTIFICATES).children().extend(certificates);
            tree.at(parts::CERTIFICATES).sort();
        })
    };
    let filler = |len, n: u8| Node::bytes(0x30, &Node::bytes(4, &vec![n; len]).write());
    assert_eq!(with((0..15).map(|n| filler(9, n)).collect()), malformed("certificates"));
    assert_eq!(with(vec![filler(65_536, 0)]), Err(SignatureError::TooLarge("certificates")));
    assert_eq!(with(vec![filler(9, 0)]), malformed("certificates"), "not a certificate");
    let refusal = altered(|tree| tree.at(parts::CERTIFICATES).children().reverse());
    assert_eq!(refusal, malformed("certificates"), "out of order");
    let refusal = altered(|tree| drop(tree.at(parts::SIGNED_DATA).children().remove(3)));
    assert_eq!(refusal, Err(SignatureError::SignerNotEmbedded));
}

#[test]
fn signature_longer_than_any() {
    let refusal = altered(|tree| *tree.at(parts::SIGNATURE).value() = vec![1; 1025]);
    assert_eq!(refusal, Err(SignatureError::TooLarge("signature")));
    let refusal = altered(|tree| tree.at(parts::SIGNATURE).value().truncate(255));
    assert_eq!(refusal, Err(SignatureError::BadSignature));
}
