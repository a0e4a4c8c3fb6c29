//! Keys of the relay itself on a token: making them, their public halves, and Ed25519, which signs the log's checkpoints.

use std::sync::Arc;

use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use der::Decode as _;
use der::asn1::OctetString;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{Open, Scheme, TRIAL, TokenError, TokenKey, TokenUri, log_in, module, slot};

/// `prime256v1` as `CKA_EC_PARAMS`: an OBJECT IDENTIFIER.
const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// `secp384r1`.
const P384: &[u8] = &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22];
/// Ed25519 as drivers know it: by the curve's name, a `PrintableString` (PKCS #11 2.40 and 3.0), or by its OBJECT IDENTIFIER (RFC 8410).
const ED25519_NAMES: [&[u8]; 2] = [b"\x13\x0cedwards25519", &[0x06, 0x03, 0x2b, 0x65, 0x70]];

/// Bytes of a new key's id: random, so that no two are alike.
const ID_BYTES: usize = 16;

/// The key to make where a token has none of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MakeKey {
    /// On P-256.
    P256,
    /// Ed25519.
    Ed25519,
}

impl TokenKey {
    /// The key that a URI names by `object`, made on the token if it is not there: it never leaves the token.
    pub(crate) fn open_or_make(uri: TokenUri, pin: &str, kind: MakeKey) -> Result<Self, TokenError> {
        match Self::open(uri.clone(), pin) {
            Err(TokenError::NoKey) => {
                make(&uri, pin, kind)?;
                Ok(Self::open(uri, pin)?.0)
            }
            opened => Ok(opened?.0),
        }
    }
}

fn make(uri: &TokenUri, pin: &str, kind: MakeKey) -> Result<(), TokenError> {
    let label = uri.object.clone().ok_or(TokenError::NoKey)?;
    let module = module(uri)?;
    let session = module.open_rw_session(slot(&module, uri)?)?;
    log_in(&session, uri, pin)?;
    let mut id = vec![0; ID_BYTES];
    SystemRandom::new().fill(&mut id).map_err(|_| TokenError::Failed)?;
    let id = uri.id.clone().unwrap_or(id);
    let label = Attribute::Label(label.into_bytes());
    let common = [Attribute::Token(true), Attribute::Id(id), label];
    let private = [
        &common[..],
        &[
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
        ],
    ]
    .concat();
    let (mechanism, curves): (Mechanism, &[&[u8]]) = match kind {
        MakeKey::P256 => (Mechanism::EccKeyPairGen, &[P256]),
        MakeKey::Ed25519 => (Mechanism::EccEdwardsKeyPairGen, &ED25519_NAMES),
    };
    let mut made = Err(TokenError::Failed);
    for curve in curves {
        let own = [Attribute::EcParams(curve.to_vec()), Attribute::Verify(true)];
        let public = [&common[..], &own].concat();
        made = session.generate_key_pair(&mechanism, &public, &private).map_err(TokenError::from);
        if made.is_ok() {
            break;
        }
    }
    made.map(drop)
}

/// The public half of a key on a token, RSA or on P-256 or P-384, from the object beside it.
pub(crate) fn public_key(key: &TokenKey) -> Result<PKey<Public>, TokenError> {
    let open = key.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let object = public_object(&open)?;
    let failed = |_: openssl::error::ErrorStack| TokenError::Failed;
    if let Ok((params, point)) = curve_and_point(&open.session, object) {
        let group = match params.as_slice() {
            P256 => EcGroup::from_curve_name(Nid::X9_62_PRIME256V1),
            P384 => EcGroup::from_curve_name(Nid::SECP384R1),
            _ => return Err(TokenError::NoKey),
        };
        let group = group.map_err(failed)?;
        let mut context = BigNumContext::new().map_err(failed)?;
        let point = EcPoint::from_bytes(&group, &point, &mut context).map_err(failed)?;
        let key = EcKey::from_public_key(&group, &point).map_err(failed)?;
        return PKey::from_ec_key(key).map_err(failed);
    }
    let wanted = [AttributeType::Modulus, AttributeType::PublicExponent];
    let (mut n, mut e) = (None, None);
    for attribute in open.session.get_attributes(object, &wanted)? {
        match attribute {
            Attribute::Modulus(bytes) => n = Some(bytes),
            Attribute::PublicExponent(bytes) => e = Some(bytes),
            _ => {}
        }
    }
    let number =
        |bytes: Option<Vec<u8>>| BigNum::from_slice(&bytes.ok_or(TokenError::NoKey)?).map_err(failed);
    let rsa = Rsa::from_public_components(number(n)?, number(e)?).map_err(failed)?;
    PKey::from_rsa(rsa).map_err(failed)
}

/// The public key object of the same id, or where the private key has none, of the same name.
fn public_object(open: &Open) -> Result<ObjectHandle, TokenError> {
    let of_key = open.session.get_attributes(open.key, &[AttributeType::Id, AttributeType::Label])?;
    let id = of_key.iter().find(|one| matches!(one, Attribute::Id(id) if !id.is_empty()));
    let label = of_key.iter().find(|one| matches!(one, Attribute::Label(_)));
    let by = id.or(label).ok_or(TokenError::NoKey)?.clone();
    let wanted = [Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::Token(true), by];
    match open.session.find_objects(&wanted)?[..] {
        [] => Err(TokenError::NoKey),
        [object] => Ok(object),
        _ => Err(TokenError::Ambiguous),
    }
}

/// `CKA_EC_PARAMS` and the point, which drivers give inside an OCTET STRING.
fn curve_and_point(session: &Session, object: ObjectHandle) -> Result<(Vec<u8>, Vec<u8>), TokenError> {
    let (mut params, mut point) = (None, None);
    for attribute in session.get_attributes(object, &[AttributeType::EcParams, AttributeType::EcPoint])? {
        match attribute {
            Attribute::EcParams(bytes) => params = Some(bytes),
            Attribute::EcPoint(bytes) => point = Some(bytes),
            _ => {}
        }
    }
    let (params, point) = params.zip(point).ok_or(TokenError::NoKey)?;
    let inside = OctetString::from_der(&point).map(OctetString::into_bytes);
    Ok((params, inside.unwrap_or(point)))
}

/// An Ed25519 key on a token.
#[derive(Clone, Debug)]
pub struct Ed25519Key {
    key: Arc<TokenKey>,
    public: [u8; 32],
}

impl Ed25519Key {
    /// Opens a token with its PIN and finds the key. It signs once, to see that it belongs to its public half.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn open(uri: TokenUri, pin: &str) -> Result<Self, TokenError> {
        Self::of(TokenKey::open(uri, pin)?.0)
    }

    /// The same; a key that is not there is made on the token, under the name that the URI gives it.
    ///
    /// # Errors
    /// [`TokenError`].
    pub fn open_or_make(uri: TokenUri, pin: &str) -> Result<Self, TokenError> {
        Self::of(TokenKey::open_or_make(uri, pin, MakeKey::Ed25519)?)
    }

    fn of(key: TokenKey) -> Result<Self, TokenError> {
        let public = {
            let open = key.open.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let (params, point) = curve_and_point(&open.session, public_object(&open)?)?;
            if !ED25519_NAMES.contains(&params.as_slice()) {
                return Err(TokenError::NoKey);
            }
            point.try_into().map_err(|_| TokenError::NoKey)?
        };
        let made = Self { key: Arc::new(key), public };
        let signature = made.sign(TRIAL)?;
        let fits = UnparsedPublicKey::new(&ED25519, public).verify(TRIAL, &signature);
        fits.map(|()| made).map_err(|_| TokenError::DoesNotMatch)
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs a message. A token takes up to some ten milliseconds.
    ///
    /// # Errors
    /// [`TokenError`]: it is not there, or fails.
    pub fn sign(&self, message: &[u8]) -> Result<[u8; 64], TokenError> {
        self.key.sign(Scheme::Ed25519, message)?.try_into().map_err(|_| TokenError::Failed)
    }
}
