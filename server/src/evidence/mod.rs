//! The log from the inside: its tree of hashes, proofs over it, and the witness outside the database.

pub mod feed_ends;
pub mod ledger;
pub mod tree;
pub mod witness;
pub mod witnesses;
