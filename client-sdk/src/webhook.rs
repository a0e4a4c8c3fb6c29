//! The own office's webhook: a program that the relay tells over HTTPS of what happens. See `webhook.proto` for what it is told.

use tasuki_proto::{pb, time};

use crate::client::Client;
use crate::error::SdkError;

/// A webhook, and how it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where the program is.
    pub url: String,
    /// Epoch and number of the last event that was taken, or given up.
    pub place: (u64, u64),
    /// Tries of the next one that failed.
    pub tries: u32,
    /// Why the last try failed, in the relay's words; empty: it did not.
    pub last_error: String,
    /// When the next try is, Unix microseconds; `None`: when something happens.
    pub next_try_us: Option<i64>,
    /// When an event was last taken, Unix microseconds.
    pub delivered_us: Option<i64>,
    /// The newest events that were given up, newest first.
    pub dead: Vec<DeadLetter>,
}

/// An event that nobody took in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Epoch and number in the own feed.
    pub place: (u64, u64),
    /// Kind of the event.
    pub kind: String,
    /// Why the last try failed.
    pub error: String,
    /// When it was given up, Unix microseconds.
    pub given_up_us: Option<i64>,
}

impl Client {
    /// Sets the webhook, in place of an earlier one, and returns the key of its signatures (`whsec_…`), which the relay shows
    /// this once. Told is what happens from now on.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// let key = client.set_webhook("https://care.example/tasuki").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses: `WEBHOOK_URL`, `WEBHOOKS_NOT_OFFERED`.
    pub async fn set_webhook(&self, url: &str) -> Result<String, SdkError> {
        let caller = &self.inner.caller;
        let request = pb::SetWebhookRequest { url: url.to_owned(), ..Default::default() };
        let mut webhooks = caller.webhooks();
        // Not repeated: each makes a new key, and only the last one holds.
        Ok(caller.once(webhooks.set(request)).await?.key)
    }

    /// The webhook; `None`: there is none.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn webhook(&self) -> Result<Option<Webhook>, SdkError> {
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut webhooks = caller.webhooks();
            async move { webhooks.get(pb::GetWebhookRequest::default()).await }
        });
        let answer = answer.await?;
        let dead = |dead: pb::DeadLetter| DeadLetter {
            place: (dead.epoch, dead.number),
            kind: dead.r#type,
            error: dead.error,
            given_up_us: time::parse_us(&dead.given_up_at),
        };
        Ok((!answer.url.is_empty()).then(|| Webhook {
            url: answer.url,
            place: (answer.epoch, answer.number),
            tries: answer.tries,
            last_error: answer.last_error,
            next_try_us: time::parse_us(&answer.next_try_at),
            delivered_us: time::parse_us(&answer.delivered_at),
            dead: answer.dead.into_iter().map(dead).collect(),
        }))
    }

    /// Takes the webhook away. False: there was none.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn remove_webhook(&self) -> Result<bool, SdkError> {
        let caller = &self.inner.caller;
        let answer = caller.repeat(|| {
            let mut webhooks = caller.webhooks();
            async move { webhooks.remove(pb::GetWebhookRequest::default()).await }
        });
        Ok(answer.await?.removed)
    }

    /// Has the relay post one event of the type `webhook.test` now. `Err` inside: why the program did not take it.
    ///
    /// # Errors
    /// The relay can't be reached or refuses: `WEBHOOK_NONE`.
    pub async fn test_webhook(&self) -> Result<Result<(), String>, SdkError> {
        let caller = &self.inner.caller;
        let mut webhooks = caller.webhooks();
        let answer = caller.once(webhooks.test(pb::GetWebhookRequest::default())).await?;
        Ok(if answer.error.is_empty() { Ok(()) } else { Err(answer.error) })
    }
}
