//! The strict reader of containers: what it accepts, and one test for each way to deceive it.

#![expect(clippy::unwrap_used, reason = "a helper that panics fails its test")]

mod accepted;
mod build;
mod content;
mod entries;
mod fuzz;
mod interop;
mod names;
mod structure;
mod writer;
