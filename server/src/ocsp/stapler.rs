//! Asking a responder about the relay's own TLS certificate, so that handshakes show the answer (stapling): clients learn of a revocation
//! without asking anybody themselves.

use std::sync::Arc;
use std::time::Duration;

use tasuki_certs::tls::{NotShown, ServerCertificate, ServerInquiry};

use super::responders::{AskFault, Responders};
use crate::clock::Clock;
use crate::config::{Config, OcspConfig};
use crate::denials::Denials;
use crate::fetch::{MeansError, pause_us};

/// How often to look whether it is time: a new certificate gets its answer within this.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there is no new answer to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StapleFault {
    /// None came.
    #[error(transparent)]
    Ask(#[from] AskFault),
    /// The one that came is not shown.
    #[error(transparent)]
    Answer(#[from] NotShown),
}

impl StapleFault {
    /// A stable word for metrics and logs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Ask(fault) => fault.code(),
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
    responders: Responders,
    pace: OcspConfig,
    clock: Arc<dyn Clock>,
}

impl Stapler {
    /// As `[server]` says; the way and the pace are those of `[trust.fetch]` and `[trust.ocsp]`. `None`: no answers are to be shown.
    ///
    /// # Errors
    /// As of [`Responders::new`].
    pub(crate) fn new(
        certificate: ServerCertificate,
        config: &Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, MeansError> {
        if !config.server.ocsp_staple {
            return Ok(None);
        }
        let responders = Responders::new(&config.trust, &config.server.ocsp_responder, Arc::clone(&clock))?;
        Ok(Some(Self { certificate, responders, pace: config.trust.ocsp.clone(), clock }))
    }

    /// Asks again and again, while there is whom to ask. Never ends.
    pub(crate) async fn run(self, denials: &Denials) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known: Option<Standing> = None;
        loop {
            ticks.tick().await;
            let Some(about) = self.wanted() else { continue };
            let now_us = self.clock.now_us();
            let before = known.filter(|known| known.certificate == about.fingerprint());
            if before.is_some_and(|before| !self.is_due(&before, now_us)) {
                continue;
            }
            let outcome = self.ask(&about).await;
            let standing = self.judge(&about, outcome, before);
            let told = before.and_then(|before| before.fault);
            if let Some(fault) = standing.fault.filter(|fault| Some(*fault) != told) {
                let responder = self.responders.choose(about.url()).unwrap_or_default();
                tracing::error!(responder, reason = fault.code(), %fault, must_staple = about.must_staple(),
                    "no OCSP answer about the relay's own certificate");
                denials.note_source(responder, "ocsp-server", fault.code());
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

    /// Asks once: until when the answer serves. `None`: none is wanted.
    pub(crate) async fn look(&self) -> Option<Result<i64, StapleFault>> {
        Some(self.ask(&self.wanted()?).await)
    }

    /// The certificate, where a responder can be asked about it, or clients insist on an answer.
    fn wanted(&self) -> Option<ServerInquiry> {
        let about = self.certificate.inquiry()?;
        (about.must_staple() || self.responders.choose(about.url()).is_some()).then_some(about)
    }

    async fn ask(&self, about: &ServerInquiry) -> Result<i64, StapleFault> {
        let answer = self.responders.ask(about.url(), |nonce| about.question(nonce)).await?;
        Ok(self.certificate.staple(about, &answer.der, &answer.nonce, self.clock.now_us())?)
    }

    fn is_due(&self, standing: &Standing, now_us: i64) -> bool {
        let pause_us = pause_us(self.pace.every.us(), self.pace.first_pause.us(), standing.failures);
        let next = standing.asked_us.saturating_add(pause_us);
        let over = standing.shown_until_us.is_some_and(|until_us| until_us < now_us);
        // A clock that was set back must not keep the relay from asking.
        over || now_us >= next || now_us < standing.asked_us
    }
}
