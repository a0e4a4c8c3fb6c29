//! Administrative acts under the head's lock: who may, what waits for a second operator, and the operators themselves.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{digest_text, hex, parse_digest};
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::operator::{MAX_ACT_AGE_US, Role, values};
use tasuki_proto::{reason, time};

use super::administering::{self, Administering, By, Described, Operating, SignedAct, TwoPersons};
use super::apply::{Answer, Applied, Draft};
use super::batch::GiveUp;
use super::change::{Change, Leaving, Mandating, Refused, Standing};
use crate::store::Tx;
use crate::store::mandates::{Holder, MandateRow};
use crate::store::operators::{ActRow, ApprovalRow, ApprovalState, MAX_OPERATORS, MAX_WAITING, OperatorRow};

/// Bytes of an approval's id, which is twice as many digits: enough to tell the few that wait apart.
const ID_BYTES: usize = 8;

/// Who gives and ends mandates here, as events name it.
const OPERATOR: &str = "operator";

type Pairs = Vec<(&'static str, String)>;

/// Whose act it is.
enum Right<'a> {
    /// The machine's account, where there are no operators, or none that could sign.
    Account,
    /// An operator with the role that it needs.
    Operator(&'a SignedAct),
}

impl Draft<'_> {
    pub(super) async fn administer(
        &mut self,
        tx: &mut Tx,
        place: usize,
        administering: &mut Administering,
    ) -> Answer {
        let Administering { by, two_persons, change } = administering;
        let Some(described) = administering::describe(change) else {
            return Ok(Err(Refused::Because(reason::NOT_ALLOWED)));
        };
        let operators = self.store.operators_in(tx).await?;
        let right = match self.right(tx, by, &described, change, &operators).await? {
            Ok(right) => right,
            Err(word) => return self.refuse(&who(by), &described, word),
        };
        let needs_two = self.needs_two(tx, change, *two_persons).await?;
        match (right, needs_two) {
            (Right::Account, true) => self.refuse(&who(by), &described, reason::OPERATOR_NEEDED),
            (Right::Operator(signed), true) => self.ask(tx, signed, &described, two_persons.lapse_us).await,
            (Right::Account, false) => self.carry_out(tx, place, change, None, &operators).await,
            (Right::Operator(signed), false) => {
                let digest = sha256(&signed.cms);
                self.scribe.mark = mark(signed, &digest);
                let done = self.carry_out(tx, place, change, Some(signed), &operators).await;
                self.scribe.mark.clear();
                let done = done?;
                if matches!(&done, Ok(applied) if applied.written.is_some()) {
                    self.keep_act(tx, signed).await?;
                }
                Ok(done)
            }
        }
    }

    /// Whether whoever asks may do this; else the reason word.
    async fn right<'a>(
        &self,
        tx: &mut Tx,
        by: &'a By,
        described: &Described,
        change: &Change,
        operators: &[OperatorRow],
    ) -> Result<Result<Right<'a>, &'static str>, GiveUp> {
        if operators.is_empty() {
            return Ok(Ok(Right::Account));
        }
        let signed = match by {
            By::Account if self.is_emergency(change, operators) => return Ok(Ok(Right::Account)),
            By::Account => return Ok(Err(reason::OPERATOR_NEEDED)),
            By::Stranger { reason, .. } => return Ok(Err(reason)),
            By::Operator(signed) => signed,
        };
        let SignedAct { act, signer, .. } = &**signed;
        let row = operators.iter().find(|row| row.fingerprint == *signer && row.name == act.operator);
        let Some(row) = row else { return Ok(Err(reason::OPERATOR_UNKNOWN)) };
        let says_this = (act.kind.as_str(), act.role, &act.details)
            == (described.kind, described.role, &described.details);
        let age_us = self.scribe.time_us.abs_diff(act.time_us);
        if !says_this || act.log != self.signer.name() || age_us > MAX_ACT_AGE_US.unsigned_abs() {
            return Ok(Err(reason::OPERATOR_ACT_INVALID));
        }
        if !row.roles.has(described.role) {
            return Ok(Err(reason::OPERATOR_ROLE));
        }
        if self.store.knows_operator_act(tx, &sha256(act.print().as_bytes())).await? {
            return Ok(Err(reason::OPERATOR_ACT_REPLAYED));
        }
        Ok(Ok(Right::Operator(signed)))
    }

    /// An operator is added by the account because the certificates of all who could have ended: nothing else is left.
    fn is_emergency(&self, change: &Change, operators: &[OperatorRow]) -> bool {
        let Change::Operators(operating) = change else { return false };
        let asked = matches!(&**operating, Operating::Put { emergency: Some(_), .. });
        let can_sign =
            |row: &OperatorRow| row.roles.has(Role::Certificates) && row.not_after_us > self.scribe.time_us;
        asked && !operators.iter().any(can_sign)
    }

    /// Nothing was done, and the log says who tried.
    fn refuse(&mut self, who: &Pairs, described: &Described, word: &'static str) -> Answer {
        // An act that did nothing is not kept, so no event may name it.
        self.scribe.mark.clear();
        self.scribe.write(kind::OPERATOR_REFUSED, 0, &[], self.ends, |event| {
            event.lines.add("act", described.kind);
            event.lines.add("role", described.role.as_str());
            event.lines.add("refused", word);
            for (key, value) in who {
                event.lines.add(key, value);
            }
            if let Some(office) = administering::office_of(&described.details) {
                event.lines.add("office", office.as_str());
            }
        })?;
        Ok(Err(Refused::Because(word)))
    }

    async fn needs_two(&self, tx: &mut Tx, change: &Change, two_persons: TwoPersons) -> Result<bool, GiveUp> {
        if let Change::Standing(standing) = change {
            return Ok(
                two_persons.erasure && matches!(&**standing, Standing::Leave(leaving) if leaving.erase)
            );
        }
        let Change::Mandate(mandating) = change else { return Ok(false) };
        let Mandating::Give { row, .. } = &**mandating else { return Ok(false) };
        if !two_persons.reassignment {
            return Ok(false);
        }
        let live = self.store.mandates_in(tx, row.office, self.scribe.time_us).await?;
        Ok(live.iter().any(|m| matches!(m.holder, Holder::Proxy(_)) && m.holder != row.holder))
    }

    async fn keep_act(&self, tx: &mut Tx, signed: &SignedAct) -> Result<(), GiveUp> {
        let row = ActRow {
            digest: sha256(&signed.cms),
            text_digest: sha256(signed.act.print().as_bytes()),
            cms: signed.cms.clone(),
            signer: signed.signer,
        };
        self.store.insert_operator_act(tx, &row, self.scribe.time_us).await?;
        Ok(())
    }

    async fn carry_out(
        &mut self,
        tx: &mut Tx,
        place: usize,
        change: &mut Change,
        signed: Option<&SignedAct>,
        operators: &[OperatorRow],
    ) -> Answer {
        let Change::Operators(operating) = change else {
            return Box::pin(self.apply(tx, place, change)).await;
        };
        match &mut **operating {
            Operating::May { .. } => Ok(Ok(Applied { repeated: true, ..Applied::default() })),
            Operating::Put { row, emergency } => {
                self.put_operator(tx, row, emergency.as_deref(), operators).await
            }
            Operating::Remove { name } => self.remove_operator(tx, name, operators).await,
            Operating::Decide { id, statement, role, approve } => {
                // Without operators nothing waits.
                let Some(signed) = signed else {
                    return Ok(Err(Refused::Because(reason::APPROVAL_NOT_FOUND)));
                };
                let wanted = self.store.approval_in(tx, id).await?;
                let wanted = wanted.filter(|row| {
                    (row.statement, row.role, row.state) == (*statement, *role, ApprovalState::Asked)
                });
                match wanted {
                    None => Ok(Err(Refused::Because(reason::APPROVAL_NOT_FOUND))),
                    Some(row) if *approve => self.approve_act(tx, place, &row, signed, operators).await,
                    Some(row) => self.reject(tx, &row, signed).await,
                }
            }
        }
    }

    async fn put_operator(
        &mut self,
        tx: &mut Tx,
        row: &OperatorRow,
        emergency: Option<&str>,
        operators: &[OperatorRow],
    ) -> Answer {
        let same = |known: &&OperatorRow| known.fingerprint == row.fingerprint;
        if operators.iter().find(same).is_some_and(|known| known.roles == row.roles) {
            return Ok(Ok(Applied { repeated: true, ..Applied::default() }));
        }
        // The first, too, must be one who can add others.
        let others = operators.iter().filter(|known| known.name != row.name);
        if !keeps_keys(others.chain([row])) {
            return Ok(Err(Refused::Because(reason::OPERATOR_LAST)));
        }
        if operators.len() >= MAX_OPERATORS as usize {
            return Ok(Err(Refused::Because(reason::NOT_ALLOWED)));
        }
        // One certificate for each: a new one takes the place of the one before.
        for before in operators.iter().filter(|known| known.name == row.name) {
            self.store.remove_operator(tx, &before.fingerprint, self.scribe.time_us).await?;
        }
        let row = OperatorRow { added_us: self.scribe.time_us, ..row.clone() };
        self.store.put_operator(tx, &row).await?;
        let written = self.scribe.write(kind::OPERATOR_CHANGED, 0, &[], self.ends, |event| {
            event.lines.add("name", &row.name);
            event.lines.add("key", &digest_text(&row.fingerprint));
            event.lines.add("roles", &row.roles.to_string());
            if let Some(why) = emergency {
                event.lines.add("emergency", why);
            }
        })?;
        Ok(Ok(Applied::event(written)))
    }

    async fn remove_operator(&mut self, tx: &mut Tx, name: &str, operators: &[OperatorRow]) -> Answer {
        let (gone, left): (Vec<_>, Vec<_>) = operators.iter().partition(|row| row.name == name);
        if gone.is_empty() {
            return Ok(Err(Refused::Because(reason::OPERATOR_NOT_FOUND)));
        }
        if !keeps_keys(left.into_iter()) {
            return Ok(Err(Refused::Because(reason::OPERATOR_LAST)));
        }
        for row in &gone {
            self.store.remove_operator(tx, &row.fingerprint, self.scribe.time_us).await?;
        }
        let written = self.scribe.write(kind::OPERATOR_REMOVED, 0, &[], self.ends, |event| {
            event.lines.add("name", name);
            if let Some(row) = gone.last() {
                event.lines.add("key", &digest_text(&row.fingerprint));
            }
        })?;
        Ok(Ok(Applied::event(written)))
    }

    /// Keeps an act for a second operator.
    async fn ask(&mut self, tx: &mut Tx, signed: &SignedAct, described: &Described, lapse_us: i64) -> Answer {
        let statement = sha256(&signed.cms);
        let Some(office) = administering::office_of(&described.details) else {
            return Ok(Err(Refused::Because(reason::NOT_ALLOWED)));
        };
        if self.store.waiting_approvals(tx, self.scribe.time_us).await? >= MAX_WAITING {
            return Ok(Err(Refused::Because(reason::OVERLOADED)));
        }
        let row = ApprovalRow {
            id: hex(&statement[..ID_BYTES]),
            kind: described.kind.to_owned(),
            role: described.role,
            details: described.details.clone(),
            office,
            asked_by: signed.signer,
            asked_name: signed.act.operator.clone(),
            statement,
            asked_us: self.scribe.time_us,
            until_us: self.scribe.time_us.saturating_add(lapse_us),
            state: ApprovalState::Asked,
            decided_name: String::new(),
            decided_us: 0,
        };
        self.store.insert_approval(tx, &row).await?;
        self.keep_act(tx, signed).await?;
        self.scribe.mark = mark(signed, &statement);
        let written = self.scribe.write(kind::APPROVAL_ASKED, 0, &[office], self.ends, |event| {
            event.lines.add("approval", &row.id);
            event.lines.add("act", &row.kind);
            event.lines.add("office", office.as_str());
            event.lines.add("until", &time::format_us(row.until_us));
            for holder in values(&row.details, "holder") {
                event.lines.add("holder", holder);
            }
        });
        self.scribe.mark.clear();
        Ok(Ok(Applied::event(written?)))
    }

    async fn approve_act(
        &mut self,
        tx: &mut Tx,
        place: usize,
        row: &ApprovalRow,
        signed: &SignedAct,
        operators: &[OperatorRow],
    ) -> Answer {
        let now_us = self.scribe.time_us;
        let described =
            Described { kind: kind::APPROVAL_ASKED, role: row.role, details: row.details.clone() };
        let asks_still = |known: &OperatorRow| known.fingerprint == row.asked_by && known.roles.has(row.role);
        let word = match () {
            () if now_us >= row.until_us => Some(reason::APPROVAL_LAPSED),
            // The same person with another certificate is the same person.
            () if row.asked_name == signed.act.operator || row.asked_by == signed.signer => {
                Some(reason::APPROVAL_SAME_PERSON)
            }
            () if !operators.iter().any(asks_still) => Some(reason::APPROVAL_VOID),
            () => None,
        };
        if let Some(word) = word {
            return self.refuse(&named(signed), &described, word);
        }
        self.ends.load(self.store, tx, self.scribe.epoch, [row.office]).await?;
        let asked = [
            ("approval", row.id.clone()),
            ("asked-by", format!("operator:{}", row.asked_name)),
            ("asked-statement", digest_text(&row.statement)),
        ];
        self.scribe.mark.extend(asked);
        let Some(mut change) = again(row) else {
            return Ok(Err(Refused::Because(reason::APPROVAL_VOID)));
        };
        let done = Box::pin(self.apply(tx, place, &mut change)).await?;
        if done.is_ok() {
            let (id, by) = (&row.id, &signed.act.operator);
            self.store.decide_approval(tx, id, ApprovalState::Approved, by, now_us).await?;
        }
        Ok(done)
    }

    async fn reject(&mut self, tx: &mut Tx, row: &ApprovalRow, signed: &SignedAct) -> Answer {
        let (now_us, by) = (self.scribe.time_us, &signed.act.operator);
        self.store.decide_approval(tx, &row.id, ApprovalState::Rejected, by, now_us).await?;
        let offices: [OfficeNumber; 1] = [row.office];
        self.ends.load(self.store, tx, self.scribe.epoch, offices).await?;
        let written = self.scribe.write(kind::APPROVAL_REJECTED, 0, &offices, self.ends, |event| {
            event.lines.add("approval", &row.id);
            event.lines.add("act", &row.kind);
            event.lines.add("office", row.office.as_str());
        })?;
        Ok(Ok(Applied::event(written)))
    }
}

/// Whether somebody among these can add operators.
fn keeps_keys<'a>(mut operators: impl Iterator<Item = &'a OperatorRow>) -> bool {
    operators.any(|row| row.roles.has(Role::Certificates))
}

/// Lines of every event that an operator's act writes.
fn mark(signed: &SignedAct, statement: &[u8; 32]) -> Pairs {
    let mut lines = named(signed);
    lines.push(("operator-statement", digest_text(statement)));
    lines
}

/// Lines that name an operator.
fn named(signed: &SignedAct) -> Pairs {
    vec![
        ("operator", format!("operator:{}", signed.act.operator)),
        ("operator-key", digest_text(&signed.signer)),
    ]
}

/// Lines that name whoever asked.
fn who(by: &By) -> Pairs {
    match by {
        By::Account => vec![("by", "account".to_owned())],
        By::Stranger { key, .. } => vec![("operator-key", digest_text(key))],
        By::Operator(signed) => named(signed),
    }
}

/// The change that an act waits to make, from what its first operator signed.
fn again(row: &ApprovalRow) -> Option<Change> {
    let one = |key: &'static str| values(&row.details, key).next();
    if row.kind == kind::OFFICE_LEFT {
        let leaving = Leaving {
            office: row.office,
            said_us: 0,
            by: OPERATOR.to_owned(),
            reason: one("reason")?.to_owned(),
            erase: one("erase")? == "yes",
            paper: None,
        };
        return Some(Change::Standing(Box::new(Standing::Leave(leaving))));
    }
    let proxy = one("holder")?.strip_prefix("proxy:")?.parse().ok()?;
    let digest = parse_digest(one("mandate")?)?;
    let mandate = MandateRow {
        from_us: time::parse_us(one("from")?)?,
        until_us: time::parse_us(one("until")?)?,
        ..MandateRow::new(row.office, Holder::Proxy(proxy), one("scopes")?.parse().ok()?, digest)
    };
    let give = Mandating::Give { row: mandate, by: OPERATOR.to_owned(), paper: None };
    (row.kind == kind::MANDATE_DELEGATED).then(|| Change::Mandate(Box::new(give)))
}
