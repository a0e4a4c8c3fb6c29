//! Rows to messages and back.

use std::sync::Arc;
use std::time::Duration;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::{ParcelKey, ProxyNumber};
use tasuki_proto::lifecycle::State;
use tasuki_proto::log::Checkpoint;
use tasuki_proto::{pb, reason, time};

use super::{Context, Failure};
use crate::store::StoreError;
use crate::store::feeds::FeedRow;
use crate::store::leaves::Position;
use crate::store::parcels::ParcelRow;

/// Four times as long as a relay takes to notice what another process wrote.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(2);

pub(super) fn parcel_ref(key: &ParcelKey) -> pb::ParcelRef {
    pb::ParcelRef { sender: key.sender.to_string(), parcel_id: key.id.to_string() }
}

/// A full reference: sender and id.
pub(super) fn parcel_key(message: Option<&pb::ParcelRef>) -> Result<ParcelKey, Failure> {
    let message = message.ok_or_else(|| Failure::malformed("ref is missing"))?;
    Ok(ParcelKey {
        sender: message.sender.parse().map_err(|_| Failure::malformed("ref.sender is no office number"))?,
        id: message.parcel_id.parse().map_err(|_| Failure::malformed("ref.parcel_id is no UUIDv7"))?,
    })
}

/// A time of the database: 0 is "not yet" and stays empty.
pub(super) fn when(us: i64) -> String {
    if us == 0 { String::new() } else { time::format_us(us) }
}

pub(super) fn opening_at(openings: &[FeedRow], position: Position) -> Option<&FeedRow> {
    openings.iter().find(|row| row.position == position)
}

impl Context {
    /// A parcel as lists show it.
    pub(super) async fn summary(&self, row: &ParcelRow) -> Result<pb::ParcelSummary, StoreError> {
        let files = row.files.iter().map(|file| pb::FileSummary {
            kind: file.kind.clone(),
            month: file.month.clone(),
            serial: file.serial.clone(),
            size: file.size,
        });
        Ok(pb::ParcelSummary {
            r#ref: Some(parcel_ref(&row.key)),
            sender_name: self.directory.name(row.key.sender).await?,
            recipient: row.recipient.to_string(),
            recipient_name: self.directory.name(row.recipient).await?,
            state: pb::ParcelState::from(row.state).into(),
            files: files.collect(),
            digest: row.digest.to_vec().into(),
            container_size: row.container_size,
            sealed_size: row.sealed_size,
            accepted_at: when(row.accepted_us),
            fetched_at: when(row.fetched_us),
            acknowledged_at: when(row.acknowledged_us),
            signer: row.signer.to_vec().into(),
            delivered_at: when(row.delivered_us()),
            release_at: when(if row.state == State::Held { row.marks.release_us } else { 0 }),
            ended_at: when(row.marks.ended_us),
            overdue_at: when(row.marks.overdue_us),
            supersedes: row.marks.supersedes.map(|id| id.to_string()).unwrap_or_default(),
            superseded_by: row.marks.superseded_by.map(|id| id.to_string()).unwrap_or_default(),
            urgent: row.marks.urgent,
            proxy: row.marks.proxy.map(|number| number.to_string()).unwrap_or_default(),
            proxy_name: self.proxy_name(row.marks.proxy).await?,
            recipient_proxy: row.marks.recipient_proxy.map(|number| number.to_string()).unwrap_or_default(),
            recipient_proxy_name: self.proxy_name(row.marks.recipient_proxy).await?,
            handed_over_at: when(row.marks.handed_us),
            confirm: row.state == State::Held && row.marks.confirm,
            refusal: row.marks.refusal.map(|reason| reason.as_str().to_owned()).unwrap_or_default(),
        })
    }

    async fn proxy_name(&self, number: Option<ProxyNumber>) -> Result<String, StoreError> {
        let Some(number) = number else { return Ok(String::new()) };
        Ok(self.directory.proxy(number).await?.map(|proxy| proxy.name.clone()).unwrap_or_default())
    }

    /// A checkpoint that covers a leaf. Where another process has just written the leaf, this relay publishes its
    /// checkpoint within a second.
    pub(super) async fn checkpoint_over(&self, position: Position) -> Result<Arc<Checkpoint>, Failure> {
        let mut log = self.ledger.watch();
        let published = |c: &Arc<Checkpoint>| c.epoch > position.epoch || covers(c, position);
        let published = tokio::time::timeout(PUBLISHED_WITHIN, log.wait_for(published));
        let current = match published.await {
            Ok(Ok(current)) => Arc::clone(&current),
            Ok(Err(_)) | Err(_) => return Err(Failure::of(reason::STORE_UNAVAILABLE)),
        };
        if current.epoch == position.epoch {
            return Ok(current);
        }
        Ok(self.ledger.checkpoint_of(position.epoch).await?)
    }

    /// A parcel that exists for this office: it sent it, or it is to receive it and it was delivered.
    pub(super) async fn visible(
        &self,
        key: &ParcelKey,
        office: OfficeNumber,
    ) -> Result<Option<ParcelRow>, StoreError> {
        Ok(self.store.parcel(key).await?.filter(|row| row.exists_for(office)))
    }
}

/// The leaf stands in this checkpoint's tree.
pub(super) fn covers(checkpoint: &Checkpoint, position: Position) -> bool {
    checkpoint.epoch == position.epoch && position.index < checkpoint.size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_needs_both_parts() {
        let good = pb::ParcelRef {
            sender: "1371215102".into(),
            parcel_id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".into(),
        };
        let key = parcel_key(Some(&good)).unwrap();
        assert_eq!(parcel_ref(&key), good);
        assert!(parcel_key(None).is_err());
        for bad in [
            pb::ParcelRef { sender: String::new(), ..good.clone() },
            pb::ParcelRef { parcel_id: "0193a3f0-8a1b-4c2d-8e3f-000000000000".into(), ..good.clone() },
        ] {
            assert!(parcel_key(Some(&bad)).is_err());
        }
    }
}
