//! The relay: `rpc` → `intake` → `store`; see ARCHITECTURE.md for the walk-through.

pub mod clock;
pub mod committer;
pub mod evidence;
pub mod store;
