//! What a mail says: from whom, how many, when; and which certificate ends. Nothing of what arrived.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tasuki_careplan::office::OfficeNumber;

use crate::month::minute_in_japan;

/// Senders that are named; the rest is counted.
const MAX_NAMED: usize = 20;

/// What arrived from one office.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Arrivals {
    /// The office's name.
    pub(super) name: String,
    /// How many parcels.
    pub(super) count: u32,
    /// When the last one came, Unix microseconds.
    pub(super) last_us: i64,
}

/// A certificate that ends soon, or has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// Whose, as events name it.
    pub(super) holder: String,
    /// When, Unix microseconds.
    pub(super) not_after_us: i64,
}

/// What there is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// What arrived.
    pub(super) arrived: BySender,
    /// What ends.
    pub(super) ending: Vec<Ending>,
}

impl News {
    /// There is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.arrived.is_empty() && self.ending.is_empty()
    }
}

/// What arrived, by sender.
pub(super) type BySender = BTreeMap<OfficeNumber, Arrivals>;

/// Subject and text.
pub(super) fn write(office: OfficeNumber, name: &str, news: &News) -> (String, String) {
    let certificates = certificates(&news.ending);
    if news.arrived.is_empty() {
        let subject = "襷: 証明書の期限 (Tasuki: a certificate ends)".to_owned();
        return (subject, format!("{name}（{office}）\n\n{certificates}"));
    }
    let (subject, mut text) = write_arrived(office, name, &news.arrived);
    if !news.ending.is_empty() {
        write!(text, "\n{certificates}").expect("writing to a String does not fail");
    }
    (subject, text)
}

/// Certificates that end, each on a line.
fn certificates(ending: &[Ending]) -> String {
    let mut text = String::new();
    line(&mut text, "証明書の期限が近づいているか、切れています。tasuki renew で更新してください。");
    line(&mut text, "A certificate ends soon or has ended. Renew it with tasuki renew.\n");
    for Ending { holder, not_after_us } in ending.iter().take(MAX_NAMED) {
        line(&mut text, &format!("  {holder}  {}", minute_in_japan(*not_after_us)));
    }
    text
}

fn write_arrived(office: OfficeNumber, name: &str, arrived: &BySender) -> (String, String) {
    let total: u32 = arrived.values().map(|from| from.count).sum();
    let subject = format!("襷: 新しい電文 {total}件 (Tasuki: {total} new)");
    let named: Vec<_> = arrived.iter().take(MAX_NAMED).collect();
    let rest = arrived.len() - named.len();
    let mut text = format!("{name}（{office}）に新しい電文が{total}件届いています。\n\n");
    for (number, from) in &named {
        line(
            &mut text,
            &format!("  {}（{number}）  {}件  {}", from.name, from.count, minute_in_japan(from.last_us)),
        );
    }
    if rest > 0 {
        line(&mut text, &format!("  ほか{rest}事業所から"));
    }
    line(
        &mut text,
        "\n内容は介護ソフト、または tasuki receive で受信してご覧ください。このメールには返信できません。\n\n--",
    );
    line(&mut text, &format!("{total} new parcels wait for {name} ({office}).\n"));
    for (number, from) in &named {
        line(
            &mut text,
            &format!("  {} ({number})  {}  {}", from.name, from.count, minute_in_japan(from.last_us)),
        );
    }
    if rest > 0 {
        line(&mut text, &format!("  and from {rest} more offices"));
    }
    line(
        &mut text,
        "\nReceive them with your care software, or with tasuki receive. Times are Japan's. Nobody reads answers to this mail.",
    );
    (subject, text)
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_says_from_whom_how_many_and_when() {
        let from =
            |name: &str, count| Arrivals { name: name.to_owned(), count, last_us: 1_795_261_114_000_123 };
        let office = |n: u32| format!("99{n:08}").parse().unwrap();
        let mut arrived = BySender::from([(office(1), from("ひまわり", 2)), (office(2), from("さくら", 1))]);
        let news = |arrived: &BySender| News { arrived: arrived.clone(), ending: Vec::new() };
        let (subject, text) = write(office(9), "あおぞら", &news(&arrived));
        assert_eq!(subject, "襷: 新しい電文 3件 (Tasuki: 3 new)");
        assert!(text.starts_with("あおぞら（9900000009）に新しい電文が3件届いています。"), "{text}");
        assert!(text.contains("  ひまわり（9900000001）  2件  2026-11-21 20:38\n"), "{text}");
        assert!(text.contains("  さくら (9900000002)  1  2026-11-21 20:38\n"), "{text}");
        for n in 10..40 {
            arrived.insert(office(n), from("x", 1));
        }
        let (_, text) = write(office(9), "あおぞら", &news(&arrived));
        assert!(text.contains("ほか12事業所から") && text.contains("and from 12 more offices"), "{text}");
    }

    #[test]
    fn a_mail_says_which_certificate_ends() {
        let holder = "terminal:9900000009:受付".to_owned();
        let ending = vec![Ending { holder, not_after_us: 1_795_261_114_000_123 }];
        let mut news = News { arrived: BySender::new(), ending };
        let told = "  terminal:9900000009:受付  2026-11-21 20:38\n";
        let (subject, text) = write("9900000009".parse().unwrap(), "あおぞら", &news);
        assert!(subject.contains("証明書の期限") && text.contains(told), "{text}");
        let from = Arrivals { name: "ひまわり".to_owned(), count: 2, last_us: 1_795_261_114_000_123 };
        news.arrived.insert("9900000001".parse().unwrap(), from);
        let (subject, text) = write("9900000009".parse().unwrap(), "あおぞら", &news);
        assert!(subject.contains("新しい電文 2件") && text.contains(told) && text.contains("ひまわり"));
    }
}
