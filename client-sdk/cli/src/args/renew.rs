//! Flags of `renew`.

use std::path::PathBuf;

use clap::Args;

/// Flags of `renew`.
#[derive(Debug, Args)]
pub(crate) struct Renew {
    /// Only if the certificate ends within so many days: for a scheduler, which may ask every day
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3_650),
        conflicts_with_all = ["identity", "papers", "kept", "forget"])]
    pub(crate) if_within: Option<u16>,
    /// A certificate that was renewed elsewhere, with its key (PKCS#12); with --key, the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Option<PathBuf>,
    /// File whose first line is the password of the PKCS#12 file; - is standard input. Without it you are asked
    #[arg(long, value_name = "FILE", requires = "identity", conflicts_with = "key")]
    pub(crate) password_file: Option<PathBuf>,
    /// Descriptor from which the password is read
    #[arg(long, value_name = "N", requires = "identity", conflicts_with_all = ["key", "password_file"])]
    pub(crate) password_fd: Option<u32>,
    /// Private key (PEM), for a certificate in PEM
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub(crate) key: Option<PathBuf>,
    /// Only sign anew what an earlier certificate signed: delegations, and terminals, which go on
    #[arg(long, conflicts_with_all = ["identity", "kept", "forget"])]
    pub(crate) papers: bool,
    /// List the keys before that this HOME keeps, and what still needs them
    #[arg(long, conflicts_with = "identity")]
    pub(crate) kept: bool,
    /// Remove the keys before that nothing needs any more
    #[arg(long, conflicts_with_all = ["identity", "kept"])]
    pub(crate) forget: bool,
}
