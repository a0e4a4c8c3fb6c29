//! An HTTP proxy on the way: which one, and asking it to connect (RFC 9110, section 9.3.6).

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Uri;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::address::RelayAddress;
use crate::error::{ConfigError, SdkError, Unreachable};

/// Bytes of a proxy's answer before the tunnel begins.
const MAX_ANSWER_BYTES: usize = 8 * 1024;

/// Which proxy to go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProxySetting {
    /// None.
    Direct,
    /// This one, whatever the relay's address.
    Always(HttpProxy),
    /// This one, by the environment. A relay on this computer is also tried directly.
    Environment(HttpProxy),
}

/// An HTTP proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct HttpProxy {
    /// Where it listens.
    pub(crate) host: String,
    /// Where it listens.
    pub(crate) port: u16,
    /// Value of `Proxy-Authorization`.
    authorization: Option<String>,
}

impl std::fmt::Debug for HttpProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The password must not reach a log.
        f.write_str(&self.name())
    }
}

impl ProxySetting {
    /// Reads the value of `proxy` in `config.toml`.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        if text == "none" { Ok(Self::Direct) } else { HttpProxy::parse(text).map(Self::Always) }
    }

    /// What `HTTPS_PROXY` and `NO_PROXY` (in either case) say.
    pub(crate) fn from_environment(relay: &RelayAddress) -> Result<Self, SdkError> {
        let get = |names: [&str; 2]| {
            names.into_iter().find_map(|n| std::env::var(n).ok().filter(|v| !v.trim().is_empty()))
        };
        let proxy = get(["HTTPS_PROXY", "https_proxy"]);
        let except = get(["NO_PROXY", "no_proxy"]);
        Ok(Self::choose(proxy.as_deref(), except.as_deref(), relay)?)
    }

    fn choose(proxy: Option<&str>, except: Option<&str>, relay: &RelayAddress) -> Result<Self, ConfigError> {
        match proxy {
            Some(_) if except.is_some_and(|e| is_excepted(e, relay)) => Ok(Self::Direct),
            Some(proxy) => HttpProxy::parse(proxy).map(Self::Environment),
            None => Ok(Self::Direct),
        }
    }
}

/// Whether `NO_PROXY` names the relay: `*`, a host, a domain with or without a dot in front, each with or without
/// a port.
fn is_excepted(except: &str, relay: &RelayAddress) -> bool {
    except.split(',').map(str::trim).filter(|e| !e.is_empty()).any(|entry| {
        if entry == "*" {
            return true;
        }
        let is_address = entry.parse::<IpAddr>().is_ok();
        let (host, port) = match entry.rsplit_once(':') {
            Some((host, port)) if !is_address => (host, port.parse::<u16>().ok()),
            _ => (entry, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_start_matches('.');
        let same_host = relay.host.eq_ignore_ascii_case(host);
        let below = relay
            .host
            .len()
            .checked_sub(host.len() + 1)
            .and_then(|at| relay.host.get(at..))
            .is_some_and(|end| end.starts_with('.') && end[1..].eq_ignore_ascii_case(host));
        (same_host || below) && port.is_none_or(|p| p == relay.port)
    })
}

impl HttpProxy {
    /// Reads `http://[user:password@]host[:port]`; port 80 if none is named.
    fn parse(text: &str) -> Result<Self, ConfigError> {
        // Without the password.
        let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
        let bad = || ConfigError::ProxyUrl(shown.to_owned());
        let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = whole.parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        if uri.scheme_str() != Some("http") || authority.host().is_empty() {
            return Err(bad());
        }
        let authorization = authority
            .as_str()
            .rsplit_once('@')
            .map(|(user, _)| format!("Basic {}", STANDARD.encode(percent_decode(user))));
        Ok(Self {
            host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authorization,
        })
    }

    /// Host and port, for messages.
    pub(crate) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Asks the proxy, over a fresh connection to it, to connect to the relay. Afterwards the stream is the relay's.
    pub(crate) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        relay: &RelayAddress,
    ) -> Result<(), Unreachable> {
        let network = |e: std::io::Error| Unreachable::Network(format!("proxy {}: {e}", self.name()));
        let target = relay.authority();
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(authorization) = &self.authorization {
            request.push_str("Proxy-Authorization: ");
            request.push_str(authorization);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(network)?;

        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            if answer.len() >= MAX_ANSWER_BYTES {
                return Err(self.refused("an answer too long"));
            }
            // Byte by byte: what follows the answer belongs to TLS.
            answer.push(stream.read_u8().await.map_err(network)?);
        }
        let text = String::from_utf8_lossy(&answer);
        let status_line = text.lines().next().unwrap_or_default();
        let mut words = status_line.split(' ');
        let is_http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
        let status: u16 = words.next().and_then(|s| s.parse().ok()).unwrap_or(0);
        if is_http && (200..300).contains(&status) { Ok(()) } else { Err(self.refused(status_line)) }
    }

    fn refused(&self, answer: &str) -> Unreachable {
        let answer = answer.chars().filter(|c| !c.is_control()).take(200).collect();
        Unreachable::Proxy { proxy: self.name(), answer }
    }
}

/// Decodes `%XX`; anything else stays as it is.
fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|p| std::str::from_utf8(p).ok());
        match pair.and_then(|p| u8::from_str_radix(p, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(url: &str) -> RelayAddress {
        RelayAddress::parse(url).unwrap()
    }

    #[test]
    fn the_environment_chooses() {
        let far = relay("https://relay.care.example:8443");
        let choose = |proxy, except| ProxySetting::choose(proxy, except, &far).unwrap();
        assert_eq!(choose(None, None), ProxySetting::Direct);
        let proxy = HttpProxy::parse("http://proxy:3128").unwrap();
        assert_eq!(choose(Some("proxy:3128"), None), ProxySetting::Environment(proxy.clone()));
        for (except, excepted) in [
            ("*", true),
            ("relay.care.example", true),
            ("localhost, .care.example", true),
            ("example", true),
            ("care.example:8443", true),
            ("care.example:443", false),
            ("are.example", false),
            ("localhost,127.0.0.1", false),
        ] {
            assert_eq!(
                choose(Some("http://proxy:3128"), Some(except)) == ProxySetting::Direct,
                excepted,
                "{except}"
            );
        }
        let near = relay("https://127.0.0.1:8443");
        let near = ProxySetting::choose(Some("proxy:3128"), Some("localhost,127.0.0.1"), &near);
        assert_eq!(near, Ok(ProxySetting::Direct));
    }

    #[test]
    fn a_password_is_sent_and_never_shown() {
        let proxy = HttpProxy::parse("http://user:p%40ss@proxy:3128").unwrap();
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(format!("{proxy:?}"), "proxy:3128");
        assert_eq!(
            HttpProxy::parse("https://user:secret@proxy"),
            Err(ConfigError::ProxyUrl("proxy".to_owned()))
        );
        assert_eq!(ProxySetting::parse("none"), Ok(ProxySetting::Direct));
    }

    async fn tunnel(answer: &'static [u8]) -> (Result<(), Unreachable>, Vec<u8>) {
        let (mut near, mut far) = tokio::io::duplex(16 * 1024);
        let proxy = HttpProxy::parse("http://user:p@proxy:3128").unwrap();
        let asked = tokio::spawn(async move {
            let mut request = vec![0; 1024];
            let length = far.read(&mut request).await.unwrap();
            request.truncate(length);
            far.write_all(answer).await.unwrap();
            far.flush().await.unwrap();
            request
        });
        let result = proxy.connect(&mut near, &relay("https://relay.example:8443")).await;
        (result, asked.await.unwrap())
    }

    #[tokio::test]
    async fn the_proxy_is_asked_to_connect() {
        let (result, request) = tunnel(b"HTTP/1.1 200 Connection established\r\nX: y\r\n\r\nTLS").await;
        assert_eq!(result, Ok(()));
        assert_eq!(
            String::from_utf8(request).unwrap(),
            "CONNECT relay.example:8443 HTTP/1.1\r\nHost: relay.example:8443\r\nProxy-Authorization: Basic dXNlcjpw\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_proxys_words() {
        let (result, _) = tunnel(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        let answer = "HTTP/1.1 407 Proxy Authentication Required".to_owned();
        assert_eq!(result, Err(Unreachable::Proxy { proxy: "proxy:3128".into(), answer }));
        let (result, _) = tunnel(b"SSH-2.0-OpenSSH\r\n\r\n").await;
        assert!(matches!(result, Err(Unreachable::Proxy { .. })));
        let (result, _) = tunnel(&[b'a'; 9000]).await;
        assert!(matches!(result, Err(Unreachable::Proxy { answer, .. }) if answer == "an answer too long"));
        let (result, _) = tunnel(b"HTTP/1.1 200").await;
        assert!(matches!(result, Err(Unreachable::Network(_))));
    }
}
