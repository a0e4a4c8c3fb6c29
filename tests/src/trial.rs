//! The national trial of January and February 2021, replayed: offices, users, patterns and steps are the trial report's
//! (fig. 113 to 121 and appendix 7), moved to 2026 so that version 202407 applies. Only A's number is the report's. Two of the
//! three proxies act by their offices' delegations, the third by the operator's registration for offices without a certificate.
//!
//! * [`cast`]: who takes part, and what each pattern does, as data.
//! * [`files`]: the standard's files of a step, made of its samples.
//! * [`software`]: what a receiver's care software makes of what it imports.
//! * [`play`]: the steps through the command line, with both sides' lists and every receiver's state held against what must
//!   be, after each.

pub mod cast;
pub mod files;
pub mod play;
pub mod software;
