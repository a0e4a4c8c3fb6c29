//! The strict reader of containers: what it accepts, and one test for each way to deceive it.

mod accepted;
mod build;
mod content;
mod entries;
mod fuzz;
mod interop;
mod names;
mod structure;
mod writer;
