//! The proof of a month, unpacked for the time of verification: every parcel's evidence, and the page made again.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::container::check_name;
use tasuki_proto::event::Event;

use super::{VerifyOptions, VerifyReport, folder};
use crate::error::{SdkError, VerificationError, words};
use crate::evidence::month::{MonthIndex, PAGE};
use crate::evidence::{Index, page};
use crate::files::{self, Access};

/// Files in one ZIP file: 20,000 parcels with some ten files each.
const MAX_ENTRIES: usize = 400_000;

/// Bytes of all of them. A proof of signed parcels can be large; it is unpacked into a temporary folder.
const MAX_TOTAL_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// Bytes of one file: a container is the largest.
const MAX_FILE_BYTES: u64 = tasuki_proto::limits::MAX_CONTAINER_BYTES as u64;

/// What a proof of a month proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthReport {
    /// The month.
    pub month: Month,
    /// Who made the proof.
    pub office: OfficeNumber,
    /// One for each parcel, in the page's order.
    pub parcels: Vec<VerifyReport>,
}

/// Verifies the proof of a month (a ZIP file, see [`crate::evidence`]): the evidence of every parcel, and that the page says
/// what the evidence says.
///
/// # Errors
/// Anything that does not verify; a file that can't be read; nothing to trust in given or found.
pub fn verify_month(path: &Path, options: &VerifyOptions) -> Result<MonthReport, SdkError> {
    let folder = Unpacked::new(path)?;
    let folder = &folder.0;
    let month = MonthIndex::read(folder)?;
    let mut parcels = Vec::with_capacity(month.parcels.len());
    let mut events = Vec::with_capacity(month.parcels.len());
    for parcel in &month.parcels {
        let index = Index::read_named(folder, &parcel.index)?;
        parcels.push(folder::verify_index(folder, &index, options)?);
        let texts = index.events.iter().map(|event| Index::read_file(folder, &event.file));
        let read = texts.map(|text| {
            Event::parse(&text?).map_err(|_| VerificationError::Event("it can't be read").into())
        });
        events.push(read.collect::<Result<Vec<Event>, SdkError>>()?);
    }
    let said = Index::read_file(folder, PAGE)?;
    if said != page::render(&month, &events).as_bytes() {
        return Err(VerificationError::Page.into());
    }
    Ok(MonthReport { month: month.month, office: month.office, parcels })
}

/// A folder that is gone when verification ends.
struct Unpacked(PathBuf);

impl Unpacked {
    fn new(path: &Path) -> Result<Self, SdkError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tasuki-verify-{}-{number}", std::process::id()));
        files::create_private_folder(&folder)?;
        let unpacked = Self(folder);
        unpacked.fill(path)?;
        Ok(unpacked)
    }

    fn fill(&self, path: &Path) -> Result<(), SdkError> {
        let malformed = |ja: &str, en: &str| -> SdkError {
            VerificationError::Malformed { path: path.to_owned(), message: words(ja, en) }.into()
        };
        let no_zip = |_| malformed("ZIPファイルとして読めません", "not a ZIP file that can be read");
        let file = File::open(path).map_err(|e| SdkError::io(path, &e))?;
        let mut zip = zip::ZipArchive::new(io::BufReader::new(file)).map_err(no_zip)?;
        if zip.len() > MAX_ENTRIES {
            return Err(malformed("ファイルが多すぎます", "it holds too many files"));
        }
        let mut left = MAX_TOTAL_BYTES;
        for number in 0..zip.len() {
            let entry = zip.by_index(number).map_err(no_zip)?;
            let name = entry.name().map_err(no_zip)?.into_owned();
            if entry.is_dir() {
                continue;
            }
            if check_name(&name).is_err() {
                return Err(malformed("中のファイル名が正しくありません", "a name inside is not allowed"));
            }
            let to = self.0.join(&name);
            if let Some(parent) = to.parent() {
                files::create_private_folder(parent)?;
            }
            // The size that the ZIP states is not believed: one byte more than allowed is read, and refused.
            let allowed = MAX_FILE_BYTES.min(left);
            let mut into = files::create(&to, Access::Owner).map_err(|e| SdkError::io(&to, &e))?;
            let copied = io::copy(&mut entry.take(allowed + 1), &mut into).map_err(|e| match e.kind() {
                io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
                    no_zip(zip::result::ZipError::FileNotFound)
                }
                _ => SdkError::io(&to, &e),
            })?;
            if copied > allowed {
                return Err(malformed("中のファイルが大きすぎます", "what it holds is too large"));
            }
            left -= copied;
        }
        Ok(())
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        // The system's own cleaning of temporary folders takes what is left.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}
