//! Who else may act for an office: what is done to mandates and proxies, with its events.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::mandate::KeepTerminal;
use tasuki_proto::{reason, time};

use super::apply::{Answer, Applied, Draft};
use super::batch::GiveUp;
use super::change::{Mandating, Paper, Refused};
use super::events::Entry;
use crate::store::Tx;
use crate::store::alerts::NEW_TERMINAL;
use crate::store::certificates::{Bearer, CertificateRow};
use crate::store::mandates::{Holder, MAX_MANDATES, MandateRow};
use crate::store::proxies::{ProxyKeyRow, ProxyRow, ProxyState};

impl Draft<'_> {
    pub(super) async fn mandate(&mut self, tx: &mut Tx, mandating: &Mandating) -> Answer {
        match mandating {
            Mandating::Give { row, by, paper } => self.give(tx, row, by, paper.as_ref()).await,
            Mandating::End { office, digest, by, paper } => {
                let row = self.store.mandate_in(tx, digest).await?.filter(|row| row.office == *office);
                let Some(row) = row else { return Ok(Err(Refused::Because(reason::MANDATE_NOT_FOUND))) };
                if row.ended_us != 0 {
                    return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
                }
                let written = self.end(tx, &row, by, paper.as_ref(), None).await?;
                Ok(Ok(Applied::event(written)))
            }
            Mandating::Lapse { digest, unused_since_us, .. } => {
                self.lapse(tx, digest, *unused_since_us).await
            }
            Mandating::Enrol(row) => self.enrol(tx, row).await,
            Mandating::Keep { row, said, by, paper } => self.keep_terminal(tx, row, said, by, paper).await,
            Mandating::PutProxy(row) => self.put_proxy(tx, row).await,
            Mandating::RegisterProxyKey(key) => self.register_proxy_key(tx, key).await,
        }
    }

    async fn give(&mut self, tx: &mut Tx, row: &MandateRow, by: &str, paper: Option<&Paper>) -> Answer {
        match self.store.office_in(tx, row.office).await? {
            None => return Ok(Err(Refused::Office)),
            Some(office) => {
                if let Some(word) = office.state.refuses_as_caller() {
                    return Ok(Err(Refused::Because(word)));
                }
            }
        }
        if let Some(known) = self.store.mandate_in(tx, &row.digest).await? {
            // A paper that was ended is over, whoever hands it in again.
            return Ok(if known.ended_us == 0 {
                Ok(Applied { repeated: true, ..Applied::default() })
            } else {
                Err(Refused::Because(reason::MANDATE_ENDED))
            });
        }
        if let Holder::Proxy(number) = &row.holder {
            match self.store.proxy_in(tx, *number).await? {
                None => return Ok(Err(Refused::Because(reason::PROXY_UNKNOWN))),
                Some(proxy) if proxy.state != ProxyState::Active => {
                    return Ok(Err(Refused::Because(reason::PROXY_SUSPENDED)));
                }
                Some(_) => {}
            }
        }
        let live = self.store.mandates_in(tx, row.office, self.scribe.time_us).await?;
        let (same, others): (Vec<_>, Vec<_>) = live.into_iter().partition(|m| m.holder == row.holder);
        if matches!(row.holder, Holder::Terminal(_)) && !same.is_empty() {
            return Ok(Err(Refused::Because(reason::TERMINAL_NAME_USED)));
        }
        if others.len() >= MAX_MANDATES as usize {
            return Ok(Err(Refused::Because(reason::TOO_MANY_MANDATES)));
        }
        self.archive_behind(tx, paper).await?;
        // A proxy has one mandate of an office: the new one takes the place of the one before.
        for before in same {
            self.end(tx, &before, by, None, Some(("replaced-by", &digest_text(&row.digest)))).await?;
        }
        let row = MandateRow { made_us: self.scribe.time_us, ..row.clone() };
        self.store.insert_mandate(tx, &row).await?;
        self.head.directory += 1;
        let kind = match row.holder {
            Holder::Proxy(_) => kind::MANDATE_DELEGATED,
            Holder::Terminal(_) => kind::MANDATE_INVITED,
        };
        let written = self.scribe.write(kind, 0, &[row.office], self.ends, |event| {
            about(event, &row, by);
            event.lines.add("scopes", &row.scopes.to_string());
            event.lines.add("from", &time::format_us(row.from_us));
            event.lines.add("until", &time::format_us(row.until_us));
            if row.confirm {
                event.lines.add("confirm", "office");
            }
            signed(event, paper);
        })?;
        Ok(Ok(Applied::event(written)))
    }

    pub(super) async fn end(
        &mut self,
        tx: &mut Tx,
        row: &MandateRow,
        by: &str,
        paper: Option<&Paper>,
        why: Option<(&'static str, &str)>,
    ) -> Result<Entry, GiveUp> {
        self.archive_behind(tx, paper).await?;
        let statement = paper.map(|paper| paper.cms.as_slice()).unwrap_or_default();
        self.store.end_mandate(tx, &row.digest, self.scribe.time_us, statement).await?;
        self.head.directory += 1;
        Ok(self.scribe.write(kind::MANDATE_ENDED, 0, &[row.office], self.ends, |event| {
            about(event, row, by);
            if let Some((key, value)) = why {
                event.lines.add(key, value);
            }
            signed(event, paper);
        })?)
    }

    async fn lapse(&mut self, tx: &mut Tx, digest: &[u8; 32], unused_since_us: i64) -> Answer {
        let idle = |m: &MandateRow| m.ended_us == 0 && m.last_used_us.max(m.enrolled_us) <= unused_since_us;
        let Some(row) = self.store.mandate_in(tx, digest).await?.filter(idle) else {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        };
        let written = self.end(tx, &row, "relay", None, Some(("reason", "idle"))).await?;
        Ok(Ok(Applied::event(written)))
    }

    async fn enrol(&mut self, tx: &mut Tx, row: &MandateRow) -> Answer {
        let row = MandateRow { enrolled_us: self.scribe.time_us, ..row.clone() };
        let live = self.store.office_in(tx, row.office).await?;
        let word = live.map_or(Some(reason::CALLER_UNKNOWN), |office| office.state.refuses_as_caller());
        if let Some(word) = word {
            return Ok(Err(Refused::Because(word)));
        }
        if !self.store.enrol(tx, &row).await? {
            return Ok(Err(Refused::Because(reason::CODE_USED)));
        }
        self.remember_terminal(tx, &row).await?;
        self.alert(tx, NEW_TERMINAL, row.office).await?;
        self.head.directory += 1;
        let written = self.scribe.write(kind::MANDATE_ENROLLED, 0, &[row.office], self.ends, |event| {
            about(event, &row, &row.holder.identity(row.office));
            event.lines.add("key", &digest_text(&sha256(&row.certificate)));
            event.lines.add("until", &time::format_us(row.until_us));
        })?;
        Ok(Ok(Applied::event(written)))
    }

    /// Lets a terminal go on under another certificate of its office, whose word takes the place of the one before.
    async fn keep_terminal(
        &mut self,
        tx: &mut Tx,
        row: &MandateRow,
        said: &KeepTerminal,
        by: &str,
        paper: &Paper,
    ) -> Answer {
        let refused = |word| Ok(Err(Refused::Because(word)));
        let office = self.store.office_in(tx, row.office).await?;
        if let Some(word) = office.map_or(Some(reason::CALLER_UNKNOWN), |o| o.state.refuses_as_caller()) {
            return refused(word);
        }
        let Some(live) =
            self.store.mandate_in(tx, &row.digest).await?.filter(|live| live.office == row.office)
        else {
            return refused(reason::MANDATE_NOT_FOUND);
        };
        if live.cms == paper.cms {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        if live.ended_us != 0 || self.store.was_replaced(tx, &row.digest, &paper.cms).await? {
            return refused(reason::MANDATE_ENDED);
        }
        if !live.is_meant_by(said) {
            return refused(reason::MANDATE_INVALID);
        }
        // Its time may have been over, and somebody else may have got its name.
        let all = self.store.mandates_in(tx, row.office, self.scribe.time_us).await?;
        let others = all.iter().filter(|other| other.digest != row.digest);
        if others.clone().any(|other| other.holder == live.holder) {
            return refused(reason::TERMINAL_NAME_USED);
        }
        if others.count() >= MAX_MANDATES as usize {
            return refused(reason::TOO_MANY_MANDATES);
        }
        self.archive_behind(tx, Some(paper)).await?;
        if !self.store.keep_terminal(tx, row, self.scribe.time_us).await? {
            // It renewed its key just now, and may go on longer than was reckoned.
            return refused(reason::RENEWED_ALREADY);
        }
        self.remember_terminal(tx, row).await?;
        self.head.directory += 1;
        let written = self.scribe.write(kind::MANDATE_KEPT, 0, &[row.office], self.ends, |event| {
            about(event, row, by);
            event.lines.add("key", &digest_text(&sha256(&row.certificate)));
            event.lines.add("until", &time::format_us(row.until_us));
            signed(event, Some(paper));
        })?;
        Ok(Ok(Applied::event(written)))
    }

    /// Remembers when a terminal's certificate ends.
    async fn remember_terminal(&mut self, tx: &mut Tx, row: &MandateRow) -> Result<(), GiveUp> {
        if let Holder::Terminal(name) = &row.holder {
            let bearer = Bearer::Terminal(row.office, name.clone());
            let fingerprint = sha256(&row.certificate);
            let seen = CertificateRow::seen(bearer, &row.certificate, fingerprint, row.until_us);
            if !self.store.insert_certificate(tx, &seen, self.scribe.time_us).await? {
                // Known already: it ends at another time now.
                self.store.note_certificate(tx, &seen).await?;
            }
        }
        Ok(())
    }

    async fn put_proxy(&mut self, tx: &mut Tx, row: &ProxyRow) -> Answer {
        if self.store.proxy_in(tx, row.number).await?.as_ref() == Some(row) {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        self.store.put_proxy(tx, row, self.scribe.time_us).await?;
        self.head.directory += 1;
        let written = self.scribe.write(kind::PROXY_CHANGED, 0, &[], self.ends, |event| {
            event.lines.add("proxy", row.number.as_str());
            event.lines.add("name", &row.name);
            event.lines.add("state", row.state.as_str());
        })?;
        Ok(Ok(Applied::event(written)))
    }

    async fn register_proxy_key(&mut self, tx: &mut Tx, key: &ProxyKeyRow) -> Answer {
        if self.store.proxy_in(tx, key.proxy).await?.is_none() {
            return Ok(Err(Refused::Because(reason::PROXY_UNKNOWN)));
        }
        if !self.store.insert_proxy_key(tx, key, self.scribe.time_us).await? {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        let bearer = Bearer::Proxy(key.proxy);
        let seen = CertificateRow::seen(bearer, &key.key, key.fingerprint, key.not_after_us);
        self.store.insert_certificate(tx, &seen, self.scribe.time_us).await?;
        self.head.directory += 1;
        let written = self.scribe.write(kind::PROXY_KEY_REGISTERED, 0, &[], self.ends, |event| {
            event.lines.add("proxy", key.proxy.as_str());
            event.lines.add("key", &digest_text(&key.fingerprint));
        })?;
        Ok(Ok(Applied::event(written)))
    }

    pub(super) async fn archive_behind(&mut self, tx: &mut Tx, paper: Option<&Paper>) -> Result<(), GiveUp> {
        for item in paper.iter().flat_map(|paper| paper.archive.iter()) {
            self.store.archive(tx, item, self.scribe.time_us).await?;
        }
        Ok(())
    }

    /// Whether all of these mandates still hold, under the lock.
    pub(super) async fn hold(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
        mandates: &[[u8; 32]],
    ) -> Result<bool, GiveUp> {
        for digest in mandates {
            let row = self.store.mandate_in(tx, digest).await?;
            let now_us = self.scribe.time_us;
            let holds = |m: MandateRow| m.office == office && m.ended_us == 0 && now_us < m.until_us;
            if !row.is_some_and(holds) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Lines of every event about a mandate.
fn about(event: &mut Event, row: &MandateRow, by: &str) {
    event.lines.add("office", row.office.as_str());
    event.lines.add("holder", &row.holder.identity(row.office));
    event.lines.add("mandate", &digest_text(&row.digest));
    event.lines.add("by", by);
}

/// The office's word behind it.
fn signed(event: &mut Event, paper: Option<&Paper>) {
    if let Some(paper) = paper {
        event.lines.add("signer", &digest_text(&paper.signer));
        event.lines.add("statement", &digest_text(&sha256(&paper.cms)));
    }
}
