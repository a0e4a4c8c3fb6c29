//! What can be asked of the committer, and what it answers.

use std::sync::Arc;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::{ParcelId, ParcelKey, ProxyNumber, proxy_of};
use tasuki_proto::lifecycle::Act;
use tasuki_proto::log::{Checkpoint, LogSigner};
use tasuki_proto::mandate::KeepTerminal;
use tasuki_proto::reason;
use tasuki_proto::statement::{Request, Word};

pub use super::administering::{Administering, By, Operating, SignedAct};
pub use super::partners::Partnering;
use crate::config::{JoiningConfig, PartnersConfig};
use crate::store::archive::Archived;
use crate::store::certificates::{CertificateKey, CertificateRow};
use crate::store::leaves::Position;
use crate::store::mandates::MandateRow;
use crate::store::offices::{KeyRow, OfficeRow, OfficeState};
use crate::store::parcels::{FileRow, ParcelRow};
use crate::store::proxies::{ProxyKeyRow, ProxyRow};

/// A change of state. Each is applied whole, with its event, or not at all.
#[derive(Debug)]
pub enum Change {
    /// A verified, sealed parcel for its receiver's mailbox.
    Deliver(Box<Delivery>),
    /// Something that is done to a parcel after it was accepted.
    Act(Box<Doing>),
    /// One office asks another for a document.
    Request(Box<Asking>),
    /// Offices for the directory, new or changed.
    PutOffices(Vec<OfficeRow>),
    /// An office's standing.
    SetOfficeState {
        /// Which office.
        office: OfficeNumber,
        /// How it stands from now on.
        state: OfficeState,
        /// Why, in the operator's words.
        reason: String,
    },
    /// A key that parcels for an office are sealed to from now on.
    RegisterKey(Box<KeyRow>),
    /// Who else may act for an office, and the proxies.
    Mandate(Box<Mandating>),
    /// Certificates as they come, end and are revoked.
    Certificate(Box<Certifying>),
    /// An office joins or leaves.
    Standing(Box<Standing>),
    /// One office invites another to be partners, accepts or ends.
    Partner(Box<Partnering>),
    /// An office declares what it takes, or the operator decides about that.
    Profile(Box<Profiling>),
    /// A notice of the operator (お知らせ).
    Notice(Box<Notice>),
    /// An administrative act: done if whoever asks for it may.
    Administer(Box<Administering>),
    /// What is done to operators themselves; only inside of [`Change::Administer`].
    Operators(Box<Operating>),
    /// The log's key hands over to another.
    RollLogKey(Box<Rolling>),
    /// The issuing CA hands over to a new key.
    RollCa(Box<CaRolling>),
    /// An event of the operator's own, for auditors: kind and lines. It may concern one office.
    Audit {
        /// Kind of the event.
        kind: &'static str,
        /// Its lines.
        lines: Vec<(&'static str, String)>,
        /// The office that sees it in its feed.
        office: Option<OfficeNumber>,
        /// A setting that changes with it: name and value.
        setting: Option<(&'static str, String)>,
    },
}

/// What happens to a certificate.
#[derive(Debug)]
pub enum Certifying {
    /// It came for the first time, and parcels can't be sealed to it.
    Seen(CertificateRow),
    /// It takes the place of another.
    Renewed(Box<Renewing>),
    /// It is time to say that it ends.
    Ending(CertificateKey),
    /// It is revoked.
    Revoked(CertificateKey),
}

/// A certificate that was renewed.
#[derive(Debug)]
pub struct Renewing {
    /// The new one.
    pub row: CertificateRow,
    /// Its own end, Unix microseconds.
    pub not_after_us: i64,
    /// Parcels can be sealed to it.
    pub may_encrypt: bool,
    /// A terminal's mandate as it stands with it.
    pub mandate: Option<MandateRow>,
}

impl Certifying {
    /// The office whose certificate it is, or whose terminal's.
    pub fn office(&self) -> Option<OfficeNumber> {
        match self {
            Self::Seen(row) => row.bearer.office(),
            Self::Renewed(renewing) => renewing.row.bearer.office(),
            Self::Ending((bearer, _)) | Self::Revoked((bearer, _)) => bearer.office(),
        }
    }
}

/// What is done about an office's taking part.
#[derive(Debug)]
pub enum Standing {
    /// It applies to join.
    Apply(Applying),
    /// The operator makes a code for its application.
    MakeCode {
        /// Whose.
        office: OfficeNumber,
        /// Salt of the hash.
        salt: [u8; 16],
        /// SHA-256 over salt and digits.
        hash: [u8; 32],
        /// Until when it is good, Unix microseconds.
        until_us: i64,
    },
    /// It confirms its application with a code.
    Confirm {
        /// Whose.
        office: OfficeNumber,
        /// The code's digits.
        code: String,
        /// Who does, as events name it.
        by: String,
        /// Who may join by himself.
        rules: JoiningConfig,
    },
    /// The operator lets it take part.
    Approve {
        /// Which.
        office: OfficeNumber,
        /// Its name; none: as the directory or the application has it.
        name: Option<String>,
        /// The name's reading, where the directory does not have the office.
        kana: String,
        /// Also where the application was not confirmed with its code.
        unconfirmed: bool,
        /// Who may join by himself.
        rules: JoiningConfig,
    },
    /// The operator rejects its application.
    Reject {
        /// Whose.
        office: OfficeNumber,
        /// Why, in the operator's words.
        reason: String,
    },
    /// It leaves.
    Leave(Leaving),
    /// Its mailbox is clear, and what was to be erased is, but for its rows.
    Clear {
        /// Whose.
        office: OfficeNumber,
    },
}

/// What is done about what an office takes.
#[derive(Debug)]
pub enum Profiling {
    /// It declares it; its signature was verified.
    Declare {
        /// Which.
        office: OfficeNumber,
        /// What it takes.
        accepts: Vec<String>,
        /// When it was signed, by the signer's clock. Unix microseconds.
        said_us: i64,
        /// Who signed, as events name it.
        by: String,
        /// The signed word.
        paper: Paper,
        /// It waits for the operator.
        approval: bool,
    },
    /// The operator decides about a declaration.
    Decide {
        /// Whose.
        office: OfficeNumber,
        /// It takes effect.
        approve: bool,
    },
}

impl Profiling {
    /// Whose it is.
    pub fn office(&self) -> OfficeNumber {
        match self {
            Self::Declare { office, .. } | Self::Decide { office, .. } => *office,
        }
    }
}

/// A new key for the log.
#[derive(Debug)]
pub struct Rolling {
    /// The new key, of the same name; it is kept on disk already.
    pub new: LogSigner,
    /// The old key may be in other hands.
    pub emergency: bool,
    /// Why, in the operator's words.
    pub reason: String,
}

/// A new key for the issuing CA.
#[derive(Debug)]
pub struct CaRolling {
    /// Certificate of the CA that issued until now, DER.
    pub previous: Vec<u8>,
    /// Certificate of the one that issues from now on, DER; its key is kept on disk already.
    pub next: Vec<u8>,
    /// Its key, certified by the one before, DER.
    pub cross: Option<Vec<u8>>,
    /// The old key may be in other hands: what it issued counts no more.
    pub emergency: bool,
    /// In an emergency that an earlier log told of: since when, Unix microseconds. `None`: from now on.
    pub withdrawn_us: Option<i64>,
    /// Why, in the operator's words.
    pub reason: String,
    /// The relay does it by itself, because the time has come.
    pub scheduled: bool,
}

/// An application; its signature was verified.
#[derive(Debug)]
pub struct Applying {
    /// Who applies.
    pub office: OfficeNumber,
    /// Its name as it states it.
    pub name: String,
    /// When it was signed, by the signer's clock. Unix microseconds.
    pub said_us: i64,
    /// Who signed, as events name it.
    pub by: String,
    /// The signed word.
    pub paper: Paper,
    /// Who may join by himself.
    pub rules: JoiningConfig,
}

/// An office leaves.
#[derive(Debug)]
pub struct Leaving {
    /// Which.
    pub office: OfficeNumber,
    /// When it was signed, by the signer's clock, Unix microseconds; the operator's word has none.
    pub said_us: i64,
    /// Who says so, as events name it.
    pub by: String,
    /// Why, in the operator's words.
    pub reason: String,
    /// What the relay keeps of it is to be erased.
    pub erase: bool,
    /// Its own signed word; absent: the operator's.
    pub paper: Option<Paper>,
}

impl Standing {
    /// Whose standing it is.
    pub fn office(&self) -> OfficeNumber {
        match self {
            Self::Apply(Applying { office, .. })
            | Self::Leave(Leaving { office, .. })
            | Self::MakeCode { office, .. }
            | Self::Confirm { office, .. }
            | Self::Approve { office, .. }
            | Self::Reject { office, .. }
            | Self::Clear { office } => *office,
        }
    }
}

/// What is done to mandates and proxies.
#[derive(Debug)]
pub enum Mandating {
    /// An office lets somebody act: a proxy, or a terminal that is invited. For a proxy it takes the place of the one before.
    Give {
        /// The mandate.
        row: MandateRow,
        /// Who gives it, as events name it.
        by: String,
        /// The office's signed word; absent where the operator registers it.
        paper: Option<Paper>,
    },
    /// A mandate is over.
    End {
        /// Whose.
        office: OfficeNumber,
        /// Which: SHA-256 of its statement.
        digest: [u8; 32],
        /// Who ends it, as events name it.
        by: String,
        /// The office's signed word; absent where the operator ends it.
        paper: Option<Paper>,
    },
    /// A terminal lapses, unless somebody used it after a time.
    Lapse {
        /// Whose.
        office: OfficeNumber,
        /// Which: SHA-256 of its invitation.
        digest: [u8; 32],
        /// The time, Unix microseconds.
        unused_since_us: i64,
    },
    /// A terminal takes its invitation up: the row with certificate, enrolment and end.
    Enrol(MandateRow),
    /// A terminal goes on under a later certificate of its office.
    Keep {
        /// Its mandate with the office's statement, its signer and the end that follows.
        row: MandateRow,
        /// What the office says.
        said: KeepTerminal,
        /// Who says it, as events name it.
        by: String,
        /// The office's signed word.
        paper: Paper,
    },
    /// A proxy, new or changed.
    PutProxy(ProxyRow),
    /// A proxy's key.
    RegisterProxyKey(ProxyKeyRow),
}

impl Mandating {
    /// The office whose mandate it is.
    pub fn office(&self) -> Option<OfficeNumber> {
        match self {
            Self::Give { row, .. } | Self::Enrol(row) | Self::Keep { row, .. } => Some(row.office),
            Self::End { office, .. } | Self::Lapse { office, .. } => Some(*office),
            Self::PutProxy(_) | Self::RegisterProxyKey(_) => None,
        }
    }
}

/// Something that the operator tells offices.
#[derive(Debug)]
pub struct Notice {
    /// Kind of the event.
    pub kind: &'static str,
    /// Its lines.
    pub lines: Vec<(&'static str, String)>,
    /// Offices that it is for, each once, in whose feeds it stands; none: it is for all, and stands in no feed.
    pub to: Vec<OfficeNumber>,
    /// A setting that changes with it: name and value.
    pub setting: Option<(&'static str, String)>,
}

/// A parcel that passed every check and is sealed.
#[derive(Debug)]
pub struct Delivery {
    /// Sender and id.
    pub key: ParcelKey,
    /// The receiving office.
    pub recipient: OfficeNumber,
    /// SHA-256 of the container.
    pub digest: [u8; 32],
    /// Bytes of the container.
    pub container_size: u64,
    /// The sealed parcel: CMS `AuthEnvelopedData` (DER); empty where it was set aside.
    pub sealed: Vec<u8>,
    /// Bytes of the sealed parcel.
    pub sealed_size: u64,
    /// It was large and stands outside the database already; the commit consumes the intent of that.
    pub aside: bool,
    /// SHA-256 of `sealed`.
    pub sealed_digest: [u8; 32],
    /// Its files.
    pub files: Vec<FileRow>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
    /// Who transmitted it, as events name it.
    pub transmitter: String,
    /// What lets the signer sign, and the transmitter transmit: mandates of the sender, each once.
    pub mandates: Vec<[u8; 32]>,
    /// The proxy through which it was sent.
    pub proxy: Option<ProxyNumber>,
    /// The signer's mandate is one that the operator registered.
    pub vouched: bool,
    /// It is held until the sender itself releases or discards it.
    pub confirm: bool,
    /// SHA-256 of the CRLs that the signer's chain was checked against.
    pub crls: Vec<[u8; 32]>,
    /// Certificates and CRLs that may not be archived yet; empty if the signer is known.
    pub archive: Arc<Vec<Archived>>,
    /// `Head::directory` when the receiver's standing and keys, and the sender's mandates, were read.
    pub directory: i64,
    /// It is held at first: when it is to be released, Unix microseconds; 0: when its sender says so.
    pub hold: Option<i64>,
    /// The parcel of the same sender and receiver that it supersedes.
    pub supersedes: Option<ParcelId>,
    /// Who may exchange with whom.
    pub partners: PartnersConfig,
}

/// Something that is done to a parcel. What it does, and whether it may, is `tasuki_proto::lifecycle`'s to say.
#[derive(Debug)]
pub struct Doing {
    /// Which parcel.
    pub key: ParcelKey,
    /// What is done.
    pub act: Act,
    /// Whose doing it is.
    pub by: Actor,
    /// The signed word, where it needs one.
    pub signed: Option<Signed>,
}

/// Who does something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An office, itself or through whom it lets.
    Office {
        /// Which.
        office: OfficeNumber,
        /// Who acts, as events name it; see `tasuki_proto::ids::identity_text`.
        name: String,
        /// What lets them act for the office, where they are not the office itself.
        mandate: Option<[u8; 32]>,
        /// The operator registered that mandate: no office signed it.
        vouched: bool,
    },
    /// The relay, when a time has come.
    Relay,
    /// The relay, because the office that the parcel waits for, or that holds it back, left.
    Closing,
    /// The relay, because the time of release of what is held has come, and its two offices are no partners any more.
    Parted,
}

impl Actor {
    /// As events name it.
    pub fn name(&self) -> &str {
        match self {
            Self::Office { name, .. } => name,
            Self::Relay | Self::Closing | Self::Parted => "relay",
        }
    }

    /// What lets them act for the office, where they are not the office itself.
    pub fn mandate(&self) -> Option<&[u8; 32]> {
        match self {
            Self::Office { mandate, .. } => mandate.as_ref(),
            Self::Relay | Self::Closing | Self::Parted => None,
        }
    }

    /// The operator vouches for their right, and nobody else.
    pub fn vouched(&self) -> bool {
        matches!(self, Self::Office { mandate: Some(_), vouched: true, .. })
    }

    /// The proxy that acts.
    pub fn proxy(&self) -> Option<ProxyNumber> {
        proxy_of(self.name())
    }
}

/// A statement about a parcel whose signature was verified.
#[derive(Debug)]
pub struct Signed {
    /// The parcel's digest that it states.
    pub digest: [u8; 32],
    /// The receiver that it states.
    pub recipient: OfficeNumber,
    /// What it says.
    pub word: Word,
    /// Who signed, and over which bytes.
    pub paper: Paper,
}

/// A statement as it came in.
#[derive(Debug)]
pub struct Paper {
    /// The statement (CMS).
    pub cms: Vec<u8>,
    /// The sealed text that it names; empty: it names none.
    pub text: Vec<u8>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
    /// Certificates and CRLs that may not be archived yet.
    pub archive: Arc<Vec<Archived>>,
}

/// One office asks another for a document; its signature was verified.
#[derive(Debug)]
pub struct Asking {
    /// What it says.
    pub request: Request,
    /// Who signed, as events name it.
    pub by: String,
    /// What lets them sign for the office, where they are not the office itself.
    pub mandate: Option<[u8; 32]>,
    /// The operator registered that mandate.
    pub vouched: bool,
    /// Who signed, and over which bytes.
    pub paper: Paper,
}

/// A change was made, durably, or had been made before.
#[derive(Clone, Debug)]
pub struct Done {
    /// The parcel as it stands now, where the change is about one.
    pub parcel: Option<ParcelRow>,
    /// Its event. For a repetition: the event of the first time, as far as the parcel's row tells it.
    pub position: Option<Position>,
    /// The event's text, where it was written just now.
    pub text: Option<Vec<u8>>,
    /// True: nothing changed, because it had been done before.
    pub repeated: bool,
    /// A checkpoint that covers `position`.
    pub checkpoint: Arc<Checkpoint>,
}

/// A change was not made; nothing else was either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The id was used for other bytes.
    #[error("the parcel id was used for other bytes")]
    IdReused,
    /// The sender is no longer in the directory, or suspended.
    #[error("the sender does not take part any more")]
    Sender,
    /// The receiver is no longer in the directory, or suspended.
    #[error("the receiver does not take part any more")]
    Recipient,
    /// No such parcel for this office.
    #[error("no such parcel for this office")]
    NotFound,
    /// The parcel's state, or the party, does not allow it: the reason word of `tasuki_proto::lifecycle`, or of a bound.
    #[error("not allowed: {0}")]
    Because(&'static str),
    /// The statement's digest is not the parcel's.
    #[error("the digest is not the parcel's")]
    Digest,
    /// The parcel's state does not allow it.
    #[error("the parcel's state does not allow it")]
    Conflict,
    /// No such office.
    #[error("no such office")]
    Office,
    /// The database can't write, or the clock can't be trusted. Trying again later is safe.
    #[error("the relay can't write now")]
    Unavailable,
    /// The relay is going down. Trying again is safe.
    #[error("the relay is going down")]
    ShuttingDown,
}

impl Done {
    /// The id under which the change waits for a second operator; `None`: it was made.
    pub fn waits(&self) -> Option<String> {
        let event = Event::parse(self.text.as_deref()?).ok()?;
        (event.kind == kind::APPROVAL_ASKED).then(|| event.lines.get("approval").map(str::to_owned))?
    }
}

impl Refused {
    /// Stable reason word.
    pub fn code(self) -> &'static str {
        match self {
            Self::IdReused => reason::PARCEL_ID_REUSED,
            Self::Sender => reason::SENDER_SUSPENDED,
            Self::Recipient => reason::RECIPIENT_SUSPENDED,
            Self::NotFound => reason::PARCEL_NOT_FOUND,
            Self::Because(word) => word,
            Self::Digest => reason::DIGEST_MISMATCH,
            Self::Conflict => reason::STATE_CONFLICT,
            Self::Office => reason::OFFICE_NOT_FOUND,
            Self::Unavailable => reason::STORE_UNAVAILABLE,
            Self::ShuttingDown => reason::SHUTTING_DOWN,
        }
    }

    /// The same request may succeed later.
    pub fn retry(self) -> bool {
        matches!(self, Self::Unavailable | Self::ShuttingDown)
    }
}
