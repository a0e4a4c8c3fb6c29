//! Whose certificates are believed: the files of the configuration, followed while the relay runs.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tasuki_certs::error::OcspFault;
use tasuki_certs::profile::CertificateProfile;
use tasuki_certs::trust::{AlarmState, CurrentTrust, OcspUse, OnDoubt, RevocationPolicy, TrustStore};
use tasuki_certs::trust_files::{TrustFiles, TrustFilesError, TrustWatch};

use crate::ca_roller::Roller;
use crate::ca_rolls::{self, CaRoll};
use crate::clock::Clock;
use crate::config::{AnchorConfig, OcspMode, OnStale, TrustConfig};
use crate::log_key_roller::LogKeyRoller;
use crate::store::settings::REVOCATION_OVERRIDE;
use crate::store::{Store, StoreError};
use crate::trial_ca::TrialCaFiles;

/// Handle to the trust store; clones share it.
#[derive(Clone)]
pub struct Trust(Arc<Followed>);

/// The files, and how the issuing CA handed over.
struct Followed {
    watch: TrustWatch,
    rolls: RwLock<Arc<Vec<CaRoll>>>,
    /// Whether OCSP answers count that a certificate's bearer brings.
    stapled: bool,
}

impl std::fmt::Debug for Trust {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Trust").field(&self.0.watch.current()).finish()
    }
}

impl CurrentTrust for Trust {
    fn current(&self) -> Arc<TrustStore> {
        self.0.watch.current()
    }
}

/// Trust can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TrustSetupError {
    /// A file with certificates or CRLs can't be used.
    #[error(transparent)]
    Files(#[from] TrustFilesError),
    /// The certificate profile can't be read.
    #[error("trust.profile: {0}")]
    Profile(String),
    /// What the database knows can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where certificates say whose they are.
///
/// # Errors
/// [`TrustSetupError::Profile`].
pub fn profile(config: &TrustConfig) -> Result<CertificateProfile, TrustSetupError> {
    let Some(path) = &config.profile else { return Ok(CertificateProfile::trial()) };
    let unusable = |e: &dyn std::fmt::Display| TrustSetupError::Profile(format!("{}: {e}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|e| unusable(&e))?;
    toml::from_str(&text).map_err(|e| unusable(&e))
}

impl Trust {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// [`TrustSetupError`] names the file.
    pub fn load(config: &TrustConfig) -> Result<Self, TrustSetupError> {
        let profile = profile(config)?;
        // There once something was to be fetched.
        let fetched = Some(&config.fetch.folder).filter(|folder| folder.is_dir());
        let files = TrustFiles {
            anchors: config.anchors.clone(),
            intermediates: config.intermediates.clone(),
            crls: config.crls.iter().chain(fetched).cloned().collect(),
            revocation: policy(config, None),
            anchor_policies: config
                .anchor
                .iter()
                .map(|own| (own.certificate.clone(), policy(config, Some(own))))
                .collect(),
            profile,
            ..TrustFiles::of_anchors(Vec::new())
        };
        let (watch, rolls) = (TrustWatch::load(files)?, RwLock::default());
        Ok(Self(Arc::new(Followed { watch, rolls, stapled: config.ocsp.stapled })))
    }

    /// Reads the files for the first time, and what the database knows beside them.
    ///
    /// # Errors
    /// [`TrustSetupError`] names the file.
    pub async fn load_with(config: &TrustConfig, store: &Store) -> Result<Self, TrustSetupError> {
        let trust = Self::load(config)?;
        trust.refresh(store).await?;
        Ok(trust)
    }

    /// How the issuing CA handed over, as of the last look.
    pub fn ca_rolls(&self) -> Arc<Vec<CaRoll>> {
        Arc::clone(&self.0.rolls.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Looks at the files and at the operator's override. Returns whether there is a new snapshot.
    ///
    /// # Errors
    /// If the override can't be read. A file that can't be used is logged, and the old snapshot stays in force.
    pub async fn refresh(&self, store: &Store) -> Result<bool, StoreError> {
        let until = store.setting(REVOCATION_OVERRIDE).await?.and_then(|text| text.parse().ok());
        let overridden = until != self.current().policy().override_until_us;
        if overridden {
            self.0.watch.set_override(until);
        }
        // The lists of a new CA before the CA itself: without them nothing that it issued is accepted.
        let reloaded = self.reload().await;
        let followed = self.follow(ca_rolls::load(store).await?);
        Ok(overridden || reloaded || followed)
    }

    fn follow(&self, rolls: Vec<CaRoll>) -> bool {
        let known = self.ca_rolls();
        if *known == rolls {
            return false;
        }
        let handovers = rolls.iter().map(|roll| roll.handover.clone()).collect();
        match self.0.watch.set_handovers(handovers) {
            Ok(changed) => {
                *self.0.rolls.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rolls);
                changed
            }
            Err(error) => {
                tracing::error!(%error, "the issuing CA handed over, and certificates can't be read; the old ones stay in force");
                false
            }
        }
    }

    /// Takes into account what OCSP answers have said. Returns whether there is a new snapshot.
    pub fn renew(&self) -> bool {
        self.0.watch.renew_if_answered()
    }

    /// Takes an OCSP answer that the bearer of a certificate (SHA-256) brought, where such count and one is wanted.
    ///
    /// # Errors
    /// [`OcspFault`]: nothing changed.
    pub fn take_stapled(&self, certificate: &[u8; 32], answer: &[u8], now_us: i64) -> Result<(), OcspFault> {
        if self.0.stapled && self.current().take_stapled(certificate, answer, now_us)? {
            self.renew();
        }
        Ok(())
    }

    /// Looks at the files. Returns whether there is a new snapshot.
    pub async fn reload(&self) -> bool {
        let followed = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || followed.watch.reload_if_changed()).await {
            Ok(Ok(reloaded)) => reloaded,
            Ok(Err(error)) => {
                tracing::error!(%error, "certificates or revocation lists can't be read; the old ones stay in force");
                false
            }
            Err(_) => false,
        }
    }
}

/// How revocation is decided, below one anchor or in general.
fn policy(config: &TrustConfig, own: Option<&AnchorConfig>) -> RevocationPolicy {
    let doubt = |on: OnStale| match on {
        OnStale::Refuse => OnDoubt::Refuse,
        OnStale::Warn => OnDoubt::Warn,
    };
    let max_age_hours = own.and_then(|own| own.crl_max_age_hours).unwrap_or(config.crl_max_age_hours);
    let alarm_hours = own.and_then(|own| own.alarm_before_hours).unwrap_or(config.alarm_before_hours);
    RevocationPolicy {
        on_stale: doubt(own.and_then(|own| own.on_stale).unwrap_or(config.on_stale)),
        on_missing: doubt(own.and_then(|own| own.on_missing).unwrap_or_default()),
        max_crl_age_s: max_age_hours.saturating_mul(3600),
        alarm_before_s: alarm_hours.saturating_mul(3600),
        ocsp: match own.and_then(|own| own.ocsp).unwrap_or(config.ocsp.mode) {
            OcspMode::Off => OcspUse::Off,
            OcspMode::Fallback => OcspUse::Fallback,
            OcspMode::Require => OcspUse::Require,
        },
        on_no_answer: doubt(own.and_then(|own| own.on_no_answer).unwrap_or(config.ocsp.on_no_answer)),
        max_ocsp_age_s: config.ocsp.max_age_hours.saturating_mul(3600),
        ..RevocationPolicy::default()
    }
}

/// What keeps trust fresh while the relay runs.
#[derive(Debug)]
pub struct Keeper {
    /// What is kept fresh.
    pub trust: Trust,
    /// Holds the override.
    pub store: Store,
    /// The relay's own CA, if its key is here.
    pub trial_ca: Option<Arc<TrialCaFiles>>,
    /// Has it handed over to a new key.
    pub roller: Option<Roller>,
    /// Has the log handed over to a new key.
    pub log_key_roller: Option<LogKeyRoller>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How often to look.
    pub every: Duration,
}

impl Keeper {
    /// Looks again and again: the trial CA's list, keys whose time has come, the files, the override, alarms. Never ends.
    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut told, mut shown) = (Vec::new(), Vec::new());
        loop {
            ticks.tick().await;
            self.renew_crl().await;
            if let Some(roller) = &self.roller {
                roller.look().await;
            }
            if let Some(roller) = &self.log_key_roller {
                roller.look().await;
            }
            match self.trust.refresh(&self.store).await {
                Ok(true) => tracing::info!("trust store reloaded"),
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the revocation override can't be read"),
            }
            if let Some(roller) = &self.roller {
                roller.take_over(&self.trust.ca_rolls()).await;
            }
            self.alarm(&mut told);
            self.show_ages(&mut shown);
        }
    }

    async fn renew_crl(&self) {
        let Some(ca) = self.trial_ca.clone() else { return };
        let now_us = self.clock.now_us();
        match tokio::task::spawn_blocking(move || ca.refresh(now_us)).await {
            Ok(Ok(true)) => tracing::info!("the trial CA's revocation list was renewed"),
            Ok(Ok(false)) | Err(_) => {}
            Ok(Err(error)) => tracing::error!(%error, "the trial CA's revocation list can't be renewed"),
        }
    }

    /// Logs each alarm once, and counts them for the metrics.
    fn alarm(&self, told: &mut Vec<String>) {
        let trust = self.trust.current();
        let now_us = self.clock.now_us();
        let alarms: Vec<String> = trust.revocation_alarms(now_us).iter().map(alarm_text).collect();
        metrics::gauge!("tasuki_crl_alarms").set(f64::from(u32::try_from(alarms.len()).unwrap_or(u32::MAX)));
        for alarm in alarms.iter().filter(|alarm| !told.contains(alarm)) {
            tracing::error!(alarm, "a revocation list needs a person to look");
        }
        *told = alarms;
    }

    /// Shows in the metrics how old the lists are and for how long they are good. `shown`: issuers shown before.
    fn show_ages(&self, shown: &mut Vec<String>) {
        let now_us = self.clock.now_us();
        let ages = self.trust.current().revocation_ages();
        let gauge = |name: &'static str, issuer: &str, value: f64| {
            metrics::gauge!(name, "issuer" => issuer.to_owned()).set(value);
        };
        for age in &ages {
            gauge("tasuki_crl_age_seconds", &age.issuer, seconds(now_us.saturating_sub(age.this_update_us)));
            gauge(
                "tasuki_crl_fresh_seconds",
                &age.issuer,
                seconds(age.fresh_until_us.saturating_sub(now_us)),
            );
        }
        // A CA that left the configuration must not look as if its list stopped ageing.
        for gone in shown.iter().filter(|issuer| ages.iter().all(|age| age.issuer != **issuer)) {
            gauge("tasuki_crl_age_seconds", gone, f64::NAN);
            gauge("tasuki_crl_fresh_seconds", gone, f64::NAN);
        }
        *shown = ages.into_iter().map(|age| age.issuer).collect();
    }
}

/// Microseconds as whole seconds, for a gauge: 68 years either way.
pub(crate) fn seconds(us: i64) -> f64 {
    let seconds = us.div_euclid(1_000_000).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    f64::from(i32::try_from(seconds).unwrap_or(i32::MAX))
}

/// An alarm in words.
pub fn alarm_text(alarm: &tasuki_certs::trust::RevocationAlarm) -> String {
    let when = |us: i64| tasuki_proto::time::format_us(us);
    let issuer = &alarm.issuer;
    match alarm.state {
        AlarmState::Missing => format!("{issuer}: there is no revocation list"),
        AlarmState::Unusable(fault) => format!("{issuer}: the revocation list can't be used: {fault}"),
        AlarmState::StaleSince(us) => format!("{issuer}: the revocation list is stale since {}", when(us)),
        AlarmState::StaleFrom(us) => format!("{issuer}: the revocation list becomes stale at {}", when(us)),
        _ => format!("{issuer}: something is wrong with the revocation list"),
    }
}
