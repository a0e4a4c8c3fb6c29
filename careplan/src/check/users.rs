//! `MISDIRECTED`: users in a file for an office that has nothing to do with them.

use std::collections::HashMap;

use super::record::Values;
use super::{Message, Place, Sink};
use crate::file_name::FileName;
use crate::finding::{RuleId, Severity};
use crate::kind::FileKind;
use crate::layout::{INSURED, INSURER, Layout};
use crate::office::OfficeNumber;
use crate::records::Records;

/// Insurer (6) and insured person (10): who a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UserKey([u8; 16]);

impl UserKey {
    /// `None` for numbers of another length, which have their own findings.
    pub(crate) fn of(insurer: &[u8], insured: &[u8]) -> Option<Self> {
        let insurer: &[u8; 6] = insurer.try_into().ok()?;
        let insured: &[u8; 10] = insured.try_into().ok()?;
        let mut key = [0; 16];
        let (front, back) = key.split_at_mut(insurer.len());
        front.copy_from_slice(insurer);
        back.copy_from_slice(insured);
        Some(Self(key))
    }
}

/// What the records of one user said.
#[derive(Clone, Copy)]
struct User {
    first_line: u64,
    /// Some record names a provider.
    named: bool,
    /// Some record names the recipient as provider.
    served: bool,
}

/// The users of the records so far.
pub(super) struct Users {
    recipient: OfficeNumber,
    severity: Severity,
    /// A slip must name the recipient; in a plan table providers without a number are possible.
    only_where_named: bool,
    enabled: bool,
    missed: bool,
    current: Option<(UserKey, User)>,
    others: HashMap<UserKey, User>,
}

impl Users {
    pub(super) fn of(name: &FileName) -> Self {
        let is_plan_table = name.kind == FileKind::Up2kyo;
        // Slips that a commissioned office sends to a support centre concern others than the recipient.
        let to_service_office = !name.recipient_service.is_some_and(|service| service.is_care_management());
        let names_providers = is_plan_table || matches!(name.kind, FileKind::Upplan | FileKind::Upsikyu);
        Self {
            recipient: name.recipient,
            severity: if is_plan_table { Severity::Warning } else { Severity::Error },
            only_where_named: is_plan_table,
            enabled: to_service_office && names_providers,
            missed: false,
            current: None,
            others: HashMap::new(),
        }
    }

    /// A record that can't be read may be the one that names the recipient.
    pub(super) fn miss_one(&mut self) {
        self.missed = true;
    }

    pub(super) fn check(&mut self, values: &Values<'_, '_>) {
        let Some(provider) = values.layout().roles.provider.filter(|_| self.enabled) else { return };
        if let Some(key) = UserKey::of(values.at(INSURER), values.at(INSURED)) {
            self.take(key, values.line(), values.at(provider));
        }
    }

    fn take(&mut self, key: UserKey, line: u64, provider: &[u8]) {
        if self.current.is_none_or(|(current, _)| current != key) {
            self.put_away();
            let user = self.others.get(&key).copied();
            let user = user.unwrap_or(User { first_line: line, named: false, served: false });
            self.current = Some((key, user));
        }
        if let Some((_, user)) = &mut self.current {
            user.named |= !provider.is_empty();
            user.served |= provider == self.recipient.as_bytes();
        }
    }

    fn put_away(&mut self) {
        if let Some((key, user)) = self.current.take() {
            self.others.insert(key, user);
        }
    }

    pub(super) fn finish(self, sink: &mut Sink<'_>) {
        if self.missed {
            return;
        }
        let severity = self.severity;
        for (_, user) in self.without_service() {
            sink.add(RuleId::Misdirected, severity, Place::line(user.first_line), || {
                ("user without a service at the recipient", message(severity))
            });
        }
    }

    /// In the order of their first lines.
    fn without_service(mut self) -> Vec<(UserKey, User)> {
        self.put_away();
        let concerns = |user: &User| !user.served && (user.named || !self.only_where_named);
        let mut users: Vec<(UserKey, User)> = self.others.into_iter().filter(|(_, u)| concerns(u)).collect();
        users.sort_unstable_by_key(|(_, user)| user.first_line);
        users
    }
}

/// The users of a file who have no service at its recipient, sorted. Records that no layout fits are passed over.
pub(crate) fn misdirected(name: &FileName, bytes: &[u8]) -> Vec<UserKey> {
    let mut users = Users::of(name);
    let mut records = Records::new(bytes);
    while let Ok(Some(record)) = records.next() {
        let value = |at: usize| record.items.get(at).map(|item| item.of(bytes)).unwrap_or_default();
        let Some(layout) = Layout::of_record(name, &record, bytes) else { continue };
        if let (Some(provider), Some(key)) =
            (layout.roles.provider, UserKey::of(value(INSURER), value(INSURED)))
        {
            users.take(key, record.line, value(provider));
        }
    }
    if !users.enabled {
        return Vec::new();
    }
    let mut keys: Vec<UserKey> = users.without_service().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    keys
}

fn message(severity: Severity) -> Message {
    match severity {
        Severity::Error => Message::new(
            "この行の利用者には、送信先の事業所のサービスがありません。別の事業所の利用者ではありませんか。送信先を確かめて出力し直すか、`tasuki split --drop-misdirected` でこの利用者の行を除いてください（標準仕様：送信先のサービスを利用する利用者だけを送る）。",
            "The user of this line has no service at the recipient: may this be another office's user? Check the recipient and \
             export again, or drop the user's rows with `tasuki split --drop-misdirected` (standard: only users of the \
             destination).",
        ),
        Severity::Warning => Message::new(
            "この行の利用者の計画に、送信先の事業所が出てきません。送信先が正しいか確かめてください（標準仕様：送信先のサービスを利用する利用者だけを送る）。",
            "The plan of this line's user does not name the recipient: check that the recipient is right (standard: only users \
             of the destination).",
        ),
    }
}
