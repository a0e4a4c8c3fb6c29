//! The client library of Tasuki: what care software calls to send and receive parcels.
//!
//! | looking for | module |
//! |---|---|
//! | the folder with keys, settings and state | [`home`], [`config`] |
//! | everything that needs the relay | [`Client`] |
//! | from files to parcels, outbox, resuming | [`send`] |
//! | checking files offline; a folder for each parcel, or one file for each kind | [`mod@check`], [`split`], [`join`] |
//! | fetch, verify, store, acknowledge | [`receive`] |
//! | release, discard, recall, refuse, import, remark, request | [`declare`] |
//! | what happened, in order, without gaps | [`feed`] |
//! | what the relay's log lost, if its database was set back | [`Losses`] |
//! | what the relay did not accept; where a parcel stopped; what is overdue | [`RefusedSubmission`], [`Station`], [`Overdue`] |
//! | plan and result of a month | [`month_progress`] |
//! | proof for the files | [`evidence`], and checking it offline: [`verify`] |
//! | vouching for the log | [`Witness`] |
//! | one certificate for many offices | [`proxy`] |
//! | what can go wrong, exit codes | [`error`] |
//!
//! *Architecture invariants:* everything received is verified here, the relay is not believed; the clock is a
//! parameter ([`Clock`]); nothing that takes long runs on tokio's own threads.

pub mod access;
mod archive;
mod blocking;
pub mod check;
mod checkpoints;
mod client;
mod clock;
pub mod config;
mod crls;
pub mod declare;
mod directory;
mod enrol;
mod epochs;
pub mod error;
pub mod evidence;
mod export;
pub mod feed;
mod files;
mod finding;
mod heap;
pub mod home;
pub mod join;
mod keep;
mod kept;
mod keys;
mod known_offices;
mod mail;
mod malware;
mod mandates;
mod membership;
pub mod month_progress;
pub mod notices;
mod overdue;
mod papers;
mod parcel;
mod partners;
mod partnership;
mod pem;
mod progress;
pub mod proxy;
pub mod receive;
mod refused;
mod renew;
mod secret;
pub mod send;
pub mod split;
mod stamped;
mod stations;
mod tracking;
mod transport;
mod trust;
pub mod verify;
mod webhook;
mod witness;

#[cfg(test)]
mod testing;

pub use client::Client;
pub use clock::{Clock, FixedClock, SystemClock};
pub use directory::{Office, OfficeChanges, RelayInfo};
pub use enrol::{EnrolOptions, Enrolled, enrol};
pub use epochs::{Losses, LostParcel, LostRange};
pub use error::{ErrorKind, SdkError};
pub use export::{ExportOptions, Exported};
pub use finding::Finding;
pub use home::{Home, IdentityFiles, InitOptions, Initialised};
pub use kept::KeptKey;
pub use mail::MailSettings;
pub use mandates::{DelegationTerms, Mandate, MandateHolder, MandateState, TerminalInvitation};
pub use membership::Standing;
pub use overdue::{MAX_WORKING_DAYS, Overdue};
pub use parcel::{FileSummary, Marks, Parcel, ParcelHistory, ParcelName, State};
pub use partners::{FaxReason, NotReached, Partners, PartnersError};
pub use partnership::{Partner, Partnerships};
pub use progress::{Progress, Silent, Step};
pub use refused::RefusedSubmission;
pub use renew::{OwnCertificate, Papers as RenewedPapers, Renewed};
pub use secret::Secret;
pub use stations::{Passage, Place, Station, Unsent, Via, Waypoints};
/// Ends the work with the drivers of tokens (PKCS #11). A program that has used one calls it last, when no client is left: a driver that is
/// still at work while the process ends may crash it.
pub use tasuki_certs::token::close_all as close_tokens;
pub use tracking::ListFilter;
pub use webhook::{DeadLetter, Webhook};
pub use witness::{Cosigned, Witness};
