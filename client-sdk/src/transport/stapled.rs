//! The OCSP answer about the own certificate that another program keeps in the HOME, for a relay that reaches no responder itself.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use tasuki_proto::limits::MAX_OCSP_BYTES;
use tonic::metadata::{Binary, MetadataValue};

/// A file with an answer, DER (RFC 6960).
#[derive(Debug)]
pub(super) struct Stapled {
    path: PathBuf,
    read: Mutex<Option<Read>>,
}

/// What the file held, and when that was written.
#[derive(Debug)]
struct Read {
    written: SystemTime,
    answer: Option<MetadataValue<Binary>>,
}

impl Stapled {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::new(None) }
    }

    /// What to bring along now. `None`: there is no such file, or none that can be an answer; the relay's own asking decides then.
    pub(super) fn current(&self) -> Option<MetadataValue<Binary>> {
        let about = fs::metadata(&self.path).ok()?;
        let written = about.modified().ok()?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.as_ref().filter(|known| known.written == written) {
            return known.answer.clone();
        }
        let fits = about.len() <= u64::try_from(MAX_OCSP_BYTES).unwrap_or(u64::MAX);
        let bytes = fits.then(|| fs::read(&self.path).ok()).flatten();
        // It may have grown since it was looked at.
        let bytes = bytes.filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_OCSP_BYTES);
        if bytes.is_none() {
            tracing::warn!(path = %self.path.display(), "it holds no OCSP answer of at most 4 KiB, and is not sent");
        }
        let answer = bytes.map(|bytes| MetadataValue::from_bytes(&bytes));
        *read = Some(Read { written, answer: answer.clone() });
        answer
    }
}
