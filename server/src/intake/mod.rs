//! From a container's bytes to a sealed delivery: open, verify, check, seal, and over to the committer.
//!
//! Everything here is work for a processor, so it runs on threads of its own, as many at once as there are
//! cores. The plain text lives in this module's stack frames only: it is dropped when the seal is made, and is
//! never logged. Where a malware scanner is configured, a parcel with attachments leaves its thread for the scan and
//! comes back after it, so that a slow scanner holds up nobody else.

mod archive;
mod findings;
mod malware;
mod parties;
mod refusal;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ring::rand::SystemRandom;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::parcel::{ParcelFacts, check_parcel};
use tasuki_careplan::policy::CheckPolicy;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::seal::seal;
use tasuki_proto::accepts::Needs;
use tasuki_proto::event::sha256;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::parcel::{ATTACHMENT, Header, OpenParcel, ParcelFile};
use tasuki_proto::reason;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

pub use archive::{Archivist, Needed};
use refusal::AWAITS_ANSWER;
pub use refusal::Refusal;
use workers::Workers;

use crate::access::Caller;
use crate::clock::Clock;
use crate::committer::Committer;
use crate::committer::change::{Change, Delivery, Done};
use crate::config::{Config, LifecycleConfig, PartnersConfig};
use crate::directory::{Directory, Member};
use crate::store::Store;
use crate::store::parcels::FileRow;

/// A parcel that passed every check.
struct Checked {
    delivery: Box<Delivery>,
    needed: Needed,
}

/// Why a parcel does not go on right now.
enum Stop {
    /// It is not accepted.
    Refused(Refusal),
    /// Everything else is in order; the malware scanner is still to be asked.
    Scan,
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// How often, and with which pauses, a parcel waits for an OCSP answer about its signer: for six seconds.
const ANSWER_LOOKS: u32 = 12;
const ANSWER_PAUSE: Duration = Duration::from_millis(500);

/// A container on its way through the intake, with the memory that it holds and whom to tell.
struct Task<R> {
    container: Bytes,
    caller: Caller,
    /// Whether the malware scanner has passed it.
    scanned: bool,
    /// How often it has waited for an OCSP answer about its signer.
    waited: u32,
    room: R,
    answer: Answer,
}

impl<R> Task<R> {
    fn refuse(self, refusal: Refusal) {
        drop(self.room);
        self.answer.give(Err(refusal));
    }
}

/// Tells who handed in a parcel what became of it, in any case.
struct Answer {
    sender: Option<oneshot::Sender<Result<Done, Refusal>>>,
    /// What to tell if this is dropped without an answer: by a panic, at the relay's end, or by a committer that died.
    lost: &'static str,
}

impl Answer {
    fn give(mut self, outcome: Result<Done, Refusal>) {
        self.send(outcome);
    }

    fn send(&mut self, outcome: Result<Done, Refusal>) {
        if let Some(sender) = self.sender.take() {
            // Who went away has its answer in the database.
            let _gone = sender.send(outcome);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.send(Err(Refusal::of(self.lost)));
    }
}

/// Turns containers into deliveries.
#[derive(Debug)]
pub struct Intake {
    directory: Arc<Directory>,
    verifier: Arc<SignatureVerifier>,
    archivist: Arc<Archivist>,
    committer: Committer,
    store: Store,
    clock: Arc<dyn Clock>,
    lifecycle: LifecycleConfig,
    checks: CheckPolicy,
    partners: PartnersConfig,
    malware: Option<malware::Door>,
    workers: Workers,
    rng: SystemRandom,
}

impl Intake {
    /// An intake that works on as many parcels at once as the configuration says, and holds them as it says. It checks by
    /// the standard alone.
    pub fn new(
        directory: Arc<Directory>,
        verifier: Arc<SignatureVerifier>,
        archivist: Arc<Archivist>,
        committer: Committer,
        store: Store,
        clock: Arc<dyn Clock>,
        config: &Config,
    ) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let workers = config.limits.workers;
        let workers = if workers == 0 { cores() } else { workers as usize };
        Self {
            directory,
            verifier,
            archivist,
            committer,
            store,
            clock,
            lifecycle: config.lifecycle.clone(),
            checks: CheckPolicy::default(),
            partners: config.partners,
            malware: malware::Door::new(&config.malware),
            workers: Workers::start(workers),
            rng: SystemRandom::new(),
        }
    }

    /// The same, with what its operator demands of files.
    #[must_use]
    pub fn checking_by(self, checks: CheckPolicy) -> Self {
        Self { checks, ..self }
    }

    /// What files are checked by.
    pub fn checks(&self) -> &CheckPolicy {
        &self.checks
    }

    /// Runs work on one of the worker threads.
    ///
    /// # Errors
    /// [`Refusal`] with `INTERNAL` if the work panicked, `SHUTTING_DOWN` if the relay is going down.
    pub async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        Ok(self.workers.run(work).await?)
    }

    /// Checks, seals and commits one container that `caller` handed in. `room` is its memory, given back as soon
    /// as it is committed or refused.
    ///
    /// The worker hands over to the committer itself: the caller's task sleeps until there is an answer.
    ///
    /// # Errors
    /// [`Refusal`]: why it is not accepted, as the sender is told.
    pub async fn take_in(
        self: &Arc<Self>,
        container: Bytes,
        caller: &Caller,
        room: impl Send + Sync + 'static,
    ) -> Result<Done, Refusal> {
        let (sender, outcome) = oneshot::channel();
        let answer = Answer { sender: Some(sender), lost: reason::SHUTTING_DOWN };
        let task = Task { container, caller: caller.clone(), scanned: false, waited: 0, room, answer };
        self.start(task).await?;
        outcome.await.unwrap_or_else(|_| Err(Refusal::of(reason::INTERNAL)))
    }

    async fn start<R: Send + Sync + 'static>(self: &Arc<Self>, task: Task<R>) -> Result<(), Refusal> {
        let (intake, runtime) = (Arc::clone(self), Handle::current());
        Ok(self.workers.start_work(move || intake.carry(task, &runtime)).await?)
    }

    /// One task, on a worker.
    fn carry<R: Send + Sync + 'static>(self: &Arc<Self>, mut task: Task<R>, runtime: &Handle) {
        task.answer.lost = reason::INTERNAL;
        let Checked { delivery, needed } = match self.prepare(&mut task, runtime) {
            Ok(checked) => checked,
            Err(Stop::Refused(refusal)) if refusal.awaits_answer() && task.waited < ANSWER_LOOKS => {
                task.waited += 1;
                task.answer.lost = reason::SHUTTING_DOWN;
                runtime.spawn(Arc::clone(self).wait(task));
                return;
            }
            Err(Stop::Refused(refusal)) => return task.refuse(refusal),
            Err(Stop::Scan) => {
                task.answer.lost = reason::SHUTTING_DOWN;
                runtime.spawn(Arc::clone(self).scan(task));
                return;
            }
        };
        let Task { room, mut answer, .. } = task;
        // From here on only the committer can lose it, and then nobody knows what became of it.
        answer.lost = reason::STORE_UNAVAILABLE;
        let (key, recipient) = (delivery.key, delivery.recipient);
        let archivist = Arc::clone(&self.archivist);
        let aside = delivery.aside.then(|| (self.store.clone(), runtime.clone(), delivery.sealed_digest));
        self.committer.hand_over(Change::Deliver(delivery), move |outcome| {
            drop(room);
            if outcome.as_ref().is_ok_and(|done| !done.repeated) {
                archivist.committed(&needed);
            } else if let Some((store, runtime, digest)) = aside {
                runtime.spawn(give_up(store, digest));
            }
            let about = |refused| Refusal::from(refused).naming(key, recipient);
            answer.give(outcome.map_err(about));
        });
    }

    /// Gives a task back to the workers when an OCSP answer about its signer may have come.
    async fn wait<R: Send + Sync + 'static>(self: Arc<Self>, task: Task<R>) {
        tokio::time::sleep(ANSWER_PAUSE).await;
        // If the workers are gone, so is the task, and its answer says so.
        let _gone = self.start(task).await;
    }

    /// Has a task's files scanned, apart from the workers, and gives it back to them.
    async fn scan<R: Send + Sync + 'static>(self: Arc<Self>, mut task: Task<R>) {
        let Some(door) = &self.malware else { return task.refuse(Refusal::of(reason::INTERNAL)) };
        match door.pass(task.container.clone()).await {
            Ok(()) => task.scanned = true,
            Err(refusal) => return task.refuse(refusal),
        }
        // If the workers are gone, so is the task, and its answer says so.
        let _gone = self.start(task).await;
    }

    /// Everything that comes before the commit.
    fn prepare<R>(&self, task: &mut Task<R>, runtime: &Handle) -> Result<Checked, Stop> {
        let mut checked = self.check_and_seal(&task.container, &task.caller, task.scanned, runtime)?;
        task.container = Bytes::new();
        // A large content goes to its place outside the database first. This worker waits for the disk.
        let delivery = &mut checked.delivery;
        let (digest, now_us) = (delivery.sealed_digest, self.clock.now_us());
        let aside = runtime.block_on(self.store.set_aside(&digest, &mut delivery.sealed, now_us));
        delivery.aside = aside.map_err(|error| {
            tracing::error!(%error, "a large content can't be stored");
            Refusal::of(reason::STORE_UNAVAILABLE).naming(delivery.key, delivery.recipient)
        })?;
        Ok(checked)
    }

    fn check_and_seal(
        &self,
        container: &[u8],
        caller: &Caller,
        scanned: bool,
        runtime: &Handle,
    ) -> Result<Checked, Stop> {
        let now_us = self.clock.now_us();
        let parcel = OpenParcel::open(container).map_err(Refusal::from)?;
        let header = &parcel.header;
        let about = |refusal: Refusal| refusal.about(header);
        let signature = self
            .verifier
            .verify(parcel.signature(), Some(parcel.manifest()), now_us)
            .map_err(|error| about(error.into()))?;
        let look = (&*self.directory, runtime);
        let right =
            parties::check(&parcel, &signature, caller, &self.verifier, now_us, look).map_err(about)?;
        let recipient = self.recipient(header, runtime).map_err(about)?;
        check_accepts(&parcel, &recipient).map_err(about)?;
        let files = check_files(&parcel, &self.checks).map_err(about)?;
        // After all that is cheaper, and before anything of it is kept.
        if !scanned && self.malware.as_ref().is_some_and(|door| door.wants(header)) {
            return Err(Stop::Scan);
        }

        let sealed = seal(container, &recipient.recipients, &self.rng).map_err(|error| {
            tracing::error!(%error, "sealing failed");
            about(Refusal::of(reason::INTERNAL))
        })?;
        let needed = self.archivist.needed(&signature.signer);
        let delivery = Box::new(Delivery {
            key: ParcelKey { sender: header.sender, id: header.parcel },
            recipient: header.recipient,
            digest: sha256(container),
            container_size: container.len() as u64,
            sealed_digest: sha256(&sealed),
            sealed_size: sealed.len() as u64,
            aside: false,
            sealed,
            files,
            signer: signature.signer.fingerprint,
            transmitter: caller.name.clone(),
            mandates: right.mandates,
            proxy: right.proxy,
            vouched: right.vouched,
            confirm: right.confirm,
            crls: signature.signer.crls.clone(),
            archive: Arc::clone(&needed.items),
            directory: recipient.generation.min(caller.generation),
            // Until the sender's own word, whatever time its proxy names.
            hold: if right.confirm { Some(0) } else { self.hold(header, now_us).map_err(about)? },
            supersedes: header.supersedes,
            partners: self.partners,
        });
        Ok(Checked { delivery, needed })
    }

    /// Whether the parcel is held at first, because its sender or the operator wants it, and until when.
    fn hold(&self, header: &Header, now_us: i64) -> Result<Option<i64>, Refusal> {
        let grace_us = self.lifecycle.grace.us();
        let wanted = match header.release_us() {
            _ if !header.hold => None,
            Some(at_us) if at_us <= now_us => None,
            Some(at_us) if at_us > now_us.saturating_add(self.lifecycle.hold_at_most.us()) => {
                return Err(Refusal::of(reason::HOLD_TOO_LONG));
            }
            Some(at_us) => Some(at_us.max(now_us + grace_us)),
            None => Some(0),
        };
        Ok(wanted.or((grace_us > 0).then_some(now_us + grace_us)))
    }

    /// The receiving office, with keys to seal to. The caller's own standing was asked for by its call.
    fn recipient(&self, header: &Header, runtime: &Handle) -> Result<Arc<Member>, Refusal> {
        if header.recipient == header.sender {
            return Err(Refusal::of(reason::RECIPIENT_IS_SENDER));
        }
        // Mostly from memory; else this worker waits for the database.
        let good = |member: &Member| member.active() && !member.recipients.is_empty();
        let member = runtime.block_on(self.directory.member_checked(header.recipient, good))?;
        let member = member.ok_or(Refusal::of(reason::RECIPIENT_UNKNOWN))?;
        if let Some(word) = member.office.state.refuses_as_recipient() {
            return Err(Refusal::of(word));
        }
        if self.partners.linked_only()
            && !runtime.block_on(self.store.linked(header.sender, header.recipient))?
        {
            return Err(Refusal::of(reason::NOT_LINKED));
        }
        if !member.office.standard_ready && header.files.iter().any(|file| file.kind != ATTACHMENT) {
            return Err(Refusal::of(reason::RECIPIENT_NOT_READY));
        }
        if member.recipients.is_empty() && member.awaits_answer {
            return Err(Refusal::of(AWAITS_ANSWER));
        }
        if member.recipients.is_empty() {
            return Err(Refusal::of(reason::RECIPIENT_NO_KEY));
        }
        Ok(member)
    }
}

/// A large content whose parcel was not accepted, or had been before.
async fn give_up(store: Store, digest: [u8; 32]) {
    if let Err(error) = store.give_up(&digest).await {
        tracing::warn!(%error, "a large content is left for the sweep");
    }
}

/// An office that declared what it takes gets nothing else.
fn check_accepts(parcel: &OpenParcel<'_>, recipient: &Member) -> Result<(), Refusal> {
    let office = &recipient.office;
    let taken = |file: ParcelFile<'_>| {
        Needs::of(&file.entry.path, file.name.as_ref(), Some(file.content)).met_by(&office.accepts)
    };
    if office.declared && !parcel.files().all(taken) {
        return Err(Refusal::of(reason::RECIPIENT_DOES_NOT_ACCEPT));
    }
    Ok(())
}

/// What the relay may know of each file; refuses if the standard's rules forbid delivering them.
fn check_files(parcel: &OpenParcel<'_>, policy: &CheckPolicy) -> Result<Vec<FileRow>, Refusal> {
    let files: Vec<ParcelFile<'_>> = parcel.files().collect();
    // Attachments are named without their folder, as their sender named them.
    let name = |path: &'_ str| path.rsplit_once('/').map_or(0, |(folder, _)| folder.len() + 1);
    let sources: Vec<SourceFile<'_>> = files
        .iter()
        .map(|file| SourceFile { name: &file.entry.path[name(&file.entry.path)..], bytes: file.content })
        .collect();
    let header = &parcel.header;
    let facts = ParcelFacts {
        sender: Some(header.sender),
        recipient: Some(header.recipient),
        ..ParcelFacts::default()
    };
    let mut report = findings::Report::default();
    let check = check_parcel(&facts, &sources, &policy.options());
    for (place, (file, found)) in files.iter().zip(check.findings).enumerate() {
        report.add(place, file, found);
    }
    if report.has_errors() {
        return Err(Refusal { findings: report.into_findings(), ..Refusal::of(reason::FILES_REJECTED) });
    }
    Ok(files.iter().map(file_row).collect())
}

fn file_row(file: &ParcelFile<'_>) -> FileRow {
    let month =
        file.name.as_ref().and_then(|n| n.month).and_then(tasuki_careplan::file_name::MonthField::month);
    FileRow {
        kind: file.entry.kind.clone(),
        month: month.map(|m| m.to_string()).unwrap_or_default(),
        serial: file.name.as_ref().map(|n| n.serial.to_string()).unwrap_or_default(),
        size: file.content.len() as u64,
    }
}
