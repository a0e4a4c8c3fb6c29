//! `OFFICE_MISMATCH`, `CHECK_DIGIT` and `OUT_OF_SCOPE`: the offices and service kinds of a name and of its records.

use super::record::Values;
use super::{Message, Place, Sink};
use crate::file_name::FileName;
use crate::finding::{RuleId, Severity};
use crate::layout::Party;
use crate::office::OfficeNumber;
use crate::service::ServiceKind;

/// Wrong numbers that are remembered so as to be told once.
const MAX_TOLD: usize = 32;
/// Stands for all offices on total rows of table 7 (全合計).
const ALL_OFFICES: &[u8] = b"9999999999";

/// `CHECK_DIGIT` and `OUT_OF_SCOPE` of the name.
pub(super) fn check_name(sink: &mut Sink<'_>, name: &FileName) {
    for (office, ja, en) in [(name.sender, "送信元", "sender"), (name.recipient, "送信先", "recipient")]
    {
        if !office.check_digit_ok() {
            sink.add(RuleId::CheckDigit, Severity::Warning, Place::FILE, || {
                let message = Message::new(
                    format!("ファイル名の{ja}の事業所番号のチェックディジット（10桁目）が合いません。番号を確かめてください。"),
                    format!("The check digit (tenth digit) of the {en} in the file name is wrong: check the office number."),
                );
                ("10 digits", message)
            });
        }
    }
    let services =
        [(name.sender_service, "送信元", "sender"), (name.recipient_service, "送信先", "recipient")];
    for (service, ja, en) in services {
        if service.is_some_and(|service| service.is_out_of_scope()) {
            sink.add(RuleId::OutOfScope, Severity::Warning, Place::FILE, || {
                let message = Message::new(
                    format!("ファイル名の{ja}のサービス種類は標準仕様の対象外です。送る必要があるか確かめてください。"),
                    format!("The standard leaves out the {en}'s service kind in the file name: check whether to send it."),
                );
                ("service kind out of scope", message)
            });
        }
    }
}

/// What the records so far said of offices.
pub(super) struct Offices<'a> {
    sender: OfficeNumber,
    recipient: OfficeNumber,
    mismatch: Severity,
    forwards: bool,
    /// The last value of each party's item, which had its finding if it was wrong.
    last: [&'a [u8]; MAX_PARTIES],
    told: Vec<&'a [u8]>,
    /// The service of the last record.
    out_of_scope: bool,
}

/// Party items that a layout has at most.
const MAX_PARTIES: usize = 2;

impl<'a> Offices<'a> {
    pub(super) fn of(name: &FileName) -> Self {
        let services = || [name.sender_service, name.recipient_service].into_iter().flatten();
        // In preventive care the plan's office may be the centre or the office that it commissioned.
        let preventive = services().any(|service| service.is_preventive());
        Self {
            sender: name.sender,
            recipient: name.recipient,
            mismatch: if preventive { Severity::Warning } else { Severity::Error },
            forwards: name.sender_service.is_some_and(|service| service.is_care_management()),
            last: [b""; MAX_PARTIES],
            told: Vec::new(),
            out_of_scope: false,
        }
    }

    pub(super) fn check(&mut self, sink: &mut Sink<'_>, values: &Values<'_, 'a>) {
        let roles = &values.layout().roles;
        for (nth, &(at, party)) in roles.parties.iter().enumerate().filter(|(_, (at, _))| values.is_new(*at))
        {
            let value = values.at(at);
            let expected = self.expected(party);
            let Some(last) = self.last.get_mut(nth) else { break };
            if value != std::mem::replace(last, value)
                && let Some(office) = expected
            {
                check_party(sink, values, at, (office, party), self.mismatch);
            }
        }
        for &at in roles.offices.iter().filter(|at| values.is_new(**at)) {
            self.check_digit(sink, values, at);
        }
        if let Some(at) = roles.service {
            if values.is_new(at) {
                let kind = values.at(at).get(..2).and_then(ServiceKind::from_bytes);
                self.out_of_scope = kind.is_some_and(|kind| kind.is_out_of_scope());
            }
            if self.out_of_scope {
                sink.add(RuleId::OutOfScope, Severity::Warning, values.place(at), out_of_scope);
            }
        }
    }

    /// The office that a party's item must hold; `None` where it may be any.
    fn expected(&self, party: Party) -> Option<OfficeNumber> {
        match party {
            Party::Sender => Some(self.sender),
            Party::Recipient => Some(self.recipient),
            Party::Provider => (!self.forwards).then_some(self.sender),
        }
    }

    fn check_digit(&mut self, sink: &mut Sink<'_>, values: &Values<'_, 'a>, at: usize) {
        let value = values.at(at);
        // The parties' own digits are judged in the name.
        if value == self.sender.as_bytes() || value == self.recipient.as_bytes() || value == ALL_OFFICES {
            return;
        }
        let Some(office) = OfficeNumber::from_bytes(value) else { return };
        if office.check_digit_ok() || self.told.contains(&value) {
            return;
        }
        if self.told.len() < MAX_TOLD {
            self.told.push(value);
        }
        sink.add(RuleId::CheckDigit, Severity::Warning, values.place(at), || {
            let message = Message::new(
                "事業所番号のチェックディジット（10桁目）が合いません。番号を確かめてください。",
                "The check digit (tenth digit) of the office number is wrong: check the number.",
            );
            ("10 digits", message)
        });
    }
}

fn check_party(
    sink: &mut Sink<'_>,
    values: &Values<'_, '_>,
    at: usize,
    (office, party): (OfficeNumber, Party),
    severity: Severity,
) {
    let value = values.at(at);
    // What is no office number has had its finding about type or length.
    if value == office.as_bytes() || OfficeNumber::from_bytes(value).is_none() {
        return;
    }
    sink.add(RuleId::OfficeMismatch, severity, values.place(at), || {
        let (ja, en) = match party {
            Party::Sender => ("ファイル名の送信元の事業所と違います", "is not the sender of the file name"),
            Party::Recipient => ("ファイル名の送信先の事業所と違います", "is not the recipient of the file name"),
            Party::Provider => (
                "ファイル名の送信元（サービス事業所）と違います",
                "is not the sender (the service office) of the file name",
            ),
        };
        let name = values.layout().items.get(at);
        let message = Message::new(
            format!(
                "「{}」が{ja}。事業所の設定と送信先を確かめて出力し直してください（標準仕様：1ファイルは1送信元・1送信先）。",
                name.map_or("", |item| item.name_ja)
            ),
            format!(
                "{} {en}. Check the offices registered in the software and export again (standard: one sender and one \
                 recipient in a file).",
                name.map_or(String::new(), |item| item.name_en.replace('_', " "))
            ),
        );
        ("another office number", message)
    });
}

fn out_of_scope() -> (&'static str, Message) {
    let message = Message::new(
        "標準仕様の対象外のサービス種類です（施設・居住系、福祉用具販売、住宅改修など）。送る必要があるか確かめてください。",
        "The standard leaves out this service kind (facilities, sale of equipment, home modification and the like): check whether to \
         send it.",
    );
    ("service kind out of scope", message)
}
