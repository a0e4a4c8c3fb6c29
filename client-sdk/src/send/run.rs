//! The stages of a sending, side by side: prepare, submit, collect.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tasuki_careplan::file_name::FileName;
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::serial::Serial;
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::parcel::{Header, Software};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::batch::{self, BatchId};
use super::destinations::Destinations;
use super::fingerprint::Fingerprint;
use super::outbox::Outbox;
use super::plan::{Plan, PlannedParcel, plan};
use super::prepare::{Prepared, Ready, Workshop};
use super::sent::Sent;
use super::settle::Settler;
use super::submit::{Parcel, Submission};
use super::{Hold, ParcelReport, SendOptions, SendOutcome, SendReport};
use crate::client::Client;
use crate::error::{Refusal, SdkError};
use crate::finding::Finding;
use crate::home::Task;
use crate::progress::{Progress, Step};
use crate::{archive, blocking};

/// KiB in flight: two of the largest containers, or thousands of ordinary ones.
const MAX_KIB: u32 = 64 * 1024;

/// KiB that a parcel counts as at least: what belongs to it beside its files.
const LEAST_KIB: u32 = 16;

/// Parcels between those who prepare them and the call. They wait for the relay; each has its share of what may be in flight.
const QUEUE: usize = 64;

/// Parcels that are worth a thread: less is done sooner than it is handed over.
const LEAST_ON_A_THREAD: usize = 4;

/// Offices of a proxy that receive at once: what the relay sends ahead on their calls, 1 MiB each, must leave room on the connection
/// for the answers that they wait for.
const MAX_RECEIVING: usize = 8;

impl Client {
    /// Sorts files, folders and ZIPs into parcels; see [`plan()`].
    ///
    /// # Errors
    /// As [`plan()`].
    pub fn plan(&self, paths: &[std::path::PathBuf], options: &SendOptions) -> Result<Plan, SdkError> {
        plan(paths, options, self.office())
    }

    /// Sends parcels: checks, signs, keeps in the outbox, submits, verifies the relay's evidence, records.
    /// One process at a time; another one waits.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// use tasuki_sdk::Silent;
    /// use tasuki_sdk::send::SendOptions;
    ///
    /// let plan = client.plan(&["out".into()], &SendOptions::default())?;
    /// let report = client.send(plan, &Silent).await?;
    /// for parcel in &report.parcels {
    ///     println!("{} {}", parcel.recipient, parcel.outcome.state_word());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Only what concerns the whole: another process sends, or the HOME can't be read or written. What happens to a
    /// parcel, also that the relay can't be reached, stands in the report.
    pub async fn send(&self, plan: Plan, progress: &dyn Progress) -> Result<SendReport, SdkError> {
        progress.step(Step::Planned { parcels: plan.parcels.len(), bytes: plan.bytes() });
        let _lock = self.home().lock(Task::Send).await?;
        let destinations = self.destinations(&plan).await?;
        let Plan { parcels, unsendable, left_out, again, unchecked, hold, software, .. } = plan;
        let work = parcels.into_iter().map(|p| Work::Planned(Box::new(p))).collect();
        let how = How { again, unchecked, hold, destinations, software };
        let parcels = self.carry_out(work, how, progress).await?;
        Ok(SendReport { parcels, unsendable, left_out })
    }

    /// Sends what waits in the outbox, whatever it came from.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_outbox(&self, progress: &dyn Progress) -> Result<SendReport, SdkError> {
        let _lock = self.home().lock(Task::Send).await?;
        let work = self.outbox_work().await?;
        self.send_as_agreed(work, progress).await
    }

    /// Sends what needs no further word: it was agreed to when it was first sent.
    pub(super) async fn send_as_agreed(
        &self,
        work: Vec<Work>,
        progress: &dyn Progress,
    ) -> Result<SendReport, SdkError> {
        let bytes = work.iter().map(Work::bytes).sum();
        progress.step(Step::Planned { parcels: work.len(), bytes });
        let software = SendOptions::default().software;
        let destinations = Destinations::default();
        let how = How { again: false, unchecked: false, hold: None, destinations, software };
        let parcels = self.carry_out(work, how, progress).await?;
        Ok(SendReport { parcels, ..SendReport::default() })
    }

    /// What waits in the outbox, without the containers.
    async fn outbox_work(&self) -> Result<Vec<Work>, SdkError> {
        let home = self.home().clone();
        blocking::run(move || {
            let outbox = Outbox::read(&home, &Sent::of(&home)?)?;
            let mut work = Vec::new();
            for (content, size) in outbox.list() {
                if let Some(ready) = outbox.ready(content)? {
                    work.push(Work::Waiting(content, Draft::of_ready(&ready), size));
                }
            }
            Ok(work)
        })
        .await
    }

    pub(super) async fn carry_out(
        &self,
        work: Vec<Work>,
        How { again, unchecked, hold, destinations, software }: How,
        progress: &dyn Progress,
    ) -> Result<Vec<ParcelReport>, SdkError> {
        let home = self.home();
        // Before records are believed: the relay may have lost what they say.
        let unreachable = self.log_key().await.err();
        let (place, now_us) = (home.clone(), self.now_us());
        let (sent, outbox) = blocking::run(move || {
            archive::sweep(&place, now_us)?;
            let sent = Sent::of(&place)?;
            let outbox = Outbox::read(&place, &sent)?;
            outbox.tidy()?;
            sent.tidy(now_us)?;
            Ok((Arc::new(sent), outbox))
        })
        .await?;
        let settler = Settler { client: self.clone(), outbox: outbox.clone(), sent: Arc::clone(&sent) };
        let (new, unasked) = (destinations.new.clone(), destinations.unasked);
        let checks = self.checks().await;
        let papers = if unreachable.is_none() { self.papers_now().await? } else { home.papers().clone() };
        let workshop = Workshop {
            home: home.clone(),
            outbox,
            sent,
            again,
            unchecked,
            hold,
            checks,
            destinations,
            software,
            papers,
            rng: self.inner.rng.clone(),
            now_us: self.now_us(),
        };

        let mut reports: Vec<Option<ParcelReport>> = work.iter().map(|_| None).collect();
        let (parcels_in, parcels) = mpsc::channel(QUEUE);
        let (told, mut tellings) = mpsc::unbounded_channel();
        let prepare = prepare_all(Arc::new(workshop), &self.inner.budget, work, parcels_in, told.clone());
        let submission =
            Submission { caller: &self.inner.caller, settler: &settler, progress, told, unreachable };
        let submit = async move { submission.run(parcels).await };
        let collect = async {
            while let Some((place, report)) = tellings.recv().await {
                progress.step(Step::Sent(&report));
                reports[place] = Some(report);
            }
        };
        tokio::join!(prepare, submit, collect);
        let mut reports: Vec<ParcelReport> = reports.into_iter().flatten().collect();
        for report in &mut reports {
            report.new_partner = new.contains(&report.recipient);
        }
        if unasked {
            // It is asked anew where somebody wants to know.
            return Ok(reports);
        }
        let client = self.clone();
        blocking::run(move || client.remember_partners(&reports).map(|()| reports)).await
    }
}

/// How parcels are prepared.
#[derive(Debug)]
pub(super) struct How {
    pub(super) again: bool,
    pub(super) unchecked: bool,
    pub(super) hold: Option<Hold>,
    pub(super) destinations: Destinations,
    pub(super) software: Software,
}

/// One thing to do.
#[derive(Debug)]
pub(super) enum Work {
    /// A parcel to be.
    Planned(Box<PlannedParcel>),
    /// A container in the outbox, and its size.
    Waiting(Fingerprint, Draft, usize),
    /// A parcel in the archive, to be sent as a new one, and its size.
    Again(ParcelId, Draft, usize),
}

impl Work {
    fn bytes(&self) -> u64 {
        match self {
            Self::Planned(parcel) => parcel.bytes(),
            Self::Waiting(_, _, size) | Self::Again(_, _, size) => u64::try_from(*size).unwrap_or(u64::MAX),
        }
    }

    /// KiB that it holds in memory, at most all there are.
    fn kib(&self) -> u32 {
        u32::try_from(self.bytes().div_ceil(1024)).unwrap_or(MAX_KIB).clamp(LEAST_KIB, MAX_KIB)
    }
}

/// Shares of what may be in flight, of all sendings over one connection.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    kib: Arc<Semaphore>,
    preparing: Arc<Semaphore>,
    receiving: Arc<Semaphore>,
    opening_kib: Arc<Semaphore>,
}

impl Budget {
    pub(crate) fn new() -> Self {
        let kib = usize::try_from(MAX_KIB).expect("some thousands fit");
        let of = |count| Arc::new(Semaphore::new(count));
        let preparing = of(blocking::parallelism());
        Self { kib: of(kib), preparing, receiving: of(MAX_RECEIVING), opening_kib: of(kib) }
    }

    /// A place among the receivings.
    pub(crate) async fn receive(&self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.receiving).acquire_owned().await;
        place.expect("the semaphore is never closed")
    }

    /// A share of what may be open of received parcels.
    pub(crate) async fn open(&self, sealed_bytes: u64) -> OwnedSemaphorePermit {
        let kib = u32::try_from(sealed_bytes.div_ceil(1024)).unwrap_or(MAX_KIB).clamp(1, MAX_KIB);
        let share = Arc::clone(&self.opening_kib).acquire_many_owned(kib).await;
        share.expect("the semaphore is never closed")
    }

    async fn share(&self, kib: u32) -> Share {
        let share = Arc::clone(&self.kib).acquire_many_owned(kib).await;
        Share { _kib: share.expect("the semaphore is never closed") }
    }

    /// A share if one can be had at once.
    fn share_now(&self, kib: u32) -> Option<Share> {
        Some(Share { _kib: Arc::clone(&self.kib).try_acquire_many_owned(kib).ok()? })
    }
}

/// A share of what may be in flight: it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    _kib: OwnedSemaphorePermit,
}

/// What is prepared together, with its places in the plan.
type Chunk = Vec<(usize, Share, Work)>;

/// What became of it.
type Done = (usize, Share, Draft, Result<Prepared, SdkError>);

/// Prepares everything, a batch at a time, and passes on what is to be sent, in the plan's order.
async fn prepare_all(
    workshop: Arc<Workshop>,
    budget: &Budget,
    work: Vec<Work>,
    parcels: mpsc::Sender<Parcel>,
    told: mpsc::UnboundedSender<(usize, ParcelReport)>,
) {
    let workshop = &workshop;
    let work = work.into_iter().enumerate().peekable();
    let prepared =
        stream::unfold(work, |mut work| async move { Some((chunk(&mut work, budget).await?, work)) })
            .map(|chunk| prepare(Arc::clone(workshop), budget, chunk))
            // While one batch is synced the next one is signed.
            .buffered(2);
    let mut prepared = std::pin::pin!(prepared);
    while let Some(chunk) = prepared.next().await {
        for (place, share, mut draft, prepared) in chunk {
            let outcome = match prepared {
                Ok(Prepared::Built(ready) | Prepared::Ready(ready)) => {
                    draft.parcel = Some(ready.key);
                    // Who takes parcels lives until this ends.
                    let _gone = parcels.send(Parcel { place, draft, ready, share }).await;
                    continue;
                }
                Ok(Prepared::Recorded(record)) => {
                    draft.parcel = Some(record.key());
                    SendOutcome::Recorded { state: record.state, accepted_us: record.accepted_us() }
                }
                Ok(Prepared::Refused(refusal)) => SendOutcome::Rejected(refusal),
                // The malware scanner is away, which passes.
                Err(error @ SdkError::Unreachable(_)) => SendOutcome::Pending(error),
                Err(error) => SendOutcome::Rejected(Refusal::of_error(&error)),
            };
            let _gone = told.send((place, draft.finish(outcome)));
        }
    }
}

/// What goes into the next batch: as much as it may hold, and as there are shares for without waiting, since who has one must not wait
/// for another. `None` at the end.
async fn chunk(
    work: &mut std::iter::Peekable<impl Iterator<Item = (usize, Work)>>,
    budget: &Budget,
) -> Option<Chunk> {
    let (place, first) = work.next()?;
    let mut kib = first.kib();
    let mut chunk = vec![(place, budget.share(kib).await, first)];
    while chunk.len() < batch::MAX_PARCELS
        && let Some((_, next)) = work.peek()
        && u64::from(kib) + u64::from(next.kib()) <= batch::MAX_BYTES / 1024
        && let Some(share) = budget.share_now(next.kib())
    {
        kib += next.kib();
        chunk.extend(work.next().map(|(place, work)| (place, share, work)));
    }
    Some(chunk)
}

/// Prepares what is to make a batch, on as many threads as are worth it, and keeps the batch in the outbox.
async fn prepare(workshop: Arc<Workshop>, budget: &Budget, chunk: Chunk) -> Vec<Done> {
    let batch = BatchId::new(workshop.now_us, &workshop.rng);
    let each = chunk.len().div_ceil(blocking::parallelism()).max(LEAST_ON_A_THREAD);
    let mut done: Vec<Done> = Vec::with_capacity(chunk.len());
    let mut rest = chunk.into_iter();
    let shares =
        std::iter::from_fn(|| Some(rest.by_ref().take(each).collect()).filter(|c: &Chunk| !c.is_empty()));
    let threads = shares.map(|some| {
        let (workshop, batch, preparing) =
            (Arc::clone(&workshop), batch.clone(), Arc::clone(&budget.preparing));
        async move {
            // More threads than cores only take turns.
            let _turn = preparing.acquire_owned().await;
            blocking::run(move || {
                let one = |(place, share, work)| {
                    let (draft, prepared) = prepare_one(&workshop, work, &batch);
                    (place, share, draft, prepared)
                };
                Ok(some.into_iter().map(one).collect::<Vec<Done>>())
            })
            .await
        }
    });
    // An error is that the program is ending.
    for some in futures_util::future::join_all(threads).await {
        done.extend(some.unwrap_or_default());
    }
    let kept = blocking::run(move || {
        keep(&workshop, &mut done);
        Ok(done)
    });
    kept.await.unwrap_or_default()
}

/// Keeps what was built in the outbox, durably.
fn keep(workshop: &Workshop, done: &mut [Done]) {
    let built = done.iter().filter_map(|(.., prepared)| match prepared {
        Ok(Prepared::Built(ready)) => Some(ready.clone()),
        _ => None,
    });
    let built: Vec<Ready> = built.collect();
    let Some(first) = built.first() else { return };
    if let Err(error) = workshop.outbox.put(first.batch, &built, &workshop.rng) {
        for (.., prepared) in done {
            if matches!(prepared, Ok(Prepared::Built(_))) {
                *prepared = Err(error.clone());
            }
        }
    }
}

fn prepare_one(
    workshop: &Workshop,
    work: Work,
    batch: &Result<BatchId, SdkError>,
) -> (Draft, Result<Prepared, SdkError>) {
    match work {
        Work::Planned(planned) => {
            let mut draft = Draft::of_planned(&planned);
            let prepared = batch.clone().and_then(|batch| workshop.prepare(&planned, batch));
            let prepared = prepared.map(|(prepared, warnings)| {
                draft.warnings = warnings;
                prepared
            });
            (draft, prepared)
        }
        Work::Waiting(content, draft, _) => (draft, workshop.resume(content)),
        Work::Again(older, draft, _) => {
            (draft, batch.clone().and_then(|batch| workshop.prepare_again(older, batch)))
        }
    }
}

/// A report whose outcome is not known yet.
#[derive(Debug)]
pub(super) struct Draft {
    parcel: Option<ParcelKey>,
    recipient: OfficeNumber,
    serial: Option<Serial>,
    files: Vec<String>,
    warnings: Vec<Finding>,
}

impl Draft {
    fn of_planned(planned: &PlannedParcel) -> Self {
        Self {
            parcel: None,
            recipient: planned.recipient,
            serial: planned.serial,
            files: planned.files.iter().map(|f| f.name.clone()).collect(),
            warnings: Vec::new(),
        }
    }

    fn of_ready(ready: &Ready) -> Self {
        Self { parcel: Some(ready.key), ..Self::of_paths(ready.recipient, &ready.files) }
    }

    /// Of a parcel to be with the same content as this one's.
    pub(super) fn of_header(header: &Header) -> Self {
        let paths: Vec<String> = header.files.iter().map(|file| file.path.clone()).collect();
        Self::of_paths(header.recipient, &paths)
    }

    fn of_paths(recipient: OfficeNumber, paths: &[String]) -> Self {
        Self {
            parcel: None,
            recipient,
            serial: paths.iter().find_map(|f| Some(FileName::parse(f).ok()?.serial)),
            files: paths.iter().map(|f| f.rsplit('/').next().unwrap_or(f).to_owned()).collect(),
            warnings: Vec::new(),
        }
    }

    pub(super) fn finish(self, outcome: SendOutcome) -> ParcelReport {
        let Self { parcel, recipient, serial, files, warnings } = self;
        // Who is new is known for all together.
        ParcelReport { parcel, recipient, serial, files, warnings, new_partner: false, outcome }
    }
}
