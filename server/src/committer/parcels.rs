//! What happens to parcels: acceptance, and everything that is done to one afterwards.

use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::lifecycle::{self, Act, Party, State, Step};
use tasuki_proto::parcel::ATTACHMENT;
use tasuki_proto::statement::Word;
use tasuki_proto::{limits, reason};

use super::apply::{Answer, Applied, Draft};
use super::batch::GiveUp;
use super::change::{Actor, Asking, Delivery, Doing, Paper, Refused, Signed};
use super::events::{self, Entry};
use crate::store::offices::OfficeState;
use crate::store::parcels::{Marks, ParcelRow};
use crate::store::partners::LinkState;
use crate::store::statements::{About, StatementRow};
use crate::store::{StoreError, Tx};

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

impl Draft<'_> {
    pub(super) async fn deliver(&mut self, tx: &mut Tx, place: usize, delivery: &mut Delivery) -> Answer {
        if delivery.directory != self.head.directory {
            // Offices changed since the parcel was checked: look again, under the lock.
            for (office, refused) in
                [(delivery.key.sender, Refused::Sender), (delivery.recipient, Refused::Recipient)]
            {
                let Some(row) = self.store.office_in(tx, office).await? else {
                    return Ok(Err(refused));
                };
                match (row.state, row.state.refuses_as_recipient()) {
                    (_, None) => {}
                    (OfficeState::Suspended, _) => return Ok(Err(refused)),
                    (state, _) if office == delivery.key.sender => {
                        let word = state.refuses_as_caller().unwrap_or(reason::CALLER_LEFT);
                        return Ok(Err(Refused::Because(word)));
                    }
                    (_, Some(word)) => return Ok(Err(Refused::Because(word))),
                }
                let standard = || delivery.files.iter().any(|file| file.kind != ATTACHMENT);
                if office == delivery.recipient && !row.standard_ready && standard() {
                    return Ok(Err(Refused::Because(reason::RECIPIENT_NOT_READY)));
                }
            }
            let link = self.store.link_in(tx, delivery.key.sender, delivery.recipient).await?;
            if delivery.partners.linked_only() && link.is_none_or(|link| link.state != LinkState::Linked) {
                return Ok(Err(Refused::Because(reason::NOT_LINKED)));
            }
            if !self.hold(tx, delivery.key.sender, &delivery.mandates).await? {
                return Ok(Err(Refused::Because(reason::MANDATE_ENDED)));
            }
        }
        if let Some(older) = delivery.supersedes {
            let older = ParcelKey { sender: delivery.key.sender, id: older };
            let known = self.store.parcel_in(tx, &older).await?;
            if known.is_none_or(|row| row.recipient != delivery.recipient) {
                return Ok(Err(Refused::Because(reason::SUPERSEDES_UNKNOWN)));
            }
        }
        if delivery.aside && !self.store.consume_intent(tx, &delivery.sealed_digest).await? {
            // It waited so long that the sweep took its content.
            return Ok(Err(Refused::Unavailable));
        }
        for item in delivery.archive.iter() {
            self.store.archive(tx, item, self.scribe.time_us).await?;
        }
        let seq = self.head.next_seq;
        self.head.next_seq += 1;
        let both = [delivery.key.sender, delivery.recipient];
        let (state, kind, parties) = match delivery.hold {
            None => (State::Delivered, kind::PARCEL_DELIVERED, &both[..]),
            Some(_) => (State::Held, kind::PARCEL_HELD, &both[..1]),
        };
        let written = self.scribe.write(kind, seq, parties, self.ends, |event| {
            events::accepted(event, delivery);
        })?;
        let row = ParcelRow {
            seq,
            key: delivery.key,
            recipient: delivery.recipient,
            state,
            digest: delivery.digest,
            sealed_digest: delivery.sealed_digest,
            container_size: delivery.container_size,
            sealed_size: delivery.sealed_size,
            files: delivery.files.clone(),
            signer: delivery.signer,
            accepted_us: self.scribe.time_us,
            fetched_us: 0,
            acknowledged_us: 0,
            position: written.position,
            marks: Marks {
                held: delivery.hold.is_some(),
                release_us: delivery.hold.unwrap_or(0),
                supersedes: delivery.supersedes,
                proxy: delivery.proxy,
                confirm: delivery.confirm,
                ..Marks::default()
            },
        };
        // Of one that was set aside the row is empty, and says that there is one.
        self.contents.push((place, seq, std::mem::take(&mut delivery.sealed)));
        self.parcels.push(row.clone());
        Ok(Ok(Applied::parcel(row, written)))
    }

    pub(super) async fn act(&mut self, tx: &mut Tx, doing: &Doing) -> Answer {
        let Some(mut row) = self.store.parcel_in(tx, &doing.key).await? else {
            return Ok(Err(Refused::NotFound));
        };
        let Some(party) = party(&row, &doing.by) else { return Ok(Err(Refused::NotFound)) };
        if let Actor::Office { office, mandate: Some(mandate), .. } = &doing.by
            && !self.hold(tx, *office, &[*mandate]).await?
        {
            return Ok(Err(Refused::Because(reason::MANDATE_ENDED)));
        }
        let step = match lifecycle::step(row.state, row.past(), doing.act, party) {
            Ok(step) => step,
            Err(reason::PARCEL_NOT_FOUND) => return Ok(Err(Refused::NotFound)),
            Err(word) => return Ok(Err(Refused::Because(word))),
        };
        if let Some(signed) = &doing.signed {
            if signed.digest != row.digest || signed.recipient != row.recipient {
                return Ok(Err(Refused::Digest));
            }
            // A remark may be made again and again, but the same paper counts once.
            if step == Step::Notes && self.store.has_statement(tx, &sha256(&signed.paper.cms)).await? {
                return Ok(Ok(Applied { parcel: Some(row), repeated: true, ..Applied::default() }));
            }
        }
        if step == Step::Repeats {
            // Of a release or a fetch it is the delivery that counts.
            let position = matches!(doing.act, Act::Release | Act::Fetch).then_some(row.position);
            return Ok(Ok(Applied { parcel: Some(row), position, repeated: true, ..Applied::default() }));
        }
        if party == Party::Relay && !self.is_due(&row, doing.act) {
            return Ok(Err(Refused::Conflict));
        }
        let left = self.left(tx, &row, doing).await?;
        if matches!(doing.by, Actor::Closing | Actor::Parted) && left.is_none() {
            // The office came back, or they are partners again.
            return Ok(Err(Refused::Conflict));
        }
        if let Some(signed) = &doing.signed
            && let Some(refused) = self.keep(tx, &row, doing, signed).await?
        {
            return Ok(Err(refused));
        }
        let held = if doing.act == Act::Release { Some(self.held_event(tx, &row).await?) } else { None };
        let next = if let Step::Moves(next) = step { Some(next) } else { None };
        if let Some(next) = next
            && !self.store.move_parcel(tx, &row, next, self.scribe.time_us, self.scribe.position()).await?
        {
            return Ok(Err(Refused::Conflict));
        }
        let written = self.note(tx, &row, doing, (held.as_ref(), left)).await?;
        self.close_behind(tx, &row, doing).await?;
        self.mark(tx, &mut row, doing, next, &written).await?;
        Ok(Ok(Applied::parcel(row, written)))
    }

    /// A time that a sweep saw coming is looked at again, under the lock.
    fn is_due(&self, row: &ParcelRow, act: Act) -> bool {
        act != Act::Release || (row.marks.release_us > 0 && row.marks.release_us <= self.scribe.time_us)
    }

    /// Keeps a statement and the certificates behind it.
    async fn keep(
        &mut self,
        tx: &mut Tx,
        row: &ParcelRow,
        doing: &Doing,
        signed: &Signed,
    ) -> Result<Option<Refused>, GiveUp> {
        // The life of a parcel goes on however much was said about it.
        let said = matches!(doing.act, Act::Remark | Act::AskWithdrawal);
        if said && self.store.statement_count(tx, row.seq).await? >= limits::MAX_STATEMENTS {
            return Ok(Some(Refused::Because(reason::TOO_MANY_STATEMENTS)));
        }
        let mandate = doing.by.mandate().copied();
        self.keep_paper(tx, About::Parcel(row.seq), signed.word.kind(), &signed.paper, mandate).await?;
        Ok(None)
    }

    async fn keep_paper(
        &mut self,
        tx: &mut Tx,
        about: About,
        kind: &'static str,
        paper: &Paper,
        mandate: Option<[u8; 32]>,
    ) -> Result<(), GiveUp> {
        for item in paper.archive.iter() {
            self.store.archive(tx, item, self.scribe.time_us).await?;
        }
        // Copies: the batch may be tried again, without a parcel that exists already.
        let statement = StatementRow {
            digest: sha256(&paper.cms),
            about,
            kind,
            cms: paper.cms.clone(),
            signer: paper.signer,
            mandate,
            text: paper.text.clone(),
            made_us: self.scribe.time_us,
        };
        Ok(self.store.insert_statement(tx, &statement).await?)
    }

    /// The event of a held parcel's acceptance.
    async fn held_event(&self, tx: &mut Tx, row: &ParcelRow) -> Result<Event, GiveUp> {
        let corrupt = || StoreError::Corrupt { table: "leaves", column: "text", row: row.seq.to_string() };
        let text = self.store.leaf_text_in(tx, row.position).await?.ok_or_else(corrupt)?;
        Ok(Event::parse(&text).map_err(|_| corrupt())?)
    }

    /// Writes the event, into the feeds of those for whom the parcel exists.
    async fn note(
        &mut self,
        tx: &mut Tx,
        row: &ParcelRow,
        doing: &Doing,
        (held, left): (Option<&Event>, Option<&'static str>),
    ) -> Result<Entry, GiveUp> {
        let both = [row.key.sender, row.recipient];
        let delivered = row.past().after(doing.act).delivered();
        let parties = if delivered { &both[..] } else { &both[..1] };
        self.ends.load(self.store, tx, self.scribe.epoch, parties.iter().copied()).await?;
        let kind = doing.act.event_kind();
        Ok(self.scribe.write(kind, row.seq, parties, self.ends, |event| {
            if let Some(held) = held {
                events::released(event, held);
            }
            events::done(event, row, doing);
            if let Some(left) = left {
                event.lines.add("reason", left);
            }
        })?)
    }

    /// What an act leaves behind besides the state.
    async fn mark(
        &mut self,
        tx: &mut Tx,
        row: &mut ParcelRow,
        doing: &Doing,
        next: Option<State>,
        written: &Entry,
    ) -> Result<(), GiveUp> {
        let time_us = self.scribe.time_us;
        let was_delivered = row.past().delivered();
        if let Some(next) = next {
            row.state = next;
            match next {
                State::Held => {}
                State::Delivered => {
                    row.marks.released_us = time_us;
                    row.position = written.position;
                }
                State::Fetched => row.fetched_us = time_us,
                State::Acknowledged => row.acknowledged_us = time_us,
                State::Imported | State::Refused | State::Recalled | State::Discarded | State::Expired => {
                    row.marks.ended_us = time_us;
                }
            }
        }
        match doing.act {
            Act::Fetch if next.is_some() => {
                if let Some(proxy) = doing.by.proxy() {
                    self.store.mark_recipient_proxy(tx, row.seq, proxy).await?;
                    row.marks.recipient_proxy = Some(proxy);
                }
            }
            Act::HandOver => {
                self.store.mark_handed_over(tx, row.seq, time_us).await?;
                row.marks.handed_us = time_us;
            }
            _ => {}
        }
        match (doing.act, row.marks.supersedes) {
            (Act::Release, Some(older)) => {
                self.store.settle_superseded(tx, row.key.sender, &older).await?;
            }
            (Act::Recall, Some(older)) if was_delivered => {
                self.store.settle_superseded(tx, row.key.sender, &older).await?;
            }
            (Act::CallOverdue, _) => {
                self.store.mark_overdue(tx, row.seq, time_us).await?;
                row.marks.overdue_us = time_us;
            }
            _ => {}
        }
        match doing.signed.as_ref().map(|signed| &signed.word) {
            Some(Word::Remark { urgent: true, .. }) => {
                self.store.mark_urgent(tx, row.seq).await?;
                row.marks.urgent = true;
            }
            Some(Word::Refuse { reason, .. }) => {
                self.store.mark_refused(tx, row.seq, *reason).await?;
                row.marks.refusal = Some(*reason);
            }
            _ => {}
        }
        Ok(())
    }

    pub(super) async fn request(&mut self, tx: &mut Tx, asking: &Asking) -> Answer {
        let (from, to) = (asking.request.from, asking.request.to);
        let digest = sha256(&asking.paper.cms);
        if self.store.has_statement(tx, &digest).await? {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        if !self.hold(tx, from, asking.mandate.as_slice()).await? {
            return Ok(Err(Refused::Because(reason::MANDATE_ENDED)));
        }
        match self.store.office_in(tx, to).await? {
            None => return Ok(Err(Refused::Because(reason::RECIPIENT_UNKNOWN))),
            Some(office) => {
                if let Some(word) = office.state.refuses_as_recipient() {
                    return Ok(Err(Refused::Because(word)));
                }
            }
        }
        let since_us = self.scribe.time_us - DAY_US;
        if self.store.request_count(tx, from, since_us).await? >= limits::MAX_REQUESTS_A_DAY {
            return Ok(Err(Refused::Because(reason::TOO_MANY_STATEMENTS)));
        }
        let about = About::Request { from, to };
        self.keep_paper(tx, about, "request", &asking.paper, asking.mandate).await?;
        let written = self.scribe.write(kind::REQUEST_MADE, 0, &[from, to], self.ends, |event| {
            events::asked(event, asking);
        })?;
        Ok(Ok(Applied::event(written)))
    }
}

/// In which role somebody does something; `None`: for them there is no such parcel.
fn party(row: &ParcelRow, by: &Actor) -> Option<Party> {
    let Actor::Office { office, .. } = by else { return Some(Party::Relay) };
    let is_proxy = by.proxy().is_some();
    match *office {
        office if office == row.key.sender => Some(if is_proxy { Party::SenderProxy } else { Party::Sender }),
        office if office == row.recipient => {
            Some(if is_proxy { Party::RecipientProxy } else { Party::Recipient })
        }
        _ => None,
    }
}
