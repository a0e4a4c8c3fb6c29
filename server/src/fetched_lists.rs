//! Revocation lists fetched over HTTP: from addresses of the configuration, and from the distribution points that certificates name.
//!
//! A list that was fetched is held against its CA and against what is held before it takes its place; whatever is refused changes
//! nothing, and the last good list stays, on disk as well ([`kept`]). What then is too old is what the policy of its anchor is about.
//! The files are among those that [`crate::trust`] follows.

pub(crate) mod kept;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tasuki_certs::trust::{CurrentTrust as _, FetchedList, ListRefusal, NotedPoint};
use tasuki_proto::canonical::hex;

use self::kept::{Kept, ListNotes, Notes, Origin};
use crate::clock::Clock;
use crate::config::FetchConfig;
use crate::denials::Denials;
use crate::fetch::{Ask, FetchFault, Fetcher, Means, MeansError, pause_us};
use crate::trust::Trust;

/// How often to look whose time has come. Distribution points that were just noted are fetched then: who shows a new CA's
/// certificate waits for this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Addresses that are fetched at once.
const AT_ONCE: usize = 4;

/// Why an address gave no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ListFault {
    /// Nothing came.
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    /// What came is not used.
    #[error(transparent)]
    Refused(#[from] ListRefusal),
    /// All lists together would have more bytes than are kept.
    #[error("all lists together would be larger than trust.fetch.total_mib")]
    NoRoom,
    /// It can't be written.
    #[error("it can't be kept on disk: {0}")]
    Disk(io::ErrorKind),
}

impl ListFault {
    /// A stable word for metrics and logs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Fetch(fault) => fault.code(),
            Self::Refused(refusal) => refusal.code(),
            Self::NoRoom => "CRL_NO_ROOM",
            Self::Disk(_) => "CRL_DISK",
        }
    }
}

impl From<io::Error> for ListFault {
    fn from(error: io::Error) -> Self {
        Self::Disk(error.kind())
    }
}

/// What came of one address.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// As it stands now.
    pub(crate) notes: Notes,
    /// Why nothing came.
    pub(crate) fault: Option<ListFault>,
    /// The list is another than before.
    pub(crate) new: bool,
}

/// Fetches lists.
#[derive(Clone, Debug)]
pub(crate) struct ListFetcher {
    trust: Trust,
    kept: Kept,
    fetcher: Fetcher,
    config: FetchConfig,
    clock: Arc<dyn Clock>,
}

impl ListFetcher {
    /// As the configuration says. The folder exists ([`Kept::prepare`]).
    ///
    /// # Errors
    /// The CA certificates or the proxy's password can't be used.
    pub(crate) fn new(trust: Trust, config: &FetchConfig, clock: Arc<dyn Clock>) -> Result<Self, MeansError> {
        let fetcher = fetcher(config, Duration::from_secs(u64::from(config.timeout_s)), Arc::clone(&clock))?;
        Ok(Self { trust, kept: Kept::at(&config.folder), fetcher, config: config.clone(), clock })
    }

    /// Every address: what is known from before, what the configuration names, what certificates named since. Forgets what nobody
    /// names any more.
    pub(crate) fn addresses(&self) -> io::Result<BTreeMap<String, Notes>> {
        let mut all = BTreeMap::new();
        for notes in self.kept.notes()? {
            let named = match notes.origin {
                Origin::Configured => self.config.urls.contains(&notes.url),
                Origin::Certificate => {
                    self.config.distribution_points && !self.config.urls.contains(&notes.url)
                }
            };
            if named {
                all.insert(notes.url.clone(), notes);
            } else {
                self.kept.forget(&notes.url)?;
            }
        }
        for url in &self.config.urls {
            all.entry(url.clone()).or_insert_with(|| Notes::new(url, Origin::Configured, None));
        }
        self.add_noted(&mut all);
        Ok(all)
    }

    /// Adds what certificates have named.
    fn add_noted(&self, all: &mut BTreeMap<String, Notes>) {
        if !self.config.distribution_points {
            return;
        }
        for NotedPoint { url, issuer } in self.trust.current().noted_points() {
            all.entry(url.clone()).or_insert_with(|| Notes::new(&url, Origin::Certificate, Some(&issuer)));
        }
    }

    /// Fetches again and again. Never ends.
    pub(crate) async fn run(self, denials: &Denials) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut all = self.addresses().unwrap_or_else(|error| {
            tracing::error!(%error, "the folder of fetched revocation lists can't be read");
            BTreeMap::new()
        });
        loop {
            ticks.tick().await;
            self.add_noted(&mut all);
            let now_us = self.clock.now_us();
            let due: Vec<Notes> = all.values().filter(|notes| self.is_due(notes, now_us)).cloned().collect();
            for some in due.chunks(AT_ONCE) {
                for outcome in self.fetch_all(some).await {
                    tell(&outcome, all.get(&outcome.notes.url), denials);
                    all.insert(outcome.notes.url.clone(), outcome.notes);
                }
            }
            show(all.values(), self.clock.now_us());
        }
    }

    /// Fetches from some addresses at once, and has what is new taken into use.
    pub(crate) async fn fetch_all(&self, some: &[Notes]) -> Vec<Outcome> {
        let tasks: Vec<_> = some
            .iter()
            .map(|notes| {
                let (own, notes) = (self.clone(), notes.clone());
                tokio::spawn(async move { own.fetch_one(notes).await })
            })
            .collect();
        let mut outcomes = Vec::new();
        for task in tasks {
            outcomes.extend(task.await);
        }
        if outcomes.iter().any(|outcome| outcome.new) {
            self.trust.reload().await;
        }
        outcomes
    }

    async fn fetch_one(&self, mut notes: Notes) -> Outcome {
        let now_us = self.clock.now_us();
        let max_bytes = usize::try_from(u64::from(self.config.max_mib) << 20).unwrap_or(usize::MAX);
        let anywhere = self.config.allow_private || notes.origin == Origin::Configured;
        let ask = Ask { url: &notes.url, anywhere, max_bytes, post: None };
        let fetched = self.fetcher.fetch(&ask).await;
        let outcome = match fetched {
            Ok(bytes) => {
                let (own, known) = (self.clone(), notes.clone());
                // A large list takes a while to read, and disks take their time.
                let taken = tokio::task::spawn_blocking(move || own.take(&known, &bytes)).await;
                taken.unwrap_or(Err(ListFault::Refused(ListRefusal::Malformed)))
            }
            Err(fault) => Err(fault.into()),
        };
        notes.tried_us = now_us;
        let (fault, new) = match outcome {
            Ok(list) => {
                let new = notes.list.as_ref() != Some(&list);
                notes.fault = None;
                notes.failures = 0;
                notes.fetched_us = Some(now_us);
                notes.list = Some(list);
                (None, new)
            }
            Err(fault) => {
                notes.fault = Some(fault.code().to_owned());
                notes.failures = notes.failures.saturating_add(1);
                (Some(fault), false)
            }
        };
        if let Err(error) = self.kept.put_notes(&notes) {
            tracing::warn!(%error, "what is known of a fetched revocation list can't be kept");
        }
        Outcome { notes, fault, new }
    }

    /// Judges what came, and keeps it.
    fn take(&self, notes: &Notes, bytes: &[u8]) -> Result<ListNotes, ListFault> {
        let issuer = notes.issuer_der();
        let issuers: Vec<&[u8]> = issuer.iter().map(Vec::as_slice).collect();
        let list: FetchedList = self.trust.current().judge_list(bytes, &issuers, self.clock.now_us())?;
        let length = list.der.len() as u64;
        if self.kept.bytes_beside(&notes.url)?.saturating_add(length) > u64::from(self.config.total_mib) << 20
        {
            return Err(ListFault::NoRoom);
        }
        self.kept.put_list(&notes.url, &list.der)?;
        Ok(ListNotes {
            issuer: list.issuer,
            sha256: hex(&list.fingerprint),
            bytes: length,
            this_update_us: list.this_update_us,
            next_update_us: list.next_update_us,
        })
    }

    /// Whether an address's time has come: after its pause, and when the next list is promised.
    fn is_due(&self, notes: &Notes, now_us: i64) -> bool {
        let every_us = self.config.every.us();
        let first_us = self.config.first_pause.us().min(every_us);
        let pause_us = pause_us(every_us, first_us, notes.failures);
        let promised =
            notes.list.as_ref().filter(|_| notes.failures == 0).map_or(i64::MAX, |list| list.next_update_us);
        // A CA that is late is not asked every second.
        let soonest = notes.tried_us.saturating_add(first_us);
        let next = notes.tried_us.saturating_add(pause_us).min(promised.max(soonest));
        // A clock that was set back must not keep the relay from asking.
        now_us >= next || now_us < notes.tried_us
    }
}

/// What fetches, as `[trust.fetch]` says.
pub(crate) fn fetcher(
    config: &FetchConfig,
    patience: Duration,
    clock: Arc<dyn Clock>,
) -> Result<Fetcher, MeansError> {
    let means = Means {
        ca_file: &config.ca_file,
        proxy: &config.proxy,
        proxy_user_file: &config.proxy_user_file,
        patience,
    };
    Fetcher::new(&means, clock)
}

/// Logs and counts what came of an address. A fault that lasts is told once.
fn tell(outcome: &Outcome, before: Option<&Notes>, denials: &Denials) {
    let notes = &outcome.notes;
    let result = outcome.fault.as_ref().map_or("ok", ListFault::code);
    metrics::counter!("tasuki_crl_fetches_total", "result" => result).increment(1);
    match &outcome.fault {
        None if outcome.new => tracing::info!(url = notes.url, "a new revocation list was fetched"),
        None => {}
        Some(fault) if before.is_some_and(|before| before.fault.as_deref() == Some(fault.code())) => {}
        Some(fault) => {
            tracing::error!(
                url = notes.url, reason = fault.code(), %fault, "a revocation list can't be fetched; the last good one stays in force"
            );
            denials.note_source(&notes.url, "crl", fault.code());
        }
    }
}

/// Shows in the metrics how many addresses fail, and since when the one that has waited longest was last fetched.
fn show<'n>(all: impl Iterator<Item = &'n Notes> + Clone, now_us: i64) {
    let failing = all.clone().filter(|notes| notes.failures > 0).count();
    metrics::gauge!("tasuki_crl_sources_failing").set(f64::from(u32::try_from(failing).unwrap_or(u32::MAX)));
    let oldest = all.filter_map(|notes| notes.fetched_us).min();
    if let Some(oldest) = oldest {
        metrics::gauge!("tasuki_crl_fetched_age_seconds")
            .set(crate::trust::seconds(now_us.saturating_sub(oldest)));
    }
}
