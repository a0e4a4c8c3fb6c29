//! From a planned parcel to a signed container, or to the reason why there is none.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use ring::rand::SystemRandom;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::finding::RuleId;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::parcel::{ParcelFacts, check_parcel};
use tasuki_careplan::policy::CheckPolicy;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::limits::{MAX_FILES, MAX_INFLATED_BYTES, MAX_NOTE_CHARS};
use tasuki_proto::parcel::{self, FileEntry, Header, OpenParcel, Software};
use tasuki_proto::reason;

use super::Hold;
use super::batch::BatchId;
use super::destinations::Destinations;
use super::fingerprint::Fingerprint;
use super::outbox::Outbox;
use super::plan::PlannedParcel;
use super::record::SentRecord;
use super::sent::{Found, Sent};
use crate::error::{ConfigError, Refusal, SdkError, VerificationError, words};
use crate::finding::Finding;
use crate::home::{Home, OUTBOX, OwnPapers};
use crate::malware::Suspect;
use crate::{archive, malware};

/// A signed container.
#[derive(Clone, Debug)]
pub(super) struct Ready {
    /// The batch that it lies in, or is to be kept in.
    pub(super) batch: BatchId,
    pub(super) content: Fingerprint,
    pub(super) key: ParcelKey,
    pub(super) recipient: OfficeNumber,
    pub(super) digest: [u8; 32],
    pub(super) container: Bytes,
    /// Paths of its files, in the header's order.
    pub(super) files: Vec<String>,
}

/// What preparing came to.
#[derive(Debug)]
pub(super) enum Prepared {
    /// To be kept in the outbox, and sent.
    Built(Ready),
    /// To be sent: it lies in the outbox.
    Ready(Ready),
    /// This content was accepted earlier.
    Recorded(SentRecord),
    /// Not to be sent.
    Refused(Refusal),
}

/// What preparing needs besides the parcel.
#[derive(Debug)]
pub(super) struct Workshop {
    pub(super) home: Home,
    pub(super) outbox: Outbox,
    pub(super) sent: Arc<Sent>,
    pub(super) again: bool,
    pub(super) unchecked: bool,
    pub(super) hold: Option<Hold>,
    pub(super) checks: CheckPolicy,
    pub(super) destinations: Destinations,
    pub(super) software: Software,
    pub(super) papers: OwnPapers,
    pub(super) rng: SystemRandom,
    pub(super) now_us: i64,
}

/// A file's entry in the header with its bytes.
type Content = (FileEntry, Vec<u8>);

impl Workshop {
    /// Checks, builds and signs one parcel for a batch. Warnings of the checks come along.
    pub(super) fn prepare(
        &self,
        planned: &PlannedParcel,
        batch: BatchId,
    ) -> Result<(Prepared, Vec<Finding>), SdkError> {
        if let Some(refusal) = self.refuse_early(planned)? {
            return Ok((Prepared::Refused(refusal), Vec::new()));
        }
        let files = read(planned)?;
        let (errors, warnings) =
            if self.unchecked { (Vec::new(), Vec::new()) } else { check(planned, &files, &self.checks) };
        if !errors.is_empty() {
            let refusal = Refusal { findings: errors, ..Refusal::of(reason::FILES_REJECTED) };
            return Ok((Prepared::Refused(refusal), warnings));
        }
        let content = fingerprint(planned, &files);
        if let Some(ready) = self.outbox.ready(content)? {
            return Ok((Prepared::Ready(ready), warnings));
        }
        if !self.again {
            match self.sent.find(content)? {
                Found::Accepted(record) => return Ok((Prepared::Recorded(record), warnings)),
                Found::Lost(record) => {
                    if let Some(ready) = self.rescue(content, &record, batch)? {
                        return Ok((Prepared::Built(ready), warnings));
                    }
                }
                Found::Nothing => {}
            }
        }
        Ok((self.build(planned, content, &files, batch)?, warnings))
    }

    /// Whether it was sent before, or its sending was interrupted: what became of it then, only the relay and the record
    /// know, whatever became of its receiver since.
    fn begun(&self, planned: &PlannedParcel) -> Result<bool, SdkError> {
        let content = fingerprint(planned, &read(planned)?);
        if self.outbox.ready(content)?.is_some() {
            return Ok(true);
        }
        Ok(!self.again && !matches!(self.sent.find(content)?, Found::Nothing))
    }

    /// A parcel that the relay has lost, as it was sent: under the same id it arrives once, also where the receiver
    /// had it already. `None`: it is not kept any more, or was signed with an earlier certificate.
    fn rescue(
        &self,
        content: Fingerprint,
        record: &SentRecord,
        batch: BatchId,
    ) -> Result<Option<Ready>, SdkError> {
        if record.signer() != Some(self.home.identity().fingerprint()) {
            return Ok(None);
        }
        let kept = archive::get_from(&self.home, record.batch, record.key().id)?;
        let Some(container) = kept else { return Ok(None) };
        let header = OpenParcel::open(&container).map_err(VerificationError::Parcel)?.header;
        Ok(Some(ready(content, &header, container.into(), batch)))
    }

    /// What became of a container that waited in the outbox a moment ago.
    pub(super) fn resume(&self, content: Fingerprint) -> Result<Prepared, SdkError> {
        if let Some(ready) = self.outbox.ready(content)? {
            return Ok(Prepared::Ready(ready));
        }
        let gone = || ConfigError::Path {
            path: self.home.path(OUTBOX),
            message: words("送信する前に削除されました", "it was removed while it was to be sent"),
        };
        match self.sent.find(content)? {
            Found::Accepted(record) => Ok(Prepared::Recorded(record)),
            Found::Lost(_) | Found::Nothing => Err(gone().into()),
        }
    }

    /// What can be told without looking into the files.
    fn refuse_early(&self, planned: &PlannedParcel) -> Result<Option<Refusal>, SdkError> {
        let own = self.home.office();
        let note_chars = planned.note.as_ref().map_or(0, |n| n.chars().count());
        let too_large = planned.files.len() > MAX_FILES
            || planned.bytes() > u64::try_from(MAX_INFLATED_BYTES).unwrap_or(u64::MAX);
        let no_way = match self.destinations.relay_refuses(planned) {
            Some(word) if !self.unchecked && (too_large || !self.begun(planned)?) => Some(word),
            _ => None,
        };
        Ok(if planned.sender != own {
            Some(Refusal::of(reason::SENDER_MISMATCH))
        } else if planned.recipient == own {
            Some(Refusal::of(reason::RECIPIENT_IS_SENDER))
        } else if let Some(word) = no_way {
            Some(Refusal::of(word))
        } else if self.destinations.unconfirmed.contains(&planned.recipient) {
            Some(Refusal::of(reason::NEW_PARTNER))
        } else if !planned.findings.is_empty() {
            Some(Refusal { findings: planned.findings.clone(), ..Refusal::of(reason::FILES_REJECTED) })
        } else if note_chars > MAX_NOTE_CHARS {
            Some(Refusal::of(reason::NOTE_TOO_LONG))
        } else if too_large {
            Some(Refusal::of(reason::PARCEL_TOO_LARGE))
        } else {
            None
        })
    }

    fn build(
        &self,
        planned: &PlannedParcel,
        content: Fingerprint,
        files: &[Content],
        batch: BatchId,
    ) -> Result<Prepared, SdkError> {
        let mut header = self.header(planned.sender, planned.recipient)?;
        header.note.clone_from(&planned.note);
        header.supersedes = planned.supersedes;
        match self.hold {
            Some(Hold::UntilReleased) => header.set_hold(None),
            Some(Hold::Until(release_us)) => header.set_hold(Some(release_us)),
            None => {}
        }
        header.files = files.iter().map(|(entry, _)| entry.clone()).collect();
        let contents: Vec<Cow<'_, [u8]>> = files.iter().map(|(_, bytes)| Cow::Borrowed(&bytes[..])).collect();
        self.finish(content, &header, &contents, batch)
    }

    /// The header of a new parcel, still without content.
    pub(super) fn header(&self, sender: OfficeNumber, recipient: OfficeNumber) -> Result<Header, SdkError> {
        let id = ParcelId::new(self.now_us, &self.rng)
            .map_err(|_| ConfigError::Trust("the system gives no randomness".to_owned()))?;
        Ok(Header::new(id, sender, recipient, self.now_us, self.software.clone()))
    }

    /// Has a parcel's files scanned for malware if the HOME is set to, and signs it.
    pub(super) fn finish(
        &self,
        content: Fingerprint,
        header: &Header,
        contents: &[Cow<'_, [u8]>],
        batch: BatchId,
    ) -> Result<Prepared, SdkError> {
        let suspects = header.files.iter().zip(contents).map(|(entry, content)| Suspect {
            kind: &entry.kind,
            name: entry.path.rsplit('/').next().unwrap_or(&entry.path),
            content,
        });
        let suspects: Vec<_> = suspects.collect();
        if let Some(refusal) = malware::scan(&self.home.config().malware, &suspects)? {
            return Ok(Prepared::Refused(refusal));
        }
        match parcel::build_with(
            header,
            contents,
            &self.papers.of_parcel(),
            self.home.identity(),
            self.now_us,
        ) {
            Ok(container) => Ok(Prepared::Built(ready(content, header, container.into(), batch))),
            Err(error) => {
                let message = error.to_string();
                let refusal = Refusal { message_en: message, ..Refusal::of(error.code()) };
                Ok(Prepared::Refused(refusal))
            }
        }
    }
}

/// A container as it is to be sent.
pub(super) fn ready(content: Fingerprint, header: &Header, container: Bytes, batch: BatchId) -> Ready {
    Ready {
        batch,
        content,
        key: ParcelKey { sender: header.sender, id: header.parcel },
        recipient: header.recipient,
        digest: sha256(&container),
        container,
        files: header.files.iter().map(|f| f.path.clone()).collect(),
    }
}

fn read(planned: &PlannedParcel) -> Result<Vec<Content>, SdkError> {
    let entry = |file: &super::plan::PlannedFile| match file.standard {
        Some(name) => FileEntry::standard(&file.name, name.kind.prefix(), media_type(&file.name)),
        None => FileEntry::attachment(&file.name, media_type(&file.name)),
    };
    planned.files.iter().map(|file| Ok((entry(file), file.source.read()?))).collect()
}

/// By what the same content is known again.
fn fingerprint(planned: &PlannedParcel, files: &[Content]) -> Fingerprint {
    Fingerprint::of(
        planned.sender,
        planned.recipient,
        planned.note.as_deref(),
        files.iter().map(|(entry, bytes)| (entry.path.as_str(), bytes.as_slice())),
    )
}

/// Errors and warnings of the standard's checks: each file, and what the files must agree about.
fn check(planned: &PlannedParcel, files: &[Content], policy: &CheckPolicy) -> (Vec<Finding>, Vec<Finding>) {
    let facts = ParcelFacts {
        sender: Some(planned.sender),
        recipient: Some(planned.recipient),
        month: None,
        serial: planned.serial,
    };
    let files = planned.files.iter().zip(files);
    let sources: Vec<SourceFile<'_>> =
        files.map(|(file, (_, bytes))| SourceFile { name: &file.name, bytes }).collect();
    let check = check_parcel(&facts, &sources, &policy.options());
    // Files of another serial say better why these make no unit.
    let is_echo = |rule: RuleId| rule == RuleId::SendUnit && !planned.serials.is_empty();
    let findings = check.findings.iter().flatten().filter(|finding| !is_echo(finding.rule));
    findings.map(Finding::from).chain(planned.serials.iter().cloned()).partition(Finding::is_error)
}

/// The media type by the name's ending; what is not known is just bytes.
fn media_type(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "csv" => "text/csv",
        "txt" => "text/plain",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "tif" | "tiff" => "image/tiff",
        _ => "application/octet-stream",
    }
}
