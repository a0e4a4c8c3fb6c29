//! Sealing: CMS `AuthEnvelopedData` (RFC 5083, RFC 5084) with AES-256-GCM, DER, any number of recipients.

use der::{Tag, TagNumber};
use ring::rand::SecureRandom;

use crate::der_walk::{CONTEXT_0_PRIMITIVE, context};
use crate::der_write::{self as write, TooLong};
use crate::oids;
use crate::primitives::Failed;
use crate::primitives::content_cipher::{self, ContentKey, NONCE_LEN, TAG_LEN};
use crate::recipient::Recipient;

/// Recipients of one sealed parcel: an office's certificate, its sealing key and those of its terminals. Opening
/// refuses more, which bounds the work that a forged parcel can ask for.
pub const MAX_RECIPIENTS: usize = 64;

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// There is nobody to seal to.
    #[error("there is no recipient")]
    NoRecipient,
    /// More than [`MAX_RECIPIENTS`].
    #[error("there are more than {MAX_RECIPIENTS} recipients")]
    TooManyRecipients,
    /// The result would be larger than 256 MiB.
    #[error("the content is too large")]
    TooLarge,
    /// The random source or the cryptographic library failed.
    #[error("the cryptographic library failed")]
    Library,
}

impl From<TooLong> for SealError {
    fn from(_: TooLong) -> Self {
        Self::TooLarge
    }
}

impl From<Failed> for SealError {
    fn from(_: Failed) -> Self {
        Self::Library
    }
}

/// Seals `content` to each recipient (one named twice is sealed to once) and returns the DER.
///
/// The content is copied once and encrypted where it stands. Content key and nonce come from `rng`; OAEP's seeds and
/// the ephemeral keys come from OpenSSL's own generator, which takes no other.
pub fn seal<'r>(
    content: &[u8],
    recipients: impl IntoIterator<Item = &'r Recipient>,
    rng: &dyn SecureRandom,
) -> Result<Vec<u8>, SealError> {
    let mut content_key = ContentKey::default();
    rng.fill(&mut content_key[..]).map_err(Failed::from)?;
    let mut nonce = [0; NONCE_LEN];
    rng.fill(&mut nonce).map_err(Failed::from)?;

    let infos = recipient_infos(recipients, &content_key)?;
    let head = head(&infos, nonce, content.len())?;
    let mut out = Vec::with_capacity(head.len() + content.len() + MAC_LEN);
    out.extend_from_slice(&head);
    out.extend_from_slice(content);
    let tag = content_cipher::encrypt(&content_key, nonce, &[], &mut out[head.len()..])?;
    out.extend_from_slice(&write::element(Tag::OctetString, &[&tag])?);
    Ok(out)
}

/// Bytes of the `mac` field.
const MAC_LEN: usize = 2 + TAG_LEN;

/// `recipientInfos`, DER.
fn recipient_infos<'r>(
    recipients: impl IntoIterator<Item = &'r Recipient>,
    content_key: &ContentKey,
) -> Result<Vec<u8>, SealError> {
    let mut named = Vec::new();
    let mut infos = Vec::new();
    for recipient in recipients {
        if named.contains(&recipient.id()) {
            continue;
        }
        if named.len() == MAX_RECIPIENTS {
            return Err(SealError::TooManyRecipients);
        }
        named.push(recipient.id());
        infos.push(recipient.info(content_key)?);
    }
    if infos.is_empty() {
        return Err(SealError::NoRecipient);
    }
    Ok(write::set_of(Tag::Set, infos)?)
}

/// Everything that stands before the encrypted content.
fn head(infos: &[u8], nonce: [u8; NONCE_LEN], content_len: usize) -> Result<Vec<u8>, TooLong> {
    let enveloped_type = write::oid(&oids::ID_CT_AUTH_ENVELOPED_DATA)?;
    let version = write::element(Tag::Integer, &[&[0]])?;
    let content_type = write::oid(&oids::ID_DATA)?;
    let algorithm = content_algorithm(nonce)?;
    let content = write::header(CONTEXT_0_PRIMITIVE, content_len)?;
    // From the inside out: each header needs the length of all that it holds.
    let info_len = content_type.len() + algorithm.len() + content.len() + content_len;
    let info = write::header(Tag::Sequence, info_len)?;
    let enveloped_len = version.len() + infos.len() + info.len() + info_len + MAC_LEN;
    let enveloped = write::header(Tag::Sequence, enveloped_len)?;
    let explicit_len = enveloped.len() + enveloped_len;
    let explicit = write::header(context(TagNumber::N0), explicit_len)?;
    let outer = write::header(Tag::Sequence, enveloped_type.len() + explicit.len() + explicit_len)?;
    Ok([
        outer.as_slice(),
        &enveloped_type,
        &explicit,
        &enveloped,
        &version,
        infos,
        &info,
        &content_type,
        &algorithm,
        &content,
    ]
    .concat())
}

/// AES-256-GCM with `GCMParameters` (RFC 5084 section 3.2); the tag's length is not the default and so is written.
fn content_algorithm(nonce: [u8; NONCE_LEN]) -> Result<Vec<u8>, TooLong> {
    let parameters = write::element(
        Tag::Sequence,
        &[&write::element(Tag::OctetString, &[&nonce])?, &write::element(Tag::Integer, &[&[TAG_LEN_OCTET]])?],
    )?;
    write::algorithm(&oids::ID_AES256_GCM, &parameters)
}

/// [`TAG_LEN`] as the one octet of its INTEGER.
pub(crate) const TAG_LEN_OCTET: u8 = 16;
const _: () = assert!(TAG_LEN_OCTET as usize == TAG_LEN, "one length in two forms");
