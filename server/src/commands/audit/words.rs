//! Words for events and states in both languages, for tables that people read.

use tasuki_proto::event::kind;
use tasuki_proto::lifecycle::State;

use crate::commands::lang::Text;

/// What happened; a kind of another version stands for itself.
pub(super) fn event(event: &str) -> Text {
    let (ja, en) = match event {
        kind::PARCEL_DELIVERED => ("配達", "delivered"),
        kind::PARCEL_HELD => ("保留", "held"),
        kind::PARCEL_FETCHED => ("宛先に渡した", "released to the receiver"),
        kind::PARCEL_ACKNOWLEDGED => ("受領(宛先の署名)", "acknowledged, signed by the receiver"),
        kind::PARCEL_HANDED_OVER => {
            ("事業所へ引渡し(伝送代行業者の署名)", "handed to the office, signed by its proxy")
        }
        kind::PARCEL_IMPORTED => ("取込(宛先の署名)", "imported, signed by the receiver"),
        kind::PARCEL_REFUSED => ("受取拒否(宛先の署名)", "refused, signed by the receiver"),
        kind::PARCEL_RECALLED => ("取消(送信元の署名)", "recalled, signed by the sender"),
        kind::PARCEL_DISCARDED => ("破棄", "discarded"),
        kind::PARCEL_EXPIRED => ("期限切れ", "expired"),
        kind::PARCEL_OVERDUE => ("期日超過", "overdue"),
        kind::PARCEL_REMARKED => ("連絡", "remark"),
        kind::PARCEL_WITHDRAWAL_ASKED => ("使用中止の依頼", "asked not to use it"),
        kind::REQUEST_MADE => ("書類の依頼", "document asked for"),
        kind::OFFICE_CHANGED => ("登録内容の変更", "entry changed"),
        kind::OFFICE_SUSPENDED => ("利用停止", "suspended"),
        kind::OFFICE_RESUMED => ("利用再開", "resumed"),
        kind::OFFICE_APPLIED => ("利用申請", "applied to join"),
        kind::OFFICE_CODE_MADE => ("確認コードの作成", "code made"),
        kind::OFFICE_CODE_WRONG => ("確認コードの誤り", "wrong code"),
        kind::OFFICE_CODE_LOCKED => ("確認コードの無効化", "code void after wrong ones"),
        kind::OFFICE_CONFIRMED => ("確認コードによる確認", "confirmed with the code"),
        kind::OFFICE_JOINED => ("利用開始", "joined"),
        kind::OFFICE_REJECTED => ("利用申請の却下", "application rejected"),
        kind::OFFICE_LEFT => ("利用終了", "left"),
        kind::OFFICE_ERASED => ("データの消去", "data erased"),
        kind::OFFICE_DECLARED => ("受け取れるものの宣言", "declared what it takes"),
        kind::OFFICE_PROFILE_APPROVED => ("宣言の承認", "declaration approved"),
        kind::OFFICE_PROFILE_REJECTED => ("宣言の却下", "declaration rejected"),
        kind::PARTNER_INVITED => ("取引先の招待", "partner invited"),
        kind::PARTNER_LINKED => ("取引先の承諾", "partners"),
        kind::PARTNER_ENDED => ("取引の終了", "partnership ended"),
        kind::KEY_REGISTERED => ("鍵の登録", "key registered"),
        kind::KEY_RENEWED => ("証明書の更新", "certificate renewed"),
        kind::CERTIFICATE_ENDING => ("証明書の期限の知らせ", "certificate ends soon"),
        kind::KEY_REVOKED => ("証明書の失効を確認", "certificate found revoked"),
        kind::CERTIFICATE_ISSUED => ("証明書の発行", "certificate issued"),
        kind::CERTIFICATE_REVOKED => ("証明書の失効", "certificate revoked"),
        kind::REVOCATION_OVERRIDE => ("失効情報の特例", "stale revocation data let pass"),
        kind::RELAY_NOTICE => ("お知らせ", "notice"),
        kind::RELAY_STOP_PLANNED => ("停止の予定", "stop planned"),
        kind::RELAY_STOP_CANCELLED => ("停止の取りやめ", "stop cancelled"),
        kind::RELAY_MODE_CHANGED => ("運用の切替", "mode changed"),
        kind::MANDATE_DELEGATED => ("委任", "delegated to a proxy"),
        kind::MANDATE_INVITED => ("端末の招待", "terminal invited"),
        kind::MANDATE_ENROLLED => ("端末の登録", "terminal enrolled"),
        kind::MANDATE_KEPT => ("端末の継続", "terminal kept under a later certificate"),
        kind::MANDATE_ENDED => ("委任・端末の終了", "mandate ended"),
        kind::ENROLMENT_LOCKED => ("招待コードの誤りによる一時停止", "an address locked out for wrong codes"),
        kind::PROXY_CHANGED => ("代行業者の登録内容の変更", "proxy's entry changed"),
        kind::PROXY_KEY_REGISTERED => ("代行業者の鍵の登録", "proxy's key registered"),
        kind::OPERATOR_CHANGED => ("運用担当者の登録・変更", "operator added or changed"),
        kind::OPERATOR_REMOVED => ("運用担当者の解除", "operator removed"),
        kind::OPERATOR_REFUSED => ("権限のない運用操作の拒否", "act refused for want of a right"),
        kind::REVOCATION_REFUSED => ("失効情報を受け取れない", "revocation data did not come or was refused"),
        kind::ACT_REFUSED => ("権限のない操作の拒否", "refused: not allowed to"),
        kind::APPROVAL_ASKED => ("承認の申請", "approval asked for"),
        kind::APPROVAL_REJECTED => ("承認の却下", "approval refused"),
        kind::AUDIT_MADE => ("監査", "audit"),
        kind::CA_ROLLED => ("発行認証局の鍵の取替え", "issuing CA handed over"),
        kind::LOG_KEY_ROLLED => ("記録の鍵の取替え", "log key handed over"),
        kind::LOG_STARTED => ("記録の開始", "log started"),
        other => (other, other),
    };
    Text::new(ja, en)
}

/// Where a parcel stands.
pub(super) fn state(state: State) -> Text {
    let ja = match state {
        State::Held => "保留中",
        State::Delivered => "配達済",
        State::Fetched => "取得済",
        State::Acknowledged => "受領済",
        State::Imported => "取込済",
        State::Refused => "受取拒否",
        State::Recalled => "取消済",
        State::Discarded => "破棄済",
        State::Expired => "期限切れ",
    };
    Text::new(ja, state.as_str())
}
