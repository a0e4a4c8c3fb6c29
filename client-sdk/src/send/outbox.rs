//! The outbox: batches of signed containers of which some were not accepted yet.
//!
//! A container lies here, synced, before its first byte leaves. So an interrupted sending resumes with the same bytes, and the relay answers
//! them with its first result instead of taking them for a second parcel. Which of a batch's parcels have met their fate is known from the
//! records in `sent/`, and from a mark, `BATCH_PARCEL.refused`, for what was refused. Once all have, the batch goes to the archive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ring::rand::SecureRandom;
use tasuki_certs::open::OpenError;
use tasuki_proto::ids::ParcelId;
use tasuki_proto::parcel::{Header, OpenParcel};

use super::batch::{self, Batch, BatchId, Entry};
use super::fingerprint::Fingerprint;
use super::prepare::{self, Ready};
use super::sent::Sent;
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{ARCHIVE, Home, OUTBOX};

const REFUSED: &str = ".refused";

/// The outbox of a HOME, as it was read and as this process changes it.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    home: Home,
    batches: Mutex<BTreeMap<BatchId, Held>>,
    /// The batch that was opened last: who resumes asks for its parcels one after another.
    opened: Mutex<Option<(BatchId, Arc<Batch>)>>,
}

/// A batch whose file lies in the outbox.
#[derive(Debug, Default)]
struct Held {
    /// What waits.
    open: Vec<Entry>,
    /// Marks that lie beside it.
    refused: Vec<ParcelId>,
    /// The relay has one of its parcels.
    accepted: bool,
}

/// What became of a parcel that waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Its record is kept.
    Accepted,
    /// Nothing of it is to be sent any more.
    Refused,
}

impl Outbox {
    /// Reads what waits: what is not recorded as sent.
    pub(crate) fn read(home: &Home, sent: &Sent) -> Result<Self, SdkError> {
        let folder = home.path(OUTBOX);
        let mut batches = BTreeMap::new();
        for name in files::list(&folder)? {
            let Some(id) = BatchId::of_name(&name) else { continue };
            let path = id.path(&folder);
            let batch = Batch::read(home, &path).map_err(|error| match error {
                SdkError::Verification(VerificationError::Seal(error)) => unopened(path, &error),
                error => error,
            })?;
            let Some(batch) = batch else { continue };
            let mut held = Held::default();
            for entry in batch.entries {
                if sent.holds(entry.content, entry.parcel)? {
                    held.accepted = true;
                } else if mark(home, id, entry.parcel).exists() {
                    held.refused.push(entry.parcel);
                } else {
                    held.open.push(entry);
                }
            }
            batches.insert(id, held);
        }
        let inner = Inner { home: home.clone(), batches: Mutex::new(batches), opened: Mutex::default() };
        Ok(Self(Arc::new(inner)))
    }

    /// Takes batches of which nothing waits any more out of the outbox: a crash came before that.
    pub(super) fn tidy(&self) -> Result<(), SdkError> {
        let mut batches = self.batches();
        let done: Vec<BatchId> =
            batches.iter().filter(|(_, held)| held.open.is_empty()).map(|(id, _)| *id).collect();
        done.into_iter().try_for_each(|id| batches.remove(&id).map_or(Ok(()), |held| self.finish(id, &held)))
    }

    /// Keeps containers as the batch that they name, durably.
    pub(super) fn put(&self, id: BatchId, parcels: &[Ready], rng: &dyn SecureRandom) -> Result<(), SdkError> {
        let home = &self.0.home;
        let named = parcels.iter().map(|ready| (ready.content, ready.key.id, &ready.container));
        batch::write(home, &id.path(&home.path(OUTBOX)), named, rng)?;
        let entry = |ready: &Ready| Entry {
            content: ready.content,
            parcel: ready.key.id,
            size: ready.container.len(),
        };
        let held = Held { open: parcels.iter().map(entry).collect(), ..Held::default() };
        self.batches().insert(id, held);
        Ok(())
    }

    /// The container for some content, if one waits.
    pub(super) fn ready(&self, content: Fingerprint) -> Result<Option<Ready>, SdkError> {
        let found = self
            .batches()
            .iter()
            .find_map(|(id, held)| Some((*id, *held.open.iter().find(|entry| entry.content == content)?)));
        let Some((id, entry)) = found else { return Ok(None) };
        let container = self.container(id, entry.parcel)?;
        let header = header(&id.path(&self.0.home.path(OUTBOX)), &container)?;
        Ok(Some(prepare::ready(content, &header, container, id)))
    }

    /// Notes the fate of some parcels of a batch. Not durably: what a power cut brings back is known by its record, or gets the same
    /// answer again.
    pub(super) fn settle(&self, id: BatchId, fates: &[(ParcelId, Fate)]) -> Result<(), SdkError> {
        let mut batches = self.batches();
        let Some(held) = batches.get_mut(&id) else { return Ok(()) };
        held.open.retain(|entry| fates.iter().all(|(parcel, _)| *parcel != entry.parcel));
        let is_last = held.open.is_empty();
        for (parcel, fate) in fates {
            match fate {
                Fate::Accepted => held.accepted = true,
                Fate::Refused if is_last => {}
                Fate::Refused => {
                    let path = mark(&self.0.home, id, *parcel);
                    files::create(&path, Access::Owner).map_err(|e| SdkError::io(&path, &e))?;
                    held.refused.push(*parcel);
                }
            }
        }
        if let Some(held) = is_last.then(|| batches.remove(&id)).flatten() {
            self.finish(id, &held)?;
        }
        Ok(())
    }

    fn finish(&self, id: BatchId, held: &Held) -> Result<(), SdkError> {
        let home = &self.0.home;
        let path = id.path(&home.path(OUTBOX));
        if held.accepted && home.config().archive_days > 0 {
            let archived = id.path(&home.path(ARCHIVE));
            std::fs::rename(&path, &archived).map_err(|e| SdkError::io(&path, &e))?;
        } else {
            files::discard(&path)?;
        }
        held.refused.iter().try_for_each(|parcel| files::discard(&mark(home, id, *parcel)))
    }

    /// The header of a parcel that waits, by its id.
    pub(crate) fn header_of(&self, parcel: ParcelId) -> Result<Option<Header>, SdkError> {
        let waits = |held: &Held| held.open.iter().any(|entry| entry.parcel == parcel);
        let found = self.batches().iter().find(|(_, held)| waits(held)).map(|(id, _)| *id);
        let Some(id) = found else { return Ok(None) };
        let container = self.container(id, parcel)?;
        header(&id.path(&self.0.home.path(OUTBOX)), &container).map(Some)
    }

    /// What waits, in the order it was made, with the size of each container.
    pub(super) fn list(&self) -> Vec<(Fingerprint, usize)> {
        self.batches().values().flat_map(|held| &held.open).map(|entry| (entry.content, entry.size)).collect()
    }

    fn container(&self, id: BatchId, parcel: ParcelId) -> Result<Bytes, SdkError> {
        let path = id.path(&self.0.home.path(OUTBOX));
        let mut opened = self.0.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let batch = match &*opened {
            Some((held, batch)) if *held == id => Arc::clone(batch),
            _ => {
                let batch = Batch::read(&self.0.home, &path)?.map(Arc::new);
                let batch = batch.ok_or_else(|| removed(&path))?;
                *opened = Some((id, Arc::clone(&batch)));
                batch
            }
        };
        drop(opened);
        batch.container(parcel).ok_or_else(|| removed(&path))
    }

    /// Every change is made in one step, so a panic elsewhere does not matter.
    fn batches(&self) -> MutexGuard<'_, BTreeMap<BatchId, Held>> {
        self.0.batches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn mark(home: &Home, id: BatchId, parcel: ParcelId) -> PathBuf {
    home.path(OUTBOX).join(format!("{id}_{parcel}{REFUSED}"))
}

fn removed(path: &Path) -> SdkError {
    let message = words("送信する前に削除されました", "it was removed while it was to be sent");
    ConfigError::Path { path: path.to_owned(), message }.into()
}

/// No key of the HOME opens it, or it is damaged.
fn unopened(path: PathBuf, error: &OpenError) -> SdkError {
    let message = words(
        format!(
            "送信待ちの電文を開けません（{error}）。電文を作ったときの鍵を戻すか、このファイルを別の場所に移し、未送信の元ファイルを送り直してください"
        ),
        format!(
            "what waits can't be opened ({error}): put back the key that it was made with, or move this file away and send again what was not accepted"
        ),
    );
    ConfigError::File { path, message }.into()
}

fn header(path: &Path, container: &[u8]) -> Result<Header, SdkError> {
    OpenParcel::open(container).map(|parcel| parcel.header).map_err(|error| {
        let message = words(
            format!("この機能が作った電文ではありません（{error}）"),
            format!("not a parcel that this library wrote: {error}"),
        );
        ConfigError::File { path: path.to_owned(), message }.into()
    })
}
