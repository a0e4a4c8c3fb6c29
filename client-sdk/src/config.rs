//! `config.toml` of a HOME.

mod malware;

use std::path::Path;

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_careplan::severity::Severities;
use tasuki_careplan::words::Words;
use tasuki_certs::trust::RevocationPolicy;
use tasuki_proto::cosignature::WitnessKey;
use tasuki_proto::ids::ProxyNumber;

use crate::error::{ConfigError, SdkError, words};
use crate::files;
use crate::overdue::MAX_WORKING_DAYS;
use crate::proxy::PROXY_FILE;

pub use malware::MalwareConfig;

/// Name of the file inside HOME. It is written last: a folder that holds one is a HOME.
pub const CONFIG_FILE: &str = "config.toml";

/// What a HOME is set to. Unknown keys are refused, so that a misspelt one is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The relay, `https://host:port`.
    pub relay: String,
    /// The own office, as its certificate names it.
    pub office: OfficeNumber,
    /// The name of this terminal, where the HOME is one of an office's further terminals (端末).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// The number of the transmission proxy (伝送代行業者), where the HOME is one that acts for the office.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transmission_proxy: Option<ProxyNumber>,
    /// An HTTP proxy, `http://[user:password@]host:port`, or `none`. Absent: `HTTPS_PROXY` and `NO_PROXY` decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    /// Days that sent parcels stay in the archive; 0: none are kept.
    #[serde(default = "default_archive_days")]
    pub archive_days: u32,
    /// A parcel that is sealed to none of this HOME's keys is refused with `key-lost`, so that its sender sends it again.
    /// Switch it off where another computer of the office holds another key.
    #[serde(default = "default_answer_key_lost")]
    pub answer_key_lost: bool,
    /// Take parcels of offices that have no certificate, whose proxy signs and for whose right only the operator vouches.
    #[serde(default = "default_accept_vouched")]
    pub accept_vouched: bool,
    /// Seconds to wait for a connection.
    #[serde(default = "default_connect_timeout_s")]
    pub connect_timeout_s: u32,
    /// Seconds to wait for the answer to a single request.
    #[serde(default = "default_request_timeout_s")]
    pub request_timeout_s: u32,
    /// How often a safe call is made before the relay counts as unreachable.
    #[serde(default = "default_attempts")]
    pub attempts: u32,
    /// Where the key with its certificate is.
    pub identity: IdentityConfig,
    /// The malware scanner.
    #[serde(default, skip_serializing_if = "MalwareConfig::is_default")]
    pub malware: MalwareConfig,
    /// How revocation of other offices' certificates is decided.
    #[serde(default)]
    pub revocation: RevocationPolicy,
    /// What is demanded of files beyond the standard and the relay.
    #[serde(default)]
    pub checks: ChecksConfig,
    /// How parcels are sent.
    #[serde(default)]
    pub send: SendConfig,
    /// Who must vouch for the relay's log.
    #[serde(default)]
    pub witnesses: WitnessesConfig,
}

/// `[checks]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChecksConfig {
    /// Rules whose warnings count as errors, such as `["CHECK_DIGIT"]`.
    pub as_errors: Severities,
}

/// `[send]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendConfig {
    /// Nothing goes to an office that nothing was ever sent to, unless somebody agrees (`--new-partner`).
    pub confirm_new_partners: bool,
    /// What its receiver has not fetched by the end of the so many-th Japanese working day after its delivery is overdue, at
    /// most 500. Absent: when the relay says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overdue_after_days: Option<u32>,
}

/// `[witnesses]`: other parties that cosign the log's checkpoints. The relay itself never counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WitnessesConfig {
    /// Their verifier keys (C2SP tlog-cosignature), as `tasuki witness` prints them.
    pub keys: Vec<String>,
    /// So many of them must have vouched for the log, and for every event of evidence that is saved; 0: none need.
    pub need: u32,
}

impl WitnessesConfig {
    /// The keys, read.
    pub(crate) fn keys(&self) -> Result<Vec<WitnessKey>, ConfigError> {
        let read = |key: &String| {
            let (ja, en) =
                (format!("{key:?} は立会人の検証鍵ではありません"), format!("{key:?} is no witness's key"));
            WitnessKey::from_vkey(key).map_err(|_| ConfigError::Argument(words(ja, en)))
        };
        self.keys.iter().map(read).collect()
    }

    /// What makes no sense in it.
    fn check(&self) -> Result<(), Words> {
        for key in &self.keys {
            WitnessKey::from_vkey(key).map_err(|_| {
                words(
                    format!("witnesses.keys の {key:?} は立会人の検証鍵ではありません"),
                    format!("witnesses.keys: {key:?} is no witness's key"),
                )
            })?;
        }
        let all = self.keys.len();
        if usize::try_from(self.need).is_ok_and(|need| need <= all) {
            return Ok(());
        }
        Err(words(
            format!("witnesses.need は witnesses.keys の数（{all}）までにしてください"),
            format!("witnesses.need must not be more than there are witnesses.keys ({all})"),
        ))
    }
}

/// Files of the key with its certificate, relative to HOME or absolute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum IdentityConfig {
    /// One PKCS#12 file.
    Pkcs12 {
        /// The file.
        pkcs12: String,
        /// A file whose first line is its password.
        password_file: String,
    },
    /// PEM.
    Pem {
        /// The certificate and those above it.
        certificates: String,
        /// The unencrypted private key.
        key: String,
    },
    /// A key on a token.
    Token {
        /// Which key on which token: a PKCS #11 URI; see `tasuki_certs::token::TokenUri`.
        pkcs11: String,
        /// A file whose first line is the token's PIN.
        pin_file: String,
        /// The certificate and those above it (PEM); absent: those on the token.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        certificates: Option<String>,
    },
}

impl IdentityConfig {
    /// The same as seen from another folder.
    pub(crate) fn seen_through(&self, up: impl Fn(&str) -> String) -> Self {
        match self {
            Self::Pkcs12 { pkcs12, password_file } => {
                Self::Pkcs12 { pkcs12: up(pkcs12), password_file: up(password_file) }
            }
            Self::Pem { certificates, key } => Self::Pem { certificates: up(certificates), key: up(key) },
            Self::Token { pkcs11, pin_file, certificates } => Self::Token {
                pkcs11: pkcs11.clone(),
                pin_file: up(pin_file),
                certificates: certificates.as_deref().map(up),
            },
        }
    }
}

fn default_archive_days() -> u32 {
    90
}

fn default_answer_key_lost() -> bool {
    true
}

fn default_accept_vouched() -> bool {
    true
}

fn default_connect_timeout_s() -> u32 {
    10
}

fn default_request_timeout_s() -> u32 {
    60
}

fn default_attempts() -> u32 {
    5
}

impl Config {
    /// Settings for a relay and an office, all else as it comes.
    pub fn new(relay: String, office: OfficeNumber, identity: IdentityConfig) -> Self {
        Self {
            relay,
            office,
            terminal: None,
            transmission_proxy: None,
            proxy: None,
            archive_days: default_archive_days(),
            answer_key_lost: default_answer_key_lost(),
            accept_vouched: default_accept_vouched(),
            connect_timeout_s: default_connect_timeout_s(),
            request_timeout_s: default_request_timeout_s(),
            attempts: default_attempts(),
            identity,
            malware: MalwareConfig::default(),
            revocation: RevocationPolicy::default(),
            checks: ChecksConfig::default(),
            send: SendConfig::default(),
            witnesses: WitnessesConfig::default(),
        }
    }

    /// Reads a HOME's configuration.
    pub(crate) fn read(home: &Path) -> Result<Self, SdkError> {
        let path = home.join(CONFIG_FILE);
        let Some(text) = files::read_if_exists(&path)? else {
            if home.join(PROXY_FILE).exists() {
                let message = words(
                    "伝送代行業者のHOMEです。tasuki proxy を使うか、事業所ごとの offices/事業所番号 を指定してください",
                    "this is a proxy's HOME: use tasuki proxy, or name offices/NUMBER in it",
                );
                return Err(ConfigError::Path { path: home.to_owned(), message }.into());
            }
            return Err(ConfigError::NotAHome(home.to_owned()).into());
        };
        let malformed = |message| ConfigError::File { path: path.clone(), message };
        let not_utf8 = |_| malformed(words("UTF-8のテキストではありません", "not UTF-8"));
        let text = String::from_utf8(text).map_err(not_utf8)?;
        let unfit =
            |e: toml::de::Error| malformed(words(format!("設定として読めません（{e}）"), e.to_string()));
        let config: Self = toml::from_str(&text).map_err(unfit)?;
        if config.attempts == 0 || config.connect_timeout_s == 0 || config.request_timeout_s == 0 {
            let message = words(
                "attempts、connect_timeout_s、request_timeout_s は1以上にしてください",
                "attempts and timeouts must be at least 1",
            );
            return Err(malformed(message).into());
        }
        if config.send.overdue_after_days.is_some_and(|days| days > MAX_WORKING_DAYS) {
            let message = words(
                format!("send.overdue_after_days は{MAX_WORKING_DAYS}営業日までにしてください"),
                format!("send.overdue_after_days must be at most {MAX_WORKING_DAYS} working days"),
            );
            return Err(malformed(message).into());
        }
        config.witnesses.check().map_err(malformed)?;
        config.malware.scanner().map_err(malformed)?;
        Ok(config)
    }

    /// The text of `config.toml`.
    pub(crate) fn print(&self) -> Result<String, SdkError> {
        let text = toml::to_string(self)
            .map_err(|e| ConfigError::Argument(words(format!("設定を書けません（{e}）"), e.to_string())))?;
        Ok(format!("# Settings of this HOME; see the documentation of tasuki-sdk's `config`.\n{text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Config {
        let identity =
            IdentityConfig::Pkcs12 { pkcs12: "identity.p12".into(), password_file: "identity.pass".into() };
        Config::new("https://localhost:8443".into(), "1371215102".parse().unwrap(), identity)
    }

    #[test]
    fn the_written_file_reads_back() {
        let folder = crate::testing::folder("config");
        let config = sample();
        std::fs::write(folder.path().join(CONFIG_FILE), config.print().unwrap()).unwrap();
        assert_eq!(Config::read(folder.path()), Ok(config));
    }

    #[test]
    fn a_misspelt_key_and_a_missing_file_are_noticed() {
        let folder = crate::testing::folder("config-bad");
        let missing = ConfigError::NotAHome(folder.path().to_owned());
        assert_eq!(Config::read(folder.path()), Err(missing.into()));
        let text = format!("archiv_days = 3\n{}", sample().print().unwrap());
        std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
        assert!(matches!(
            Config::read(folder.path()),
            Err(SdkError::Config(ConfigError::File { message, .. })) if message.en.contains("archiv_days")
        ));
    }

    #[test]
    fn witnesses_that_make_no_sense_are_refused() {
        let folder = crate::testing::folder("config-witnesses");
        let rng = ring::rand::SystemRandom::new();
        let key = tasuki_proto::cosignature::Cosigner::generate("w.example/1", &rng).unwrap().key().vkey();
        let read = |keys: &[&str], need: u32| {
            let mut config = sample();
            config.witnesses = WitnessesConfig { keys: keys.iter().map(ToString::to_string).collect(), need };
            std::fs::write(folder.path().join(CONFIG_FILE), config.print().unwrap()).unwrap();
            Config::read(folder.path()).map(|read| assert_eq!(read, config))
        };
        assert_eq!(read(&[&key], 1), Ok(()));
        for (keys, need) in [(&[key.as_str()][..], 2), (&["nonsense"], 0)] {
            assert!(matches!(read(keys, need), Err(SdkError::Config(ConfigError::File { message, .. }))
                if message.en.contains("witnesses.") && message.ja.contains("witnesses.")));
        }
    }

    #[test]
    fn a_threshold_is_of_at_most_two_years() {
        let folder = crate::testing::folder("config-overdue");
        let read = |days: u32| {
            let mut config = sample();
            config.send.overdue_after_days = Some(days);
            std::fs::write(folder.path().join(CONFIG_FILE), config.print().unwrap()).unwrap();
            Config::read(folder.path()).map(|read| read.send.overdue_after_days)
        };
        assert_eq!(read(2), Ok(Some(2)));
        assert_eq!(read(501).unwrap_err().reason(), "CONFIG_MALFORMED");
    }

    #[test]
    fn a_scanner_is_set_right_or_noticed() {
        let folder = crate::testing::folder("config-malware");
        let read = |malware: &str| {
            let text = format!("{}\n[malware]\n{malware}\n", sample().print().unwrap());
            std::fs::write(folder.path().join(CONFIG_FILE), text).unwrap();
            Config::read(folder.path())
        };
        let config = read("clamd = \"127.0.0.1:3310\"").unwrap();
        assert!(config.malware.scanner().unwrap().is_some());
        for bad in ["clamd = \"3310\"", "clamd = \"localhost:3310\"\ntimeout_s = 0"] {
            let error = read(bad).unwrap_err();
            assert_eq!(error.reason(), "CONFIG_MALFORMED");
            assert!(error.to_string().contains("[malware]"), "{error}");
        }
    }

    #[test]
    fn little_is_enough() {
        let text = r#"
            relay = "https://relay.example:8443"
            office = "1371215102"
            [identity]
            certificates = "identity.pem"
            key = "identity.key"
        "#;
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!((config.archive_days, config.attempts), (90, 5));
        assert!(matches!(config.identity, IdentityConfig::Pem { .. }));
    }
}
