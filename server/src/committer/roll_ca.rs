//! The issuing CA hands over to a new key: in one transaction with the event that tells of it.

use tasuki_certs::handover::{Handover, MAX_HANDOVERS};
use tasuki_proto::event::kind;
use tasuki_proto::{ca_roll, reason};

use super::apply::{Answer, Applied, Draft};
use super::change::{CaRolling, Refused};
use crate::ca_rolls::{self, CaRoll};
use crate::store::Tx;
use crate::store::settings::CA_ROLLS;

impl Draft<'_> {
    pub(super) async fn roll_ca(&mut self, tx: &mut Tx, rolling: &CaRolling) -> Answer {
        let CaRolling { previous, next, cross, withdrawn_us, emergency, reason, scheduled } = rolling;
        let known = self.store.setting_in(tx, CA_ROLLS).await?;
        let mut rolls = known.map(|text| ca_rolls::parse(&text)).unwrap_or_default();
        if rolls.iter().any(|roll| roll.handover.next == *next) {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        // Two at once would both hand over the same key.
        if rolls.len() >= MAX_HANDOVERS || rolls.iter().any(|roll| roll.handover.previous == *previous) {
            return Ok(Err(Refused::Conflict));
        }
        let handover = Handover {
            previous: previous.clone(),
            next: next.clone(),
            // What a stolen key says of its successor is worth nothing.
            cross: cross.clone().filter(|_| !emergency),
            withdrawn_us: emergency.then_some(withdrawn_us.unwrap_or(self.scribe.time_us)),
        };
        // What goes into the log is what clients will follow.
        if ca_roll::from_line(&ca_roll::line(&handover)).as_ref() != Some(&handover) {
            return Ok(Err(Refused::Because(reason::NOT_ALLOWED)));
        }
        let (ja, en) = told(*emergency);
        let written = self.scribe.write(kind::CA_ROLLED, 0, &[], self.ends, |event| {
            ca_roll::write(&handover, event);
            event.lines.add("reason", reason);
            if *scheduled {
                event.lines.add("scheduled", "yes");
            }
            if *emergency {
                event.lines.add("urgent", "yes");
            }
            event.lines.add("ja", ja);
            event.lines.add("en", en);
        })?;
        rolls.push(CaRoll { at: written.position, handover });
        ca_rolls::keep(self.store, tx, &rolls).await?;
        // Whose keys count may have changed.
        self.head.directory += 1;
        self.store.insert_notice(tx, written.position, &[]).await?;
        Ok(Ok(Applied::event(written)))
    }
}

/// What offices read of it.
fn told(emergency: bool) -> (&'static str, &'static str) {
    if emergency {
        (
            "証明書を発行する認証局の鍵を緊急に取り替えました。以前の鍵で発行した証明書は使えません。運用主体から新しい証明書を受け取ってください。",
            "The key of the CA that issues certificates was replaced in an emergency. Certificates under the key before count no more: get a new one from the operator.",
        )
    } else {
        (
            "証明書を発行する認証局の鍵を予定どおり取り替えました。何もする必要はありません。",
            "The key of the CA that issues certificates was replaced on schedule. There is nothing for you to do.",
        )
    }
}
