//! The Japanese care-plan data exchange standard (ケアプランデータ連携標準仕様), executable.
//!
//! Pure functions over names and bytes: no files, no clock, no network. The SDK runs them before it signs,
//! the relay at its door, and vendors in their own tests.
//!
//! - A file's name says what it is and for whom: [`file_name::FileName`], made of [`kind::FileKind`],
//!   [`office::OfficeNumber`], [`service::ServiceKind`], [`month::Month`] and [`serial::Serial`].
//! - [`check::check_file`] judges a file; what it has to say are [`finding::Findings`], in Japanese and English.
//! - [`group::group`] sorts a heap of files into what travels together, [`words::describe`] says what that is.
//! - The standard's tables are data, copied into `data/` and parsed once: file kinds, service kinds,
//!   [`edition::Edition`]s and record [`layout::Layout`]s. The next edition is a new table.
//! - [`samples::all`] are clean files to try all this on.
//!
//! Editions 3.2 and 4.1 are known.
//!
//! ```
//! use tasuki_careplan::{check::check_file, file_name::FileName, samples};
//!
//! for sample in samples::all() {
//!     let name: FileName = sample.name.parse()?;
//!     assert!(check_file(sample.name, sample.bytes).is_clean());
//!     println!("{} from {} to {}", name.kind.name_en(), name.sender, name.recipient);
//! }
//! # Ok::<(), tasuki_careplan::file_name::FileNameError>(())
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
pub mod record;
pub mod samples;
pub mod serial;
pub mod service;
pub mod severity;
pub mod unit;
pub mod words;
