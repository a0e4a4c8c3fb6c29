//! A folder of evidence: the log's word, the parties' own signatures, and the parcel itself.

use std::collections::HashMap;
use std::path::Path;

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_proto::canonical::parse_hex;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::evidence::{self, Proven as ProvenEvent};
use tasuki_proto::ids::{ParcelKey, identity_text};
use tasuki_proto::lifecycle::Act;
use tasuki_proto::log::LogError;
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::pb;
use tasuki_proto::statement::Statement;

use super::material::{self, Along, LogKeys, Whose};
use super::{Proof, Proven, TrustUsed, VerifyOptions, VerifyReport, VerifyWarning, witnesses};
use crate::error::{SdkError, VerificationError, words};
use crate::evidence::{EventIndex, Index, MandateIndex};
use crate::papers::{self, Paper};
use crate::receive::unpack::{Delivered, verify_sender};

/// What relays are called in reports.
const RELAY: &str = "relay";

pub(super) fn verify(folder: &Path, options: &VerifyOptions) -> Result<VerifyReport, SdkError> {
    verify_index(folder, &Index::read(folder)?, options)
}

/// Verifies the evidence of one parcel in a folder.
pub(super) fn verify_index(
    folder: &Path,
    index: &Index,
    options: &VerifyOptions,
) -> Result<VerifyReport, SdkError> {
    let (verifier, mut trust) = material::verifier(options, Along::of_evidence(folder, index)?)?;
    let keys = log_keys(folder, index, options, &mut trust)?;
    let mut case = Case {
        folder,
        key: index.key(),
        recipient: index.recipient,
        digest: index.digest(),
        verifier,
        papers: papers(folder, index)?,
        known_us: 0,
        proofs: Vec::new(),
        warnings: Vec::new(),
    };
    let events = index.events.iter().map(|event| case.event(event, &keys)).collect::<Result<Vec<_>, _>>()?;
    // The evidence's own present: revocation lists that it holds may be newer than its first event.
    case.known_us = events.iter().map(|proven| proven.event.time_us).max().unwrap_or(0);
    let vouched = witnesses::verify(folder, index, &events, &keys, options)?;
    let statements = statements(folder, index)?;
    for proven in &events {
        case.state(proven, &statements)?;
    }
    let of_kind = |kind: &str| events.iter().find(|proven| proven.event.kind == kind);
    // Of one that is held there is no delivery yet.
    let accepted = of_kind(kind::PARCEL_DELIVERED).or_else(|| of_kind(kind::PARCEL_HELD));
    let accepted = accepted.ok_or(VerificationError::Event("there is no delivery"))?;
    case.sender(&Delivered::read_acceptance(accepted, case.key)?, index.container.as_deref())?;
    case.proofs.sort_by_key(|proof| proof.time_us);
    if index.from_sent_record {
        case.warnings.push(VerifyWarning::new(
            "送信元が受付時に受け取った記録によるもので、受付の後に何が起きたかは分かりません",
            "this is the record that the sender got at the acceptance; it does not say what happened afterwards",
        ));
    }
    let Case { key, recipient, digest, proofs, warnings, .. } = case;
    Ok(VerifyReport { parcel: key, recipient, digest, proofs, witnesses: vouched, trust, warnings })
}

fn log_keys(
    folder: &Path,
    index: &Index,
    options: &VerifyOptions,
    trust: &mut TrustUsed,
) -> Result<LogKeys, SdkError> {
    let keys = if let Some(given) = &options.log_key {
        trust.log_key_pinned = true;
        LogKeys::parse(given, || VerificationError::Log(LogError::Key).into())?
    } else {
        let path = folder.join(&index.log_key);
        let malformed = || {
            let message = words("記録の検証鍵ではありません", "not verifier keys of a log");
            VerificationError::Malformed { path: path.clone(), message }.into()
        };
        let text = String::from_utf8(Index::read_file(folder, &index.log_key)?).map_err(|_| malformed())?;
        LogKeys::parse(&text, malformed)?
    };
    let first = keys.0.first().ok_or(VerificationError::NothingToTrust(words(
        "記録の検証鍵（--log-key）",
        "log key (--log-key)",
    )))?;
    let epoch = index.events.iter().map(|e| e.epoch).max().unwrap_or(1);
    trust.log_key = Some(first.vkey(epoch));
    Ok(keys)
}

/// What let terminals and proxies sign.
fn papers(folder: &Path, index: &Index) -> Result<Vec<Paper>, SdkError> {
    let read = |mandate: &MandateIndex| {
        let enrolment = mandate.enrolment.as_deref().map(|name| Index::read_file(folder, name));
        Ok(Paper {
            statement: Index::read_file(folder, &mandate.statement)?,
            enrolment: enrolment.transpose()?.unwrap_or_default(),
        })
    };
    index.mandates.iter().map(read).collect()
}

/// Signed statements by their SHA-256.
fn statements(folder: &Path, index: &Index) -> Result<HashMap<[u8; 32], Vec<u8>>, SdkError> {
    let mut statements = HashMap::new();
    for name in &index.statements {
        let cms = Index::read_file(folder, name)?;
        statements.insert(sha256(&cms), cms);
    }
    Ok(statements)
}

/// One verification.
struct Case<'f> {
    folder: &'f Path,
    key: ParcelKey,
    recipient: OfficeNumber,
    digest: [u8; 32],
    verifier: SignatureVerifier,
    papers: Vec<Paper>,
    known_us: i64,
    proofs: Vec<Proof>,
    warnings: Vec<VerifyWarning>,
}

impl Case<'_> {
    /// An event stands in the log and is about this parcel.
    fn event(&mut self, index: &EventIndex, keys: &LogKeys) -> Result<ProvenEvent, SdkError> {
        let checkpoint = keys.open(self.folder, &index.checkpoint)?;
        let hashes = index.inclusion.iter().map(|hash| parse_hex::<32>(hash).map(|h| h.to_vec().into()));
        let inclusion = hashes.collect::<Option<Vec<_>>>();
        let entry = pb::LogEntry {
            text: Index::read_file(self.folder, &index.file)?.into(),
            epoch: index.epoch,
            index: index.index,
            opening: None,
        };
        let evidence = pb::Evidence {
            entry: Some(entry),
            inclusion: inclusion.ok_or(VerificationError::Log(LogError::Inclusion))?,
            checkpoint: bytes::Bytes::new(),
        };
        let proven = evidence::check(&evidence, &checkpoint).map_err(VerificationError::Evidence)?;
        let event = &proven.event;
        let about = event.parcel() == Some(self.key)
            && event.office("recipient") == Some(self.recipient)
            && event.digest("digest") == Some(self.digest);
        if !about {
            return Err(VerificationError::Event("it is about another parcel").into());
        }
        self.proofs.push(Proof {
            what: Proven::Logged(event.kind.clone()),
            time_us: event.time_us,
            by: RELAY.to_owned(),
        });
        Ok(proven)
    }

    /// The party's own signature behind an event, if the event names one.
    fn state(&mut self, proven: &ProvenEvent, all: &HashMap<[u8; 32], Vec<u8>>) -> Result<(), SdkError> {
        let event = &proven.event;
        let act = Act::of_event(&event.kind);
        let Some(digest) = event.digest("statement") else {
            // What the relay does by itself needs none: releases and discards whose time has come among it.
            let needed = act.is_some_and(|act| match act {
                Act::Release | Act::Discard => event.lines.get("by").is_some_and(|by| by != RELAY),
                act => act.needs_statement(),
            });
            return if needed {
                Err(VerificationError::Event("it names no statement").into())
            } else {
                Ok(())
            };
        };
        let Some(act) = act else {
            // A kind of a later version: that the log holds it is proven, what it means is not known here.
            return Ok(());
        };
        let cms = all.get(&digest).ok_or(VerificationError::Incomplete("a signed statement"))?;
        let verified = self.verifier.verify_as_of(cms, None, event.time_us, self.known_us);
        let verified = verified.map_err(VerificationError::Signature)?;
        let said = verified.content.and_then(|content| Statement::parse(content).ok());
        let Some(Statement::Parcel(declaration)) = said else {
            return Err(VerificationError::Statement.into());
        };
        let about = &declaration.about;
        let fits = declaration.word.act() == act
            && about.parcel == self.key
            && about.recipient == self.recipient
            && about.digest == self.digest
            && declaration.word.text().copied() == event.digest("text");
        if !fits {
            return Err(VerificationError::Statement.into());
        }
        let speaker = declaration.speaker();
        let whom = (speaker, declaration.scope());
        let right =
            papers::of_statement(&verified.signer, whom, &self.papers, event, &self.verifier, self.known_us)?;
        let signer = event.digest("statement-signer").or_else(|| event.digest("signer"));
        if signer != Some(verified.signer.fingerprint) {
            return Err(VerificationError::Event("it names another signer").into());
        }
        let whose = if speaker == self.recipient { Whose::Recipient } else { Whose::Sender };
        self.warnings.extend(material::warnings(whose, &verified.signer));
        self.warnings.extend(material::vouched(whose, right));
        self.proofs.push(Proof {
            what: Proven::Stated(declaration.word.kind().to_owned()),
            time_us: about.time_us,
            by: identity_text(&verified.signer.identity),
        });
        Ok(())
    }

    /// The sender's signature over the parcel, if it is there.
    fn sender(&mut self, delivered: &Delivered, container: Option<&str>) -> Result<(), SdkError> {
        let Some(name) = container else {
            self.warnings.push(VerifyWarning::new(
                "電文そのものがここにないため、送信元の署名は検証していません",
                "the parcel itself is not here, so the sender's signature was not verified",
            ));
            return Ok(());
        };
        let container = Index::read_file(self.folder, name)?;
        if sha256(&container) != self.digest {
            return Err(VerificationError::Digest.into());
        }
        let parcel = OpenParcel::open(&container).map_err(VerificationError::Parcel)?;
        let signer = verify_sender(&parcel, delivered, &self.verifier, self.known_us)?;
        self.warnings.extend(material::warnings(Whose::Sender, &signer.certificate));
        self.warnings.extend(material::vouched(Whose::Sender, signer.right));
        self.proofs.push(Proof {
            what: Proven::SignedBySender,
            time_us: parcel.header.created_us(),
            by: identity_text(&signer.certificate.identity),
        });
        Ok(())
    }
}
