//! A key that never leaves its token: a smart card, a USB token or an HSM, through its PKCS #11 driver.
//!
//! Such a key signs: parcels, statements, TLS handshakes. What is received is opened with a sealing key instead
//! ([`crate::sealing_key`]), because many tokens do not decrypt RSA-OAEP with SHA-256.
//!
//! A wrong PIN is never tried twice: a token locks itself after a few. A key that asks for the PIN before each signature
//! (`CKA_ALWAYS_AUTHENTICATE`) gets it each time.

mod made;
mod uri;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKeyRef, Public};
use openssl::sign::Verifier;
use ring::digest;
use zeroize::Zeroizing;

pub use self::made::Ed25519Key;
pub(crate) use self::made::{MakeKey, public_key};
pub use self::uri::{TokenUri, UriError};
use crate::identity::{KeyKind, sha256};

/// Certificates that are looked at on one token.
const MAX_CERTIFICATES: usize = 32;

/// What a token's key signs to show that it is the one. It is no text of anything else that is signed.
const TRIAL: &[u8] = b"tasuki: does this key belong to this certificate?";

/// Bytes of a PIN: tokens take 4 to 64.
const MAX_PIN_BYTES: usize = 255;

/// Why a key on a token can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The URI can't be used.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The driver can't be loaded.
    #[error("the token's driver (module-path) can't be loaded")]
    Module,
    /// No token of this name is there.
    #[error("the token is not there")]
    NotThere,
    /// The PIN is wrong.
    #[error("the token's PIN is wrong")]
    Pin,
    /// The PIN was wrong too often, or has expired.
    #[error("the token's PIN is locked or has expired")]
    PinLocked,
    /// No such key is on the token.
    #[error("there is no such key on the token")]
    NoKey,
    /// Several keys fit.
    #[error("several keys on the token fit: name one by object= or id=")]
    Ambiguous,
    /// What it signs does not verify with the certificate.
    #[error("the key on the token does not belong to the certificate")]
    DoesNotMatch,
    /// The token can't sign so, or fails.
    #[error("the token failed")]
    Failed,
}

impl TokenError {
    /// Stable name of the reason, for messages and logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Uri(_) => "TOKEN_URI",
            Self::Module => "TOKEN_MODULE",
            Self::NotThere => "TOKEN_NOT_THERE",
            Self::Pin => "TOKEN_PIN",
            Self::PinLocked => "TOKEN_PIN_LOCKED",
            Self::NoKey => "TOKEN_KEY_NOT_FOUND",
            Self::Ambiguous => "TOKEN_KEY_AMBIGUOUS",
            Self::DoesNotMatch => "KEY_DOES_NOT_MATCH",
            Self::Failed => "TOKEN_FAILED",
        }
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => Self::Pin,
            Error::Pkcs11(RvError::PinLocked | RvError::PinExpired, _) => Self::PinLocked,
            Error::Pkcs11(RvError::TokenNotPresent | RvError::DeviceRemoved, _) => Self::NotThere,
            _ => Self::Failed,
        }
    }
}

/// How a token signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// RSA, PKCS #1 v1.5 over SHA-256.
    RsaPkcs1Sha256,
    /// RSA, PSS over SHA-256 with a salt of 32 bytes.
    RsaPssSha256,
    /// ECDSA over SHA-256.
    EcdsaSha256,
    /// ECDSA over SHA-384.
    EcdsaSha384,
    /// Ed25519 (RFC 8032).
    Ed25519,
}

/// PINs that a token refused, by token and SHA-256: they are not tried again while the process runs.
static REFUSED: LazyLock<Mutex<HashSet<Tried>>> = LazyLock::new(Mutex::default);

type Tried = (TokenUri, [u8; 32]);

/// Refused PINs that are remembered; one more makes all be forgotten.
const MAX_REFUSED: usize = 64;

/// How often a token is looked for, and the pause in between: another process that writes to it hides it for milliseconds.
const LOOKS: u32 = 5;
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(40);

/// Drivers, loaded once for the process: initialising one twice is an error.
static DRIVERS: LazyLock<Mutex<HashMap<PathBuf, Driver>>> = LazyLock::new(Mutex::default);

struct Driver {
    module: Pkcs11,
    /// It was begun here. What another part of the program began is that one's to end.
    ours: bool,
}

/// A key on a token, ready to sign.
pub(crate) struct TokenKey {
    uri: TokenUri,
    pin: Zeroizing<String>,
    /// One use at a time: a session is for one thread.
    open: Mutex<Open>,
}

struct Open {
    session: Session,
    key: ObjectHandle,
    /// The key asks for the PIN before each signature.
    asks: bool,
}

impl TokenKey {
    /// Opens a token, logs in and finds the key. Also gives the certificates on the token, the key's own first.
    pub(crate) fn open(uri: TokenUri, pin: &str) -> Result<(Self, Vec<Vec<u8>>), TokenError> {
        let open = Open::new(&uri, pin)?;
        let certificates = open.certificates()?;
        let pin = Zeroizing::new(pin.to_owned());
        Ok((Self { uri, pin, open: Mutex::new(open) }, certificates))
    }

    /// Signs a message. ECDSA signatures are DER (RFC 3279).
    pub(crate) fn sign(&self, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.asks && was_refused(&self.uri, &self.pin) {
            return Err(TokenError::Pin);
        }
        let signed = self.signed(&open, scheme, message);
        // A new session mends no PIN.
        if matches!(signed, Ok(_) | Err(TokenError::Pin | TokenError::PinLocked)) {
            return signed;
        }
        // The token was taken out and put in again, or its driver forgot the session: once more, with a new one.
        *open = Open::new(&self.uri, &self.pin)?;
        self.signed(&open, scheme, message)
    }

    fn signed(&self, open: &Open, scheme: Scheme, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let signed = open.sign(scheme, message, &self.pin).map_err(TokenError::from);
        if signed == Err(TokenError::Pin) {
            note_refused(&self.uri, &self.pin);
        }
        signed
    }

    /// Has the key sign once, to see that it is the private half of `public`.
    pub(crate) fn belongs_to(&self, public: &PKeyRef<Public>, kind: KeyKind) -> Result<(), TokenError> {
        let signature = self.sign(scheme_of(kind), TRIAL)?;
        let fits =
            Verifier::new(digest_of(kind), public).and_then(|mut v| v.verify_oneshot(&signature, TRIAL));
        if fits.is_ok_and(|fits| fits) { Ok(()) } else { Err(TokenError::DoesNotMatch) }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("uri", &self.uri).finish_non_exhaustive()
    }
}

impl Open {
    fn new(uri: &TokenUri, pin: &str) -> Result<Self, TokenError> {
        let module = module(uri)?;
        let session = module.open_ro_session(slot(&module, uri)?)?;
        log_in(&session, uri, pin)?;
        let mut wanted = vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Token(true)];
        wanted.extend(uri.object.iter().map(|label| Attribute::Label(label.clone().into_bytes())));
        wanted.extend(uri.id.iter().map(|id| Attribute::Id(id.clone())));
        match session.find_objects(&wanted)?[..] {
            [] => Err(TokenError::NoKey),
            [key] => {
                // Old drivers don't know the attribute: such a key does not ask.
                let asks = session.get_attributes(key, &[AttributeType::AlwaysAuthenticate]);
                let asks = asks.is_ok_and(|found| found.contains(&Attribute::AlwaysAuthenticate(true)));
                Ok(Self { session, key, asks })
            }
            _ => Err(TokenError::Ambiguous),
        }
    }

    /// The certificates on the token, those with the key's id first.
    fn certificates(&self) -> Result<Vec<Vec<u8>>, TokenError> {
        let id = self.session.get_attributes(self.key, &[AttributeType::Id])?.into_iter().next();
        let wanted = [Attribute::Class(ObjectClass::CERTIFICATE), Attribute::Token(true)];
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for object in self.session.find_objects(&wanted)?.into_iter().take(MAX_CERTIFICATES) {
            let found = self.session.get_attributes(object, &[AttributeType::Id, AttributeType::Value])?;
            let same = id.as_ref().is_some_and(|id| found.contains(id));
            let value = found.into_iter().find_map(|attribute| match attribute {
                Attribute::Value(der) => Some(der),
                _ => None,
            });
            if same { own.extend(value) } else { others.extend(value) }
        }
        own.append(&mut others);
        Ok(own)
    }

    fn sign(&self, scheme: Scheme, message: &[u8], pin: &str) -> Result<Vec<u8>, Error> {
        if self.asks {
            return self.sign_asked(scheme, message, pin);
        }
        let ecdsa = |algorithm| {
            let hash = digest::digest(algorithm, message);
            self.session.sign(&Mechanism::Ecdsa, self.key, hash.as_ref()).and_then(|raw| ecdsa_der(&raw))
        };
        match scheme {
            Scheme::EcdsaSha256 => ecdsa(&digest::SHA256),
            Scheme::EcdsaSha384 => ecdsa(&digest::SHA384),
            Scheme::RsaPkcs1Sha256 | Scheme::RsaPssSha256 | Scheme::Ed25519 => {
                self.session.sign(&hashing(scheme), self.key, message)
            }
        }
    }

    /// With the PIN between the beginning of the signature and its end, which only a signature in parts leaves room for. Hashing is the
    /// driver's then.
    fn sign_asked(&self, scheme: Scheme, message: &[u8], pin: &str) -> Result<Vec<u8>, Error> {
        self.session.sign_init(&hashing(scheme), self.key)?;
        self.session.login(UserType::ContextSpecific, Some(&AuthPin::new(pin.into())))?;
        self.session.sign_update(message)?;
        let signature = self.session.sign_final()?;
        match scheme {
            Scheme::EcdsaSha256 | Scheme::EcdsaSha384 => ecdsa_der(&signature),
            Scheme::RsaPkcs1Sha256 | Scheme::RsaPssSha256 | Scheme::Ed25519 => Ok(signature),
        }
    }
}

/// The mechanism that takes the whole message.
fn hashing(scheme: Scheme) -> Mechanism<'static> {
    match scheme {
        Scheme::RsaPkcs1Sha256 => Mechanism::Sha256RsaPkcs,
        Scheme::RsaPssSha256 => Mechanism::Sha256RsaPkcsPss(PkcsPssParams {
            hash_alg: MechanismType::SHA256,
            mgf: PkcsMgfType::MGF1_SHA256,
            s_len: 32.into(),
        }),
        Scheme::EcdsaSha256 => Mechanism::EcdsaSha256,
        Scheme::EcdsaSha384 => Mechanism::EcdsaSha384,
        Scheme::Ed25519 => Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Ed25519)),
    }
}

/// Logs a session in. A PIN that this token refused before is not tried again.
fn log_in(session: &Session, uri: &TokenUri, pin: &str) -> Result<(), TokenError> {
    if pin.is_empty() || pin.len() > MAX_PIN_BYTES {
        return Err(TokenError::Pin);
    }
    if was_refused(uri, pin) {
        return Err(TokenError::Pin);
    }
    match session.login(UserType::User, Some(&AuthPin::new(pin.into()))) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(error) => {
            let error = TokenError::from(error);
            if error == TokenError::Pin {
                note_refused(uri, pin);
            }
            Err(error)
        }
    }
}

fn tried(uri: &TokenUri, pin: &str) -> Tried {
    (uri.token_only(), sha256(pin.as_bytes()))
}

fn was_refused(uri: &TokenUri, pin: &str) -> bool {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner).contains(&tried(uri, pin))
}

fn note_refused(uri: &TokenUri, pin: &str) {
    let mut refused = REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if refused.len() >= MAX_REFUSED {
        refused.clear();
    }
    refused.insert(tried(uri, pin));
}

/// A token gives r and s, one after the other, each as long as the curve's order.
fn ecdsa_der(raw: &[u8]) -> Result<Vec<u8>, Error> {
    let (r, s) = raw.split_at(raw.len() / 2);
    let number = |bytes| BigNum::from_slice(bytes);
    let der = number(r)
        .and_then(|r| EcdsaSig::from_private_components(r, number(s)?))
        .and_then(|signature| signature.to_der());
    der.map_err(|_| Error::NotSupported)
}

/// The token's driver. One that was just loaded may have missed its token, if another process was writing to it: then it is begun anew,
/// as long as nobody uses it.
fn module(uri: &TokenUri) -> Result<Pkcs11, TokenError> {
    let path = uri.module();
    let mut drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(driver) = drivers.get(path) {
        return Ok(driver.module.clone());
    }
    let module = Pkcs11::new(path).map_err(|_| TokenError::Module)?;
    let mut ours = begin(&module)?;
    for _ in 1..LOOKS {
        if !ours || find_slot(&module, uri)?.is_some() {
            break;
        }
        module.clone().finalize().map_err(|_| TokenError::Module)?;
        std::thread::sleep(LOOK_AGAIN_AFTER);
        ours = begin(&module)?;
    }
    drivers.insert(path.to_owned(), Driver { module: module.clone(), ours });
    Ok(module)
}

/// Begins the work with a driver. `false`: another part of the program has begun it.
fn begin(module: &Pkcs11) -> Result<bool, TokenError> {
    match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Ok(()) => Ok(true),
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(false),
        Err(_) => Err(TokenError::Module),
    }
}

/// Ends the work with every driver that was begun here. A program calls it last: a driver that is still at work while the process ends may
/// crash it.
pub fn close_all() {
    let mut drivers = DRIVERS.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, driver) in drivers.drain().filter(|(_, driver)| driver.ours) {
        // There is nobody left to be told.
        let _closed = driver.module.finalize();
    }
}

fn slot(module: &Pkcs11, uri: &TokenUri) -> Result<Slot, TokenError> {
    for _ in 1..LOOKS {
        if let Some(slot) = find_slot(module, uri)? {
            return Ok(slot);
        }
        std::thread::sleep(LOOK_AGAIN_AFTER);
    }
    find_slot(module, uri)?.ok_or(TokenError::NotThere)
}

fn find_slot(module: &Pkcs11, uri: &TokenUri) -> Result<Option<Slot>, TokenError> {
    for slot in module.get_slots_with_token()? {
        // One that can't be read is another's.
        let Ok(info) = module.get_token_info(slot) else { continue };
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|w| w == name.trim_end());
        if is(&uri.token, info.label()) && is(&uri.serial, info.serial_number()) {
            return Ok(Some(slot));
        }
    }
    Ok(None)
}

/// How a key of this kind signs a parcel or a statement.
pub(crate) fn scheme_of(kind: KeyKind) -> Scheme {
    match kind {
        KeyKind::Rsa => Scheme::RsaPkcs1Sha256,
        KeyKind::P256 => Scheme::EcdsaSha256,
        KeyKind::P384 => Scheme::EcdsaSha384,
    }
}

/// The hash in such a signature.
pub(crate) fn digest_of(kind: KeyKind) -> MessageDigest {
    match kind {
        KeyKind::Rsa | KeyKind::P256 => MessageDigest::sha256(),
        KeyKind::P384 => MessageDigest::sha384(),
    }
}
