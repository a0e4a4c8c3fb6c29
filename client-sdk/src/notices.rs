//! Notices of the operator (お知らせ), planned stops and changes of mode among them: each proven to stand in the log.

use serde::Serialize;
use tasuki_proto::event::Event;
use tasuki_proto::{evidence, limits, pb, time};

use crate::client::Client;
use crate::error::{SdkError, VerificationError};

/// Notices that one call reads at most; the oldest first.
const MOST: usize = 10_000;

/// A notice of the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Epoch of the log in which it stands.
    pub epoch: u64,
    /// Place in that log, from 0.
    pub index: u64,
    /// When, RFC 3339.
    pub time: String,
    /// `relay.notice`, `relay.stop-planned`, `relay.stop-cancelled`, `relay.mode-changed`, or a word of a later version.
    pub kind: String,
    /// In Japanese.
    pub ja: String,
    /// In English.
    pub en: String,
    /// It can't wait.
    pub urgent: bool,
    /// When a planned stop begins, RFC 3339.
    pub from: Option<String>,
    /// When a planned stop ends, RFC 3339.
    pub until: Option<String>,
    /// `receive-only` or `normal`, where the mode changed.
    pub mode: Option<String>,
}

/// A stop that the operator planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlannedStop {
    /// When it begins, RFC 3339.
    pub from: String,
    /// When it ends, RFC 3339.
    pub until: String,
    /// Why, in Japanese.
    pub ja: String,
    /// Why, in English.
    pub en: String,
}

impl From<pb::PlannedStop> for PlannedStop {
    fn from(stop: pb::PlannedStop) -> Self {
        Self { from: stop.from, until: stop.until, ja: stop.ja, en: stop.en }
    }
}

impl Notice {
    /// A notice as its event tells it.
    pub fn of(event: &Event, index: u64) -> Self {
        let line = |key: &str| event.lines.get(key).map(str::to_owned);
        Self {
            epoch: event.epoch,
            index,
            time: time::format_us(event.time_us),
            kind: event.kind.clone(),
            ja: line("ja").unwrap_or_default(),
            en: line("en").unwrap_or_default(),
            urgent: line("urgent").is_some(),
            from: line("from"),
            until: line("until"),
            mode: line("mode"),
        }
    }
}

impl Client {
    /// Notices to the own office or to all, behind a place in the log (epoch, index), the oldest first; (0, 0): from the
    /// beginning. Keep the last one's place to ask for newer ones only.
    ///
    /// # Errors
    /// The relay can't be reached or refuses; a notice is not proven to stand in the log.
    pub async fn notices(&self, after: (u64, u64)) -> Result<Vec<Notice>, SdkError> {
        let events = self.notice_events(after).await?;
        Ok(events.iter().map(|(event, index)| Notice::of(event, *index)).collect())
    }

    /// The events of [`Client::notices`], each with its place in the log.
    pub(crate) async fn notice_events(&self, after: (u64, u64)) -> Result<Vec<(Event, u64)>, SdkError> {
        let caller = &self.inner.caller;
        let (mut epoch, mut index) = after;
        let mut notices = Vec::new();
        loop {
            let request = pb::ListNoticesRequest { epoch, index, page_size: limits::MAX_PAGE };
            let answer = caller.repeat(|| {
                let mut directory = caller.directory();
                async move { directory.list_notices(request).await }
            });
            let answer = answer.await?;
            for entry in &answer.notices {
                let checkpoint = self.admit(&entry.checkpoint).await?;
                let proven = evidence::check(entry, &checkpoint).map_err(VerificationError::Evidence)?;
                let place = (proven.event.epoch, proven.index);
                if place <= (epoch, index) {
                    return Err(VerificationError::Incomplete("notices in the order of the log").into());
                }
                (epoch, index) = place;
                notices.push((proven.event, proven.index));
            }
            if !answer.more || answer.notices.is_empty() || notices.len() >= MOST {
                return Ok(notices);
            }
        }
    }
}
