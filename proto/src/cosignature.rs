//! Witnesses cosign checkpoints (C2SP tlog-cosignature, `cosignature/v1`, Ed25519).
//!
//! A cosignature is one more signature line of the note that a checkpoint is. It says that, at its time, the tree is the
//! largest that the witness has seen of this log, and that it contains every earlier one that it has cosigned. A relay
//! that shows two histories finds no witness for the second.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use signed_note::{Note, Signature, Verifier, VerifierList};

use crate::log::LogError;

/// The algorithm byte of cosignature keys.
const ALGORITHM: u8 = 4;

/// Bytes of a timestamped signature: the time in seconds, then the Ed25519 signature.
const TIME_BYTES: usize = 8;
const SIGNATURE_BYTES: usize = 64;

/// A witness's secret key. `Debug` does not show it.
pub struct Cosigner {
    key: WitnessKey,
    seed: [u8; 32],
}

impl std::fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cosigner").field("name", &self.key.name).finish_non_exhaustive()
    }
}

impl Cosigner {
    /// A new key for a witness of this name, best an address without scheme such as `witness.example/1`: not empty, no
    /// white space, no `+`.
    ///
    /// # Errors
    /// [`LogError::Key`] for a bad name, or when the system gives no randomness.
    pub fn generate(name: &str, rng: &dyn SecureRandom) -> Result<Self, LogError> {
        let mut seed = [0; 32];
        rng.fill(&mut seed).map_err(|_| LogError::Key)?;
        Self::from_seed(name, seed)
    }

    fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, LogError> {
        if !signed_note::is_key_name_valid(name) {
            return Err(LogError::Key);
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| LogError::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| LogError::Key)?;
        Ok(Self { key: WitnessKey { name: name.to_owned(), public }, seed })
    }

    /// Reads what [`Cosigner::to_secret_text`] wrote.
    ///
    /// # Errors
    /// [`LogError::Key`].
    pub fn from_secret_text(text: &str) -> Result<Self, LogError> {
        let (name, seed) = text.trim_end().split_once('+').ok_or(LogError::Key)?;
        let seed = STANDARD.decode(seed).map_err(|_| LogError::Key)?;
        Self::from_seed(name, seed.try_into().map_err(|_| LogError::Key)?)
    }

    /// `name+base64(seed)`, to be kept in an owner-only file.
    pub fn to_secret_text(&self) -> String {
        format!("{}+{}\n", self.key.name, STANDARD.encode(self.seed))
    }

    /// The public half.
    pub fn key(&self) -> &WitnessKey {
        &self.key
    }

    /// Adds a cosignature to a signed note. Whether the tree may be vouched for is the caller's to know.
    ///
    /// # Errors
    /// [`LogError::Malformed`] if it is no signed note.
    pub fn cosign(&self, note: &[u8], time_s: u64) -> Result<Vec<u8>, LogError> {
        let parsed = Note::from_bytes(note).map_err(|_| LogError::Malformed)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&self.seed).map_err(|_| LogError::Key)?;
        let signed = pair.sign(&message(parsed.text(), time_s));
        let timestamped = [&time_s.to_be_bytes()[..], signed.as_ref()].concat();
        let line = Signature::new(self.key.name.clone(), self.key.id(), timestamped);
        let line = line.map_err(|_| LogError::Key)?;
        Ok([note, &line.to_bytes()].concat())
    }
}

/// A witness's public key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WitnessKey {
    name: String,
    public: [u8; 32],
}

/// A cosignature that was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// When it was given, Unix seconds.
    pub time_s: u64,
    /// Its line of the note, line feed included.
    pub line: Vec<u8>,
}

impl WitnessKey {
    /// Reads a C2SP verifier key `<name>+<id>+base64(0x04 || key)`.
    ///
    /// # Errors
    /// [`LogError::Key`].
    pub fn from_vkey(text: &str) -> Result<Self, LogError> {
        let mut parts = text.trim().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(LogError::Key);
        };
        let key = STANDARD.decode(key).map_err(|_| LogError::Key)?;
        let Some((&ALGORITHM, public)) = key.split_first() else { return Err(LogError::Key) };
        let public = public.try_into().map_err(|_| LogError::Key)?;
        let witness = Self { name: name.to_owned(), public };
        let sound = signed_note::is_key_name_valid(name) && id == format!("{:08x}", witness.id());
        if sound { Ok(witness) } else { Err(LogError::Key) }
    }

    /// The C2SP verifier key.
    pub fn vkey(&self) -> String {
        format!("{}+{:08x}+{}", self.name, self.id(), STANDARD.encode(self.tagged()))
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn id(&self) -> u32 {
        signed_note::key_id(&self.name, &self.tagged())
    }

    fn tagged(&self) -> [u8; 33] {
        let mut bytes = [ALGORITHM; 33];
        bytes[1..].copy_from_slice(&self.public);
        bytes
    }

    /// This witness's cosignature in a note, if there is a valid one. Other lines are passed over; the log's own
    /// signature is not looked at.
    ///
    /// # Errors
    /// [`LogError::Malformed`] if it is no signed note; [`LogError::Signature`] if a line of this witness is wrong.
    pub fn cosignature(&self, note: &[u8]) -> Result<Option<Cosignature>, LogError> {
        let parsed = Note::from_bytes(note).map_err(|_| LogError::Malformed)?;
        match parsed.verify(&VerifierList::new(vec![Box::new(self.clone())])) {
            Ok((verified, _)) => {
                let signature = verified.first().ok_or(LogError::Signature)?;
                let time_s = time_of(signature.signature()).ok_or(LogError::Signature)?;
                Ok(Some(Cosignature { time_s, line: signature.to_bytes() }))
            }
            Err(signed_note::NoteError::UnverifiedNote) => Ok(None),
            Err(_) => Err(LogError::Signature),
        }
    }
}

impl Verifier for WitnessKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id()
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some(time_s) = time_of(signature) else { return false };
        let signed = &signature[TIME_BYTES..];
        UnparsedPublicKey::new(&ED25519, &self.public).verify(&message(text, time_s), signed).is_ok()
    }
}

/// The time of a timestamped signature; `None` if it is none.
fn time_of(signature: &[u8]) -> Option<u64> {
    let (time, signed) = signature.split_first_chunk::<TIME_BYTES>()?;
    let time_s = u64::from_be_bytes(*time);
    (signed.len() == SIGNATURE_BYTES && i64::try_from(time_s).is_ok()).then_some(time_s)
}

fn message(text: &[u8], time_s: u64) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time_s}\n").as_bytes(), text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Hash, LogSigner};

    fn rng() -> ring::rand::SystemRandom {
        ring::rand::SystemRandom::new()
    }

    fn checkpoint() -> (LogSigner, Vec<u8>) {
        let log = LogSigner::generate("relay.example/log", &rng()).unwrap();
        let note = log.sign(1, 5, Hash([7; 32])).unwrap();
        (log, note)
    }

    #[test]
    fn keys_survive_their_texts() {
        let witness = Cosigner::generate("witness.example/1", &rng()).unwrap();
        let again = Cosigner::from_secret_text(&witness.to_secret_text()).unwrap();
        assert_eq!(again.key(), witness.key());
        let vkey = witness.key().vkey();
        assert_eq!(WitnessKey::from_vkey(&vkey), Ok(witness.key().clone()));
        assert!(!format!("{witness:?}").contains(&STANDARD.encode(witness.seed)));
        // A log's key, another name's id, and nonsense are no witness's keys.
        let (log, _) = checkpoint();
        for bad in [log.verifier().vkey(1), vkey.replacen("/1+", "/2+", 1), "a+b+c".to_owned(), String::new()]
        {
            assert_eq!(WitnessKey::from_vkey(&bad), Err(LogError::Key), "{bad}");
        }
        assert!(Cosigner::generate("two words", &rng()).is_err() && Cosigner::generate("", &rng()).is_err());
    }

    #[test]
    fn a_cosigned_checkpoint_is_still_the_logs_and_says_who_vouched_when() {
        let (log, note) = checkpoint();
        let [one, two] = ["w.example/1", "w.example/2"].map(|name| Cosigner::generate(name, &rng()).unwrap());
        let cosigned = two.cosign(&one.cosign(&note, 1_679_315_147).unwrap(), 1_679_315_148).unwrap();
        assert_eq!(log.verifier().open(&cosigned).unwrap().size, 5);
        let time = |key: &WitnessKey| key.cosignature(&cosigned).unwrap().map(|c| c.time_s);
        assert_eq!((time(one.key()), time(two.key())), (Some(1_679_315_147), Some(1_679_315_148)));
        assert_eq!(one.key().cosignature(&note), Ok(None));
        let line = one.key().cosignature(&cosigned).unwrap().unwrap().line;
        assert_eq!([note.as_slice(), line.as_slice()].concat(), one.cosign(&note, 1_679_315_147).unwrap());
    }

    #[test]
    fn another_tree_time_or_key_is_noticed() {
        let (log, note) = checkpoint();
        let witness = Cosigner::generate("w.example/1", &rng()).unwrap();
        let line = witness.key().cosignature(&witness.cosign(&note, 7).unwrap()).unwrap().unwrap().line;
        let other = log.sign(1, 6, Hash([7; 32])).unwrap();
        let moved = [other.as_slice(), line.as_slice()].concat();
        assert_eq!(witness.key().cosignature(&moved), Err(LogError::Signature));
        let namesake = Cosigner::generate("w.example/1", &rng()).unwrap();
        assert_eq!(namesake.key().cosignature(&witness.cosign(&note, 7).unwrap()), Ok(None));
        // The time is signed too.
        let mut parsed =
            Signature::from_bytes(line.strip_suffix(b"\n").unwrap()).unwrap().signature().to_vec();
        parsed[7] ^= 1;
        let forged = Signature::new("w.example/1".to_owned(), witness.key().id(), parsed).unwrap();
        let forged = [note.as_slice(), &forged.to_bytes()].concat();
        assert_eq!(witness.key().cosignature(&forged), Err(LogError::Signature));
    }

    #[test]
    fn the_example_of_the_specification_is_laid_out_like_ours() {
        // C2SP tlog-cosignature gives no key with its example: what can be checked is its form.
        let line = "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let signature = Signature::from_bytes(line.as_bytes()).unwrap();
        assert_eq!(time_of(signature.signature()), Some(1_679_315_147));
        assert_eq!(
            message(b"example.com/behind-the-sofa\n", 1_679_315_147),
            b"cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n"
        );
    }
}
