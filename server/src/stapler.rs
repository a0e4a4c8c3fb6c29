//! Asking an OCSP responder about the relay's own TLS certificate, so that handshakes show the answer (stapling): clients learn of a revocation
//! without asking anybody themselves.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom as _, SystemRandom};
use tasuki_certs::error::OcspFault;
use tasuki_certs::tls::{NotShown, ServerCertificate, ServerInquiry};

use crate::clock::Clock;
use crate::config::{Config, OcspConfig};
use crate::denials::Denials;
use crate::fetch::{Ask, FetchFault, Fetcher, MeansError};
use crate::fetched_lists::fetcher;
use crate::ocsp::{MAX_ANSWER, NONCE_BYTES};

/// How often to look whether it is time: a new certificate gets its answer within this.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Why there is no new answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StapleFault {
    /// The file `server.certificate` does not hold it.
    #[error("the issuer's certificate is not in the file")]
    Issuer,
    #[error(transparent)]
    Fetch(#[from] FetchFault),
    #[error(transparent)]
    Answer(#[from] NotShown),
}

impl StapleFault {
    /// A stable word for metrics and logs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Issuer => "OCSP_ISSUER_MISSING",
            Self::Fetch(fault) => fault.code(),
            Self::Answer(fault) => fault.code(),
        }
    }
}

/// How the certificate that is shown stands.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// SHA-256 of the certificate.
    certificate: [u8; 32],
    asked_us: i64,
    failures: u32,
    fault: Option<StapleFault>,
    /// The last microsecond of the answer that is shown.
    shown_until_us: Option<i64>,
}

/// Keeps the answer that handshakes show fresh.
#[derive(Debug)]
pub(crate) struct Stapler {
    certificate: ServerCertificate,
    fetcher: Fetcher,
    /// Asked in the place of the responder that the certificate names; empty: that.
    responder: String,
    config: OcspConfig,
    clock: Arc<dyn Clock>,
    random: SystemRandom,
}

impl Stapler {
    /// As `[server]` says; the way and the pace are those of `[trust.fetch]` and `[trust.ocsp]`. `None`: no answers are to be shown.
    ///
    /// # Errors
    /// As of [`fetcher`].
    pub(crate) fn new(
        certificate: ServerCertificate,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, MeansError> {
        if !config.server.ocsp_staple {
            return Ok(None);
        }
        let patience = Duration::from_secs(u64::from(config.trust.ocsp.timeout_s));
        let fetcher = fetcher(&config.trust.fetch, patience, Arc::clone(&clock))?;
        let (responder, config) = (config.server.ocsp_responder.clone(), config.trust.ocsp.clone());
        Ok(Some(Self { certificate, fetcher, responder, config, clock, random: SystemRandom::new() }))
    }

    /// Asks again and again, while there is whom to ask. Never ends.
    pub(crate) async fn run(self, denials: &Denials) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known: Option<Standing> = None;
        loop {
            ticks.tick().await;
            let Some(about) = self.certificate.inquiry() else { continue };
            let Some(url) = self.responder(&about).map(str::to_owned) else { continue };
            let now_us = self.clock.now_us();
            let before = known.filter(|known| known.certificate == about.fingerprint());
            if before.is_some_and(|before| !self.is_due(&before, now_us)) {
                continue;
            }
            let outcome = self.ask(&about, &url).await;
            let standing = self.judge(&about, outcome, before);
            let told = before.and_then(|before| before.fault);
            if let Some(fault) = standing.fault.filter(|fault| Some(*fault) != told) {
                tracing::error!(responder = url, reason = fault.code(), %fault, must_staple = about.must_staple(),
                    "no OCSP answer about the relay's own certificate");
                denials.note_source(&url, "ocsp-server", fault.code());
            }
            known = Some(standing);
        }
    }

    fn judge(
        &self,
        about: &ServerInquiry,
        outcome: Result<i64, StapleFault>,
        before: Option<Standing>,
    ) -> Standing {
        let now_us = self.clock.now_us();
        let before_us = before.and_then(|before| before.shown_until_us);
        let shown_until_us = match outcome {
            Ok(until_us) => Some(until_us),
            Err(StapleFault::Answer(NotShown::Revoked)) => None,
            // A client ends a handshake in which it is shown an answer that is over.
            Err(_) if before_us.is_some_and(|until_us| until_us < now_us) => {
                self.certificate.unstaple(about);
                None
            }
            Err(_) => before_us,
        };
        let fault = outcome.err();
        let result = fault.map_or("ok", StapleFault::code);
        metrics::counter!("tasuki_ocsp_staples_total", "result" => result).increment(1);
        metrics::gauge!("tasuki_ocsp_stapled").set(if shown_until_us.is_some() { 1.0 } else { 0.0 });
        let failures = fault.map_or(0, |_| before.map_or(0, |before| before.failures).saturating_add(1));
        Standing { certificate: about.fingerprint(), asked_us: now_us, failures, fault, shown_until_us }
    }

    /// Asks once: until when the answer serves. `None`: there is nobody to ask.
    pub(crate) async fn look(&self) -> Option<Result<i64, StapleFault>> {
        let about = self.certificate.inquiry()?;
        let url = self.responder(&about)?;
        Some(self.ask(&about, url).await)
    }

    async fn ask(&self, about: &ServerInquiry, url: &str) -> Result<i64, StapleFault> {
        let mut nonce = [0; NONCE_BYTES];
        self.random.fill(&mut nonce).map_err(|_| NotShown::from(OcspFault::Nonce))?;
        let question = about.question(&nonce).ok_or(StapleFault::Issuer)?;
        let ask = Ask {
            url,
            anywhere: self.config.allow_private || !self.responder.is_empty(),
            max_bytes: MAX_ANSWER,
            post: Some(("application/ocsp-request", &question)),
        };
        let answer = self.fetcher.fetch(&ask).await?;
        Ok(self.certificate.staple(about, &answer, &nonce, self.clock.now_us())?)
    }

    fn responder<'a>(&'a self, about: &'a ServerInquiry) -> Option<&'a str> {
        if self.responder.is_empty() { about.url() } else { Some(&self.responder) }
    }

    fn is_due(&self, standing: &Standing, now_us: i64) -> bool {
        let (every_us, first_us) = (self.config.every.us(), self.config.first_pause.us());
        let pause_us = match standing.failures {
            0 => every_us,
            failures => first_us.saturating_mul(1_i64 << (failures - 1).min(20)).min(every_us.max(first_us)),
        };
        let next = standing.asked_us.saturating_add(pause_us);
        let over = standing.shown_until_us.is_some_and(|until_us| until_us < now_us);
        // A clock that was set back must not keep the relay from asking.
        over || now_us >= next || now_us < standing.asked_us
    }
}
