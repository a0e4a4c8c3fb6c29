//! `[limits]`: what callers may hold at once. Bounds of formats stand in `tasuki_proto::limits`; these are of
//! this machine.

use serde::Deserialize;
use tasuki_proto::limits::MAX_CONTAINER_BYTES;

/// `[limits]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Connections at once. 38 KiB each when idle.
    pub connections: u32,
    /// Connections of one certificate: an office's computers and their retries.
    pub connections_per_certificate: u32,
    /// Handshakes at once; each costs a signature.
    pub handshakes: u32,
    /// How long a handshake may take.
    pub handshake_s: u32,
    /// Calls at once on one connection.
    pub calls_per_connection: u32,
    /// Calls at once of one office, over all its connections.
    pub calls_per_office: u32,
    /// Feeds (streams and waiting polls) of all offices.
    pub feeds: u32,
    /// Feeds of one office.
    pub feeds_per_office: u32,
    /// Submit streams of one office.
    pub submits_per_office: u32,
    /// MiB of parcels that have begun to arrive and are not committed yet, sealed copies included.
    pub open_parcels_mib: u32,
    /// MiB of those on one Submit stream.
    pub open_parcels_per_stream_mib: u32,
    /// Parcels that one Submit stream may have begun and not finished.
    pub open_tickets: u32,
    /// Parcels of one Submit stream that are being worked on.
    pub parcels_in_flight: u32,
    /// How long a new parcel waits for memory before it is turned away with `OVERLOADED`.
    pub memory_wait_s: u32,
    /// How long a Submit stream may stand still inside a parcel.
    pub submit_idle_s: u32,
    /// The slowest that a parcel may arrive, after the first minute. A slow sender holds memory.
    pub submit_kib_per_s: u32,
    /// Threads for the work on parcels; 0: one for each core.
    pub workers: u32,
    /// Offices that are remembered with their keys, and as many certificates that are known to be good: about 6 KiB for each.
    pub known_offices: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            connections: 10_000,
            connections_per_certificate: 64,
            handshakes: 256,
            handshake_s: 10,
            calls_per_connection: 128,
            calls_per_office: 256,
            feeds: 8_000,
            feeds_per_office: 16,
            submits_per_office: 4,
            open_parcels_mib: 512,
            open_parcels_per_stream_mib: 66,
            open_tickets: 64,
            parcels_in_flight: 256,
            memory_wait_s: 5,
            submit_idle_s: 30,
            submit_kib_per_s: 16,
            workers: 0,
            known_offices: 16_384,
        }
    }
}

impl LimitsConfig {
    /// Holds the bounds against each other.
    pub(super) fn check(&self) -> Result<(), (&'static str, &'static str)> {
        // A container and its sealed copy.
        let largest_mib = u32::try_from(2 * MAX_CONTAINER_BYTES / (1024 * 1024)).unwrap_or(u32::MAX) + 1;
        if self.open_parcels_per_stream_mib < largest_mib || self.open_parcels_mib < largest_mib {
            return Err((
                "limits.open_parcels_mib",
                "must leave room for one parcel of the largest size: 65",
            ));
        }
        let positive = [
            ("limits.connections", self.connections),
            ("limits.connections_per_certificate", self.connections_per_certificate),
            ("limits.handshakes", self.handshakes),
            ("limits.handshake_s", self.handshake_s),
            ("limits.calls_per_connection", self.calls_per_connection),
            ("limits.calls_per_office", self.calls_per_office),
            ("limits.feeds", self.feeds),
            ("limits.feeds_per_office", self.feeds_per_office),
            ("limits.submits_per_office", self.submits_per_office),
            ("limits.open_tickets", self.open_tickets),
            ("limits.parcels_in_flight", self.parcels_in_flight),
            ("limits.submit_idle_s", self.submit_idle_s),
            ("limits.submit_kib_per_s", self.submit_kib_per_s),
            ("limits.known_offices", u32::try_from(self.known_offices).unwrap_or(u32::MAX)),
        ];
        match positive.into_iter().find(|(_, value)| *value == 0) {
            Some((key, _)) => Err((key, "must be at least 1")),
            None => Ok(()),
        }
    }
}
