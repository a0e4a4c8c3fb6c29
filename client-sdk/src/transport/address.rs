//! The relay's address.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

use crate::error::ConfigError;

/// Host and port of a relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelayAddress {
    /// A name, or an IP address without brackets.
    pub(crate) host: String,
    /// The port; 443 if the URL names none.
    pub(crate) port: u16,
}

impl RelayAddress {
    /// Reads `https://host[:port]`, with nothing behind it but a slash.
    pub(crate) fn parse(url: &str) -> Result<Self, ConfigError> {
        let bad = || ConfigError::RelayUrl(url.to_owned());
        let uri: Uri = url.trim().parse().map_err(|_| bad())?;
        let authority = uri.authority().ok_or_else(bad)?;
        let plain = uri.scheme_str() == Some("https")
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !authority.as_str().contains('@');
        if !plain || authority.host().is_empty() {
            return Err(bad());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        // `host:` and `host:99999` leave a colon behind, and no port.
        let has_port = authority.as_str() != authority.host();
        let port = match authority.port_u16() {
            Some(port) => port,
            None if has_port => return Err(bad()),
            None => 443,
        };
        Ok(Self { host, port })
    }

    /// `host:port`, brackets around an IPv6 address.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The relay runs on this computer.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for RelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_and_print() {
        for (text, host, port, printed) in [
            ("https://relay.example:8443", "relay.example", 8443, "https://relay.example:8443"),
            ("https://relay.example/", "relay.example", 443, "https://relay.example:443"),
            ("https://127.0.0.1:1", "127.0.0.1", 1, "https://127.0.0.1:1"),
            ("https://[::1]:8443", "::1", 8443, "https://[::1]:8443"),
        ] {
            let address = RelayAddress::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text}");
            assert_eq!(address.to_string(), printed);
        }
        assert!(RelayAddress::parse("https://[::1]:8443").unwrap().is_loopback());
        assert!(!RelayAddress::parse("https://relay.example").unwrap().is_loopback());
    }

    #[test]
    fn anything_else_is_no_address() {
        for text in [
            "",
            "relay.example:8443",
            "http://relay.example",
            "https://relay.example/path",
            "https://user@relay.example",
            "https://relay.example:99999",
            "https://relay.example:",
            "https://relay.example?x",
        ] {
            assert_eq!(RelayAddress::parse(text), Err(ConfigError::RelayUrl(text.to_owned())), "{text}");
        }
    }
}
