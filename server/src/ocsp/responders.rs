//! The way to OCSP responders: one question, one answer, which whoever asked must judge.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::error::OcspFault;

use crate::clock::Clock;
use crate::config::TrustConfig;
use crate::fetch::{Ask, FetchFault, Fetcher, MeansError};
use crate::fetched_lists::fetcher;

/// Longest answer that is taken.
const MAX_ANSWER: usize = 64 * 1024;
/// RFC 8954: 32 bytes.
const NONCE_BYTES: usize = 32;

/// Why a question came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AskFault {
    /// The certificate names no responder, and the configuration none either.
    #[error("the certificate names no responder")]
    NoResponder,
    /// The certificate's issuer is not known, and a question names it.
    #[error("the issuer's certificate is missing")]
    NoIssuer,
    /// Nothing came.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// What came is not relied on.
    #[error(transparent)]
    Answer(#[from] OcspFault),
}

impl AskFault {
    /// A stable word for metrics and logs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NoResponder => "OCSP_NO_RESPONDER",
            Self::NoIssuer => "OCSP_ISSUER_MISSING",
            Self::Fetch(fault) => fault.code(),
            Self::Answer(fault) => fault.code(),
        }
    }
}

/// What a responder answered, and what the question was told apart by.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) der: Bytes,
    pub(crate) nonce: [u8; NONCE_BYTES],
}

/// Reaches responders, as `[trust.fetch]` and `[trust.ocsp]` say.
#[derive(Clone, Debug)]
pub(crate) struct Responders {
    fetcher: Fetcher,
    /// Asked in the place of those that certificates name; empty: those.
    instead: String,
    /// Whether those may be in the relay's own network.
    allow_private: bool,
    random: SystemRandom,
}

impl Responders {
    /// # Errors
    /// As of [`fetcher`].
    pub(crate) fn new(
        config: &TrustConfig,
        instead: &str,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MeansError> {
        let patience = Duration::from_secs(u64::from(config.ocsp.timeout_s));
        let fetcher = fetcher(&config.fetch, patience, clock)?;
        let (instead, allow_private) = (instead.to_owned(), config.ocsp.allow_private);
        Ok(Self { fetcher, instead, allow_private, random: SystemRandom::new() })
    }

    /// Who is asked: whom the configuration names, else whom the certificate names.
    pub(crate) fn choose<'a>(&'a self, named: Option<&'a str>) -> Option<&'a str> {
        if self.instead.is_empty() { named } else { Some(&self.instead) }
    }

    /// Asks about a certificate that names this responder. `question`: makes the question with a nonce, where the issuer is known.
    pub(crate) async fn ask(
        &self,
        named: Option<&str>,
        question: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    ) -> Result<Answer, AskFault> {
        let url = self.choose(named).ok_or(AskFault::NoResponder)?;
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce).map_err(|_| OcspFault::Nonce)?;
        let question = question(&nonce).ok_or(AskFault::NoIssuer)?;
        let ask = Ask {
            url,
            anywhere: self.allow_private || !self.instead.is_empty(),
            max_bytes: MAX_ANSWER,
            post: Some(("application/ocsp-request", &question)),
        };
        Ok(Answer { der: self.fetcher.fetch(&ask).await?, nonce })
    }
}
