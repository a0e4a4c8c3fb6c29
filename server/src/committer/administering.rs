//! Administrative acts: what is done, who asks for it, and how it is described in what an operator signs.

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::operator::{OperatorAct, Role, details};
use tasuki_proto::time;

use super::change::{Change, Mandating, Profiling, Standing};
use crate::store::offices::{OfficeRow, OfficeState};
use crate::store::operators::OperatorRow;

/// A change that an administrative command makes.
#[derive(Debug)]
pub struct Administering {
    /// Who asks for it.
    pub by: By,
    /// What waits for a second operator before it is done.
    pub two_persons: TwoPersons,
    /// What is done.
    pub change: Change,
}

/// Who asks for an administrative act.
#[derive(Debug)]
pub enum By {
    /// Whoever has the rights of the relay's account on this machine; enough as long as there are no operators.
    Account,
    /// An operator, whose signature was verified.
    Operator(Box<SignedAct>),
    /// Somebody whose certificate or signature does not hold.
    Stranger {
        /// Why: a stable reason word.
        reason: &'static str,
        /// SHA-256 of the certificate.
        key: [u8; 32],
    },
}

/// An act over its operator's signature, which was verified.
#[derive(Debug)]
pub struct SignedAct {
    /// What was signed.
    pub act: OperatorAct,
    /// The act over its signature: CMS `SignedData` (DER).
    pub cms: Vec<u8>,
    /// SHA-256 of the signer's certificate.
    pub signer: [u8; 32],
}

/// What needs two operators, by configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TwoPersons {
    /// Registering a proxy for an office that has another.
    pub reassignment: bool,
    /// Having an office leave, with all that can be erased of it.
    pub erasure: bool,
    /// For how long the second may approve, in microseconds.
    pub lapse_us: i64,
}

/// What is done to operators, and to acts that wait for a second one.
#[derive(Debug)]
pub enum Operating {
    /// Nothing: may this operator do such an act? Asked before a command does what can't be undone.
    May {
        /// Kind of the event that the act will write.
        kind: &'static str,
        /// The role that it needs.
        role: Role,
    },
    /// An operator, new, with other roles, or with another certificate.
    Put {
        /// The operator.
        row: OperatorRow,
        /// Why it is added by the machine's account, where no operator can sign any more.
        emergency: Option<String>,
    },
    /// An operator goes.
    Remove {
        /// Who.
        name: String,
    },
    /// An act that waits is approved, or not.
    Decide {
        /// Which.
        id: String,
        /// The act as the first operator signed it: SHA-256 of the CMS bytes.
        statement: [u8; 32],
        /// The role that it needs.
        role: Role,
        /// Approved.
        approve: bool,
    },
}

/// A change in the words that an operator signs.
#[derive(Debug)]
pub struct Described {
    /// Kind of the event that it writes; of several, the main one.
    pub kind: &'static str,
    /// The role that it needs.
    pub role: Role,
    /// All that it does.
    pub details: Vec<String>,
}

/// Describes an administrative act. `None`: the change is none.
pub fn describe(change: &Change) -> Option<Described> {
    let (kind, role, pairs) = match change {
        Change::Deliver(_)
        | Change::Act(_)
        | Change::Request(_)
        | Change::Certificate(_)
        | Change::Partner(_)
        | Change::Administer(_) => return None,
        Change::PutOffices(offices) => {
            (kind::OFFICE_CHANGED, Role::Offices, offices.iter().map(entry).collect())
        }
        Change::SetOfficeState { office, state, reason } => {
            let kind = match state {
                OfficeState::Active => kind::OFFICE_RESUMED,
                OfficeState::Suspended => kind::OFFICE_SUSPENDED,
                OfficeState::Listed | OfficeState::Left | OfficeState::Removed => kind::OFFICE_CHANGED,
            };
            (kind, Role::Offices, vec![("office", office.to_string()), ("reason", reason.clone())])
        }
        Change::RegisterKey(key) => {
            let pairs = vec![("office", key.office.to_string()), ("key", digest_text(&key.fingerprint))];
            (kind::KEY_REGISTERED, Role::Certificates, pairs)
        }
        Change::Standing(standing) => of_standing(standing)?,
        Change::Profile(profiling) => of_profile(profiling)?,
        Change::Mandate(mandating) => of_mandate(mandating)?,
        Change::Notice(notice) => {
            let to = notice.to.iter().map(|office| ("to", office.to_string()));
            let pairs = notice.lines.iter().cloned().chain(to).chain(setting(notice.setting.as_ref()));
            (notice.kind, Role::Offices, pairs.collect())
        }
        Change::Audit { kind, lines, office, setting: set } => {
            let role = if *kind == kind::AUDIT_MADE { Role::Read } else { Role::Certificates };
            let concerned = office.iter().map(|office| ("concerns", office.to_string()));
            (*kind, role, lines.iter().cloned().chain(concerned).chain(setting(set.as_ref())).collect())
        }
        Change::Operators(operating) => of_operators(operating),
        Change::RollLogKey(rolling) => {
            let pairs = vec![
                ("new-key", rolling.new.public_hex()),
                ("emergency", if rolling.emergency { "yes" } else { "no" }.to_owned()),
                ("reason", rolling.reason.clone()),
            ];
            (kind::LOG_KEY_ROLLED, Role::Certificates, pairs)
        }
        Change::RollCa(rolling) => {
            let pairs = vec![
                ("next", digest_text(&sha256(&rolling.next))),
                ("emergency", if rolling.emergency { "yes" } else { "no" }.to_owned()),
                ("reason", rolling.reason.clone()),
            ];
            (kind::CA_ROLLED, Role::Certificates, pairs)
        }
    };
    Some(Described { kind, role, details: details(pairs) })
}

type Pairs = Vec<(&'static str, String)>;

/// An office's entry: its number, and all the rest of it as one digest, so that a thousand fit into one text.
fn entry(row: &OfficeRow) -> (&'static str, String) {
    let OfficeRow { number, name, kana, services, standard_ready, municipality, accepts, .. } = row;
    let (services, accepts) = (services.join(" "), accepts.join(" "));
    let ready = if *standard_ready { "yes" } else { "no" };
    let text: [&str; 6] = [name, kana, &services, ready, municipality, &accepts];
    ("entry", format!("{number} {}", digest_text(&sha256(text.join("\n").as_bytes()))))
}

fn setting(set: Option<&(&'static str, String)>) -> Option<(&'static str, String)> {
    set.map(|(name, value)| ("setting", format!("{name} {}", digest_text(&sha256(value.as_bytes())))))
}

/// The operator's word about an office's taking part; what the office says itself is none.
fn of_standing(standing: &Standing) -> Option<(&'static str, Role, Pairs)> {
    let (kind, role, more) = match standing {
        Standing::Apply(_) | Standing::Confirm { .. } | Standing::Clear { .. } => return None,
        Standing::Leave(leaving) if leaving.paper.is_some() => return None,
        Standing::Leave(leaving) => {
            let role = if leaving.erase { Role::Retention } else { Role::Offices };
            let erase = if leaving.erase { "yes" } else { "no" }.to_owned();
            (kind::OFFICE_LEFT, role, vec![("reason", leaving.reason.clone()), ("erase", erase)])
        }
        Standing::MakeCode { hash, until_us, .. } => {
            let more = vec![("code", digest_text(hash)), ("until", time::format_us(*until_us))];
            (kind::OFFICE_CODE_MADE, Role::Offices, more)
        }
        Standing::Approve { name, kana, unconfirmed, .. } => {
            let unconfirmed = if *unconfirmed { "yes" } else { "no" }.to_owned();
            let mut more = vec![("kana", kana.clone()), ("unconfirmed", unconfirmed)];
            more.extend(name.clone().map(|name| ("name", name)));
            (kind::OFFICE_JOINED, Role::Offices, more)
        }
        Standing::Reject { reason, .. } => {
            (kind::OFFICE_REJECTED, Role::Offices, vec![("reason", reason.clone())])
        }
    };
    let pairs = std::iter::once(("office", standing.office().to_string())).chain(more).collect();
    Some((kind, role, pairs))
}

/// The operator's word about what an office declares.
fn of_profile(profiling: &Profiling) -> Option<(&'static str, Role, Pairs)> {
    let Profiling::Decide { office, approve } = profiling else { return None };
    let kind = if *approve { kind::OFFICE_PROFILE_APPROVED } else { kind::OFFICE_PROFILE_REJECTED };
    Some((kind, Role::Offices, vec![("office", office.to_string())]))
}

fn of_mandate(mandating: &Mandating) -> Option<(&'static str, Role, Pairs)> {
    Some(match mandating {
        // The relay's own, when a time has come.
        Mandating::Lapse { .. } => return None,
        Mandating::Give { row, .. } => {
            let pairs = vec![
                ("office", row.office.to_string()),
                ("holder", row.holder.identity(row.office)),
                ("scopes", row.scopes.to_string()),
                ("from", time::format_us(row.from_us)),
                ("until", time::format_us(row.until_us)),
                ("mandate", digest_text(&row.digest)),
            ];
            (kind::MANDATE_DELEGATED, Role::Offices, pairs)
        }
        Mandating::End { office, digest, .. } => {
            let pairs = vec![("office", office.to_string()), ("mandate", digest_text(digest))];
            (kind::MANDATE_ENDED, Role::Offices, pairs)
        }
        Mandating::Enrol(row) => {
            let pairs = vec![("office", row.office.to_string()), ("mandate", digest_text(&row.digest))];
            (kind::MANDATE_ENROLLED, Role::Certificates, pairs)
        }
        Mandating::Keep { row, .. } => {
            let pairs = vec![("office", row.office.to_string()), ("mandate", digest_text(&row.digest))];
            (kind::MANDATE_KEPT, Role::Offices, pairs)
        }
        Mandating::PutProxy(row) => {
            let pairs = vec![
                ("proxy", row.number.to_string()),
                ("name", row.name.clone()),
                ("state", row.state.as_str().to_owned()),
            ];
            (kind::PROXY_CHANGED, Role::Offices, pairs)
        }
        Mandating::RegisterProxyKey(key) => {
            let pairs = vec![("proxy", key.proxy.to_string()), ("key", digest_text(&key.fingerprint))];
            (kind::PROXY_KEY_REGISTERED, Role::Certificates, pairs)
        }
    })
}

fn of_operators(operating: &Operating) -> (&'static str, Role, Pairs) {
    match operating {
        Operating::May { kind, role } => (*kind, *role, vec![("asks", "may this be done".to_owned())]),
        Operating::Put { row, .. } => {
            let pairs = vec![
                ("name", row.name.clone()),
                ("roles", row.roles.to_string()),
                ("key", digest_text(&row.fingerprint)),
            ];
            (kind::OPERATOR_CHANGED, Role::Certificates, pairs)
        }
        Operating::Remove { name } => {
            (kind::OPERATOR_REMOVED, Role::Certificates, vec![("name", name.clone())])
        }
        Operating::Decide { id, statement, role, approve } => {
            let word = if *approve { "approve" } else { "reject" };
            let pairs = vec![
                ("approval", id.clone()),
                ("asked-statement", digest_text(statement)),
                ("decision", word.to_owned()),
            ];
            let kind = if *approve { kind::MANDATE_DELEGATED } else { kind::APPROVAL_REJECTED };
            (kind, *role, pairs)
        }
    }
}

/// The office that an act's details name.
pub fn office_of(details: &[String]) -> Option<OfficeNumber> {
    tasuki_proto::operator::values(details, "office").next()?.parse().ok()
}
