//! Who may send for whom: the signer, the sender and the transmitter of a parcel.

use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::cms_verify::{SignatureVerifier, VerifiedSignature};
use tasuki_certs::profile::Identity;
use tasuki_certs::trust::VerifiedCertificate;
use tasuki_proto::ids::{ProxyNumber, identity_text};
use tasuki_proto::mandate::{self, Mandated, Papers, PapersError, Role, Scope};
use tasuki_proto::parcel::OpenParcel;
use tasuki_proto::{limits, reason};
use tokio::runtime::Handle;

use super::Refusal;
use crate::access::Caller;
use crate::directory::Directory;
use crate::store::mandates::Holder;

/// The right to send a parcel, as its papers and the sender's mandates show it.
#[derive(Debug)]
pub(super) struct Right {
    /// Mandates of the sender that it rests on, each once: the signer's, then the transmitter's.
    pub(super) mandates: Vec<[u8; 32]>,
    /// The proxy through which the parcel comes.
    pub(super) proxy: Option<ProxyNumber>,
    /// The operator registered the signer's mandate.
    pub(super) vouched: bool,
    /// The sender wants to see what this proxy signs and hands in before it goes (事業所側での確認).
    pub(super) confirm: bool,
}

/// The sender itself signs, or somebody whom it lets; and the call is for the sender.
pub(super) fn check(
    parcel: &OpenParcel<'_>,
    signature: &VerifiedSignature<'_>,
    caller: &Caller,
    verifier: &SignatureVerifier,
    now_us: i64,
    look: (&Directory, &Handle),
) -> Result<Right, Refusal> {
    let (header, signer) = (&parcel.header, &signature.signer);
    if let Identity::Operator { .. } = signer.identity {
        return Err(Refusal::of(reason::SIGNER_NOT_ALLOWED));
    }
    let papers = parcel.papers();
    let mut vouched = false;
    let right = match known(caller, signer, header.sender, &papers, now_us, look) {
        Some(known) => Ok(known),
        None => mandate::check(signer, header.sender, Scope::Send, &papers, verifier, (now_us, now_us)),
    };
    let signed = match right {
        // An office without a certificate signs no paper: what the operator registered stands in for it, for the proxy that calls.
        Err(PapersError::Missing) if by_registration(caller, &identity_text(&signer.identity)) => {
            vouched = true;
            Mandated { role: caller.role.clone(), mandate: caller.mandate_digest() }
        }
        right => right?,
    };
    if caller.office != header.sender {
        return Err(Refusal::of(reason::TRANSMITTER_NOT_ALLOWED));
    }
    if header.created_us() > now_us.saturating_add(limits::MAX_CLOCK_AHEAD_US) {
        return Err(Refusal::of(reason::CREATED_IN_FUTURE));
    }
    let mut mandates: Vec<[u8; 32]> = signed.mandate.into_iter().collect();
    let own = caller.mandate_digest();
    let mut confirm = caller.mandate.as_ref().is_some_and(|mandate| mandate.row.confirm);
    // A paper shows that there was a mandate; that it was not ended only the directory knows.
    if signed.mandate.is_some_and(|digest| own != Some(digest)) {
        let (directory, runtime) = look;
        let live = |member: &crate::directory::Member| {
            mandates.iter().all(|digest| member.mandate(digest).is_some())
        };
        let member = runtime.block_on(directory.member_checked(header.sender, live))?;
        let Some(member) = member.filter(|member| live(member)) else {
            return Err(Refusal::of(reason::MANDATE_ENDED));
        };
        confirm |= mandates.iter().any(|digest| member.mandate(digest).is_some_and(|m| m.row.confirm));
    }
    mandates.extend(own.filter(|digest| signed.mandate != Some(*digest)));
    let signing = match signed.role {
        Role::Proxy { number } => Some(number),
        Role::Office | Role::Terminal { .. } => None,
    };
    // What the office or a terminal of it signs, or hands in by itself, it has seen.
    let confirm = confirm && signing.is_some() && caller.proxy().is_some();
    Ok(Right { mandates, proxy: signing.or(caller.proxy()), vouched, confirm })
}

/// The right of a proxy that signs under the very delegation that its call rests on, where the directory has that as one that can be used
/// now: it was judged there, signature and all, with the trust of this moment, and need not be judged again for each parcel.
fn known(
    caller: &Caller,
    signer: &VerifiedCertificate,
    sender: OfficeNumber,
    papers: &Papers<'_>,
    now_us: i64,
    (directory, runtime): (&Directory, &Handle),
) -> Option<Mandated> {
    let digest = caller.mandate_digest()?;
    // The parcel may have waited since its call was judged. What can't be read is judged the long way.
    let member = runtime.block_on(directory.member(sender)).ok()??;
    let mandate = member.mandate(&digest)?;
    let row = &mandate.row;
    let (Holder::Proxy(holder), Identity::Proxy { number }) = (&row.holder, &signer.identity) else {
        return None;
    };
    let is_it = holder.as_str() == number
        && !row.by_operator()
        && papers.delegation == Some(&row.cms)
        && (row.from_us..row.until_us).contains(&now_us)
        && mandate.may(Scope::Send);
    is_it.then_some(Mandated { role: Role::Proxy { number: *holder }, mandate: Some(digest) })
}

fn by_registration(caller: &Caller, signer: &str) -> bool {
    let registered = caller.mandate.as_ref().is_some_and(|mandate| mandate.row.by_operator());
    registered && caller.name == signer
}
