//! The certificate profile: where a certificate says whose it is.
//!
//! A profile is a list of rules. A rule applies when every one of its matches finds a value in the certificate; the
//! pieces its patterns capture make the [`Identity`]. Every rule is tried: a certificate in which rules find two
//! different parties is refused as ambiguous, so the order of rules decides nothing and no rule can hide another.
//!
//! ```toml
//! # Offices: subject OU=office, serialNumber=1371215102
//! [[rules]]
//! identity = "office"
//! match = [
//!     { source = "subject:OU", pattern = "office" },
//!     { source = "subject:serialNumber", pattern = "{number:10}" },
//! ]
//! ```
//!
//! [`Source`] says which values exist, [`Pattern`] how a pattern is written.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;

use crate::error::{CertError, Position};
use crate::pattern::Capture;
pub use crate::pattern::{Pattern, PatternError};
pub use crate::source::{Source, SourceError};

/// Whom a certificate speaks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identity {
    /// A care office, by its 10-digit number.
    Office {
        /// The office number.
        number: String,
    },
    /// A terminal: a further PC of an office, with a key of its own.
    Terminal {
        /// The office number.
        office: String,
        /// The terminal's name within the office.
        name: String,
    },
    /// A transmission proxy (伝送代行業者).
    Proxy {
        /// The proxy's number.
        number: String,
    },
    /// The relay's operator.
    Operator {
        /// The operator's name.
        name: String,
    },
}

/// What a rule's captures make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdentityKind {
    /// [`Identity::Office`]; captures `number`.
    Office,
    /// [`Identity::Terminal`]; captures `office` and `name`.
    Terminal,
    /// [`Identity::Proxy`]; captures `number`.
    Proxy,
    /// [`Identity::Operator`]; captures `name`.
    Operator,
}

/// One value of the certificate that must be there, and what is captured from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Which values to look at.
    pub source: Source,
    /// What one of them must look like.
    pub pattern: Pattern,
}

/// One way in which a certificate names a party.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// What the captures make.
    pub identity: IdentityKind,
    /// Every one must find a value.
    #[serde(rename = "match")]
    pub matches: Vec<Match>,
}

/// Where certificates say whose they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct CertificateProfile {
    rules: Vec<Rule>,
}

/// The profile as a file holds it, before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rules: Vec<Rule>,
}

/// Why a profile cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// No rule: every certificate would be refused.
    #[error("the certificate profile has no rule")]
    NoRule,
    /// A rule, by its number from 1, does not capture exactly what its identity is made of.
    #[error("rule {0} of the certificate profile must capture exactly once: {1}")]
    Captures(usize, &'static str),
    /// Not TOML, or not a profile.
    #[error("the certificate profile cannot be read: {0}")]
    Toml(String),
}

impl IdentityKind {
    /// What a rule of this kind captures, sorted.
    fn captures(self) -> (&'static [Capture], &'static str) {
        match self {
            Self::Office | Self::Proxy => (&[Capture::Number], "number"),
            Self::Terminal => (&[Capture::Office, Capture::Name], "office, name"),
            Self::Operator => (&[Capture::Name], "name"),
        }
    }
}

impl Rule {
    /// The party this rule finds; `None` where it does not apply.
    fn identify(&self, certificate: &X509Certificate<'_>) -> Result<Option<Identity>, CertError> {
        let mut captured = Vec::new();
        for one in &self.matches {
            let values = one.source.values(certificate);
            let found: BTreeSet<_> = values.iter().filter_map(|value| one.pattern.read(value)).collect();
            if found.len() > 1 {
                return Err(CertError::IdentityAmbiguous);
            }
            match found.into_iter().next() {
                Some(found) => captured.extend(found),
                None => return Ok(None),
            }
        }
        let take = |wanted: Capture| {
            let found = captured.iter().find(|(capture, _)| *capture == wanted);
            found.map(|(_, text)| text.clone()).ok_or(CertError::IdentityNotFound)
        };
        Ok(Some(match self.identity {
            IdentityKind::Office => Identity::Office { number: take(Capture::Number)? },
            IdentityKind::Proxy => Identity::Proxy { number: take(Capture::Number)? },
            IdentityKind::Operator => Identity::Operator { name: take(Capture::Name)? },
            IdentityKind::Terminal => {
                Identity::Terminal { office: take(Capture::Office)?, name: take(Capture::Name)? }
            }
        }))
    }
}

impl CertificateProfile {
    /// A profile of these rules.
    pub fn new(rules: Vec<Rule>) -> Result<Self, ProfileError> {
        if rules.is_empty() {
            return Err(ProfileError::NoRule);
        }
        for (number, rule) in (1..).zip(&rules) {
            let (needed, names) = rule.identity.captures();
            let mut captures: Vec<Capture> =
                rule.matches.iter().flat_map(|one| one.pattern.captures()).collect();
            captures.sort_unstable();
            if captures != needed {
                return Err(ProfileError::Captures(number, names));
            }
        }
        Ok(Self { rules })
    }

    /// Reads a profile from TOML, as the module's documentation shows.
    pub fn from_toml(text: &str) -> Result<Self, ProfileError> {
        toml::from_str(text).map_err(|error| ProfileError::Toml(error.to_string()))
    }

    /// The layout of the trial CA's certificates, which is the default: the subject's `OU` is `office`, `terminal`,
    /// `proxy` or `operator`; `serialNumber` holds the office's number (10 digits) or the proxy's (`P` and 5 digits);
    /// `CN` holds the terminal's or operator's name.
    pub fn trial() -> Self {
        Self::from_toml(include_str!("trial_profile.toml")).expect("the profile in this crate is well-formed")
    }

    /// The rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The party that a certificate names.
    ///
    /// This reads what the certificate claims and nothing more: only a certificate that has been verified proves it.
    pub fn identify(&self, certificate_der: &[u8]) -> Result<Identity, CertError> {
        match x509_parser::parse_x509_certificate(certificate_der) {
            Ok(([], certificate)) => self.identify_parsed(&certificate),
            _ => Err(CertError::MalformedCertificate(Position::LEAF, "not a DER certificate")),
        }
    }

    pub(crate) fn identify_parsed(&self, certificate: &X509Certificate<'_>) -> Result<Identity, CertError> {
        let mut found = BTreeSet::new();
        for rule in &self.rules {
            found.extend(rule.identify(certificate)?);
        }
        match (found.pop_first(), found.is_empty()) {
            (Some(identity), true) => Ok(identity),
            (Some(_), false) => Err(CertError::IdentityAmbiguous),
            (None, _) => Err(CertError::IdentityNotFound),
        }
    }
}

impl Default for CertificateProfile {
    fn default() -> Self {
        Self::trial()
    }
}

impl TryFrom<Written> for CertificateProfile {
    type Error = ProfileError;

    fn try_from(written: Written) -> Result<Self, ProfileError> {
        Self::new(written.rules)
    }
}

impl From<CertificateProfile> for Written {
    fn from(profile: CertificateProfile) -> Self {
        Self { rules: profile.rules }
    }
}
