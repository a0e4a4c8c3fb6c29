//! What the operator vouches for: a proxy that it registered for an office without a certificate. Such an office can sign no paper, so
//! the log's event says what stands in for one. It is the relay's word, and no more.

use tasuki_certs::trust::VerifiedCertificate;

use super::{Mandated, Role};
use crate::event::Event;
use crate::ids::{identity_text, proxy_of};

/// Key of the line that says who vouches.
pub const VOUCHED: &str = "vouched";
/// The same in the event of a release, about the statement: the line above is about the parcel.
pub const STATEMENT_VOUCHED: &str = "statement-vouched";
/// Who vouches, as the line says it.
pub const BY_OPERATOR: &str = "operator";

/// Which signature is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// The parcel's own.
    Parcel,
    /// That of the statement from which the event follows.
    Statement,
}

/// The right of a signer that the event says the operator vouches for; `None`: it says no such thing of this signer.
pub fn vouched(event: &Event, signed: Signed, signer: &VerifiedCertificate) -> Option<Mandated> {
    let number = proxy_of(&identity_text(&signer.identity))?;
    let lines = &event.lines;
    let release = lines.get("statement-signer").is_some();
    let (word, fingerprint, mandate) = match signed {
        Signed::Statement if release => (STATEMENT_VOUCHED, "statement-signer", "statement-mandate"),
        Signed::Parcel | Signed::Statement => (VOUCHED, "signer", "mandate"),
    };
    let named = match signed {
        Signed::Parcel => lines.get("proxy").and_then(|text| text.parse().ok()),
        Signed::Statement => lines.get("by").and_then(proxy_of),
    };
    let fits = lines.get(word) == Some(BY_OPERATOR)
        && named == Some(number)
        && event.digest(fingerprint) == Some(signer.fingerprint);
    let mandate = event.digest(mandate).filter(|_| fits)?;
    Some(Mandated { role: Role::Proxy { number }, mandate: Some(mandate) })
}
