//! Which certificates are trusted, for what, and why others are not; with the trial CA as the issuer.

mod crl_faults;
mod fetched;
mod files;
mod paths;
mod profiles;
mod refused;
mod revocation;
mod tls_handshakes;
mod tls_sessions;
mod trial;
mod trial_ca;
