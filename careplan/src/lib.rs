//! The Japanese care-plan data exchange standard (ケアプランデータ連携標準仕様), executable.
//!
//! Pure functions over names and bytes: no files, no clock, no network. The SDK runs them before it signs,
//! the relay at its door, and vendors in their own tests. Editions 3.2 and 4.1 are known.
//!
//! - A file's name says what it is and for whom: [`file_name::FileName`], made of [`kind::FileKind`],
//!   [`office::OfficeNumber`], [`service::ServiceKind`], [`month::Month`] and [`serial::Serial`].
//! - The standard's tables are data, copied into `data/` and parsed once: file kinds, service kinds, send units,
//!   [`edition::Edition`]s and record [`layout::Layout`]s. The next edition is a new table. What the standard's text leaves
//!   open is read in `data/readings.csv`, with a reason for each.
//! - [`samples::all`] are clean files to try all this on.
//!
//! # Checking
//!
//! [`check::check_file`] judges one file, [`parcel::check_parcel`] files that travel together. What they have to say are
//! [`finding::Findings`], in Japanese and English, with stable [`finding::RuleId`]s; [`severity::Severities`] make them
//! stricter.
//!
//! ```
//! use tasuki_careplan::{check::check_file, file_name::FileName, samples};
//!
//! for sample in samples::all() {
//!     let name: FileName = sample.name.parse()?;
//!     assert!(check_file(sample.name, sample.bytes).is_clean());
//!     println!("{} from {} to {}", name.kind.name_en(), name.sender, name.recipient);
//! }
//! let findings = check_file("DLTPLAN_202602_1371215102_43_9971100012_11_20260126090000.CSV", b"202407,131128,1,202602");
//! let finding = findings.iter().next().expect("an insured number has ten characters");
//! assert_eq!((finding.rule.as_str(), finding.line, finding.item), ("LENGTH", Some(1), Some(3)));
//! # Ok::<(), tasuki_careplan::file_name::FileNameError>(())
//! ```
//!
//! # Send units
//!
//! [`unit::recognise`] sorts a heap of files into the standard's send units (送信単位) and tells what belongs to none;
//! [`unit::SendUnit::words`] says what a unit is. [`group::group`] sorts by sender, recipient and serial alone, which is what
//! one parcel carries.
//!
//! ```
//! use tasuki_careplan::file_name::FileName;
//! use tasuki_careplan::{samples, unit};
//!
//! let names: Vec<FileName> = samples::all().iter().filter_map(|sample| sample.name.parse().ok()).collect();
//! let heap = unit::recognise(&names);
//! let slips = heap.units.iter().filter(|unit| unit.class() == unit::UnitClass::Slip);
//! assert_eq!((slips.count(), heap.unneeded().len()), (4, 0));
//! ```
//!
//! # Reading and writing
//!
//! [`record::RecordReader`] reads records by the English names of their items, typed as [`record::Value`]; what is not
//! changed is written back byte for byte. [`ms932::encode`] says which characters MS932 lacks and what to write instead.
//!
//! ```
//! use tasuki_careplan::edition::Edition;
//! use tasuki_careplan::kind::FileKind;
//! use tasuki_careplan::record::{Record, SetError};
//!
//! let mut record = Record::new(FileKind::Dlt1kyo, Edition::V4_1).expect("edition 4.1 has this kind");
//! record.set("insurer_no", "131128")?;
//! record.set("insured_no", "1234567896")?;
//! record.set("plan_created_on", "20260120")?;
//! let mut bytes = Vec::new();
//! record.write_to(&mut bytes);
//! assert_eq!(bytes, b"202407,131128,1234567896,20260120\r\n");
//! # Ok::<(), SetError>(())
//! ```
//!
//! # Splitting and joining
//!
//! [`one_file::split`] and [`one_file::join`] turn files into the one-file form (案②) and back; [`join::join`] makes one file
//! of each kind for import; [`misdirected::drop_misdirected`] takes users out of slips that go to the wrong office. Each
//! has its example.
//!
//! # Attachments
//!
//! [`attachment::AttachmentName`] is a name that says where an attachment goes; [`documents::Registry`] knows the types of other
//! documents; [`attachment::Content`] tells what a file is.
//!
//! ```
//! use tasuki_careplan::attachment::{AttachmentName, Content};
//! use tasuki_careplan::documents::Registry;
//!
//! let name: AttachmentName = "ATTACH_signed-use-slip_1371215102_9971100012_20260125103000_0001.pdf".parse()?;
//! let document = Registry::built_in().get(&name.document).expect("it is a known type");
//! assert_eq!(document.formats, [Content::Pdf]);
//! assert!(Content::Pdf.is(b"%PDF-1.7") && !Content::Pdf.is(b"\x89PNG\r\n\x1A\n"));
//! # Ok::<(), tasuki_careplan::attachment::InvalidAttachmentName>(())
//! ```

mod judge;
mod records;
mod serde_text;
mod table;

pub mod attachment;
pub mod calendar;
pub mod check;
pub mod documents;
pub mod edition;
pub mod file;
pub mod file_name;
pub mod finding;
pub mod group;
pub mod join;
pub mod kind;
pub mod layout;
pub mod misdirected;
pub mod month;
pub mod ms932;
pub mod office;
pub mod one_file;
pub mod parcel;
pub mod policy;
pub mod record;
pub mod samples;
pub mod serial;
pub mod service;
pub mod severity;
pub mod unit;
pub mod words;
pub mod working_days;
