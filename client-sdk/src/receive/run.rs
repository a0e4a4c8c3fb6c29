//! The stages of receiving, side by side: fetch, verify and store, acknowledge.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use tasuki_careplan::month::Month;
use tasuki_certs::open::OpenError;
use tasuki_proto::mandate::PapersError;
use tasuki_proto::{evidence, reason};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::acknowledge::{BATCH, acknowledge};
use super::fetch::{Fetched, Fetching, fetch_all, sweep};
use super::infected;
use super::left;
use super::store::store;
use super::unpack::{Delivered, unpack};
use super::{ReceiveOptions, ReceiveOutcome, ReceiveReport, ReceivedParcel, Stored};
use crate::client::Client;
use crate::declare::{RefusalReason, Say};
use crate::error::{Refusal, SdkError, VerificationError};
use crate::home::Task;
use crate::papers::Right;
use crate::parcel::Parcel;
use crate::progress::{Progress, Step};
use crate::tracking::ListFilter;
use crate::{blocking, files};

/// Parcels that are opened side by side: each may hold the largest container and its inflated files in memory.
const MAX_OPEN: usize = 2;

/// A parcel between storing and acknowledging.
type Verified = (Parcel, Result<(Delivered, Stored), SdkError>);

impl Client {
    /// Receives what waits: fetches, verifies, writes `out/<sender>/<parcel id>/`, acknowledges. One process at a
    /// time; another one waits.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// use tasuki_sdk::Silent;
    /// use tasuki_sdk::receive::ReceiveOptions;
    ///
    /// let report = client.receive("in".as_ref(), &ReceiveOptions::default(), &Silent).await?;
    /// for parcel in &report.parcels {
    ///     match parcel.outcome.stored() {
    ///         Some(stored) => println!("{}: {}", parcel.parcel.sender_name, stored.folder.display()),
    ///         None => println!("{}: not received", parcel.parcel.sender_name),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Only what concerns the whole: another process receives, the relay can't be asked what waits, `out` can't be
    /// made, or a parcel that was named does not wait. What happens to a parcel stands in the report.
    pub async fn receive(
        &self,
        out: &Path,
        options: &ReceiveOptions,
        progress: &dyn Progress,
    ) -> Result<ReceiveReport, SdkError> {
        let _lock = self.home().lock(Task::Receive).await?;
        let _place = self.inner.budget.receive().await;
        self.log_key().await?;
        let waiting = self.waiting(options).await?;
        let bytes = waiting.iter().map(|p| p.sealed_size).sum();
        progress.step(Step::Planned { parcels: waiting.len(), bytes });
        // A proxy would have hundreds of empty ones.
        if !waiting.is_empty() || !self.home().is_of_a_proxy() {
            std::fs::create_dir_all(out).map_err(|e| SdkError::io(out, &e))?;
        }

        let order: HashMap<_, _> = waiting.iter().enumerate().map(|(at, p)| (p.key, at)).collect();
        let (fetched_in, fetched) = mpsc::channel::<Fetching>(MAX_OPEN);
        let (verified_in, verified) = mpsc::channel::<Verified>(BATCH);
        let fetch = async move { fetch_all(self, waiting, progress, &fetched_in).await };
        let open = async move {
            let verified_in = &verified_in;
            let all = ReceiverStream::new(fetched);
            all.for_each_concurrent(MAX_OPEN, |fetching| async move {
                let verified = self.verify_and_store(out, options.keep_sealed, fetching).await;
                // Who listens lives as long as this.
                let _gone = verified_in.send(verified).await;
            })
            .await;
        };
        let leave = options.leave_acknowledging;
        let ((), (), mut parcels) =
            tokio::join!(fetch, open, self.acknowledge_all(verified, leave, progress));
        parcels.sort_by_key(|p| order.get(&p.parcel.key).copied());
        if leave {
            left::add(self.home(), &parcels)?;
        }
        Ok(ReceiveReport { parcels })
    }

    async fn waiting(&self, options: &ReceiveOptions) -> Result<Vec<Parcel>, SdkError> {
        let everything = ListFilter::waiting();
        let all = self.list_received(&everything).await?;
        sweep(self.home(), &all)?;
        let mut waiting = all;
        if options.leave_acknowledging {
            left::skip(self.home(), &mut waiting)?;
        }
        waiting.retain(|parcel| {
            let named = options.only.iter().any(|name| name.names(&parcel.key));
            let current = options.superseded || named || parcel.marks.superseded_by.is_none();
            let of_month =
                |month: Month| parcel.files.iter().any(|file| file.month == Some(month.to_string()));
            current
                && options.from.is_none_or(|from| parcel.key.sender == from)
                && options.month.is_none_or(of_month)
        });
        for name in &options.only {
            if !waiting.iter().any(|p| name.names(&p.key)) {
                return Err(Refusal::of(reason::PARCEL_NOT_FOUND).into());
            }
        }
        if !options.only.is_empty() {
            waiting.retain(|p| options.only.iter().any(|name| name.names(&p.key)));
        }
        Ok(waiting)
    }

    async fn verify_and_store(&self, out: &Path, keep_sealed: bool, fetching: Fetching) -> Verified {
        match fetching {
            Err((parcel, error)) => (parcel, Err(error)),
            Ok(Fetched { parcel, delivered, sealed }) => {
                let _share = self.inner.budget.open(parcel.sealed_size).await;
                let delivered = self.prove_delivery(&parcel, &delivered).await;
                let stored = match delivered {
                    Ok(delivered) => self.open_and_store(out, keep_sealed, delivered, sealed).await,
                    Err(error) => Err(error),
                };
                (parcel, stored)
            }
        }
    }

    /// What the log says of a parcel's acceptance.
    pub(crate) async fn prove_delivery(
        &self,
        parcel: &Parcel,
        delivered: &tasuki_proto::pb::Evidence,
    ) -> Result<Delivered, SdkError> {
        let checkpoint = self.admit(&delivered.checkpoint).await?;
        let proven = evidence::check(delivered, &checkpoint).map_err(VerificationError::Evidence)?;
        let feed = proven.opening.map(|opening| opening.party);
        if feed.is_some_and(|party| party != self.office()) {
            return Err(VerificationError::Event("it is opened for another office").into());
        }
        Ok(Delivered::read(&proven, parcel.key)?)
    }

    async fn open_and_store(
        &self,
        out: &Path,
        keep_sealed: bool,
        delivered: Delivered,
        sealed_file: PathBuf,
    ) -> Result<(Delivered, Stored), SdkError> {
        let (client, out) = (self.clone(), out.to_owned());
        blocking::run(move || {
            let home = client.home();
            let sealed = files::read(&sealed_file)?;
            let keys = home.opening_keys();
            let unpacked = unpack(
                &sealed,
                &delivered,
                home.office(),
                &keys,
                client.inner.trust.verifier(),
                client.now_us(),
            );
            let unpacked = match unpacked {
                Ok(unpacked) => unpacked,
                Err(error) => {
                    // Perhaps the file was damaged here: the next run fetches it anew.
                    files::remove(&sealed_file)?;
                    return Err(error.into());
                }
            };
            if unpacked.right == Right::Vouched && !home.config().accept_vouched {
                files::remove(&sealed_file)?;
                let sender = delivered.key.sender;
                return Err(VerificationError::of_papers(PapersError::Missing, sender).into());
            }
            if let Some(refusal) = infected::scan(&home.config().malware, &unpacked, delivered.key)? {
                if keep_sealed {
                    infected::keep(&out, delivered.key, &sealed)?;
                }
                // What was fetched stays: the next run asks the scanner again and fetches nothing.
                return Err(refusal.into());
            }
            let beside = keep_sealed.then_some(sealed.as_slice());
            let stored = store(&out, delivered.key, &unpacked, beside)?;
            files::remove(&sealed_file)?;
            Ok((delivered, stored))
        })
        .await
    }

    /// Refuses a parcel that is sealed to none of the keys at hand, if the HOME is set to: its sender then sends it again.
    async fn answer_lost_key(&self, parcel: &Parcel, error: SdkError) -> ReceiveOutcome {
        let lost = matches!(error, SdkError::Verification(VerificationError::Seal(OpenError::NotARecipient)));
        if !lost || !self.home().config().answer_key_lost {
            return ReceiveOutcome::Failed(error);
        }
        let say = Say::Refuse { reason: RefusalReason::KeyLost, text: None };
        match self.declare_about(parcel.clone(), &say).await {
            Ok(_) => ReceiveOutcome::KeyLost(error),
            // The next run tries again.
            Err(refused) => {
                tracing::warn!(error = %refused, "a lost key could not be answered");
                ReceiveOutcome::Failed(error)
            }
        }
    }

    /// Acknowledges what is stored, in batches, and reports every parcel.
    async fn acknowledge_all(
        &self,
        mut verified: mpsc::Receiver<Verified>,
        leave: bool,
        progress: &dyn Progress,
    ) -> Vec<ReceivedParcel> {
        let mut reports = Vec::new();
        let mut batch = Vec::with_capacity(BATCH);
        while verified.recv_many(&mut batch, BATCH).await > 0 {
            let mut parcels = Vec::with_capacity(batch.len());
            let mut stored = Vec::with_capacity(batch.len());
            for (parcel, result) in batch.drain(..) {
                match result {
                    Ok((_, stored)) if leave => {
                        report(&mut reports, progress, parcel, ReceiveOutcome::Left(stored));
                    }
                    Ok(result) => {
                        parcels.push(parcel);
                        stored.push(result);
                    }
                    Err(error) => {
                        let outcome = self.answer_lost_key(&parcel, error).await;
                        report(&mut reports, progress, parcel, outcome);
                    }
                }
            }
            if stored.is_empty() {
                continue;
            }
            for (parcel, outcome) in parcels.into_iter().zip(acknowledge(self, stored).await) {
                report(&mut reports, progress, parcel, outcome);
            }
        }
        reports
    }
}

fn report(
    reports: &mut Vec<ReceivedParcel>,
    progress: &dyn Progress,
    parcel: Parcel,
    outcome: ReceiveOutcome,
) {
    let received = ReceivedParcel { parcel, outcome };
    progress.step(Step::Received(&received));
    reports.push(received);
}
