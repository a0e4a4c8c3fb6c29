//! Taking up an invitation: the code, the key that follows from it, and the terminal's key signed with that.
//!
//! ```text
//! tasuki-enrolment/v1
//! invitation: sha256:77aa…
//! key: sha256:5d2c…
//! name: reception
//! office: 1371215102
//! signature: 0f3b…
//! ```
//!
//! The signature (Ed25519, 128 hexadecimal digits) covers the text without its line.

use std::fmt;
use std::str::FromStr;

use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use tasuki_careplan::office::OfficeNumber;
use zeroize::Zeroizing;

use super::{RenewalError, is_terminal_name};
use crate::canonical::{Lines, TextError, digest_text, hex, parse_digest, parse_hex};

const FORM: &str = "tasuki-enrolment/v1";

/// Letters of a code: no I, L, O, U, which look like others or make words (Crockford's base 32).
const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Letters in a code: 160 bits.
const LENGTH: usize = 32;
/// Letters between two hyphens.
const GROUP: usize = 4;

/// An invitation code: 160 random bits that a person can copy. It is a secret; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(Zeroizing<[u8; 20]>);

/// The text is no invitation code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an invitation code: {LENGTH} letters and digits")]
pub struct CodeError;

impl Code {
    /// A new one.
    ///
    /// # Errors
    /// If the system gives no randomness.
    pub fn new(rng: &dyn SecureRandom) -> Result<Self, ring::error::Unspecified> {
        let mut bytes = Zeroizing::new([0; 20]);
        rng.fill(&mut bytes[..])?;
        Ok(Self(bytes))
    }

    /// The public key that the invitation names.
    pub fn public_key(&self) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(self.pair().public_key().as_ref());
        key
    }

    /// As a person copies it: groups of four, separated by hyphens.
    pub fn reveal(&self) -> String {
        let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
        let (mut bits, mut have) = (0u32, 0);
        let mut letters = 0;
        for byte in self.0.iter() {
            bits = bits << 8 | u32::from(*byte);
            have += 8;
            while have >= 5 {
                have -= 5;
                if letters > 0 && letters % GROUP == 0 {
                    text.push('-');
                }
                text.push(char::from(LETTERS[(bits >> have & 31) as usize]));
                letters += 1;
            }
        }
        text
    }

    fn pair(&self) -> Ed25519KeyPair {
        let mut input = Zeroizing::new(Vec::with_capacity(64));
        input.extend_from_slice(b"tasuki invitation code v1\0");
        input.extend_from_slice(&self.0[..]);
        let seed = Zeroizing::new(crate::event::sha256(&input));
        Ed25519KeyPair::from_seed_unchecked(&seed[..]).expect("any 32 bytes are a seed")
    }
}

impl FromStr for Code {
    type Err = CodeError;

    /// Hyphens, spaces and case don't matter; I and L are read as 1, O as 0.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let mut bytes = Zeroizing::new([0; 20]);
        let (mut bits, mut have, mut letters, mut at) = (0u32, 0, 0, 0);
        for letter in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            let letter = match letter.to_ascii_uppercase() {
                'I' | 'L' => '1',
                'O' => '0',
                other => other,
            };
            let value = LETTERS.iter().position(|l| char::from(*l) == letter).ok_or(CodeError)?;
            letters += 1;
            if letters > LENGTH {
                return Err(CodeError);
            }
            bits = (bits << 5 | u32::try_from(value).map_err(|_| CodeError)?) & 0xfff;
            have += 5;
            if have >= 8 {
                have -= 8;
                bytes[at] = u8::try_from(bits >> have & 0xff).map_err(|_| CodeError)?;
                at += 1;
            }
        }
        if letters == LENGTH { Ok(Self(bytes)) } else { Err(CodeError) }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

/// A terminal's own key, signed with the invitation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// The office.
    pub office: OfficeNumber,
    /// The terminal's name.
    pub name: String,
    /// SHA-256 of the invitation (CMS).
    pub invitation: [u8; 32],
    /// SHA-256 of the terminal's `SubjectPublicKeyInfo` (DER).
    pub key: [u8; 32],
}

/// An enrolment does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// It can't be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is not signed with the invitation's key.
    #[error("it is not signed with the invitation's code")]
    Signature,
    /// A renewal behind it does not hold.
    #[error("a renewal behind it: {0}")]
    Renewal(#[from] RenewalError),
    /// What stands behind it are not this terminal's renewals, in their order.
    #[error("the renewals behind it don't go on from one another")]
    Chain,
}

impl Enrolment {
    fn lines(&self) -> Lines {
        let mut lines = Lines::new();
        lines.add("office", self.office.as_str());
        lines.add("name", &self.name);
        lines.add("invitation", &digest_text(&self.invitation));
        lines.add("key", &digest_text(&self.key));
        lines
    }

    /// The signed text.
    pub fn sign(&self, code: &Code) -> String {
        let mut lines = self.lines();
        let signature = code.pair().sign(lines.print(FORM).as_bytes());
        lines.add("signature", &hex(signature.as_ref()));
        lines.print(FORM)
    }

    /// Reads a signed text; `code_key` is the key that the invitation names.
    ///
    /// # Errors
    /// [`EnrolmentError`].
    pub fn verify(text: &[u8], code_key: &[u8; 32]) -> Result<Self, EnrolmentError> {
        let (enrolment, signature) = Self::parse(text)?;
        let signed = enrolment.lines().print(FORM);
        UnparsedPublicKey::new(&ED25519, code_key)
            .verify(signed.as_bytes(), &signature)
            .map_err(|_| EnrolmentError::Signature)?;
        Ok(enrolment)
    }

    /// Reads what it says, before anybody knows whose key to check it with.
    ///
    /// # Errors
    /// If it is not the canonical text of an enrolment.
    pub fn peek(text: &[u8]) -> Result<Self, TextError> {
        Ok(Self::parse(text)?.0)
    }

    fn parse(text: &[u8]) -> Result<(Self, [u8; 64]), TextError> {
        let lines = Lines::read(text, FORM, &[])?;
        let digest = |key| parse_digest(lines.need(key)?).ok_or(TextError::Value(key));
        let name = lines.need("name")?;
        let enrolment = Self {
            office: lines.parse("office")?,
            name: Some(name).filter(|n| is_terminal_name(n)).ok_or(TextError::Value("name"))?.to_owned(),
            invitation: digest("invitation")?,
            key: digest("key")?,
        };
        let signature = parse_hex(lines.need("signature")?).ok_or(TextError::Value("signature"))?;
        // Nothing else is understood.
        if lines.iter().count() == 5 { Ok((enrolment, signature)) } else { Err(TextError::Value("key")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Code {
        Code::new(&ring::rand::SystemRandom::new()).unwrap()
    }

    #[test]
    fn codes_are_copied_by_people() {
        let code = code();
        let text = code.reveal();
        assert_eq!(text.len(), 39, "{text}");
        assert_eq!(text.parse(), Ok(code.clone()));
        let sloppy = text.replace('-', " ").to_lowercase().replace('0', "o").replace('1', "l");
        assert_eq!(sloppy.parse(), Ok(code.clone()));
        assert_eq!(format!("{code:?}"), "Code(…)");
        for wrong in ["", "0", &text[1..], &format!("{text}0"), &text.replacen(&text[..1], "U", 1)] {
            assert_eq!(wrong.parse::<Code>(), Err(CodeError), "{wrong}");
        }
    }

    #[test]
    fn only_who_has_the_code_enrols() {
        let (code, other) = (code(), self::code());
        let enrolment = Enrolment {
            office: "1371215102".parse().unwrap(),
            name: "受付".to_owned(),
            invitation: [7; 32],
            key: [8; 32],
        };
        let text = enrolment.sign(&code);
        assert_eq!(Enrolment::verify(text.as_bytes(), &code.public_key()), Ok(enrolment.clone()));
        assert_eq!(Enrolment::peek(text.as_bytes()), Ok(enrolment));
        assert_eq!(Enrolment::verify(text.as_bytes(), &other.public_key()), Err(EnrolmentError::Signature));
        let changed = text.replace("受付", "会計");
        assert_eq!(Enrolment::verify(changed.as_bytes(), &code.public_key()), Err(EnrolmentError::Signature));
        let more = text.replace("signature:", "note: x\nsignature:");
        assert!(Enrolment::verify(more.as_bytes(), &code.public_key()).is_err());
    }
}
