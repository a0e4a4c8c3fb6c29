//! A transmission proxy (伝送代行業者): one certificate, many offices that let it act.
//!
//! ```text
//! proxy.toml        relay, the proxy's number, where its key is; written last
//! relay-ca.pem, identity.*, trust/…, log-key, state/checkpoints   as in an office's HOME, for all offices
//! state/feeds.json  up to where each office's feed was dealt with
//! offices/N/        a HOME for each office: its outbox, records, archive; the office's delegation
//! locks/            one process at a time makes rounds
//! ```
//!
//! Every office's HOME uses the proxy's key and its one connection. The commands of an office work on it as well:
//! `tasuki --home HOME/offices/N inbox`.
//!
//! A program that has its own folders or none calls [`Proxy::submit`] and [`Proxy::fetch`] for one office;
//! [`Proxy::round`] works on a folder for all of them, as `tasuki proxy` does.

mod feeds;
mod folder;
mod moves;
mod round;

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::profile::Identity;
use tasuki_certs::tls;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::{Scope, Scopes};
use tasuki_proto::pb;

use crate::blocking;
use crate::client::{Client, Common};
use crate::clock::Clock;
use crate::config::{CONFIG_FILE, Config, IdentityConfig, KeptIdentity, kept_with};
use crate::declare::Declared;
use crate::error::{ConfigError, SdkError, VerificationError, words};
use crate::files::{self, Access};
use crate::home::{
    ANCHORS, ARCHIVE, CHECKPOINTS, CRLS, Home, IdentityFiles, InitOptions, LOCKS, Lock, OCSP_ANSWER, OUTBOX,
    Opened, OwnPapers, PROFILE, RELAY_CA, SENT, copy_identity, open_identity, read_identity,
};
use crate::parcel::ParcelName;
use crate::pem;
use crate::progress::Progress;
use crate::receive::{ReceiveOptions, ReceiveReport};
use crate::renew::{self, OwnCertificate, Renewed, Renewing};
use crate::send::{SendOptions, SendReport};
use crate::transport::{Caller, RelayAddress, Settings};

pub use folder::Left;
pub use round::{OFFICES_AT_ONCE, OfficeReport, RoundOptions, RoundReport, Stop, Totals};

/// Name of the file inside a proxy's HOME. It is written last: a folder that holds one is a proxy's HOME.
pub const PROXY_FILE: &str = "proxy.toml";

/// Offices in one page of the list: their delegations, a few KiB each, stay far below the bound of a message.
const PAGE: u32 = 200;

/// Pages of the list of offices that are read: more than any proxy serves.
const MAX_PAGES: usize = 1_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProxyConfig {
    relay: String,
    number: ProxyNumber,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    identity: IdentityConfig,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    kept: Vec<KeptIdentity>,
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
    /// Where its feed ends, if the relay says: epoch and number.
    feed_end: Option<(u64, u64)>,
}

/// A proxy at work. Cheap to clone; clones share the connection.
///
/// ```no_run
/// use std::sync::Arc;
/// use tasuki_sdk::proxy::Proxy;
/// use tasuki_sdk::receive::ReceiveOptions;
/// use tasuki_sdk::send::SendOptions;
/// use tasuki_sdk::{Silent, SystemClock};
///
/// # async fn run() -> Result<(), tasuki_sdk::SdkError> {
/// let proxy = Proxy::open("/var/lib/tasuki/P00001".as_ref(), Arc::new(SystemClock))?;
/// for office in proxy.offices().await? {
///     let files = vec![format!("/srv/outgoing/{}", office.office).into()];
///     let sent = proxy.submit(&office, &files, &SendOptions::default(), &Silent).await?;
///     println!("{}: {} parcels", office.name, sent.parcels.len());
///     let into = format!("/srv/incoming/{}", office.office);
///     proxy.fetch(&office, into.as_ref(), &ReceiveOptions::default(), &Silent).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Proxy {
    folder: PathBuf,
    config: ProxyConfig,
    identity: KeyIdentity,
    caller: Caller,
    clock: Arc<dyn Clock>,
    common: Arc<OnceLock<Common>>,
}

/// Held by who makes rounds, until dropped or until the process ends, however it ends.
#[derive(Debug)]
pub struct RoundLock(#[expect(dead_code, reason = "dropping it gives the lock back")] Lock);

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
        let config = ProxyConfig {
            relay: relay.to_string(),
            number,
            proxy: options.proxy.clone(),
            identity,
            kept: Vec::new(),
        };
        config.write(folder)?;
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
        Self::open_with(folder, config, identity, clock)
    }

    fn open_with(
        folder: &Path,
        config: ProxyConfig,
        identity: KeyIdentity,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SdkError> {
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
        let caller = settings.caller(tls)?.bringing(folder.join(OCSP_ANSWER));
        for inside in [CRLS, CHECKPOINTS, LOCKS] {
            files::create_private_folder(&folder.join(inside))?;
        }
        Ok(Self { folder: folder.to_owned(), config, identity, caller, clock, common: Arc::default() })
    }

    /// Takes the right to make rounds with this HOME, if no other process has it.
    ///
    /// # Errors
    /// Another process makes rounds ([`ConfigError::Locked`]), or the HOME can't be written.
    pub fn lock(&self) -> Result<RoundLock, SdkError> {
        Lock::take(&self.folder, &self.folder.join(LOCKS), "proxy").map(RoundLock)
    }

    /// Sends files for an office, as [`Client::send`] does: files, folders and ZIPs, sorted into parcels. The same again after a
    /// crash resumes, and sends nothing twice.
    ///
    /// # Errors
    /// As [`Client::plan`] and [`Client::send`].
    pub async fn submit(
        &self,
        served: &Served,
        paths: &[PathBuf],
        options: &SendOptions,
        progress: &dyn Progress,
    ) -> Result<SendReport, SdkError> {
        let client = self.client(served).await?;
        let (planner, paths, options) = (client.clone(), paths.to_vec(), options.clone());
        let plan = blocking::run(move || planner.plan(&paths, &options)).await?;
        client.send(plan, progress).await
    }

    /// Receives what waits for an office, as [`Client::receive`] does; `out` is not made where nothing waits. Where the office has not let
    /// the proxy acknowledge, that is left to the office.
    ///
    /// # Errors
    /// As [`Client::receive`].
    pub async fn fetch(
        &self,
        served: &Served,
        out: &Path,
        options: &ReceiveOptions,
        progress: &dyn Progress,
    ) -> Result<ReceiveReport, SdkError> {
        let client = self.client(served).await?;
        let leave = options.leave_acknowledging || !served.may(Scope::Acknowledge);
        let options = ReceiveOptions { leave_acknowledging: leave, ..options.clone() };
        client.receive(out, &options, progress).await
    }

    /// Has the relay's CA renew the proxy's certificate, as [`Client::renew`] does for an office. The HOMEs of its offices go over to the
    /// new key when they are used next. This goes on with the key before; open the HOME anew.
    ///
    /// # Errors
    /// As [`Client::renew`].
    pub async fn renew(&self) -> Result<Renewed, SdkError> {
        let now_us = self.clock.now_us();
        let renewing =
            Renewing { folder: &self.folder, identity: &self.identity, caller: &self.caller, now_us };
        let (renewed, identity, _) = renewing.run().await?;
        self.switch(identity, now_us)?;
        renewing.finish()?;
        Ok(renewed)
    }

    /// Puts another certificate of the same proxy into the HOME, with its key, as [`Home::replace_identity`] does for an office.
    ///
    /// # Errors
    /// As [`Home::replace_identity`].
    pub fn replace_identity(&self, files: &IdentityFiles) -> Result<Renewed, SdkError> {
        let now_us = self.clock.now_us();
        let (identity, renewed) = renew::replace(&self.folder, &self.identity, files, now_us)?;
        self.switch(identity, now_us)?;
        Ok(renewed)
    }

    /// Makes contact with another certificate of the same proxy, which the HOME does not go over to, as [`Home::contact_with`] does for
    /// an office: so that it learns of a CA that took the place of the one that it knows. It does so through the HOME of an office that it
    /// has served: where there is none, nothing is learnt.
    ///
    /// # Errors
    /// As [`Home::contact_with`].
    pub async fn contact_with(&self, files: &IdentityFiles) -> Result<(), SdkError> {
        let offices = self.folder.join("offices");
        let mut served = files::list(&offices)?.into_iter().map(|office| offices.join(office));
        let Some(served) = served.find(|folder| is_made(folder).unwrap_or(false)) else {
            return Ok(());
        };
        let clock = Arc::clone(&self.clock);
        let other = Self::open_with(&self.folder, self.config.clone(), files.read()?, clock)?;
        let home = Home::open_with(&served, other.identity.clone())?;
        let common = Common::of_many(&home)?;
        // It asks for itself: the mandates of offices may have ended with the CA before.
        let client = Client::open_with(home, other.caller, other.clock, common);
        client.relay().await?;
        client.flush_checkpoints().await
    }

    fn switch(&self, identity: IdentityConfig, now_us: i64) -> Result<(), SdkError> {
        let kept = kept_with(&self.config.identity, &self.config.kept, &identity, now_us);
        ProxyConfig { identity, kept, ..self.config.clone() }.write(&self.folder)
    }

    /// The certificate that the proxy has now.
    ///
    /// # Errors
    /// Its times can't be read.
    pub fn certificate(&self) -> Result<OwnCertificate, SdkError> {
        OwnCertificate::of(&self.folder, &self.identity)
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
            let request = pb::ListMandatesRequest { all: false, page_size: PAGE, page_token: token };
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
                    feed_end: (mandate.feed_epoch > 0).then_some((mandate.feed_epoch, mandate.feed_number)),
                });
            }
            if answer.next_page_token.is_empty() {
                return Ok(served);
            }
            token = answer.next_page_token;
        }
        Err(VerificationError::Incomplete("an end of the list").into())
    }

    /// A client that acts for an office: its HOME is made at the first time, and holds the office's delegation. All of them share the
    /// connection and what is the relay's: its log's key, checkpoints, revocation lists, the directory.
    ///
    /// # Errors
    /// The office's HOME can't be made or read.
    pub async fn client(&self, served: &Served) -> Result<Client, SdkError> {
        let (this, office) = (self.clone(), served.clone());
        let (home, common) = blocking::run(move || {
            let home = this.home_of(&office)?;
            if this.common.get().is_none() {
                let common = Common::of_many(&home)?;
                // Whoever was first counts.
                let _first = this.common.set(common);
            }
            let common = this.common.get().expect("it was set just before").clone();
            Ok((home, common))
        })
        .await?;
        let caller = self.caller.acting_for(served.office);
        Ok(Client::open_with(home, caller, Arc::clone(&self.clock), common))
    }

    /// Signs that a parcel which was received for an office was handed to it.
    ///
    /// # Errors
    /// As [`Client::handed_over`].
    pub async fn hand_over(&self, served: &Served, parcel: &ParcelName) -> Result<Declared, SdkError> {
        self.client(served).await?.handed_over(parcel).await
    }

    /// Whether an office's HOME was made.
    fn has_home(&self, served: &Served) -> bool {
        self.folder.join("offices").join(served.office.as_str()).join(CONFIG_FILE).exists()
    }

    fn home_of(&self, served: &Served) -> Result<Home, SdkError> {
        let folder = self.folder.join("offices").join(served.office.as_str());
        let is_made = is_made(&folder)?;
        if !is_made {
            // What is the relay's is kept once for all offices, in the proxy's own folder.
            for inside in ["state", OUTBOX, SENT, ARCHIVE, LOCKS] {
                files::create_private_folder(&folder.join(inside))?;
            }
        }
        let papers = OwnPapers {
            delegation: Some(served.delegation.clone()).filter(|cms| !cms.is_empty()),
            ..OwnPapers::default()
        };
        papers.keep_up(&folder)?;
        let identity = up(&self.config.identity);
        if is_made {
            let config = Config::read(&folder)?;
            // The proxy's key was renewed since.
            if config.identity != identity {
                config.switch(&folder, identity, self.clock.now_us())?;
            }
        } else {
            let config = Config {
                proxy: self.config.proxy.clone(),
                transmission_proxy: Some(self.config.number),
                answer_key_lost: false,
                ..Config::new(self.config.relay.clone(), served.office, identity)
            };
            files::write_lightly(&folder.join(CONFIG_FILE), config.print()?.as_bytes(), Access::Owner)?;
        }
        // Where the office has a key of its own nothing is lost that the proxy can't open. Where the operator registered the proxy
        // there is none: what was sealed to the proxy before is lost, and its sender is to send it again.
        let alone = served.delegation.is_empty() && served.may(Scope::Acknowledge);
        Ok(Home::open_with(&folder, self.identity.clone())?.answering_key_lost(alone))
    }
}

impl ProxyConfig {
    fn write(&self, folder: &Path) -> Result<(), SdkError> {
        let text = toml::to_string(self)
            .map_err(|e| ConfigError::Argument(words(format!("設定を書けません（{e}）"), e.to_string())))?;
        files::write_durably(&folder.join(PROXY_FILE), text.as_bytes(), Access::Owner)
    }
}

/// Whether an office's HOME has its settings. They follow from the proxy's own, so they are not synced: what a power cut left empty is
/// made anew.
fn is_made(folder: &Path) -> Result<bool, SdkError> {
    let settings = files::read_if_exists(&folder.join(CONFIG_FILE))?;
    Ok(settings.is_some_and(|text| text.iter().any(|byte| *byte != 0)))
}

/// An identity's files as the HOME of an office names them.
fn up(identity: &IdentityConfig) -> IdentityConfig {
    identity.seen_through(|name| {
        if Path::new(name).is_absolute() { name.to_owned() } else { format!("../../{name}") }
    })
}

impl Served {
    /// Whether the proxy may do this for the office.
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope)
    }
}
