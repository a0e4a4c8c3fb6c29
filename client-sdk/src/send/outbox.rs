//! The outbox: signed containers that were not accepted yet, one file each, named by the content's fingerprint.
//!
//! A container lies here, synced, before its first byte leaves. So an interrupted sending resumes with the same
//! bytes, and the relay answers them with its first result instead of taking them for a second parcel.

use std::path::PathBuf;

use tasuki_proto::ids::ParcelId;
use tasuki_proto::parcel::{Header, OpenParcel};

use super::fingerprint::Fingerprint;
use super::prepare::{self, Ready};
use crate::error::{ConfigError, SdkError, words};
use crate::files::{self, Access};
use crate::home::{Home, OUTBOX};

const SUFFIX: &str = ".asice";

/// The outbox of a HOME.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(PathBuf);

impl Outbox {
    pub(crate) fn of(home: &Home) -> Self {
        Self(home.path(OUTBOX))
    }

    pub(super) fn path(&self, content: Fingerprint) -> PathBuf {
        self.0.join(format!("{}{SUFFIX}", content.text()))
    }

    /// Keeps a container, durably.
    pub(super) fn put(&self, content: Fingerprint, container: &[u8]) -> Result<(), SdkError> {
        files::write_durably(&self.path(content), container, Access::Owner)
    }

    /// The container for some content, if one waits.
    pub(super) fn ready(&self, content: Fingerprint) -> Result<Option<Ready>, SdkError> {
        let path = self.path(content);
        let Some(container) = files::read_if_exists(&path)? else { return Ok(None) };
        match OpenParcel::open(&container).map(|parcel| parcel.header) {
            Ok(header) => Ok(Some(prepare::ready(content, &header, container))),
            Err(error) => {
                let message = words(
                    format!("この機能が作った電文ではありません（{error}）"),
                    format!("not a parcel that this library wrote: {error}"),
                );
                Err(ConfigError::File { path, message }.into())
            }
        }
    }

    /// Removes a container whose fate is known. Not durably: one that a power cut brings back is known by its record, or
    /// gets the same answer again.
    pub(super) fn remove(&self, content: Fingerprint) -> Result<(), SdkError> {
        files::discard(&self.path(content))
    }

    /// The header of a parcel that waits, by its id.
    pub(crate) fn header_of(&self, parcel: ParcelId) -> Result<Option<Header>, SdkError> {
        for content in self.list()? {
            let Some(container) = files::read_if_exists(&self.path(content))? else { continue };
            // What can't be read is told where it is to be sent.
            let header = OpenParcel::open(&container).ok().map(|open| open.header);
            if let Some(header) = header.filter(|header| header.parcel == parcel) {
                return Ok(Some(header));
            }
        }
        Ok(None)
    }

    /// What waits.
    pub(super) fn list(&self) -> Result<Vec<Fingerprint>, SdkError> {
        let names = files::list(&self.0)?;
        Ok(names.iter().filter_map(|n| Fingerprint::parse(n.strip_suffix(SUFFIX)?)).collect())
    }
}
