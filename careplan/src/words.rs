//! What a parcel holds, in words: kind, month, and whether it creates, updates or withdraws.

use serde::{Deserialize, Serialize};

use crate::kind::{Action, FileKind, Subject};
use crate::month::Month;

/// Months that are named; more are only counted. A parcel of the standard has one.
const NAMED_MONTHS: usize = 3;

/// A short description in both languages, for lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Words {
    /// Such as 「サービス利用票（第6・7表）2026年2月分 作成・更新」.
    pub ja: String,
    /// Such as "service use slips (tables 6, 7) for 2026-02, create or update".
    pub en: String,
}

/// Describes a parcel by the kinds and the service months of its standard files, in any order, doubles allowed.
///
/// A supplement (UPHOSOKU) goes with plans and slips and is only named alone; results are always "create or update"
/// unless withdrawn, and this goes without saying. Without kinds, there are only attachments.
pub fn describe(kinds: &[FileKind], months: &[Month]) -> Words {
    let mut phrases = Vec::new();
    for subject in
        [Subject::Plan, Subject::Slip, Subject::Result, Subject::BasicInformation, Subject::PreventivePlan]
    {
        for action in [Action::CreateOrUpdate, Action::Withdraw] {
            if kinds.iter().any(|kind| kind.subject() == subject && kind.action() == action) {
                phrases.push(phrase(subject, action, kinds, months));
            }
        }
    }
    if phrases.is_empty() && !kinds.is_empty() {
        phrases.push(phrase(Subject::Supplement, Action::CreateOrUpdate, kinds, months));
    }
    if phrases.is_empty() {
        return Words { ja: "添付ファイルのみ".into(), en: "attachments only".into() };
    }
    let (ja, en): (Vec<_>, Vec<_>) = phrases.into_iter().map(|words| (words.ja, words.en)).unzip();
    Words { ja: ja.join("、"), en: en.join("; ") }
}

fn phrase(subject: Subject, action: Action, kinds: &[FileKind], months: &[Month]) -> Words {
    let (ja, en) = match subject {
        Subject::Plan => ("居宅サービス計画書", "home care plan documents"),
        Subject::Slip => ("サービス利用票", "service use slips"),
        Subject::Result => ("実績", "results"),
        Subject::BasicInformation => {
            ("利用者基本情報（介護予防）", "user basic information (preventive care)")
        }
        Subject::PreventivePlan => ("介護予防サービス・支援計画書", "preventive service and support plan"),
        Subject::Supplement => ("利用者補足情報", "user supplement"),
    };
    let tables = match &tables(subject, action, kinds)[..] {
        [] => Words::default(),
        [one] => Words { ja: format!("（第{one}表）"), en: format!(" (table {one})") },
        several => Words {
            ja: format!("（第{}表）", several.join("・")),
            en: format!(" (tables {})", several.join(", ")),
        },
    };
    let for_months = match subject {
        Subject::Slip | Subject::Result | Subject::Supplement => name_months(months),
        Subject::Plan | Subject::BasicInformation | Subject::PreventivePlan => Words::default(),
    };
    let (action_ja, action_en) = match action {
        Action::CreateOrUpdate if matches!(subject, Subject::Result | Subject::Supplement) => ("", ""),
        Action::CreateOrUpdate => ("作成・更新", ", create or update"),
        Action::Withdraw => ("取下げ", ", withdraw"),
    };
    Words {
        ja: spaced(&[&format!("{ja}{}", tables.ja), &for_months.ja, action_ja]),
        en: format!("{en}{}{}{action_en}", tables.en, for_months.en),
    }
}

/// The numbers of the tables present; none for a withdrawal, which takes all of them together.
fn tables(subject: Subject, action: Action, kinds: &[FileKind]) -> Vec<&'static str> {
    let of_subject: &[(FileKind, &str)] = match (subject, action) {
        (Subject::Plan, Action::CreateOrUpdate) => {
            &[(FileKind::Up1kyo, "1"), (FileKind::Up2kyo, "2"), (FileKind::Up3kyo, "3")]
        }
        (Subject::Slip, Action::CreateOrUpdate) => &[(FileKind::Upplan, "6"), (FileKind::Upsikyu, "7")],
        _ => &[],
    };
    of_subject.iter().filter(|(kind, _)| kinds.contains(kind)).map(|(_, number)| *number).collect()
}

/// The months, each once, or nothing if there are none.
fn name_months(months: &[Month]) -> Words {
    let mut months = months.to_vec();
    months.sort_unstable();
    months.dedup();
    let (named, more) = months.split_at(months.len().min(NAMED_MONTHS));
    if named.is_empty() {
        return Words::default();
    }
    let (more_ja, more_en) = match more.len() {
        0 => Default::default(),
        count => (format!("ほか{count}か月"), format!(" and {count} more")),
    };
    let ja: Vec<_> = named.iter().map(|month| format!("{}年{}月分", month.year(), month.month())).collect();
    let en: Vec<_> = named.iter().map(|month| format!("{}-{:02}", month.year(), month.month())).collect();
    Words { ja: ja.join("・") + &more_ja, en: format!(" for {}{more_en}", en.join(", ")) }
}

/// Joins words by spaces, except behind a full-width parenthesis, which brings its own.
fn spaced(words: &[&str]) -> String {
    let mut text = String::new();
    for word in words.iter().filter(|word| !word.is_empty()) {
        if !text.is_empty() && !text.ends_with('）') {
            text.push(' ');
        }
        text.push_str(word);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(kinds: &str, months: &str) -> (String, String) {
        let kinds: Vec<FileKind> = kinds.split_whitespace().map(|kind| kind.parse().unwrap()).collect();
        let months: Vec<Month> = months.split_whitespace().map(|month| month.parse().unwrap()).collect();
        let words = describe(&kinds, &months);
        (words.ja, words.en)
    }

    #[test]
    fn each_send_unit_has_its_words() {
        let golden = [
            (
                "UP1KYO UP2KYO UP3KYO UPHOSOKU",
                "",
                "居宅サービス計画書（第1・2・3表）作成・更新",
                "home care plan documents (tables 1, 2, 3), create or update",
            ),
            (
                "UP1KYO UP2KYO UPHOSOKU",
                "",
                "居宅サービス計画書（第1・2表）作成・更新",
                "home care plan documents (tables 1, 2), create or update",
            ),
            (
                "UPHOSOKU UPSIKYU UPPLAN",
                "202602",
                "サービス利用票（第6・7表）2026年2月分 作成・更新",
                "service use slips (tables 6, 7) for 2026-02, create or update",
            ),
            ("UPJSK", "202602", "実績 2026年2月分", "results for 2026-02"),
            ("DLT1KYO", "", "居宅サービス計画書 取下げ", "home care plan documents, withdraw"),
            (
                "DLTPLAN",
                "202612",
                "サービス利用票 2026年12月分 取下げ",
                "service use slips for 2026-12, withdraw",
            ),
            ("DLTJSK", "202602", "実績 2026年2月分 取下げ", "results for 2026-02, withdraw"),
            (
                "UPKIHON UPKIHON_SUB1 UPKIHON_SUB2 UPKIHON_IMAGE",
                "",
                "利用者基本情報（介護予防）作成・更新",
                "user basic information (preventive care), create or update",
            ),
            (
                "DLTKIHON",
                "",
                "利用者基本情報（介護予防）取下げ",
                "user basic information (preventive care), withdraw",
            ),
            (
                "UPYOBO UPYOBO_SUB UPKIHON",
                "",
                "利用者基本情報（介護予防）作成・更新、介護予防サービス・支援計画書 作成・更新",
                "user basic information (preventive care), create or update; preventive service and support plan, \
                 create or update",
            ),
            (
                "DLTYOBO",
                "",
                "介護予防サービス・支援計画書 取下げ",
                "preventive service and support plan, withdraw",
            ),
        ];
        for (kinds, months, ja, en) in golden {
            assert_eq!(words(kinds, months), (ja.into(), en.into()), "{kinds}");
        }
    }

    #[test]
    fn what_makes_no_unit_has_words_too() {
        assert_eq!(words("", ""), ("添付ファイルのみ".into(), "attachments only".into()));
        assert_eq!(
            words("UPHOSOKU", "202602"),
            ("利用者補足情報 2026年2月分".into(), "user supplement for 2026-02".into())
        );
        assert_eq!(
            words("UPSIKYU", ""),
            (
                "サービス利用票（第7表）作成・更新".into(),
                "service use slips (table 7), create or update".into()
            )
        );
        assert_eq!(
            words("UPPLAN UPJSK", "202603 202602 202603").1,
            "service use slips (table 6) for 2026-02, 2026-03, create or update; results for 2026-02, 2026-03"
        );
        assert_eq!(
            words("UPJSK", "202601 202602 202603 202604 202605"),
            (
                "実績 2026年1月分・2026年2月分・2026年3月分ほか2か月".into(),
                "results for 2026-01, 2026-02, 2026-03 and 2 more".into()
            )
        );
    }
}
