//! Telling a program how far a long call has come.

use crate::error::SdkError;
use crate::receive::ReceivedParcel;
use crate::send::ParcelReport;

/// One step of a long call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Step<'a> {
    /// What there is to do. Once, at the start.
    Planned {
        /// Parcels to send or receive.
        parcels: usize,
        /// Bytes of their files (sending) or of the sealed parcels (receiving).
        bytes: u64,
    },
    /// Bytes of a container that was sent, or of a sealed parcel that was received.
    Transferred {
        /// How many.
        bytes: u64,
    },
    /// What there is to read: checking, splitting, joining. Once, at the start.
    Reading {
        /// Files.
        files: usize,
        /// Their bytes.
        bytes: u64,
    },
    /// A file was read and dealt with.
    Read {
        /// Its bytes.
        bytes: u64,
    },
    /// A parcel's fate is known.
    Sent(&'a ParcelReport),
    /// A parcel was received, or could not be.
    Received(&'a ReceivedParcel),
    /// The evidence of a parcel was saved.
    Saved,
    /// A proxy's round begins. Once, at the start.
    Round {
        /// Offices that have something to send or to receive.
        offices: usize,
        /// Files to be sent.
        files: usize,
    },
    /// A proxy is done with one office.
    OfficeDone,
    /// The connection is lost; the call tries again.
    Reconnecting {
        /// The attempt that comes now, from 2.
        attempt: u32,
        /// Why the last one ended.
        error: &'a SdkError,
    },
}

/// Is told of every step, from several threads, and must return quickly.
pub trait Progress: Send + Sync {
    /// One step was made.
    fn step(&self, step: Step<'_>);
}

impl<F: Fn(Step<'_>) + Send + Sync> Progress for F {
    fn step(&self, step: Step<'_>) {
        self(step);
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn step(&self, _step: Step<'_>) {}
}
