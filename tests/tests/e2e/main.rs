//! End to end: the real relay, the real command, real TLS, both databases.

mod hostile_parcels;
mod hostile_tls;
mod mailbox;
mod month;
mod stage;
