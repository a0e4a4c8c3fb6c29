//! What crosses the wire: the gRPC interface and the formats inside it.
//!
//! * [`pb`]: messages, clients and servers generated from `tasuki/v1/*.proto`.
//! * [`parcel`]: the ASiC-E container that a sender signs; [`container`] is its ZIP, [`manifest`] its
//!   `ASiCManifest.xml`.
//! * [`event`], [`statement`]: canonical text of what happened and of what a party declares;
//!   [`canonical`] is the text form that both share.
//! * [`lifecycle`]: what may happen to a parcel, in which state, by whom.
//! * [`feed`]: the commitments that make a withheld event visible.
//! * [`log`]: checkpoints and proofs of the transparency log; [`cosignature`]: witnesses that vouch for them;
//!   [`evidence`]: event + proof + checkpoint.
//! * [`mandate`]: who else may act for an office: its terminals and proxies, and how that is proven.
//! * [`malware`]: the scanner that both sides hand attachments to.
//! * [`html`], [`csv`]: text in pages and tables that people read.
//! * [`reason`]: every stable reason word with its explanation; [`limits`]: every bound with its reason.

pub mod accepts;
pub mod ca_roll;
pub mod canonical;
pub mod container;
pub mod cosignature;
pub mod csv;
pub mod event;
pub mod evidence;
pub mod feed;
pub mod html;
pub mod ids;
pub mod lifecycle;
pub mod limits;
pub mod log;
pub mod malware;
pub mod mandate;
pub mod manifest;
pub mod membership;
pub mod operator;
pub mod parcel;
pub mod reason;
pub mod statement;
pub mod time;

/// Messages, clients and servers generated from `tasuki/v1/*.proto`.
#[expect(
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    reason = "generated code"
)]
pub mod pb {
    tonic::include_proto!("tasuki.v1");

    /// Encoded `FileDescriptorSet` of the package, for gRPC reflection.
    pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
}
