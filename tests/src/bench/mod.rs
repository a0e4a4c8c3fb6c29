//! The relay's benchmark: durable parcels per second, latency, CPU per parcel, and the floor under them.

pub mod cpu;
pub mod feeds;
pub mod fixture;
pub mod floor;
pub mod load;
pub mod month_end;
pub mod soak;
