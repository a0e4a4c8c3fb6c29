//! `relay.toml`: one struct per concern, units in the names, unknown keys refused.
//!
//! [`template`] is the file that `init` writes: every key with its default and what it means. A test reads it
//! and compares it with the defaults below, so the two can't drift apart.

mod alerts;
mod checks;
mod joining;
mod lifecycle;
mod limits;
mod mail;
mod malware;
mod operators;
mod partners;
pub mod period;
mod revocation;
pub mod template;
mod timestamps;
mod webhooks;
mod witnesses;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use self::period::Period;
pub use alerts::AlertsConfig;
pub use checks::ChecksConfig;
pub use joining::{JoiningConfig, JoiningPolicy};
pub use lifecycle::{LifecycleConfig, RetentionConfig};
pub use limits::LimitsConfig;
pub use mail::{MailConfig, MailTls};
pub use malware::MalwareConfig;
pub use operators::{OperatorFiles, OperatorsConfig};
pub use partners::{PartnersConfig, PartnersPolicy};
pub use revocation::{AnchorConfig, FetchConfig, OcspConfig, OcspMode};
pub use timestamps::TimestampsConfig;
pub use webhooks::WebhooksConfig;
pub use witnesses::WitnessesConfig;

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("{path}: {source}")]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML, has an unknown key, or a value of the wrong kind.
    #[error("{path}: {source}")]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The registry of documents is none.
    #[error("{path}: {problem}")]
    Documents {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A value that makes no sense.
    #[error("{path}: {key}: {problem}")]
    Value {
        /// Which file.
        path: PathBuf,
        /// The key, with its table.
        key: &'static str,
        /// What is wrong, and what is right.
        problem: &'static str,
    },
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the file stands; relative paths begin there.
    #[serde(skip)]
    pub folder: PathBuf,
    /// The operator of this command, by the command line.
    #[serde(skip)]
    pub operator: Option<OperatorFiles>,
    /// The door.
    pub server: ServerConfig,
    /// The store.
    pub database: DatabaseConfig,
    /// Where large sealed parcels stand; absent: in the database, as all others.
    #[serde(default)]
    pub content: Option<ContentConfig>,
    /// The log of events.
    pub evidence: EvidenceConfig,
    /// Other parties that cosign the log's checkpoints.
    #[serde(default)]
    pub witnesses: WitnessesConfig,
    /// An authority that stamps the log's checkpoints.
    #[serde(default)]
    pub timestamps: TimestampsConfig,
    /// Whose certificates are believed.
    pub trust: TrustConfig,
    /// The relay's own CA for trials.
    pub trial_ca: Option<TrialCaConfig>,
    /// What is demanded of files.
    #[serde(default)]
    pub checks: ChecksConfig,
    /// How offices come to take part.
    #[serde(default)]
    pub joining: JoiningConfig,
    /// Who may exchange with whom.
    #[serde(default)]
    pub partners: PartnersConfig,
    /// How long parcels wait.
    #[serde(default)]
    pub lifecycle: LifecycleConfig,
    /// What is kept for how long.
    #[serde(default)]
    pub retention: RetentionConfig,
    /// What of an office's doings is unusual.
    #[serde(default)]
    pub alerts: AlertsConfig,
    /// Telling offices by e-mail.
    #[serde(default)]
    pub mail: MailConfig,
    /// Telling programs of offices over HTTPS.
    #[serde(default)]
    pub webhooks: WebhooksConfig,
    /// What needs more than one operator.
    #[serde(default)]
    pub operators: OperatorsConfig,
    /// The malware scanner.
    #[serde(default)]
    pub malware: MalwareConfig,
    /// Bounds.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// What is written about the relay's own work.
    #[serde(default)]
    pub logging: LoggingConfig,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Address and port for offices. Port 0: any free one, which the log names.
    pub listen: SocketAddr,
    /// Certificate chain of the server, PEM, its own first.
    pub certificate: PathBuf,
    /// Private key of the server, PEM (PKCS #8), owner-only.
    pub private_key: PathBuf,
    /// Address and port for Prometheus, without TLS: keep it local. Absent: none.
    #[serde(default)]
    pub metrics_listen: Option<SocketAddr>,
    /// How long a stop waits for open submissions.
    #[serde(default = "defaults::drain_s")]
    pub drain_s: u32,
    /// Whether handshakes show an OCSP answer about the certificate, where a responder can be asked.
    #[serde(default = "defaults::yes")]
    pub ocsp_staple: bool,
    /// A responder that is asked in the place of the one that the certificate names; empty: that.
    #[serde(default)]
    pub ocsp_responder: String,
}

/// `[database]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// `sqlite:FILE` or `postgres://…`.
    pub url: String,
}

/// `[content]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentConfig {
    /// Folder for large sealed parcels. Relays that share a database share it.
    pub folder: PathBuf,
    /// Sealed parcels of more KiB than this go there.
    #[serde(default = "defaults::large_from_kib")]
    pub large_from_kib: u32,
}

/// `[evidence]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvidenceConfig {
    /// Secret key of the log, owner-only.
    pub log_key: PathBuf,
    /// How old the key becomes before the relay goes over to a new one by itself; absent: a person gives the command.
    pub log_key_roll_after: Option<Period>,
    /// File with the last checkpoint, outside the database. Best on another disk.
    pub witness: PathBuf,
}

/// What happens when a revocation list is too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnStale {
    /// Certificates that it covers are refused.
    #[default]
    Refuse,
    /// They pass, with a warning.
    Warn,
}

/// `[trust]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustConfig {
    /// Files or folders with trust anchors, PEM or DER.
    pub anchors: Vec<PathBuf>,
    /// Files or folders with intermediate certificates.
    #[serde(default)]
    pub intermediates: Vec<PathBuf>,
    /// Files or folders with revocation lists.
    pub crls: Vec<PathBuf>,
    /// File that says where a certificate names its office; absent: the trial CA's profile.
    #[serde(default)]
    pub profile: Option<PathBuf>,
    /// A list older than this is stale even if it says that it is good for longer.
    #[serde(default = "defaults::crl_max_age_hours")]
    pub crl_max_age_hours: u32,
    /// What then.
    #[serde(default)]
    pub on_stale: OnStale,
    /// How long before a list becomes stale the relay says so.
    #[serde(default = "defaults::alarm_before_hours")]
    pub alarm_before_hours: u32,
    /// How often the files are looked at for changes.
    #[serde(default = "defaults::reload_every_s")]
    pub reload_every_s: u32,
    /// Signers that are remembered, about 6 KiB each.
    #[serde(default = "defaults::known_signers")]
    pub known_signers: usize,
    /// Lists that are fetched.
    #[serde(default)]
    pub fetch: FetchConfig,
    /// Responders that are asked.
    #[serde(default)]
    pub ocsp: OcspConfig,
    /// What holds below single anchors.
    #[serde(default)]
    pub anchor: Vec<AnchorConfig>,
}

/// `[trial_ca]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialCaConfig {
    /// The CA's certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, owner-only. Where the file is missing, nothing can be issued here.
    pub key: PathBuf,
    /// Folder with what was issued and revoked.
    pub register: PathBuf,
    /// Where its revocation list goes; one of `trust.crls`, or in a folder of them.
    pub crl: PathBuf,
    /// How long before its end the CA hands over to a new key by itself; without it a person gives the command.
    #[serde(default)]
    pub roll_before: Option<Period>,
    /// How long an issued certificate is good for.
    #[serde(default = "defaults::certificate_days")]
    pub certificate_days: u32,
    /// How long a revocation list is good for. A running relay writes a new one every day.
    #[serde(default = "defaults::crl_days")]
    pub crl_days: u32,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// `[logging]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoggingConfig {
    /// How lines look.
    #[serde(default)]
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, or directives such as `info,tasuki_server::rpc=debug`.
    #[serde(default = "defaults::level")]
    pub level: String,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self { format: LogFormat::default(), level: defaults::level() }
    }
}

mod defaults {
    pub(super) fn yes() -> bool {
        true
    }
    pub(super) fn drain_s() -> u32 {
        20
    }
    pub(super) fn large_from_kib() -> u32 {
        256
    }
    pub(super) fn crl_max_age_hours() -> u32 {
        8 * 24
    }
    pub(super) fn alarm_before_hours() -> u32 {
        48
    }
    pub(super) fn reload_every_s() -> u32 {
        5
    }
    pub(super) fn known_signers() -> usize {
        4096
    }
    pub(super) fn certificate_days() -> u32 {
        730
    }
    pub(super) fn crl_days() -> u32 {
        7
    }
    pub(super) fn level() -> String {
        "info".to_owned()
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, and the key or line.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a file; `path` says where relative paths begin.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text)
            .map_err(|source| ConfigError::Parse { path: path.to_owned(), source: Box::new(source) })?;
        config.folder = path.parent().map(Path::to_owned).unwrap_or_default();
        config.check().map_err(|(key, problem)| ConfigError::Value {
            path: path.to_owned(),
            key,
            problem,
        })?;
        config.make_absolute();
        Ok(config)
    }

    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.trust.anchors.is_empty() {
            return Err(("trust.anchors", "name at least one trust anchor"));
        }
        if !self.server.ocsp_responder.is_empty() && !crate::fetch::is_address(&self.server.ocsp_responder) {
            return Err(("server.ocsp_responder", "must be http:// or https://, without user and password"));
        }
        self.witnesses.check()?;
        if self.trust.crl_max_age_hours == 0 {
            return Err(("trust.crl_max_age_hours", "must be at least 1"));
        }
        if self.trust.reload_every_s == 0 {
            return Err(("trust.reload_every_s", "must be at least 1"));
        }
        self.timestamps.check()?;
        self.trust.fetch.check()?;
        self.trust.ocsp.check()?;
        self.trust.anchor.iter().try_for_each(AnchorConfig::check)?;
        if let Some(ca) = &self.trial_ca
            && (ca.crl_days < 2 || ca.certificate_days == 0)
        {
            return Err(("trial_ca", "crl_days must be at least 2, certificate_days at least 1"));
        }
        // A new key is good for ten years: one that is due again at once would never end.
        let rolls = self.trial_ca.as_ref().and_then(|ca| ca.roll_before);
        if rolls.is_some_and(|before| before < Period::days(1) || before > Period::years(9)) {
            return Err(("trial_ca.roll_before", "must be from 1d to 9y"));
        }
        // Everybody reads all rolls of a log, and it has room for 256.
        let ages = self.evidence.log_key_roll_after;
        if ages.is_some_and(|after| after < Period::days(30) || after > Period::years(10)) {
            return Err(("evidence.log_key_roll_after", "must be from 30d to 10y"));
        }
        lifecycle::check(&self.lifecycle, &self.retention)?;
        self.operators.check()?;
        self.malware.check()?;
        self.alerts.check()?;
        self.joining.check()?;
        self.mail.check()?;
        self.webhooks.check()?;
        self.limits.check()
    }

    fn make_absolute(&mut self) {
        let folder = self.folder.clone();
        let here = |path: &mut PathBuf| *path = folder.join(&*path);
        here(&mut self.server.certificate);
        here(&mut self.server.private_key);
        here(&mut self.webhooks.ca_file);
        here(&mut self.mail.ca_file);
        here(&mut self.mail.password_file);
        here(&mut self.evidence.log_key);
        here(&mut self.evidence.witness);
        self.content.iter_mut().for_each(|content| here(&mut content.folder));
        for paths in [&mut self.trust.anchors, &mut self.trust.intermediates, &mut self.trust.crls] {
            paths.iter_mut().for_each(here);
        }
        self.trust.profile.iter_mut().for_each(here);
        here(&mut self.timestamps.ca_file);
        here(&mut self.trust.fetch.folder);
        here(&mut self.trust.fetch.ca_file);
        here(&mut self.trust.fetch.proxy_user_file);
        self.trust.anchor.iter_mut().for_each(|anchor| here(&mut anchor.certificate));
        self.checks.documents.iter_mut().for_each(here);
        if let Some(ca) = &mut self.trial_ca {
            for path in [&mut ca.certificate, &mut ca.key, &mut ca.register, &mut ca.crl] {
                here(path);
            }
        }
        // `sqlite:relay.db` is a file like the others; `sqlite::memory:` and absolute names are left alone.
        if let Some(file) = self.database.url.strip_prefix("sqlite:")
            && !file.starts_with([':', '/'])
        {
            self.database.url = format!("sqlite:{}", folder.join(file).display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> String {
        template::text("127.0.0.1:8443".parse().unwrap())
    }

    #[test]
    fn the_file_that_init_writes_states_the_defaults() {
        let written = Config::parse(&sample(), Path::new("/srv/relay/relay.toml")).unwrap();
        // Every optional key left out, the rest as it is.
        let optional: Vec<String> = sample()
            .lines()
            .filter(|line| !line.starts_with("# ") && !line.is_empty())
            .map(str::to_owned)
            .collect();
        let mut needed = String::new();
        for line in &optional {
            let key = line.split(" =").next().unwrap();
            let keep = line.starts_with('[')
                || [
                    "listen",
                    "metrics_listen",
                    "certificate",
                    "private_key",
                    "url",
                    "folder",
                    "log_key",
                    "witness",
                ]
                .contains(&key)
                || ["anchors", "crls", "key", "register", "crl"].contains(&key);
            if keep {
                needed.push_str(line);
                needed.push('\n');
            }
        }
        assert_eq!(Config::parse(&needed, Path::new("/srv/relay/relay.toml")).unwrap(), written);
    }

    #[test]
    fn paths_begin_at_the_file() {
        let config = Config::parse(&sample(), Path::new("/srv/relay/relay.toml")).unwrap();
        assert_eq!(config.database.url, "sqlite:/srv/relay/relay.db");
        assert!(config.evidence.log_key.starts_with("/srv/relay"));
        let moved = sample().replace("sqlite:relay.db", "postgres://localhost/tasuki");
        let config = Config::parse(&moved, Path::new("relay.toml")).unwrap();
        assert_eq!(config.database.url, "postgres://localhost/tasuki");
    }

    #[test]
    fn unknown_keys_and_senseless_values_are_refused() {
        for (from, to) in [
            ("drain_s", "drain_seconds"),
            ("[logging]", "[log]"),
            ("on_stale = \"refuse\"", "on_stale = \"ignore\""),
        ] {
            let text = sample().replace(from, to);
            assert_ne!(text, sample(), "{from} is not in the sample");
            assert!(matches!(Config::parse(&text, Path::new("r")), Err(ConfigError::Parse { .. })), "{to}");
        }
        let text = sample().replace("crl_max_age_hours = 192", "crl_max_age_hours = 0");
        let error = Config::parse(&text, Path::new("r")).unwrap_err();
        assert!(matches!(error, ConfigError::Value { key: "trust.crl_max_age_hours", .. }), "{error}");
    }
}
