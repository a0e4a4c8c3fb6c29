//! How the command ends: exit codes, and what stops it.

use std::io;
use std::process::ExitCode;

use tasuki_sdk::error::{ErrorKind, SdkError};

use crate::lang::Text;

/// Exit codes. Scripts rely on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// Something was rejected, or did not verify.
    Rejected = 1,
    /// Usage, configuration, or this computer's files.
    Usage = 2,
    /// The relay was not reachable; running the same again is safe and resumes.
    Unreachable = 3,
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Rejected | ErrorKind::Verification => Self::Rejected,
            ErrorKind::Usage | ErrorKind::Io => Self::Usage,
            ErrorKind::Unreachable => Self::Unreachable,
        }
    }
}

impl From<Option<ErrorKind>> for Exit {
    fn from(worst: Option<ErrorKind>) -> Self {
        worst.map_or(Self::Done, Self::from)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What stops a command before it has a result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The library's error.
    Sdk(SdkError),
    /// The command was called in a way that makes no sense.
    Usage(Text),
    /// Something outside failed for good; its stable word, and what to do.
    Stopped(&'static str, Text),
    /// Standard output can't be written.
    Output(io::Error),
}

impl Failure {
    /// A usage error.
    pub(crate) fn usage(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self::Usage(Text::new(ja, en))
    }

    /// Its exit code.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Sdk(error) => error.kind().into(),
            // Whoever closes our output early (`tasuki inbox | head -1`) has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Stopped(..) => Exit::Rejected,
            Self::Usage(_) | Self::Output(_) => Exit::Usage,
        }
    }
}

impl From<SdkError> for Failure {
    fn from(error: SdkError) -> Self {
        Self::Sdk(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::error::{ConfigError, Refusal, Unreachable, VerificationError};

    use super::*;

    #[test]
    fn every_kind_of_error_has_its_exit_code() {
        let kinds = [
            (ErrorKind::Rejected, 1),
            (ErrorKind::Verification, 1),
            (ErrorKind::Usage, 2),
            (ErrorKind::Io, 2),
            (ErrorKind::Unreachable, 3),
        ];
        for (kind, code) in kinds {
            assert_eq!(Exit::from(kind) as u8, code, "{kind:?}");
            // The library documents the same codes.
            assert_eq!(kind.exit_code(), code, "{kind:?}");
        }
        assert_eq!(Exit::from(None::<ErrorKind>) as u8, 0);
    }

    #[test]
    fn failures_end_with_their_code() {
        let sdk = |error: SdkError| Failure::from(error).exit();
        assert_eq!(sdk(Refusal::of("RECIPIENT_UNKNOWN").into()), Exit::Rejected);
        assert_eq!(sdk(VerificationError::Digest.into()), Exit::Rejected);
        assert_eq!(sdk(ConfigError::NoAnchor.into()), Exit::Usage);
        assert_eq!(sdk(Unreachable::Timeout.into()), Exit::Unreachable);
        assert_eq!(Failure::usage("", "").exit(), Exit::Usage);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::BrokenPipe)).exit(), Exit::Done);
        assert_eq!(Failure::from(io::Error::from(io::ErrorKind::StorageFull)).exit(), Exit::Usage);
    }
}
