//! `evidence.json`: what lies where in a folder of evidence.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{digest_text, parse_digest};
use tasuki_proto::container::check_name;
use tasuki_proto::ids::{ParcelId, ParcelKey};

use crate::error::{SdkError, VerificationError, words};
use crate::files;

/// Name of the index.
pub(crate) const INDEX: &str = "evidence.json";

const FORMAT: &str = "tasuki-evidence/v1";

/// Bytes of one file of evidence: a container is the largest.
const MAX_FILE_BYTES: usize = tasuki_proto::limits::MAX_CONTAINER_BYTES;

/// Bytes of the index.
const MAX_INDEX_BYTES: usize = 4 * 1024 * 1024;

/// Files that an index may name of each sort: a parcel has a handful of events.
const MAX_FILES: usize = 1_000;

/// What lies where. Paths are relative to the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    format: String,
    parcel: ParcelId,
    sender: OfficeNumber,
    pub(crate) recipient: OfficeNumber,
    digest: String,
    pub(crate) events: Vec<EventIndex>,
    pub(crate) statements: Vec<String>,
    /// What let terminals and proxies sign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) mandates: Vec<MandateIndex>,
    /// Trust anchors of who saved the evidence.
    pub(crate) anchors: Vec<String>,
    /// All other certificates.
    pub(crate) certificates: Vec<String>,
    pub(crate) crls: Vec<String>,
    pub(crate) log_key: String,
    /// Where certificates name the office, if whoever saved the evidence reads them in another way than the trial
    /// CA's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<String>,
    /// The signed parcel, if it lies there.
    pub(crate) container: Option<String>,
    /// The witnesses' verifier keys, one a line, if any has vouched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) witness_keys: Option<String>,
    /// Checkpoints that witnesses have cosigned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) cosigned: Vec<CosignedIndex>,
    /// Checkpoints with time stamps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) stamped: Vec<StampedIndex>,
    /// The relay did not know the parcel: this is the sender's own record of the acceptance.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) from_sent_record: bool,
}

/// A checkpoint that witnesses have cosigned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CosignedIndex {
    /// The signed note.
    pub(crate) checkpoint: String,
    /// That it and checkpoints of the events are one history.
    pub(crate) links: Vec<LinkIndex>,
}

/// A checkpoint with a time stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StampedIndex {
    /// The signed note, of which the stamp is.
    pub(crate) checkpoint: String,
    /// The authority's answer.
    pub(crate) response: String,
    /// That it and checkpoints of the events are one history.
    pub(crate) links: Vec<LinkIndex>,
}

/// That a further checkpoint and another one are one history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LinkIndex {
    /// The other one.
    pub(crate) checkpoint: String,
    /// Consistency proof (RFC 6962, section 2.1.2) from the smaller tree to the larger, hexadecimal.
    pub(crate) consistency: Vec<String>,
}

/// What let a terminal or a proxy sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MandateIndex {
    /// The office's signed statement.
    pub(crate) statement: String,
    /// A terminal's key, signed with the invitation's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enrolment: Option<String>,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EventIndex {
    /// Its canonical text.
    pub(crate) file: String,
    /// Which log.
    pub(crate) epoch: u64,
    /// Place in it, from 0.
    pub(crate) index: u64,
    /// Audit path (RFC 6962, section 2.1.1) from leaf to root, hexadecimal.
    pub(crate) inclusion: Vec<String>,
    /// The signed checkpoint that covers it.
    pub(crate) checkpoint: String,
}

impl Index {
    pub(crate) fn new(key: ParcelKey, recipient: OfficeNumber, digest: &[u8; 32], log_key: &str) -> Self {
        Self {
            format: FORMAT.to_owned(),
            parcel: key.id,
            sender: key.sender,
            recipient,
            digest: digest_text(digest),
            events: Vec::new(),
            statements: Vec::new(),
            mandates: Vec::new(),
            anchors: Vec::new(),
            certificates: Vec::new(),
            crls: Vec::new(),
            log_key: log_key.to_owned(),
            profile: None,
            container: None,
            witness_keys: None,
            cosigned: Vec::new(),
            stamped: Vec::new(),
            from_sent_record: false,
        }
    }

    pub(crate) fn key(&self) -> ParcelKey {
        ParcelKey { sender: self.sender, id: self.parcel }
    }

    /// SHA-256 of the container; [`Index::read`] has seen that it is one.
    pub(crate) fn digest(&self) -> [u8; 32] {
        parse_digest(&self.digest).unwrap_or_default()
    }

    pub(crate) fn print(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        json.push(b'\n');
        json
    }

    /// Reads the index of a folder, within bounds. Every path in it leads into the folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, SdkError> {
        Self::read_named(folder, INDEX)
    }

    /// [`Index::read`] of an index with another name.
    pub(crate) fn read_named(folder: &Path, name: &str) -> Result<Self, SdkError> {
        let path = folder.join(name);
        let malformed =
            |ja: &str, en: &str| VerificationError::Malformed { path: path.clone(), message: words(ja, en) };
        let json = files::read_at_most(&path, MAX_INDEX_BYTES)?;
        let json = json.ok_or_else(|| malformed("大きすぎます", "too large"))?;
        let unfit =
            |e: serde_json::Error| malformed(&format!("証拠の目録として読めません（{e}）"), &e.to_string());
        let index: Self = serde_json::from_slice(&json).map_err(unfit)?;
        if index.format != FORMAT {
            return Err(malformed(
                "この版で読める証拠の目録ではありません",
                "not an index of evidence that this version knows",
            )
            .into());
        }
        if parse_digest(&index.digest).is_none() {
            return Err(malformed("ダイジェストが正しくありません", "the digest is none").into());
        }
        let many = [&index.statements, &index.anchors, &index.certificates, &index.crls];
        let cosigned = index.cosigned.iter().map(|cosigned| cosigned.links.len().max(1)).sum::<usize>();
        let links = cosigned + index.stamped.iter().map(|stamped| stamped.links.len().max(1)).sum::<usize>();
        if index.events.len() > MAX_FILES
            || index.mandates.len() > MAX_FILES
            || links > MAX_FILES
            || many.iter().any(|list| list.len() > MAX_FILES)
        {
            return Err(malformed("ファイルが多すぎます", "it names too many files").into());
        }
        if !index.stays_inside() {
            return Err(
                malformed("フォルダーの外を指すパスがあります", "a path leads out of the folder").into()
            );
        }
        Ok(index)
    }

    /// Whether every path leads into the folder.
    fn stays_inside(&self) -> bool {
        let events = self.events.iter().flat_map(|e| [&e.file, &e.checkpoint]);
        let lists = [&self.statements, &self.anchors, &self.certificates, &self.crls];
        let single =
            self.container.iter().chain([&self.log_key]).chain(&self.profile).chain(&self.witness_keys);
        let cosigned = self.cosigned.iter().flat_map(|cosigned| {
            cosigned.links.iter().map(|link| &link.checkpoint).chain([&cosigned.checkpoint])
        });
        let stamped = self.stamped.iter().flat_map(|stamped| {
            let links = stamped.links.iter().map(|link| &link.checkpoint);
            links.chain([&stamped.checkpoint, &stamped.response])
        });
        let mandates = self.mandates.iter().flat_map(|m| std::iter::once(&m.statement).chain(&m.enrolment));
        events
            .chain(cosigned)
            .chain(stamped)
            .chain(mandates)
            .chain(lists.into_iter().flatten())
            .chain(single)
            .all(|path| check_name(path).is_ok())
    }

    /// Reads a file that the index names.
    pub(crate) fn read_file(folder: &Path, name: &str) -> Result<Vec<u8>, SdkError> {
        let path = folder.join(name);
        let message = || words("大きすぎます", "too large");
        let too_large = || VerificationError::Malformed { path: path.clone(), message: message() };
        Ok(files::read_at_most(&path, MAX_FILE_BYTES)?.ok_or_else(too_large)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Index {
        let key = ParcelKey {
            sender: "1371215102".parse().unwrap(),
            id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse().unwrap(),
        };
        Index::new(key, "9971100012".parse().unwrap(), &[7; 32], "log-key.txt")
    }

    fn read(index: &Index) -> Result<Index, SdkError> {
        let folder = crate::testing::folder("evidence-index");
        std::fs::write(folder.path().join(INDEX), index.print()).unwrap();
        Index::read(folder.path())
    }

    #[test]
    fn the_index_reads_back() {
        assert_eq!(read(&sample()), Ok(sample()));
        assert_eq!(sample().digest(), [7; 32]);
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        for bad in ["../secret", "/etc/passwd", "a/../../b", "C:\\x", ""] {
            let container = Index { container: Some(bad.to_owned()), ..sample() };
            let statement = Index { statements: vec![bad.to_owned()], ..sample() };
            let profile = Index { profile: Some(bad.to_owned()), ..sample() };
            let cosigned = CosignedIndex { checkpoint: bad.to_owned(), links: Vec::new() };
            let cosigned = Index { cosigned: vec![cosigned], ..sample() };
            let stamped =
                StampedIndex { checkpoint: "a.txt".to_owned(), response: bad.to_owned(), links: Vec::new() };
            let stamped = Index { stamped: vec![stamped], ..sample() };
            for index in [container, statement, profile, cosigned, stamped] {
                assert!(
                    matches!(read(&index), Err(SdkError::Verification(VerificationError::Malformed { message, .. }))
                        if message.en == "a path leads out of the folder"),
                    "{bad}"
                );
            }
        }
    }

    #[test]
    fn another_format_is_refused() {
        let other = Index { format: "tasuki-evidence/v2".to_owned(), ..sample() };
        assert!(matches!(read(&other), Err(SdkError::Verification(VerificationError::Malformed { .. }))));
    }
}
