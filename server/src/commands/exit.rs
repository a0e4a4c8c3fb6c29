//! How a command ends: exit codes, and what stops it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tasuki_proto::log::LogError;

use super::lang::Text;
use crate::boot::BootError;
use crate::committer::Fatal;
use crate::committer::change::Refused;
use crate::config::ConfigError;
use crate::key_file::KeyFileError;
use crate::store::StoreError;
use crate::trial_ca::CaError;
use crate::trust::TrustSetupError;

/// Exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// Something failed, was rejected, or is not as it should be.
    Failed = 1,
    /// Usage, configuration, or this computer's files.
    Usage = 2,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What stops a command before it has a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command was called, or the relay is set up, in a way that makes no sense.
    Usage(&'static str, Text),
    /// `relay.toml` can't be used.
    Config(ConfigError),
    /// A secret, or another file that the configuration names, can't be used.
    Setup(String),
    /// A file can't be read or written.
    File(PathBuf, io::Error),
    /// The trial CA can't do it.
    Ca(CaError),
    /// The database can't be used.
    Store(StoreError),
    /// The log can't be written.
    Log(Fatal),
    /// The change was not made.
    Refused(Refused),
    /// Anything else that was rejected: reason word and text.
    Rejected(&'static str, Text),
    /// Standard output can't be written.
    Output(io::Error),
}

impl Failure {
    /// A usage or configuration error: reason word and text.
    pub(crate) fn usage(code: &'static str, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Usage(code, Text::new(ja, en))
    }

    /// A rejection: reason word and text.
    pub(crate) fn rejected(code: &'static str, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Rejected(code, Text::new(ja, en))
    }

    /// A next key is there already, elsewhere than it is wanted now.
    fn prepared(path: &Path) -> Self {
        let path = path.display();
        Self::usage(
            "NEXT_KEY_PREPARED",
            format!(
                "{path}: 次の鍵がすでに用意されています。その鍵に取り替えるか、先にこのファイルを退避してください"
            ),
            format!(
                "{path}: a next key is prepared already; hand over to that one, or take this file away first"
            ),
        )
    }

    /// For `map_err` on file operations.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::File(path.to_owned(), error)
    }

    /// Its exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(..)
            | Self::Config(_)
            | Self::Setup(_)
            | Self::File(..)
            | Self::Ca(CaError::File { .. } | CaError::Register { .. })
            | Self::Store(StoreError::UnknownDatabase(_)) => Exit::Usage,
            Self::Store(_) | Self::Log(_) | Self::Refused(_) | Self::Rejected(..) | Self::Ca(_) => {
                Exit::Failed
            }
            // Whoever closes our output early (`tasuki-relay office list | head -1`) has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Usage,
        }
    }

    /// Reason word and text; `None` where there is nothing to tell.
    pub(crate) fn explain(&self) -> Option<(&'static str, Text)> {
        let both = |ja: &str, en: &str, detail: &dyn std::fmt::Display| {
            Text::new(format!("{ja}: {detail}"), format!("{en}: {detail}"))
        };
        Some(match self {
            Self::Usage(code, text) | Self::Rejected(code, text) => (code, text.clone()),
            Self::Setup(problem) => {
                ("SETUP", both("設定とファイルを確認してください", "check configuration and files", problem))
            }
            Self::Ca(error) => {
                ("TRIAL_CA", both("試用認証局でできませんでした", "the trial CA could not do it", error))
            }
            Self::Config(error) => {
                ("CONFIG", both("設定を確認してください", "check the configuration", error))
            }
            Self::File(path, error) => {
                let detail = format!("{}: {error}", path.display());
                ("FILE", both("ファイルを扱えません", "the file can't be used", &detail))
            }
            Self::Store(error) => {
                ("STORE_UNAVAILABLE", both("データベースを使えません", "the database can't be used", error))
            }
            Self::Log(fatal) => ("LOG_UNUSABLE", both("記録を書けません", "the log can't be written", fatal)),
            Self::Refused(refused) => {
                let explained = tasuki_proto::reason::explain(refused.code());
                (explained.code, Text::new(explained.ja, explained.en))
            }
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return None,
            Self::Output(error) => {
                ("OUTPUT", both("出力できません", "standard output can't be written", error))
            }
        })
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<BootError> for Failure {
    fn from(error: BootError) -> Self {
        match error {
            BootError::Store(error) => Self::Store(error),
            BootError::Committer(fatal) => Self::Log(fatal),
            BootError::LogKey { path, source: LogError::Replaced } => Self::usage(
                "LOG_KEY_REPLACED",
                format!(
                    "{}: 記録の鍵は取り替え済みで、この鍵では署名できません。取替え後の鍵を戻してください（バックアップの古い鍵ではありませんか）",
                    path.display()
                ),
                format!(
                    "{}: the log was handed over to another key, and this one signs it no more; put the newest key back (is this one from an old backup?)",
                    path.display()
                ),
            ),
            BootError::Key(error) => error.into(),
            BootError::Prepared(path) => Self::prepared(&path),
            BootError::LogKey { .. } => Self::Setup(error.to_string()),
        }
    }
}

impl From<TrustSetupError> for Failure {
    fn from(error: TrustSetupError) -> Self {
        Self::Setup(error.to_string())
    }
}

impl From<CaError> for Failure {
    fn from(error: CaError) -> Self {
        match error {
            CaError::Key(error) => error.into(),
            CaError::Prepared(path) => Self::prepared(&path),
            other => Self::Ca(other),
        }
    }
}

impl From<KeyFileError> for Failure {
    fn from(error: KeyFileError) -> Self {
        match error {
            KeyFileError::Token { at, source } => {
                let told = tasuki_proto::reason::explain(source.code());
                Self::usage(told.code, format!("{at}: {}", told.ja), format!("{at}: {}", told.en))
            }
            other => Self::Setup(other.to_string()),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Fatal> for Failure {
    fn from(fatal: Fatal) -> Self {
        Self::Log(fatal)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

/// Errors of files carry their path ([`Failure::file`]); one without is standard output's.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_end_with_their_code() {
        let config = ConfigError::Value { path: "relay.toml".into(), key: "trial_ca", problem: "" };
        let gone = || io::Error::from(io::ErrorKind::NotFound);
        for (failure, exit) in [
            (Failure::usage("USAGE", "", ""), Exit::Usage),
            (Failure::from(config), Exit::Usage),
            (Failure::file(Path::new("x"))(gone()), Exit::Usage),
            (Failure::from(StoreError::UnknownDatabase("mysql".into())), Exit::Usage),
            (Failure::from(StoreError::NotDurable("fsync is off".into())), Exit::Failed),
            (Failure::from(Refused::Office), Exit::Failed),
            (Failure::rejected("X", "", ""), Exit::Failed),
            (Failure::from(gone()), Exit::Usage),
        ] {
            assert_eq!(failure.exit(), exit, "{failure:?}");
            assert!(failure.explain().is_some(), "{failure:?}");
        }
        let closed = Failure::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((closed.exit(), closed.explain()), (Exit::Done, None));
    }
}
