//! A real relay and real offices, for tests, the demo, benchmarks and crash tests.
//!
//! The programs run as processes of their own, through their command lines, as users run them. So that this
//! works on a fresh checkout, in any order of building, the binary of this crate *is* both programs:
//! `tasuki-demo as tasuki-relay …` and `tasuki-demo as tasuki …` ([`programs`]).

pub mod bench;
pub mod http_proxy;
pub mod office;
pub mod programs;
pub mod raw;
pub mod relay;
pub mod run;
pub mod scanner;
pub mod trial;
pub mod web;
