//! Explanations of the words of the interface itself.

use super::{
    ALREADY_FETCHED, ALREADY_IMPORTED, ATTACHMENT_NAME, CALLER_SUSPENDED, CALLER_UNKNOWN,
    CERTIFICATE_REQUEST_INVALID, CODE_UNKNOWN, CODE_USED, CONFIRMATION_NEEDED, CONTENT_GONE,
    COSIGNATURE_INVALID, CREATED_IN_FUTURE, CRL_NOT_FOUND, CURSOR_IN_FUTURE, DIGEST_MISMATCH, Explanation,
    FILES_REJECTED, HEADER_MALFORMED, HOLD_TOO_LONG, INTERNAL, KEY_MALFORMED, LOG_RANGE, MAIL_ADDRESS,
    MAIL_NOT_OFFERED, MALWARE, MANDATE_ENDED, MANDATE_INVALID, MANDATE_MISSING, MANDATE_NOT_FOUND,
    MANDATE_SCOPE, NEW_PARTNER, NO_ISSUING_CA, NOT_ACKNOWLEDGED, NOT_ALLOWED, NOT_ARCHIVED, NOT_FETCHED,
    NOT_HELD, NOTE_TOO_LONG, NOTHING_TO_PROVE, OFFICE_NOT_FOUND, OFFICE_NOT_NAMED, OFFSET_OUT_OF_RANGE,
    OVERLOADED, PARCEL_AMBIGUOUS, PARCEL_DISCARDED, PARCEL_EMPTY, PARCEL_EXPIRED, PARCEL_ID_REUSED,
    PARCEL_NOT_FOUND, PARCEL_RECALLED, PARCEL_REFUSED, PARCEL_TOO_LARGE, PLANNED_STOP, PROXY_SUSPENDED,
    PROXY_UNKNOWN, RECEIVE_ONLY, RECIPIENT_IS_SENDER, RECIPIENT_MISMATCH, RECIPIENT_NO_KEY,
    RECIPIENT_NOT_READY, RECIPIENT_SUSPENDED, RECIPIENT_UNKNOWN, REQUEST_MALFORMED, SCAN_TOO_LARGE,
    SCANNER_UNAVAILABLE, SENDER_MISMATCH, SENDER_SUSPENDED, SENDER_UNKNOWN, SHUTTING_DOWN,
    SIGNER_NOT_ALLOWED, STATE_CONFLICT, STATEMENT_MALFORMED, STATEMENT_SIGNER, STILL_HELD, STORE_UNAVAILABLE,
    STREAM_CUT, STREAM_TOO_SLOW, SUPERSEDES_UNKNOWN, TERMINAL_NAME_USED, TEXT_MISMATCH, TEXT_TOO_LONG,
    TOO_MANY_MANDATES, TOO_MANY_STATEMENTS, TOO_MANY_STREAMS, TOO_MANY_TRIES, TRANSMITTER_NOT_ALLOWED,
    WEBHOOK_NONE, WEBHOOK_URL, WEBHOOKS_NOT_OFFERED, row,
};

/// Words of the interface itself, sorted by what they concern.
#[rustfmt::skip]
pub(super) const TABLE: &[Explanation] = &[
    row(
        SENDER_UNKNOWN,
        "送信元事業所が登録されていません。運用主体に登録を依頼してください。",
        "The sending office is not in the directory; ask the operator to register it.",
    ),
    row(
        SENDER_SUSPENDED,
        "送信元事業所は利用停止中です。運用主体に問い合わせてください。",
        "The sending office is suspended; ask the operator.",
    ),
    row(
        SENDER_MISMATCH,
        "署名した事業所と送信元事業所が一致しません。送信元の証明書で署名し直してください。",
        "The signer's office is not the parcel's sender; sign with the sender's certificate.",
    ),
    row(
        SIGNER_NOT_ALLOWED,
        "署名者はこの事業所のために署名できません。委任または端末の承認を確認してください。",
        "The signer may not sign for this office; check the delegation or the terminal's approval.",
    ),
    row(
        TRANSMITTER_NOT_ALLOWED,
        "接続した証明書はこの事業所のために送信できません。",
        "The connecting certificate may not transmit for this office.",
    ),
    row(
        RECIPIENT_UNKNOWN,
        "宛先事業所が登録されていません。事業所番号を確認してください。",
        "The receiving office is not in the directory; check its number.",
    ),
    row(
        RECIPIENT_SUSPENDED,
        "宛先事業所は利用停止中です。他の方法で連絡してください。",
        "The receiving office is suspended; reach it another way.",
    ),
    row(
        RECIPIENT_NO_KEY,
        "宛先事業所の鍵がまだ登録されていません。宛先が一度接続すると登録されます。",
        "The receiving office has no key yet; one is registered when it first connects.",
    ),
    row(
        RECIPIENT_NOT_READY,
        "宛先事業所のソフトは標準仕様のファイルを読めません。PDFを添付するか、他の方法で送ってください。",
        "The receiving office's software does not read the standard's files; attach a PDF, or send it another way.",
    ),
    row(
        NEW_PARTNER,
        "初めて送る事業所です。番号と名称を確認し、正しければ --new-partner を付けて送り直してください。",
        "Nothing was ever sent to this office; check its number and name, and send again with --new-partner.",
    ),
    row(
        RECIPIENT_MISMATCH,
        "ファイル名と送付情報の宛先が一致しません。宛先ごとに分けて送り直してください。",
        "File names and parcel.json name different receivers; send one parcel per receiver.",
    ),
    row(
        RECIPIENT_IS_SENDER,
        "送信元と宛先が同じ事業所です。宛先を確認してください。",
        "Sender and receiver are the same office; check the receiver.",
    ),
    row(
        HEADER_MALFORMED,
        "送付情報(parcel.json)が正しくありません。送信ソフトの提供元に連絡してください。",
        "parcel.json is missing or malformed; tell the vendor of the sending software.",
    ),
    row(
        ATTACHMENT_NAME,
        "標準仕様の名前を持つファイルが添付ファイルになっています。添付ではなく標準仕様のファイルとして送ってください。",
        "An attachment is named like a file of the standard, which would be checked; send it as one, not attached.",
    ),
    row(
        NOTE_TOO_LONG,
        "送付状が長すぎます(2,000文字まで)。短くしてください。",
        "The note is longer than 2,000 characters; shorten it.",
    ),
    row(
        PARCEL_EMPTY,
        "ファイルも送付状もありません。送るものを指定してください。",
        "The parcel holds no file and no note; name something to send.",
    ),
    row(
        PARCEL_TOO_LARGE,
        "電文が大きすぎます(32 MiBまで)。分けて送ってください。",
        "The parcel is larger than 32 MiB; send it in parts.",
    ),
    row(
        CREATED_IN_FUTURE,
        "作成日時が未来です。パソコンの時計を合わせてください。",
        "The parcel was made in the future; set the computer's clock.",
    ),
    row(
        PARCEL_ID_REUSED,
        "同じ電文IDで別の内容が送られました。新しい電文として送ってください(--again)。",
        "This parcel id was used for other content; send it as a new parcel (--again).",
    ),
    row(
        FILES_REJECTED,
        "標準仕様に合わないファイルがあります。指摘を直して送り直してください。",
        "A file does not follow the standard; mend what the findings say and send again.",
    ),
    row(
        MALWARE,
        "不正プログラムが見つかったファイルがあります。開かずに隔離し、パソコンを検査してください。",
        "Malware was found in a file; don't open it, put it aside, and have the computer that made it checked.",
    ),
    row(
        SCANNER_UNAVAILABLE,
        "不正プログラムの検査ができないため、通していません。少し待ってからやり直してください。",
        "The malware scanner can't be asked, so nothing was let through; wait and try again.",
    ),
    row(
        SCAN_TOO_LARGE,
        "不正プログラムの検査ができる大きさを超えたファイルがあります。分けるか、小さくして送ってください。",
        "A file is larger than the malware scanner takes; split it or make it smaller.",
    ),
    row(
        STREAM_CUT,
        "送信が途中で切れました。もう一度送ると再開します。",
        "The transmission was cut; send again to resume.",
    ),
    row(
        STREAM_TOO_SLOW,
        "送信が長時間止まりました。もう一度送ると再開します。",
        "The transmission stood still for too long; send again to resume.",
    ),
    row(
        REQUEST_MALFORMED,
        "要求の形式が正しくありません。ソフトの提供元に連絡してください。",
        "The request breaks the rules of the interface; tell the software's vendor.",
    ),
    row(
        PARCEL_NOT_FOUND,
        "この電文は見つかりません。電文IDを確認してください。",
        "There is no such parcel; check its id.",
    ),
    row(
        PARCEL_AMBIGUOUS,
        "同じ電文IDが複数あります。送信元事業所番号も指定してください。",
        "Several senders chose this id; name the sender as well.",
    ),
    row(
        OFFSET_OUT_OF_RANGE,
        "再開位置が正しくありません。最初から受信してください。",
        "The resume offset lies behind the end; fetch from the start.",
    ),
    row(
        CONTENT_GONE,
        "保存期間が過ぎ、電文の内容は削除されました。送信元に再送を依頼してください。",
        "The content's retention has ended; ask the sender to send it again.",
    ),
    row(
        NOTHING_TO_PROVE,
        "この月の電文はありません。年月と事業所番号を確認してください。",
        "There is no parcel of this month; check the month and the office.",
    ),
    row(
        NOT_ARCHIVED,
        "送信控えが残っていません。元のファイルから送り直してください。",
        "The archive holds no copy of this parcel; send it from its files.",
    ),
    row(
        NOT_FETCHED,
        "まだ受信していない電文です。受信してから受領を送ってください。",
        "The parcel was not fetched yet; fetch it before acknowledging.",
    ),
    row(
        DIGEST_MISMATCH,
        "電文のダイジェストが一致しません。受信し直してください。",
        "The digest is not the parcel's; fetch the parcel again.",
    ),
    row(
        STATEMENT_MALFORMED,
        "署名付き通知の形式が正しくありません。ソフトの提供元に連絡してください。",
        "The signed statement can't be read; tell the software's vendor.",
    ),
    row(
        STATEMENT_SIGNER,
        "通知の署名者が当事者の事業所ではありません。",
        "The statement is not signed by the office that it speaks for.",
    ),
    row(
        STATE_CONFLICT,
        "電文の現在の状態では行えません。状態を確認してください。",
        "The parcel's state does not allow this; look at its state.",
    ),
    row(
        PARCEL_RECALLED,
        "この電文は送信元が取り消しました。必要なら送信元に再送を依頼してください。",
        "The sender took this parcel back; ask for it again if it is needed.",
    ),
    row(
        PARCEL_DISCARDED,
        "この電文は保留中に破棄されました。必要なら送り直してください。",
        "The parcel was discarded while it was held; send it again if it is needed.",
    ),
    row(
        PARCEL_EXPIRED,
        "受信されないまま期限が過ぎた電文です。送信元は送り直してください。",
        "The parcel expired before anybody fetched it; its sender may send it again.",
    ),
    row(
        PARCEL_REFUSED,
        "宛先が受け取りを断った電文です。理由を確認して送り直してください。",
        "The receiver refused the parcel; look at the reason and send it again.",
    ),
    row(
        NOT_HELD,
        "保留中の電文ではありません。送信済みなら取消(recall)を使ってください。",
        "The parcel is not held; if it was delivered, recall it instead.",
    ),
    row(
        CONFIRMATION_NEEDED,
        "伝送代行業者が預けた電文で、事業所の確認を待っています。事業所の鍵または端末で送出(release)か破棄(discard)してください。",
        "A proxy handed the parcel in and it waits for the office's own word: release or discard it with the office's key or a terminal of it.",
    ),
    row(
        STILL_HELD,
        "まだ保留中で、宛先には届いていません。先に送出(release)してください。",
        "The parcel is still held and its receiver does not see it; release it first.",
    ),
    row(
        ALREADY_FETCHED,
        "宛先がすでに受信しました。取消はできません。使用中止の依頼(recall --ask)を送れます。",
        "The receiver has fetched it, so it can't be recalled; ask for its withdrawal instead (recall --ask).",
    ),
    row(
        NOT_ACKNOWLEDGED,
        "まだ受領していない電文です。受領してから取込済みにしてください。",
        "The parcel was not acknowledged yet; acknowledge it before declaring it imported.",
    ),
    row(
        ALREADY_IMPORTED,
        "すでに取込済みの電文です。連絡(remark)で送信元に伝えてください。",
        "The parcel was imported already; tell the sender with a remark.",
    ),
    row(
        SUPERSEDES_UNKNOWN,
        "差し替え元の電文が、同じ宛先への送信履歴にありません。電文IDを確認してください。",
        "What this parcel supersedes was not sent by you to the same receiver; check its id.",
    ),
    row(
        HOLD_TOO_LONG,
        "送出日時が先すぎます。保留できる期間内にしてください。",
        "The time of release is further ahead than the relay holds parcels; choose an earlier one.",
    ),
    row(
        TEXT_MISMATCH,
        "通知の本文が署名と一致しません。ソフトの提供元に連絡してください。",
        "The sealed text is not the one that the statement names; tell the software's vendor.",
    ),
    row(
        TEXT_TOO_LONG,
        "本文が長すぎます(2,000文字まで)。短くしてください。",
        "The text is longer than 2,000 characters; shorten it.",
    ),
    row(
        TOO_MANY_STATEMENTS,
        "この電文への通知、または本日の依頼が多すぎます。電話で連絡してください。",
        "Too many statements about this parcel, or requests today; use the telephone.",
    ),
    row(
        CURSOR_IN_FUTURE,
        "通知の読み取り位置が先に進みすぎています。保存した位置を確認してください。",
        "The cursor lies behind the end of the feed; check the stored cursor.",
    ),
    row(
        OFFICE_NOT_FOUND,
        "この事業所番号は登録されていません。番号を確認してください。",
        "No office of this number is in the directory; check the number.",
    ),
    row(
        CRL_NOT_FOUND,
        "この失効リストは中継サーバーにありません。もう一度接続して、新しい一覧を受け取ってください。",
        "The relay has no such revocation list; ask it again which ones it uses.",
    ),
    row(
        CALLER_UNKNOWN,
        "接続した証明書の事業所は登録されていません。運用主体に登録を依頼してください。",
        "The office of this certificate is not in the directory; ask the operator to register it.",
    ),
    row(
        CALLER_SUSPENDED,
        "この事業所は利用停止中です。運用主体に問い合わせてください。",
        "This office is suspended; ask the operator.",
    ),
    row(NOT_ALLOWED, "この操作は許可されていません。", "This certificate may not do that."),
    row(
        MANDATE_MISSING,
        "署名者は、この事業所からの委任または端末の承認を示していません。事業所の証明書で署名するか、委任を受けてください。",
        "The signer shows no mandate of the office; sign with the office's certificate, or have the office give one.",
    ),
    row(
        MANDATE_ENDED,
        "委任の期間外です。事業所に更新を依頼してください。",
        "The mandate has ended, or has not begun; ask the office to renew it.",
    ),
    row(
        MANDATE_SCOPE,
        "委任または端末の承認の範囲を超えています。事業所に範囲の変更を依頼してください。",
        "The mandate does not go so far; ask the office for the scope that is missing.",
    ),
    row(
        MANDATE_INVALID,
        "委任または端末の承認の書面が正しくありません。事業所の証明書で署名し直してください。",
        "The paper that should show the mandate does not hold; have the office sign a new one.",
    ),
    row(
        OFFICE_NOT_NAMED,
        "どの事業所のための操作かが示されていません。事業所番号を指定してください。",
        "The call does not say for which office it is; name the office.",
    ),
    row(
        MANDATE_NOT_FOUND,
        "この事業所にそのような委任・端末はありません。一覧で確認してください。",
        "The office has no such mandate; look at the list.",
    ),
    row(
        TOO_MANY_MANDATES,
        "委任と端末の数が上限に達しています。使っていないものを取り消してください。",
        "The office has as many mandates as it may have; end those that are not used.",
    ),
    row(
        TERMINAL_NAME_USED,
        "同じ名前の端末があります。別の名前にするか、先に取り消してください。",
        "A terminal of the office has this name; choose another, or revoke that one first.",
    ),
    row(
        PROXY_UNKNOWN,
        "この番号の伝送代行業者は登録されていません。番号を確認してください。",
        "The relay knows no proxy of this number; check the number.",
    ),
    row(
        PROXY_SUSPENDED,
        "この伝送代行業者は利用停止中です。運用主体に問い合わせてください。",
        "This proxy is suspended; ask the operator.",
    ),
    row(
        CODE_UNKNOWN,
        "この招待コードは登録されていません。入力を確認するか、事業所に新しいコードを依頼してください。",
        "No invitation belongs to this code; check it, or ask the office for a new one.",
    ),
    row(
        CODE_USED,
        "この招待コードは使用済みか、期限切れです。事業所に新しいコードを依頼してください。",
        "The code was used, or its time is over; ask the office for a new one.",
    ),
    row(
        TOO_MANY_TRIES,
        "招待コードの誤りが続いたため、この接続元からの登録を一時止めています。10分ほど待ってください。",
        "Too many wrong codes came from this address; wait ten minutes.",
    ),
    row(
        CERTIFICATE_REQUEST_INVALID,
        "証明書の発行要求が正しくありません。鍵の種類と内容を確認してください。",
        "The request for a certificate does not hold; check its key and what it asks for.",
    ),
    row(
        NO_ISSUING_CA,
        "この中継サーバーは証明書を発行していません。運用主体に問い合わせてください。",
        "This relay issues no certificates; ask the operator.",
    ),
    row(
        MAIL_NOT_OFFERED,
        "この中継サーバーはメールでの通知を提供していません。watchで通知を受け取るか、運用主体に問い合わせてください。",
        "This relay sends no notices by e-mail; use watch, or ask the operator.",
    ),
    row(
        MAIL_ADDRESS,
        "メールアドレスは5件までで、それぞれ名前を付けない半角のアドレスにしてください。",
        "Give at most five e-mail addresses, each plain and in ASCII, without a name.",
    ),
    row(
        WEBHOOKS_NOT_OFFERED,
        "この中継サーバーはWebhookを提供していません。watchで通知を受け取るか、運用主体に問い合わせてください。",
        "This relay offers no webhooks; use watch, or ask the operator.",
    ),
    row(
        WEBHOOK_URL,
        "WebhookのURLはhttps://で始まり、利用者名やパスワードを含まないものにしてください(2,000バイトまで)。",
        "A webhook's URL begins with https:// and holds no user and password; at most 2,000 bytes.",
    ),
    row(
        WEBHOOK_NONE,
        "この事業所のWebhookは登録されていません。webhook setで登録してください。",
        "The office has no webhook; set one with webhook set.",
    ),
    row(
        TOO_MANY_STREAMS,
        "同時接続が多すぎます。少し待ってからやり直してください。",
        "Too many calls are open for this office; wait and try again.",
    ),
    row(
        OVERLOADED,
        "混み合っています。少し待ってからやり直してください。",
        "The relay is busy; wait and try again.",
    ),
    row(
        SHUTTING_DOWN,
        "中継サーバーが停止処理中です。少し待ってからやり直してください。",
        "The relay is going down; try again shortly.",
    ),
    row(
        RECEIVE_ONLY,
        "中継サーバーは現在、受信専用です。送信は、再開のお知らせの後にやり直してください(受け取りはできます)。",
        "The relay takes nothing new for now; receiving goes on. Send again once the operator's notice says so.",
    ),
    row(
        PLANNED_STOP,
        "中継サーバーは予定された停止中です。停止の終わりの後にやり直してください(受け取りはできます)。",
        "The relay is in a planned stop; receiving goes on. Send again when the stop is over.",
    ),
    row(
        STORE_UNAVAILABLE,
        "中継サーバーが書き込めません。少し待ってからやり直してください。",
        "The relay can't write right now; try again shortly.",
    ),
    row(
        INTERNAL,
        "中継サーバーの内部エラーです。運用主体に連絡し、修正を確認してから送り直してください。",
        "The relay failed over this by a fault of its own; tell the operator, and send again once it is mended.",
    ),
    row(LOG_RANGE, "記録の範囲外です。", "No such epoch, size or tile of the log."),
    row(
        COSIGNATURE_INVALID,
        "この中継サーバーに登録された立会人の有効な連署がありません。運用主体に立会人の鍵の登録を依頼してください。",
        "There is no valid cosignature of a witness that this relay knows; have the operator add the witness's key.",
    ),
    row(KEY_MALFORMED, "暗号鍵の形式が正しくありません(P-256のみ)。", "The sealing key is not a P-256 key."),
];
