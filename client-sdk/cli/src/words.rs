//! Words for states, events and contents, in both languages. JSON has the codes, people read these.

use tasuki_careplan::words::Words;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::proxy_of;
use tasuki_sdk::declare::RefusalReason;

use crate::lang::Text;

/// What a state is called. `state` is its word in JSON.
pub(crate) fn state(state: &str) -> Text {
    let ja = match state {
        "held" => "保留中",
        "delivered" => "配達済",
        "fetched" => "取得済",
        "acknowledged" => "受領済",
        "imported" => "取込済",
        "refused" => "受取拒否",
        "recalled" => "取消済",
        "discarded" => "破棄済",
        "expired" => "期限切れ",
        "rejected" => "拒否",
        "pending" => "未送信",
        "unproven" => "証明なし",
        "failed" => "失敗",
        other => other,
    };
    Text::new(ja, state)
}

/// What happened, for an event's kind; a kind of a newer version stands for itself.
pub(crate) fn event(event: &str) -> Text {
    let (ja, en) = match event {
        kind::PARCEL_DELIVERED => {
            ("中継サーバーが受け付け、宛先の受信箱に入れました", "the relay put it into the mailbox")
        }
        kind::PARCEL_HELD => {
            ("中継サーバーが受け付け、保留しています", "the relay holds it until its release")
        }
        kind::PARCEL_IMPORTED => {
            ("宛先の介護ソフトが取り込みました", "the receiver's care software took it in")
        }
        kind::PARCEL_HANDED_OVER => {
            ("宛先の伝送代行業者が事業所に引き渡しました", "the receiver's proxy handed it to the office")
        }
        kind::PARCEL_REFUSED => ("宛先が受け取りを断りました", "the receiver refused it"),
        kind::PARCEL_RECALLED => ("送信元が取り消しました", "the sender recalled it"),
        kind::PARCEL_DISCARDED => ("保留中に破棄されました", "it was discarded while it was held"),
        kind::PARCEL_EXPIRED => ("受信されないまま期限が切れました", "it expired before anybody fetched it"),
        kind::PARCEL_OVERDUE => ("期日までに受信されていません", "it is overdue: nobody has fetched it"),
        kind::PARCEL_REMARKED => ("連絡がありました", "a remark"),
        kind::PARCEL_WITHDRAWAL_ASKED => {
            ("送信元が使用中止を依頼しました", "the sender asks that it not be used")
        }
        kind::REQUEST_MADE => ("書類の依頼がありました", "a document was asked for"),
        kind::PARCEL_FETCHED => ("宛先に渡しました", "released to the receiver"),
        kind::PARCEL_ACKNOWLEDGED => ("宛先が署名して受領しました", "the receiver signed for it"),
        kind::OFFICE_CHANGED => ("事業所の登録内容が変わりました", "the office's entry changed"),
        kind::OFFICE_SUSPENDED => ("事業所が利用停止になりました", "the office was suspended"),
        kind::OFFICE_RESUMED => ("事業所の利用が再開されました", "the office was let in again"),
        kind::OFFICE_APPLIED => ("利用を申請しました", "the office applied to join"),
        kind::OFFICE_CODE_MADE => ("確認コードが作られました", "a code was made for the application"),
        kind::OFFICE_CODE_WRONG => ("確認コードが違いました", "a wrong code was tried"),
        kind::OFFICE_CODE_LOCKED => {
            ("確認コードが無効になりました", "the code is void: too many wrong ones were tried")
        }
        kind::OFFICE_CONFIRMED => {
            ("確認コードで申請が確認されました", "the application was confirmed with its code")
        }
        kind::OFFICE_JOINED => ("事業所が利用を開始しました", "the office joined"),
        kind::OFFICE_REJECTED => ("利用申請が却下されました", "the application was rejected"),
        kind::OFFICE_LEFT => ("事業所が利用を終了しました", "the office left"),
        kind::OFFICE_ERASED => ("事業所のデータが消去されました", "what was kept of the office was erased"),
        kind::OFFICE_DECLARED => ("受け取れるものが宣言されました", "the office declared what it takes"),
        kind::OFFICE_PROFILE_APPROVED => {
            ("受け取れるものの宣言が承認されました", "what the office takes was approved")
        }
        kind::OFFICE_PROFILE_REJECTED => {
            ("受け取れるものの宣言が却下されました", "what the office takes was not approved")
        }
        kind::PARTNER_INVITED => {
            ("事業所から招待がありました", "one office invited the other to be partners")
        }
        kind::PARTNER_LINKED => ("招待が承諾されました", "the two offices are partners"),
        kind::PARTNER_ENDED => ("取引が終了しました", "the partnership or invitation ended"),
        kind::KEY_REGISTERED => ("暗号鍵が登録されました", "a key was registered"),
        kind::KEY_RENEWED => ("証明書が更新されました", "a certificate was renewed"),
        kind::CERTIFICATE_ENDING => ("証明書の期限が近づいています", "a certificate ends soon"),
        kind::KEY_REVOKED => {
            ("証明書が失効し、使えなくなりました", "a certificate is revoked and can't be used any more")
        }
        kind::MANDATE_DELEGATED => ("伝送代行業者に委任しました", "a proxy may act for the office"),
        kind::MANDATE_INVITED => ("端末を招待しました", "a terminal was invited"),
        kind::MANDATE_ENROLLED => ("新しい端末が登録されました", "a new terminal was enrolled"),
        kind::MANDATE_KEPT => {
            ("端末を新しい証明書のもとで継続しました", "a terminal goes on under the new certificate")
        }
        kind::MANDATE_ENDED => ("委任または端末の承認が終わりました", "a delegation or terminal ended"),
        kind::CERTIFICATE_ISSUED => ("証明書が発行されました", "a certificate was issued"),
        kind::CERTIFICATE_REVOKED => ("証明書が失効しました", "a certificate was revoked"),
        kind::REVOCATION_OVERRIDE => {
            ("古い失効情報が一時的に許可されました", "stale revocation data is let pass for a time")
        }
        kind::RELAY_NOTICE => ("運営者からのお知らせ", "a notice of the operator"),
        kind::RELAY_STOP_PLANNED => ("停止が予定されました", "a stop was planned"),
        kind::RELAY_STOP_CANCELLED => ("停止の予定が取り消されました", "a planned stop was called off"),
        kind::RELAY_MODE_CHANGED => ("受付の運用が変わりました", "the relay works in another mode"),
        kind::APPROVAL_ASKED => {
            ("運用操作の承認が申請されました", "an operator asked for another's approval")
        }
        kind::APPROVAL_REJECTED => ("運用操作の承認が却下されました", "an operator's act was not approved"),
        kind::LOG_KEY_ROLLED => ("記録の鍵が取り替えられました", "the log goes on under a new key"),
        kind::CA_ROLLED => ("発行認証局の鍵が取り替えられました", "the issuing CA goes on under a new key"),
        kind::LOG_STARTED => ("記録が始まりました", "the log began"),
        other => (other, other),
    };
    Text::new(ja, en)
}

/// Why a receiver refused, in few words.
pub(crate) fn refusal(reason: RefusalReason) -> Text {
    let (ja, en) = match reason {
        RefusalReason::Unreadable => ("読み取れない", "unreadable"),
        RefusalReason::WrongContent => ("内容の誤り", "wrong content"),
        RefusalReason::NotOurs => ("宛先違い", "not ours"),
        RefusalReason::ImportFailed => ("取込不可", "import failed"),
        RefusalReason::KeyLost => ("鍵の紛失", "key lost"),
        RefusalReason::Other => ("その他", "other"),
    };
    Text::new(ja, en)
}

/// Whose word an event is: `recipient` or `sender` where it carries that party's own signature, `recipient-proxy` or `sender-proxy`
/// where only its proxy signed, `party` where it may be either's, else `relay`.
pub(crate) fn word_of(event: &Event) -> &'static str {
    let signed = event.digest("statement").is_some();
    if signed && event.lines.get("by").and_then(proxy_of).is_some() {
        match event.kind.as_str() {
            kind::PARCEL_ACKNOWLEDGED
            | kind::PARCEL_IMPORTED
            | kind::PARCEL_REFUSED
            | kind::PARCEL_HANDED_OVER => return "recipient-proxy",
            kind::PARCEL_RECALLED
            | kind::PARCEL_WITHDRAWAL_ASKED
            | kind::PARCEL_DELIVERED
            | kind::PARCEL_DISCARDED => return "sender-proxy",
            _ => {}
        }
    }
    match event.kind.as_str() {
        kind::PARCEL_ACKNOWLEDGED | kind::PARCEL_IMPORTED | kind::PARCEL_REFUSED => "recipient",
        kind::PARCEL_RECALLED | kind::PARCEL_WITHDRAWAL_ASKED => "sender",
        // Otherwise the relay did it by itself.
        kind::PARCEL_DELIVERED | kind::PARCEL_DISCARDED if signed => "sender",
        kind::PARCEL_REMARKED | kind::REQUEST_MADE => "party",
        _ => "relay",
    }
}

/// What a parcel holds: `words` describe its standard files; `attachments` of its `files` are others.
pub(crate) fn content(words: Words, files: usize, attachments: usize) -> Text {
    if files == 0 {
        return Text::new("送付状のみ", "note only");
    }
    match attachments {
        0 => Text::new(words.ja, words.en),
        n if n == files => Text::new(format!("{}（{n}件）", words.ja), format!("{} ({n})", words.en)),
        n => {
            let plural = if n == 1 { "" } else { "s" };
            Text::new(format!("{}、添付{n}件", words.ja), format!("{}, {n} attachment{plural}", words.en))
        }
    }
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 2] = [("MiB", 1 << 20), ("KiB", 1 << 10)];
    match UNITS.into_iter().find(|(_, unit)| bytes >= *unit) {
        // One decimal place, rounded down.
        Some((name, unit)) => format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use tasuki_careplan::kind::FileKind;
    use tasuki_careplan::words::describe;
    use tasuki_sdk::State;

    use super::*;

    #[test]
    fn every_state_has_a_japanese_word() {
        use State::{
            Acknowledged, Delivered, Discarded, Expired, Fetched, Held, Imported, Recalled, Refused,
        };
        for one in [Held, Delivered, Fetched, Acknowledged, Imported, Refused, Recalled, Discarded, Expired] {
            let text = state(one.as_str());
            assert!(text.ja != text.en && text.en == one.as_str(), "{one}");
        }
        assert_eq!(state("brand-new").ja, "brand-new");
    }

    #[test]
    fn events_say_what_happened_and_whose_word_it_is() {
        assert_eq!(event("parcel.acknowledged").en, "the receiver signed for it");
        assert_eq!(event("parcel.teleported").ja, "parcel.teleported");
        let signed = |kind: &str| {
            let mut event = crate::testing::event(kind);
            event.lines.add("statement", &tasuki_proto::canonical::digest_text(&[1; 32]));
            event
        };
        for (kind, whose) in [
            ("parcel.acknowledged", "recipient"),
            ("parcel.delivered", "sender"),
            ("parcel.recalled", "sender"),
            ("parcel.remarked", "party"),
            ("parcel.fetched", "relay"),
        ] {
            assert_eq!(word_of(&signed(kind)), whose, "{kind}");
        }
        assert_eq!(word_of(&crate::testing::event("parcel.delivered")), "relay");
    }

    #[test]
    fn contents_are_described_with_attachments_and_without() {
        let months = ["202602".parse().unwrap()];
        let words = || describe(&[FileKind::Upjsk], &months);
        assert_eq!(content(words(), 1, 0), Text::new("実績 2026年2月分", "results for 2026-02"));
        assert_eq!(
            content(words(), 2, 1),
            Text::new("実績 2026年2月分、添付1件", "results for 2026-02, 1 attachment")
        );
        assert_eq!(content(words(), 3, 2).en, "results for 2026-02, 2 attachments");
        let none = || describe(&[], &[]);
        assert_eq!(content(none(), 2, 2), Text::new("添付ファイルのみ（2件）", "attachments only (2)"));
        assert_eq!(content(none(), 0, 0), Text::new("送付状のみ", "note only"));
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!(
            [0, 1023, 1024, 2444, 5 << 20].map(size),
            ["0 B", "1023 B", "1.0 KiB", "2.3 KiB", "5.0 MiB"]
        );
    }
}
