//! Who did what in the office's name: the office itself, its terminals, its proxies, the relay's operator.
//!
//! It is read from the office's own feed, from its beginning, every event proven: what the relay says of others' doings is what
//! it committed to at the time. Looking changes nothing: the place where [`Client::watch`] goes on stays.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};

use crate::client::Client;
use crate::error::SdkError;
use crate::feed::{FeedEvent, News};

/// Something that was done in the office's name, or to its entry, its keys or its mandates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who: `office:…`, `terminal:OFFICE:NAME`, `proxy:…`, `operator:NAME`, `operator` (before it had operators with names), or
    /// `relay` where the event names nobody.
    pub by: String,
    /// The event, with its place in feed and log.
    pub event: FeedEvent,
}

/// What an office asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessRange {
    /// Not before, Unix microseconds.
    pub from_us: Option<i64>,
    /// Before, Unix microseconds.
    pub until_us: Option<i64>,
}

impl AccessRange {
    fn holds(&self, us: i64) -> bool {
        self.from_us.is_none_or(|from| us >= from) && self.until_us.is_none_or(|until| us < until)
    }
}

/// What was found besides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccessEnd {
    /// Events of the feed that were looked at.
    pub looked_at: u64,
    /// Events whose texts the relay no longer keeps: their time as evidence is over.
    pub erased: u64,
}

impl Client {
    /// Tells what was done in the office's name, in order. What others did to its parcels, such as fetching them, is not part
    /// of it.
    ///
    /// # Errors
    /// The relay can't be reached or refuses; an event is not proven, or does not follow the one before.
    pub async fn access(
        &self,
        range: AccessRange,
        mut on_access: impl FnMut(&Access) -> ControlFlow<()>,
    ) -> Result<AccessEnd, SdkError> {
        let office = self.office();
        let mut own = OwnMandates::default();
        let mut end = AccessEnd::default();
        self.read_feed_anew(|news| match news {
            News::Event(found) => {
                end.looked_at += 1;
                let by = own.actor(&found.event, office);
                match by.filter(|_| range.holds(found.event.time_us)) {
                    Some(by) => on_access(&Access { by, event: found.clone() }),
                    None => ControlFlow::Continue(()),
                }
            }
            News::Erased { from, through, .. } => {
                end.erased += (through + 1).saturating_sub(*from);
                ControlFlow::Continue(())
            }
            _ => ControlFlow::Continue(()),
        })
        .await?;
        Ok(end)
    }
}

/// Mandates that this office has given, as its feed tells of them: they say for whom a proxy acted.
#[derive(Debug, Default)]
struct OwnMandates(BTreeSet<[u8; 32]>);

impl OwnMandates {
    /// Who did this in the office's name; `None`: nobody.
    fn actor(&mut self, event: &Event, office: OfficeNumber) -> Option<String> {
        let line = |key: &str| event.lines.get(key).map(str::to_owned);
        let is = |key: &str| event.office(key) == Some(office);
        if event.kind.starts_with("mandate.") {
            self.0.extend(event.digest("mandate"));
        }
        if let Some(operator) = line("operator") {
            return Some(operator);
        }
        let by = line("by").or_else(|| line("transmitter"));
        match event.kind.as_str() {
            // What the sender did, by whoever transmitted or signed for it.
            kind::PARCEL_DELIVERED | kind::PARCEL_HELD if is("sender") => by.or_else(|| line("signer")),
            kind::PARCEL_DELIVERED | kind::PARCEL_HELD => None,
            kind::REQUEST_MADE => by.filter(|_| is("from")),
            kind if kind.starts_with("parcel.") => by.filter(|by| self.is_own(by, event, office)),
            kind if kind.starts_with("mandate.") => by,
            kind::KEY_REGISTERED => Some(by.unwrap_or_else(|| match event.digest("statement") {
                Some(_) => format!("office:{office}"),
                None => "relay".to_owned(),
            })),
            kind if kind.starts_with("office.") || kind.starts_with("certificate.") => {
                Some(by.unwrap_or_else(|| "operator".to_owned()))
            }
            _ => by.filter(|by| self.is_own(by, event, office)),
        }
    }

    /// Whether whoever acted did so in the office's name: itself, its terminal, or somebody with a mandate of its own. A proxy
    /// may serve both sides; the mandate says whose act it was, and where the operator registered it, the parcel's side does.
    fn is_own(&self, by: &str, event: &Event, office: OfficeNumber) -> bool {
        if let Some(number) = by.strip_prefix("office:") {
            return number == office.as_str();
        }
        if let Some(terminal) = by.strip_prefix("terminal:") {
            return terminal.split(':').next() == Some(office.as_str());
        }
        let mandate = event.digest("mandate").or_else(|| event.digest("statement-mandate"));
        by.starts_with("proxy:") && mandate.is_some_and(|mandate| self.0.contains(&mandate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "1371215102";
    const OTHER: &str = "9971100012";

    fn event(kind: &str, lines: &[(&'static str, &str)]) -> Event {
        let mut event = Event::new(kind, 1, 0, [0; 16]);
        for (key, value) in lines {
            event.lines.add(key, value);
        }
        event
    }

    #[test]
    fn an_act_is_told_to_the_office_in_whose_name_it_was_done() {
        let own: OfficeNumber = OWN.parse().unwrap();
        let mut mandates = OwnMandates::default();
        let mine = format!("sha256:{}", "0a".repeat(32));
        let theirs = format!("sha256:{}", "0b".repeat(32));
        let parties = [("sender", OWN), ("recipient", OTHER)];
        let about = |kind: &str, more: &[(&'static str, &str)]| event(kind, &[&parties[..], more].concat());
        let of = |mandates: &mut OwnMandates, event: Event| mandates.actor(&event, own);
        assert_eq!(
            of(&mut mandates, event(kind::MANDATE_DELEGATED, &[("mandate", &mine), ("by", "operator")])),
            Some("operator".to_owned())
        );
        for (event, by) in [
            (about(kind::PARCEL_DELIVERED, &[("transmitter", "proxy:P00001")]), Some("proxy:P00001")),
            (
                about(kind::PARCEL_DELIVERED, &[("transmitter", "terminal:1371215102:受付")]),
                Some("terminal:1371215102:受付"),
            ),
            (event(kind::PARCEL_DELIVERED, &[("sender", OTHER), ("transmitter", "proxy:P00001")]), None),
            (about(kind::PARCEL_FETCHED, &[("by", "office:9971100012")]), None),
            (about(kind::PARCEL_FETCHED, &[("by", "proxy:P00001"), ("mandate", &theirs)]), None),
            (
                about(kind::PARCEL_RECALLED, &[("by", "proxy:P00001"), ("mandate", &mine)]),
                Some("proxy:P00001"),
            ),
            (about(kind::PARCEL_RECALLED, &[("by", "office:1371215102")]), Some("office:1371215102")),
            (about(kind::PARCEL_OVERDUE, &[("by", "relay")]), None),
            (event(kind::OFFICE_SUSPENDED, &[("office", OWN)]), Some("operator")),
            (
                event(kind::OFFICE_SUSPENDED, &[("office", OWN), ("operator", "operator:係")]),
                Some("operator:係"),
            ),
            (event(kind::KEY_REGISTERED, &[("office", OWN)]), Some("relay")),
            (event(kind::LOG_STARTED, &[]), None),
            (event(kind::REQUEST_MADE, &[("from", OTHER), ("by", "office:9971100012")]), None),
        ] {
            assert_eq!(of(&mut mandates, event.clone()).as_deref(), by, "{}", event.print());
        }
    }
}
