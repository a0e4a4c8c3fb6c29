//! Names of things: parcels and the parties that act.

use std::fmt;
use std::str::FromStr;

use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::profile::Identity;
use uuid::Uuid;

/// A parcel's id: a `UUIDv7` (RFC 9562, section 5.7) that its sender chose. Unique per sender only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ParcelId(Uuid);

/// The text is not the 36-character lower-case form of a `UUIDv7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a parcel id (a version 7 UUID in lower case)")]
pub struct ParcelIdError;

impl ParcelId {
    /// Makes a new id from the time (Unix microseconds) and 74 random bits.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn new(now_us: i64, rng: &dyn SecureRandom) -> Result<Self, ring::error::Unspecified> {
        let mut random = [0; 10];
        rng.fill(&mut random)?;
        let millis = u64::try_from(now_us / 1000).unwrap_or(0);
        Ok(Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()))
    }

    /// The 16 bytes, as a database key.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Back from [`ParcelId::as_bytes`].
    ///
    /// # Errors
    /// If these are not the bytes of a `UUIDv7`.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ParcelIdError> {
        let id = Uuid::from_slice(bytes).map_err(|_| ParcelIdError)?;
        Self::check(id)
    }

    fn check(id: Uuid) -> Result<Self, ParcelIdError> {
        let is_v7 = id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122;
        is_v7.then_some(Self(id)).ok_or(ParcelIdError)
    }
}

impl FromStr for ParcelId {
    type Err = ParcelIdError;

    fn from_str(text: &str) -> Result<Self, ParcelIdError> {
        if text.len() != 36 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(ParcelIdError);
        }
        Self::check(Uuid::try_parse(text).map_err(|_| ParcelIdError)?)
    }
}

impl TryFrom<String> for ParcelId {
    type Error = ParcelIdError;

    fn try_from(text: String) -> Result<Self, ParcelIdError> {
        text.parse()
    }
}

impl From<ParcelId> for String {
    fn from(id: ParcelId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for ParcelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Names one parcel everywhere: ids are unique per sender, so the sender belongs to the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParcelKey {
    /// The sending office.
    pub sender: OfficeNumber,
    /// The id that it chose.
    pub id: ParcelId,
}

impl fmt::Display for ParcelKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.sender, self.id)
    }
}

/// A transmission proxy's number (伝送代行業者): `P` and five digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProxyNumber([u8; 6]);

/// The text is not `P` and five digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a proxy's number (P and 5 digits)")]
pub struct ProxyNumberError;

impl ProxyNumber {
    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for ProxyNumber {
    type Err = ProxyNumberError;

    fn from_str(text: &str) -> Result<Self, ProxyNumberError> {
        let bytes: [u8; 6] = text.as_bytes().try_into().map_err(|_| ProxyNumberError)?;
        let fits = bytes[0] == b'P' && bytes[1..].iter().all(u8::is_ascii_digit);
        fits.then_some(Self(bytes)).ok_or(ProxyNumberError)
    }
}

impl TryFrom<String> for ProxyNumber {
    type Error = ProxyNumberError;

    fn try_from(text: String) -> Result<Self, ProxyNumberError> {
        text.parse()
    }
}

impl From<ProxyNumber> for String {
    fn from(number: ProxyNumber) -> Self {
        number.to_string()
    }
}

impl fmt::Display for ProxyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Writes an identity as events do: `office:1371215102`, `terminal:1371215102:reception`,
/// `proxy:P00004`, `operator:shift lead`.
pub fn identity_text(identity: &Identity) -> String {
    match identity {
        Identity::Office { number } => format!("office:{number}"),
        Identity::Terminal { office, name } => format!("terminal:{office}:{name}"),
        Identity::Proxy { number } => format!("proxy:{number}"),
        Identity::Operator { name } => format!("operator:{name}"),
    }
}

/// The proxy that [`identity_text`] names; `None`: it names somebody else.
pub fn proxy_of(text: &str) -> Option<ProxyNumber> {
    text.strip_prefix("proxy:")?.parse().ok()
}

/// Key of the request metadata that says for which office a call is: a proxy must say it, others may.
pub const OFFICE_METADATA: &str = "tasuki-office";

/// Key of the request metadata that brings an OCSP answer (RFC 6960, DER) about the caller's certificate, at most
/// [`MAX_OCSP_BYTES`](crate::limits::MAX_OCSP_BYTES).
pub const OCSP_METADATA: &str = "tasuki-ocsp-bin";

/// Whether an identity is the office itself: none of its terminals, and nobody else.
pub fn is_office(identity: &Identity, office: OfficeNumber) -> bool {
    matches!(identity, Identity::Office { number } if number == office.as_str())
}

/// The office that an identity speaks for by itself: an office, or a terminal of it.
pub fn own_office(identity: &Identity) -> Option<OfficeNumber> {
    match identity {
        Identity::Office { number } => number.parse().ok(),
        Identity::Terminal { office, .. } => office.parse().ok(),
        Identity::Proxy { .. } | Identity::Operator { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_have_numbers_of_their_own() {
        assert_eq!("P00004".parse::<ProxyNumber>().unwrap().to_string(), "P00004");
        let identity = Identity::Proxy { number: "P00004".to_owned() };
        assert_eq!(
            proxy_of(&identity_text(&identity)).map(|number| number.to_string()).as_deref(),
            Some("P00004")
        );
        assert_eq!(proxy_of("office:1371215102"), None);
        for wrong in ["", "P0004", "p00004", "P000004", "P0000x", "1371215102", "Ｐ0004"] {
            assert!(wrong.parse::<ProxyNumber>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn new_ids_parse_back_and_sort_by_time() {
        let rng = ring::rand::SystemRandom::new();
        let early = ParcelId::new(1_700_000_000_000_000, &rng).unwrap();
        let late = ParcelId::new(1_700_000_001_000_000, &rng).unwrap();
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!(ParcelId::from_bytes(early.as_bytes()), Ok(early));
    }

    #[test]
    fn other_versions_and_other_spellings_are_refused() {
        for text in [
            "",
            "0193a3f0-8a1b-4c2d-8e3f-000000000000",
            "0193A3F0-8A1B-7C2D-8E3F-000000000000",
            "0193a3f08a1b7c2d8e3f000000000000",
            "{0193a3f0-8a1b-7c2d-8e3f-000000000000}",
        ] {
            assert_eq!(text.parse::<ParcelId>(), Err(ParcelIdError), "{text}");
        }
    }
}
