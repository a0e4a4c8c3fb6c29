//! Where did it stop (どこで問題が起こったか)? The stations of one parcel on its way, each with its time, and the one that is
//! waiting: the sender's software, a proxy that transmits for the sender, the relay, a proxy that receives for the receiver,
//! the receiving office.

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::kind;
use tasuki_proto::ids::{ParcelKey, ProxyNumber};
use tasuki_proto::parcel::{OpenParcel, Software};

use crate::client::Client;
use crate::error::{SdkError, VerificationError};
use crate::parcel::{Parcel, ParcelHistory, ParcelName, State};
use crate::refused::RefusedSubmission;
use crate::send::outbox::Outbox;
use crate::send::sent::Sent;
use crate::{archive, blocking};

/// Whose station it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The sending office and its software.
    Sender,
    /// The proxy that transmitted for it.
    SenderProxy,
    /// The relay.
    Relay,
    /// The proxy that receives for the receiver.
    RecipientProxy,
    /// The receiving office.
    Recipient,
}

/// How a parcel stands at a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Passage {
    /// It went on from here, or arrived at the end of its way.
    Passed,
    /// It is waited for here.
    Waiting,
    /// Its way ended here.
    Stopped,
    /// It did not come this far.
    NotYet,
}

/// One station of a parcel's way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// Whose.
    pub place: Place,
    /// The office, proxy or relay by name; empty: unknown.
    pub name: String,
    /// When the parcel came here, Unix microseconds. At the sender: when it was made, by the sender's clock. `None`: not
    /// yet, or unknown.
    pub at_us: Option<i64>,
    /// How it stands.
    pub passage: Passage,
}

/// A proxy on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// Its name.
    pub name: String,
    /// When it handed the parcel in, or over, Unix microseconds; `None`: not yet, or unknown.
    pub at_us: Option<i64>,
}

/// What else is known of a parcel's way than its events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waypoints {
    /// The software that made it, as `parcel.json` names it.
    pub software: Option<Software>,
    /// The proxy that transmitted it.
    pub sender_proxy: Option<Via>,
    /// The proxy that receives for its receiver.
    pub recipient_proxy: Option<Via>,
}

impl ParcelHistory {
    /// The way of this parcel as its events tell it.
    pub fn stations(&self, along: &Waypoints) -> Vec<Station> {
        let parcel = &self.parcel;
        let time_of = |kinds: &[&str]| {
            let of_kind =
                |event: &&tasuki_proto::evidence::Proven| kinds.contains(&event.event.kind.as_str());
            self.events.iter().rfind(of_kind).map(|event| event.event.time_us)
        };
        let delivered_us = time_of(&[kind::PARCEL_DELIVERED]);
        let ended_us = time_of(&[
            kind::PARCEL_REFUSED,
            kind::PARCEL_RECALLED,
            kind::PARCEL_DISCARDED,
            kind::PARCEL_EXPIRED,
        ]);
        let (relay, recipient) = match parcel.state {
            State::Held => ((Passage::Waiting, time_of(&[kind::PARCEL_HELD])), (Passage::NotYet, None)),
            State::Delivered | State::Unknown => ((Passage::Passed, delivered_us), (Passage::Waiting, None)),
            State::Fetched => {
                ((Passage::Passed, delivered_us), (Passage::Waiting, time_of(&[kind::PARCEL_FETCHED])))
            }
            State::Acknowledged => {
                ((Passage::Passed, delivered_us), (Passage::Passed, time_of(&[kind::PARCEL_ACKNOWLEDGED])))
            }
            State::Imported => {
                ((Passage::Passed, delivered_us), (Passage::Passed, time_of(&[kind::PARCEL_IMPORTED])))
            }
            State::Refused => ((Passage::Passed, delivered_us), (Passage::Stopped, ended_us)),
            State::Recalled | State::Discarded | State::Expired => {
                ((Passage::Stopped, ended_us), (Passage::NotYet, None))
            }
        };
        let offices = (parcel.sender_name.as_str(), parcel.recipient_name.as_str());
        // That it came through a proxy stands with the parcel; when the proxy had it, nobody else knows.
        let sender_proxy = parcel.marks.proxy.map(|number| via(number, &parcel.marks.proxy_name));
        let sender_proxy = along.sender_proxy.clone().or(sender_proxy);
        // Who fetched it is known from then on.
        let recipient_proxy = match parcel.marks.recipient_proxy {
            Some(number) => Some(Via {
                at_us: self.at_the_office_us(),
                ..via(number, &parcel.marks.recipient_proxy_name)
            }),
            None => along.recipient_proxy.clone().filter(|_| parcel.fetched_us.is_none()),
        };
        let along = Waypoints { sender_proxy, recipient_proxy, ..along.clone() };
        way(parcel.key, offices, &along, relay, recipient)
    }

    /// Since when the receiving office itself has what its proxy fetched: the proxy signed that it handed it over, or the office or
    /// a terminal of it has signed for it.
    fn at_the_office_us(&self) -> Option<i64> {
        let own = |by: &str| by.starts_with("office:") || by.starts_with("terminal:");
        let by_itself = |proven: &&tasuki_proto::evidence::Proven| match proven.event.kind.as_str() {
            kind::PARCEL_HANDED_OVER => true,
            kind::PARCEL_ACKNOWLEDGED | kind::PARCEL_IMPORTED | kind::PARCEL_REFUSED => {
                proven.event.lines.get("by").is_some_and(own)
            }
            _ => false,
        };
        self.events.iter().find(by_itself).map(|proven| proven.event.time_us)
    }
}

fn via(number: ProxyNumber, name: &str) -> Via {
    Via { name: format!("{number} {name}").trim_end().to_owned(), at_us: None }
}

impl RefusedSubmission {
    /// The way of a parcel that went no further than the relay's door. `sender_name`: the own office.
    pub fn stations(&self, sender: ParcelKey, sender_name: &str, along: &Waypoints) -> Vec<Station> {
        let relay = (Passage::Stopped, Some(self.refused_us));
        way(sender, (sender_name, &self.recipient_name), along, relay, (Passage::NotYet, None))
    }
}

/// An own parcel that has not left this computer: the relay has not answered it yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// The parcel.
    pub key: ParcelKey,
    /// Whom it is for.
    pub recipient: OfficeNumber,
    /// The software that made it.
    pub along: Waypoints,
}

impl Unsent {
    /// Its way, of which nothing is done. Names are those of the offices.
    pub fn stations(&self, sender_name: &str, recipient_name: &str) -> Vec<Station> {
        let not_yet = (Passage::NotYet, None);
        let mut stations = way(self.key, (sender_name, recipient_name), &self.along, not_yet, not_yet);
        if let Some(first) = stations.first_mut() {
            first.passage = Passage::Waiting;
        }
        stations
    }
}

fn way(
    key: ParcelKey,
    (sender_name, recipient_name): (&str, &str),
    along: &Waypoints,
    relay: (Passage, Option<i64>),
    recipient: (Passage, Option<i64>),
) -> Vec<Station> {
    let sender_name = match &along.software {
        Some(software) => {
            format!("{sender_name} ({} {})", software.name, software.version).trim_start().to_owned()
        }
        None => sender_name.to_owned(),
    };
    let station =
        |place, name: &str, at_us, passage| Station { place, name: name.to_owned(), at_us, passage };
    let mut stations =
        vec![station(Place::Sender, &sender_name, Some(archive::made_us(key.id)), Passage::Passed)];
    if let Some(via) = &along.sender_proxy {
        stations.push(station(Place::SenderProxy, &via.name, via.at_us, Passage::Passed));
    }
    stations.push(station(Place::Relay, "", relay.1, relay.0));
    let mut recipient = recipient;
    if let Some(via) = &along.recipient_proxy {
        let (passage, at_us) = match (relay.0, recipient.0) {
            (Passage::Passed, Passage::Waiting | Passage::Passed) if via.at_us.is_none() => {
                // The proxy has it, or is to fetch it, whatever it has signed for; the office can't have it before.
                let fetched_us = recipient.1;
                recipient = (Passage::NotYet, None);
                (Passage::Waiting, fetched_us)
            }
            (Passage::Passed, _) => {
                recipient.1 = recipient.1.max(via.at_us);
                (Passage::Passed, via.at_us)
            }
            _ => (Passage::NotYet, via.at_us),
        };
        stations.push(station(Place::RecipientProxy, &via.name, at_us, passage));
    }
    stations.push(station(Place::Recipient, recipient_name, recipient.1, recipient.0));
    stations
}

impl Client {
    /// A parcel that waits in the outbox; `None`: none of this name does.
    ///
    /// # Errors
    /// The outbox can't be read.
    pub async fn unsent(&self, name: &ParcelName) -> Result<Option<Unsent>, SdkError> {
        let (home, id) = (self.home().clone(), name.id);
        let header = blocking::run(move || Outbox::read(&home, &Sent::of(&home)?)?.header_of(id)).await?;
        Ok(header.map(|header| Unsent {
            key: ParcelKey { sender: header.sender, id },
            recipient: header.recipient,
            along: Waypoints { software: Some(header.software), ..Waypoints::default() },
        }))
    }

    /// What is known of a parcel's way beside its events: of an own parcel in the archive, the software that made it; of one that
    /// waits, the proxy that receives for its receiver.
    ///
    /// # Errors
    /// The archive can't be read; the relay can't be reached or refuses.
    pub async fn waypoints(&self, parcel: &Parcel) -> Result<Waypoints, SdkError> {
        let key = parcel.key;
        let recipient_proxy = if parcel.fetched_us.is_none() {
            let office = self.office_by_number(parcel.recipient).await?;
            // Where there are several, whoever comes first will fetch it.
            office.and_then(|office| office.proxies.into_iter().next()).map(|p| via(p.number, &p.name))
        } else {
            None
        };
        if key.sender != self.office() {
            return Ok(Waypoints { recipient_proxy, ..Waypoints::default() });
        }
        let home = self.home().clone();
        let software = blocking::run(move || match archive::get(&home, key.id) {
            Ok(container) => {
                Ok(container.and_then(|bytes| Some(OpenParcel::open(&bytes).ok()?.header.software)))
            }
            // Kept for a key that is gone: the way is drawn without it.
            Err(SdkError::Verification(VerificationError::Seal(_))) => Ok(None),
            Err(error) => Err(error),
        });
        Ok(Waypoints { software: software.await?, recipient_proxy, ..Waypoints::default() })
    }
}

#[cfg(test)]
mod tests {
    use tasuki_proto::event::Event;
    use tasuki_proto::evidence::Proven;

    use super::*;
    use crate::parcel::{Marks, Parcel};

    const MADE_US: i64 = 1_795_261_114_000_000;

    fn key() -> ParcelKey {
        let id = tasuki_proto::ids::ParcelId::new(MADE_US, &ring::rand::SystemRandom::new()).unwrap();
        ParcelKey { sender: "1371215102".parse().unwrap(), id }
    }

    fn history(state: State, kinds: &[&str]) -> ParcelHistory {
        let event = |(n, kind): (usize, &&str)| {
            let n = i64::try_from(n).unwrap();
            let event = Event::new(kind, 1, MADE_US + 10 * (n + 1), [7; 16]);
            Proven { event, index: 0, leaf: [1; 32], opening: None }
        };
        let parcel = Parcel {
            key: key(),
            sender_name: "A".into(),
            recipient: "9971100012".parse().unwrap(),
            recipient_name: "B".into(),
            state,
            files: Vec::new(),
            digest: [1; 32],
            container_size: 1,
            sealed_size: 1,
            accepted_us: None,
            fetched_us: None,
            acknowledged_us: None,
            signer: [1; 32],
            marks: Marks::default(),
        };
        ParcelHistory { parcel, events: kinds.iter().enumerate().map(event).collect() }
    }

    fn way_of(history: &ParcelHistory, along: &Waypoints) -> Vec<(Place, Option<i64>, Passage)> {
        let stations = history.stations(along);
        stations.into_iter().map(|s| (s.place, s.at_us.map(|us| us - MADE_US), s.passage)).collect()
    }

    #[test]
    fn every_state_has_one_place_where_it_waits_or_stopped() {
        use Passage::{NotYet, Passed, Stopped, Waiting};
        const D: &str = kind::PARCEL_DELIVERED;
        const F: &str = kind::PARCEL_FETCHED;
        for (state, kinds, relay, recipient) in [
            (State::Held, &[kind::PARCEL_HELD][..], (Some(10), Waiting), (None, NotYet)),
            (State::Delivered, &[kind::PARCEL_HELD, D], (Some(20), Passed), (None, Waiting)),
            (State::Fetched, &[D, F, kind::PARCEL_REMARKED], (Some(10), Passed), (Some(20), Waiting)),
            (State::Acknowledged, &[D, F, kind::PARCEL_ACKNOWLEDGED], (Some(10), Passed), (Some(30), Passed)),
            (
                State::Imported,
                &[D, F, kind::PARCEL_ACKNOWLEDGED, kind::PARCEL_IMPORTED],
                (Some(10), Passed),
                (Some(40), Passed),
            ),
            (State::Refused, &[D, F, kind::PARCEL_REFUSED], (Some(10), Passed), (Some(30), Stopped)),
            (State::Recalled, &[D, kind::PARCEL_RECALLED], (Some(20), Stopped), (None, NotYet)),
            (State::Expired, &[D, kind::PARCEL_EXPIRED], (Some(20), Stopped), (None, NotYet)),
            (
                State::Discarded,
                &[kind::PARCEL_HELD, kind::PARCEL_DISCARDED],
                (Some(20), Stopped),
                (None, NotYet),
            ),
        ] {
            assert_eq!(
                way_of(&history(state, kinds), &Waypoints::default()),
                [
                    (Place::Sender, Some(0), Passed),
                    (Place::Relay, relay.0, relay.1),
                    (Place::Recipient, recipient.0, recipient.1),
                ],
                "{state}"
            );
        }
    }

    #[test]
    fn proxies_stand_where_they_are_and_may_be_what_is_waited_for() {
        const BEGUN: [&str; 2] = [kind::PARCEL_DELIVERED, kind::PARCEL_FETCHED];
        use Passage::{NotYet, Passed, Waiting};
        let via = |at_us: Option<i64>| Via { name: "P".into(), at_us: at_us.map(|us| MADE_US + us) };
        let software = Some(Software { name: "Care".into(), version: "3".into() });
        let along = |handed_over: Option<i64>| Waypoints {
            software: software.clone(),
            sender_proxy: Some(via(Some(5))),
            recipient_proxy: Some(via(handed_over)),
        };
        let delivered = history(State::Delivered, &[kind::PARCEL_DELIVERED]);
        // From then on the parcel says who fetched it, and its events when the office had it.
        let by_proxy = |state, kinds: &[&str]| {
            let mut history = history(state, kinds);
            history.parcel.fetched_us = Some(MADE_US + 20);
            history.parcel.marks.recipient_proxy = Some("P00004".parse().unwrap());
            for proven in &mut history.events {
                proven.event.lines.add("by", "proxy:P00004");
            }
            history
        };
        let fetched = by_proxy(State::Fetched, &BEGUN);
        let acknowledged =
            by_proxy(State::Acknowledged, &[&BEGUN[..], &[kind::PARCEL_ACKNOWLEDGED]].concat());
        let handed_over = by_proxy(State::Fetched, &[&BEGUN[..], &[kind::PARCEL_HANDED_OVER]].concat());
        let mut signed = acknowledged.clone();
        signed.events[2].event = Event::new(kind::PARCEL_ACKNOWLEDGED, 1, MADE_US + 30, [7; 16]);
        signed.events[2].event.lines.add("by", "office:9971100012");
        let held = history(State::Held, &[kind::PARCEL_HELD]);
        let last = |history: &ParcelHistory, handed_over| way_of(history, &along(handed_over)).split_off(3);
        assert_eq!(way_of(&delivered, &along(None))[1], (Place::SenderProxy, Some(5), Passed));
        assert_eq!(
            last(&delivered, None),
            [(Place::RecipientProxy, None, Waiting), (Place::Recipient, None, NotYet)]
        );
        assert_eq!(
            last(&fetched, None),
            [(Place::RecipientProxy, Some(20), Waiting), (Place::Recipient, None, NotYet)]
        );
        // What the proxy signs for is still with the proxy.
        assert_eq!(
            last(&acknowledged, None),
            [(Place::RecipientProxy, Some(30), Waiting), (Place::Recipient, None, NotYet)]
        );
        assert_eq!(
            last(&handed_over, None),
            [(Place::RecipientProxy, Some(30), Passed), (Place::Recipient, Some(30), Waiting)]
        );
        assert_eq!(
            last(&signed, None),
            [(Place::RecipientProxy, Some(30), Passed), (Place::Recipient, Some(30), Passed)]
        );
        // The office itself fetched what its proxy could have.
        let mut by_itself = history(State::Fetched, &BEGUN);
        by_itself.parcel.fetched_us = Some(MADE_US + 20);
        assert_eq!(last(&by_itself, None), [(Place::Recipient, Some(20), Waiting)]);
        assert_eq!(
            last(&held, None),
            [(Place::RecipientProxy, None, NotYet), (Place::Recipient, None, NotYet)]
        );
        assert_eq!(delivered.stations(&along(None))[0].name, "A (Care 3)");
    }
}
