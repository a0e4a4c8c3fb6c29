//! Explanations of the words about joining, leaving and whom an office deals with.

use super::{
    CALLER_LEFT, CALLER_NOT_JOINED, Explanation, JOIN_CODE_LOCKED, JOIN_CODE_OVER, JOIN_CODE_WRONG,
    JOINING_CLOSED, NAME_NEEDED, NO_APPLICATION, NO_DECLARATION, NO_INVITATION, NOT_CONFIRMED, NOT_LINKED,
    OFFICE_NOT_MEMBER, RECIPIENT_DOES_NOT_ACCEPT, RECIPIENT_LEFT, RECIPIENT_NOT_JOINED, STATEMENT_OLD,
    TOO_MANY_APPLICATIONS, TOO_MANY_INVITATIONS, row,
};

/// Words about taking part.
#[rustfmt::skip]
pub(super) const TABLE: &[Explanation] = &[
    row(
        CALLER_NOT_JOINED,
        "この事業所はまだ利用を開始していません。tasuki join で利用を申請し、承認を待ってください。",
        "This office has not joined yet; apply with tasuki join, and wait for the approval.",
    ),
    row(
        CALLER_LEFT,
        "この事業所は利用を終了しました。再び利用するときは tasuki join で申請してください。",
        "This office left; to take part again, apply with tasuki join.",
    ),
    row(
        RECIPIENT_NOT_JOINED,
        "宛先事業所はまだ利用を開始していません。他の方法で連絡してください。",
        "The receiving office has not joined yet; reach it another way.",
    ),
    row(
        RECIPIENT_LEFT,
        "宛先事業所は利用を終了しました。他の方法で連絡してください。",
        "The receiving office left; reach it another way.",
    ),
    row(
        JOINING_CLOSED,
        "現在、利用申請を受け付けていません。運用主体に問い合わせてください。",
        "No applications are taken at present; ask the operator.",
    ),
    row(
        NO_APPLICATION,
        "審査中の利用申請がありません。tasuki join で申請してください。",
        "There is no open application; apply with tasuki join.",
    ),
    row(
        NOT_CONFIRMED,
        "確認コードによる確認が済んでいない申請です。確認を待つか、--unconfirmed を付けてください。",
        "The application was not confirmed with its code; wait for that, or add --unconfirmed.",
    ),
    row(
        JOIN_CODE_WRONG,
        "確認コードが違います。郵送または電話で届いたコードを確かめてください。続けて誤ると無効になります。",
        "The code is another one; check what came by post or telephone. Too many wrong ones make it void.",
    ),
    row(
        JOIN_CODE_OVER,
        "この確認コードは使用済みか、期限切れです。運用主体に新しいコードを依頼してください。",
        "The code was used, or its time is over; ask the operator for a new one.",
    ),
    row(
        JOIN_CODE_LOCKED,
        "誤ったコードが続いたため、確認コードを無効にしました。運用主体に新しいコードを依頼してください。",
        "Too many wrong codes were tried, and the code is void; ask the operator for a new one.",
    ),
    row(
        TOO_MANY_APPLICATIONS,
        "本日の利用申請が多すぎます。明日やり直すか、運用主体に問い合わせてください。",
        "Too many applications today; try again tomorrow, or ask the operator.",
    ),
    row(
        STATEMENT_OLD,
        "古い署名付き通知です。もう一度実行してください。続くときはパソコンの時計を確かめてください。",
        "The statement was signed before things changed; run it again, and check the computer's clock if that goes on.",
    ),
    row(
        OFFICE_NOT_MEMBER,
        "利用を開始していないか、利用を終了した事業所です。office approve で承認してください。",
        "The office has not joined, or left; let it take part with office approve.",
    ),
    row(
        NAME_NEEDED,
        "事業所一覧に名称がありません。--name で名称を指定してください。",
        "The directory has no name for this office; give it with --name.",
    ),
    row(
        NO_DECLARATION,
        "承認を待っている宣言がありません。",
        "No declaration of this office waits.",
    ),
    row(
        RECIPIENT_DOES_NOT_ACCEPT,
        "宛先事業所が受け取らないと宣言した版または形式のファイルがあります。形式を変えるか、他の方法で送ってください。",
        "The receiving office declared that it does not take files of this edition or format; send others, or another way.",
    ),
    row(
        NOT_LINKED,
        "宛先事業所との招待・承諾が済んでいません。tasuki partner invite で招待し、承諾を待ってください。",
        "The two offices are no partners; invite the other one with tasuki partner invite, and wait until it accepts.",
    ),
    row(
        NO_INVITATION,
        "この事業所との間に招待も取引もありません。tasuki partner list で確認してください。",
        "There is no invitation and no partnership with this office; look at tasuki partner list.",
    ),
    row(
        TOO_MANY_INVITATIONS,
        "返事を待っている招待が多すぎます。不要な招待を tasuki partner end で取り消してください。",
        "Too many invitations wait for an answer; take some back with tasuki partner end.",
    ),
];
