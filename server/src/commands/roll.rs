//! Flags of the commands that hand a key over to the next one.

use std::path::PathBuf;

use clap::Args;

use super::exit::Failure;
use crate::cli::one_line;
use crate::key_file::{KeyPlace, OnToken};

/// Flags of `log-key roll` and `ca roll`.
#[derive(Debug, Args)]
pub(crate) struct Roll {
    /// The old key may be in other hands: it counts for nothing from now on, and everybody is told as urgent
    #[arg(long, requires = "reason")]
    pub(super) emergency: bool,
    /// Why; it stands in the log
    #[arg(long, value_name = "TEXT", value_parser = one_line, default_value = "scheduled")]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) next: NextKey,
}

/// Where the next key is to be.
#[derive(Debug, Args)]
pub(crate) struct NextKey {
    /// Where the next key is to be: on a token, by its PKCS #11 URI (made there if it has none of that name), or `file`; without it where
    /// the present one is
    #[arg(long, value_name = "URI|file")]
    pub(super) key: Option<String>,
    /// File with the token's PIN; the relay reads it whenever it opens the token
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) pin_file: Option<PathBuf>,
}

impl NextKey {
    /// Where it is wanted; `None`: nobody said.
    pub(super) fn place(&self) -> Result<Option<KeyPlace>, Failure> {
        match &self.key {
            None => Ok(None),
            Some(key) if key == "file" => match self.pin_file {
                None => Ok(Some(KeyPlace::File)),
                Some(_) => Err(Failure::usage(
                    "USAGE",
                    "--pin-file はトークンの鍵だけに使います",
                    "--pin-file is for a key on a token only",
                )),
            },
            Some(uri) => on_token(uri, self.pin_file.as_deref()).map(Some),
        }
    }
}

/// A key on a token.
pub(super) fn on_token(uri: &str, pin_file: Option<&std::path::Path>) -> Result<KeyPlace, Failure> {
    let pin_file = pin_file.ok_or_else(|| {
        Failure::usage(
            "USAGE",
            "トークンのPINを入れたファイルを --pin-file で指定してください",
            "give a file with the token's PIN: --pin-file FILE",
        )
    })?;
    Ok(KeyPlace::Token(OnToken::new(uri, pin_file)?))
}
