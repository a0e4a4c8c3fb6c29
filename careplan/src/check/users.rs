//! `MISDIRECTED`: users in a file for an office that has nothing to do with them.

use std::collections::HashMap;

use super::record::Values;
use super::{Message, Place, Sink};
use crate::file_name::FileName;
use crate::finding::{RuleId, Severity};
use crate::kind::FileKind;
use crate::layout::{INSURED, INSURER, Layout};
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

/// What the records of one user, one below the other, said.
#[derive(Clone, Copy)]
struct Run {
    user: UserKey,
    first_line: u64,
    /// Some record names a provider.
    named: bool,
    /// Some record names the recipient as provider.
    served: bool,
}

/// The users of the records so far. In a file that is in order every user has a service at the recipient, mostly in records
/// that stand together: so only users of whom a run has none are remembered, and when the file ends it is walked once more
/// to see whether they have one elsewhere.
pub(super) struct Users<'a> {
    name: &'a FileName,
    bytes: &'a [u8],
    severity: Severity,
    /// A slip must name the recipient; in a plan table providers without a number are possible.
    only_where_named: bool,
    enabled: bool,
    missed: bool,
    run: Option<Run>,
    /// The provider of the last record is named, and is the recipient.
    last: (bool, bool),
    /// By user, the first line.
    unserved: HashMap<UserKey, u64>,
}

impl<'a> Users<'a> {
    pub(super) fn of(name: &'a FileName, bytes: &'a [u8]) -> Self {
        let is_plan_table = name.kind == FileKind::Up2kyo;
        // Slips that a commissioned office sends to a support centre concern others than the recipient.
        let to_service_office = !name.recipient_service.is_some_and(|service| service.is_care_management());
        let names_providers = is_plan_table || matches!(name.kind, FileKind::Upplan | FileKind::Upsikyu);
        Self {
            name,
            bytes,
            severity: if is_plan_table { Severity::Warning } else { Severity::Error },
            only_where_named: is_plan_table,
            enabled: to_service_office && names_providers,
            missed: false,
            run: None,
            last: (false, false),
            unserved: HashMap::new(),
        }
    }

    /// A record that can't be read may be the one that names the recipient.
    pub(super) fn miss_one(&mut self) {
        self.missed = true;
    }

    pub(super) fn check(&mut self, values: &Values<'_, '_>) {
        let Some(at) = values.layout().roles.provider.filter(|_| self.enabled) else { return };
        if values.is_new(at) {
            let provider = values.at(at);
            self.last = (!provider.is_empty(), provider == self.name.recipient.as_bytes());
        }
        if self.run.is_none() || values.is_new(INSURER) || values.is_new(INSURED) {
            self.begin(UserKey::of(values.at(INSURER), values.at(INSURED)), values.line());
        }
        let (named, served) = self.last;
        if let Some(run) = &mut self.run {
            run.named |= named;
            run.served |= served;
        }
    }

    /// Goes on with this user, who may be the one before; `None` for wrong numbers, which have their own findings.
    fn begin(&mut self, user: Option<UserKey>, line: u64) {
        if user.is_some() && self.run.map(|run| run.user) == user {
            return;
        }
        self.end_run();
        self.run = user.map(|user| Run { user, first_line: line, named: false, served: false });
    }

    fn end_run(&mut self) {
        if let Some(run) = self.run.take()
            && !run.served
            && (run.named || !self.only_where_named)
        {
            self.unserved.entry(run.user).or_insert(run.first_line);
        }
    }

    pub(super) fn finish(self, sink: &mut Sink<'_>) {
        if self.missed {
            return;
        }
        let severity = self.severity;
        for (_, line) in self.strangers() {
            sink.add(RuleId::Misdirected, severity, Place::line(line), || {
                ("user without a service at the recipient", message(severity))
            });
        }
    }

    /// Users without a service at the recipient, with their first lines, in the order of these.
    fn strangers(mut self) -> Vec<(UserKey, u64)> {
        self.end_run();
        if !self.unserved.is_empty() {
            let recipient = self.name.recipient;
            for_each_service(self.name, self.bytes, |user, provider, _| {
                if provider == recipient.as_bytes() {
                    self.unserved.remove(&user);
                }
            });
        }
        let mut strangers: Vec<(UserKey, u64)> = self.unserved.into_iter().collect();
        strangers.sort_unstable_by_key(|(_, line)| *line);
        strangers
    }
}

/// The users of a file who have no service at its recipient, sorted. Records that no layout fits are passed over.
pub(crate) fn misdirected(name: &FileName, bytes: &[u8]) -> Vec<UserKey> {
    let mut users = Users::of(name, bytes);
    if !users.enabled {
        return Vec::new();
    }
    for_each_service(name, bytes, |user, provider, line| {
        users.begin(Some(user), line);
        if let Some(run) = &mut users.run {
            run.named |= !provider.is_empty();
            run.served |= provider == name.recipient.as_bytes();
        }
    });
    let mut keys: Vec<UserKey> = users.strangers().into_iter().map(|(user, _)| user).collect();
    keys.sort_unstable();
    keys
}

/// User, provider and line of every record that has them.
fn for_each_service<'a>(name: &FileName, bytes: &'a [u8], mut each: impl FnMut(UserKey, &'a [u8], u64)) {
    let mut records = Records::new(bytes);
    while let Ok(Some(record)) = records.next() {
        let value = |at: usize| record.items.get(at).map(|item| item.of(bytes)).unwrap_or_default();
        let provider = Layout::of_record(name, &record, bytes).and_then(|layout| layout.roles.provider);
        if let (Some(provider), Some(user)) = (provider, UserKey::of(value(INSURER), value(INSURED))) {
            each(user, value(provider), record.line);
        }
    }
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
