//! Revocation lists from the relay: small ones come along with its answers, large ones are fetched in pieces.

use std::time::Duration;

use bytes::Bytes;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::sha256;
use tasuki_proto::limits::MAX_CRL_BYTES;
use tasuki_proto::{pb, reason};
use tonic::Streaming;

use crate::client::Client;
use crate::error::{SdkError, Unreachable, VerificationError};
use crate::files;
use crate::home::{CRLS, Home};
use crate::trust::MAX_CRLS_BYTES;

/// How long nothing may come while a list is on its way.
const STANDSTILL: Duration = Duration::from_secs(60);

/// Lists that one answer may name beside those that come along: far more than there are issuers.
const MAX_MORE: usize = 64;

/// Name of a list's file in the HOME.
pub(crate) fn file_name(fingerprint: &[u8]) -> String {
    format!("{}.crl", hex(fingerprint))
}

impl Client {
    /// Fetches those of the lists named that the HOME does not have: no more at a time than it may keep.
    pub(crate) async fn unknown_crls(&self, named: &[Bytes]) -> Result<Vec<Bytes>, SdkError> {
        let (mut crls, mut bytes) = (Vec::new(), 0);
        for fingerprint in named.iter().take(MAX_MORE) {
            if self.home().path(CRLS).join(file_name(fingerprint)).exists() {
                continue;
            }
            let Some(crl) = self.fetch_crl(fingerprint).await? else { continue };
            bytes += crl.len();
            if bytes > MAX_CRLS_BYTES {
                tracing::warn!("the relay names more revocation lists than can be kept");
                break;
            }
            crls.push(crl);
        }
        Ok(crls)
    }

    /// All lists named: from the HOME where it has them, else from the relay.
    pub(crate) async fn all_crls(&self, named: &[Bytes]) -> Result<Vec<Bytes>, SdkError> {
        let mut crls = Vec::new();
        for fingerprint in named.iter().take(MAX_MORE) {
            match kept(self.home(), fingerprint)? {
                Some(crl) => crls.push(crl),
                None => crls.extend(self.fetch_crl(fingerprint).await?),
            }
        }
        Ok(crls)
    }

    /// One list. `None`: the relay does not have it, because it has just been replaced by a newer one.
    async fn fetch_crl(&self, fingerprint: &Bytes) -> Result<Option<Bytes>, SdkError> {
        let caller = &self.inner.caller;
        let mut attempt = 1;
        loop {
            let answer = self.try_fetch_crl(fingerprint).await;
            match answer {
                Err(SdkError::Unreachable(_)) if attempt < caller.attempts() => {
                    caller.pause(attempt).await;
                    attempt += 1;
                }
                Err(SdkError::Rejected(refusal)) if refusal.reason == reason::CRL_NOT_FOUND => {
                    return Ok(None);
                }
                answer => return answer.map(Some),
            }
        }
    }

    async fn try_fetch_crl(&self, fingerprint: &Bytes) -> Result<Bytes, SdkError> {
        let caller = &self.inner.caller;
        let request = pb::GetCrlRequest { fingerprint: fingerprint.clone() };
        let mut directory = caller.directory();
        let mut pieces: Streaming<pb::GetCrlResponse> = caller.once(directory.get_crl(request)).await?;
        let mut crl = Vec::new();
        loop {
            let next = tokio::time::timeout(STANDSTILL, pieces.message()).await;
            match next.map_err(|_elapsed| Unreachable::Timeout)? {
                Ok(Some(piece)) => crl.extend_from_slice(&piece.chunk),
                Ok(None) => break,
                Err(status) => return Err(caller.error(&status)),
            }
            if crl.len() > MAX_CRL_BYTES {
                return Err(VerificationError::Incomplete("an end of the revocation list").into());
            }
        }
        if sha256(&crl)[..] != fingerprint[..] {
            return Err(VerificationError::Incomplete("the revocation list that was asked for").into());
        }
        Ok(crl.into())
    }
}

/// A list that the HOME has.
fn kept(home: &Home, fingerprint: &[u8]) -> Result<Option<Bytes>, SdkError> {
    let crl = files::read_if_exists(&home.path(CRLS).join(file_name(fingerprint)))?;
    Ok(crl.filter(|crl| sha256(crl)[..] == *fingerprint).map(Bytes::from))
}
