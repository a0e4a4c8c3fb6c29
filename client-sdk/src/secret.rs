//! Passwords and PINs. They never come as arguments: whoever uses the same computer sees those.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::PathBuf;

use crate::error::SdkError;

/// Longest password, in bytes, with what may stand around it: what is longer is another file.
const MAX_BYTES: u64 = 4_096;

/// Where a password or a PIN comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// The first line of a file.
    File(PathBuf),
    /// It was read already: at a prompt, or from a descriptor.
    Given(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Given(_) => f.write_str("Given(…)"),
        }
    }
}

impl Secret {
    /// The first line that somebody gives; a descriptor gives it once.
    ///
    /// # Errors
    /// If it can't be read, or is no UTF-8.
    pub fn first_line(from: impl Read) -> io::Result<Self> {
        line_of(from).map(Self::Given)
    }

    /// The password itself.
    pub(crate) fn read(&self) -> Result<String, SdkError> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File(path) => File::open(path).and_then(line_of).map_err(|e| SdkError::io(path, &e)),
        }
    }
}

fn line_of(from: impl Read) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(from.take(MAX_BYTES)).read_line(&mut line)?;
    // Windows' editors add a byte order mark and CR.
    let line = line.trim_end_matches(['\r', '\n']);
    Ok(line.strip_prefix('\u{feff}').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_counts_and_nobody_prints_it() {
        for text in ["秘密 1", "秘密 1\n", "\u{feff}秘密 1\r\nmore", "秘密 1\n\n"] {
            let secret = Secret::first_line(text.as_bytes()).unwrap();
            assert_eq!(secret, Secret::Given("秘密 1".to_owned()));
            assert!(!format!("{secret:?}").contains("秘密"));
        }
        assert_eq!(Secret::first_line(&b""[..]).unwrap(), Secret::Given(String::new()));
        assert!(Secret::first_line(&b"\xff\xfe"[..]).is_err());
        let folder = crate::testing::folder("secret");
        let path = folder.path().join("pass");
        std::fs::write(&path, "first\r\nsecond").unwrap();
        assert_eq!(Secret::File(path).read().unwrap(), "first");
        assert!(Secret::File(folder.path().join("none")).read().is_err());
    }
}
