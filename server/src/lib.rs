//! The relay: `rpc` → `intake` → `store`; see ARCHITECTURE.md for the walk-through.
//!
//! | looking for | module |
//! |---|---|
//! | commands and flags | [`cli`], [`commands`] |
//! | `relay.toml` | [`config`] |
//! | start, serving, drain | [`boot`], [`serve`], [`shutdown`] |
//! | TLS at the door; who may call | [`accept`], [`access`] |
//! | offices and their keys, cached | [`directory`] |
//! | trust anchors, CRLs, override; the trial CA | [`trust`], [`trial_ca`] |
//! | checking and sealing a parcel | [`intake`] |
//! | gRPC handlers | [`rpc`] |
//! | changes of state, their events, the log | [`committer`], [`evidence`] |
//! | SQL | [`store`] |
//! | bounds on memory and calls | [`budget`] |

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

pub mod accept;
pub mod access;
pub mod boot;
pub mod budget;
mod cache;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod committer;
pub mod config;
pub mod directory;
pub mod evidence;
pub mod files;
pub mod intake;
pub mod logging;
pub mod metrics;
pub mod rpc;
pub mod serve;
pub mod shutdown;
pub mod store;
pub mod trial_ca;
pub mod trust;

/// Runs `tasuki-relay`; `args[0]` is the program's name.
pub fn main_with(args: Vec<OsString>) -> ExitCode {
    match cli::Cli::try_parse_from(args) {
        Ok(cli) => commands::main(&cli),
        Err(answer) => {
            // Also the answer to --help and --version.
            let _closed = answer.print();
            ExitCode::from(u8::try_from(answer.exit_code()).unwrap_or(2))
        }
    }
}
