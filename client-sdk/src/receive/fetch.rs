//! Fetching sealed parcels into files, several in one call, resumed where a call broke.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use tasuki_proto::limits::MAX_ITEMS;
use tasuki_proto::pb::fetch_response::Part;
use tasuki_proto::{pb, reason};
use tokio::sync::mpsc;

use crate::client::Client;
use crate::error::{Refusal, SdkError, Unreachable, VerificationError};
use crate::files;
use crate::home::{Home, PARTIAL};
use crate::parcel::{Parcel, key_from_wire, key_to_wire};
use crate::progress::{Progress, Step};
use crate::transport::is_busy;

/// How long the relay may send nothing.
const STANDSTILL: std::time::Duration = std::time::Duration::from_secs(60);

/// A sealed parcel that lies whole in its file; nothing of it is verified.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) parcel: Parcel,
    /// The delivery with its proof, as the relay gave it.
    pub(crate) delivered: pb::Evidence,
    /// The file.
    pub(crate) sealed: PathBuf,
}

/// What became of fetching one parcel.
pub(crate) type Fetching = Result<Fetched, (Parcel, SdkError)>;

/// Where a sealed parcel is kept while it is fetched. The time of acceptance belongs to the name: a parcel that a relay
/// lost and got again is sealed anew, and halves of two seals don't fit together.
fn partial(home: &Home, parcel: &Parcel) -> PathBuf {
    home.path(PARTIAL).join(partial_name(parcel))
}

fn partial_name(parcel: &Parcel) -> String {
    format!("{}_{}_{}.p7m", parcel.key.sender, parcel.key.id, parcel.accepted_us.unwrap_or(0))
}

/// Removes what was half fetched of parcels that don't wait any more.
pub(super) fn sweep(home: &Home, waiting: &[Parcel]) -> Result<(), SdkError> {
    let folder = home.path(PARTIAL);
    let wanted: HashSet<String> = waiting.iter().map(partial_name).collect();
    let names = files::list(&folder)?;
    names.iter().filter(|name| !wanted.contains(*name)).try_for_each(|name| files::remove(&folder.join(name)))
}

/// Fetches parcels and passes each on, or why it can't be had. Ends when all are told.
pub(crate) async fn fetch_all(
    client: &Client,
    parcels: Vec<Parcel>,
    progress: &dyn Progress,
    told: &mpsc::Sender<Fetching>,
) {
    let mut left = std::collections::VecDeque::from(parcels);
    let mut attempt = 1;
    while !left.is_empty() {
        let before = left.len();
        let error = match fetch_some(client, &mut left, progress, told).await {
            Ok(()) => continue,
            Err(error) => error,
        };
        if left.len() < before {
            attempt = 1;
        }
        let may_pass = matches!(error, SdkError::Unreachable(_));
        if !may_pass || attempt >= client.inner.caller.attempts() {
            for parcel in left {
                tell(told, Err((parcel, error.clone()))).await;
            }
            return;
        }
        client.inner.caller.pause(attempt).await;
        attempt += 1;
        progress.step(Step::Reconnecting { attempt, error: &error });
    }
}

async fn tell(told: &mpsc::Sender<Fetching>, fetching: Fetching) {
    // Who listens lives as long as this.
    let _gone = told.send(fetching).await;
}

/// One call for the parcels in front. What was told is gone from `left`.
async fn fetch_some(
    client: &Client,
    left: &mut std::collections::VecDeque<Parcel>,
    progress: &dyn Progress,
    told: &mpsc::Sender<Fetching>,
) -> Result<(), SdkError> {
    let home = client.home();
    let caller = &client.inner.caller;
    let mut items = Vec::new();
    for parcel in left.iter().take(MAX_ITEMS) {
        let r#ref = Some(key_to_wire(&parcel.key));
        items.push(pb::FetchItem { r#ref, offset: Download::had(home, parcel)? });
    }
    let mut exchange = caller.exchange();
    let due = items.len();
    let request = pb::FetchRequest { items: items.clone() };
    let mut parts = caller.once(exchange.fetch(request)).await?;
    let wrong = VerificationError::Incomplete;
    let mut done = 0;
    let mut open: Option<Download> = None;
    loop {
        let next = tokio::time::timeout(STANDSTILL, parts.message()).await;
        let next = next.map_err(|_elapsed| Unreachable::Timeout)?;
        let Some(response) = next.map_err(|status| caller.error(&status))? else { break };
        match response.part {
            Some(Part::Header(header)) if open.is_none() && done < due => {
                let parcel = left.front().ok_or(wrong("a parcel that was asked for"))?;
                open = Some(Download::begin(home, parcel, header, items[done].offset)?);
            }
            Some(Part::Chunk(chunk)) => {
                open.as_mut().ok_or(wrong("a header before content"))?.write(&chunk)?;
                let bytes = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
                progress.step(Step::Transferred { bytes });
            }
            Some(Part::End(_)) => {
                let download = open.take().ok_or(wrong("a header before the end"))?;
                let parcel = left.pop_front().ok_or(wrong("a parcel that was asked for"))?;
                done += 1;
                tell(told, Ok(download.finish(parcel))).await;
            }
            Some(Part::Failure(failure)) if open.is_none() && done < due => {
                let parcel = left.pop_front().ok_or(wrong("a parcel that was asked for"))?;
                done += 1;
                tell(told, Err(failed(home, parcel, failure)?)).await;
            }
            Some(Part::Header(_) | Part::Failure(_)) | None => {
                return Err(wrong("parts in their order").into());
            }
        }
    }
    if done < due {
        // The relay ended the call early, as it does when it goes down.
        return Err(Unreachable::Network("the relay ended the call early".to_owned()).into());
    }
    Ok(())
}

fn failed(home: &Home, parcel: Parcel, failure: pb::FetchFailure) -> Result<(Parcel, SdkError), SdkError> {
    if key_from_wire(failure.r#ref.as_ref()) != Some(parcel.key) {
        return Err(VerificationError::Incomplete("parts in their order").into());
    }
    if failure.reason == reason::OFFSET_OUT_OF_RANGE {
        // What was kept can't be part of this parcel: the next run begins anew.
        files::remove(&partial(home, &parcel))?;
    }
    // What passes is no refusal: the others go on, and running the same again gets this one.
    let busy = is_busy(&failure.reason);
    let refusal = refusal(failure);
    Ok((parcel, if busy { Unreachable::Busy(refusal).into() } else { refusal.into() }))
}

fn refusal(failure: pb::FetchFailure) -> Refusal {
    let known = Refusal::of(&failure.reason);
    let told = |text: String, known: String| if text.is_empty() { known } else { text };
    Refusal {
        reason: failure.reason,
        message_ja: told(failure.message_ja, known.message_ja),
        message_en: told(failure.message_en, known.message_en),
        findings: Vec::new(),
    }
}

/// A parcel on its way into its file.
#[derive(Debug)]
struct Download {
    path: PathBuf,
    file: File,
    delivered: pb::Evidence,
    room: u64,
}

impl Download {
    /// Bytes that an earlier call left.
    fn had(home: &Home, parcel: &Parcel) -> Result<u64, SdkError> {
        let path = partial(home, parcel);
        let length = match std::fs::metadata(&path) {
            Ok(metadata) => metadata.len(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => 0,
            Err(e) => return Err(SdkError::io(&path, &e)),
        };
        if length > parcel.sealed_size {
            files::remove(&path)?;
            return Ok(0);
        }
        Ok(length)
    }

    fn begin(home: &Home, parcel: &Parcel, header: pb::FetchHeader, had: u64) -> Result<Self, SdkError> {
        let wrong = VerificationError::Incomplete;
        let named = header.parcel.as_ref().and_then(|p| key_from_wire(p.r#ref.as_ref()));
        if named != Some(parcel.key) || header.offset != had {
            return Err(wrong("the parcel that was asked for, from where it was asked for").into());
        }
        let path = partial(home, parcel);
        files::create_private_folder(&home.path(PARTIAL))?;
        drop(files::open_private(&path).map_err(|e| SdkError::io(&path, &e))?);
        let file = OpenOptions::new().append(true).open(&path).map_err(|e| SdkError::io(&path, &e))?;
        let delivered = header.delivered.ok_or(wrong("the delivery's evidence"))?;
        Ok(Self { path, file, delivered, room: parcel.sealed_size - had })
    }

    /// Appends bytes. The file system's cache takes them at once, so this does not hold up the thread.
    fn write(&mut self, chunk: &[u8]) -> Result<(), SdkError> {
        let length = u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        let room = self.room.checked_sub(length);
        self.room = room.ok_or(VerificationError::Incomplete("the size that was announced"))?;
        self.file.write_all(chunk).map_err(|e| SdkError::io(&self.path, &e))
    }

    fn finish(self, parcel: Parcel) -> Fetched {
        Fetched { parcel, delivered: self.delivered, sealed: self.path }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::testing::{self, world};

    #[test]
    fn a_relay_that_is_busy_has_refused_nothing() {
        let folder = testing::folder("fetch-failed");
        let home = testing::home(&folder, &world().recipient);
        let summary = pb::ParcelSummary {
            r#ref: Some(pb::ParcelRef {
                sender: testing::SENDER.to_owned(),
                parcel_id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".to_owned(),
            }),
            recipient: testing::RECIPIENT.to_owned(),
            digest: vec![7; 32].into(),
            ..pb::ParcelSummary::default()
        };
        let parcel = Parcel::from_wire(summary.clone()).unwrap();
        let kind = |reason: &str| {
            let failure = pb::FetchFailure {
                r#ref: summary.r#ref.clone(),
                reason: reason.to_owned(),
                ..pb::FetchFailure::default()
            };
            failed(&home, parcel.clone(), failure).unwrap().1.kind()
        };
        assert_eq!(kind(reason::STORE_UNAVAILABLE), ErrorKind::Unreachable);
        assert_eq!(kind(reason::PARCEL_NOT_FOUND), ErrorKind::Rejected);
    }
}
