//! Joining and leaving: what is done about an office's taking part, with its events in the office's own feed.
//!
//! ```text
//! listed, unknown, left ── applies ──► applied ── list, code, operator ──► active ◄──► suspended
//!                                         └── operator ──► rejected             └── leaves ──► left
//! ```

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::lifecycle::Act;
use tasuki_proto::{limits, reason};

use super::apply::{Answer, Applied, Draft};
use super::batch::GiveUp;
use super::change::{Actor, Applying, Doing, Leaving, Paper, Refused, Standing};
use super::events::Entry;
use crate::config::JoiningConfig;
use crate::store::Tx;
use crate::store::membership::{ApplicationRow, ApplicationState};
use crate::store::offices::{OfficeRow, OfficeState};
use crate::store::parcels::ParcelRow;
use crate::store::partners::LinkState;

/// Applications that one office may make in a day: each is an event, and something for the operator to read.
const MAX_APPLICATIONS_A_DAY: i64 = 5;

/// Wrong codes until the code is void. A code has ten digits.
const CODE_TRIES: i64 = 5;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

impl Draft<'_> {
    pub(super) async fn standing(&mut self, tx: &mut Tx, standing: &Standing) -> Answer {
        match standing {
            Standing::Apply(applying) => self.apply_to_join(tx, applying).await,
            Standing::MakeCode { office, salt, hash, until_us } => {
                let Some(row) = self.open_application(tx, *office).await? else { return no_application() };
                let row = ApplicationRow {
                    code_salt: salt.to_vec(),
                    code_hash: hash.to_vec(),
                    code_until_us: *until_us,
                    code_tries: 0,
                    confirmed_us: 0,
                    ..row
                };
                self.store.put_application(tx, &row).await?;
                self.told(kind::OFFICE_CODE_MADE, *office, "operator", |_| {})
            }
            Standing::Confirm { office, code, by, rules } => {
                self.confirm(tx, *office, code, by, *rules).await
            }
            Standing::Approve { office, name, kana, unconfirmed, rules } => {
                let named = (name.as_deref(), kana.as_str());
                self.approve(tx, *office, named, *unconfirmed, *rules).await
            }
            Standing::Reject { office, reason } => {
                let Some(row) = self.open_application(tx, *office).await? else { return no_application() };
                let row = ApplicationRow {
                    state: ApplicationState::Rejected,
                    reason: reason.clone(),
                    decided_us: self.scribe.time_us,
                    ..row.without_code()
                };
                self.store.put_application(tx, &row).await?;
                self.told(kind::OFFICE_REJECTED, *office, "operator", |event| {
                    event.lines.add("reason", reason);
                })
            }
            Standing::Leave(leaving) => self.leave(tx, leaving).await,
            Standing::Clear { office } => self.clear(tx, *office).await,
        }
    }

    async fn apply_to_join(&mut self, tx: &mut Tx, applying: &Applying) -> Answer {
        let (office, paper, rules) = (applying.office, &applying.paper, applying.rules);
        let digest = sha256(&paper.cms);
        // Whoever hands a statement in once more changes nothing by it, whatever happened since.
        if self.store.has_office_statement(tx, &digest).await? {
            return repeated();
        }
        let known = self.store.office_in(tx, office).await?;
        match known.as_ref().map(|known| known.state) {
            Some(OfficeState::Active) => return repeated(),
            Some(OfficeState::Suspended) => return because(reason::CALLER_SUSPENDED),
            Some(OfficeState::Listed | OfficeState::Left | OfficeState::Removed) | None => {}
        }
        if !rules.policy.takes_applications() {
            return because(reason::JOINING_CLOSED);
        }
        let last = self.store.application_in(tx, office).await?;
        let last = last.unwrap_or_else(|| ApplicationRow::new(office));
        if is_old(applying.said_us, last.decided_us) {
            return because(reason::STATEMENT_OLD);
        }
        let at_once = joins_at_once(known.as_ref(), rules);
        if last.state == ApplicationState::Open && (rules.code || !at_once) {
            return repeated();
        }
        let now_us = self.scribe.time_us;
        let counting = now_us - last.counted_since_us < DAY_US;
        let (counted, counted_since_us) =
            if counting { (last.counted + 1, last.counted_since_us) } else { (1, now_us) };
        if counted > MAX_APPLICATIONS_A_DAY {
            return because(reason::TOO_MANY_APPLICATIONS);
        }
        self.keep_word(tx, office, "join", paper).await?;
        let row = ApplicationRow {
            state: ApplicationState::Open,
            name: applying.name.clone(),
            digest: digest.to_vec(),
            applied_us: now_us,
            counted,
            counted_since_us,
            ..ApplicationRow::new(office)
        };
        self.store.put_application(tx, &row).await?;
        let applied = self.told(kind::OFFICE_APPLIED, office, &applying.by, |event| {
            event.lines.add("name", &applying.name);
            signed(event, paper);
        });
        match known {
            Some(known) if at_once && !rules.code => self.join(tx, known, row, "list").await,
            _ => applied,
        }
    }

    async fn confirm(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        code: &str,
        by: &str,
        rules: JoiningConfig,
    ) -> Answer {
        let Some(row) = self.open_application(tx, office).await? else { return no_application() };
        if row.confirmed_us != 0 {
            return because(reason::JOIN_CODE_OVER);
        }
        if row.code_hash.is_empty() {
            return because(reason::JOIN_CODE_WRONG);
        }
        if row.code_tries >= CODE_TRIES {
            return because(reason::JOIN_CODE_LOCKED);
        }
        if self.scribe.time_us >= row.code_until_us {
            return because(reason::JOIN_CODE_OVER);
        }
        if code_hash(&row.code_salt, code)[..] != row.code_hash[..] {
            let row = ApplicationRow { code_tries: row.code_tries + 1, ..row };
            let locked = row.code_tries >= CODE_TRIES;
            self.store.put_application(tx, &row).await?;
            // The try is what happened, and it counts: the event tells that it came to nothing.
            let kind = if locked { kind::OFFICE_CODE_LOCKED } else { kind::OFFICE_CODE_WRONG };
            return self.told(kind, office, by, |_| {});
        }
        let row = ApplicationRow { confirmed_us: self.scribe.time_us, ..row.without_code() };
        self.store.put_application(tx, &row).await?;
        let confirmed = self.told(kind::OFFICE_CONFIRMED, office, by, |_| {});
        match self.store.office_in(tx, office).await? {
            Some(known) if joins_at_once(Some(&known), rules) => self.join(tx, known, row, "list").await,
            _ => confirmed,
        }
    }

    async fn approve(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        (name, kana): (Option<&str>, &str),
        unconfirmed: bool,
        rules: JoiningConfig,
    ) -> Answer {
        let known = self.store.office_in(tx, office).await?;
        let application = self.open_application(tx, office).await?;
        match known.as_ref().map(|known| known.state) {
            Some(OfficeState::Active) => return repeated(),
            Some(OfficeState::Suspended) => return because(reason::CALLER_SUSPENDED),
            // Whom his list has the operator may let in without an application: an office without a certificate makes none.
            None if application.is_none() => return no_application(),
            Some(_) | None => {}
        }
        if rules.code && !unconfirmed && application.as_ref().is_some_and(|row| row.confirmed_us == 0) {
            return because(reason::NOT_CONFIRMED);
        }
        let application = application.unwrap_or_else(|| ApplicationRow::new(office));
        let listed = known.as_ref().map(|known| known.name.clone()).filter(|name| !name.is_empty());
        let stated = Some(application.name.clone()).filter(|name| !name.is_empty());
        let Some(name) = name.map(str::to_owned).or(listed).or(stated) else {
            return because(reason::NAME_NEEDED);
        };
        let row = known.clone().unwrap_or_else(|| OfficeRow {
            number: office,
            name: String::new(),
            kana: kana.to_owned(),
            services: Vec::new(),
            standard_ready: true,
            municipality: String::new(),
            accepts: Vec::new(),
            declared: false,
            state: OfficeState::Listed,
            since_us: 0,
        });
        let row = OfficeRow { name, ..row };
        if known.is_none_or(|known| !known.says_the_same(&row)) {
            self.put_entries(tx, std::slice::from_ref(&row)).await?;
        }
        self.join(tx, row, application, "operator").await
    }

    /// Lets an office take part.
    async fn join(&mut self, tx: &mut Tx, known: OfficeRow, row: ApplicationRow, by: &str) -> Answer {
        let (office, now_us) = (known.number, self.scribe.time_us);
        self.set_standing(tx, office, OfficeState::Active).await?;
        self.store.remove_closing(tx, office).await?;
        let row =
            ApplicationRow { state: ApplicationState::Approved, decided_us: now_us, ..row.without_code() };
        self.store.put_application(tx, &row).await?;
        self.told(kind::OFFICE_JOINED, office, by, |event| {
            if let Ok(digest) = <[u8; 32]>::try_from(row.digest.as_slice()) {
                event.lines.add("application", &digest_text(&digest));
            }
        })
    }

    async fn leave(&mut self, tx: &mut Tx, leaving: &Leaving) -> Answer {
        let Leaving { office, said_us, by, reason, erase, paper } = leaving;
        let (office, now_us) = (*office, self.scribe.time_us);
        if let Some(paper) = paper
            && self.store.has_office_statement(tx, &sha256(&paper.cms)).await?
        {
            return repeated();
        }
        let known = self.store.office_in(tx, office).await?;
        let application = self.store.application_in(tx, office).await?;
        let application = application.unwrap_or_else(|| ApplicationRow::new(office));
        let state = match known.map(|known| known.state) {
            // An applicant that is on no list withdraws.
            None if application.state == ApplicationState::Open => None,
            None => return Ok(Err(Refused::Office)),
            // What suspended it stays: it does not leave to come back without the operator.
            Some(OfficeState::Suspended) if paper.is_some() => return because(reason::CALLER_SUSPENDED),
            Some(state) => Some(state),
        };
        let gone = matches!(state, Some(OfficeState::Left | OfficeState::Removed));
        if gone {
            let closing = self.store.closing_in(tx, office).await?;
            let asked = closing.is_some_and(|closing| closing.erase) || application.erased.is_some();
            // One that left may still ask for the erasure, and the operator may shut it out.
            let shuts = paper.is_none() && state == Some(OfficeState::Left);
            if !shuts && (!erase || asked) {
                return repeated();
            }
        }
        if paper.is_some() && is_old(*said_us, application.decided_us) {
            return because(reason::STATEMENT_OLD);
        }
        if let Some(paper) = paper {
            self.keep_word(tx, office, "leave", paper).await?;
        }
        for mandate in self.store.mandates_in(tx, office, now_us).await? {
            self.end(tx, &mandate, by, None, None).await?;
        }
        self.end_links(tx, office, by).await?;
        if state.is_some() {
            let stays_out = paper.is_none() || state == Some(OfficeState::Removed);
            let state = if stays_out { OfficeState::Removed } else { OfficeState::Left };
            self.set_standing(tx, office, state).await?;
        }
        self.store.forget_whom_to_tell(tx, office).await?;
        self.store.put_closing(tx, office, *erase, now_us).await?;
        let row = ApplicationRow {
            state: ApplicationState::Left,
            decided_us: now_us,
            erased: application.erased.filter(|_| gone),
            ..application.without_code()
        };
        self.store.put_application(tx, &row).await?;
        self.told(kind::OFFICE_LEFT, office, by, |event| {
            event.lines.add("reason", reason);
            event.lines.add("erase", if *erase { "yes" } else { "no" });
            if let Some(paper) = paper {
                signed(event, paper);
            }
        })
    }

    /// The mailbox is clear; what is left to be erased goes in one piece with the event that says so.
    async fn clear(&mut self, tx: &mut Tx, office: OfficeNumber) -> Answer {
        let Some(closing) = self.store.closing_in(tx, office).await? else { return repeated() };
        if self.store.has_open_parcels(tx, office).await? {
            return Ok(Err(Refused::Conflict));
        }
        self.store.remove_closing(tx, office).await?;
        if !closing.erase {
            // No row that anybody sees changes, but the batch must not be thrown away as one without a change.
            self.head.directory += 1;
            return Ok(Ok(Applied::default()));
        }
        self.head.directory += 1;
        let rows = self.store.erase_office(tx, office, self.head.directory).await?;
        let written = self.scribe.write(kind::OFFICE_ERASED, 0, &[office], self.ends, |event| {
            event.lines.add("office", office.as_str());
            event.lines.add("by", "relay");
            event.lines.add("contents", &closing.contents.to_string());
            event.lines.add("refusals", &rows.refusals.to_string());
            event.lines.add("statements", &rows.statements.to_string());
            event.lines.add("erased", "entry, addresses to tell");
            event.lines.add("stays", "hashes, keys, evidence of parcels until its period ends");
        })?;
        if let Some(row) = self.store.application_in(tx, office).await? {
            let row = ApplicationRow { erased: Some(written.position), ..row };
            self.store.put_application(tx, &row).await?;
        }
        Ok(Ok(Applied::event(written)))
    }

    async fn open_application(
        &self,
        tx: &mut Tx,
        office: OfficeNumber,
    ) -> Result<Option<ApplicationRow>, GiveUp> {
        let row = self.store.application_in(tx, office).await?;
        Ok(row.filter(|row| row.state == ApplicationState::Open))
    }

    async fn set_standing(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        state: OfficeState,
    ) -> Result<(), GiveUp> {
        let generation = self.head.directory + 1;
        self.store.set_office_state(tx, office, state, self.scribe.time_us, generation).await?;
        self.head.directory = generation;
        Ok(())
    }

    /// Keeps what an office signed about itself, and the certificates behind it.
    pub(super) async fn keep_word(
        &mut self,
        tx: &mut Tx,
        office: OfficeNumber,
        kind: &'static str,
        paper: &Paper,
    ) -> Result<(), GiveUp> {
        self.archive_behind(tx, Some(paper)).await?;
        let (about, signed) = ((&sha256(&paper.cms), office, kind), (&paper.cms[..], &paper.signer));
        self.store.keep_office_statement(tx, about, signed, self.scribe.time_us).await?;
        Ok(())
    }

    pub(super) fn told(
        &mut self,
        kind: &str,
        office: OfficeNumber,
        by: &str,
        lines: impl FnOnce(&mut Event),
    ) -> Answer {
        let written: Entry = self.scribe.write(kind, 0, &[office], self.ends, |event| {
            event.lines.add("office", office.as_str());
            event.lines.add("by", by);
            lines(event);
        })?;
        Ok(Ok(Applied::event(written)))
    }

    /// What an act of the relay is for: the office that a parcel waits for, or that holds it back, left, or the two parted.
    pub(super) async fn left(
        &self,
        tx: &mut Tx,
        row: &ParcelRow,
        doing: &Doing,
    ) -> Result<Option<&'static str>, GiveUp> {
        match doing.by {
            Actor::Office { .. } => return Ok(None),
            Actor::Relay | Actor::Closing => {}
            Actor::Parted => {
                let link = self.store.link_in(tx, row.key.sender, row.recipient).await?;
                let linked = link.is_some_and(|link| link.state == LinkState::Linked);
                return Ok((!linked).then_some("not-partners"));
            }
        }
        let (office, why) = match doing.act {
            Act::Expire => (row.recipient, "recipient-left"),
            Act::Discard => (row.key.sender, "sender-left"),
            _ => return Ok(None),
        };
        let known = self.store.office_in(tx, office).await?;
        let left = known.is_some_and(|o| matches!(o.state, OfficeState::Left | OfficeState::Removed));
        Ok(left.then_some(why))
    }

    /// What is released to an office that left is returned like what waited for it.
    pub(super) async fn close_behind(
        &self,
        tx: &mut Tx,
        row: &ParcelRow,
        doing: &Doing,
    ) -> Result<(), GiveUp> {
        if doing.act != Act::Release {
            return Ok(());
        }
        let known = self.store.office_in(tx, row.recipient).await?;
        if known.is_some_and(|o| matches!(o.state, OfficeState::Left | OfficeState::Removed)) {
            self.store.put_closing(tx, row.recipient, false, self.scribe.time_us).await?;
        }
        Ok(())
    }
}

/// SHA-256 over a code's salt and digits.
pub fn code_hash(salt: &[u8], digits: &str) -> [u8; 32] {
    sha256(&[salt, digits.as_bytes()].concat())
}

/// Whether an office may join without the operator.
fn joins_at_once(known: Option<&OfficeRow>, rules: JoiningConfig) -> bool {
    let listed = known.is_some_and(|o| matches!(o.state, OfficeState::Listed | OfficeState::Left));
    listed && rules.policy.list_decides()
}

/// A statement was signed before the last decision about its office: it speaks of things that are over.
pub(super) fn is_old(said_us: i64, decided_us: i64) -> bool {
    said_us.saturating_add(limits::MAX_CLOCK_AHEAD_US) < decided_us
}

fn signed(event: &mut Event, paper: &Paper) {
    event.lines.add("signer", &digest_text(&paper.signer));
    event.lines.add("statement", &digest_text(&sha256(&paper.cms)));
}

#[expect(clippy::unnecessary_wraps, reason = "it is what an arm of a change answers")]
pub(super) fn repeated() -> Answer {
    Ok(Ok(Applied { repeated: true, ..Applied::default() }))
}

#[expect(clippy::unnecessary_wraps, reason = "it is what an arm of a change answers")]
pub(super) fn because(word: &'static str) -> Answer {
    Ok(Err(Refused::Because(word)))
}

fn no_application() -> Answer {
    because(reason::NO_APPLICATION)
}
