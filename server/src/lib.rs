//! The relay: `rpc` → `intake` → `store`; see ARCHITECTURE.md for the walk-through.
//!
//! | looking for | module |
//! |---|---|
//! | commands and flags | `cli`, `commands` |
//! | `relay.toml` | [`config`] |
//! | start, serving, drain | [`boot`], [`serve`], [`shutdown`] |
//! | the relay's own TLS certificate | [`server_certificate`] |
//! | TLS at the door; who may call | [`accept`], [`access`] |
//! | offices and their keys, cached | [`directory`] |
//! | trust anchors, CRLs, override; the trial CA | [`trust`], [`trial_ca`] |
//! | CRLs over HTTP, OCSP | `fetched_lists`, `ocsp`, `fetch` |
//! | checking and sealing a parcel | [`intake`] |
//! | gRPC handlers | [`rpc`] |
//! | changes of state, their events, the log | [`committer`], [`evidence`] |
//! | sealed contents whose time is over | [`retention`] |
//! | what was not accepted, kept for its sender | [`refusals`] |
//! | what somebody tried and may not, in the log | [`denials`] |
//! | time stamps of checkpoints | `stamper` |
//! | OCSP answers about the relay's own certificate | `ocsp` |
//! | SQL | [`store`] |
//! | parcels whose time comes: release, overdue, expiry | `timekeeper` |
//! | mailboxes of offices that left | `closing` |
//! | large contents that were left over | [`sweep`] |
//! | bounds on memory and calls | [`budget`] |

use std::ffi::OsString;
use std::process::ExitCode;

pub mod accept;
pub mod access;
pub mod alerts;
pub mod boot;
pub mod budget;
pub mod ca_roller;
pub mod ca_rolls;
mod cache;
mod cli;
pub mod clock;
mod closing;
mod commands;
pub mod committer;
pub mod config;
pub mod counts;
pub mod denials;
pub mod directory;
mod endings;
pub mod enrolments;
pub mod evidence;
mod fetch;
mod fetched_lists;
pub mod files;
pub mod intake;
pub mod key_file;
pub mod log_key;
pub mod log_key_roller;
pub mod logging;
pub mod mail;
pub mod mandates;
pub mod metrics;
mod month;
mod ocsp;
pub mod operation;
mod public_address;
pub mod refusals;
pub mod renewals;
pub mod retention;
pub mod rpc;
pub mod serve;
pub mod server_certificate;
pub mod shutdown;
mod stamper;
pub mod store;
pub mod sweep;
mod timekeeper;
pub mod trial_ca;
pub mod trust;
mod turns;
mod verified;
pub mod webhooks;

/// The relay's allocator, here and not in `main.rs`, so that tests and the benchmark run the relay with it too. A
/// parcel's buffers are made on one thread and freed on another, where the system's spends its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Runs `tasuki-relay` with a command line; `args[0]` is the program's name. Tests run the relay through it.
///
/// Starts threads of its own, so it must not be called from within another runtime.
pub fn main_with(args: Vec<OsString>) -> ExitCode {
    let exit = commands::main_with(args);
    tasuki_certs::token::close_all();
    exit
}
