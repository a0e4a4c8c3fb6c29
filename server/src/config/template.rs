//! The `relay.toml` that `init` writes.

use std::net::SocketAddr;

/// Names of what `init` makes, relative to the relay's folder.
pub mod names {
    /// The configuration.
    pub const CONFIG: &str = "relay.toml";
    /// The embedded database.
    pub const DATABASE: &str = "relay.db";
    /// What clients need to know the relay by.
    pub const RELAY_CA: &str = "relay-ca.pem";
    /// What offices' trial certificates are known by.
    pub const TRIAL_CA: &str = "trial-ca.pem";
    /// Key of the CA that issued the server's certificate.
    pub const RELAY_CA_KEY: &str = "relay-ca.key";
    /// Folder of revocation lists.
    pub const CRLS: &str = "crls";
    /// The server's certificate chain.
    pub const TLS_CERTIFICATE: &str = "tls.pem";
    /// The server's key.
    pub const TLS_KEY: &str = "tls.key";
    /// The log's key.
    pub const LOG_KEY: &str = "log.key";
    /// Folder of large sealed parcels.
    pub const CONTENT: &str = "content";
    /// Folder of the witness.
    pub const WITNESS_FOLDER: &str = "witness";
    /// The last checkpoint.
    pub const WITNESS: &str = "witness/checkpoint";
}

/// The file's text for a relay that listens there.
pub fn text(listen: SocketAddr) -> String {
    let metrics = metrics_address(listen).map_or_else(
        || "# metrics_listen = \"127.0.0.1:9443\"".to_owned(),
        |address| format!("metrics_listen = \"{address}\""),
    );
    TEMPLATE.replace("{listen}", &listen.to_string()).replace("{metrics}", &metrics)
}

/// The relay's port + 1000, on the loopback address: two relays on one machine don't collide. `None` where
/// the system picks the port.
fn metrics_address(listen: SocketAddr) -> Option<SocketAddr> {
    let port = listen.port().checked_add(1000)?;
    (listen.port() != 0).then(|| SocketAddr::from(([127, 0, 0, 1], port)))
}

const TEMPLATE: &str = include_str!("relay.toml");
