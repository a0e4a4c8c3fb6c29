//! The way to the relay: one outbound TLS connection, direct or through an HTTP proxy, HTTP/2 inside.

mod address;
mod call;
mod connector;
mod fault;
mod http_proxy;
mod stapled;
mod status;

use std::sync::Arc;
use std::time::Duration;

use tasuki_certs::tls;
use tonic::transport::{Channel, Endpoint};

use crate::clock::Clock;
use crate::error::{ConfigError, SdkError};
use crate::home::{Home, OCSP_ANSWER};

pub(crate) use address::RelayAddress;
pub(crate) use call::Caller;
pub(crate) use http_proxy::ProxySetting;
pub(crate) use status::is_busy;

use connector::Connector;
use fault::LastFault;

/// How often an idle connection is asked for a sign of life: below the minutes after which firewalls of offices
/// forget a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// How long that sign may take.
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(20);

/// Bytes that the relay may send ahead on one call, and on all together. A call whose bytes nobody takes for a while (a
/// fetch that waits for parcels to be verified) must not use up the connection: the answers that it waits for come over the
/// same one. A window that adapts itself is the same for both, so that one call could.
const STREAM_WINDOW: u32 = 1024 * 1024;
const CONNECTION_WINDOW: u32 = 16 * 1024 * 1024;

/// Sets up the channel of a HOME; it connects with the first call.
pub(crate) fn caller(home: &Home, clock: &Arc<dyn Clock>) -> Result<Caller, SdkError> {
    let (config, clock) = (home.config(), Arc::clone(clock));
    let tls = tls::client_config(&home.relay_ca()?, home.identity(), Arc::new(move || clock.now_us()));
    let settings = Settings {
        relay: &config.relay,
        proxy: config.proxy.as_deref(),
        connect_timeout_s: config.connect_timeout_s,
        request_timeout_s: config.request_timeout_s,
        attempts: config.attempts,
    };
    let caller = settings.caller(tls.map_err(|e| ConfigError::Trust(e.to_string()))?)?;
    let caller = caller.bringing(home.path(OCSP_ANSWER));
    // An office's certificate says for whom it calls, and so does a terminal's.
    Ok(if home.is_of_a_proxy() { caller.acting_for(home.office()) } else { caller })
}

/// Sets up a channel for who has no certificate yet.
pub(crate) fn anonymous_caller(
    relay: &str,
    relay_ca: &[Vec<u8>],
    proxy: Option<&str>,
    clock: &Arc<dyn Clock>,
) -> Result<Caller, SdkError> {
    let clock = Arc::clone(clock);
    let tls = tls::anonymous_client_config(relay_ca, Arc::new(move || clock.now_us()));
    let settings = Settings { relay, proxy, connect_timeout_s: 10, request_timeout_s: 30, attempts: 3 };
    settings.caller(tls.map_err(|e| ConfigError::Trust(e.to_string()))?)
}

/// How the relay is reached.
pub(crate) struct Settings<'s> {
    pub(crate) relay: &'s str,
    /// An HTTP proxy, or `none`; absent: the environment decides.
    pub(crate) proxy: Option<&'s str>,
    pub(crate) connect_timeout_s: u32,
    pub(crate) request_timeout_s: u32,
    pub(crate) attempts: u32,
}

impl Settings<'_> {
    pub(crate) fn caller(&self, tls: tokio_rustls::rustls::ClientConfig) -> Result<Caller, SdkError> {
        let relay = RelayAddress::parse(self.relay)?;
        let proxy = match self.proxy {
            Some(text) => ProxySetting::parse(text)?,
            None => ProxySetting::from_environment(&relay)?,
        };
        let fault = LastFault::default();
        let connect_timeout = Duration::from_secs(self.connect_timeout_s.into());
        let connector = Connector::new(relay.clone(), proxy, Arc::new(tls), fault.clone(), connect_timeout);
        let endpoint = Endpoint::from_shared(relay.to_string())
            .and_then(|e| e.user_agent(concat!("tasuki-sdk/", env!("CARGO_PKG_VERSION"))))
            .map_err(|_| ConfigError::RelayUrl(self.relay.to_owned()))?
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let channel: Channel = endpoint.connect_with_connector_lazy(connector);
        let request_timeout = Duration::from_secs(self.request_timeout_s.into());
        Ok(Caller::new(channel, fault, self.attempts, request_timeout))
    }
}
