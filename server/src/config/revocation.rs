//! `[trust.fetch]`, `[trust.ocsp]` and `[[trust.anchor]]`: where word of revocation comes from, and what holds below a single anchor.

use std::path::PathBuf;

use serde::Deserialize;

use super::OnStale;
use super::period::Period;
use crate::fetch;

/// Most addresses of lists that an operator names.
const MAX_URLS: usize = 64;

/// `[trust.fetch]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FetchConfig {
    /// Addresses of revocation lists.
    pub urls: Vec<String>,
    /// Whether lists are fetched from the distribution points of certificates as well.
    pub distribution_points: bool,
    /// Whether those may be in the relay's own network.
    pub allow_private: bool,
    /// Where the last good list of each address is kept.
    pub folder: PathBuf,
    /// How often each is fetched.
    pub every: Period,
    /// The first pause after a failure; doubled with each further one, up to `every`.
    pub first_pause: Period,
    /// Seconds for one.
    pub timeout_s: u32,
    /// MiB of one.
    pub max_mib: u32,
    /// MiB of all.
    pub total_mib: u32,
    /// CA certificates (PEM) that servers with `https://` are known by.
    pub ca_file: PathBuf,
    /// `http://HOST:PORT` of an HTTP proxy; empty: none.
    pub proxy: String,
    /// A file whose first line is `user:password` for the proxy, owner-only; empty: none.
    pub proxy_user_file: PathBuf,
}

impl Default for FetchConfig {
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            distribution_points: true,
            allow_private: false,
            folder: PathBuf::from("fetched"),
            every: Period::seconds(3600),
            first_pause: Period::seconds(60),
            timeout_s: 30,
            max_mib: 32,
            total_mib: 256,
            ca_file: PathBuf::from("/etc/ssl/certs/ca-certificates.crt"),
            proxy: String::new(),
            proxy_user_file: PathBuf::new(),
        }
    }
}

impl FetchConfig {
    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.urls.len() > MAX_URLS || !self.urls.iter().all(|url| fetch::is_address(url)) {
            return Err((
                "trust.fetch.urls",
                "at most 64, each http:// or https://, without user and password",
            ));
        }
        if self.every.us() < Period::seconds(1).us() || self.first_pause.us() < Period::seconds(1).us() {
            return Err(("trust.fetch.every", "every and first_pause must be at least 1s"));
        }
        if !(1..=600).contains(&self.timeout_s) {
            return Err(("trust.fetch.timeout_s", "must be from 1 to 600"));
        }
        // What files may have, too: certs reads no larger one.
        if !(1..=64).contains(&self.max_mib) || self.total_mib < self.max_mib {
            return Err(("trust.fetch.max_mib", "must be from 1 to 64, and total_mib at least as much"));
        }
        if !self.proxy.is_empty() && fetch::proxy_address(&self.proxy).is_none() {
            return Err(("trust.fetch.proxy", "must be http://HOST:PORT"));
        }
        Ok(())
    }
}

/// What answers of OCSP responders are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OcspMode {
    /// Nobody is asked.
    #[default]
    Off,
    /// Responders are asked where no fresh list vouches for a certificate.
    Fallback,
    /// An answer is needed for every certificate but CAs'.
    Require,
}

/// `[trust.ocsp]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspConfig {
    /// What answers are for, below anchors that say nothing else.
    pub mode: OcspMode,
    /// Where an answer is required and there is none.
    pub on_no_answer: OnStale,
    /// Whether answers count that come from the certificate's bearer.
    pub stapled: bool,
    /// A responder that is asked in the place of those that certificates name; empty: those.
    pub responder: String,
    /// Whether those may be in the relay's own network.
    pub allow_private: bool,
    /// How often a certificate that is in use is asked about.
    pub every: Period,
    /// The first pause after a failure; doubled with each further one, up to `every`.
    pub first_pause: Period,
    /// Seconds for one answer.
    pub timeout_s: u32,
    /// An answer older than this is stale even if it says that it is good for longer.
    pub max_age_hours: u32,
}

impl Default for OcspConfig {
    fn default() -> Self {
        Self {
            mode: OcspMode::Off,
            on_no_answer: OnStale::Refuse,
            stapled: true,
            responder: String::new(),
            allow_private: false,
            every: Period::seconds(300),
            first_pause: Period::seconds(10),
            timeout_s: 5,
            max_age_hours: 24,
        }
    }
}

impl OcspConfig {
    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if !self.responder.is_empty() && !fetch::is_address(&self.responder) {
            return Err(("trust.ocsp.responder", "must be http:// or https://, without user and password"));
        }
        if self.every.us() < Period::seconds(1).us() || self.first_pause.us() < Period::seconds(1).us() {
            return Err(("trust.ocsp.every", "every and first_pause must be at least 1s"));
        }
        if !(1..=60).contains(&self.timeout_s) || self.max_age_hours == 0 {
            return Err(("trust.ocsp.timeout_s", "must be from 1 to 60, and max_age_hours at least 1"));
        }
        Ok(())
    }
}

/// `[[trust.anchor]]`: what holds below one anchor; what is absent, as for all.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnchorConfig {
    /// File with the anchor's certificate, which is one of `trust.anchors`.
    pub certificate: PathBuf,
    /// See [`super::TrustConfig::crl_max_age_hours`].
    #[serde(default)]
    pub crl_max_age_hours: Option<u32>,
    /// See [`super::TrustConfig::on_stale`].
    #[serde(default)]
    pub on_stale: Option<OnStale>,
    /// What if there is no list at all; absent: certificates are refused.
    #[serde(default)]
    pub on_missing: Option<OnStale>,
    /// See [`OcspConfig::mode`].
    #[serde(default)]
    pub ocsp: Option<OcspMode>,
    /// See [`OcspConfig::on_no_answer`].
    #[serde(default)]
    pub on_no_answer: Option<OnStale>,
    /// See [`super::TrustConfig::alarm_before_hours`].
    #[serde(default)]
    pub alarm_before_hours: Option<u32>,
}

impl AnchorConfig {
    /// What makes no sense: the key and what is wrong.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.crl_max_age_hours == Some(0) {
            return Err(("trust.anchor.crl_max_age_hours", "must be at least 1"));
        }
        Ok(())
    }
}
