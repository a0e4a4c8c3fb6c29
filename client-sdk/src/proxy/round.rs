//! One round of a proxy: everything that waits for any of its offices, several offices side by side.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::mandate::Scope;
use tasuki_proto::reason;
use tokio::sync::watch;

use super::feeds::Feeds;
use super::folder::{self, Found, Left, Waiting};
use super::moves::{self, Journal, Moved, Moves};
use super::{Proxy, RoundLock, Served};
use crate::blocking;
use crate::client::Client;
use crate::error::{ErrorKind, Refusal, SdkError, Unreachable};
use crate::home::LOG_KEY;
use crate::parcel::ParcelName;
use crate::progress::{Progress, Step};
use crate::receive::ReceiveOptions;
use crate::send::plan::plan_found;
use crate::send::{NewPartners, SendOptions, SendOutcome, SendReport, source};

/// Offices that are worked on side by side. While one waits for the disk or the relay others sign: it takes some to keep the relay and this
/// computer busy, and more are no faster. Each has a call of its own open, and a relay takes 128 over one connection. What their
/// parcels hold in memory is bounded for all together, however many these are.
pub const OFFICES_AT_ONCE: usize = 12;

/// How a round is made.
#[derive(Clone, Debug, Default)]
pub struct RoundOptions {
    /// Send also to offices that nothing was ever sent to.
    pub new_partners: NewPartners,
    /// Leave for the next round what changed within this time: somebody may still be copying it into the folder.
    pub quiet: Option<Duration>,
    /// `in/N/` is the office's own place (a shared folder, its software): sign for each parcel that is stored there that it was handed over.
    pub hand_over: bool,
    /// Ends the round early when it is asked to.
    pub stop: Stop,
}

/// Asks rounds to end: what is at work is brought to its end, nothing more is begun. Clones are one.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was asked for.
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for.
    pub async fn asked(&self) {
        // The sender lives as long as this.
        let mut asked = self.0.subscribe();
        let _asked = asked.wait_for(|asked| *asked).await;
    }
}

/// What became of one office's files and parcels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfficeReport {
    /// The office.
    pub office: OfficeNumber,
    /// Its name in the directory.
    pub name: String,
    /// Files that were to be sent.
    pub files: usize,
    /// Parcels that the relay has.
    pub accepted: usize,
    /// Parcels, and files without a parcel, that were refused.
    pub rejected: usize,
    /// Parcels that are sent with the next round.
    pub pending: usize,
    /// Parcels that were received, and signed for where the office lets the proxy do that.
    pub received: usize,
    /// Files that went to `error/`.
    pub to_error: usize,
    /// Why parcels were not sent or received: stable words, each once, sorted.
    pub reasons: Vec<String>,
    /// The worst that happened; `None`: all is well.
    pub worst: Option<ErrorKind>,
}

/// The sum of all offices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Offices that let the proxy act.
    pub offices: usize,
    /// Files that were to be sent.
    pub files: usize,
    /// As in [`OfficeReport`].
    pub accepted: usize,
    /// As in [`OfficeReport`].
    pub rejected: usize,
    /// As in [`OfficeReport`].
    pub pending: usize,
    /// As in [`OfficeReport`].
    pub received: usize,
    /// As in [`OfficeReport`].
    pub to_error: usize,
}

/// What a round came to.
#[derive(Clone, Debug, Default)]
pub struct RoundReport {
    /// Every office, by number.
    pub offices: Vec<OfficeReport>,
    /// Files that were left where they lie.
    pub left: Vec<Left>,
    /// It was asked to end before every office had its turn.
    pub stopped: bool,
}

impl RoundReport {
    /// The sum.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { offices: self.offices.len(), ..Totals::default() };
        for office in &self.offices {
            totals.files += office.files;
            totals.accepted += office.accepted;
            totals.rejected += office.rejected;
            totals.pending += office.pending;
            totals.received += office.received;
            totals.to_error += office.to_error;
        }
        totals
    }

    /// The worst that happened; `None`: all is well.
    pub fn worst(&self) -> Option<ErrorKind> {
        self.offices.iter().filter_map(|office| office.worst).max_by_key(|kind| kind.exit_code())
    }
}

impl OfficeReport {
    fn of(served: &Served, files: usize) -> Self {
        Self {
            office: served.office,
            name: served.name.clone(),
            files,
            accepted: 0,
            rejected: 0,
            pending: 0,
            received: 0,
            to_error: 0,
            reasons: Vec::new(),
            worst: None,
        }
    }

    fn worse(&mut self, kind: Option<ErrorKind>) {
        self.worst = self.worst.into_iter().chain(kind).max_by_key(|kind| kind.exit_code());
    }

    fn failed(&mut self, error: &SdkError) {
        self.reasons.push(error.reason().to_owned());
        self.worse(Some(error.kind()));
    }

    /// Whether there is anything to tell.
    pub fn is_idle(&self) -> bool {
        let parcels = self.accepted + self.rejected + self.pending + self.received;
        parcels + self.files == 0 && self.reasons.is_empty()
    }
}

/// One office's turn.
struct Turn<'s> {
    place: usize,
    served: &'s Served,
    files: Vec<Waiting>,
    receives: bool,
}

/// A round at work.
struct Round<'r> {
    proxy: &'r Proxy,
    folder: PathBuf,
    options: &'r RoundOptions,
    progress: &'r dyn Progress,
    /// Why the relay can't be reached: the offices after that are not tried.
    away: Mutex<Option<SdkError>>,
    /// A client of any office: what they have in common is kept through it.
    any: Mutex<Option<Client>>,
    moved: Mutex<Moved>,
    journal: &'r Arc<Journal>,
}

impl Proxy {
    /// Sends what lies in `folder/out/` and receives what waits, for all offices. Files of accepted parcels go to `done/N/`, those
    /// of parcels that the checks refuse for good to `error/N/` with a `.reason.json` beside each; all else stays. What is received lies in
    /// `in/N/<sender>/<parcel>/`. An office without files whose feed has not moved since the last round costs no call.
    ///
    /// Killed at any moment, the next round goes on where it was, and sends nothing twice.
    ///
    /// # Errors
    /// Only what concerns all: the list of offices can't be had, the folder can't be read. What happens to an office stands in the report.
    pub async fn round(
        &self,
        _lock: &RoundLock,
        folder: &Path,
        options: &RoundOptions,
        progress: &dyn Progress,
    ) -> Result<RoundReport, SdkError> {
        let folder = std::path::absolute(folder).map_err(|e| SdkError::io(folder, &e))?;
        let (home, place, now_us) = (self.folder.clone(), folder.clone(), self.clock.now_us());
        let looked = blocking::run(move || {
            moves::finish_all(&place)?;
            Ok((folder::look(&place)?, Feeds::load(&home)?))
        });
        let (offices, looked) = tokio::join!(self.offices(), looked);
        let (mut offices, (lies, mut feeds)) = (offices?, looked?);
        offices.sort_by_key(|served| served.office);
        offices.dedup_by_key(|served| served.office);
        if let Some(common) = self.common.get() {
            common.forget_offices().await;
        }
        let (ours, quiet) = (offices.clone(), options.quiet);
        let found = blocking::run(move || Ok(folder::judge(lies, &ours, quiet, now_us))).await?;
        let Found { mut heaps, left } = found;
        let mut report = RoundReport { left, ..RoundReport::default() };
        let mut turns = Vec::new();
        for (place, served) in offices.iter().enumerate() {
            let files = heaps.remove(&served.office).unwrap_or_default();
            report.offices.push(OfficeReport::of(served, files.len()));
            let receives = served.may(Scope::Receive) && !feeds.is_at(served.office, served.feed_end);
            // Whoever may only look on or sign has its HOME for that, too.
            let is_new = !self.has_home(served);
            if receives || !files.is_empty() || is_new {
                turns.push(Turn { place, served, files, receives });
            }
        }
        // The largest first: what is begun last should not take long.
        turns.sort_by_key(|turn| Reverse(turn.files.len()));
        let files = turns.iter().map(|turn| turn.files.len()).sum();
        progress.step(Step::Round { offices: turns.len(), files });

        let journal = Arc::new(Journal::of(&folder));
        let round = &Round {
            proxy: self,
            folder,
            options,
            progress,
            away: Mutex::default(),
            any: Mutex::default(),
            moved: Mutex::default(),
            journal: &journal,
        };
        let mut done = stream::iter(turns)
            .map(|turn| async move {
                let (place, end) = (turn.place, turn.served.feed_end);
                let office = round.take(turn).await;
                progress.step(Step::OfficeDone);
                (place, end, office)
            })
            .buffer_unordered(OFFICES_AT_ONCE);
        while let Some((place, end, office)) = done.next().await {
            let Some((office, received, left)) = office else {
                report.stopped = true;
                continue;
            };
            if received {
                feeds.reached(office.office, end);
            }
            report.left.extend(left);
            report.offices[place] = office;
        }
        drop(done);
        let home = self.folder.clone();
        let moved = std::mem::take(&mut *round.moved.lock().unwrap_or_else(PoisonError::into_inner));
        let any = round.any.lock().unwrap_or_else(PoisonError::into_inner).take();
        blocking::run(move || {
            moved.settle()?;
            if let Some(journal) = Arc::into_inner(journal) {
                journal.end()?;
            }
            feeds.save(&home)
        })
        .await?;
        if let Some(client) = any.filter(|client| client.home().path(LOG_KEY).exists()) {
            client.flush_checkpoints().await?;
        }
        Ok(report)
    }
}

impl Round<'_> {
    /// One office's turn: its report, whether all was received, files that are left. `None`: the round was asked to end before.
    async fn take(&self, turn: Turn<'_>) -> Option<(OfficeReport, bool, Vec<Left>)> {
        if self.options.stop.is_asked() {
            return None;
        }
        let mut report = OfficeReport::of(turn.served, turn.files.len());
        let (mut received, mut left) = (false, Vec::new());
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let client = match away {
            None => self.proxy.client(turn.served).await,
            Some(error) => Err(error),
        };
        match client {
            Err(error) => report.failed(&error),
            Ok(client) => {
                self.any.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| client.clone());
                if !turn.files.is_empty() {
                    match self.send(&client, &turn.files, &mut report).await {
                        Ok(more) => left = more,
                        Err(error) => self.failed(&mut report, &error),
                    }
                }
                if turn.receives {
                    match self.receive(&client, turn.served, &mut report).await {
                        Ok(all) => received = all,
                        Err(error) => self.failed(&mut report, &error),
                    }
                }
            }
        }
        report.reasons.sort();
        report.reasons.dedup();
        Some((report, received, left))
    }

    /// Notes why something failed as a whole; where the relay is away, that is so for all.
    fn failed(&self, report: &mut OfficeReport, error: &SdkError) {
        report.failed(error);
        if let SdkError::Unreachable(
            Unreachable::Network(_) | Unreachable::Proxy { .. } | Unreachable::Timeout,
        ) = error
        {
            let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
            away.get_or_insert_with(|| error.clone());
        }
    }

    /// Sends an office's files, and moves those whose fate is known. Gives those that can't be sent as they are.
    async fn send(
        &self,
        client: &Client,
        files: &[Waiting],
        report: &mut OfficeReport,
    ) -> Result<Vec<Left>, SdkError> {
        let found = |file: &Waiting| {
            source::Found::of_file(self.folder.join(&file.file), &file.name, file.stamp.size)
        };
        let found = files.iter().map(found).collect();
        // A round's report does not tell which offices are new: that is asked where somebody must agree, and nowhere else.
        let new_partners = match self.options.new_partners {
            NewPartners::AsConfigured if client.home().config().send.confirm_new_partners => {
                NewPartners::AsConfigured
            }
            _ => NewPartners::Unasked,
        };
        let options = SendOptions { new_partners, ..SendOptions::default() };
        let office = client.office();
        let plan = blocking::run(move || plan_found(found, &options, office)).await?;
        let sent = client.send(plan, self.progress).await?;
        let SendReport { parcels, unsendable, .. } = &sent;
        report.worse(sent.worst());
        report.rejected += unsendable.len();
        let mut left = Vec::new();
        for file in unsendable {
            let rule =
                file.findings.first().map_or("NOT_SENDABLE", |finding| finding.rule.as_str()).to_owned();
            report.reasons.push(rule.clone());
            let path = file.path.strip_prefix(&self.folder).unwrap_or(&file.path);
            left.push(Left { file: path.display().to_string(), reason: rule });
        }
        let mut by_name: BTreeMap<&str, Vec<&Waiting>> = BTreeMap::new();
        for file in files {
            by_name.entry(&file.name).or_default().push(file);
        }
        let mut moves = Moves::of(client.office());
        for parcel in parcels {
            let its = parcel.files.iter().filter_map(|name| by_name.get(name.as_str())).flatten().copied();
            match &parcel.outcome {
                SendOutcome::Accepted { .. } | SendOutcome::Recorded { .. } => {
                    report.accepted += 1;
                    moves.done(its);
                }
                SendOutcome::Rejected(refusal) => {
                    report.rejected += 1;
                    if is_for_good(refusal) {
                        report.to_error += its.clone().count();
                        moves.refused(its, &parcel.files, refusal, &parcel.warnings);
                    }
                }
                SendOutcome::Pending(error) => {
                    report.pending += 1;
                    if matches!(error, SdkError::Unreachable(Unreachable::Network(_) | Unreachable::Timeout))
                    {
                        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
                        away.get_or_insert_with(|| error.clone());
                    }
                }
                SendOutcome::Unproven(_) => report.pending += 1,
            }
            report.reasons.extend(parcel.outcome.reason().map(str::to_owned));
        }
        let (folder, journal) = (self.folder.clone(), Arc::clone(self.journal));
        let moved = blocking::run(move || moves.carry_out(&folder, &journal)).await?;
        self.moved.lock().unwrap_or_else(PoisonError::into_inner).add(moved);
        Ok(left)
    }

    /// Receives for an office. Says whether nothing is left to be done.
    async fn receive(
        &self,
        client: &Client,
        served: &Served,
        report: &mut OfficeReport,
    ) -> Result<bool, SdkError> {
        let into = self.folder.join("in").join(served.office.as_str());
        let leave_acknowledging = !served.may(Scope::Acknowledge);
        let options = ReceiveOptions { leave_acknowledging, ..ReceiveOptions::default() };
        let received = client.receive(&into, &options, self.progress).await?;
        report.worse(received.worst());
        for received in &received.parcels {
            match received.outcome.error() {
                None => report.received += 1,
                Some(error) => report.reasons.push(error.reason().to_owned()),
            }
            // Only now are its files durable.
            if self.options.hand_over && received.outcome.stored().is_some() {
                let key = received.parcel.key;
                let name = ParcelName { sender: Some(key.sender), id: key.id };
                if let Err(error) = client.handed_over(&name).await {
                    report.failed(&error);
                }
            }
        }
        Ok(received.worst().is_none())
    }
}

/// Whether files were refused for what they are. What is about receivers, delegations and certificates may pass, and stays.
fn is_for_good(refusal: &Refusal) -> bool {
    let words = [
        reason::FILES_REJECTED,
        reason::PARCEL_TOO_LARGE,
        reason::RECIPIENT_IS_SENDER,
        reason::ATTACHMENT_NAME,
        reason::MALWARE,
    ];
    !refusal.findings.is_empty() || words.contains(&refusal.reason.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_stays() {
        for word in [reason::RECIPIENT_UNKNOWN, reason::MANDATE_MISSING, reason::NEW_PARTNER] {
            assert!(!is_for_good(&Refusal::of(word)), "{word}");
        }
        for word in [reason::FILES_REJECTED, reason::PARCEL_TOO_LARGE, reason::MALWARE] {
            assert!(is_for_good(&Refusal::of(word)), "{word}");
        }
    }

    #[tokio::test]
    async fn clones_of_a_stop_are_one() {
        let stop = Stop::default();
        let other = stop.clone();
        assert!(!other.is_asked());
        stop.ask();
        other.asked().await;
        assert!(other.is_asked());
    }
}
