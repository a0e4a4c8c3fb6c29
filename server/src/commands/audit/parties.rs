//! Who occurs in the events, how often, from when to when.

use std::collections::BTreeMap;
use std::collections::HashMap;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::parse_digest;
use tasuki_proto::event::Event;
use tasuki_proto::time;

use super::entries::PartyObject;
use super::subject::named_in;
use crate::store::{Store, StoreError};

/// Keys looked up at once.
const PIECE: usize = 100;

/// Names from the directory, each read once. It never holds more than the directory does.
#[derive(Debug)]
pub(super) struct Names<'a> {
    store: &'a Store,
    known: HashMap<OfficeNumber, String>,
}

impl<'a> Names<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, known: HashMap::new() }
    }

    /// An office's name; empty: it is not in the directory.
    pub(super) async fn of(&mut self, office: OfficeNumber) -> Result<String, StoreError> {
        if let Some(name) = self.known.get(&office) {
            return Ok(name.clone());
        }
        let name = self.store.office(office).await?.map(|row| row.name).unwrap_or_default();
        self.known.insert(office, name.clone());
        Ok(name)
    }

    /// The name of an office as a line of an event spells it; empty: it spells none.
    pub(super) async fn of_text(&mut self, number: Option<&str>) -> Result<String, StoreError> {
        match number.and_then(|number| number.parse().ok()) {
            Some(office) => self.of(office).await,
            None => Ok(String::new()),
        }
    }
}

#[derive(Debug)]
struct Seen {
    events: u64,
    first_us: i64,
    last_us: i64,
}

/// Everybody that was seen. There are no more than offices, terminals, proxies and their certificates.
#[derive(Debug, Default)]
pub(super) struct Parties(BTreeMap<String, Seen>);

impl Parties {
    /// Takes note of an event.
    pub(super) fn add(&mut self, event: &Event) {
        let at_us = event.time_us;
        for party in named_in(event) {
            let seen = self.0.entry(party).or_insert(Seen { events: 0, first_us: at_us, last_us: at_us });
            seen.events += 1;
            seen.last_us = at_us;
        }
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them with their names.
    pub(super) async fn objects(&self, names: &mut Names<'_>) -> Result<Vec<PartyObject>, StoreError> {
        let owners = self.owners(names.store).await?;
        let mut objects = Vec::with_capacity(self.0.len());
        for (party, Seen { events, first_us, last_us }) in &self.0 {
            let (kind, rest) = party.split_once(':').unwrap_or_default();
            let (kind, office) = match kind {
                "office" => ("office", rest.parse().ok()),
                "terminal" => ("terminal", rest.get(..10).and_then(|office| office.parse().ok())),
                "proxy" => ("proxy", None),
                "operator" => ("operator", None),
                _ => ("key", owners.get(party).copied()),
            };
            objects.push(PartyObject {
                party: party.clone(),
                kind,
                name: match office {
                    Some(office) => names.of(office).await?,
                    None => String::new(),
                },
                office: office.filter(|_| kind != "office").map(|office| office.to_string()),
                events: *events,
                first: time::format_us(*first_us),
                last: time::format_us(*last_us),
            });
        }
        Ok(objects)
    }

    /// The offices that keys were registered for. Certificates of terminals, proxies and those that only sign are not.
    async fn owners(&self, store: &Store) -> Result<HashMap<String, OfficeNumber>, StoreError> {
        let keys: Vec<[u8; 32]> = self.0.keys().filter_map(|party| parse_digest(party)).collect();
        let mut owners = HashMap::new();
        for piece in keys.chunks(PIECE) {
            for (key, office) in store.offices_of_keys(piece).await? {
                owners.insert(tasuki_proto::canonical::digest_text(&key), office);
            }
        }
        Ok(owners)
    }
}
