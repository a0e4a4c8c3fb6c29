//! What an office declares about a parcel after it was sent: release, discard, recall, refuse, import, remarks; and
//! requests to other offices. Each is a statement signed with the office's key; texts are sealed to both parties.
//!
//! What is allowed in which state, by whom, is [`tasuki_proto::lifecycle`]'s table; the relay answers what is not with a
//! stable reason. Declaring the same again is safe.

use std::collections::HashMap;

use bytes::Bytes;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::open::open;
use tasuki_certs::seal::seal;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::evidence::{self, Proven};
use tasuki_proto::lifecycle::Act;
use tasuki_proto::mandate::Scope;
use tasuki_proto::pb::declare_result::Outcome;
pub use tasuki_proto::statement::RefusalReason;
use tasuki_proto::statement::{AboutParcel, Declaration, Request, Statement, Word};
use tasuki_proto::{limits, pb, reason};

use crate::blocking;
use crate::client::Client;
use crate::error::{ConfigError, Refusal, SdkError, Unreachable, VerificationError, words};
use crate::papers;
use crate::parcel::{Parcel, ParcelName, State, key_from_wire};
use crate::transport::is_busy;

/// What to declare about a parcel. Texts: at most 2,000 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Say {
    /// The sender: deliver what is held.
    Release,
    /// The sender: throw away what is held.
    Discard,
    /// The sender: take it back, before it is fetched (電文取消).
    Recall,
    /// The sender, when it is too late to recall: don't use it, please.
    AskWithdrawal {
        /// Why.
        text: Option<String>,
    },
    /// The receiver: the care software has taken it in.
    Import,
    /// The receiver's proxy, in its own name: it has handed the parcel to the office.
    HandOver,
    /// The receiver: we don't take it.
    Refuse {
        /// Why.
        reason: RefusalReason,
        /// In words.
        text: Option<String>,
    },
    /// Either to the other (連絡).
    Remark {
        /// It is urgent: they telephoned as well (電話済).
        urgent: bool,
        /// What it says.
        text: String,
    },
}

/// What became of a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The parcel, as it stood before.
    pub parcel: Parcel,
    /// Where it stands now.
    pub state: State,
    /// It had been declared before; nothing changed.
    pub repeated: bool,
    /// The event that follows from it, proven to stand in the log.
    pub event: Proven,
}

/// A statement's text, opened, and who wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The office whose signature it carries.
    pub by: OfficeNumber,
    /// What it says.
    pub text: String,
}

/// A statement on its way.
pub(crate) struct Paper {
    pub(crate) statement: Bytes,
    pub(crate) text: Bytes,
}

impl Client {
    /// Declares something about a parcel.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// use tasuki_sdk::declare::Say;
    ///
    /// let name = "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse()?;
    /// let declared = client.declare(&name, &Say::Recall).await?;
    /// println!("{} since {}", declared.state, declared.event.event.time_us);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached, there is no such parcel for this office, its state does not allow it
    /// ([`SdkError::Rejected`] with the reason), or the answer is not proven.
    pub async fn declare(&self, name: &ParcelName, say: &Say) -> Result<Declared, SdkError> {
        let history = self.show(name).await?.ok_or_else(|| Refusal::of(reason::PARCEL_NOT_FOUND))?;
        self.declare_about(history.parcel, say).await
    }

    /// The care software has taken a parcel in: [`Client::declare`] with [`Say::Import`].
    ///
    /// # Errors
    /// As [`Client::declare`].
    pub async fn imported(&self, name: &ParcelName) -> Result<Declared, SdkError> {
        self.declare(name, &Say::Import).await
    }

    /// A proxy has handed a parcel that it received to the office: [`Client::declare`] with [`Say::HandOver`].
    ///
    /// # Errors
    /// As [`Client::declare`]; `NOT_ALLOWED` for who is no proxy of the receiver.
    pub async fn handed_over(&self, name: &ParcelName) -> Result<Declared, SdkError> {
        self.declare(name, &Say::HandOver).await
    }

    /// [`Client::declare`] about a parcel whose digest is proven.
    pub(crate) async fn declare_about(&self, parcel: Parcel, say: &Say) -> Result<Declared, SdkError> {
        let own = self.office();
        let other = if parcel.key.sender == own { parcel.recipient } else { parcel.key.sender };
        let (text, sealed) = match text_of(say) {
            Some(text) => self.seal_text(other, text).await.map(|(digest, sealed)| (Some(digest), sealed))?,
            None => (None, Bytes::new()),
        };
        let word = match say {
            Say::Release => Word::Release,
            Say::Discard => Word::Discard,
            Say::Recall => Word::Recall,
            Say::Import => Word::Import,
            Say::HandOver => Word::HandOver,
            Say::AskWithdrawal { .. } => Word::AskWithdrawal { text },
            Say::Refuse { reason, .. } => Word::Refuse { reason: *reason, text },
            Say::Remark { urgent, .. } => {
                let text = text.ok_or_else(|| {
                    ConfigError::Argument(words("連絡には本文が必要です", "a remark needs a text"))
                })?;
                Word::Remark { by: own, urgent: *urgent, text }
            }
        };
        let act = word.act();
        let about = AboutParcel {
            parcel: parcel.key,
            recipient: parcel.recipient,
            digest: parcel.digest,
            time_us: self.now_us(),
        };
        let statement = Statement::Parcel(Declaration { about, word });
        let paper = Paper { statement: self.sign(&statement).await?, text: sealed };
        let (result, digest) = self.hand_in(paper).await?;
        if key_from_wire(result.r#ref.as_ref()) != Some(parcel.key) {
            return Err(VerificationError::Incomplete("the parcel that was declared about").into());
        }
        let accepted = accepted(result)?;
        let evidence = accepted.evidence.ok_or(VerificationError::Incomplete("evidence"))?;
        let event = self.prove_declared(&evidence).await?;
        crate::tracking::check_about(&event, &parcel)?;
        check_event(&event.event, act, accepted.repeated, &digest)?;
        let state = State::from_wire(accepted.state);
        Ok(Declared { parcel, state, repeated: accepted.repeated, event })
    }

    /// Asks another office for a document: a word of the registry of documents (`burden-ratio`, `insurance`, …) or `other`,
    /// and more of it in words. `None`: the very same request had been handed in before.
    ///
    /// # Errors
    /// The relay can't be reached or refuses, the office has no key, or the answer is not proven.
    pub async fn request(
        &self,
        office: OfficeNumber,
        document: &str,
        text: Option<&str>,
    ) -> Result<Option<Proven>, SdkError> {
        if !Request::is_document(document) {
            let message = words(
                format!("{document:?} は書類の種類ではありません（半角英小文字・数字・ハイフン）"),
                format!("{document:?} is no word for a document (a-z, 0-9, -)"),
            );
            return Err(ConfigError::Argument(message).into());
        }
        let (text, sealed) = match text {
            Some(text) => {
                self.seal_text(office, text).await.map(|(digest, sealed)| (Some(digest), sealed))?
            }
            None => (None, Bytes::new()),
        };
        let statement = Statement::Request(Request {
            from: self.office(),
            to: office,
            document: document.to_owned(),
            text,
            time_us: self.now_us(),
        });
        let paper = Paper { statement: self.sign(&statement).await?, text: sealed };
        let (result, digest) = self.hand_in(paper).await?;
        let Some(evidence) = accepted(result)?.evidence else { return Ok(None) };
        let proven = self.prove_declared(&evidence).await?;
        let event = &proven.event;
        let fits = event.kind == kind::REQUEST_MADE
            && event.office("to") == Some(office)
            && event.digest("statement") == Some(digest);
        if !fits {
            return Err(VerificationError::Event("it is no event of this request").into());
        }
        Ok(Some(proven))
    }

    /// The texts behind events, by SHA-256 of their statements. What can't be opened with the keys at hand, or is not
    /// signed by a party of the event, is left out.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn texts(&self, events: &[&Event]) -> Result<HashMap<[u8; 32], Text>, SdkError> {
        let named = events.iter().filter(|event| event.digest("text").is_some());
        let mut wanted: Vec<(&Event, [u8; 32])> =
            named.filter_map(|event| Some((*event, event.digest("statement")?))).collect();
        let mut texts = HashMap::new();
        while !wanted.is_empty() {
            let piece: Vec<(&Event, [u8; 32])> =
                wanted.drain(..wanted.len().min(limits::MAX_ITEMS)).collect();
            let request =
                pb::GetStatementsRequest { digests: piece.iter().map(|(_, d)| d.to_vec().into()).collect() };
            let caller = &self.inner.caller;
            let answer = caller.repeat(|| {
                let mut tracking = caller.tracking();
                let request = request.clone();
                async move { tracking.get_statements(request).await }
            });
            let pb::GetStatementsResponse { statements, mandates, .. } = answer.await?;
            let papers: Vec<papers::Paper> = mandates.into_iter().map(Into::into).collect();
            let before = texts.len();
            for signed in &statements {
                let digest = sha256(&signed.statement);
                let event = piece.iter().find(|(_, named)| *named == digest).map(|(event, _)| *event);
                if let Some(text) = event.and_then(|event| self.read_text(event, signed, &papers)) {
                    texts.insert(digest, text);
                }
            }
            // The relay may hand out a part only. What it does not hand out at all is not asked for for ever.
            if texts.len() > before {
                let left = |digest: &[u8; 32]| !statements.iter().any(|s| sha256(&s.statement) == *digest);
                wanted.extend(piece.into_iter().filter(|(_, digest)| left(digest)));
            }
        }
        Ok(texts)
    }

    fn read_text(
        &self,
        event: &Event,
        signed: &pb::SignedStatement,
        papers: &[papers::Paper],
    ) -> Option<Text> {
        if event.digest("text")? != sha256(&signed.text) {
            return None;
        }
        let verifier = self.inner.trust.verifier();
        let verified = verifier.verify_as_of(&signed.statement, None, event.time_us, self.now_us()).ok()?;
        let statement = Statement::parse(verified.content?).ok()?;
        let (speaker, scope) = match &statement {
            Statement::Parcel(declaration) => (declaration.speaker(), declaration.scope()),
            Statement::Request(request) => (request.from, Scope::Send),
            Statement::ApproveSealingKey(_)
            | Statement::Delegate(_)
            | Statement::InviteTerminal(_)
            | Statement::KeepTerminal(_)
            | Statement::EndMandate(_)
            | Statement::Membership(_) => return None,
        };
        papers::of_statement(&verified.signer, (speaker, scope), papers, event, verifier, self.now_us())
            .ok()?;
        let text = open(&signed.text, &self.home().opening_keys()).ok()?;
        let text = String::from_utf8(text).ok()?;
        Some(Text { by: speaker, text })
    }

    /// Seals a text to another office and to the own keys, so that both can read it later.
    async fn seal_text(&self, other: OfficeNumber, text: &str) -> Result<([u8; 32], Bytes), SdkError> {
        if text.trim().is_empty() {
            return Err(ConfigError::Argument(words("本文が空です", "the text is empty")).into());
        }
        if text.chars().count() > limits::MAX_TEXT_CHARS {
            return Err(Refusal::of(reason::TEXT_TOO_LONG).into());
        }
        let mut recipients = self.keys_of(other).await?;
        recipients.push(self.home().archive_key()?);
        let sealed = seal(text.as_bytes(), &recipients, &self.inner.rng)
            .map_err(|error| ConfigError::Trust(error.to_string()))?;
        Ok((sha256(&sealed), sealed.into()))
    }

    pub(crate) async fn sign(&self, statement: &Statement) -> Result<Bytes, SdkError> {
        let (client, text, at_us) = (self.clone(), statement.print(), statement.time_us());
        blocking::run(move || {
            let signed = cms_sign::sign(client.home().identity(), text.as_bytes(), Content::Attached, at_us);
            Ok(signed.map_err(|e| ConfigError::Trust(e.to_string()))?.into())
        })
        .await
    }

    /// Hands in one statement; also gives its SHA-256.
    pub(crate) async fn hand_in(&self, paper: Paper) -> Result<(pb::DeclareResult, [u8; 32]), SdkError> {
        let digest = sha256(&paper.statement);
        let signed = pb::SignedStatement { statement: paper.statement, text: paper.text };
        let request = pb::DeclareRequest { statements: vec![signed] };
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut exchange = caller.exchange();
            let request = request.clone();
            async move { exchange.declare(request).await }
        });
        let mut results = answer.await?.results;
        match (results.pop(), results.is_empty()) {
            (Some(result), true) => Ok((result, digest)),
            _ => Err(VerificationError::Incomplete("one result for each statement").into()),
        }
    }

    pub(crate) async fn prove_declared(&self, evidence: &pb::Evidence) -> Result<Proven, SdkError> {
        let checkpoint = self.admit(&evidence.checkpoint).await?;
        Ok(evidence::check(evidence, &checkpoint).map_err(VerificationError::Evidence)?)
    }
}

fn text_of(say: &Say) -> Option<&str> {
    match say {
        Say::Refuse { text, .. } | Say::AskWithdrawal { text } => text.as_deref(),
        Say::Remark { text, .. } => Some(text),
        Say::Release | Say::Discard | Say::Recall | Say::Import | Say::HandOver => None,
    }
}

pub(crate) fn accepted(result: pb::DeclareResult) -> Result<pb::DeclareAccepted, SdkError> {
    match result.outcome {
        Some(Outcome::Accepted(accepted)) => Ok(accepted),
        Some(Outcome::Rejected(rejected)) if is_busy(&rejected.reason) => {
            Err(Unreachable::Busy(Refusal::of(&rejected.reason)).into())
        }
        Some(Outcome::Rejected(rejected)) => Err(Refusal::of(&rejected.reason).into()),
        None => Err(VerificationError::Incomplete("an outcome").into()),
    }
}

/// The event says what was declared. A repeated one is answered with the first one's, which names the first statement.
fn check_event(
    event: &Event,
    act: Act,
    repeated: bool,
    statement: &[u8; 32],
) -> Result<(), VerificationError> {
    if event.kind != act.event_kind() {
        return Err(VerificationError::Event("it is of another kind than what was declared"));
    }
    if !repeated && event.digest("statement") != Some(*statement) {
        return Err(VerificationError::Event("it names another statement"));
    }
    Ok(())
}
