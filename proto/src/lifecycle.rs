//! What may happen to a parcel, in which state, by whom: one table for the relay, for `log verify` and for clients.
//!
//! A party that is neither sender nor receiver is not in the table: for it there is no such parcel. The table is
//! spelt out, every state by every act by every party, in `tests/golden/lifecycle.txt`.

use crate::event::kind;
use crate::{pb, reason};

/// Where a parcel stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Accepted, invisible to the receiver until released (登録・保留).
    Held,
    /// In the receiver's mailbox.
    Delivered,
    /// Released to the receiver.
    Fetched,
    /// Signed for by the receiver.
    Acknowledged,
    /// The receiver signed that its care software took the files in.
    Imported,
    /// The receiver signed that it does not take the parcel.
    Refused,
    /// The sender took it back before it was fetched (電文取消).
    Recalled,
    /// The sender threw it away while it was held.
    Discarded,
    /// Nobody fetched it within its time.
    Expired,
}

impl State {
    /// All states, in the order of a parcel's life.
    pub const ALL: [Self; 9] = [
        Self::Held,
        Self::Delivered,
        Self::Fetched,
        Self::Acknowledged,
        Self::Imported,
        Self::Refused,
        Self::Recalled,
        Self::Discarded,
        Self::Expired,
    ];

    /// As databases, command lines and JSON spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Delivered => "delivered",
            Self::Fetched => "fetched",
            Self::Acknowledged => "acknowledged",
            Self::Imported => "imported",
            Self::Refused => "refused",
            Self::Recalled => "recalled",
            Self::Discarded => "discarded",
            Self::Expired => "expired",
        }
    }

    /// Back from the wire; `None`: unspecified.
    pub fn of_wire(wire: pb::ParcelState) -> Option<Self> {
        Self::ALL.into_iter().find(|state| pb::ParcelState::from(*state) == wire)
    }

    /// No later event contradicts it.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Imported | Self::Refused | Self::Recalled | Self::Discarded | Self::Expired)
    }

    /// The receiver was given its content.
    pub fn was_fetched(self) -> bool {
        matches!(self, Self::Fetched | Self::Acknowledged | Self::Imported | Self::Refused)
    }
}

impl From<State> for pb::ParcelState {
    fn from(state: State) -> Self {
        match state {
            State::Held => Self::Held,
            State::Delivered => Self::Delivered,
            State::Fetched => Self::Fetched,
            State::Acknowledged => Self::Acknowledged,
            State::Imported => Self::Imported,
            State::Refused => Self::Refused,
            State::Recalled => Self::Recalled,
            State::Discarded => Self::Discarded,
            State::Expired => Self::Expired,
        }
    }
}

impl std::str::FromStr for State {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or(())
    }
}

/// Whose act it is. A terminal acts as its office. How far a proxy's mandate goes is asked elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// The sending office.
    Sender,
    /// A proxy (伝送代行業者) that acts for the sending office.
    SenderProxy,
    /// The receiving office.
    Recipient,
    /// A proxy that acts for the receiving office.
    RecipientProxy,
    /// The relay, when a time has come.
    Relay,
}

impl Party {
    /// All parties.
    pub const ALL: [Self; 5] =
        [Self::Sender, Self::SenderProxy, Self::Recipient, Self::RecipientProxy, Self::Relay];

    /// It is on the sender's side.
    pub fn sends(self) -> bool {
        matches!(self, Self::Sender | Self::SenderProxy)
    }

    /// It is on the receiver's side.
    pub fn receives(self) -> bool {
        matches!(self, Self::Recipient | Self::RecipientProxy)
    }
}

/// Something that is done to a parcel after it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Act {
    /// A held parcel goes into the receiver's mailbox, because its sender says so or its time has come.
    Release,
    /// A held parcel is thrown away, by its sender or because it was held for too long.
    Discard,
    /// A parcel is taken back before it is fetched.
    Recall,
    /// A parcel is handed to its receiver.
    Fetch,
    /// "I hold it: verified, opened, stored."
    Acknowledge,
    /// "I don't take it", with a reason.
    Refuse,
    /// "The care software has taken it in."
    Import,
    /// A proxy has handed it to the office for which it fetched it.
    HandOver,
    /// Nobody fetched it within its time.
    Expire,
    /// Nobody fetched it within the time in which receivers should: told once.
    CallOverdue,
    /// A remark to the other party (連絡).
    Remark,
    /// "Don't use it any more, please": the sender's, once it is too late to recall.
    AskWithdrawal,
}

impl Act {
    /// The act that an event of this kind tells of, where it is one.
    pub fn of_event(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| act.event_kind() == kind)
    }

    /// All acts.
    pub const ALL: [Self; 12] = [
        Self::Release,
        Self::Discard,
        Self::Recall,
        Self::Fetch,
        Self::Acknowledge,
        Self::Refuse,
        Self::Import,
        Self::HandOver,
        Self::Expire,
        Self::CallOverdue,
        Self::Remark,
        Self::AskWithdrawal,
    ];

    /// It is a party's own signed word. Releases and discards are, too, unless the relay does them.
    pub fn needs_statement(self) -> bool {
        !matches!(self, Self::Fetch | Self::Expire | Self::CallOverdue)
    }

    /// Kind of the event that it yields.
    pub fn event_kind(self) -> &'static str {
        match self {
            Self::Release => kind::PARCEL_DELIVERED,
            Self::Discard => kind::PARCEL_DISCARDED,
            Self::Recall => kind::PARCEL_RECALLED,
            Self::Fetch => kind::PARCEL_FETCHED,
            Self::Acknowledge => kind::PARCEL_ACKNOWLEDGED,
            Self::Refuse => kind::PARCEL_REFUSED,
            Self::Import => kind::PARCEL_IMPORTED,
            Self::HandOver => kind::PARCEL_HANDED_OVER,
            Self::Expire => kind::PARCEL_EXPIRED,
            Self::CallOverdue => kind::PARCEL_OVERDUE,
            Self::Remark => kind::PARCEL_REMARKED,
            Self::AskWithdrawal => kind::PARCEL_WITHDRAWAL_ASKED,
        }
    }
}

/// What an act does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The parcel moves to this state, with one event.
    Moves(State),
    /// The state stays; one event tells of it.
    Notes,
    /// It had been done before: nothing changes, no event.
    Repeats,
}

/// How a parcel came into its receiver's mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// When it was accepted.
    #[default]
    Straight,
    /// Not yet, or never: it was held after acceptance.
    Held,
    /// Not yet, or never: its sender's proxy handed it in, and it waits for the sender's own word (事業所側での確認).
    ToConfirm,
    /// By its release, after it had been held.
    Released,
}

/// What the table needs to know of a parcel besides its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Past {
    /// How it came into the receiver's mailbox.
    pub way: Way,
    /// It was acknowledged at some time.
    pub acknowledged: bool,
    /// It was called overdue already.
    pub overdue: bool,
    /// The receiver's proxy has handed it over.
    pub handed_over: bool,
}

impl Past {
    /// It has been in the receiver's mailbox at some time.
    pub fn delivered(self) -> bool {
        matches!(self.way, Way::Straight | Way::Released)
    }

    /// What becomes of it when this act has moved or noted.
    #[must_use]
    pub fn after(self, act: Act) -> Self {
        match act {
            Act::Release => Self { way: Way::Released, ..self },
            Act::Acknowledge => Self { acknowledged: true, ..self },
            Act::CallOverdue => Self { overdue: true, ..self },
            Act::HandOver => Self { handed_over: true, ..self },
            _ => self,
        }
    }
}

/// Whether the parcel exists for this party.
pub fn visible(past: Past, party: Party) -> bool {
    !party.receives() || past.delivered()
}

/// What an act does to a parcel, or the stable reason why not.
///
/// # Errors
/// A word of [`crate::reason`]. [`reason::PARCEL_NOT_FOUND`] where the party must not even learn that the parcel exists.
pub fn step(state: State, past: Past, act: Act, party: Party) -> Result<Step, &'static str> {
    use State as S;
    if !visible(past, party) {
        return Err(reason::PARCEL_NOT_FOUND);
    }
    if !may(act, party) {
        return Err(reason::NOT_ALLOWED);
    }
    match (act, state) {
        (Act::Release, S::Held) if past.way == Way::ToConfirm && party != Party::Sender => {
            Err(reason::CONFIRMATION_NEEDED)
        }
        (Act::Release, S::Held) => Ok(Step::Moves(S::Delivered)),
        (Act::Discard, S::Held) => Ok(Step::Moves(S::Discarded)),
        (Act::Recall, S::Held | S::Delivered) => Ok(Step::Moves(S::Recalled)),
        (Act::Fetch, S::Delivered) => Ok(Step::Moves(S::Fetched)),
        (Act::Acknowledge, S::Fetched) => Ok(Step::Moves(S::Acknowledged)),
        (Act::Refuse, S::Fetched | S::Acknowledged) => Ok(Step::Moves(S::Refused)),
        (Act::Import, S::Acknowledged) => Ok(Step::Moves(S::Imported)),
        (Act::Expire, S::Delivered) => Ok(Step::Moves(S::Expired)),

        (Act::CallOverdue, S::Delivered) => Ok(if past.overdue { Step::Repeats } else { Step::Notes }),
        (Act::HandOver, _) if past.handed_over => Ok(Step::Repeats),
        (Act::HandOver | Act::AskWithdrawal, S::Fetched | S::Acknowledged | S::Imported) => Ok(Step::Notes),
        (Act::Remark, _) if past.delivered() => Ok(Step::Notes),

        (Act::Release, _) if past.way == Way::Released => Ok(Step::Repeats),
        (Act::Discard, S::Discarded)
        | (Act::Recall, S::Recalled)
        | (Act::Fetch, S::Fetched | S::Acknowledged | S::Imported | S::Refused)
        | (Act::Acknowledge, S::Acknowledged | S::Imported)
        | (Act::Refuse, S::Refused)
        | (Act::Import, S::Imported)
        | (Act::Expire, S::Expired) => Ok(Step::Repeats),
        (Act::Acknowledge, S::Refused) if past.acknowledged => Ok(Step::Repeats),

        (_, state) => Err(why_not(act, state)),
    }
}

/// Which acts are whose. Acts of the relay are never asked for by a party.
fn may(act: Act, party: Party) -> bool {
    match act {
        Act::Release | Act::Discard => party.sends() || party == Party::Relay,
        Act::Recall | Act::AskWithdrawal => party.sends(),
        Act::Fetch | Act::Acknowledge | Act::Refuse | Act::Import => party.receives(),
        Act::HandOver => party == Party::RecipientProxy,
        Act::Expire | Act::CallOverdue => party == Party::Relay,
        Act::Remark => party.sends() || party.receives(),
    }
}

/// The state forbids the act: the word names what stands in its way.
fn why_not(act: Act, state: State) -> &'static str {
    match (act, state) {
        (_, State::Recalled) => reason::PARCEL_RECALLED,
        (_, State::Discarded) => reason::PARCEL_DISCARDED,
        (_, State::Expired) => reason::PARCEL_EXPIRED,
        (Act::Release | Act::Discard, _) => reason::NOT_HELD,
        (Act::Recall | Act::Expire | Act::CallOverdue, state) if state.was_fetched() => {
            reason::ALREADY_FETCHED
        }
        (Act::Import, State::Fetched) => reason::NOT_ACKNOWLEDGED,
        (Act::Refuse, State::Imported) => reason::ALREADY_IMPORTED,
        (_, State::Refused) => reason::PARCEL_REFUSED,
        (
            Act::Acknowledge | Act::Refuse | Act::Import | Act::HandOver | Act::AskWithdrawal,
            State::Held | State::Delivered,
        ) => reason::NOT_FETCHED,
        (_, State::Held) => reason::STILL_HELD,
        _ => reason::STATE_CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, VecDeque};
    use std::fmt::Write as _;

    use super::*;

    /// Every state and past that a parcel can come into, by the table itself.
    fn reachable() -> BTreeSet<(State, Past)> {
        let held = Past { way: Way::Held, ..Past::default() };
        let confirm = Past { way: Way::ToConfirm, ..held };
        let mut seen = BTreeSet::new();
        let begins = [(State::Held, held), (State::Held, confirm), (State::Delivered, Past::default())];
        let mut queue = VecDeque::from(begins);
        while let Some((state, past)) = queue.pop_front() {
            if !seen.insert((state, past)) {
                continue;
            }
            for act in Act::ALL {
                for party in Party::ALL {
                    match step(state, past, act, party) {
                        Ok(Step::Moves(next)) => queue.push_back((next, past.after(act))),
                        Ok(Step::Notes) => queue.push_back((state, past.after(act))),
                        Ok(Step::Repeats) | Err(_) => {}
                    }
                }
            }
        }
        seen
    }

    fn spelt_out() -> String {
        let mut lines: BTreeMap<(State, usize, usize), BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (state, past) in reachable() {
            let mut name = match past.way {
                Way::Straight => "delivered",
                Way::Held => "never delivered, held",
                Way::ToConfirm => "never delivered, to confirm",
                Way::Released => "delivered, held",
            }
            .to_owned();
            name.push_str(if past.acknowledged { ", acknowledged" } else { "" });
            name.push_str(if past.overdue { ", overdue" } else { "" });
            name.push_str(if past.handed_over { ", handed over" } else { "" });
            for (a, act) in Act::ALL.into_iter().enumerate() {
                for (p, party) in Party::ALL.into_iter().enumerate() {
                    let outcome = match step(state, past, act, party) {
                        Ok(Step::Moves(next)) => format!("-> {} ({})", next.as_str(), act.event_kind()),
                        Ok(Step::Notes) => format!("stays ({})", act.event_kind()),
                        Ok(Step::Repeats) => "repeats".to_owned(),
                        Err(word) => word.to_owned(),
                    };
                    lines.entry((state, a, p)).or_default().entry(outcome).or_default().insert(name.clone());
                }
            }
        }
        let mut text = String::new();
        for ((state, a, p), outcomes) in lines {
            let (act, party) = (Act::ALL[a], Party::ALL[p]);
            for (outcome, pasts) in &outcomes {
                write!(text, "{}: {act:?} by {party:?}: {outcome}", state.as_str()).unwrap();
                if outcomes.len() > 1 {
                    let pasts: Vec<&str> = pasts.iter().map(String::as_str).collect();
                    write!(text, " [{}]", pasts.join("; ")).unwrap();
                }
                text.push('\n');
            }
        }
        text
    }

    #[test]
    fn states_cross_the_wire_and_come_back() {
        for state in State::ALL {
            assert_eq!(State::of_wire(state.into()), Some(state));
        }
        assert_eq!(State::of_wire(pb::ParcelState::Unspecified), None);
    }

    #[test]
    fn every_act_in_every_state_by_every_party_is_as_the_table_spells_it() {
        let golden = include_str!("../tests/golden/lifecycle.txt");
        let now = spelt_out();
        for (place, (now, golden)) in now.lines().zip(golden.lines()).enumerate() {
            assert_eq!(now, golden, "line {}", place + 1);
        }
        assert_eq!(now, golden);
    }

    #[test]
    fn every_state_is_reached_and_final_ones_are_never_left() {
        let reached: BTreeSet<State> = reachable().into_iter().map(|(state, _)| state).collect();
        assert_eq!(reached, State::ALL.into_iter().collect());
        for (state, past) in reachable() {
            for act in Act::ALL {
                for party in Party::ALL {
                    let moved = matches!(step(state, past, act, party), Ok(Step::Moves(_)));
                    assert!(!(moved && state.is_final()), "{state:?} {act:?} {party:?}");
                }
            }
        }
    }

    #[test]
    fn a_receiver_learns_nothing_of_what_was_never_delivered() {
        for (state, past) in reachable().into_iter().filter(|(_, past)| !past.delivered()) {
            for act in Act::ALL {
                for party in [Party::Recipient, Party::RecipientProxy] {
                    let outcome = step(state, past, act, party);
                    assert_eq!(outcome, Err(reason::PARCEL_NOT_FOUND), "{state:?} {act:?} {party:?}");
                }
            }
        }
    }

    #[test]
    fn what_waits_for_the_office_itself_no_proxy_and_no_time_releases() {
        let past = Past { way: Way::ToConfirm, ..Past::default() };
        let release = |party| step(State::Held, past, Act::Release, party);
        assert_eq!(release(Party::Sender), Ok(Step::Moves(State::Delivered)));
        for party in [Party::SenderProxy, Party::Relay] {
            assert_eq!(release(party), Err(reason::CONFIRMATION_NEEDED), "{party:?}");
        }
        assert_eq!(
            step(State::Held, past, Act::Discard, Party::SenderProxy),
            Ok(Step::Moves(State::Discarded))
        );
    }

    #[test]
    fn words_read_back() {
        for state in State::ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        for act in Act::ALL {
            assert_eq!(Act::of_event(act.event_kind()), Some(act));
        }
        assert_eq!("sold".parse::<State>(), Err(()));
    }
}
