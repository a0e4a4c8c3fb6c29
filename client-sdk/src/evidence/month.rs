//! The proof of a month (送達証明): the evidence of every parcel of a service month in one ZIP file, with a page that people
//! read.
//!
//! ```text
//! index.html                  the page; made again from the rest when it is verified
//! README.txt                  what this is and how to verify it, with and without Tasuki
//! month.json                  who, which month, and the parcels' indexes
//! parcels/<sender>_<id>.json  what belongs to one parcel, as `evidence.json` of a folder of evidence does
//! events/…, checkpoints/…, statements/…, certificates/…, crls/…, log-key.txt   as in a folder of evidence, shared
//! parcels/<sender>_<id>.asice the signed parcels themselves, on request: they hold what was sent
//! ```
//!
//! A parcel belongs to the months that its files name. One whose files name none (plan documents, attachments) belongs to
//! the month in which the relay accepted it, in Japan.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tasuki_careplan::month::Month;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::container::check_name;
use tasuki_proto::event::Event;
use tasuki_proto::ids::ParcelKey;

use super::save::{Folder, Material};
use super::{page, save};
use crate::client::Client;
use crate::error::{ConfigError, Refusal, SdkError, VerificationError, words};
use crate::parcel::Parcel;
use crate::progress::{Progress, Step};
use crate::tracking::ListFilter;
use crate::{blocking, files};

/// Name of the month's index inside the ZIP file.
pub(crate) const MONTH_INDEX: &str = "month.json";
/// Name of the page.
pub(crate) const PAGE: &str = "index.html";

const FORMAT: &str = "tasuki-month/v1";

/// Bytes of the month's index; 300 for each parcel.
const MAX_INDEX_BYTES: usize = 16 * 1024 * 1024;

/// Parcels of one proof: a large office sends and receives some hundred a month.
const MAX_PARCELS: usize = 20_000;

/// Japan has no summer time.
const JAPAN_US: i64 = 9 * 3_600 * 1_000_000;

/// What a proof is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthOptions {
    /// The service month.
    pub month: Month,
    /// Only parcels to and from this office.
    pub partner: Option<OfficeNumber>,
    /// Put the signed parcels in as well: they hold everything that was sent.
    pub with_parcels: bool,
}

/// A proof that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedMonth {
    /// The ZIP file.
    pub path: PathBuf,
    /// The month.
    pub month: Month,
    /// Parcels in it.
    pub parcels: usize,
    /// Events in it.
    pub events: usize,
}

/// `month.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MonthIndex {
    format: String,
    /// Who made it.
    pub(crate) office: OfficeNumber,
    pub(crate) office_name: String,
    pub(crate) month: Month,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) partner: Option<OfficeNumber>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) partner_name: String,
    /// Unix microseconds, by the clock of who made it.
    pub(crate) made_us: i64,
    pub(crate) parcels: Vec<ParcelEntry>,
}

/// One parcel of a month. Names are the directory's when the proof was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ParcelEntry {
    /// Its index.
    pub(crate) index: String,
    pub(crate) sender_name: String,
    pub(crate) recipient_name: String,
}

impl MonthIndex {
    pub(crate) fn new(office: OfficeNumber, office_name: String, month: Month, made_us: i64) -> Self {
        Self {
            format: FORMAT.to_owned(),
            office,
            office_name,
            month,
            partner: None,
            partner_name: String::new(),
            made_us,
            parcels: Vec::new(),
        }
    }

    fn print(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        json.push(b'\n');
        json
    }

    /// Reads the index of an unpacked proof, within bounds. Every path in it leads into the folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, SdkError> {
        let path = folder.join(MONTH_INDEX);
        let malformed =
            |ja: &str, en: &str| VerificationError::Malformed { path: path.clone(), message: words(ja, en) };
        let json = files::read_at_most(&path, MAX_INDEX_BYTES)?;
        let json = json.ok_or_else(|| malformed("大きすぎます", "too large"))?;
        let index: Self = serde_json::from_slice(&json)
            .map_err(|e| malformed(&format!("月の目録として読めません（{e}）"), &e.to_string()))?;
        if index.format != FORMAT {
            return Err(malformed(
                "この版で読める月の目録ではありません",
                "not a month that this version knows",
            )
            .into());
        }
        let inside = index.parcels.iter().all(|parcel| check_name(&parcel.index).is_ok());
        if !inside || index.parcels.len() > MAX_PARCELS {
            return Err(
                malformed("電文の目録の場所が正しくありません", "it names parcels out of bounds").into()
            );
        }
        Ok(index)
    }
}

impl Client {
    /// Writes the proof of a month into a ZIP file; see [`crate::evidence`]. The file appears whole or not at all.
    ///
    /// # Errors
    /// The relay can't be reached or refuses, there is nothing to prove, something does not verify, or the file can't be
    /// written.
    pub async fn save_month(
        &self,
        options: &MonthOptions,
        out: &Path,
        progress: &dyn Progress,
    ) -> Result<SavedMonth, SdkError> {
        let parcels = self.parcels_of(options).await?;
        if parcels.is_empty() {
            return Err(Refusal::of(tasuki_proto::reason::NOTHING_TO_PROVE).into());
        }
        self.prove_month(options, parcels, out, progress).await
    }

    /// The proof of a month for these of its parcels, oldest first.
    pub(crate) async fn prove_month(
        &self,
        options: &MonthOptions,
        parcels: Vec<Parcel>,
        out: &Path,
        progress: &dyn Progress,
    ) -> Result<SavedMonth, SdkError> {
        // More could be written, but not verified.
        if parcels.len() > MAX_PARCELS {
            return Err(too_many(parcels.len()).into());
        }
        progress.step(Step::Planned { parcels: parcels.len(), bytes: 0 });
        let name = async |number| -> Result<String, SdkError> {
            Ok(self.office_by_number(number).await?.map(|office| office.name).unwrap_or_default())
        };
        let mut index =
            MonthIndex::new(self.office(), name(self.office()).await?, options.month, self.now_us());
        if let Some(partner) = options.partner {
            index.partner = Some(partner);
            index.partner_name = name(partner).await?;
        }
        let draft = Draft::new(out)?;
        let mut folder = Folder::new(&draft.0)?;
        let mut events = Vec::with_capacity(parcels.len());
        let mut keys = BTreeSet::new();
        for parcel in parcels {
            let material = self.evidence_of(&parcel.key.into(), options.with_parcels).await?;
            let own: Vec<Event> = material.proven.iter().map(|proven| proven.event.clone()).collect();
            keys.extend(material.wire.log_keys.iter().map(|key| key.trim().to_owned()));
            let client = self.clone();
            let (entry, whole) = blocking::run(move || {
                let entry = add(&mut folder, &client, &material, parcel)?;
                Ok::<_, SdkError>((entry, folder))
            })
            .await?;
            folder = whole;
            index.parcels.push(entry);
            events.push(own);
            progress.step(Step::Saved);
        }
        let saved = SavedMonth {
            path: out.to_owned(),
            month: options.month,
            parcels: index.parcels.len(),
            events: events.iter().map(Vec::len).sum(),
        };
        let out = out.to_owned();
        blocking::run(move || {
            folder.put("log-key.txt", (keys.into_iter().collect::<Vec<_>>().join("\n") + "\n").as_bytes())?;
            folder.put("README.txt", include_bytes!("readme-month.txt"))?;
            folder.put(PAGE, page::render(&index, &events).as_bytes())?;
            folder.put(MONTH_INDEX, &index.print())?;
            folder.pack(&out)?;
            drop(draft);
            Ok(())
        })
        .await?;
        Ok(saved)
    }

    /// What belongs to a month, oldest first.
    async fn parcels_of(&self, options: &MonthOptions) -> Result<Vec<Parcel>, SdkError> {
        let filter = ListFilter { partner: options.partner, ..ListFilter::default() };
        let mut parcels = self.list_sent(&filter).await?;
        parcels.extend(self.list_received(&filter).await?);
        parcels.retain(|parcel| belongs(parcel, options.month));
        parcels.sort_by_key(|parcel| (parcel.accepted_us, parcel.key));
        Ok(parcels)
    }
}

fn too_many(parcels: usize) -> ConfigError {
    ConfigError::Argument(words(
        format!(
            "電文が{parcels}件あり、1つの証明に入る{MAX_PARCELS}件を超えます。--partner で相手ごとに分けてください。"
        ),
        format!(
            "{parcels} parcels are more than one proof holds ({MAX_PARCELS}): make one for each partner, --partner"
        ),
    ))
}

/// Whether a parcel belongs to a month.
fn belongs(parcel: &Parcel, month: Month) -> bool {
    months_of(parcel).contains(&month.to_string())
}

/// The months that a parcel belongs to, YYYYMM: those that its files name, or that of its acceptance.
pub(crate) fn months_of(parcel: &Parcel) -> BTreeSet<String> {
    let months: BTreeSet<String> = parcel.files.iter().filter_map(|file| file.month.clone()).collect();
    if !months.is_empty() {
        return months;
    }
    let japan = parcel.accepted_us.map(|us| tasuki_proto::time::format_us(us.saturating_add(JAPAN_US)));
    japan.and_then(|text| text.get(..7).map(|month| month.replace('-', ""))).into_iter().collect()
}

fn add(
    folder: &mut Folder,
    client: &Client,
    material: &Material,
    parcel: Parcel,
) -> Result<ParcelEntry, SdkError> {
    let ParcelKey { sender, id } = parcel.key;
    let index = folder.add(client, material, Some(&format!("{sender}_{id}")))?;
    let name = format!("parcels/{sender}_{id}.json");
    folder.put(&name, &index.print())?;
    Ok(ParcelEntry { index: name, sender_name: parcel.sender_name, recipient_name: parcel.recipient_name })
}

/// A folder that is packed when it is full, and gone afterwards.
struct Draft(PathBuf);

impl Draft {
    fn new(out: &Path) -> Result<Self, SdkError> {
        let mut name = out.as_os_str().to_owned();
        name.push(".parts");
        name.push(files::UNFINISHED);
        let path = PathBuf::from(name);
        save::remove_folder(&path)?;
        std::fs::create_dir_all(&path).map_err(|e| SdkError::io(&path, &e))?;
        Ok(Self(path))
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // What can't be removed is removed before the next one is made.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parcel::FileSummary;
    use crate::testing;

    fn parcel(month: Option<&str>, accepted: &str) -> Parcel {
        let month = month.map(str::to_owned);
        let file = FileSummary { kind: "UP1KYO".to_owned(), month, serial: None, size: 1 };
        Parcel {
            files: vec![file],
            accepted_us: tasuki_proto::time::parse_us(accepted),
            ..testing::parcel("1371215102", "9971100012")
        }
    }

    #[test]
    fn a_parcel_belongs_to_its_service_month_or_to_that_of_sending_in_japan() {
        let month: Month = "202602".parse().unwrap();
        assert!(belongs(&parcel(Some("202602"), "2026-01-25T00:00:00.000000Z"), month));
        assert!(!belongs(&parcel(Some("202601"), "2026-02-25T00:00:00.000000Z"), month));
        // The last evening of January in London is the first of February in Japan.
        assert!(belongs(&parcel(None, "2026-01-31T15:00:00.000000Z"), month));
        assert!(!belongs(&parcel(None, "2026-02-28T15:00:00.000000Z"), month));
    }
}
