//! The transparency log's outside: keys, checkpoints and proofs (C2SP tlog-checkpoint, signed-note; RFC 6962).
//!
//! One Ed25519 key signs for all epochs, until it hands over to another ([`roll`]). The log of epoch N has the origin
//! `<name>/e<N>`, which is also the name of its verifier key, as C2SP asks.

pub mod roll;

use self::roll::{KeyRoll, MAX_ROLLS};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::SecureRandom;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use signed_note::{Note, Signature, StandardVerifier, VerifierList};
use tasuki_certs::token::{Ed25519Key, TokenError};
pub use tlog_tiles::Hash;
use tlog_tiles::{check_record, check_tree};
use zeroize::Zeroizing;

/// A checkpoint, a key or a proof is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// A key's text can't be read.
    #[error("the log key is malformed")]
    Key,
    /// The key is on a token that is not there, or fails.
    #[error("the token with the log's key can't be used: {0}")]
    Token(#[from] TokenError),
    /// A key that has handed the log over to another, or never had it.
    #[error("the log was handed over to another key; this one does not sign it any more")]
    Replaced,
    /// The checkpoint is not a signed note with a tree head.
    #[error("the checkpoint is malformed")]
    Malformed,
    /// No valid signature of the pinned key.
    #[error("the checkpoint is not signed by the log's key")]
    Signature,
    /// The checkpoint belongs to another log.
    #[error("the checkpoint is of another log")]
    Origin,
    /// An inclusion proof does not lead to the checkpoint's root.
    #[error("the event is not proven to stand in the log")]
    Inclusion,
    /// A consistency proof does not connect two checkpoints.
    #[error("two checkpoints of the log contradict each other")]
    Consistency,
}

/// The relay's key for its log, in memory or on a token. Its text is a secret; `Debug` does not show it.
#[derive(Clone)]
pub struct LogSigner {
    name: String,
    key: Key,
    public: [u8; 32],
    /// How the log came to this key.
    rolls: Vec<KeyRoll>,
}

/// Where the key is.
#[derive(Clone)]
enum Key {
    /// In memory.
    Seed(Zeroizing<[u8; 32]>),
    /// On a token.
    Token(Ed25519Key),
}

impl std::fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogSigner").field("name", &self.name).finish_non_exhaustive()
    }
}

impl LogSigner {
    /// A new key for a log of this name: not empty, no white space, no `+`.
    ///
    /// # Errors
    /// [`LogError::Key`] for a bad name, or when the system gives no randomness.
    pub fn generate(name: &str, rng: &dyn SecureRandom) -> Result<Self, LogError> {
        let mut seed = [0; 32];
        rng.fill(&mut seed).map_err(|_| LogError::Key)?;
        Self::from_seed(name, seed)
    }

    fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, LogError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| LogError::Key)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| LogError::Key)?;
        Self::with_key(name, Key::Seed(Zeroizing::new(seed)), public)
    }

    /// A key on a token, for a log of this name.
    ///
    /// # Errors
    /// [`LogError::Key`] for a bad name.
    pub fn on_token(name: &str, key: Ed25519Key) -> Result<Self, LogError> {
        let public = key.public();
        Self::with_key(name, Key::Token(key), public)
    }

    fn with_key(name: &str, key: Key, public: [u8; 32]) -> Result<Self, LogError> {
        let signer = Self { name: name.to_owned(), key, public, rolls: Vec::new() };
        // A name that can't stand in a signature is no log's.
        StandardVerifier::new(&vkey(name, 1, &public)).map_err(|_| LogError::Key)?;
        Ok(signer)
    }

    /// Reads what [`LogSigner::to_secret_text`] wrote.
    ///
    /// # Errors
    /// [`LogError::Key`].
    pub fn from_secret_text(text: &str) -> Result<Self, LogError> {
        let (name, seed) = text.trim_end().split_once('+').ok_or(LogError::Key)?;
        let seed = STANDARD.decode(seed).map_err(|_| LogError::Key)?;
        Self::from_seed(name, seed.try_into().map_err(|_| LogError::Key)?)
    }

    /// `name+base64(seed)`, to be kept in an owner-only file; `None`: the key does not leave its token.
    pub fn to_secret_text(&self) -> Option<Zeroizing<String>> {
        match &self.key {
            Key::Seed(seed) => Some(Zeroizing::new(format!("{}+{}\n", self.name, STANDARD.encode(**seed)))),
            Key::Token(_) => None,
        }
    }

    /// Whether the key is on a token: signing takes up to some ten milliseconds, and may fail for a while.
    pub fn on_a_token(&self) -> bool {
        matches!(self.key, Key::Token(_))
    }

    /// The log's name without its epoch.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signer with the rolls that led to its key.
    ///
    /// # Errors
    /// [`LogError::Replaced`] if they lead to another key, [`LogError::Key`] if they lead nowhere.
    pub fn with_rolls(self, rolls: Vec<KeyRoll>) -> Result<Self, LogError> {
        let Some(first) = rolls.first() else { return Ok(Self { rolls, ..self }) };
        let mut verifier = LogVerifier { name: self.name.clone(), public: first.old, rolls: Vec::new() };
        verifier.follow(&rolls);
        if verifier.rolls.len() != rolls.len() {
            return Err(LogError::Key);
        }
        if verifier.current() != self.public {
            return Err(LogError::Replaced);
        }
        Ok(Self { rolls, ..self })
    }

    /// The rolls that led to this key, in order.
    pub fn rolls(&self) -> &[KeyRoll] {
        &self.rolls
    }

    /// The public half, hexadecimal.
    pub fn public_hex(&self) -> String {
        crate::canonical::hex(&self.public)
    }

    /// The public half, with the keys before it.
    pub fn verifier(&self) -> LogVerifier {
        let public = self.rolls.first().map_or(self.public, |first| first.old);
        LogVerifier { name: self.name.clone(), public, rolls: self.rolls.clone() }
    }

    /// This key's signature over the text of a note, under the name of an epoch.
    fn signature(&self, text: &[u8], epoch: u64) -> Result<Signature, LogError> {
        let name = origin(&self.name, epoch);
        let id = signed_note::key_id(&name, &tagged(&self.public));
        let made = match &self.key {
            Key::Seed(seed) => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&**seed).map_err(|_| LogError::Key)?;
                pair.sign(text).as_ref().to_vec()
            }
            Key::Token(key) => key.sign(text)?.to_vec(),
        };
        Signature::new(name, id, made).map_err(|_| LogError::Malformed)
    }

    /// Signs a tree head.
    ///
    /// # Errors
    /// [`LogError::Token`]; [`LogError::Malformed`] can't occur for a key that was constructed, and is handed on all the same.
    pub fn sign(&self, epoch: u64, size: u64, root: Hash) -> Result<Vec<u8>, LogError> {
        let head = tlog_tiles::Checkpoint::new(&origin(&self.name, epoch), size, root, "")
            .map_err(|_| LogError::Malformed)?;
        let text = head.to_bytes();
        let note = Note::new(&text, &[self.signature(&text, epoch)?]).map_err(|_| LogError::Malformed)?;
        Ok(note.to_bytes())
    }
}

/// The log's public key, which members pin, with the keys that it handed over to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogVerifier {
    name: String,
    /// The first one: what the log is known by.
    public: [u8; 32],
    /// Each hands over to the next.
    rolls: Vec<KeyRoll>,
}

impl LogVerifier {
    /// The log's name without its epoch.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Reads a C2SP verifier key `<name>/e<epoch>+<id>+<base64>` of any epoch.
    ///
    /// # Errors
    /// [`LogError::Key`].
    pub fn from_vkey(text: &str) -> Result<Self, LogError> {
        let text = text.trim();
        StandardVerifier::new(text).map_err(|_| LogError::Key)?;
        let mut parts = text.splitn(3, '+');
        let (origin, _, key) = (parts.next(), parts.next(), parts.next());
        let (name, epoch) = origin.and_then(|o| o.rsplit_once("/e")).ok_or(LogError::Key)?;
        epoch.parse::<u64>().map_err(|_| LogError::Key)?;
        let key = key.and_then(|k| STANDARD.decode(k).ok()).ok_or(LogError::Key)?;
        let public = key.get(1..).and_then(|k| k.try_into().ok()).ok_or(LogError::Key)?;
        Ok(Self { name: name.to_owned(), public, rolls: Vec::new() })
    }

    /// Reads verifier keys and rolls, one a line, in any order; empty lines are skipped.
    ///
    /// # Errors
    /// [`LogError::Key`], or what is wrong with a roll.
    pub fn from_lines(text: &str) -> Result<Vec<Self>, LogError> {
        let (mut keys, mut rolls) = (Vec::new(), Vec::new());
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match KeyRoll::from_line(line) {
                Some(roll) => rolls.push(roll?),
                None => keys.push(Self::from_vkey(line)?),
            }
        }
        for key in &mut keys {
            key.follow(&rolls);
        }
        Ok(keys)
    }

    /// The verifier key of one epoch, and the rolls, one a line.
    pub fn lines(&self, epoch: u64) -> Vec<String> {
        std::iter::once(self.vkey(epoch)).chain(self.rolls.iter().map(KeyRoll::line)).collect()
    }

    /// Follows rolls, in any order, as far as each begins at the key that counts now and further along in the log than the one
    /// before. Others are left alone: a key that has handed over says nothing about who comes next any more. Returns whether
    /// there is a new key.
    pub fn follow(&mut self, rolls: &[KeyRoll]) -> bool {
        let before = self.rolls.len();
        while self.rolls.len() < MAX_ROLLS {
            let (current, until) = (self.current(), self.rolls.last().map_or((0, 0), |last| last.until));
            let known =
                |key: &[u8; 32]| self.public == *key || self.rolls.iter().any(|roll| roll.new == *key);
            let next = rolls.iter().find(|roll| {
                roll.log == self.name && roll.old == current && roll.until > until && !known(&roll.new)
            });
            let Some(next) = next.cloned() else { break };
            self.rolls.push(next);
        }
        self.rolls.len() > before
    }

    /// The rolls that were followed, in order.
    pub fn rolls(&self) -> &[KeyRoll] {
        &self.rolls
    }

    /// Whether both know the log by the same first key.
    pub fn is_of(&self, other: &Self) -> bool {
        (&self.name, &self.public) == (&other.name, &other.public)
    }

    /// The key that counts now.
    fn current(&self) -> [u8; 32] {
        self.rolls.last().map_or(self.public, |last| last.new)
    }

    /// The key that counts for a tree of this epoch and size.
    fn key_at(&self, epoch: u64, size: u64) -> &[u8; 32] {
        let next = self.rolls.iter().find(|roll| (epoch, size) <= roll.until);
        next.map(|roll| &roll.old).or(self.rolls.last().map(|last| &last.new)).unwrap_or(&self.public)
    }

    /// The C2SP verifier key of one epoch: of the first key, which the log is known by.
    pub fn vkey(&self, epoch: u64) -> String {
        vkey(&self.name, epoch, &self.public)
    }

    /// Checks a signed note and reads its tree head.
    ///
    /// # Errors
    /// [`LogError::Malformed`], [`LogError::Origin`], [`LogError::Signature`].
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, LogError> {
        let parsed = Note::from_bytes(note).map_err(|_| LogError::Malformed)?;
        let head = tlog_tiles::Checkpoint::from_bytes(parsed.text()).map_err(|_| LogError::Malformed)?;
        let epoch = head.origin().strip_prefix(self.name.as_str()).and_then(|r| r.strip_prefix("/e"));
        let epoch = epoch.and_then(|e| e.parse().ok()).ok_or(LogError::Origin)?;
        if head.origin() != origin(&self.name, epoch) {
            return Err(LogError::Origin);
        }
        let key = vkey(&self.name, epoch, self.key_at(epoch, head.size()));
        let verifier = StandardVerifier::new(&key).map_err(|_| LogError::Key)?;
        parsed.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|_| LogError::Signature)?;
        Ok(Checkpoint { epoch, size: head.size(), root: *head.hash(), note: note.to_vec() })
    }
}

/// A tree head whose signature was checked.
#[derive(Clone, PartialEq)]
pub struct Checkpoint {
    /// Which log.
    pub epoch: u64,
    /// Number of leaves.
    pub size: u64,
    /// Root hash.
    pub root: Hash,
    /// The signed note.
    pub note: Vec<u8>,
}

impl std::fmt::Debug for Checkpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Checkpoint(epoch {}, size {}, root {})", self.epoch, self.size, self.root)
    }
}

impl Checkpoint {
    /// Checks that a leaf stands at an index of this tree.
    ///
    /// # Errors
    /// [`LogError::Inclusion`].
    pub fn check_inclusion(&self, index: u64, leaf: [u8; 32], proof: &[Hash]) -> Result<(), LogError> {
        if index >= self.size {
            return Err(LogError::Inclusion);
        }
        check_record(&proof.to_vec(), self.size, self.root, index, Hash(leaf))
            .map_err(|_| LogError::Inclusion)
    }

    /// Checks that this tree grew out of an `older` one of the same epoch.
    ///
    /// # Errors
    /// [`LogError::Consistency`].
    pub fn check_consistency(&self, older: &Self, proof: &[Hash]) -> Result<(), LogError> {
        let grown = match (older.size, self.size) {
            _ if older.epoch != self.epoch => false,
            (old, new) if old > new => false,
            (old, new) if old == new => older.root == self.root,
            (0, _) => true,
            (old, new) => check_tree(&proof.to_vec(), new, self.root, old, older.root).is_ok(),
        };
        grown.then_some(()).ok_or(LogError::Consistency)
    }
}

/// Reads the hashes of a proof from its wire form.
///
/// # Errors
/// [`LogError::Inclusion`] if one is not 32 bytes, or there are more than 64.
pub fn proof_hashes<B: AsRef<[u8]>>(hashes: &[B]) -> Result<Vec<Hash>, LogError> {
    if hashes.len() > 64 {
        return Err(LogError::Inclusion);
    }
    hashes.iter().map(|h| h.as_ref().try_into().map(Hash).map_err(|_| LogError::Inclusion)).collect()
}

/// Origin line of one epoch's log.
pub fn origin(name: &str, epoch: u64) -> String {
    format!("{name}/e{epoch}")
}

fn vkey(name: &str, epoch: u64, public: &[u8; 32]) -> String {
    let name = origin(name, epoch);
    let key = tagged(public);
    format!("{name}+{:08x}+{}", signed_note::key_id(&name, &key), STANDARD.encode(key))
}

/// Prefixes a key with its algorithm byte (C2SP signed-note: 1 = Ed25519).
fn tagged(key: &[u8; 32]) -> [u8; 33] {
    let mut bytes = [1; 33];
    bytes[1..].copy_from_slice(key);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> LogSigner {
        LogSigner::generate("relay.example/log", &ring::rand::SystemRandom::new()).unwrap()
    }

    #[test]
    fn keys_survive_their_texts() {
        let signer = signer();
        let again = LogSigner::from_secret_text(&signer.to_secret_text().unwrap()).unwrap();
        assert_eq!(again.verifier(), signer.verifier());
        assert_eq!(LogVerifier::from_vkey(&signer.verifier().vkey(3)), Ok(signer.verifier()));
        assert_eq!(LogVerifier::from_vkey("nonsense"), Err(LogError::Key));
        let secret = signer.to_secret_text().unwrap();
        assert!(!format!("{signer:?}").contains(secret.trim_end().split_once('+').unwrap().1));
    }

    #[test]
    fn a_checkpoint_opens_with_its_own_key_only() {
        let signer = signer();
        let note = signer.sign(2, 5, Hash([7; 32])).unwrap();
        let checkpoint = signer.verifier().open(&note).unwrap();
        assert_eq!((checkpoint.epoch, checkpoint.size), (2, 5));
        assert_eq!(checkpoint.root, Hash([7; 32]));

        let other = LogSigner::generate("relay.example/log", &ring::rand::SystemRandom::new()).unwrap();
        assert_eq!(other.verifier().open(&note), Err(LogError::Signature));
        let elsewhere = LogSigner::generate("other.example/log", &ring::rand::SystemRandom::new()).unwrap();
        assert_eq!(elsewhere.verifier().open(&note), Err(LogError::Origin));
        let changed = String::from_utf8(note).unwrap().replacen("\n5\n", "\n6\n", 1);
        assert_eq!(signer.verifier().open(changed.as_bytes()), Err(LogError::Signature));
    }

    #[test]
    fn proofs_are_checked_both_ways() {
        let left = crate::event::leaf_hash(b"a");
        let right = crate::event::leaf_hash(b"b");
        let root = tlog_tiles::node_hash(Hash(left), Hash(right));
        let one = Checkpoint { epoch: 1, size: 1, root: Hash(left), note: vec![] };
        let two = Checkpoint { epoch: 1, size: 2, root, note: vec![] };
        assert_eq!(two.check_inclusion(0, left, &[Hash(right)]), Ok(()));
        assert_eq!(two.check_inclusion(1, left, &[Hash(right)]), Err(LogError::Inclusion));
        assert_eq!(two.check_inclusion(2, left, &[Hash(right)]), Err(LogError::Inclusion));
        assert_eq!(two.check_consistency(&one, &[Hash(right)]), Ok(()));
        assert_eq!(two.check_consistency(&one, &[Hash(left)]), Err(LogError::Consistency));
        assert_eq!(one.check_consistency(&two, &[]), Err(LogError::Consistency));
        assert_eq!(two.check_consistency(&two, &[]), Ok(()));
    }
}
