//! Revocation lists on the wire: small ones go along with an answer, a large one in pieces.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tasuki_certs::trust::CurrentTrust as _;
use tasuki_proto::limits::MAX_CRLS_ALONG_BYTES;
use tasuki_proto::{pb, reason};
use tokio::sync::mpsc;
use tonic::Status;

use super::{Context, EnteredMember, Failure};
use crate::store::StoreError;

/// Bytes of one piece, as of a parcel's.
const CHUNK: usize = 256 * 1024;

/// A reader that takes nothing for so long has gone.
const PATIENCE: Duration = Duration::from_mins(1);

/// Lists that go along, and SHA-256 of the others.
#[derive(Debug, Default)]
pub(super) struct Along {
    pub(super) crls: Vec<Bytes>,
    pub(super) more: Vec<Bytes>,
    bytes: usize,
}

impl Along {
    /// Whether a list of so many bytes still goes along; if not, it is named.
    fn fits(&mut self, fingerprint: &[u8; 32], bytes: usize) -> bool {
        let fits = self.bytes.saturating_add(bytes) <= MAX_CRLS_ALONG_BYTES;
        if fits {
            self.bytes += bytes;
        } else {
            self.more.push(fingerprint.to_vec().into());
        }
        fits
    }

    /// The lists in use.
    pub(super) fn in_use(context: &Context) -> Self {
        let mut along = Self::default();
        for (fingerprint, der) in context.trust.current().crls() {
            if along.fits(&fingerprint, der.len()) {
                along.crls.push(Bytes::from_owner(der));
            }
        }
        along
    }

    /// Lists that were used before.
    pub(super) async fn archived<'f>(
        context: &Context,
        fingerprints: impl Iterator<Item = &'f [u8; 32]>,
    ) -> Result<Self, StoreError> {
        let mut along = Self::default();
        for fingerprint in fingerprints {
            let Some(bytes) = context.store.archived_crl_bytes(fingerprint).await? else { continue };
            if along.fits(fingerprint, usize::try_from(bytes).unwrap_or(usize::MAX))
                && let Some((der, _)) = context.store.archived(fingerprint).await?
            {
                along.crls.push(der.into());
            }
        }
        Ok(along)
    }
}

pub(super) type Pieces = mpsc::Sender<Result<pb::GetCrlResponse, Status>>;

/// A list that was found.
pub(super) enum Found {
    /// In use, in memory.
    InUse(Bytes),
    /// In the archive: SHA-256 and bytes.
    Archived([u8; 32], u64),
}

/// Looks for a list.
pub(super) async fn find(context: &Context, fingerprint: &[u8]) -> Result<Found, Failure> {
    let fingerprint: [u8; 32] =
        fingerprint.try_into().map_err(|_| Failure::malformed("fingerprint has 32 bytes"))?;
    if let Some(der) = context.trust.current().crl_der(&fingerprint) {
        return Ok(Found::InUse(Bytes::from_owner(der)));
    }
    let bytes = context.store.archived_crl_bytes(&fingerprint).await?;
    Ok(Found::Archived(fingerprint, bytes.ok_or(Failure::of(reason::CRL_NOT_FOUND))?))
}

/// Sends a list in pieces; the call keeps its place until the end.
pub(super) async fn send(context: Arc<Context>, _entered: EnteredMember, found: Found, pieces: Pieces) {
    let mut at = 0;
    let end = match &found {
        Found::InUse(der) => der.len() as u64,
        Found::Archived(_, bytes) => *bytes,
    };
    while at < end {
        let chunk = match piece(&context, &found, at).await {
            Ok(chunk) => chunk,
            Err(failure) => {
                let _gone = pieces.send(Err(failure.into())).await;
                return;
            }
        };
        at += chunk.len() as u64;
        match tokio::time::timeout(PATIENCE, pieces.send(Ok(pb::GetCrlResponse { chunk }))).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

async fn piece(context: &Context, found: &Found, at: u64) -> Result<Bytes, Failure> {
    match found {
        Found::InUse(der) => {
            let from = usize::try_from(at).unwrap_or(usize::MAX).min(der.len());
            Ok(der.slice(from..der.len().min(from + CHUNK)))
        }
        Found::Archived(fingerprint, _) => {
            let piece = context.store.archived_crl_piece(fingerprint, at, CHUNK).await?;
            let piece = piece.filter(|piece| !piece.is_empty());
            Ok(piece.ok_or(Failure::of(reason::CRL_NOT_FOUND))?.into())
        }
    }
}
