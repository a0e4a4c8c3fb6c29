//! The one-file form (案②): all files of a sender and serial in one CSV, as the national study proposed for care software that
//! hands over everything at once.
//!
//! MS932, CRLF, named `CAREPLAN_{from:10}_{serial:14}.CSV`. Columns 1 to 3 are the prefix of the file type, the sender and the
//! recipient (office number and service kind as `NNNNNNNNNN_KK`; the kind is empty for edition 3.2), then comes the record
//! as it is. The month of a file is that of its records. Order: type, destination, record.

mod join;
mod split;

use std::fmt;
use std::str::FromStr;

use crate::office::OfficeNumber;
use crate::serial::Serial;
use crate::service::ServiceKind;

pub use join::{JoinError, OneFile, join};
pub use split::split;

/// Columns before the record.
const COLUMNS: usize = 3;

/// The name of a file in the one-file form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OneFileName {
    /// The office that sends.
    pub sender: OfficeNumber,
    /// The serial of all its files.
    pub serial: Serial,
}

/// The name is not `CAREPLAN_{from:10}_{serial:14}.CSV`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the name is not CAREPLAN_{{from:10}}_{{serial:14}}.CSV")]
pub struct InvalidOneFileName;

impl FromStr for OneFileName {
    type Err = InvalidOneFileName;

    /// The extension may be written in any case, the rest must be exact.
    fn from_str(name: &str) -> Result<Self, InvalidOneFileName> {
        let parse = || {
            let (stem, extension) = name.rsplit_once('.')?;
            let (sender, serial) = stem.strip_prefix("CAREPLAN_")?.split_once('_')?;
            let name = Self { sender: sender.parse().ok()?, serial: serial.parse().ok()? };
            extension.eq_ignore_ascii_case("CSV").then_some(name)
        };
        parse().ok_or(InvalidOneFileName)
    }
}

impl fmt::Display for OneFileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAREPLAN_{}_{}.CSV", self.sender, self.serial)
    }
}

/// Whether a file claims to be in the one-file form, by the beginning of its name in any case.
pub fn looks_like_one_file(name: &str) -> bool {
    name.split_at_checked("CAREPLAN_".len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case("CAREPLAN_"))
}

/// An office and as what it sends or receives, as columns 2 and 3 have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Party {
    office: OfficeNumber,
    service: Option<ServiceKind>,
}

impl Party {
    /// The kind of edition 3.2 is empty; the underscore before it may be missing then.
    fn of(column: &[u8]) -> Option<Self> {
        let (office, rest) = column.split_at_checked(10)?;
        let office = OfficeNumber::from_bytes(office)?;
        let service = match rest.strip_prefix(b"_").unwrap_or(rest) {
            b"" => None,
            kind if rest.len() == 3 => Some(ServiceKind::from_bytes(kind)?),
            _ => return None,
        };
        Some(Self { office, service })
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_", self.office)?;
        self.service.map_or(Ok(()), |service| service.fmt(f))
    }
}

#[cfg(test)]
mod tests;
