//! Administrative acts: each of a time with operators carries the signature of one who had the role then, over what the event says.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::profile::CertificateProfile;
use tasuki_certs::trust::{OnDoubt, RevocationPolicy, TrustMaterial, TrustStore};
use tasuki_proto::event::{Event, kind, sha256};
use tasuki_proto::operator::{OperatorAct, Roles};

use super::problem::Problem;
use crate::store::leaves::Position;
use crate::store::operators::OperatorRow;
use crate::store::{Store, StoreError};

/// Kinds that nobody but the operator writes; others may be an office's own doing, or the relay's.
const ADMINISTRATIVE: [&str; 10] = [
    kind::LOG_KEY_ROLLED,
    kind::OFFICE_SUSPENDED,
    kind::OFFICE_RESUMED,
    kind::PROXY_CHANGED,
    kind::REVOCATION_OVERRIDE,
    kind::RELAY_STOP_PLANNED,
    kind::RELAY_STOP_CANCELLED,
    kind::RELAY_MODE_CHANGED,
    kind::AUDIT_MADE,
    kind::OPERATOR_REMOVED,
];

/// The operators as the log tells of them, and what they signed.
pub(super) struct Acts {
    log: String,
    /// Everybody who was ever one, by fingerprint, with what verifies their signatures; `None`: the certificate does not even
    /// lead to the anchor that it was added with.
    known: BTreeMap<[u8; 32], Option<SignatureVerifier>>,
    /// Who is one where the walk stands, by name.
    now: BTreeMap<String, ([u8; 32], Roles)>,
    /// Events that are to be looked at.
    waiting: Vec<(Position, Event)>,
    /// The act that was verified last: an import of a thousand offices is one.
    last: Option<([u8; 32], Arc<Signed>)>,
    verified: u64,
}

/// An act whose signature holds.
struct Signed {
    act: OperatorAct,
    signer: [u8; 32],
}

impl Acts {
    pub(super) async fn open(
        store: &Store,
        log: &str,
        profile: &CertificateProfile,
    ) -> Result<Self, StoreError> {
        let rows = store.operators().await?;
        let known = rows.iter().map(|row| (row.fingerprint, verifier(row, profile))).collect();
        Ok(Self {
            log: log.to_owned(),
            known,
            now: BTreeMap::new(),
            waiting: Vec::new(),
            last: None,
            verified: 0,
        })
    }

    /// Events that carried an operator's signature which holds.
    pub(super) fn verified(&self) -> u64 {
        self.verified
    }

    /// Takes an event, in the order of the log.
    pub(super) fn take(&mut self, at: Position, event: Event) {
        let of_operators = event.kind.starts_with("operator.") || is_administrative(&event);
        if of_operators || event.lines.get("operator-statement").is_some() {
            self.waiting.push((at, event));
        }
    }

    /// Looks at the events that were taken.
    pub(super) async fn settle(&mut self, store: &Store) -> Result<Vec<Problem>, StoreError> {
        let mut problems = Vec::new();
        for (at, event) in std::mem::take(&mut self.waiting) {
            if event.lines.get("operator-statement").is_some() {
                if self.holds(store, &event).await? {
                    self.verified += 1;
                } else {
                    problems.push(Problem::ActDiffers(at));
                }
            } else if !self.now.is_empty() && is_administrative(&event) {
                problems.push(Problem::ActUnsigned(at));
            }
            self.follow(&event);
        }
        Ok(problems)
    }

    /// Who is an operator behind this event.
    fn follow(&mut self, event: &Event) {
        let Some(name) = event.lines.get("name") else { return };
        match event.kind.as_str() {
            kind::OPERATOR_CHANGED => {
                let roles = event.lines.get("roles").and_then(|roles| roles.parse().ok());
                if let (Some(key), Some(roles)) = (event.digest("key"), roles) {
                    self.now.insert(name.to_owned(), (key, roles));
                }
            }
            kind::OPERATOR_REMOVED => {
                self.now.remove(name);
            }
            _ => {}
        }
    }

    async fn holds(&mut self, store: &Store, event: &Event) -> Result<bool, StoreError> {
        let Some(signed) = self.signed(store, event, "operator-statement").await? else { return Ok(false) };
        let own = self.could(&signed, event, ("operator", "operator-key")) && says(&signed.act, event);
        if event.digest("asked-statement").is_none() {
            return Ok(own);
        }
        // Two people: what the first one signed is what was done.
        let Some(asked) = self.signed(store, event, "asked-statement").await? else { return Ok(false) };
        let named = event.lines.get("asked-by").and_then(|by| by.strip_prefix("operator:"));
        let two = asked.act.operator != signed.act.operator && asked.signer != signed.signer;
        let approved = signed.act.detail("decision").any(|word| word == "approve");
        Ok(own && two && approved && named == Some(asked.act.operator.as_str()) && says(&asked.act, event))
    }

    /// Whether whoever signed was an operator with that role, and is the one whom the event names.
    fn could(&self, signed: &Signed, event: &Event, (name, key): (&str, &str)) -> bool {
        let named = event.lines.get(name).and_then(|by| by.strip_prefix("operator:"));
        let Some((known, roles)) = self.now.get(&signed.act.operator) else { return false };
        named == Some(signed.act.operator.as_str())
            && event.digest(key) == Some(signed.signer)
            && *known == signed.signer
            && roles.has(signed.act.role)
    }

    /// The act that a line names, if it is kept and its signature holds.
    async fn signed(
        &mut self,
        store: &Store,
        event: &Event,
        line: &str,
    ) -> Result<Option<Arc<Signed>>, StoreError> {
        let Some(digest) = event.digest(line) else { return Ok(None) };
        if let Some((last, signed)) = &self.last
            && *last == digest
        {
            return Ok(Some(Arc::clone(signed)));
        }
        let row = store.operator_act(&digest).await?.filter(|row| sha256(&row.cms) == digest);
        let signed = row.and_then(|row| {
            let verifier = self.known.get(&row.signer)?.as_ref()?;
            let text = verifier.verify(&row.cms, None, event.time_us).ok()?;
            let act = OperatorAct::parse(text.content?).ok()?;
            let own = text.signer.fingerprint == row.signer && act.log == self.log;
            own.then(|| Arc::new(Signed { act, signer: row.signer }))
        });
        self.last = signed.clone().map(|signed| (digest, signed));
        Ok(signed)
    }
}

fn is_administrative(event: &Event) -> bool {
    let registered = event.kind == kind::MANDATE_DELEGATED && event.lines.get("by") == Some("operator");
    let emergency = event.kind == kind::OPERATOR_CHANGED && event.lines.get("emergency").is_none();
    // On schedule the relay hands the CA over by itself; what ends certificates never comes of itself.
    let scheduled = event.lines.get("scheduled").is_some() && event.lines.get("emergency") == Some("no");
    let ca = event.kind == kind::CA_ROLLED && !scheduled;
    registered || emergency || ca || ADMINISTRATIVE.contains(&event.kind.as_str())
}

/// Whether an act says what the event says: its kind, its office, and every value that both have.
fn says(act: &OperatorAct, event: &Event) -> bool {
    let same_kind = act.kind == event.kind;
    // An act that waits is named by a line; a mandate that another replaces ends with the act that gives the other.
    let follows = event.lines.get("act") == Some(act.kind.as_str())
        || (act.kind == kind::MANDATE_DELEGATED && event.kind == kind::MANDATE_ENDED);
    let agrees = |key: &str, value: &str| {
        let mut said = act.detail(key).peekable();
        said.peek().is_none() || said.any(|one| one == value)
    };
    let office = event.lines.get("office");
    let entries = || act.detail("entry").filter_map(|entry| entry.split(' ').next());
    let in_entries = act.kind != kind::OFFICE_CHANGED || entries().any(|number| Some(number) == office);
    let details = event.lines.iter().all(|(key, value)| !same_kind || agrees(key, value));
    (same_kind || follows) && in_entries && details && office.is_none_or(|office| agrees("office", office))
}

/// Verifies what an operator signed, by the chain that the relay had accepted when it added the operator.
fn verifier(row: &OperatorRow, profile: &CertificateProfile) -> Option<SignatureVerifier> {
    let (anchor, rest) = row.chain.split_last()?;
    let policy = RevocationPolicy {
        on_missing: OnDoubt::Warn,
        on_stale: OnDoubt::Warn,
        ..RevocationPolicy::default()
    };
    let material = TrustMaterial {
        anchors: vec![anchor.clone()],
        intermediates: rest.get(1..).unwrap_or_default().to_vec(),
        profile: profile.clone(),
        policy,
        ..TrustMaterial::default()
    };
    Some(SignatureVerifier::new(Arc::new(TrustStore::new(material).ok()?)))
}
