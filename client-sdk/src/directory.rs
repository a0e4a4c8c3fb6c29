//! Who takes part: offices, and what the relay is.

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::pb;

use crate::client::Client;
use crate::error::{SdkError, VerificationError};
use crate::notices::PlannedStop;

/// An office of the directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Office {
    /// Its number.
    pub number: OfficeNumber,
    /// Its name.
    pub name: String,
    /// Reading of the name in katakana.
    pub kana: String,
    /// Two-character service kinds.
    pub services: Vec<String>,
    /// Its software reads the standard's files.
    pub standard_ready: bool,
    /// It takes part.
    pub active: bool,
    /// `active`, `suspended`, `listed` (on the operator's list, not joined), `left`; a state of a later relay is `suspended`.
    pub state: &'static str,
    /// Prefecture and municipality, or as much of its address as is known.
    pub municipality: String,
    /// What it takes, as far as known: editions of the standard (`csv-4.1`) and formats of attachments (`pdf`).
    pub accepts: Vec<String>,
    /// `accepts` is its own signed word: nothing else is taken for it.
    pub declared: bool,
    /// Where only partners may exchange, and the office was asked for by its number: whether it is one.
    pub partner: Option<bool>,
    /// When it came into the directory, RFC 3339; empty: not known.
    pub since: String,
    /// Proxies (伝送代行業者) that receive for it; empty in lists, which do not tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proxies: Vec<OfficeProxy>,
    /// Parcels can be sealed to it; `None` in lists, which do not tell: ask for the office by its number.
    pub has_key: Option<bool>,
}

/// A proxy that receives for an office.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfficeProxy {
    /// Its number.
    pub number: ProxyNumber,
    /// Its name.
    pub name: String,
}

/// Offices that changed, and where to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OfficeChanges {
    /// In the order of their last changes. An office that changed again meanwhile comes again.
    pub offices: Vec<Office>,
    /// Keep it, and hand it to the next call: now where there is more, else whenever you like.
    pub cursor: String,
    /// More stands behind the last.
    pub more: bool,
    /// The relay no longer continues what was read before: this is the beginning again. Forget what was kept.
    pub restarted: bool,
}

/// What the relay is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RelayInfo {
    /// Software version.
    pub version: String,
    /// C2SP verifier key of its log's current epoch; the same key as the one pinned.
    pub log_key: String,
    /// Current epoch of the log.
    pub epoch: u64,
    /// Bytes of a container that it takes.
    pub max_container_bytes: u64,
    /// It takes nothing new for now; why, in Japanese and in English.
    pub receive_only: Option<(String, String)>,
    /// Planned stops that are not over, in order.
    pub planned_stops: Vec<PlannedStop>,
    /// Its clock, Unix microseconds.
    pub now_us: Option<i64>,
}

impl Client {
    /// Offices that changed behind a cursor, at most 500 at once: entry, standing or keys. `None`: from the beginning, which is the
    /// whole directory. Nothing is missed that changes while the pages are read.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client, kept: Option<String>) -> Result<(), tasuki_sdk::SdkError> {
    /// let mut cursor = kept;
    /// loop {
    ///     let changes = client.offices_changed(cursor.as_deref()).await?;
    ///     if changes.restarted {
    ///         // Empty the own copy first.
    ///     }
    ///     for office in &changes.offices {
    ///         println!("{} {}", office.number, office.name); // Into the own copy.
    ///     }
    ///     // Keep it in the same transaction as the offices.
    ///     cursor = Some(changes.cursor);
    ///     if !changes.more {
    ///         break;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The relay can't be reached or refuses; the cursor is none.
    pub async fn offices_changed(&self, cursor: Option<&str>) -> Result<OfficeChanges, SdkError> {
        let caller = &self.inner.caller;
        let request = pb::ListChangesRequest {
            cursor: cursor.unwrap_or_default().to_owned(),
            page_size: tasuki_proto::limits::MAX_PAGE,
        };
        let answer = caller.repeat(|| {
            let mut directory = caller.directory();
            let request = request.clone();
            async move { directory.list_changes(request).await }
        });
        let answer = answer.await?;
        Ok(OfficeChanges {
            offices: answer.offices.into_iter().map(Office::from_wire).collect::<Result<_, _>>()?,
            cursor: answer.next_cursor,
            more: answer.more,
            restarted: answer.restarted,
        })
    }
}

impl OfficeProxy {
    fn from_wire(proxy: pb::OfficeProxy) -> Result<Self, VerificationError> {
        let number = proxy.number.parse();
        let number = number.map_err(|_| VerificationError::Incomplete("a proxy's number"))?;
        Ok(Self { number, name: proxy.name })
    }
}

impl Office {
    /// An office of a list, which tells nothing of keys.
    pub(crate) fn from_wire(office: pb::Office) -> Result<Self, VerificationError> {
        let number = office.number.parse();
        Ok(Self {
            number: number.map_err(|_| VerificationError::Incomplete("an office's number"))?,
            name: office.name,
            kana: office.kana,
            services: office.services,
            standard_ready: office.standard_ready,
            active: pb::OfficeState::try_from(office.state) == Ok(pb::OfficeState::Active),
            state: match pb::OfficeState::try_from(office.state) {
                Ok(pb::OfficeState::Active) => "active",
                Ok(pb::OfficeState::Listed) => "listed",
                Ok(pb::OfficeState::Left) => "left",
                Ok(pb::OfficeState::Suspended | pb::OfficeState::Unspecified) | Err(_) => "suspended",
            },
            municipality: office.municipality,
            accepts: office.accepts,
            declared: office.declared,
            partner: match pb::PartnerLink::try_from(office.link) {
                Ok(pb::PartnerLink::Linked) => Some(true),
                Ok(pb::PartnerLink::None) => Some(false),
                Ok(pb::PartnerLink::Unspecified) | Err(_) => None,
            },
            since: office.since,
            proxies: office.proxies.into_iter().map(OfficeProxy::from_wire).collect::<Result<_, _>>()?,
            has_key: None,
        })
    }

    /// An office that was asked for by its number.
    pub(crate) fn from_wire_with_keys(office: pb::Office) -> Result<Self, VerificationError> {
        let has_key = Some(!office.keys.is_empty());
        Ok(Self { has_key, ..Self::from_wire(office)? })
    }
}
