//! Makes connections: TCP, perhaps through a proxy, then TLS.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::address::RelayAddress;
use super::fault::{LastFault, Noting, tls_error};
use super::http_proxy::{HttpProxy, ProxySetting};
use crate::error::{ConfigError, SdkError, Unreachable};

/// Makes connections to one relay.
#[derive(Clone)]
pub(super) struct Connector {
    relay: RelayAddress,
    proxy: ProxySetting,
    tls: TlsConnector,
    fault: LastFault,
    timeout: Duration,
}

/// A connection.
pub(super) type Connection = TokioIo<Noting<TlsStream<TcpStream>>>;

impl Connector {
    pub(super) fn new(
        relay: RelayAddress,
        proxy: ProxySetting,
        tls: Arc<ClientConfig>,
        fault: LastFault,
        timeout: Duration,
    ) -> Self {
        Self { relay, proxy, tls: TlsConnector::from(tls), fault, timeout }
    }

    async fn connect(self) -> Result<Connection, SdkError> {
        let made = match tokio::time::timeout(self.timeout, self.open()).await {
            Ok(made) => made,
            Err(_elapsed) => Err(Unreachable::Timeout.into()),
        };
        match made {
            Ok(stream) => {
                self.fault.clear();
                Ok(TokioIo::new(Noting::new(stream, self.fault)))
            }
            Err(error) => {
                self.fault.set(error.clone());
                Err(error)
            }
        }
    }

    async fn open(&self) -> Result<TlsStream<TcpStream>, SdkError> {
        let tcp = match &self.proxy {
            ProxySetting::Direct => self.direct().await?,
            ProxySetting::Always(proxy) => self.through(proxy).await?,
            ProxySetting::Environment(proxy) => match self.through(proxy).await {
                // A proxy far away can't reach this computer's own relay: NO_PROXY forgot to say so.
                Err(_) if self.relay.is_loopback() => self.direct().await?,
                reached => reached?,
            },
        };
        let bad = |_| ConfigError::RelayUrl(self.relay.to_string());
        let name = ServerName::try_from(self.relay.host.clone()).map_err(bad)?;
        let stream = self.tls.connect(name, tcp).await.map_err(|e| tls_error(&e))?;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Ok(stream)
        } else {
            let what = "what answers there does not speak HTTP/2, so it is no relay";
            Err(Unreachable::Network(what.to_owned()).into())
        }
    }

    async fn direct(&self) -> Result<TcpStream, Unreachable> {
        tcp(&self.relay.host, self.relay.port).await
    }

    async fn through(&self, proxy: &HttpProxy) -> Result<TcpStream, Unreachable> {
        let mut stream = tcp(&proxy.host, proxy.port).await?;
        proxy.connect(&mut stream, &self.relay).await?;
        Ok(stream)
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, Unreachable> {
    let failed = |e: std::io::Error| Unreachable::Network(format!("{host}:{port}: {e}"));
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

impl tower::Service<Uri> for Connector {
    type Response = Connection;
    type Error = SdkError;
    type Future = Pin<Box<dyn Future<Output = Result<Connection, SdkError>> + Send>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), SdkError>> {
        Poll::Ready(Ok(()))
    }

    /// The address is the one configured, whatever the request's.
    fn call(&mut self, _uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}
