//! Telling programs of offices over HTTPS what stands in their office's feed. No queue is kept: a webhook is a place in the feed,
//! and what stands behind it is what is to be told, in the feed's order, after any restart, by whichever relay takes the turn.

mod post;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::Event;
use tasuki_proto::feed::Cursor;
use tasuki_proto::time;
use tokio::sync::Semaphore;

use self::post::{Letter, Postman, Target};
use crate::clock::Clock;
use crate::config::WebhooksConfig;
use crate::evidence::ledger::Ledger;
use crate::store::turns::Way;
use crate::store::webhooks::{DeadRow, WebhookRow};
use crate::store::{Store, StoreError};
use crate::turns::Turns;

/// Webhooks that are told at once: one that hangs holds up nobody but itself.
const AT_ONCE: usize = 64;
/// Events that one turn tells, before others have its place.
const IN_ONE_TURN: u32 = 20;
/// How long a turn is another relay's at most, should it die in it. Begun anew with each event that is told: a post ends within ten
/// seconds.
const LEASE_US: i64 = 60 * 1_000_000;
/// Longest pause between two tries.
const LONGEST_PAUSE_US: i64 = 3_600 * 1_000_000;
/// How often the database is asked for what is due: what was written since the last look, and two indexes of the few that wait.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is told: names, no content.
#[derive(Serialize)]
struct Body<'b> {
    r#type: &'b str,
    timestamp: String,
    data: Data<'b>,
}

#[derive(Serialize)]
struct Data<'b> {
    office: &'b str,
    epoch: u64,
    number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    parcel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
}

/// Webhooks can't be had, or not this one.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// This relay tells nobody: it knows no CA certificates.
    #[error("this relay offers no webhooks")]
    NotOffered,
    /// Not a URL to post to.
    #[error(transparent)]
    Url(#[from] post::BadUrl),
    /// The system gives no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
    /// There is none.
    #[error("the office has no webhook")]
    None,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The webhooks of all offices.
#[derive(Debug)]
pub struct Webhooks {
    store: Store,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    config: WebhooksConfig,
    postman: Option<Postman>,
    places: Arc<Semaphore>,
    turns: Turns,
}

impl Webhooks {
    /// As the configuration says.
    pub fn new(store: Store, ledger: Arc<Ledger>, clock: Arc<dyn Clock>, config: WebhooksConfig) -> Self {
        let file = config.ca_file.display();
        let postman = match Postman::new(&config.ca_file, config.allow_private, Arc::clone(&clock)) {
            Ok(postman) => postman,
            Err(error) => {
                tracing::error!(%file, error, "no webhooks: the CA certificates can't be used");
                None
            }
        };
        if postman.is_none() {
            tracing::info!(%file, "no webhooks without CA certificates");
        }
        let (places, turns) = (Arc::new(Semaphore::new(AT_ONCE)), Turns::new(Way::Webhook));
        Self { store, ledger, clock, config, postman, places, turns }
    }

    /// Sets an office's webhook, and returns its key as the office keeps it.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub async fn set(&self, office: OfficeNumber, url: &str) -> Result<String, WebhookError> {
        if self.postman.is_none() {
            return Err(WebhookError::NotOffered);
        }
        Target::parse(url)?;
        let mut key = vec![0; 32];
        SystemRandom::new().fill(&mut key).map_err(|_| WebhookError::NoRandomness)?;
        let epoch = self.ledger.checkpoint().epoch;
        let number = self.store.feed_length(office, epoch).await?;
        let secret = format!("whsec_{}", STANDARD.encode(&key));
        let row = WebhookRow {
            office,
            url: url.to_owned(),
            key,
            cursor: Cursor { epoch, number },
            tries: 0,
            next_us: 0,
            last_error: String::new(),
            delivered_us: 0,
            changed_us: self.clock.now_us(),
        };
        self.store.put_webhook(&row).await?;
        // What came between the look at its feed's end and now rang for nobody.
        self.turns.note(office);
        Ok(secret)
    }

    /// Posts one event of the type `webhook.test`.
    ///
    /// # Errors
    /// [`WebhookError`]; inside, why it was not taken.
    pub async fn test(&self, office: OfficeNumber) -> Result<Result<(), String>, WebhookError> {
        let postman = self.postman.as_ref().ok_or(WebhookError::NotOffered)?;
        let row = self.store.webhook(office).await?.ok_or(WebhookError::None)?;
        let now_us = self.clock.now_us();
        let body = body(
            "webhook.test",
            now_us,
            &Data {
                office: office.as_str(),
                epoch: row.cursor.epoch,
                number: row.cursor.number,
                parcel: None,
                sender: None,
                recipient: None,
            },
        );
        let id = format!("{office}-test-{now_us}");
        let letter = Letter { id: &id, seconds: now_us.div_euclid(1_000_000), body: &body };
        Ok(postman.post(&row.url, &row.key, letter).await)
    }

    /// Tells what is due, until the relay goes down.
    pub async fn run(self: Arc<Self>) {
        if self.postman.is_none() {
            return;
        }
        loop {
            let now_us = self.clock.now_us();
            let free = u32::try_from(self.places.available_permits()).unwrap_or(0);
            for row in self.due(now_us, free).await {
                let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return };
                let until_us = now_us + LEASE_US;
                match self.store.lease_webhook(&row, now_us, until_us).await {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(error) => {
                        tracing::warn!(%error, "a webhook's turn can't be taken");
                        self.turns.note(row.office);
                        continue;
                    }
                }
                let this = Arc::clone(&self);
                tokio::spawn(async move {
                    let (office, mut lease_us) = (row.office, until_us);
                    if let Err(error) = this.turn(row, &mut lease_us).await {
                        tracing::warn!(%error, "a webhook's turn was cut short");
                        this.turns.give_back(&this.store, &*this.clock, office, lease_us).await;
                    }
                    // What came meanwhile rang while the turn was taken.
                    this.turns.note(office);
                    drop(place);
                });
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Webhooks whose turn may be taken, at most as many as there are places.
    async fn due(&self, now_us: i64, free: u32) -> Vec<WebhookRow> {
        if free == 0 {
            return Vec::new();
        }
        let current = self.ledger.checkpoint();
        let found = match self.turns.next(&self.store, &current, now_us, free).await {
            Ok(offices) => {
                let rows = self.store.due_webhooks(&offices, now_us).await;
                rows.inspect_err(|_| offices.iter().for_each(|office| self.turns.note(*office)))
            }
            Err(error) => Err(error),
        };
        found.unwrap_or_else(|error| {
            tracing::warn!(%error, "webhooks can't be read");
            Vec::new()
        })
    }

    /// Tells one webhook what stands behind its place, as far as it takes it, in the turn that ends at `lease_us`.
    async fn turn(&self, mut row: WebhookRow, lease_us: &mut i64) -> Result<(), StoreError> {
        let Some(postman) = &self.postman else { return Ok(()) };
        // Its pause, if it kept one, is over.
        row.next_us = 0;
        // Taken before the rows: what it does not cover yet is left for the next turn.
        let current = self.ledger.checkpoint();
        let events = self.store.feed_after(row.office, row.cursor, IN_ONE_TURN).await?;
        // An event that was too old and not taken: the others that are as old are not tried, so that who never answers can't hold a
        // place for all that it missed.
        let mut hopeless = None;
        for (place, text) in events {
            let at = place.position;
            if at.epoch > current.epoch || (at.epoch == current.epoch && at.index >= current.size) {
                break;
            }
            let cursor = Cursor { epoch: at.epoch, number: place.opening.number };
            // What is no event any more was erased after its time: there is nothing to tell.
            if let Ok(event) = Event::parse(&text) {
                let told = match &hopeless {
                    Some(fault) if !self.may_try_again(&row, &event) => Err(String::clone(fault)),
                    _ => self.tell(postman, &row, cursor, &event).await,
                };
                match told {
                    Ok(()) => {
                        posted("taken");
                        row.delivered_us = self.clock.now_us();
                        row.last_error = String::new();
                    }
                    Err(fault) if self.may_try_again(&row, &event) => {
                        posted("failed");
                        row.tries = row.tries.saturating_add(1);
                        let pause_us = pause_us(self.config.first_pause.us(), row.tries);
                        row.next_us = self.clock.now_us().saturating_add(pause_us);
                        row.last_error = fault;
                        break;
                    }
                    Err(fault) => {
                        posted("given_up");
                        let (kind, error) = (event.kind.clone(), fault.clone());
                        let dead = DeadRow { cursor, kind, error, given_up_us: self.clock.now_us() };
                        self.store.bury(row.office, &dead).await?;
                        row.last_error.clone_from(&fault);
                        hopeless = Some(fault);
                    }
                }
            }
            row.cursor = cursor;
            row.tries = 0;
            row.next_us = 0;
            let longer_us = self.clock.now_us() + LEASE_US;
            if !self.store.note_webhook(&row, *lease_us, longer_us).await? {
                return Ok(());
            }
            *lease_us = longer_us;
        }
        if hopeless.is_some() {
            row.next_us = self.clock.now_us().saturating_add(pause_us(self.config.first_pause.us(), 3));
        }
        self.store.note_webhook(&row, *lease_us, 0).await.map(|_| ())
    }

    /// Whether an event that was not taken is young enough for another try.
    fn may_try_again(&self, row: &WebhookRow, event: &Event) -> bool {
        let since_us = event.time_us.max(row.changed_us);
        self.clock.now_us().saturating_sub(since_us) < self.config.give_up_after.us()
    }

    async fn tell(
        &self,
        postman: &Postman,
        row: &WebhookRow,
        cursor: Cursor,
        event: &Event,
    ) -> Result<(), String> {
        let about = event.parcel();
        let body = body(
            &event.kind,
            event.time_us,
            &Data {
                office: row.office.as_str(),
                epoch: cursor.epoch,
                number: cursor.number,
                parcel: about.map(|key| key.id.to_string()),
                sender: about.map(|key| key.sender.to_string()),
                recipient: event.office("recipient").map(|office| office.to_string()),
            },
        );
        let id = format!("{}-{}-{}", row.office, cursor.epoch, cursor.number);
        let seconds = self.clock.now_us().div_euclid(1_000_000);
        postman.post(&row.url, &row.key, Letter { id: &id, seconds, body: &body }).await
    }
}

fn body(kind: &str, time_us: i64, data: &Data<'_>) -> String {
    let data = Data {
        parcel: data.parcel.clone(),
        sender: data.sender.clone(),
        recipient: data.recipient.clone(),
        ..*data
    };
    let body = Body { r#type: kind, timestamp: time::format_us(time_us), data };
    serde_json::to_string(&body).expect("strings and numbers always serialise")
}

fn posted(outcome: &'static str) {
    metrics::counter!("tasuki_webhook_posts_total", "outcome" => outcome).increment(1);
}

/// Pause after so many failed tries.
fn pause_us(first_us: i64, tries: u32) -> i64 {
    let doubled = tries.saturating_sub(1).min(20);
    first_us.saturating_mul(1 << doubled).min(LONGEST_PAUSE_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour() {
        let pauses = [1, 2, 3, 9, 10, 4_000_000_000].map(|tries| pause_us(10_000_000, tries) / 1_000_000);
        assert_eq!(pauses, [10, 20, 40, 2560, 3600, 3600]);
    }

    #[test]
    fn a_letter_names_what_to_look_at_and_nothing_more() {
        let data = Data {
            office: "9971100012",
            epoch: 1,
            number: 42,
            parcel: Some("0193a3f0-8a1b-7c2d-8e3f-000000000000".to_owned()),
            sender: Some("1371215102".to_owned()),
            recipient: None,
        };
        assert_eq!(
            body("parcel.delivered", 1_795_261_114_000_123, &data),
            "{\"type\":\"parcel.delivered\",\"timestamp\":\"2026-11-21T11:38:34.000123Z\",\"data\":{\"office\":\
             \"9971100012\",\"epoch\":1,\"number\":42,\"parcel\":\"0193a3f0-8a1b-7c2d-8e3f-000000000000\",\
             \"sender\":\"1371215102\"}}"
        );
    }
}
