//! What an event of a parcel proves, and what it does not: one table for the pages that people read.

use tasuki_proto::event::Event;
use tasuki_proto::event::kind;
use tasuki_proto::ids::proxy_of;

/// What a line of a proof means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// Kind of the event.
    pub kind: &'static str,
    /// What happened, in Japanese and English.
    pub title: (&'static str, &'static str),
    /// What it proves.
    pub proves: (&'static str, &'static str),
    /// What it does not prove.
    pub not: (&'static str, &'static str),
}

const fn row(
    kind: &'static str,
    title: (&'static str, &'static str),
    proves: (&'static str, &'static str),
    not: (&'static str, &'static str),
) -> Meaning {
    Meaning { kind, title, proves, not }
}

/// The meaning of an event's kind; one of a later version has the last.
pub fn meaning(kind: &str) -> &'static Meaning {
    MEANINGS.iter().find(|meaning| meaning.kind == kind).unwrap_or(&MEANINGS[MEANINGS.len() - 1])
}

/// Whose word an event is, in Japanese and English: a party's own signature, or the relay's.
pub fn whose_word(event: &Event) -> (&'static str, &'static str) {
    if event.digest("statement").is_none() {
        return ("中継サーバーの記録", "the relay's log");
    }
    if event.lines.get("by").and_then(proxy_of).is_some() {
        // No more than the proxy's word, where only the proxy signed.
        return match event.kind.as_str() {
            kind::PARCEL_ACKNOWLEDGED
            | kind::PARCEL_IMPORTED
            | kind::PARCEL_REFUSED
            | kind::PARCEL_HANDED_OVER => ("宛先の伝送代行業者の署名", "the receiver's proxy's signature"),
            kind::PARCEL_REMARKED => ("当事者の伝送代行業者の署名", "a party's proxy's signature"),
            _ => ("送信元の伝送代行業者の署名", "the sender's proxy's signature"),
        };
    }
    match event.kind.as_str() {
        kind::PARCEL_ACKNOWLEDGED | kind::PARCEL_IMPORTED | kind::PARCEL_REFUSED => {
            ("宛先の署名", "the receiver's signature")
        }
        kind::PARCEL_REMARKED => ("当事者の署名", "a party's signature"),
        _ => ("送信元の署名", "the sender's signature"),
    }
}

/// Every kind of event about a parcel; the last stands for those that only a later version knows.
#[rustfmt::skip]
pub const MEANINGS: &[Meaning] = &[
    row(
        kind::PARCEL_HELD,
        ("受付（保留）", "accepted, held"),
        ("この時刻に中継サーバーが署名と検査を確かめて受け付けた", "the relay verified, checked and accepted it at this time"),
        ("宛先にはまだ届いていない", "its receiver does not see it yet"),
    ),
    row(
        kind::PARCEL_DELIVERED,
        ("配達", "delivered"),
        ("この時刻から宛先の受信箱にある", "it stands in the receiver's mailbox from this time on"),
        ("宛先が受信した、読んだとは限らない", "that the receiver has fetched or read it"),
    ),
    row(
        kind::PARCEL_FETCHED,
        ("取得", "fetched"),
        ("この時刻に宛先へ渡した", "the relay released it to the receiver at this time"),
        ("宛先が開いて確かめたとは限らない", "that the receiver has opened and verified it"),
    ),
    row(
        kind::PARCEL_ACKNOWLEDGED,
        ("受領", "acknowledged"),
        ("宛先が、検証して保存したと署名した", "the receiver signed that it verified and stored it"),
        ("担当者が読んだとは限らない", "that a person has read it"),
    ),
    row(
        kind::PARCEL_IMPORTED,
        ("取込", "imported"),
        ("宛先が、介護ソフトに取り込んだと署名した", "the receiver signed that its care software took it in"),
        ("内容に同意したとは限らない", "that the receiver agrees with it"),
    ),
    row(
        kind::PARCEL_HANDED_OVER,
        ("引渡し", "handed over"),
        ("宛先の伝送代行業者が、事業所に引き渡したと署名した", "the receiver's proxy signed that it handed it to the office"),
        ("事業所が開いて確かめた、受領したとは限らない", "that the office itself has opened it or signed for it"),
    ),
    row(
        kind::PARCEL_REFUSED,
        ("受取拒否", "refused"),
        ("宛先が、受け取らないと署名した", "the receiver signed that it does not take it"),
        ("理由が正しいとは限らない", "that the reason is right"),
    ),
    row(
        kind::PARCEL_RECALLED,
        ("取消", "recalled"),
        ("受信される前に、送信元が取り消すと署名した", "the sender signed that it takes it back, before it was fetched"),
        ("以前の版の有無", "whether there was an earlier version"),
    ),
    row(
        kind::PARCEL_DISCARDED,
        ("破棄", "discarded"),
        ("保留のまま、届けられずに破棄された", "it was thrown away while it was held, and never delivered"),
        ("後で送り直したかどうか", "whether it was sent again later"),
    ),
    row(
        kind::PARCEL_EXPIRED,
        ("期限切れ", "expired"),
        ("期限までに受信されなかった", "nobody fetched it within its time"),
        ("宛先に他の方法で届いたかどうか", "whether it reached the receiver another way"),
    ),
    row(
        kind::PARCEL_OVERDUE,
        ("期日超過", "overdue"),
        ("期日までに受信されていないと、双方に知らせた", "both were told that nobody had fetched it in time"),
        ("後で受信されたかどうか", "whether it was fetched later"),
    ),
    row(
        kind::PARCEL_REMARKED,
        ("連絡", "remark"),
        ("当事者が、署名付きの連絡をした", "a party signed a remark"),
        ("相手が読んだとは限らない", "that the other has read it"),
    ),
    row(
        kind::PARCEL_WITHDRAWAL_ASKED,
        ("使用中止の依頼", "withdrawal asked"),
        ("送信元が、使わないよう署名して依頼した", "the sender signed that it asks not to use it"),
        ("宛先が使用をやめたとは限らない", "that the receiver has stopped using it"),
    ),
    row(
        "",
        ("その他", "other"),
        ("この出来事が記録にある", "this event stands in the log"),
        ("その意味は新しい版のソフトウェアで確かめる", "its meaning: look with a later version of the software"),
    ),
];

#[cfg(test)]
mod tests {
    use tasuki_proto::lifecycle::Act;

    use super::*;

    #[test]
    fn every_kind_of_event_about_a_parcel_has_a_meaning() {
        for kind in Act::ALL.iter().map(|act| act.event_kind()).chain([kind::PARCEL_HELD]) {
            assert_eq!(meaning(kind).kind, kind);
        }
        assert_eq!(meaning("parcel.teleported").title.1, "other");
    }
}
