//! What each change does to rows and log, inside the batch's transaction.

use std::collections::HashMap;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::lifecycle::State;
use tasuki_proto::log::LogSigner;
use tasuki_proto::reason;

use super::batch::GiveUp;
use super::change::{Change, Notice, Refused};
use super::events::{Entry, FeedEnds, NoRandomness, Scribe};
use crate::store::alerts::NEW_KEY;
use crate::store::certificates::{Bearer, CertificateRow};
use crate::store::head::Head;
use crate::store::leaves::Position;
use crate::store::offices::{KeyKind, KeyRow, OfficeRow, OfficeState};
use crate::store::parcels::ParcelRow;
use crate::store::{Store, Tx};

/// A batch while it is being worked out.
#[derive(Debug)]
pub(super) struct Draft<'w> {
    pub(super) store: &'w Store,
    pub(super) scribe: Scribe<'w>,
    pub(super) ends: &'w mut FeedEnds,
    pub(super) head: &'w mut Head,
    /// The key that signs until now.
    pub(super) signer: &'w LogSigner,
    /// The key that signs from this batch on.
    pub(super) rolled: Option<LogSigner>,
    /// Rows changed of which no event tells: committed all the same.
    pub(super) quiet: bool,
    /// Parcels to insert.
    pub(super) parcels: Vec<ParcelRow>,
    /// Their sealed contents: place of the job, parcel, bytes.
    pub(super) contents: Vec<(usize, i64, Vec<u8>)>,
}

/// What a batch wrote.
#[derive(Debug)]
pub(super) struct Written {
    /// Leaf hashes in order.
    pub(super) hashes: Vec<[u8; 32]>,
    /// Offices whose feeds grew, possibly several times.
    pub(super) concerned: Vec<OfficeNumber>,
}

/// What became of a change; [`super::change::Done`] without the checkpoint, which does not exist yet.
#[derive(Debug, Default)]
pub(super) struct Applied {
    pub(super) parcel: Option<ParcelRow>,
    /// The event that the change wrote.
    pub(super) written: Option<Entry>,
    /// The event of the first time, for a repetition.
    pub(super) position: Option<Position>,
    pub(super) repeated: bool,
}

impl Applied {
    pub(super) fn parcel(row: ParcelRow, written: Entry) -> Self {
        Self { parcel: Some(row), written: Some(written), ..Self::default() }
    }

    pub(super) fn event(written: Entry) -> Self {
        Self { written: Some(written), ..Self::default() }
    }
}

pub(super) type Answer = Result<Result<Applied, Refused>, GiveUp>;

impl From<NoRandomness> for GiveUp {
    fn from(_: NoRandomness) -> Self {
        Self::NotNow("the system gives no random bytes")
    }
}

impl Draft<'_> {
    /// Brings the ends of the feeds that these changes will move into memory.
    pub(super) async fn load_ends(
        &mut self,
        tx: &mut Tx,
        changes: impl Iterator<Item = &Change>,
    ) -> Result<(), GiveUp> {
        let mut offices: Vec<OfficeNumber> = Vec::new();
        let mut changes: Vec<&Change> = changes.collect();
        while let Some(change) = changes.pop() {
            match change {
                Change::Deliver(d) => offices.extend([d.key.sender, d.recipient]),
                // Its receiver's, when its row tells who that is.
                Change::Act(doing) => offices.push(doing.key.sender),
                Change::Request(asking) => offices.extend([asking.request.from, asking.request.to]),
                Change::PutOffices(rows) => offices.extend(rows.iter().map(|o| o.number)),
                Change::SetOfficeState { office, .. } => offices.push(*office),
                Change::RegisterKey(key) => offices.push(key.office),
                Change::Mandate(mandating) => offices.extend(mandating.office()),
                Change::Certificate(certifying) => offices.extend(certifying.office()),
                Change::Standing(standing) => offices.push(standing.office()),
                Change::Partner(said) => offices.extend([said.office, said.partner]),
                Change::Profile(profiling) => offices.push(profiling.office()),
                Change::Notice(notice) => offices.extend(&notice.to),
                Change::Audit { office, .. } => offices.extend(*office),
                Change::Administer(administering) => changes.push(&administering.change),
                // Whom an act that waited concerns, its row tells.
                Change::Operators(_) | Change::RollLogKey(_) | Change::RollCa(_) => {}
            }
        }
        self.ends.trim();
        Ok(self.ends.load(self.store, tx, self.scribe.epoch, offices).await?)
    }

    /// Applies one change. `place` is its job's place in the batch.
    pub(super) async fn apply(&mut self, tx: &mut Tx, place: usize, change: &mut Change) -> Answer {
        match change {
            Change::Deliver(delivery) => self.deliver(tx, place, delivery).await,
            Change::Act(doing) => self.act(tx, doing).await,
            Change::Request(asking) => self.request(tx, asking).await,
            Change::PutOffices(offices) => self.put_offices(tx, offices).await,
            Change::SetOfficeState { office, state, reason } => {
                self.set_office_state(tx, *office, *state, reason).await
            }
            Change::RegisterKey(key) => self.register_key(tx, key).await,
            Change::Mandate(mandating) => self.mandate(tx, mandating).await,
            Change::Certificate(certifying) => self.certify(tx, certifying).await,
            Change::Standing(standing) => self.standing(tx, standing).await,
            Change::Partner(said) => self.partner(tx, said).await,
            Change::Profile(profiling) => self.profile(tx, profiling).await,
            Change::Notice(notice) => self.notice(tx, notice).await,
            // It holds another change: the future would hold itself.
            Change::Administer(administering) => Box::pin(self.administer(tx, place, administering)).await,
            // Nobody asks for it but by an administrative act.
            Change::Operators(_) => Ok(Err(Refused::Because(reason::OPERATOR_NEEDED))),
            Change::RollLogKey(rolling) => self.roll_log_key(tx, rolling).await,
            Change::RollCa(rolling) => self.roll_ca(tx, rolling).await,
            Change::Audit { kind, lines, office, setting } => {
                if let Some((name, value)) = setting {
                    self.store.put_setting(tx, name, value).await?;
                    self.head.directory += 1;
                }
                let written = self.scribe.write(kind, 0, office.as_slice(), self.ends, |event| {
                    for (key, value) in lines {
                        event.lines.add(key, value);
                    }
                })?;
                Ok(Ok(Applied::event(written)))
            }
        }
    }

    async fn notice(&mut self, tx: &mut Tx, notice: &Notice) -> Answer {
        for office in &notice.to {
            if self.store.office_in(tx, *office).await?.is_none() {
                return Ok(Err(Refused::Office));
            }
        }
        if let Some((name, value)) = &notice.setting {
            self.store.put_setting(tx, name, value).await?;
        }
        let written = self.scribe.write(notice.kind, 0, &notice.to, self.ends, |event| {
            for (key, value) in &notice.lines {
                event.lines.add(key, value);
            }
        })?;
        self.store.insert_notice(tx, written.position, &notice.to).await?;
        Ok(Ok(Applied::event(written)))
    }

    async fn put_offices(&mut self, tx: &mut Tx, offices: &[OfficeRow]) -> Answer {
        let numbers: Vec<OfficeNumber> = offices.iter().map(|office| office.number).collect();
        let known = self.store.offices_of_in(tx, &numbers).await?;
        let known: HashMap<OfficeNumber, OfficeRow> =
            known.into_iter().map(|row| (row.number, row)).collect();
        let same =
            |office: &OfficeRow| known.get(&office.number).is_some_and(|known| known.says_the_same(office));
        let changed: Vec<OfficeRow> = offices.iter().filter(|office| !same(office)).cloned().collect();
        if changed.is_empty() {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        let last = self.put_entries(tx, &changed).await?;
        Ok(Ok(Applied { written: last, ..Applied::default() }))
    }

    /// Writes entries of the directory, with an event for each. Returns the last one.
    pub(super) async fn put_entries(
        &mut self,
        tx: &mut Tx,
        changed: &[OfficeRow],
    ) -> Result<Option<Entry>, GiveUp> {
        self.head.directory += 1;
        self.store.put_offices(tx, changed, self.scribe.time_us, self.head.directory).await?;
        let mut last = None;
        for office in changed {
            let written =
                self.scribe.write(kind::OFFICE_CHANGED, 0, &[office.number], self.ends, |event| {
                    event.lines.add("office", office.number.as_str());
                    event.lines.add("name", &office.name);
                    event.lines.add("kana", &office.kana);
                    event.lines.add("services", &office.services.join(" "));
                    event.lines.add("standard-ready", if office.standard_ready { "yes" } else { "no" });
                })?;
            last = Some(written);
        }
        Ok(last)
    }

    async fn set_office_state(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        state: OfficeState,
        reason: &str,
    ) -> Answer {
        match self.store.office_in(tx, office).await? {
            None => return Ok(Err(Refused::Office)),
            // Who never joined, or left, comes in by its application or the operator's approval, with the events of those.
            Some(known) if !known.state.is_member() => {
                return Ok(Err(Refused::Because(reason::OFFICE_NOT_MEMBER)));
            }
            Some(_) => {}
        }
        let generation = self.head.directory + 1;
        if !self.store.set_office_state(tx, office, state, self.scribe.time_us, generation).await? {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        self.head.directory = generation;
        let kind = match state {
            OfficeState::Active => kind::OFFICE_RESUMED,
            _ => kind::OFFICE_SUSPENDED,
        };
        let written = self.scribe.write(kind, 0, &[office], self.ends, |event| {
            event.lines.add("office", office.as_str());
            event.lines.add("reason", reason);
        })?;
        Ok(Ok(Applied::event(written)))
    }

    async fn register_key(&mut self, tx: &mut Tx, key: &KeyRow) -> Answer {
        if self.store.office_in(tx, key.office).await?.is_none() {
            return Ok(Err(Refused::Office));
        }
        let new = self.store.insert_key(tx, key, self.scribe.time_us).await?;
        // A known sealing key that another certificate of the office approves.
        if !new && !self.store.approve_key(tx, key).await? {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        if new && self.store.key_count(tx, key.office).await? > 1 {
            self.alert(tx, NEW_KEY, key.office).await?;
        }
        if key.kind == KeyKind::Certificate {
            let bearer = Bearer::Office(key.office);
            let seen = CertificateRow::seen(bearer, &key.key, key.fingerprint, key.not_after_us);
            self.store.insert_certificate(tx, &seen, self.scribe.time_us).await?;
        }
        self.head.directory += 1;
        self.store.touch_office(tx, key.office, self.head.directory).await?;
        let written = self.scribe.write(kind::KEY_REGISTERED, 0, &[key.office], self.ends, |event| {
            event.lines.add("office", key.office.as_str());
            event.lines.add("key", &digest_text(&key.fingerprint));
            event.lines.add("key-kind", key.kind.as_str());
            if !key.approval.is_empty() {
                event.lines.add("statement", &digest_text(&sha256(&key.approval)));
            }
        })?;
        Ok(Ok(Applied::event(written)))
    }

    /// Inserts the batch's parcels. False: one of them exists already, so nothing of the batch may stand.
    pub(super) async fn insert_parcels(&mut self, tx: &mut Tx) -> Result<bool, GiveUp> {
        if !self.store.insert_parcels(tx, &self.parcels).await? {
            return Ok(false);
        }
        for parcel in &self.parcels {
            if let (State::Delivered, Some(older)) = (parcel.state, &parcel.marks.supersedes) {
                self.store.settle_superseded(tx, parcel.key.sender, older).await?;
            }
        }
        Ok(true)
    }

    /// Inserts contents, leaves and feed rows.
    pub(super) async fn write(self, tx: &mut Tx) -> Result<Written, GiveUp> {
        let contents = self.contents.into_iter().map(|(_, seq, sealed)| (seq, sealed)).collect();
        self.store.insert_contents(tx, contents).await?;
        self.store.insert_leaves(tx, &self.scribe.leaves).await?;
        self.store.insert_feed_rows(tx, &self.scribe.feed_rows).await?;
        let concerned = self.scribe.feed_rows.iter().map(|row| row.opening.party).collect();
        Ok(Written { hashes: self.scribe.hashes, concerned })
    }
}
