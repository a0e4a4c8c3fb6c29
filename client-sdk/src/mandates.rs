//! Who else may act for the own office: proxies by delegation (委任), terminals by invitation (端末).

use ring::rand::SystemRandom;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::evidence::Proven;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Code, Delegate, EndMandate, InviteTerminal, Scopes};
use tasuki_proto::statement::Statement;
use tasuki_proto::{pb, time};

use crate::client::Client;
use crate::declare::{Paper, accepted};
use crate::error::{ConfigError, SdkError, VerificationError};
use crate::parcel::digest_from_wire;

const DAY_US: i64 = 86_400 * 1_000_000;

/// Days in which an invitation can be taken up.
const INVITATION_DAYS: i64 = 14;

/// Pages of a list that are read.
const MAX_PAGES: usize = 1_000;

/// Who holds a mandate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MandateHolder {
    /// A proxy: its number and name.
    Proxy {
        /// Number.
        number: ProxyNumber,
        /// Name in the directory.
        name: String,
    },
    /// A terminal of the office, by its name.
    Terminal {
        /// Its name.
        name: String,
    },
}

/// How a mandate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MandateState {
    /// Its holder may act.
    Active,
    /// An invitation that nobody took up yet.
    Invited,
    /// It begins later.
    NotYet,
    /// Its time is over.
    Expired,
    /// It was ended.
    Ended,
    /// It can't be used although its time is not over.
    Unusable,
}

impl MandateState {
    /// Its word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Invited => "invited",
            Self::NotYet => "not-yet",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Unusable => "unusable",
        }
    }

    fn from_wire(state: i32) -> Self {
        match pb::MandateState::try_from(state) {
            Ok(pb::MandateState::Active) => Self::Active,
            Ok(pb::MandateState::Invited) => Self::Invited,
            Ok(pb::MandateState::NotYet) => Self::NotYet,
            Ok(pb::MandateState::Expired) => Self::Expired,
            Ok(pb::MandateState::Ended) => Self::Ended,
            Ok(pb::MandateState::Unusable | pb::MandateState::Unspecified) | Err(_) => Self::Unusable,
        }
    }
}

/// A mandate, as the relay lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mandate {
    /// SHA-256 of its statement, by which events name it.
    pub digest: [u8; 32],
    /// Who holds it.
    pub holder: MandateHolder,
    /// How far it goes.
    pub scopes: Scopes,
    /// How it stands.
    pub state: MandateState,
    /// From when, Unix microseconds.
    pub from_us: Option<i64>,
    /// Until when, Unix microseconds.
    pub until_us: Option<i64>,
    /// SHA-256 of a terminal's certificate.
    pub fingerprint: Option<[u8; 32]>,
    /// When it was last used, Unix microseconds, to the hour.
    pub last_used_us: Option<i64>,
    /// When it was given, Unix microseconds.
    pub made_us: Option<i64>,
    /// The office's statement (CMS); empty: the operator registered it.
    pub statement: Vec<u8>,
    /// A terminal's key, signed with the invitation's, and its renewals; empty for a proxy.
    pub enrolment: Vec<u8>,
}

/// How far a delegation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegationTerms {
    /// What the proxy may do.
    pub scopes: Scopes,
    /// For how many days from now on.
    pub days: u32,
    /// What the proxy signs and hands in is held until the office itself releases or discards it (事業所側での確認).
    pub confirm: bool,
}

/// An invitation of a terminal.
#[derive(Clone, Debug)]
pub struct TerminalInvitation {
    /// The code: whoever has it becomes the terminal. The relay does not have it.
    pub code: Code,
    /// Until when it can be taken up, Unix microseconds.
    pub until_us: i64,
    /// SHA-256 of the invitation.
    pub digest: [u8; 32],
}

impl Client {
    /// Lets a proxy act for the own office from now on, in place of what it may do now.
    ///
    /// # Errors
    /// The relay can't be reached or refuses (`PROXY_UNKNOWN`, `TOO_MANY_MANDATES`, …), or this HOME is not the office's own.
    pub async fn delegate(&self, proxy: ProxyNumber, terms: &DelegationTerms) -> Result<[u8; 32], SdkError> {
        let until_us = self.now_us().saturating_add(i64::from(terms.days) * DAY_US);
        self.delegate_until(proxy, (terms.scopes, terms.confirm), until_us).await
    }

    /// [`Client::delegate`] until a time, Unix microseconds: scopes, and whether the office confirms.
    pub(crate) async fn delegate_until(
        &self,
        proxy: ProxyNumber,
        (scopes, confirm): (Scopes, bool),
        until_us: i64,
    ) -> Result<[u8; 32], SdkError> {
        let now_us = self.now_us();
        let said = Statement::Delegate(Delegate {
            office: self.office(),
            proxy,
            scopes,
            from_us: now_us,
            until_us,
            confirm,
            time_us: now_us,
        });
        self.say(&said, &[kind::MANDATE_DELEGATED]).await
    }

    /// Invites a terminal.
    ///
    /// # Errors
    /// As [`Client::delegate`]; `TERMINAL_NAME_USED`.
    pub async fn invite_terminal(&self, name: &str, scopes: Scopes) -> Result<TerminalInvitation, SdkError> {
        let now_us = self.now_us();
        let code = Code::new(&SystemRandom::new())
            .map_err(|_| ConfigError::Trust("the system gives no randomness".to_owned()))?;
        let until_us = now_us.saturating_add(INVITATION_DAYS * DAY_US);
        let said = Statement::InviteTerminal(InviteTerminal {
            office: self.office(),
            name: name.to_owned(),
            scopes,
            code_key: code.public_key(),
            until_us,
            time_us: now_us,
        });
        let digest = self.say(&said, &[kind::MANDATE_INVITED]).await?;
        Ok(TerminalInvitation { code, until_us, digest })
    }

    /// Ends a mandate at once.
    ///
    /// # Errors
    /// As [`Client::delegate`]; `MANDATE_NOT_FOUND`.
    pub async fn end_mandate(&self, digest: [u8; 32]) -> Result<(), SdkError> {
        let (office, time_us) = (self.office(), self.now_us());
        let said = Statement::EndMandate(EndMandate { office, mandate: digest, time_us });
        self.say(&said, &[kind::MANDATE_ENDED]).await.map(|_| ())
    }

    /// Who may act for the own office.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn mandates(&self) -> Result<Vec<Mandate>, SdkError> {
        self.list_mandates(false).await
    }

    /// [`Client::mandates`] with those that are over, the newest first.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn all_mandates(&self) -> Result<Vec<Mandate>, SdkError> {
        self.list_mandates(true).await
    }

    async fn list_mandates(&self, all: bool) -> Result<Vec<Mandate>, SdkError> {
        let caller = &self.inner.caller;
        let (mut mandates, mut token) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let request = pb::ListMandatesRequest { all, page_size: 0, page_token: token };
            let answer = caller.repeat(|| {
                let (mut mandates, request) = (caller.mandates(), request.clone());
                async move { mandates.list(request).await }
            });
            let answer = answer.await?;
            for mandate in answer.mandates {
                mandates.push(from_wire(mandate)?);
            }
            if answer.next_page_token.is_empty() {
                return Ok(mandates);
            }
            token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }

    /// Hands a statement in that is about no parcel, and proves its event, which is of one of these kinds; gives its SHA-256.
    pub(crate) async fn say(&self, said: &Statement, kinds: &[&str]) -> Result<[u8; 32], SdkError> {
        self.log_key().await?;
        let statement = self.sign(said).await?;
        let digest = sha256(&statement);
        let paper = Paper { statement, text: bytes::Bytes::new() };
        let (result, _) = self.hand_in(paper).await?;
        let accepted = accepted(result)?;
        // Of one that was handed in before the event was given then.
        if let Some(evidence) = accepted.evidence.filter(|_| !accepted.repeated) {
            let Proven { event, .. } = self.prove_declared(&evidence).await?;
            if !kinds.contains(&event.kind.as_str()) || event.digest("statement") != Some(digest) {
                return Err(VerificationError::Event("it is no event of this statement").into());
            }
        }
        Ok(digest)
    }
}

fn from_wire(mandate: pb::Mandate) -> Result<Mandate, SdkError> {
    let paper = mandate.paper.unwrap_or_default();
    let lacks = VerificationError::Incomplete;
    let holder = match pb::MandateKind::try_from(mandate.kind) {
        Ok(pb::MandateKind::Proxy) => MandateHolder::Proxy {
            number: mandate.holder.parse().map_err(|_| lacks("a proxy's number"))?,
            name: mandate.holder_name,
        },
        _ => MandateHolder::Terminal { name: mandate.holder },
    };
    Ok(Mandate {
        digest: digest_from_wire(&mandate.digest).ok_or(lacks("a mandate's digest"))?,
        holder,
        scopes: mandate.scopes.join(",").parse().map_err(|_| lacks("a mandate's scopes"))?,
        state: MandateState::from_wire(mandate.state),
        from_us: time::parse_us(&mandate.from),
        until_us: time::parse_us(&mandate.until),
        fingerprint: digest_from_wire(&mandate.fingerprint),
        last_used_us: time::parse_us(&mandate.last_used_at),
        made_us: time::parse_us(&mandate.made_at),
        statement: paper.statement.into(),
        enrolment: paper.enrolment.into(),
    })
}
