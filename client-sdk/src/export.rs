//! Taking everything along: lists, parcels and evidence of an office that leaves, or that wants a copy.
//!
//! ```text
//! README.txt              what this is
//! sent.csv, received.csv  every parcel that the relay knows, a row each (UTF-8 with a byte order mark)
//! evidence/YYYYMM.zip     the proof of each month, with the signed parcels that this HOME still holds
//! received/…              on request: what waited, as `receive` leaves it
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tasuki_careplan::month::Month;
use tasuki_proto::canonical::hex;
use tasuki_proto::csv::row;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::time;

use crate::client::Client;
use crate::error::SdkError;
use crate::evidence::{MonthOptions, SavedMonth, months_of};
use crate::files::{self, Access};
use crate::parcel::Parcel;
use crate::progress::Progress;
use crate::receive::{ReceiveOptions, ReceiveReport};
use crate::tracking::ListFilter;

const COLUMNS: [&str; 16] = [
    "parcel",
    "sender",
    "sender_name",
    "recipient",
    "recipient_name",
    "state",
    "content",
    "months",
    "accepted_at",
    "fetched_at",
    "acknowledged_at",
    "ended_at",
    "proxy",
    "recipient_proxy",
    "supersedes",
    "digest",
];

/// What to take along.
#[derive(Clone, Copy, Debug, Default)]
pub struct ExportOptions {
    /// Also receive what waits, which acknowledges it.
    pub receive: bool,
}

/// What was taken along.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The folder.
    pub folder: PathBuf,
    /// Parcels in `sent.csv`.
    pub sent: usize,
    /// Parcels in `received.csv`.
    pub received: usize,
    /// The proofs, oldest month first.
    pub months: Vec<SavedMonth>,
    /// What became of what waited, where it was to be received.
    pub waiting: Option<ReceiveReport>,
}

impl Client {
    /// Writes everything that the relay and this HOME know of the own office's parcels into a folder. Each file appears whole or not
    /// at all; running it again brings the folder up to date.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// use tasuki_sdk::{ExportOptions, Silent};
    ///
    /// let exported = client.export("along".as_ref(), ExportOptions::default(), &Silent).await?;
    /// println!("{} sent, {} received, {} months", exported.sent, exported.received, exported.months.len());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses, something does not verify, or a file can't be written.
    pub async fn export(
        &self,
        folder: &Path,
        options: ExportOptions,
        progress: &dyn Progress,
    ) -> Result<Exported, SdkError> {
        let evidence = folder.join("evidence");
        std::fs::create_dir_all(&evidence).map_err(|e| SdkError::io(&evidence, &e))?;
        let waiting = if options.receive {
            Some(self.receive(&folder.join("received"), &ReceiveOptions::default(), progress).await?)
        } else {
            None
        };
        let everything = ListFilter::default();
        let mut sent = self.list_sent(&everything).await?;
        sent.reverse();
        let received = self.list_received(&everything).await?;
        files::write_durably(&folder.join("sent.csv"), &table(&sent), Access::Owner)?;
        files::write_durably(&folder.join("received.csv"), &table(&received), Access::Owner)?;
        let (sent_count, received_count) = (sent.len(), received.len());

        let mut by_month: BTreeMap<String, Vec<Parcel>> = BTreeMap::new();
        for parcel in sent.into_iter().chain(received) {
            for month in months_of(&parcel) {
                by_month.entry(month).or_default().push(parcel.clone());
            }
        }
        let mut months = Vec::with_capacity(by_month.len());
        for (month, mut parcels) in by_month {
            // Names of the relay's: what is no month names no file.
            let Ok(month) = month.parse::<Month>() else { continue };
            parcels.sort_by_key(|parcel| (parcel.accepted_us, parcel.key));
            let options = MonthOptions { month, partner: None, with_parcels: true };
            let out = evidence.join(format!("{month}.zip"));
            months.push(self.prove_month(&options, parcels, &out, progress).await?);
        }
        // Last: a folder that holds it is whole.
        files::write_durably(&folder.join("README.txt"), include_bytes!("export/readme.txt"), Access::Owner)?;
        let folder = folder.to_owned();
        Ok(Exported { folder, sent: sent_count, received: received_count, months, waiting })
    }
}

/// Parcels as a table for spreadsheets.
fn table(parcels: &[Parcel]) -> Vec<u8> {
    let mut text = format!("\u{feff}{}\r\n", row(&COLUMNS));
    let when = |at: Option<i64>| at.map(time::format_us).unwrap_or_default();
    let number = |proxy: Option<ProxyNumber>| proxy.map(|number| number.to_string()).unwrap_or_default();
    for parcel in parcels {
        let marks = &parcel.marks;
        text += &row(&[
            &parcel.key.id.to_string(),
            parcel.key.sender.as_str(),
            &parcel.sender_name,
            parcel.recipient.as_str(),
            &parcel.recipient_name,
            parcel.state.as_str(),
            &parcel.words().ja,
            &months_of(parcel).into_iter().collect::<Vec<_>>().join(" "),
            &when(parcel.accepted_us),
            &when(parcel.fetched_us),
            &when(parcel.acknowledged_us),
            &when(marks.ended_us),
            &number(marks.proxy),
            &number(marks.recipient_proxy),
            &marks.supersedes.map(|id| id.to_string()).unwrap_or_default(),
            &hex(&parcel.digest),
        ]);
        text += "\r\n";
    }
    text.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn a_table_has_a_row_for_each_parcel_and_no_formula() {
        let parcel = Parcel {
            sender_name: "=HYPERLINK(\"x\")".to_owned(),
            ..testing::parcel("1371215102", "9971100012")
        };
        let table = String::from_utf8(table(&[parcel])).unwrap();
        let rows: Vec<&str> = table.trim_start_matches('\u{feff}').lines().collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].split(',').count(), COLUMNS.len());
        assert!(rows[1].contains("\"'=HYPERLINK(\"\"x\"\")\""), "{}", rows[1]);
    }
}
