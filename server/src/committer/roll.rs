//! The log's key hands over to another: in one transaction with the event that tells of it, and for every process on this database.

use tasuki_proto::canonical::{digest_text, hex};
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::log::LogError;
use tasuki_proto::log::roll::{KeyRoll, MAX_ROLLS};
use tasuki_proto::reason;

use super::apply::{Answer, Applied, Draft};
use super::batch::{GiveUp, Writer};
use super::change::{Refused, Rolling};
use crate::boot;
use crate::log_key;
use crate::store::settings::LOG_KEY_ROLLS;
use crate::store::{StoreError, Tx};

impl Draft<'_> {
    pub(super) async fn roll_log_key(&mut self, tx: &mut Tx, rolling: &Rolling) -> Answer {
        let Rolling { new, emergency, reason } = rolling;
        // One at a time: the second would hand over what the first has not signed anything with.
        if self.rolled.is_some() || self.signer.rolls().len() >= MAX_ROLLS {
            return Ok(Err(Refused::Conflict));
        }
        let fatal = |error: tasuki_proto::log::LogError| GiveUp::Fatal(error.into());
        let last = self.signer.verifier().open(&self.head.note).map_err(fatal)?;
        let until = (last.epoch, last.size);
        let roll = KeyRoll::make(self.signer, new, until, last.root, *emergency, self.scribe.time_us);
        let roll = match roll {
            Ok(roll) => roll,
            Err(LogError::Token(_)) => {
                return Err(GiveUp::NotNow("the token with the log's key can't be used"));
            }
            Err(_) => return Ok(Err(Refused::Because(reason::NOT_ALLOWED))),
        };
        let mut rolls = self.signer.rolls().to_vec();
        rolls.push(roll.clone());
        // A key that has signed before, for example, does not come back.
        let Ok(rolled) = new.clone().with_rolls(rolls) else {
            return Ok(Err(Refused::Because(reason::NOT_ALLOWED)));
        };
        self.store.put_setting(tx, LOG_KEY_ROLLS, &lines(rolled.rolls())).await?;
        let written = self.scribe.write(kind::LOG_KEY_ROLLED, 0, &[], self.ends, |event| {
            event.lines.add("old-key", &hex(&roll.old));
            event.lines.add("new-key", &hex(&roll.new));
            event.lines.add("emergency", if *emergency { "yes" } else { "no" });
            event.lines.add("until-epoch", &until.0.to_string());
            event.lines.add("until-size", &until.1.to_string());
            event.lines.add("roll", &digest_text(&sha256(&roll.note)));
            event.lines.add("reason", reason);
            if *emergency {
                event.lines.add("urgent", "yes");
                event.lines.add("ja", "記録の鍵を緊急に取り替えました。何もする必要はありません。");
                event
                    .lines
                    .add("en", "The log's key was replaced in an emergency. There is nothing for you to do.");
            } else {
                event.lines.add("ja", "記録の鍵を予定どおり取り替えました。何もする必要はありません。");
                event
                    .lines
                    .add("en", "The log's key was replaced on schedule. There is nothing for you to do.");
            }
        })?;
        self.store.insert_notice(tx, written.position, &[]).await?;
        self.rolled = Some(rolled);
        Ok(Ok(Applied::event(written)))
    }
}

impl Writer {
    /// Everybody in this process verifies by the signer's key from now on.
    pub(super) fn use_key(&mut self) {
        let verifier = self.signer.verifier();
        self.witness.set_key(verifier.clone());
        self.ledger.set_key(verifier);
    }

    /// Another process may have handed the key over: takes the new one from its file, if the database knows the roll.
    pub(super) async fn reload_key(&mut self) -> Result<(), GiveUp> {
        let Some(file) = &self.key_file else { return Ok(()) };
        let rolls = boot::rolls(&self.store).await?;
        match log_key::load(file, &rolls) {
            Ok(signer) => {
                tracing::info!(log.rolls = signer.rolls().len(), "the log's key was handed over");
                self.signer = signer;
                self.use_key();
            }
            // The head, which does not open, says the rest.
            Err(error) => {
                tracing::error!(%error, "the log's key was handed over, and the new one is not here");
            }
        }
        Ok(())
    }

    /// Has the database know the rolls that stand beside the key: it may have been set back to before one.
    pub(super) async fn keep_rolls(&self) -> Result<(), StoreError> {
        let own = self.signer.rolls();
        if own.is_empty() || boot::rolls(&self.store).await? == own {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        self.store.put_setting(&mut tx, LOG_KEY_ROLLS, &lines(own)).await?;
        Ok(tx.commit().await?)
    }
}

fn lines(rolls: &[KeyRoll]) -> String {
    rolls.iter().map(KeyRoll::line).collect::<Vec<_>>().join("\n")
}
