//! One POST: resolve, look at the address, connect to that very address, speak TLS, send, read the status.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::uri::{Scheme, Uri};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use ring::hmac;
use tasuki_certs::tls;
use tasuki_certs::trust_files::certificates_in;
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::clock::Clock;
use crate::public_address::is_public;

/// For everything: name, connection, handshake, answer. A program that works for longer should answer first.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest URL, in bytes.
const MAX_URL: usize = 2_000;

/// Longest reason that is kept of a failed try, in characters.
const MAX_FAULT: usize = 200;

/// Where a program is.
#[derive(Clone)]
pub(super) struct Target {
    uri: Uri,
    host: String,
    port: u16,
}

/// Why a URL can't be a webhook's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("url must be https://, with a host, at most 2000 bytes, without user and password")]
pub struct BadUrl;

impl Target {
    /// Reads a URL.
    pub(super) fn parse(url: &str) -> Result<Self, BadUrl> {
        if url.len() > MAX_URL || url.contains('#') {
            return Err(BadUrl);
        }
        let uri: Uri = url.parse().map_err(|_| BadUrl)?;
        let authority = uri.authority().ok_or(BadUrl)?;
        if uri.scheme() != Some(&Scheme::HTTPS) || authority.as_str().contains('@') {
            return Err(BadUrl);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(BadUrl);
        }
        let port = authority.port_u16().unwrap_or(443);
        Ok(Self { uri, host, port })
    }
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter<'l> {
    /// The same for every try.
    pub(super) id: &'l str,
    /// This try, seconds since 1970.
    pub(super) seconds: i64,
    /// JSON.
    pub(super) body: &'l str,
}

impl Letter<'_> {
    /// `webhook-signature` of Standard Webhooks.
    fn signature(&self, key: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let tag = hmac::sign(&key, format!("{}.{}.{}", self.id, self.seconds, self.body).as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

/// Carries letters to programs.
#[derive(Clone)]
pub(super) struct Postman {
    connector: TlsConnector,
    allow_private: bool,
}

impl Postman {
    /// One who knows servers by these CA certificates. `None`: the file is not there.
    ///
    /// # Errors
    /// The file is there, and nothing can be made of it.
    pub(super) fn new(
        ca_file: &Path,
        allow_private: bool,
        clock: Arc<dyn Clock>,
    ) -> Result<Option<Self>, String> {
        if !ca_file.exists() {
            return Ok(None);
        }
        let roots = certificates_in(ca_file).map_err(|e| e.to_string())?;
        let config = tls::web_client_config(&roots, Arc::new(move || clock.now_us()));
        let config = config.map_err(|e| e.to_string())?;
        Ok(Some(Self { connector: TlsConnector::from(Arc::new(config)), allow_private }))
    }

    /// Posts one letter.
    ///
    /// # Errors
    /// Why nobody took it, in few words of English, without anything that the other side said.
    pub(super) async fn post(&self, url: &str, key: &[u8], letter: Letter<'_>) -> Result<(), String> {
        let target = Target::parse(url).map_err(|error| error.to_string())?;
        let tried = tokio::time::timeout(PATIENCE, self.try_once(&target, key, letter)).await;
        let outcome = tried.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())));
        outcome.map_err(|fault| fault.chars().filter(|c| !c.is_control()).take(MAX_FAULT).collect())
    }

    async fn try_once(&self, target: &Target, key: &[u8], letter: Letter<'_>) -> Result<(), String> {
        let stream = self.connect(target).await?;
        stream.set_nodelay(true).map_err(|e| e.to_string())?;
        let name = ServerName::try_from(target.host.clone()).map_err(|_| "no server name".to_owned())?;
        let stream = self.connector.connect(name, stream).await.map_err(|e| format!("TLS: {e}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
            .max_buf_size(16 * 1024)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|e| e.to_string())?;
        let request = Request::post(target.uri.path_and_query().map_or("/", |path| path.as_str()))
            .header("host", target.uri.authority().map_or("", |authority| authority.as_str()))
            .header("content-type", "application/json")
            .header("user-agent", concat!("tasuki-relay/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", letter.id)
            .header("webhook-timestamp", letter.seconds.to_string())
            .header("webhook-signature", letter.signature(key))
            .body(Full::new(Bytes::copy_from_slice(letter.body.as_bytes())))
            .map_err(|e| e.to_string())?;
        // The body of the answer is not read: the connection goes with this call. A program that answers and closes at once ends both
        // together, and has answered.
        let mut answer = std::pin::pin!(sender.send_request(request));
        let mut connection = std::pin::pin!(connection);
        let answer = tokio::select! {
            answer = &mut answer => answer,
            _ = &mut connection => answer.await,
        };
        let answer = answer.map_err(|e| e.to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("HTTP {}", status.as_u16())) }
    }

    /// Connects to an address that may be connected to. What was looked at is what is connected to: a name that is resolved twice
    /// could lead elsewhere the second time.
    async fn connect(&self, target: &Target) -> Result<TcpStream, String> {
        let resolved = lookup_host((target.host.as_str(), target.port)).await;
        let addresses: Vec<SocketAddr> =
            resolved.map_err(|_| "the name can't be resolved".to_owned())?.collect();
        let allowed = addresses.iter().filter(|address| self.allow_private || is_public(address.ip()));
        let mut fault = "the address is not a public one".to_owned();
        for address in allowed.take(4) {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => fault = format!("connecting failed: {}", error.kind()),
            }
        }
        Err(fault)
    }
}

impl std::fmt::Debug for Postman {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Postman").field("allow_private", &self.allow_private).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_without_secrets_in_the_name() {
        for good in ["https://care.example/hook?x=1", "https://care.example:8443", "https://[2400::1]/"] {
            assert!(Target::parse(good).is_ok(), "{good}");
        }
        let long = format!("https://care.example/{}", "a".repeat(MAX_URL));
        for bad in [
            "http://care.example/",
            "https://u:p@care.example/",
            "https:///x",
            "care.example",
            "",
            "https://care.example/#x",
            &long,
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn signatures_are_those_of_standard_webhooks() {
        // The example of the specification's reference implementation (standard-webhooks, test of its signing).
        let key = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let letter = Letter {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            seconds: 1_614_265_330,
            body: "{\"test\": 2432232314}",
        };
        assert_eq!(letter.signature(&key), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
