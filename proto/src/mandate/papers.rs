//! What a parcel carries to show that its signer may sign for the sender, and the check of it.

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::profile::Identity;
use tasuki_certs::signature_error::SignatureError;
use tasuki_certs::trust::VerifiedCertificate;

use super::keeping::Word;
use super::{EnrolmentError, KeyChain, Scope, Scopes};
use crate::canonical::TextError;
use crate::event::sha256;
use crate::ids::{ProxyNumber, is_office, own_office};
use crate::reason;
use crate::statement::Statement;

/// The office's delegation to the proxy that signed (CMS).
const DELEGATION: &str = "mandate/delegation.p7s";
/// The office's invitation of the terminal that signed, or what a later certificate of it signed in its place (CMS).
const INVITATION: &str = "mandate/invitation.p7s";
/// The terminal's key, signed with the invitation's; behind it its renewals.
const ENROLMENT: &str = "mandate/enrolment.txt";
/// Media type of a paper that is a statement.
const CMS_TYPE: &str = "application/pkcs7-mime";
/// Media type of an enrolment.
const TEXT_TYPE: &str = "text/plain";

/// The papers of one signer. The default is an office's own: none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Papers<'a> {
    /// The office's delegation to the proxy that signed: `mandate/delegation.p7s`.
    pub delegation: Option<&'a [u8]>,
    /// The office's invitation of the terminal that signed, or what keeps it ([`super::KeepTerminal`]): `mandate/invitation.p7s`.
    pub invitation: Option<&'a [u8]>,
    /// The terminal's key, signed with the invitation's, and its renewals: `mandate/enrolment.txt`.
    pub enrolment: Option<&'a [u8]>,
}

impl<'a> Papers<'a> {
    /// Each paper that is there: name, media type, bytes; in the order of the container.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, &'static str, &'a [u8])> {
        [
            (DELEGATION, CMS_TYPE, self.delegation),
            (INVITATION, CMS_TYPE, self.invitation),
            (ENROLMENT, TEXT_TYPE, self.enrolment),
        ]
        .into_iter()
        .filter_map(|(name, media_type, bytes)| Some((name, media_type, bytes?)))
    }

    /// Reads them out of a container.
    pub fn find(get: impl Fn(&str) -> Option<&'a [u8]>) -> Self {
        Self { delegation: get(DELEGATION), invitation: get(INVITATION), enrolment: get(ENROLMENT) }
    }

    /// Whether an entry of a container is a paper, and no file of the parcel.
    pub fn is_paper(name: &str) -> bool {
        [DELEGATION, INVITATION, ENROLMENT].contains(&name)
    }
}

/// In which role somebody acts for an office.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The office itself.
    Office,
    /// One of its terminals.
    Terminal {
        /// Its name.
        name: String,
    },
    /// Its proxy.
    Proxy {
        /// Its number.
        number: ProxyNumber,
    },
}

impl Role {
    /// Whether these scopes let somebody in this role do that.
    pub fn may(&self, scopes: Scopes, scope: Scope) -> bool {
        match (self, scope) {
            (Self::Office, _) => true,
            (_, Scope::ReadStatus) => scopes.may_read(),
            (Self::Terminal { .. }, Scope::Acknowledge) => {
                scopes.has(Scope::Acknowledge) || scopes.has(Scope::Receive)
            }
            (Self::Terminal { .. } | Self::Proxy { .. }, _) => scopes.has(scope),
        }
    }
}

/// The right of a signer, as its papers prove it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandated {
    /// In which role.
    pub role: Role,
    /// SHA-256 of the paper that gave it first, where it needs one: of a terminal's the invitation, also when it was kept since.
    pub mandate: Option<[u8; 32]>,
}

/// The papers don't show that a signer may act.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PapersError {
    /// The signer is another office, its terminal, or nobody who acts for offices.
    #[error("the signer does not belong to the office")]
    OtherOffice,
    /// There is no paper.
    #[error("there is no paper that lets the signer act")]
    Missing,
    /// A paper's signature does not hold.
    #[error("the paper's signature: {0}")]
    Signature(#[from] SignatureError),
    /// A paper is not signed by the office.
    #[error("the paper is not signed by the office itself")]
    Signer,
    /// A paper can't be read.
    #[error("the paper can't be read: {0}")]
    Text(#[from] TextError),
    /// The enrolment does not belong to the invitation.
    #[error("the enrolment: {0}")]
    Enrolment(#[from] EnrolmentError),
    /// A paper is about somebody else.
    #[error("the paper is about another party or key")]
    Other,
    /// It does not hold at this time.
    #[error("the paper does not hold at this time")]
    Time,
    /// It does not go so far.
    #[error("the paper does not go so far")]
    Scope,
}

impl PapersError {
    /// Stable reason word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherOffice => reason::SENDER_MISMATCH,
            Self::Missing => reason::MANDATE_MISSING,
            Self::Signature(error) => error.code(),
            Self::Signer | Self::Text(_) | Self::Enrolment(_) | Self::Other => reason::MANDATE_INVALID,
            Self::Time => reason::MANDATE_ENDED,
            Self::Scope => reason::MANDATE_SCOPE,
        }
    }
}

/// Whether a signer may do something for an office by the papers that it shows, at `at_us`, as far as is known at
/// `known_us` (Unix microseconds). Whether a mandate was ended early only the relay knows.
///
/// # Errors
/// [`PapersError`]; [`PapersError::Missing`] where a terminal or a proxy shows none.
pub fn check(
    signer: &VerifiedCertificate,
    office: OfficeNumber,
    scope: Scope,
    papers: &Papers<'_>,
    verifier: &SignatureVerifier,
    (at_us, known_us): (i64, i64),
) -> Result<Mandated, PapersError> {
    let said = |cms: &[u8]| -> Result<Statement, PapersError> {
        let verified = verifier.verify_as_of(cms, None, at_us, known_us)?;
        if !is_office(&verified.signer.identity, office) {
            return Err(PapersError::Signer);
        }
        Ok(Statement::parse(verified.content.unwrap_or_default())?)
    };
    match &signer.identity {
        identity if is_office(identity, office) => Ok(Mandated { role: Role::Office, mandate: None }),
        Identity::Terminal { name, .. } if own_office(&signer.identity) == Some(office) => {
            let (Some(invitation), Some(enrolment)) = (papers.invitation, papers.enrolment) else {
                return Err(PapersError::Missing);
            };
            let said = match said(invitation)? {
                Statement::InviteTerminal(said) => Word::invited(said, sha256(invitation)),
                Statement::KeepTerminal(said) => Word::kept(said),
                _ => return Err(PapersError::Other),
            };
            let keys = KeyChain::verify(enrolment, &said.code_key)?;
            let enrolment = &keys.enrolment;
            let has = |digest: [u8; 32]| keys.keys().any(|key| key == digest);
            let fits = said.office == office
                && enrolment.office == office
                && said.name == *name
                && enrolment.name == *name
                && enrolment.invitation == said.mandate
                && said.key.is_none_or(has)
                && has(sha256(&signer.spki_der));
            if !fits {
                return Err(PapersError::Other);
            }
            let role = Role::Terminal { name: name.clone() };
            if !role.may(said.scopes, scope) {
                return Err(PapersError::Scope);
            }
            Ok(Mandated { role, mandate: Some(said.mandate) })
        }
        Identity::Proxy { number } => {
            let delegation = papers.delegation.ok_or(PapersError::Missing)?;
            let Statement::Delegate(said) = said(delegation)? else { return Err(PapersError::Other) };
            if said.office != office || said.proxy.as_str() != number {
                return Err(PapersError::Other);
            }
            if !(said.from_us..said.until_us).contains(&at_us) {
                return Err(PapersError::Time);
            }
            let role = Role::Proxy { number: said.proxy };
            if !role.may(said.scopes, scope) {
                return Err(PapersError::Scope);
            }
            Ok(Mandated { role, mandate: Some(sha256(delegation)) })
        }
        _ => Err(PapersError::OtherOffice),
    }
}
