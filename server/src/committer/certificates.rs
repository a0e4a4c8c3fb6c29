//! Certificates as they come, end and are revoked: what is remembered of them, and who is told.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::{reason, time};

use super::apply::{Answer, Applied, Draft};
use super::batch::GiveUp;
use super::change::{Certifying, Refused, Renewing};
use super::events::Entry;
use crate::store::Tx;
use crate::store::alerts::{Alert, NEW_KEY};
use crate::store::certificates::{Bearer, CertificateKey, CertificateRow};
use crate::store::offices::{KeyKind, KeyRow, OfficeState};
use crate::store::proxies::ProxyKeyRow;

const DAY_US: i64 = 86_400 * 1_000_000;

/// Days before its end at which somebody is told, once each; 0: it has ended.
const TOLD_AT: [i64; 4] = [90, 30, 7, 0];

/// Who would be told so long after a certificate's end is not told any more: it is no news.
const STALE_US: i64 = 7 * DAY_US;

/// Parties that one event names: its text stays small, also for a proxy of thousands of offices.
const PARTIES: usize = 100;

impl CertificateRow {
    /// One that was just seen: the first warning is due when it comes near its end, or at once.
    pub fn seen(bearer: Bearer, certificate: &[u8], fingerprint: [u8; 32], not_after_us: i64) -> Self {
        Self {
            bearer,
            fingerprint,
            certificate: certificate.to_vec(),
            not_after_us,
            due_us: not_after_us.saturating_sub(TOLD_AT[0] * DAY_US).max(1),
            revoked_us: 0,
            renews: None,
            renewal: Vec::new(),
        }
    }

    /// What is to be said now, in days before the end, and when the next is due (0: never).
    fn step(&self, now_us: i64) -> (i64, i64) {
        let left_us = self.not_after_us.saturating_sub(now_us);
        let passed = TOLD_AT.iter().take_while(|days| left_us <= **days * DAY_US).count();
        let days = TOLD_AT[passed.saturating_sub(1)];
        let next = TOLD_AT.get(passed).map_or(0, |days| self.not_after_us.saturating_sub(days * DAY_US));
        (days, next)
    }
}

impl Draft<'_> {
    pub(super) async fn certify(&mut self, tx: &mut Tx, certifying: &Certifying) -> Answer {
        match certifying {
            Certifying::Seen(row) => self.seen(tx, row).await,
            Certifying::Renewed(renewing) => self.renewed(tx, renewing).await,
            Certifying::Ending(key) => self.ending(tx, key).await,
            Certifying::Revoked(key) => self.revoked(tx, key).await,
        }
    }

    /// Remembers a certificate that parcels can't be sealed to. Whoever seals to it has its own change.
    async fn seen(&mut self, tx: &mut Tx, row: &CertificateRow) -> Answer {
        let office = row.bearer.office();
        if let Some(office) = office
            && self.store.office_in(tx, office).await?.is_none()
        {
            return Ok(Err(Refused::Office));
        }
        if !self.store.insert_certificate(tx, row, self.scribe.time_us).await? {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        if let Some(office) = office
            && self.store.certificates_of(tx, &row.bearer).await? > 1
        {
            self.alert(tx, NEW_KEY, office).await?;
        }
        let kind = if office.is_some() { kind::KEY_REGISTERED } else { kind::PROXY_KEY_REGISTERED };
        let written = self.scribe.write(kind, 0, office.as_slice(), self.ends, |event| {
            match &row.bearer {
                Bearer::Proxy(number) => event.lines.add("proxy", number.as_str()),
                Bearer::Office(office) | Bearer::Terminal(office, _) => {
                    event.lines.add("office", office.as_str());
                }
            }
            event.lines.add("key", &digest_text(&row.fingerprint));
            event.lines.add("key-kind", "signing");
        })?;
        Ok(Ok(Applied::event(written)))
    }

    /// Puts a certificate in the place of another; both are good until the older one ends.
    async fn renewed(&mut self, tx: &mut Tx, renewing: &Renewing) -> Answer {
        let Renewing { row, not_after_us, may_encrypt, mandate } = renewing;
        let Some(renews) = &row.renews else { return Ok(Err(Refused::Because(reason::RENEWAL_INVALID))) };
        let at_us = self.scribe.time_us;
        if let Some(office) = row.bearer.office() {
            let live = self.store.office_in(tx, office).await?;
            if live.is_none_or(|office| office.state != OfficeState::Active) {
                return Ok(Err(Refused::Because(reason::CALLER_SUSPENDED)));
            }
        }
        // Two computers with one key: the first one has the next key, the other one is told so.
        if self.store.is_renewed(tx, &row.bearer, renews).await? {
            return Ok(Err(Refused::Because(reason::RENEWED_ALREADY)));
        }
        if let Some(mandate) = mandate
            && !self.store.renew_terminal(tx, mandate).await?
        {
            return Ok(Err(Refused::Because(reason::RENEWED_ALREADY)));
        }
        self.store.insert_certificate(tx, row, at_us).await?;
        self.head.directory += 1;
        let parties = match &row.bearer {
            Bearer::Office(office) => {
                if *may_encrypt {
                    let key = KeyRow {
                        office: *office,
                        kind: KeyKind::Certificate,
                        key: row.certificate.clone(),
                        fingerprint: row.fingerprint,
                        approval: Vec::new(),
                        not_after_us: *not_after_us,
                        registered_us: at_us,
                    };
                    self.store.insert_key(tx, &key, at_us).await?;
                    self.store.touch_office(tx, *office, self.head.directory).await?;
                }
                vec![*office]
            }
            Bearer::Terminal(office, _) => vec![*office],
            Bearer::Proxy(number) => {
                if *may_encrypt {
                    let key = ProxyKeyRow {
                        proxy: *number,
                        key: row.certificate.clone(),
                        fingerprint: row.fingerprint,
                        not_after_us: *not_after_us,
                        registered_us: at_us,
                    };
                    self.store.insert_proxy_key(tx, &key, at_us).await?;
                }
                self.store.offices_of_proxy(tx, *number, at_us).await?
            }
        };
        if let Some(office) = row.bearer.office() {
            self.alert(tx, NEW_KEY, office).await?;
        }
        let written = self
            .tell_parties(tx, kind::KEY_RENEWED, &parties, |event| {
                lines_of(event, row);
                event.lines.add("previous", &digest_text(renews));
                event.lines.add("not-after", &time::format_us(row.not_after_us));
                event.lines.add("renewal", &digest_text(&sha256(&row.renewal)));
            })
            .await?;
        Ok(Ok(Applied::event(written)))
    }

    /// Raises an alert about an office, now.
    pub(super) async fn alert(
        &mut self,
        tx: &mut Tx,
        code: &'static str,
        office: OfficeNumber,
    ) -> Result<(), GiveUp> {
        let at_us = self.scribe.time_us;
        let alert = Alert { code, office, period_us: at_us, at_us, count: 1, usual: 0 };
        // Told now, and once more if the batch is tried again: too often rather than not.
        if self.store.raise_in(tx, &alert).await? {
            alert.tell();
        }
        Ok(())
    }

    /// Tells that a certificate ends soon, or has ended, as far as that is due.
    async fn ending(&mut self, tx: &mut Tx, key: &CertificateKey) -> Answer {
        let now_us = self.scribe.time_us;
        let nothing = Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        let due = |row: &CertificateRow| row.due_us != 0 && row.due_us <= now_us;
        let Some(row) = self.store.certificate_in(tx, key).await?.filter(due) else { return nothing };
        let (days, due_us) = row.step(now_us);
        let row = CertificateRow { due_us, ..row };
        self.store.note_certificate(tx, &row).await?;
        // Also where nobody is told: it is not due any more.
        self.quiet = true;
        let stale = now_us.saturating_sub(row.not_after_us) > STALE_US;
        // Who has another one already has renewed it.
        if stale
            || row.revoked_us != 0
            || self.store.has_later_certificate(tx, &row, row.not_after_us).await?
        {
            return nothing;
        }
        let parties = match &row.bearer {
            Bearer::Office(office) => vec![*office],
            Bearer::Terminal(office, _) => {
                let live = self.store.mandates_in(tx, *office, now_us.min(row.not_after_us - 1)).await?;
                if !live.iter().any(|mandate| mandate.fingerprint == row.fingerprint) {
                    return nothing;
                }
                vec![*office]
            }
            Bearer::Proxy(number) => self.store.offices_of_proxy(tx, *number, now_us).await?,
        };
        metrics::counter!("tasuki_certificates_ending_total", "days" => days.to_string()).increment(1);
        tracing::warn!(holder = %row.bearer, days, "a certificate ends");
        let written = self
            .tell_parties(tx, kind::CERTIFICATE_ENDING, &parties, |event| {
                lines_of(event, &row);
                event.lines.add("not-after", &time::format_us(row.not_after_us));
                event.lines.add("days", &days.to_string());
            })
            .await?;
        Ok(Ok(Applied::event(written)))
    }

    /// Tells that a certificate was revoked: its office, and whose parcels wait for an office that has no other.
    async fn revoked(&mut self, tx: &mut Tx, key: &CertificateKey) -> Answer {
        let now_us = self.scribe.time_us;
        let good = |row: &CertificateRow| row.revoked_us == 0;
        let Some(row) = self.store.certificate_in(tx, key).await?.filter(good) else {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        };
        let row = CertificateRow { due_us: 0, revoked_us: now_us, ..row };
        self.store.note_certificate(tx, &row).await?;
        let mut parties = match &row.bearer {
            Bearer::Office(office) | Bearer::Terminal(office, _) => vec![*office],
            Bearer::Proxy(number) => self.store.offices_of_proxy(tx, *number, now_us).await?,
        };
        let mut waiting = 0;
        if let Bearer::Office(office) = &row.bearer
            && !self.store.has_later_certificate(tx, &row, now_us).await?
        {
            let mut senders = self.store.senders_waiting_for(tx, *office).await?;
            waiting = senders.len();
            senders.retain(|sender| sender != office);
            parties.extend(senders);
        }
        tracing::warn!(holder = %row.bearer, waiting, "a certificate is revoked");
        let written = self
            .tell_parties(tx, kind::KEY_REVOKED, &parties, |event| {
                lines_of(event, &row);
                if waiting > 0 {
                    event.lines.add("parcels-wait", "yes");
                }
            })
            .await?;
        Ok(Ok(Applied::event(written)))
    }

    /// Writes an event for many parties, as several where they are too many for one. Returns the first.
    async fn tell_parties(
        &mut self,
        tx: &mut Tx,
        kind: &str,
        parties: &[OfficeNumber],
        lines: impl Fn(&mut Event),
    ) -> Result<Entry, GiveUp> {
        self.ends.load(self.store, tx, self.scribe.epoch, parties.iter().copied()).await?;
        let (first, rest) = parties.split_at(parties.len().min(PARTIES));
        let written = self.scribe.write(kind, 0, first, self.ends, &lines)?;
        for more in rest.chunks(PARTIES) {
            self.scribe.write(kind, 0, more, self.ends, &lines)?;
        }
        Ok(written)
    }
}

/// Whose certificate, and which.
fn lines_of(event: &mut Event, row: &CertificateRow) {
    if let Some(office) = row.bearer.office() {
        event.lines.add("office", office.as_str());
    }
    event.lines.add("holder", &row.bearer.to_string());
    event.lines.add("key", &digest_text(&row.fingerprint));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_threshold_is_said_once_and_what_was_missed_is_not_made_up_for() {
        const END_US: i64 = 1_795_261_114_000_000;
        let row = CertificateRow::seen(Bearer::Proxy("P00001".parse().unwrap()), b"", [0; 32], END_US);
        let before = |days: i64| END_US - days * DAY_US;
        assert_eq!(row.due_us, before(90));
        for (now_us, step) in [
            (before(90), (90, before(30))),
            (before(31), (90, before(30))),
            (before(30), (30, before(7))),
            (before(5), (7, before(0))),
            (before(0), (0, 0)),
            (END_US + DAY_US, (0, 0)),
        ] {
            assert_eq!(row.step(now_us), step);
        }
        // One that came with a few days left is due at once.
        assert_eq!(CertificateRow::seen(row.bearer, b"", [0; 32], 0).due_us, 1);
    }
}
