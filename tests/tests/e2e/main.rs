//! End to end: the real relay, the real command, real TLS, both databases.
#![expect(clippy::unwrap_used, reason = "a test that can't go on fails")]

mod audit;
mod checks;
mod directory;
mod hostile_membership;
mod hostile_parcels;
mod hostile_tls;
mod large_crl;
mod large_parcel;
mod lifecycle;
mod lists;
mod lost_keys;
mod mail;
mod mail_tls;
mod mailbox;
mod malware;
mod mandates;
mod membership;
mod month;
mod new_epoch;
mod operator;
mod partners;
mod policy;
mod profile;
mod proof;
mod proxied;
mod refusals;
mod set_back;
mod stage;
mod token;
mod trial;
mod watch;
mod webhook;
mod witness;
