//! The Japanese care-plan data exchange standard (ケアプランデータ連携標準仕様), executable.
//!
//! Pure functions over names and bytes: no files, no clock, no network. The SDK runs them before it signs,
//! the relay at its door, and vendors in their own tests.
//!
//! - A file's name says what it is and for whom: [`file_name::FileName`], made of [`kind::FileKind`],
//!   [`office::OfficeNumber`], [`service::ServiceKind`], [`month::Month`] and [`serial::Serial`].
//! - The standard's tables are data, copied into `data/` and parsed once: file kinds, service kinds, editions.
//!
//! Editions 3.2 and 4.1 are known.

mod serde_text;
mod records;
mod table;

pub mod file_name;
pub mod kind;
pub mod month;
pub mod office;
pub mod serial;
pub mod service;
