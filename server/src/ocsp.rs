//! Asking OCSP responders about the certificates that are in use, again and again while they are (RFC 6960).
//!
//! Nothing waits for a responder but who shows a certificate that nothing is known of yet, and that for a few seconds only. An answer
//! that is not good changes nothing; when the last good one is too old, the policy of the anchor says what then.

mod responders;
mod stapler;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tasuki_certs::trust::{CurrentTrust as _, Inquiry};
use tasuki_proto::canonical::hex;

pub(crate) use self::responders::AskFault;
use self::responders::Responders;
pub(crate) use self::stapler::{StapleFault, Stapler};
use crate::clock::Clock;
use crate::config::{OcspConfig, TrustConfig};
use crate::denials::Denials;
use crate::fetch::{MeansError, pause_us};
use crate::trust::Trust;

/// How often to look who is to be asked about: who comes for the first time waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Questions at once.
const AT_ONCE: usize = 16;
/// How asking about one certificate stands.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at_us: i64,
    failures: u32,
    fault: Option<AskFault>,
}

/// Asks responders.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    trust: Trust,
    responders: Responders,
    pace: OcspConfig,
    clock: Arc<dyn Clock>,
}

impl Asker {
    /// As the configuration says; the way is that of fetched lists.
    ///
    /// # Errors
    /// As of [`Responders::new`].
    pub(crate) fn new(trust: Trust, config: &TrustConfig, clock: Arc<dyn Clock>) -> Result<Self, MeansError> {
        let responders = Responders::new(config, &config.ocsp.responder, Arc::clone(&clock))?;
        Ok(Self { trust, responders, pace: config.ocsp.clone(), clock })
    }

    /// Asks again and again. Never ends.
    pub(crate) async fn run(self, denials: &Denials) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut known: BTreeMap<[u8; 32], Asked> = BTreeMap::new();
        loop {
            ticks.tick().await;
            let now_us = self.clock.now_us();
            let all = self.trust.current().inquiries(now_us);
            known.retain(|fingerprint, _| all.iter().any(|one| one.fingerprint == *fingerprint));
            let unanswered =
                all.iter().filter(|one| one.answered_until_us.is_none_or(|until| until < now_us)).count();
            metrics::gauge!("tasuki_ocsp_unanswered")
                .set(f64::from(u32::try_from(unanswered).unwrap_or(u32::MAX)));
            let due: Vec<&Inquiry> =
                all.iter().filter(|one| self.is_due(one, known.get(&one.fingerprint), now_us)).collect();
            for some in due.chunks(AT_ONCE) {
                self.ask_all(some, &mut known, denials).await;
            }
        }
    }

    async fn ask_all(&self, some: &[&Inquiry], known: &mut BTreeMap<[u8; 32], Asked>, denials: &Denials) {
        let tasks: Vec<_> = some
            .iter()
            .map(|inquiry| {
                let (own, inquiry) = (self.clone(), (*inquiry).clone());
                tokio::spawn(async move {
                    let outcome = own.ask(&inquiry).await;
                    (inquiry, outcome)
                })
            })
            .collect();
        let mut news = false;
        for task in tasks {
            let Ok((inquiry, outcome)) = task.await else { continue };
            news |= outcome == Ok(true);
            let fingerprint = inquiry.fingerprint;
            let before = known.get(&fingerprint).copied();
            if let Some(fault) = tell(&fingerprint, outcome, before) {
                denials.note_source(self.responder(&inquiry).unwrap_or_default(), "ocsp", fault.code());
            }
            let fault = outcome.err();
            let failures = if fault.is_some() {
                before.map_or(0, |before| before.failures).saturating_add(1)
            } else {
                0
            };
            known.insert(fingerprint, Asked { at_us: self.clock.now_us(), failures, fault });
        }
        if news && self.trust.renew() {
            tracing::info!("an OCSP answer changed how a certificate stands");
        }
    }

    /// Asks about one certificate. `true`: it stands otherwise than before.
    pub(crate) async fn ask(&self, inquiry: &Inquiry) -> Result<bool, AskFault> {
        let trust = self.trust.current();
        let question = |nonce: &[u8]| trust.ocsp_question(inquiry, nonce);
        let answer = self.responders.ask(inquiry.url.as_deref(), question).await?;
        Ok(trust.take_answer(inquiry, &answer.der, &answer.nonce, self.clock.now_us())?)
    }

    /// Who is asked about it.
    pub(crate) fn responder<'a>(&'a self, inquiry: &'a Inquiry) -> Option<&'a str> {
        self.responders.choose(inquiry.url.as_deref())
    }

    fn is_due(&self, inquiry: &Inquiry, asked: Option<&Asked>, now_us: i64) -> bool {
        let Some(asked) = asked else { return true };
        let first_us = self.pace.first_pause.us();
        let pause_us = pause_us(self.pace.every.us(), first_us, asked.failures);
        let ends_us = inquiry.answered_until_us.filter(|_| asked.failures == 0).unwrap_or(i64::MAX);
        let next =
            asked.at_us.saturating_add(pause_us).min(ends_us.max(asked.at_us.saturating_add(first_us)));
        // A clock that was set back must not keep the relay from asking.
        now_us >= next || now_us < asked.at_us
    }
}

/// Counts and logs what came of a question. A fault that lasts is told once: then it is given.
fn tell(fingerprint: &[u8; 32], outcome: Result<bool, AskFault>, before: Option<Asked>) -> Option<AskFault> {
    let result = outcome.err().map_or("ok", AskFault::code);
    metrics::counter!("tasuki_ocsp_answers_total", "result" => result).increment(1);
    let known = before.and_then(|before| before.fault).map(AskFault::code);
    let new = outcome.err().filter(|fault| known != Some(fault.code()))?;
    tracing::warn!(certificate = hex(fingerprint), reason = new.code(), fault = %new, "an OCSP responder gave no good answer");
    Some(new)
}
