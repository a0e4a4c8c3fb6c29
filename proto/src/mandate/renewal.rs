//! A key that takes the place of another, signed with the one before.
//!
//! ```text
//! tasuki-renewal/v1
//! holder: terminal:1371215102:reception
//! key: sha256:5d2c…
//! previous: 3059…
//! signature: 3045…
//! time: 2026-11-21T11:38:34.000123Z
//! ```
//!
//! `key` is the SHA-256 of the new key's `SubjectPublicKeyInfo` (DER), `previous` the whole of the one before, hexadecimal. The
//! signature (hexadecimal) is the key before's over the text without its line.
//!
//! A terminal's renewals stand behind its enrolment, in the same paper ([`KeyChain`]): the office signed the invitation, the
//! invitation's code the first key, and each key the next one. So a terminal renews its key without its office, and nobody can slip one
//! in: neither the relay, nor the CA that certifies it.

use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::key_signature;

use super::{Enrolment, EnrolmentError};
use crate::canonical::{Lines, TextError, digest_text, hex, parse_digest};
use crate::event::sha256;
use crate::time;

const FORM: &str = "tasuki-renewal/v1";

/// Renewals of one terminal at most: thirty years. After them it is invited anew.
pub const MAX_RENEWALS: usize = 16;

/// Bytes of a public key: RSA of 8192 bits stays below 1,100.
const MAX_SPKI: usize = 2_048;

/// A key that takes the place of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// Whose: as events name it, see [`crate::ids::identity_text`].
    pub holder: String,
    /// SHA-256 of the new key's `SubjectPublicKeyInfo` (DER).
    pub key: [u8; 32],
    /// The key before: `SubjectPublicKeyInfo`, DER.
    pub previous: Vec<u8>,
    /// When it was signed, by the signer's clock. Unix microseconds.
    pub time_us: i64,
}

/// A renewal does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenewalError {
    /// It can't be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is not signed with the key that it takes the place of.
    #[error("it is not signed with the key before")]
    Signature,
    /// The key can't sign.
    #[error("the key can't sign")]
    Key,
}

impl Renewal {
    fn lines(&self) -> Lines {
        let mut lines = Lines::new();
        lines.add("holder", &self.holder);
        lines.add("key", &digest_text(&self.key));
        lines.add("previous", &hex(&self.previous));
        lines.add("time", &time::format_us(self.time_us));
        lines
    }

    /// The text, signed with the key before.
    ///
    /// # Errors
    /// [`RenewalError::Key`].
    pub fn sign(&self, before: &KeyIdentity) -> Result<String, RenewalError> {
        let mut lines = self.lines();
        let signature = key_signature::sign(before, lines.print(FORM).as_bytes());
        lines.add("signature", &hex(&signature.map_err(|_| RenewalError::Key)?));
        Ok(lines.print(FORM))
    }

    /// Reads a text and checks that the key before signed it.
    ///
    /// # Errors
    /// [`RenewalError`].
    pub fn verify(text: &[u8]) -> Result<Self, RenewalError> {
        let (renewal, signature) = Self::parse(text)?;
        let signed = renewal.lines().print(FORM);
        if key_signature::verifies(&renewal.previous, signed.as_bytes(), &signature) {
            Ok(renewal)
        } else {
            Err(RenewalError::Signature)
        }
    }

    fn parse(text: &[u8]) -> Result<(Self, Vec<u8>), TextError> {
        let lines = Lines::read(text, FORM, &[])?;
        let bytes = |key, most| unhex(lines.need(key)?, most).ok_or(TextError::Value(key));
        let renewal = Self {
            holder: lines.need("holder")?.to_owned(),
            key: parse_digest(lines.need("key")?).ok_or(TextError::Value("key"))?,
            previous: bytes("previous", MAX_SPKI)?,
            time_us: time::parse_us(lines.need("time")?).ok_or(TextError::Value("time"))?,
        };
        let signature = bytes("signature", key_signature::MAX_SIGNATURE)?;
        // Nothing else is understood.
        if lines.iter().count() == 5 { Ok((renewal, signature)) } else { Err(TextError::Value("key")) }
    }
}

fn unhex(text: &str, most: usize) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let fits = text.len().is_multiple_of(2) && text.len() <= most.saturating_mul(2);
    let pairs = fits.then(|| text.as_bytes().chunks_exact(2))?;
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The keys of a terminal: the one that it enrolled with, and those that took its place, each signed by the one before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChain {
    /// How it began.
    pub enrolment: Enrolment,
    renewals: Vec<Renewal>,
}

impl KeyChain {
    /// Reads an enrolment with what stands behind it, and checks every signature; `code_key` is the key that the invitation names.
    ///
    /// # Errors
    /// [`EnrolmentError`].
    pub fn verify(text: &[u8], code_key: &[u8; 32]) -> Result<Self, EnrolmentError> {
        let (first, rest) = split(text);
        let mut chain = Self { enrolment: Enrolment::verify(first, code_key)?, renewals: Vec::new() };
        for renewal in rest {
            chain.push(Renewal::verify(renewal)?)?;
        }
        Ok(chain)
    }

    /// Reads what it says, before anybody knows whose key to check it with.
    ///
    /// # Errors
    /// If it is not what [`KeyChain::verify`] reads.
    pub fn peek(text: &[u8]) -> Result<Self, EnrolmentError> {
        let (first, rest) = split(text);
        let mut chain = Self { enrolment: Enrolment::peek(first)?, renewals: Vec::new() };
        for renewal in rest {
            chain.push(Renewal::parse(renewal)?.0)?;
        }
        Ok(chain)
    }

    /// SHA-256 of each key, the first one first.
    pub fn keys(&self) -> impl Iterator<Item = [u8; 32]> {
        std::iter::once(self.enrolment.key).chain(self.renewals.iter().map(|renewal| renewal.key))
    }

    /// SHA-256 of the key that took the place of all others.
    pub fn newest(&self) -> [u8; 32] {
        self.renewals.last().map_or(self.enrolment.key, |renewal| renewal.key)
    }

    /// Adds a renewal, if it is this terminal's and goes on from the newest key.
    fn push(&mut self, renewal: Renewal) -> Result<(), EnrolmentError> {
        let Enrolment { office, name, .. } = &self.enrolment;
        let fits = renewal.holder == format!("terminal:{office}:{name}")
            && sha256(&renewal.previous) == self.newest()
            && self.keys().all(|key| key != renewal.key)
            && self.renewals.len() < MAX_RENEWALS;
        if !fits {
            return Err(EnrolmentError::Chain);
        }
        self.renewals.push(renewal);
        Ok(())
    }
}

/// An enrolment, and the renewals behind it.
fn split(text: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let head = b"tasuki-renewal/v1\n";
    let begins = |at: usize| (at == 0 || text[at - 1] == b'\n') && text[at..].starts_with(head);
    // One more than there may be is enough to be refused.
    let starts: Vec<usize> = (1..text.len()).filter(|at| begins(*at)).take(MAX_RENEWALS + 1).collect();
    let ends = starts.iter().skip(1).copied().chain(std::iter::once(text.len()));
    let first = starts.first().copied().unwrap_or(text.len());
    (&text[..first], starts.iter().zip(ends).map(|(from, to)| &text[*from..to]).collect())
}

#[cfg(test)]
mod tests {
    use tasuki_certs::trial_ca::{IssueOptions, KeyChoice, TrialCa};

    use super::super::Code;
    use super::*;

    const TIME_US: i64 = 1_795_261_114_000_123;
    const HOLDER: &str = "terminal:1371215102:受付";

    fn identities<const N: usize>() -> [KeyIdentity; N] {
        let ca = TrialCa::create("test", TIME_US).unwrap();
        std::array::from_fn(|_| {
            let options = IssueOptions::new(TIME_US).with_key(KeyChoice::P256);
            let issued = ca.issue_terminal("1371215102", "受付", &options).unwrap();
            KeyIdentity::from_pem(&issued.chain_pem().unwrap(), &issued.key_pem().unwrap()).unwrap()
        })
    }

    fn digest(identity: &KeyIdentity) -> [u8; 32] {
        sha256(&identity.spki_der().unwrap())
    }

    fn renewal(before: &KeyIdentity, after: &KeyIdentity) -> String {
        let (holder, previous) = (HOLDER.to_owned(), before.spki_der().unwrap());
        let renewal = Renewal { holder, key: digest(after), previous, time_us: TIME_US };
        let text = renewal.sign(before).unwrap();
        assert_eq!(Renewal::verify(text.as_bytes()), Ok(renewal));
        text
    }

    #[test]
    fn each_key_signs_the_next_one_and_nobody_else_does() {
        let [first, second, third] = identities();
        let code = Code::new(&ring::rand::SystemRandom::new()).unwrap();
        let enrolment = Enrolment {
            office: "1371215102".parse().unwrap(),
            name: "受付".to_owned(),
            invitation: [7; 32],
            key: digest(&first),
        };
        let enrolled = enrolment.sign(&code);
        let (one, two) = (renewal(&first, &second), renewal(&second, &third));
        let verify = |texts: &[&str]| KeyChain::verify(texts.concat().as_bytes(), &code.public_key());
        let chain = verify(&[&enrolled, &one, &two]).unwrap();
        assert_eq!((chain.newest(), chain.keys().count()), (digest(&third), 3));
        assert_eq!(KeyChain::peek([enrolled.as_str(), &one, &two].concat().as_bytes()), Ok(chain));
        assert_eq!(verify(&[&enrolled]).unwrap().newest(), digest(&first));

        let broken = Err(EnrolmentError::Chain);
        // Out of order, twice, by another key, for somebody else, back to a key that was there.
        assert_eq!(verify(&[&enrolled, &two]), broken);
        assert_eq!(verify(&[&enrolled, &one, &one]), broken);
        assert_eq!(verify(&[&enrolled, &renewal(&third, &second)]), broken);
        assert_eq!(verify(&[&enrolled, &one, &renewal(&second, &first)]), broken);
        let slipped = one.replace("受付", "裏口");
        assert_eq!(verify(&[&enrolled, &slipped]), Err(EnrolmentError::Renewal(RenewalError::Signature)));
        let other = one.replace(&hex(&digest(&second)), &hex(&digest(&third)));
        assert_eq!(verify(&[&enrolled, &other]), Err(EnrolmentError::Renewal(RenewalError::Signature)));
        for text in [&one[..one.len() - 1], &format!("{one}x: y\n"), ""] {
            assert!(Renewal::verify(text.as_bytes()).is_err(), "{text}");
        }
        let many: Vec<&str> =
            std::iter::once(enrolled.as_str()).chain((0..100).map(|_| one.as_str())).collect();
        assert_eq!(verify(&many), broken);
    }
}
