//! File names of the standard, read and printed.
//!
//! Edition 4.1: `PREFIX_[month_]from_fromkind_to_tokind_serial.CSV`. Up to edition 3.2 the two service kinds were
//! absent. The family image of UPKIHON has a branch number behind the serial and is a `.jpg`.

use std::fmt;
use std::str::FromStr;

use crate::kind::FileKind;
use crate::month::Month;
use crate::office::OfficeNumber;
use crate::serde_text::serde_as_text;
use crate::serial::Serial;
use crate::service::ServiceKind;

/// The name of a standard file, read. Serialized as the canonical name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// What the file holds.
    pub kind: FileKind,
    /// The service month; present exactly for the kinds whose names have one.
    pub month: Option<MonthField>,
    /// The office that sends.
    pub sender: OfficeNumber,
    /// As what the sender sends; `None` in names of edition 3.2, where the recipient's is `None` too.
    pub sender_service: Option<ServiceKind>,
    /// The office that receives.
    pub recipient: OfficeNumber,
    /// As what the recipient receives.
    pub recipient_service: Option<ServiceKind>,
    /// When the send unit was made; the same for all its files.
    pub serial: Serial,
    /// The branch number of an image, 0 to 9999; present exactly for images.
    pub branch: Option<u16>,
}

/// The month in a file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MonthField {
    /// A service month.
    Month(Month),
    /// `000000`: the supplement (UPHOSOKU) of plan documents, which belong to no month.
    PlanDocuments,
}

impl MonthField {
    /// The service month, if it is one.
    pub fn month(self) -> Option<Month> {
        match self {
            Self::Month(month) => Some(month),
            Self::PlanDocuments => None,
        }
    }
}

impl fmt::Display for MonthField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(month) => month.fmt(f),
            Self::PlanDocuments => f.write_str("000000"),
        }
    }
}

/// Why a name is not one of the standard's: the first fault, of prefix, extension, number of parts and then the parts
/// from left to right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileNameError {
    /// Neither a known prefix nor the parts that a name of the standard ends with.
    #[error("the name is not built like a name of the standard")]
    NotStandard,
    /// The name is built like one of the standard, but its prefix is none of the eighteen.
    #[error("the prefix of the name is none of the standard's")]
    UnknownPrefix,
    /// Not `.CSV` (for images: `.jpg`), in any case.
    #[error("the extension is not the one of this file kind")]
    Extension,
    /// Too few or too many parts between underscores.
    #[error("the name has too few or too many parts")]
    PartCount,
    /// No service kinds, though edition 3.2, where names had none, did not know this file kind.
    #[error("the service kinds of sender and recipient are missing")]
    ServiceKindsMissing,
    /// Not an existing month (`000000` is one for UPHOSOKU only).
    #[error("the month is not an existing month")]
    Month,
    /// Not ten digits.
    #[error("the sender is not an office number of ten digits")]
    Sender,
    /// Not two digits or upper-case letters.
    #[error("the sender's service kind is not two digits or upper-case letters")]
    SenderService,
    /// Not ten digits.
    #[error("the recipient is not an office number of ten digits")]
    Recipient,
    /// Not two digits or upper-case letters.
    #[error("the recipient's service kind is not two digits or upper-case letters")]
    RecipientService,
    /// Not fourteen digits, or no existing date and time.
    #[error("the serial is not an existing date and time of fourteen digits")]
    Serial,
    /// Not four digits.
    #[error("the branch number is not four digits")]
    Branch,
}

/// Parts behind the month and before the branch number, with service kinds (edition 4.1) and without (3.2).
const PARTS_4_1: usize = 5;
const PARTS_3_2: usize = 3;

impl FileName {
    /// The kind that the name claims by its prefix, whether or not the rest parses.
    pub fn claimed_kind(name: &str) -> Option<FileKind> {
        split_prefix(split_extension(name).0).map(|(kind, _)| kind)
    }

    /// Reads a name of edition 3.2 or 4.1. The extension may be written in any case, the rest must be exact.
    pub fn parse(name: &str) -> Result<Self, FileNameError> {
        let (stem, extension) = split_extension(name);
        let Some((kind, rest)) = split_prefix(stem) else {
            let named_like_one = extension.eq_ignore_ascii_case("CSV") && ends_like_standard(stem);
            return Err(if named_like_one {
                FileNameError::UnknownPrefix
            } else {
                FileNameError::NotStandard
            });
        };
        if !extension.eq_ignore_ascii_case(extension_of(kind)) {
            return Err(FileNameError::Extension);
        }
        let mut parts: Vec<&str> = rest.split('_').collect();
        let surplus = usize::from(kind.has_month()) + usize::from(kind.is_image());
        let with_services = match parts.len().checked_sub(surplus) {
            Some(PARTS_4_1) => true,
            Some(PARTS_3_2) if kind.in_edition_3_2() => false,
            Some(PARTS_3_2) => return Err(FileNameError::ServiceKindsMissing),
            _ => return Err(FileNameError::PartCount),
        };
        let branch_part = if kind.is_image() { parts.pop() } else { None };
        let mut parts = parts.into_iter();
        // The count was checked above: a part that were missing all the same would fail its own check.
        let mut part = || parts.next().unwrap_or_default();

        Ok(Self {
            kind,
            month: if kind.has_month() { Some(parse_month(kind, part())?) } else { None },
            sender: part().parse().map_err(|_| FileNameError::Sender)?,
            sender_service: parse_service(with_services, &mut part, FileNameError::SenderService)?,
            recipient: part().parse().map_err(|_| FileNameError::Recipient)?,
            recipient_service: parse_service(with_services, &mut part, FileNameError::RecipientService)?,
            serial: part().parse().map_err(|_| FileNameError::Serial)?,
            branch: branch_part.map(parse_branch).transpose()?,
        })
    }
}

impl FromStr for FileName {
    type Err = FileNameError;

    fn from_str(name: &str) -> Result<Self, FileNameError> {
        Self::parse(name)
    }
}

/// The canonical name: `.CSV` in upper case, as the standard demands, and `.jpg` in lower case.
impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_", self.kind)?;
        if let Some(month) = self.month {
            write!(f, "{month}_")?;
        }
        for (office, service) in
            [(self.sender, self.sender_service), (self.recipient, self.recipient_service)]
        {
            write!(f, "{office}_")?;
            if let Some(service) = service {
                write!(f, "{service}_")?;
            }
        }
        write!(f, "{}", self.serial)?;
        if let Some(branch) = self.branch {
            write!(f, "_{branch:04}")?;
        }
        write!(f, ".{}", extension_of(self.kind))
    }
}

serde_as_text!(FileName, "a file name of the care-plan standard");

/// Whether a file claims to be one of the standard's, rightly or not: its name begins with a known prefix (in any
/// case), or it is a CSV named in the standard's way. Such a file is checked; every other is an attachment.
pub fn looks_standard(name: &str) -> bool {
    let known_prefix = FileKind::ALL.iter().any(|kind| {
        let prefix = kind.prefix().as_bytes();
        name.as_bytes().split_at_checked(prefix.len()).is_some_and(|(start, rest)| {
            start.eq_ignore_ascii_case(prefix) && matches!(rest.first(), None | Some(b'_' | b'.'))
        })
    });
    known_prefix || FileName::parse(name) == Err(FileNameError::UnknownPrefix)
}

/// The extension of a kind's canonical name.
fn extension_of(kind: FileKind) -> &'static str {
    if kind.is_image() { "jpg" } else { "CSV" }
}

/// A name without an extension has the empty one.
fn split_extension(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

/// The kind whose prefix the stem begins with, and what stands behind the underscore; the longest prefix counts,
/// since `UPKIHON` begins `UPKIHON_SUB1`.
fn split_prefix(stem: &str) -> Option<(FileKind, &str)> {
    FileKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let rest = stem.strip_prefix(kind.prefix())?;
            if rest.is_empty() { Some((kind, rest)) } else { Some((kind, rest.strip_prefix('_')?)) }
        })
        .max_by_key(|(kind, _)| kind.prefix().len())
}

/// Whether the stem ends like a standard CSV name: office, service kind, office, service kind (or the offices alone)
/// and serial, with something before them.
fn ends_like_standard(stem: &str) -> bool {
    let mut parts = stem.rsplit('_').peekable();
    let serial = parts.next().is_some_and(|part| part.parse::<Serial>().is_ok());
    let mut office = || {
        parts.next_if(|part| part.parse::<ServiceKind>().is_ok());
        parts.next().is_some_and(|part| part.parse::<OfficeNumber>().is_ok())
    };
    serial && office() && office() && parts.next().is_some()
}

fn parse_month(kind: FileKind, part: &str) -> Result<MonthField, FileNameError> {
    if part == "000000" && kind == FileKind::Uphosoku {
        return Ok(MonthField::PlanDocuments);
    }
    part.parse().map(MonthField::Month).map_err(|_| FileNameError::Month)
}

fn parse_service<'a>(
    present: bool,
    mut part: impl FnMut() -> &'a str,
    error: FileNameError,
) -> Result<Option<ServiceKind>, FileNameError> {
    if present { part().parse().map(Some).map_err(|_| error) } else { Ok(None) }
}

fn parse_branch(part: &str) -> Result<u16, FileNameError> {
    let four_digits = part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_digit());
    if four_digits { part.parse().map_err(|_| FileNameError::Branch) } else { Err(FileNameError::Branch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLIP: &str = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";

    #[test]
    fn edition_4_1_names_are_read() {
        let name = FileName::parse(SLIP).unwrap();
        assert_eq!(name.kind, FileKind::Upplan);
        assert_eq!(
            name.month.and_then(MonthField::month).map(|month| month.to_string()),
            Some("202602".into())
        );
        assert_eq!((name.sender.as_str(), name.recipient.as_str()), ("1371215102", "9971100012"));
        assert_eq!(name.sender_service.map(|kind| kind.to_string()), Some("43".into()));
        assert_eq!(name.recipient_service.map(|kind| kind.to_string()), Some("11".into()));
        assert_eq!((name.serial.to_string(), name.branch), ("20260125103000".into(), None));
    }

    #[test]
    fn edition_3_2_names_have_no_service_kinds() {
        let name = FileName::parse("UPJSK_202307_9971100012_1371215102_20230801100000.CSV").unwrap();
        assert_eq!((name.sender_service, name.recipient_service), (None, None));
        assert_eq!(name.recipient.as_str(), "1371215102");
        assert!(FileName::parse("DLT1KYO_1371215102_9971100012_20230801100000.CSV").is_ok());
    }

    #[test]
    fn images_have_a_branch_and_supplements_of_plans_no_month() {
        let image =
            FileName::parse("UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0012.JPG").unwrap();
        assert_eq!((image.kind, image.month, image.branch), (FileKind::UpkihonImage, None, Some(12)));
        assert_eq!(image.to_string(), "UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0012.jpg");
        let supplement =
            FileName::parse("UPHOSOKU_000000_1371215102_43_9971100012_11_20260120101500.CSV").unwrap();
        assert_eq!(supplement.month, Some(MonthField::PlanDocuments));
    }

    #[test]
    fn names_print_as_the_standard_writes_them() {
        for sample in crate::samples::all() {
            let name = FileName::parse(sample.name).unwrap();
            assert_eq!(name.to_string(), sample.name);
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(serde_json::from_str::<FileName>(&json).unwrap(), name);
        }
        assert_eq!(FileName::parse(&SLIP.replace("CSV", "csv")).unwrap().to_string(), SLIP);
    }

    #[test]
    fn every_kind_parses_its_own_pattern() {
        for kind in FileKind::ALL {
            let mut text = kind.name_pattern().to_owned();
            for (part, value) in [
                ("{month:6}", "202602"),
                ("{from_office:10}", "1371215102"),
                ("{from_service:2}", "43"),
                ("{to_office:10}", "9971100012"),
                ("{to_service:2}", "A6"),
                ("{serial:14}", "20260125103000"),
                ("{branch:4}", "0001"),
            ] {
                text = text.replace(part, value);
            }
            assert_eq!(FileName::parse(&text).map(|name| (name.kind, name.to_string())), Ok((kind, text)));
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        use FileNameError as E;
        let cases = [
            ("", E::NotStandard),
            ("memo.pdf", E::NotStandard),
            ("data.CSV", E::NotStandard),
            ("_1371215102_43_9971100012_11_20260125103000", E::NotStandard),
            ("UPPLANX.CSV", E::NotStandard),
            ("CAREPLAN_1371215102_20260125103000.CSV", E::NotStandard),
            ("ATTACH_a_1371215102_9971100012_20260125103000_0001.csv", E::NotStandard),
            ("UPFOO_202602_1371215102_43_9971100012_11_20260125103000.CSV", E::UnknownPrefix),
            ("upplan_202602_1371215102_43_9971100012_11_20260125103000.csv", E::UnknownPrefix),
            ("UPFOO_1371215102_9971100012_20260125103000.CSV", E::UnknownPrefix),
            ("UPPLAN", E::Extension),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000", E::Extension),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.TXT", E::Extension),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.jpg", E::Extension),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV ", E::Extension),
            ("UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0001.CSV", E::Extension),
            ("UPPLAN.CSV", E::PartCount),
            ("UPPLAN_.CSV", E::PartCount),
            ("UPPLAN_1371215102_43_9971100012_11_20260125103000.CSV", E::PartCount),
            ("UPPLAN_202602_1371215102_43_9971100012_20260125103000.CSV", E::PartCount),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000_1.CSV", E::PartCount),
            ("UPKIHON_SUB3_9900100042_46_1371215102_43_20250402140000.CSV", E::PartCount),
            ("UP3KYO_1371215102_9971100012_20230801100000.CSV", E::ServiceKindsMissing),
            ("UPPLAN_202613_1371215102_43_9971100012_11_20260125103000.CSV", E::Month),
            ("UPPLAN_000000_1371215102_43_9971100012_11_20260125103000.CSV", E::Month),
            ("UPPLAN_20262_1371215102_43_9971100012_11_20260125103000.CSV", E::Month),
            ("UPPLAN_202602_137121510_43_9971100012_11_20260125103000.CSV", E::Sender),
            ("UPPLAN_202602_１３７１２１５１０２_43_9971100012_11_20260125103000.CSV", E::Sender),
            ("UPPLAN_202602_1371215102_043_9971100012_11_20260125103000.CSV", E::SenderService),
            ("UPPLAN_202602_1371215102_43_99711000122_11_20260125103000.CSV", E::Recipient),
            ("UPPLAN_202602_1371215102_43_9971100012_a6_20260125103000.CSV", E::RecipientService),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260230103000.CSV", E::Serial),
            ("UPPLAN_202602_1371215102_43_9971100012_11_202601251030001.CSV", E::Serial),
            ("UPPLAN_202602_1371215102_43_9971100012_11_20260125.103000.CSV", E::Serial),
            ("UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_001.jpg", E::Branch),
            ("UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_+001.jpg", E::Branch),
            ("UPKIHON_1371215102_43_9971100053_A6_20250403140000_0001.CSV", E::PartCount),
        ];
        for (name, error) in cases {
            assert_eq!(FileName::parse(name), Err(error), "{name}");
        }
    }

    #[test]
    fn what_claims_to_be_standard() {
        let standard = [
            SLIP,
            "UPPLAN",
            "UPPLAN.CSV",
            "upplan_x.csv",
            "UPPLAN_202602.pdf",
            "UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0001.jpg",
            "UPFOO_202602_1371215102_43_9971100012_11_20260125103000.CSV",
        ];
        for name in standard {
            assert!(looks_standard(name), "{name}");
        }
        let attachments = [
            "",
            ".",
            "memo.pdf",
            "UPPLANNING.pdf",
            "UPPLÄN.CSV",
            "退院記録.csv",
            "patients.csv",
            "ATTACH_a_1371215102_9971100012_20260125103000_0001.csv",
            "CAREPLAN_1371215102_20260125103000.CSV",
            "UPFOO_202602_1371215102_43_9971100012_11_20260125103000.pdf",
        ];
        for name in attachments {
            assert!(!looks_standard(name), "{name}");
        }
    }
}
