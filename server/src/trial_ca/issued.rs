//! The register of what the trial CA has issued: one JSON object a line, only ever added to.
//!
//! Whoever adds holds the CA's lock. A line without its end is what a crash left of an entry that was never
//! confirmed: it does not count, and goes with the next entry.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::CaError;
use crate::files;

/// One certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedEntry {
    /// Office or proxy number; of a terminal, its office and its name: `1371215102:reception`.
    pub number: String,
    /// SHA-256 of the certificate, hexadecimal.
    pub fingerprint: String,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// When, RFC 3339.
    pub issued_at: String,
}

/// What a certificate is looked up by, hexadecimal in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// SHA-256 of the certificate.
    Fingerprint(String),
    /// Serial number; leading zeros make no difference.
    Serial(String),
}

impl Wanted {
    fn is(&self, entry: &IssuedEntry) -> bool {
        match self {
            Self::Fingerprint(fingerprint) => entry.fingerprint == *fingerprint,
            Self::Serial(serial) => entry.serial.trim_start_matches('0') == serial.trim_start_matches('0'),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(text) | Self::Serial(text) => f.write_str(text),
        }
    }
}

/// Adds an entry; it is durable when this returns.
pub(super) fn add(path: &Path, entry: &IssuedEntry) -> Result<(), CaError> {
    let line = serde_json::to_string(entry).expect("strings always serialise");
    let added = mend(path).and_then(|()| files::append_line(path, &line));
    added.map_err(|source| CaError::File { path: path.to_owned(), source })
}

/// Takes away a last line that has no end.
fn mend(path: &Path) -> io::Result<()> {
    let mut file = match File::options().read(true).write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = file.seek(SeekFrom::End(0))?;
    if length == 0 {
        return Ok(());
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    if last == *b"\n" {
        return Ok(());
    }
    let whole = fs::read(path)?.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    file.set_len(whole as u64)?;
    file.sync_all()
}

/// Looks an entry up.
pub(super) fn find(path: &Path, wanted: &Wanted) -> Result<Option<IssuedEntry>, CaError> {
    let file_error = |source| CaError::File { path: path.to_owned(), source };
    let mut reader = match File::open(path) {
        Ok(file) => BufReader::new(file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(file_error(error)),
    };
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        reader.read_until(b'\n', &mut line).map_err(file_error)?;
        if !line.ends_with(b"\n") {
            break;
        }
        let entry: IssuedEntry = serde_json::from_slice(&line)
            .map_err(|_| CaError::Register { path: path.to_owned(), line: number })?;
        if wanted.is(&entry) {
            return Ok(Some(entry));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn entry(serial: &str) -> IssuedEntry {
        IssuedEntry {
            number: "1371215102".to_owned(),
            fingerprint: format!("f{serial}"),
            serial: serial.to_owned(),
            issued_at: "2026-11-21T11:38:34.000123Z".to_owned(),
        }
    }

    fn by_serial(serial: &str) -> Wanted {
        Wanted::Serial(serial.to_owned())
    }

    #[test]
    fn entries_are_found_by_serial_number_and_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issued.jsonl");
        assert_eq!(find(&path, &by_serial("01")).unwrap(), None);
        add(&path, &entry("01")).unwrap();
        add(&path, &entry("0a")).unwrap();
        assert_eq!(find(&path, &by_serial("a")).unwrap(), Some(entry("0a")));
        assert_eq!(find(&path, &Wanted::Fingerprint("f01".to_owned())).unwrap(), Some(entry("01")));
        assert_eq!(find(&path, &by_serial("02")).unwrap(), None);
    }

    #[test]
    fn half_a_line_of_a_crash_disturbs_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("issued.jsonl");
        add(&path, &entry("01")).unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"{\"number\":\"13").unwrap();
        assert_eq!(find(&path, &by_serial("01")).unwrap(), Some(entry("01")));
        assert_eq!(find(&path, &by_serial("02")).unwrap(), None);
        add(&path, &entry("02")).unwrap();
        assert_eq!(find(&path, &by_serial("02")).unwrap(), Some(entry("02")));
        // A whole line that is no entry is damage: revoking on half a register would be a guess.
        File::options().append(true).open(&path).unwrap().write_all(b"damage\n").unwrap();
        let error = find(&path, &by_serial("03")).unwrap_err();
        assert!(matches!(error, CaError::Register { line: 3, .. }), "{error}");
    }
}
