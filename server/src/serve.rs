//! A running relay: everything wired together, served until told to stop, and drained.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tasuki_careplan::policy::CheckPolicy;
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::tls::{self, Anonymous, ServerCertificate, TlsError};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use crate::accept::{self, Connection};
use crate::access::Access;
use crate::alerts::Watchman;
use crate::boot::{Boot, BootError};
use crate::ca_roller::Roller;
use crate::clock::Clock;
use crate::closing::Closing;
use crate::committer::{Fatal, Started};
use crate::config::{Config, ConfigError};
use crate::counts::RejectedCounts;
use crate::denials::Denials;
use crate::directory::Directory;
use crate::endings::Endings;
use crate::enrolments::Enrolments;
use crate::evidence::ledger::Ledger;
use crate::evidence::witnesses::Witnesses;
use crate::fetch::MeansError;
use crate::fetched_lists::ListFetcher;
use crate::fetched_lists::kept::Kept;
use crate::intake::{Archivist, Intake};
use crate::log_key_roller::LogKeyRoller;
use crate::mail::Mails;
use crate::metrics;
use crate::ocsp::{Asker, Stapler};
use crate::operation::Operating;
use crate::refusals::Refusals;
use crate::renewals::Renewals;
use crate::retention::Sweeper;
use crate::rpc::{self, Context, Places};
use crate::server_certificate::{Follower, ServerCertificateError};
use crate::shutdown::Shutdown;
use crate::stamper::{Stamper, StamperError};
use crate::store::Store;
use crate::sweep;
use crate::timekeeper::Timekeeper;
use crate::trial_ca::TrialCaFiles;
use crate::trust::{Keeper, Trust, TrustSetupError};
use crate::webhooks::Webhooks;

/// HTTP/2 pings find dead peers: offices' routers forget quiet connections after a few minutes.
const PING_EVERY: Duration = Duration::from_secs(45);
const PING_PATIENCE: Duration = Duration::from_secs(20);

/// Bytes that a peer may send before they are read: four chunks on one stream, sixteen on a connection. The
/// relay's memory for a peer that fills its windows.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;

/// Calls and time of a connection without a client certificate: enrolling takes two calls of a second.
const ANONYMOUS_CALLS: u32 = 4;
const ANONYMOUS_AGE: Duration = Duration::from_secs(30);

/// Bytes of a request's headers. Ours have about 300.
const MAX_HEADERS: u32 = 16 * 1024;

/// The committer drains what is queued within this; it holds half a second's work.
const COMMITTER_DRAIN: Duration = Duration::from_secs(15);

/// The relay can't start, or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Store, log or keys.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// What the configuration names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Trust anchors, CRLs or the profile.
    #[error(transparent)]
    Trust(#[from] TrustSetupError),
    /// The folder of fetched revocation lists.
    #[error("trust.fetch.folder: {0}")]
    Fetched(io::Error),
    /// What fetches revocation lists.
    #[error("trust.fetch: {0}")]
    Fetch(#[from] MeansError),
    /// The authority for time stamps.
    #[error(transparent)]
    Stamper(#[from] StamperError),
    /// The server's certificate and key.
    #[error(transparent)]
    Certificate(#[from] ServerCertificateError),
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The address can't be bound.
    #[error("{address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The metrics' address can't be bound.
    #[error("server.metrics_listen {address}: {problem}")]
    Metrics {
        /// Which.
        address: SocketAddr,
        /// Why.
        problem: String,
    },
    /// The services can't be put together.
    #[error("reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// Serving failed.
    #[error("serving failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// Nothing more can be promised.
    #[error(transparent)]
    Fatal(#[from] Fatal),
}

/// Runs a relay until `stop` resolves, then drains it. `listening` is told the address.
///
/// # Errors
/// [`ServeError`]. After [`ServeError::Fatal`] the process must end: what the database holds is unknown.
pub async fn serve(
    config: &Config,
    stop: impl Future<Output = ()>,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    // Before anything is opened: what the configuration names may be wrong.
    let checks = config.checks.policy()?;
    let boot = Boot::start(config).await?;
    let relay = Relay::build(config, checks, boot).await?;
    relay.run(config, stop, listening).await
}

struct Relay {
    context: Arc<Context>,
    keeper: Keeper,
    outward: Outward,
    certificate: Follower,
    tls: TlsAcceptor,
    shutdown: Shutdown,
    running: crate::committer::Running,
}

/// What the relay asks others for, for its own sake.
struct Outward {
    lists: ListFetcher,
    asker: Asker,
    stamper: Option<Stamper>,
    stapler: Option<Stapler>,
    denials: Arc<Denials>,
}

impl Outward {
    fn new(
        config: &Config,
        trust: &Trust,
        clock: &Arc<dyn Clock>,
        stamper: Option<Stamper>,
        certificate: ServerCertificate,
        denials: Arc<Denials>,
    ) -> Result<Self, ServeError> {
        Ok(Self {
            lists: ListFetcher::new(trust.clone(), &config.trust.fetch, Arc::clone(clock))?,
            asker: Asker::new(trust.clone(), &config.trust, Arc::clone(clock))?,
            stamper,
            stapler: Stapler::new(certificate, config, Arc::clone(clock))?,
            denials,
        })
    }

    /// All of it, side by side. Never ends.
    async fn run(self) {
        let stamping = async {
            if let Some(stamper) = self.stamper {
                stamper.run().await;
            }
        };
        let stapling = async {
            if let Some(stapler) = self.stapler {
                stapler.run(&self.denials).await;
            }
        };
        tokio::join!(self.lists.run(&self.denials), self.asker.run(&self.denials), stamping, stapling);
    }
}

/// Those who tell offices what is new.
fn tellers(
    config: &Config,
    store: &Store,
    ledger: &Arc<Ledger>,
    directory: &Arc<Directory>,
    clock: &Arc<dyn Clock>,
) -> (Arc<Mails>, Arc<Webhooks>) {
    let (ledger, clock) = (|| Arc::clone(ledger), || Arc::clone(clock));
    let mails = Mails::new(store.clone(), ledger(), Arc::clone(directory), clock(), config.mail.clone());
    let webhooks = Webhooks::new(store.clone(), ledger(), clock(), config.webhooks.clone());
    (Arc::new(mails), Arc::new(webhooks))
}

impl Relay {
    async fn build(config: &Config, checks: CheckPolicy, boot: Boot) -> Result<Self, ServeError> {
        let Boot { store, started, clock } = boot;
        let Started { committer, ledger, running, .. } = started;
        let trial_ca = issuing_ca(config, clock.now_us());
        let anonymous = if trial_ca.is_some() { Anonymous::Admitted } else { Anonymous::Refused };
        Kept::at(&config.trust.fetch.folder).prepare().map_err(ServeError::Fetched)?;
        let trust = Trust::load(&config.trust)?;
        let stamper = Stamper::new(config, store.clone(), Arc::clone(&ledger), Arc::clone(&clock))?;
        let denials = Arc::new(Denials::new(committer.clone(), Arc::clone(&clock)));
        let certificate = Follower::load(&config.server)?;
        let shown = certificate.certificate();
        let outward = Outward::new(config, &trust, &clock, stamper, shown.clone(), Arc::clone(&denials))?;
        trust.refresh(&store).await.map_err(BootError::from)?;
        let tls = acceptor(&shown, &trust, &clock, anonymous)?;
        let verifier = Arc::new(SignatureVerifier::with_capacity(trust.clone(), config.trust.known_signers));
        let directory = Arc::new(Directory::new(
            store.clone(),
            trust.clone(),
            Arc::clone(&verifier),
            Arc::clone(&clock),
            config.limits.known_offices,
        ));
        let archivist = Arc::new(Archivist::new(trust.clone(), Arc::clone(&clock)));
        let intake = Intake::new(
            Arc::clone(&directory),
            Arc::clone(&verifier),
            Arc::clone(&archivist),
            committer.clone(),
            store.clone(),
            Arc::clone(&clock),
            config,
        );
        let intake = Arc::new(intake.checking_by(checks));
        let access = Access::new(
            trust.clone(),
            Arc::clone(&directory),
            committer.clone(),
            store.clone(),
            Arc::clone(&clock),
        );
        let enrolments =
            Enrolments::new(trial_ca.clone(), trust.clone(), Arc::clone(&verifier), Arc::clone(&clock));
        let renewals =
            Renewals::new(trial_ca.clone(), trust.clone(), Arc::clone(&verifier), Arc::clone(&clock));
        let (shutdown, stopping) = Shutdown::new();
        let roller = Roller::of(config, trial_ca.as_ref(), &committer, &clock);
        if let Some(roller) = &roller {
            roller.take_over(&trust.ca_rolls()).await;
        }
        let keeper = Keeper {
            trust: trust.clone(),
            store: store.clone(),
            roller,
            log_key_roller: LogKeyRoller::of(config, &store, &committer, &clock),
            trial_ca,
            clock: Arc::clone(&clock),
            every: Duration::from_secs(u64::from(config.trust.reload_every_s)),
        };
        let rejected = Arc::new(RejectedCounts::new(Arc::clone(&clock)));
        let operating = Operating::load(store.clone(), Arc::clone(&clock)).await.map_err(BootError::from)?;
        let watchman = Arc::new(Watchman::new(Arc::clone(&clock), config.alerts.clone()));
        let refusals = Arc::new(Refusals::new(store.clone(), Arc::clone(&clock)));
        let (mails, webhooks) = tellers(config, &store, &ledger, &directory, &clock);
        let context = Arc::new(Context {
            denials,
            mails,
            webhooks,
            watchman,
            operating: Arc::new(operating),
            store,
            committer,
            ledger,
            directory,
            trust,
            access,
            intake,
            refusals,
            verifier,
            archivist,
            clock,
            rejected,
            witnesses: Witnesses::parse(&config.witnesses.keys).unwrap_or_default(),
            limits: config.limits.clone(),
            joining: config.joining,
            partners: config.partners,
            places: Places::new(&config.limits),
            enrolments,
            renewals,
            stopping,
        });
        Ok(Self { context, keeper, outward, certificate, tls, shutdown, running })
    }

    async fn run(
        self,
        config: &Config,
        stop: impl Future<Output = ()>,
        listening: impl FnOnce(SocketAddr),
    ) -> Result<(), ServeError> {
        let Self { context, keeper, outward, certificate, tls, shutdown, mut running } = self;
        let address = config.server.listen;
        let listen_error = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen_error)?;
        let bound = listener.local_addr().map_err(listen_error)?;
        if let Some(address) = config.server.metrics_listen {
            metrics::start(address).map_err(|e| ServeError::Metrics { address, problem: e.to_string() })?;
            tracing::info!(%address, "metrics");
        }
        let background = [
            tokio::spawn(certificate.follow(Arc::clone(&context.clock), keeper.every)),
            tokio::spawn(keeper.run()),
            tokio::spawn(outward.run()),
            tokio::spawn(Arc::clone(&context.operating).run()),
            tokio::spawn(Arc::clone(&context.watchman).run(context.store.clone())),
            tokio::spawn(Arc::clone(&context.rejected).run(context.store.clone())),
            tokio::spawn(Arc::clone(&context.refusals).run()),
            tokio::spawn(Arc::clone(&context.webhooks).run()),
            tokio::spawn(Arc::clone(&context.mails).run()),
            tokio::spawn(sweep::run(context.store.clone(), Arc::clone(&context.clock))),
            tokio::spawn(metrics::sample(context.committer.clone(), Arc::downgrade(&context.verifier))),
            tokio::spawn({
                let (directory, log) = (Arc::clone(&context.directory), context.ledger.watch());
                async move { directory.follow(log).await }
            }),
        ];
        let timed = what_time_brings(&context, config);
        let (health, health_service) = tonic_health::server::health_reporter();
        health.set_service_status("", tonic_health::ServingStatus::Serving).await;
        let stopping = context.stopping.clone();
        let watchman = Arc::clone(&context.watchman);
        let connections = accept::connections(listener, tls, &config.limits, watchman, stopping.clone());
        let mut told = stopping.clone();
        let serving = tonic::transport::Server::builder()
            .max_concurrent_streams(config.limits.calls_per_connection)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keepalive_interval(Some(PING_EVERY))
            .http2_keepalive_timeout(Some(PING_PATIENCE))
            .http2_max_header_list_size(MAX_HEADERS)
            .add_routes(rpc::routes(&context)?)
            .add_service(health_service)
            .serve_with_incoming_shutdown(connections.known, async move { told.wait().await });
        let anonymous = tokio::spawn(serve_anonymous(Arc::clone(&context), connections.anonymous));
        tracing::info!(address = %bound, version = env!("CARGO_PKG_VERSION"), "listening");
        listening(bound);

        let mut serving = std::pin::pin!(serving);
        let outcome = tokio::select! {
            served = &mut serving => served.map_err(ServeError::from),
            fatal = running.failed() => {
                tracing::error!(error = %fatal, "the relay can't go on");
                return Err(fatal.into());
            }
            () = stop => {
                tracing::info!("going down: finishing open submissions");
                shutdown.begin();
                health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
                let patience = Duration::from_secs(u64::from(config.server.drain_s));
                if let Ok(served) = tokio::time::timeout(patience, &mut serving).await {
                    served.map_err(ServeError::from)
                } else {
                    tracing::warn!("some calls did not end in time and were cut");
                    Ok(())
                }
            }
        };
        for task in background.into_iter().chain(timed) {
            task.abort();
        }
        anonymous.abort();
        let (store, rejected, refusals) =
            (context.store.clone(), Arc::clone(&context.rejected), Arc::clone(&context.refusals));
        drop(context);
        outcome?;
        // Calls that were cut may still hold the committer; what they queued is committed all the same.
        if let Ok(finished) = tokio::time::timeout(COMMITTER_DRAIN, running.finished()).await {
            finished?;
        } else {
            tracing::warn!("the committer was not done in time");
        }
        if let Err(error) = rejected.flush(&store).await {
            tracing::warn!(%error, "the last counts are lost");
        }
        refusals.flush().await;
        store.close().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// The relay's own CA, where it can issue; with a revocation list of today.
fn issuing_ca(config: &Config, now_us: i64) -> Option<Arc<TrialCaFiles>> {
    let ca = config.trial_ca.clone().map(TrialCaFiles::open).filter(TrialCaFiles::can_issue)?;
    if let Err(error) = ca.refresh(now_us) {
        tracing::error!(%error, "the trial CA's revocation list can't be renewed");
    }
    Some(Arc::new(ca))
}

/// The tasks that do what happens because a time has come, and clear mailboxes of offices that left.
fn what_time_brings(context: &Context, config: &Config) -> [JoinHandle<()>; 4] {
    let (store, clock) = (context.store.clone(), Arc::clone(&context.clock));
    let (committer, trust) = (context.committer.clone(), context.trust.clone());
    let lifecycle = config.lifecycle.clone();
    let sweeper = Sweeper::new(store.clone(), Arc::clone(&clock), config.retention.clone());
    let partners = config.partners;
    let timekeeper =
        Timekeeper::new(store.clone(), committer.clone(), Arc::clone(&clock), lifecycle.clone(), partners);
    let closing = Closing::new(store.clone(), committer.clone(), Arc::clone(&clock));
    let endings = Endings::new(store, committer, clock, trust, lifecycle);
    [
        tokio::spawn(sweeper.run()),
        tokio::spawn(timekeeper.run()),
        tokio::spawn(closing.run()),
        tokio::spawn(endings.run()),
    ]
}

/// Serves who has no certificate yet.
async fn serve_anonymous(context: Arc<Context>, connections: ReceiverStream<io::Result<Connection>>) {
    let mut stopping = context.stopping.clone();
    let routes = rpc::anonymous_routes(&context);
    drop(context);
    let served = tonic::transport::Server::builder()
        .max_concurrent_streams(ANONYMOUS_CALLS)
        .max_connection_age(ANONYMOUS_AGE)
        .max_connection_age_grace(ANONYMOUS_AGE)
        .http2_max_header_list_size(MAX_HEADERS)
        .timeout(ANONYMOUS_AGE)
        .add_routes(routes)
        .serve_with_incoming_shutdown(connections, async move { stopping.wait().await });
    if let Err(error) = served.await {
        tracing::warn!(%error, "serving enrolments failed");
    }
}

fn acceptor(
    certificate: &ServerCertificate,
    trust: &Trust,
    clock: &Arc<dyn Clock>,
    anonymous: Anonymous,
) -> Result<TlsAcceptor, TlsError> {
    let clock = Arc::clone(clock);
    let tls = tls::server_config(
        certificate,
        Arc::new(trust.clone()),
        Arc::new(move || clock.now_us()),
        Arc::new(|error| {
            ::metrics::counter!("tasuki_handshakes_refused_total", "reason" => error.code()).increment(1);
            tracing::info!(reason = error.code(), "a client certificate was refused");
        }),
        anonymous,
    )?;
    Ok(TlsAcceptor::from(Arc::new(tls)))
}
