//! One thing fetched over HTTP for the relay's own sake: a revocation list, an answer about a certificate, a time stamp.
//!
//! Bounded in size and time; redirects are not followed. Where an address comes from a certificate it must be a public one, and the
//! connection goes to the very address that was looked at. A proxy resolves names itself: then only what the name says can be looked at.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::{Scheme, Uri};
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tasuki_certs::tls;
use tasuki_certs::trust_files::certificates_in;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::clock::Clock;
use crate::key_file::read_secret;
use crate::public_address::is_public;

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// Bytes of an answer's head.
const MAX_HEAD: usize = 16 * 1024;
/// Longest address.
const MAX_URL: usize = 2_000;

/// Why nothing was fetched. Nothing that the other side said is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FetchFault {
    /// The address is none that is fetched from.
    #[error(
        "the address is not http:// or https:// with a host, at most 2000 bytes, without user and password"
    )]
    Url,
    /// The name does not resolve.
    #[error("the name can't be resolved")]
    Name,
    /// A certificate names an address of the operator's own network.
    #[error("the address is not a public one")]
    Address,
    /// Nobody there, or the connection broke.
    #[error("connecting failed, or the connection broke")]
    Connection,
    /// The proxy does not connect.
    #[error("the proxy refused, or can't be reached")]
    Proxy,
    /// TLS: another server, or no CA certificates to know it by.
    #[error("TLS failed")]
    Tls,
    /// Time is over.
    #[error("there was no whole answer in time")]
    Timeout,
    /// There is nothing at this address (404, 410).
    #[error("there is nothing at the address")]
    Missing,
    /// It is said to be elsewhere.
    #[error("the answer leads elsewhere, which is not followed")]
    Redirect,
    /// Another answer than 200.
    #[error("the answer was HTTP {0}")]
    Status(u16),
    /// More bytes than are taken.
    #[error("the answer is too large")]
    TooLarge,
}

impl FetchFault {
    /// A stable word for metrics and logs.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Url => "FETCH_URL",
            Self::Name => "FETCH_NAME",
            Self::Address => "FETCH_ADDRESS",
            Self::Connection => "FETCH_CONNECTION",
            Self::Proxy => "FETCH_PROXY",
            Self::Tls => "FETCH_TLS",
            Self::Timeout => "FETCH_TIMEOUT",
            Self::Missing => "FETCH_MISSING",
            Self::Redirect => "FETCH_REDIRECT",
            Self::Status(_) => "FETCH_STATUS",
            Self::TooLarge => "FETCH_TOO_LARGE",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    /// Where.
    pub(crate) url: &'a str,
    /// The operator has named the address, so that it may be one of its own network. Else it must be public.
    pub(crate) anywhere: bool,
    /// Most bytes that are taken.
    pub(crate) max_bytes: usize,
    /// What is posted, with its type; `None`: GET.
    pub(crate) post: Option<(&'static str, &'a [u8])>,
}

/// An HTTP proxy on the way.
#[derive(Clone)]
struct Proxy {
    host: String,
    port: u16,
    /// Value of `Proxy-Authorization`.
    authorization: Option<String>,
}

/// How things are fetched.
#[derive(Clone)]
pub(crate) struct Fetcher {
    /// `None`: no CA certificates are there, so that only `http://` works.
    tls: Option<TlsConnector>,
    proxy: Option<Proxy>,
    patience: Duration,
}

/// What a [`Fetcher`] is made of.
#[derive(Clone, Debug)]
pub(crate) struct Means<'m> {
    /// CA certificates that servers are known by; a file that is not there: none.
    pub(crate) ca_file: &'m Path,
    /// `http://HOST:PORT`; empty: no proxy.
    pub(crate) proxy: &'m str,
    /// A file whose first line is `user:password` for the proxy; empty: none.
    pub(crate) proxy_user_file: &'m Path,
    /// For everything, from the name to the last byte.
    pub(crate) patience: Duration,
}

/// The means can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct MeansError {
    path: PathBuf,
    problem: String,
}

impl Fetcher {
    /// From the configuration.
    pub(crate) fn new(means: &Means<'_>, clock: Arc<dyn Clock>) -> Result<Self, MeansError> {
        let error = |path: &Path, problem: String| MeansError { path: path.to_owned(), problem };
        let tls = if means.ca_file.exists() {
            let roots = certificates_in(means.ca_file).map_err(|e| error(means.ca_file, e.to_string()))?;
            let config = tls::web_client_config(&roots, Arc::new(move || clock.now_us()));
            let config = config.map_err(|e| error(means.ca_file, e.to_string()))?;
            Some(TlsConnector::from(Arc::new(config)))
        } else {
            None
        };
        let proxy = match proxy_address(means.proxy) {
            None => None,
            Some((host, port)) => {
                let user = Some(means.proxy_user_file).filter(|path| !path.as_os_str().is_empty());
                let user =
                    user.map(|path| read_secret(path).map_err(|e| error(path, e.to_string()))).transpose()?;
                let authorization = user.map(|secret| {
                    let line = secret.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
                    format!("Basic {}", STANDARD.encode(line))
                });
                Some(Proxy { host, port, authorization })
            }
        };
        Ok(Self { tls, proxy, patience: means.patience })
    }

    /// Fetches one thing.
    ///
    /// # Errors
    /// [`FetchFault`].
    pub(crate) async fn fetch(&self, ask: &Ask<'_>) -> Result<Bytes, FetchFault> {
        let tried = tokio::time::timeout(self.patience, self.try_once(ask)).await;
        tried.unwrap_or(Err(FetchFault::Timeout))
    }

    async fn try_once(&self, ask: &Ask<'_>) -> Result<Bytes, FetchFault> {
        let place = Place::parse(ask.url).ok_or(FetchFault::Url)?;
        let stream = match &self.proxy {
            Some(proxy) => proxy.connect(&place, ask.anywhere).await?,
            None => direct(&place, ask.anywhere).await?,
        };
        if !place.tls {
            return talk(stream, &place, ask).await;
        }
        let connector = self.tls.as_ref().ok_or(FetchFault::Tls)?;
        let name = ServerName::try_from(place.host.clone()).map_err(|_| FetchFault::Url)?;
        let stream = connector.connect(name, stream).await.map_err(|_| FetchFault::Tls)?;
        talk(stream, &place, ask).await
    }
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The proxy's password must not reach a log.
        let proxy = self.proxy.as_ref().map(|proxy| (&proxy.host, proxy.port));
        f.debug_struct("Fetcher")
            .field("proxy", &proxy)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Host and port of a proxy: `http://HOST:PORT`. `None`: not of this form.
pub(crate) fn proxy_address(url: &str) -> Option<(String, u16)> {
    let place = Place::parse(url)?;
    let bare = place.uri.path() == "/" && place.uri.query().is_none();
    (bare && !place.tls).then_some((place.host, place.port))
}

/// Whether an address can be fetched from.
pub(crate) fn is_address(url: &str) -> bool {
    Place::parse(url).is_some()
}

/// Where something is.
struct Place {
    uri: Uri,
    host: String,
    port: u16,
    tls: bool,
}

impl Place {
    fn parse(url: &str) -> Option<Self> {
        if url.len() > MAX_URL || url.contains('#') {
            return None;
        }
        let uri: Uri = url.parse().ok()?;
        let authority = uri.authority()?;
        let tls = uri.scheme() == Some(&Scheme::HTTPS);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let web = tls || uri.scheme() == Some(&Scheme::HTTP);
        if !web || host.is_empty() || authority.as_str().contains('@') {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self { uri, host, port, tls })
    }

    fn authority(&self) -> &str {
        self.uri.authority().map_or("", |authority| authority.as_str())
    }
}

async fn direct(place: &Place, anywhere: bool) -> Result<TcpStream, FetchFault> {
    let resolved = lookup_host((place.host.as_str(), place.port)).await.map_err(|_| FetchFault::Name)?;
    let addresses: Vec<SocketAddr> = resolved.collect();
    let mut fault = FetchFault::Address;
    for address in addresses.iter().filter(|one| anywhere || is_public(one.ip())).take(MAX_ADDRESSES) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(_) => fault = FetchFault::Connection,
        }
    }
    Err(fault)
}

impl Proxy {
    /// Has the proxy connect (RFC 9110 section 9.3.6), also to plain `http://`: one way for both.
    async fn connect(&self, place: &Place, anywhere: bool) -> Result<TcpStream, FetchFault> {
        let named: Option<IpAddr> = place.host.parse().ok();
        let local = place.host.eq_ignore_ascii_case("localhost") || named.is_some_and(|ip| !is_public(ip));
        if local && !anywhere {
            return Err(FetchFault::Address);
        }
        let broken = |_| FetchFault::Proxy;
        let mut stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(broken)?;
        let bracket = place.host.contains(':');
        let (open, close) = if bracket { ("[", "]") } else { ("", "") };
        let target = format!("{open}{}{close}:{}", place.host, place.port);
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str("Proxy-Authorization: ");
            request.push_str(authorization);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(broken)?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() >= MAX_HEAD {
                return Err(FetchFault::Proxy);
            }
            // Byte by byte: what follows the head is the other side's.
            head.push(stream.read_u8().await.map_err(broken)?);
        }
        let good = head.starts_with(b"HTTP/1.") && head.get(8..10) == Some(b" 2");
        if good { Ok(stream) } else { Err(FetchFault::Proxy) }
    }
}

/// Asks, and takes what is answered.
async fn talk<S>(stream: S, place: &Place, ask: &Ask<'_>) -> Result<Bytes, FetchFault>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |_| FetchFault::Connection;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let mut request = Request::builder()
        .method(if ask.post.is_some() { Method::POST } else { Method::GET })
        .uri(place.uri.path_and_query().map_or("/", |path| path.as_str()))
        .header("host", place.authority())
        .header("user-agent", concat!("tasuki-relay/", env!("CARGO_PKG_VERSION")))
        .header("connection", "close");
    if let Some((kind, _)) = ask.post {
        request = request.header(CONTENT_TYPE, kind);
    }
    let body = ask.post.map_or_else(Bytes::new, |(_, body)| Bytes::copy_from_slice(body));
    let request = request.body(Full::new(body)).map_err(|_| FetchFault::Url)?;
    let mut exchange = std::pin::pin!(async {
        let answer = sender.send_request(request).await.map_err(broken)?;
        take(answer, ask.max_bytes).await
    });
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        done = &mut exchange => done,
        // A server that answers and closes at once ends both together, and has answered.
        _ = &mut connection => exchange.await,
    }
}

async fn take(answer: Response<Incoming>, max_bytes: usize) -> Result<Bytes, FetchFault> {
    match answer.status().as_u16() {
        200 => {}
        404 | 410 => return Err(FetchFault::Missing),
        300..=399 => return Err(FetchFault::Redirect),
        status => return Err(FetchFault::Status(status)),
    }
    let said =
        answer.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|bytes| bytes > max_bytes as u64) {
        return Err(FetchFault::TooLarge);
    }
    let mut body = answer.into_body();
    let mut taken = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| FetchFault::Connection)?;
        let Ok(piece) = frame.into_data() else { continue };
        if taken.len().saturating_add(piece.len()) > max_bytes {
            return Err(FetchFault::TooLarge);
        }
        taken.extend_from_slice(&piece);
    }
    Ok(taken.freeze())
}

/// How long to wait before the next try: `every_us` after a good one; after failures `first_us`, doubled with each further one, up to that.
pub(crate) fn pause_us(every_us: i64, first_us: i64, failures: u32) -> i64 {
    match failures {
        0 => every_us,
        failures => first_us.saturating_mul(1_i64 << (failures - 1).min(20)).min(every_us.max(first_us)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_web_without_secrets_in_the_name() {
        for good in
            ["http://ca.example/a.crl", "HTTP://ca.example", "https://ca.example:8443/?a=1", "http://[::1]/"]
        {
            assert!(is_address(good), "{good}");
        }
        let long = format!("http://ca.example/{}", "a".repeat(MAX_URL));
        for bad in [
            "ldap://ca.example/cn=a",
            "file:///etc/passwd",
            "http://u:p@ca.example/",
            "ca.example",
            "",
            &long,
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        assert_eq!(proxy_address("http://proxy.example:3128"), Some(("proxy.example".to_owned(), 3128)));
        assert_eq!(proxy_address("http://[::1]/"), Some(("::1".to_owned(), 80)));
        for bad in ["", "https://proxy.example", "http://proxy.example/path", "http://u:p@proxy.example"] {
            assert_eq!(proxy_address(bad), None, "{bad}");
        }
    }
}
