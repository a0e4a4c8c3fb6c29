//! A transmission proxy (伝送代行業者): one certificate, many offices that let it act.
//!
//! ```text
//! proxy.toml        relay, the proxy's number, where its key is; written last
//! relay-ca.pem, identity.*, trust/…, log-key   as in an office's HOME
//! offices/N/        a HOME for each office: its outbox, records, archive, checkpoints; the office's delegation
//! ```
//!
//! Every office's HOME uses the proxy's key and its one connection. The commands of an office work on it as well:
//! `tasuki --home HOME/offices/N inbox`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::Identity;
use tasuki_certs::tls;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Scope, Scopes};
use tasuki_proto::pb;

use crate::client::Client;
use crate::clock::Clock;
use crate::config::{CONFIG_FILE, Config, IdentityConfig};
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{
    ANCHORS, Home, IdentityFiles, InitOptions, LOG_KEY, Opened, OwnPapers, PROFILE, RELAY_CA, copy_identity,
    make_folders, open_identity, read_identity,
};
use crate::pem;
use crate::transport::{Caller, RelayAddress, Settings};

/// Name of the file inside a proxy's HOME. It is written last: a folder that holds one is a proxy's HOME.
pub const PROXY_FILE: &str = "proxy.toml";

/// Pages of the list of offices that are read, of 100 each: more than any proxy serves.
const MAX_PAGES: usize = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyConfig {
    relay: String,
    number: ProxyNumber,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    identity: IdentityConfig,
}

/// An office that lets the proxy act now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// The office.
    pub office: OfficeNumber,
    /// Its name in the directory.
    pub name: String,
    /// What the proxy may do for it.
    pub scopes: Scopes,
    delegation: Vec<u8>,
}

/// A proxy at work.
#[derive(Clone, Debug)]
pub struct Proxy {
    folder: PathBuf,
    config: ProxyConfig,
    identity: KeyIdentity,
    caller: Caller,
    clock: Arc<dyn Clock>,
}

impl Proxy {
    /// Makes a proxy's HOME, offline. Gives the number that the certificate names.
    ///
    /// # Errors
    /// The folder is a HOME already or can't be written, a file can't be read, the certificate is no proxy's.
    pub fn init(folder: &Path, options: &InitOptions, now_us: i64) -> Result<ProxyNumber, SdkError> {
        if folder.join(PROXY_FILE).exists() || folder.join(CONFIG_FILE).exists() {
            return Err(ConfigError::AlreadyAHome(folder.to_owned()).into());
        }
        let relay = RelayAddress::parse(&options.relay)?;
        let relay_ca = pem::read_certificates(&options.relay_ca)?;
        let Opened { anchors, profile, verified } = open_identity(options, now_us)?;
        let Identity::Proxy { number } = &verified.identity else {
            return Err(ConfigError::NotAnOffice.into());
        };
        let number = number.parse().map_err(|_| ConfigError::NotAnOffice)?;
        if matches!(options.identity, IdentityFiles::Token { .. }) {
            // What is sealed to a proxy is sealed to its certificate, and a key on a token opens nothing.
            return Err(ConfigError::Argument(words(
                "伝送代行業者の鍵はファイル（PKCS#12またはPEM）で指定してください",
                "a proxy's key must be in a file (PKCS #12 or PEM)",
            ))
            .into());
        }
        files::create_private_folder(folder)?;
        files::create_private_folder(&folder.join("trust"))?;
        let write =
            |name: &str, content: &[u8]| files::write_durably(&folder.join(name), content, Access::Owner);
        write(RELAY_CA, pem::encode(&relay_ca).as_bytes())?;
        write(ANCHORS, pem::encode(&anchors).as_bytes())?;
        if let Some((text, _)) = &profile {
            write(PROFILE, text.as_bytes())?;
        }
        let identity = copy_identity(folder, &options.identity)?;
        let config = ProxyConfig { relay: relay.to_string(), number, proxy: options.proxy.clone(), identity };
        let text = toml::to_string(&config)
            .map_err(|e| ConfigError::Argument(words(format!("設定を書けません（{e}）"), e.to_string())))?;
        write(PROXY_FILE, text.as_bytes())?;
        Ok(number)
    }

    /// Opens a proxy's HOME. Nothing is connected before the first call. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// It is none, or its settings or keys can't be used.
    pub fn open(folder: &Path, clock: Arc<dyn Clock>) -> Result<Self, SdkError> {
        let path = folder.join(PROXY_FILE);
        let text = files::read_if_exists(&path)?.ok_or_else(|| ConfigError::NotAHome(folder.to_owned()))?;
        let malformed = |e: String| ConfigError::File {
            path: path.clone(),
            message: words(format!("設定として読めません（{e}）"), e),
        };
        let text = String::from_utf8(text).map_err(|e| malformed(e.to_string()))?;
        let config: ProxyConfig = toml::from_str(&text).map_err(|e| malformed(e.to_string()))?;
        let identity = read_identity(folder, &config.identity)?;
        let relay_ca = pem::read_certificates(&folder.join(RELAY_CA))?;
        let now = Arc::clone(&clock);
        let tls = tls::client_config(&relay_ca, &identity, Arc::new(move || now.now_us()))
            .map_err(|e| ConfigError::Trust(e.to_string()))?;
        let proxy = config.proxy.as_deref();
        let settings = Settings {
            relay: &config.relay,
            proxy,
            connect_timeout_s: 10,
            request_timeout_s: 60,
            attempts: 5,
        };
        let caller = settings.caller(tls)?;
        Ok(Self { folder: folder.to_owned(), config, identity, caller, clock })
    }

    /// The proxy's number.
    pub fn number(&self) -> ProxyNumber {
        self.config.number
    }

    /// The offices that let the proxy act now, by number.
    ///
    /// # Errors
    /// The relay can't be reached or refuses.
    pub async fn offices(&self) -> Result<Vec<Served>, SdkError> {
        let (mut served, mut token) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let request = pb::ListMandatesRequest { all: false, page_size: 100, page_token: token };
            let answer = self.caller.repeat(|| {
                let (mut mandates, request) = (self.caller.mandates(), request.clone());
                async move { mandates.list(request).await }
            });
            let answer = answer.await?;
            for mandate in answer.mandates {
                if mandate.state != i32::from(pb::MandateState::Active) {
                    continue;
                }
                let lacks = VerificationError::Incomplete;
                served.push(Served {
                    office: mandate.office.parse().map_err(|_| lacks("a mandate's office"))?,
                    name: mandate.office_name,
                    scopes: mandate.scopes.join(",").parse().map_err(|_| lacks("a mandate's scopes"))?,
                    delegation: mandate.paper.map(|paper| paper.statement.into()).unwrap_or_default(),
                });
            }
            if answer.next_page_token.is_empty() {
                return Ok(served);
            }
            token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }

    /// A client that acts for an office: its HOME is made at the first time, and holds the office's delegation. The log's key is
    /// pinned at the first contact for any office, and is one for all.
    ///
    /// # Errors
    /// The office's HOME can't be made or read; at the first contact, that the relay can't be reached or refuses.
    pub async fn client(&self, served: &Served) -> Result<Client, SdkError> {
        let home = self.home_of(served)?;
        let caller = self.caller.acting_for(served.office);
        let client = Client::open_with(home, caller, Arc::clone(&self.clock))?;
        let pinned = self.folder.join(LOG_KEY);
        if !pinned.exists() {
            client.relay().await?;
            let key = files::read(&client.home().folder().join(LOG_KEY))?;
            files::write_durably(&pinned, &key, Access::Owner)?;
        }
        Ok(client)
    }

    fn home_of(&self, served: &Served) -> Result<Home, SdkError> {
        let folder = self.folder.join("offices").join(served.office.as_str());
        if !folder.join(CONFIG_FILE).exists() {
            make_folders(&folder)?;
            for name in [RELAY_CA, ANCHORS, PROFILE, LOG_KEY] {
                if let Some(bytes) = files::read_if_exists(&self.folder.join(name))? {
                    files::write_durably(&folder.join(name), &bytes, Access::Owner)?;
                }
            }
        }
        let papers = OwnPapers {
            delegation: Some(served.delegation.clone()).filter(|cms| !cms.is_empty()),
            ..OwnPapers::default()
        };
        papers.write_if_changed(&folder)?;
        if !folder.join(CONFIG_FILE).exists() {
            let up = |name: &str| {
                if Path::new(name).is_absolute() { name.to_owned() } else { format!("../../{name}") }
            };
            let identity = self.config.identity.seen_through(up);
            let config = Config {
                proxy: self.config.proxy.clone(),
                transmission_proxy: Some(self.config.number),
                answer_key_lost: false,
                ..Config::new(self.config.relay.clone(), served.office, identity)
            };
            files::write_durably(&folder.join(CONFIG_FILE), config.print()?.as_bytes(), Access::Owner)?;
        }
        // Where the office has a key of its own nothing is lost that the proxy can't open. Where the operator registered the proxy
        // there is none: what was sealed to the proxy before is lost, and its sender is to send it again.
        let alone = served.delegation.is_empty() && served.may(Scope::Acknowledge);
        Ok(Home::open_with(&folder, self.identity.clone())?.answering_key_lost(alone))
    }
}

impl Served {
    /// Whether the proxy may do this for the office.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}
