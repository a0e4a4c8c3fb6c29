//! A change of the log's key: a signed note over canonical text, signed by the old key and by the new one.
//!
//! ```text
//! tasuki-log-key/v1
//! emergency: no
//! epoch: 1
//! log: relay.example
//! new-key: 91ee…
//! old-key: 0a41…
//! root: c09d…
//! size: 8311
//! time: 2026-11-21T11:38:34.000123Z
//!
//! — relay.example/e1 …   (the old key's)
//! — relay.example/e1 …   (the new key's)
//! ```
//!
//! Epoch, size and root are those of the last checkpoint that the old key signed: up to there it counts, behind it only the new
//! one does. So what the old key proved stays proven, and whoever stole it can't continue the log with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use signed_note::{Note, StandardVerifier, VerifierList};

use super::{Hash, LogError, LogSigner, origin, tagged};
use crate::canonical::{Lines, hex, parse_hex};
use crate::time;

const FORM: &str = "tasuki-log-key/v1";

/// Word in front of a roll where it stands as a line beside verifier keys.
const LINE: &str = "roll ";

/// Rolls of one log that anybody reads: one a month for a working life.
pub const MAX_ROLLS: usize = 256;

/// Bytes of the note of one roll; a real one has about 700.
pub const MAX_ROLL_BYTES: usize = 4 * 1024;

/// One change of the log's key, whose two signatures were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRoll {
    /// The log's name without its epoch.
    pub log: String,
    /// Where the old key's last checkpoint is: epoch and size.
    pub until: (u64, u64),
    /// Root hash of that checkpoint.
    pub root: [u8; 32],
    /// Public key until then.
    pub old: [u8; 32],
    /// Public key from then on.
    pub new: [u8; 32],
    /// The old key may be in other hands.
    pub emergency: bool,
    /// When, by the relay's clock. Unix microseconds.
    pub time_us: i64,
    /// The signed note.
    pub note: Vec<u8>,
}

impl KeyRoll {
    /// Hands the log over to another key. `until` and `root` are those of the last checkpoint that `old` signed.
    ///
    /// # Errors
    /// [`LogError::Key`] if both keys are one, or of logs of different names; [`LogError::Token`].
    pub fn make(
        old: &LogSigner,
        new: &LogSigner,
        until: (u64, u64),
        root: Hash,
        emergency: bool,
        time_us: i64,
    ) -> Result<Self, LogError> {
        if old.name != new.name || old.public == new.public {
            return Err(LogError::Key);
        }
        let mut roll = Self {
            log: old.name.clone(),
            until,
            root: root.0,
            old: old.public,
            new: new.public,
            emergency,
            time_us,
            note: Vec::new(),
        };
        let text = roll.text();
        let signatures = [old.signature(text.as_bytes(), until.0)?, new.signature(text.as_bytes(), until.0)?];
        let note = Note::new(text.as_bytes(), &signatures).map_err(|_| LogError::Malformed)?;
        roll.note = note.to_bytes();
        Self::open(&roll.note)
    }

    /// Reads a note and checks that both keys have signed it.
    ///
    /// # Errors
    /// [`LogError::Malformed`], [`LogError::Signature`].
    pub fn open(note: &[u8]) -> Result<Self, LogError> {
        if note.len() > MAX_ROLL_BYTES {
            return Err(LogError::Malformed);
        }
        let parsed = Note::from_bytes(note).map_err(|_| LogError::Malformed)?;
        let roll = Self::read(parsed.text(), note).ok_or(LogError::Malformed)?;
        if roll.text().as_bytes() != parsed.text() || roll.old == roll.new {
            return Err(LogError::Malformed);
        }
        let name = origin(&roll.log, roll.until.0);
        for key in [&roll.old, &roll.new] {
            let key = tagged(key);
            let id = signed_note::key_id(&name, &key);
            let vkey = format!("{name}+{id:08x}+{}", STANDARD.encode(key));
            let verifier = StandardVerifier::new(&vkey).map_err(|_| LogError::Key)?;
            parsed.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|_| LogError::Signature)?;
        }
        Ok(roll)
    }

    fn text(&self) -> String {
        let mut lines = Lines::new();
        lines.add("emergency", if self.emergency { "yes" } else { "no" });
        lines.add("epoch", &self.until.0.to_string());
        lines.add("log", &self.log);
        lines.add("new-key", &hex(&self.new));
        lines.add("old-key", &hex(&self.old));
        lines.add("root", &hex(&self.root));
        lines.add("size", &self.until.1.to_string());
        lines.add("time", &time::format_us(self.time_us));
        lines.print(FORM)
    }

    fn read(text: &[u8], note: &[u8]) -> Option<Self> {
        let lines = Lines::read(text, FORM, &[]).ok()?;
        Some(Self {
            log: lines.get("log")?.to_owned(),
            until: (lines.parse("epoch").ok()?, lines.parse("size").ok()?),
            root: parse_hex(lines.get("root")?)?,
            old: parse_hex(lines.get("old-key")?)?,
            new: parse_hex(lines.get("new-key")?)?,
            emergency: lines.get("emergency")? == "yes",
            time_us: time::parse_us(lines.get("time")?)?,
            note: note.to_vec(),
        })
    }

    /// As a line beside verifier keys.
    pub fn line(&self) -> String {
        format!("{LINE}{}", STANDARD.encode(&self.note))
    }

    /// Reads a line. `None`: it is none of a roll.
    ///
    /// # Errors
    /// As [`KeyRoll::open`].
    pub fn from_line(line: &str) -> Option<Result<Self, LogError>> {
        let note = line.trim().strip_prefix(LINE)?;
        Some(STANDARD.decode(note).map_err(|_| LogError::Malformed).and_then(|note| Self::open(&note)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::LogVerifier;
    use super::*;

    const LOG: &str = "relay.example/log";
    const TIME_US: i64 = 1_795_261_114_000_123;

    fn signer() -> LogSigner {
        LogSigner::generate(LOG, &ring::rand::SystemRandom::new()).unwrap()
    }

    fn roll(old: &LogSigner, new: &LogSigner, until: (u64, u64)) -> KeyRoll {
        KeyRoll::make(old, new, until, Hash([5; 32]), false, TIME_US).unwrap()
    }

    #[test]
    fn a_roll_is_signed_by_both_keys() {
        let (old, new, thief) = (signer(), signer(), signer());
        let made = roll(&old, &new, (1, 7));
        assert_eq!(KeyRoll::open(&made.note), Ok(made.clone()));
        assert_eq!(KeyRoll::from_line(&made.line()), Some(Ok(made.clone())));
        assert_eq!(KeyRoll::from_line(&old.verifier().vkey(1)), None);
        let text = String::from_utf8(made.note.clone()).unwrap();
        let signatures: Vec<usize> = text.match_indices("\n\u{2014} ").map(|(at, _)| at).collect();
        assert_eq!(signatures.len(), 2);
        // Without either of the signatures, or with another key in the place of one, it is none.
        let without_new = format!("{}\n", &text[..signatures[1]]);
        let without_old = format!("{}{}", &text[..signatures[0]], &text[signatures[1]..]);
        let other = text.replace(&hex(&new.public), &hex(&thief.public));
        let moved = text.replace("size: 7\n", "size: 9\n");
        for forged in [without_new, without_old, other, moved] {
            assert_eq!(KeyRoll::open(forged.as_bytes()), Err(LogError::Signature), "{forged}");
        }
        assert_eq!(KeyRoll::open(b"tasuki-log-key/v1\n"), Err(LogError::Malformed));
        assert_eq!(KeyRoll::open(&old.sign(1, 7, Hash([5; 32])).unwrap()), Err(LogError::Malformed));
        assert_eq!(
            KeyRoll::make(&old, &old, (1, 7), Hash([5; 32]), false, TIME_US).unwrap_err(),
            LogError::Key
        );
    }

    #[test]
    fn each_key_counts_for_its_own_stretch_of_the_log() {
        let (first, second, third) = (signer(), signer(), signer());
        let rolls = [roll(&first, &second, (1, 7)), roll(&second, &third, (2, 3))];
        let mut verifier = first.verifier();
        let after = second.sign(1, 8, Hash([1; 32])).unwrap();
        assert_eq!(verifier.open(&after), Err(LogError::Signature));
        assert!(verifier.follow(&rolls));
        // Again changes nothing.
        assert!(!verifier.follow(&rolls));
        for (signer, epoch, size, holds) in [
            (&first, 1, 7, true),
            (&first, 1, 8, false),
            (&first, 2, 1, false),
            (&second, 1, 7, false),
            (&second, 1, 8, true),
            (&second, 2, 3, true),
            (&second, 2, 4, false),
            (&third, 2, 3, false),
            (&third, 2, 4, true),
            (&third, 9, 1, true),
        ] {
            let note = signer.sign(epoch, size, Hash([1; 32])).unwrap();
            let opened = verifier.open(&note).map(|checkpoint| checkpoint.size);
            assert_eq!(opened, if holds { Ok(size) } else { Err(LogError::Signature) }, "{epoch} {size}");
        }
        // In any order, as lines beside the first key.
        let lines = [rolls[1].line(), first.verifier().vkey(2), rolls[0].line()];
        assert_eq!(LogVerifier::from_lines(&lines.join("\n")), Ok(vec![verifier.clone()]));
        assert_eq!(LogVerifier::from_lines(&verifier.lines(1).join("\n")), Ok(vec![verifier]));
    }

    #[test]
    fn a_second_roll_of_the_same_key_or_backwards_is_not_followed() {
        let (first, second, thief) = (signer(), signer(), signer());
        let mut verifier = first.verifier();
        assert!(verifier.follow(&[roll(&first, &second, (1, 7))]));
        let known = verifier.clone();
        // The old key was stolen: its word about who comes next counts no more, and nothing leads back to it.
        let other_log = LogSigner::generate("other/log", &ring::rand::SystemRandom::new()).unwrap();
        let other_next = LogSigner::generate("other/log", &ring::rand::SystemRandom::new()).unwrap();
        for roll in [
            roll(&first, &thief, (1, 7)),
            roll(&first, &thief, (1, 9)),
            roll(&second, &thief, (1, 7)),
            roll(&second, &thief, (1, 2)),
            roll(&second, &first, (1, 9)),
            roll(&other_log, &other_next, (1, 9)),
        ] {
            assert!(!verifier.follow(&[roll]));
            assert_eq!(verifier, known);
        }
    }

    #[test]
    fn a_signer_must_be_the_last_of_its_rolls() {
        let (first, second) = (signer(), signer());
        let rolls = vec![roll(&first, &second, (1, 7))];
        let text = second.to_secret_text().unwrap();
        let rolled = LogSigner::from_secret_text(&text).unwrap().with_rolls(rolls.clone()).unwrap();
        assert_eq!(rolled.verifier().vkey(1), first.verifier().vkey(1));
        assert!(rolled.verifier().open(&rolled.sign(1, 8, Hash([1; 32])).unwrap()).is_ok());
        assert_eq!(first.with_rolls(rolls).unwrap_err(), LogError::Replaced);
    }
}
