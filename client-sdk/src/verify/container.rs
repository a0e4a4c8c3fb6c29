//! A lone parcel: whole, and signed by its sender. When, only the sender says.

use std::path::Path;

use tasuki_proto::event::sha256;
use tasuki_proto::ids::{ParcelKey, identity_text};
use tasuki_proto::limits::MAX_CONTAINER_BYTES;
use tasuki_proto::mandate::{self, Scope};
use tasuki_proto::parcel::OpenParcel;

use super::material::{self, Along, Whose};
use super::{Proof, Proven, VerifyOptions, VerifyReport, VerifyWarning};
use crate::error::{SdkError, VerificationError, words};
use crate::files;

pub(super) fn verify(path: &Path, options: &VerifyOptions) -> Result<VerifyReport, SdkError> {
    let message = || words("大きすぎます", "too large");
    let too_large = || VerificationError::Malformed { path: path.to_owned(), message: message() };
    let container = files::read_at_most(path, MAX_CONTAINER_BYTES)?.ok_or_else(too_large)?;
    let parcel = OpenParcel::open(&container).map_err(VerificationError::Parcel)?;
    let (verifier, trust) = material::verifier(options, Along::beside(path)?)?;
    let header = &parcel.header;
    let claimed_us = header.created_us();
    let verified = verifier
        .verify(parcel.signature(), Some(parcel.manifest()), claimed_us)
        .map_err(VerificationError::Signature)?;
    let (papers, moment) = (parcel.papers(), (claimed_us, claimed_us));
    mandate::check(&verified.signer, header.sender, Scope::Send, &papers, &verifier, moment)
        .map_err(|error| VerificationError::of_papers(error, header.sender))?;
    let mut warnings = material::warnings(Whose::Sender, &verified.signer);
    warnings.push(VerifyWarning::new(
        "日時は送信元の申告です。証拠フォルダーなら中継サーバーの記録が日時を示します",
        "the time is what the sender says; evidence of the log would vouch for one",
    ));
    Ok(VerifyReport {
        parcel: ParcelKey { sender: header.sender, id: header.parcel },
        recipient: header.recipient,
        digest: sha256(&container),
        proofs: vec![Proof {
            what: Proven::SignedBySender,
            time_us: verified.signing_time_us,
            by: identity_text(&verified.signer.identity),
        }],
        witnesses: Vec::new(),
        timestamps: Vec::new(),
        trust,
        warnings,
    })
}
