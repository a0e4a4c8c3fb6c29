//! Every stable reason word, with what it means and what to do, in Japanese and English.
//!
//! Programs act on the word; people read the explanation. Words are added, never renamed. The words of
//! certificates, signatures and containers are those of their error enums' `code()`.

mod formats;

/// Domain of `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "tasuki";

/// The sending office is not in the directory.
pub const SENDER_UNKNOWN: &str = "SENDER_UNKNOWN";
/// The sending office is suspended.
pub const SENDER_SUSPENDED: &str = "SENDER_SUSPENDED";
/// `parcel.json` names another sender than the signer's office.
pub const SENDER_MISMATCH: &str = "SENDER_MISMATCH";
/// The signer has no right to sign for the sending office.
pub const SIGNER_NOT_ALLOWED: &str = "SIGNER_NOT_ALLOWED";
/// The TLS peer has no right to transmit for this office.
pub const TRANSMITTER_NOT_ALLOWED: &str = "TRANSMITTER_NOT_ALLOWED";
/// The receiving office is not in the directory.
pub const RECIPIENT_UNKNOWN: &str = "RECIPIENT_UNKNOWN";
/// The receiving office is suspended.
pub const RECIPIENT_SUSPENDED: &str = "RECIPIENT_SUSPENDED";
/// No key of the receiving office is registered.
pub const RECIPIENT_NO_KEY: &str = "RECIPIENT_NO_KEY";
/// The receiving office's software does not read the standard's files.
pub const RECIPIENT_NOT_READY: &str = "RECIPIENT_NOT_READY";
/// Nothing was ever sent to this office, and nobody agreed to begin.
pub const NEW_PARTNER: &str = "NEW_PARTNER";
/// Names, `parcel.json` and signature disagree about the receiver.
pub const RECIPIENT_MISMATCH: &str = "RECIPIENT_MISMATCH";
/// Sender and receiver are the same office.
pub const RECIPIENT_IS_SENDER: &str = "RECIPIENT_IS_SENDER";
/// `parcel.json` is missing, malformed, or does not fit the container.
pub const HEADER_MALFORMED: &str = "HEADER_MALFORMED";
/// An attachment is named like a file of the standard.
pub const ATTACHMENT_NAME: &str = "ATTACHMENT_NAME";
/// A bound of the header was passed.
pub const NOTE_TOO_LONG: &str = "NOTE_TOO_LONG";
/// The parcel holds no file and no note.
pub const PARCEL_EMPTY: &str = "PARCEL_EMPTY";
/// The container is larger than the relay takes, or than was announced.
pub const PARCEL_TOO_LARGE: &str = "PARCEL_TOO_LARGE";
/// `created_at` is too far in the future.
pub const CREATED_IN_FUTURE: &str = "CREATED_IN_FUTURE";
/// The id was used for other bytes.
pub const PARCEL_ID_REUSED: &str = "PARCEL_ID_REUSED";
/// A standard file has errors.
pub const FILES_REJECTED: &str = "FILES_REJECTED";
/// The malware scanner found something in a file. Also the rule of the finding that says in which.
pub const MALWARE: &str = "MALWARE";
/// The malware scanner can't be asked right now, so nothing that it should see passes.
pub const SCANNER_UNAVAILABLE: &str = "SCANNER_UNAVAILABLE";
/// A file is larger than the malware scanner takes.
pub const SCAN_TOO_LARGE: &str = "SCAN_TOO_LARGE";
/// The stream ended inside the parcel.
pub const STREAM_CUT: &str = "STREAM_CUT";
/// The stream sent nothing for too long.
pub const STREAM_TOO_SLOW: &str = "STREAM_TOO_SLOW";
/// A message breaks the rules of the call.
pub const REQUEST_MALFORMED: &str = "REQUEST_MALFORMED";
/// No such parcel for this caller.
pub const PARCEL_NOT_FOUND: &str = "PARCEL_NOT_FOUND";
/// Two senders chose this id.
pub const PARCEL_AMBIGUOUS: &str = "PARCEL_AMBIGUOUS";
/// The offset lies behind the end.
pub const OFFSET_OUT_OF_RANGE: &str = "OFFSET_OUT_OF_RANGE";
/// The parcel's content is no longer kept.
pub const CONTENT_GONE: &str = "CONTENT_GONE";
/// There is no parcel that a proof could be about.
pub const NOTHING_TO_PROVE: &str = "NOTHING_TO_PROVE";
/// The own archive holds no copy of the parcel any more.
pub const NOT_ARCHIVED: &str = "NOT_ARCHIVED";
/// The parcel was not fetched yet.
pub const NOT_FETCHED: &str = "NOT_FETCHED";
/// The statement's digest is not the parcel's.
pub const DIGEST_MISMATCH: &str = "DIGEST_MISMATCH";
/// The statement can't be read.
pub const STATEMENT_MALFORMED: &str = "STATEMENT_MALFORMED";
/// The statement's signer is not the office it speaks for.
pub const STATEMENT_SIGNER: &str = "STATEMENT_SIGNER";
/// The parcel's state does not allow this.
pub const STATE_CONFLICT: &str = "STATE_CONFLICT";
/// The sender took the parcel back.
pub const PARCEL_RECALLED: &str = "PARCEL_RECALLED";
/// The parcel was thrown away while it was held.
pub const PARCEL_DISCARDED: &str = "PARCEL_DISCARDED";
/// Nobody fetched the parcel within its time.
pub const PARCEL_EXPIRED: &str = "PARCEL_EXPIRED";
/// The receiver refused the parcel.
pub const PARCEL_REFUSED: &str = "PARCEL_REFUSED";
/// The parcel is not, or no longer, held.
pub const NOT_HELD: &str = "NOT_HELD";
/// The parcel is held: its receiver does not see it yet.
pub const STILL_HELD: &str = "STILL_HELD";
/// The receiver has fetched the parcel already.
pub const ALREADY_FETCHED: &str = "ALREADY_FETCHED";
/// The parcel was not acknowledged yet.
pub const NOT_ACKNOWLEDGED: &str = "NOT_ACKNOWLEDGED";
/// The receiver's care software has taken the parcel in.
pub const ALREADY_IMPORTED: &str = "ALREADY_IMPORTED";
/// What a parcel supersedes is no parcel of the same sender and receiver.
pub const SUPERSEDES_UNKNOWN: &str = "SUPERSEDES_UNKNOWN";
/// A parcel is to be held for longer than the relay holds.
pub const HOLD_TOO_LONG: &str = "HOLD_TOO_LONG";
/// A statement's sealed text is missing, too long, or not the one that it names.
pub const TEXT_MISMATCH: &str = "TEXT_MISMATCH";
/// A text is longer than the relay takes.
pub const TEXT_TOO_LONG: &str = "TEXT_TOO_LONG";
/// More statements about one parcel, or requests a day, than the relay takes.
pub const TOO_MANY_STATEMENTS: &str = "TOO_MANY_STATEMENTS";
/// The cursor lies behind the end of the feed.
pub const CURSOR_IN_FUTURE: &str = "CURSOR_IN_FUTURE";
/// No such office in the directory.
pub const OFFICE_NOT_FOUND: &str = "OFFICE_NOT_FOUND";
/// No such revocation list.
pub const CRL_NOT_FOUND: &str = "CRL_NOT_FOUND";
/// The caller's certificate names no office of this directory.
pub const CALLER_UNKNOWN: &str = "CALLER_UNKNOWN";
/// The caller's office is suspended.
pub const CALLER_SUSPENDED: &str = "CALLER_SUSPENDED";
/// The caller may not see or do this.
pub const NOT_ALLOWED: &str = "NOT_ALLOWED";
/// Who signed shows no mandate of the office.
pub const MANDATE_MISSING: &str = "MANDATE_MISSING";
/// The mandate has ended, or has not begun.
pub const MANDATE_ENDED: &str = "MANDATE_ENDED";
/// The mandate does not go so far.
pub const MANDATE_SCOPE: &str = "MANDATE_SCOPE";
/// A paper that should show a mandate does not hold.
pub const MANDATE_INVALID: &str = "MANDATE_INVALID";
/// A terminal, a proxy or an operator must say for which office it calls.
pub const OFFICE_NOT_NAMED: &str = "OFFICE_NOT_NAMED";
/// There is no such mandate of the office.
pub const MANDATE_NOT_FOUND: &str = "MANDATE_NOT_FOUND";
/// The office has too many mandates.
pub const TOO_MANY_MANDATES: &str = "TOO_MANY_MANDATES";
/// A terminal of the office has this name already.
pub const TERMINAL_NAME_USED: &str = "TERMINAL_NAME_USED";
/// The relay knows no proxy of this number.
pub const PROXY_UNKNOWN: &str = "PROXY_UNKNOWN";
/// The proxy is suspended.
pub const PROXY_SUSPENDED: &str = "PROXY_SUSPENDED";
/// No invitation belongs to this code.
pub const CODE_UNKNOWN: &str = "CODE_UNKNOWN";
/// The code was used, or its time is over.
pub const CODE_USED: &str = "CODE_USED";
/// Too many codes from this address were none.
pub const TOO_MANY_TRIES: &str = "TOO_MANY_TRIES";
/// The request for a certificate does not hold.
pub const CERTIFICATE_REQUEST_INVALID: &str = "CERTIFICATE_REQUEST_INVALID";
/// The relay issues no certificates.
pub const NO_ISSUING_CA: &str = "NO_ISSUING_CA";
/// This relay sends no mails.
pub const MAIL_NOT_OFFERED: &str = "MAIL_NOT_OFFERED";
/// Not at most five e-mail addresses.
pub const MAIL_ADDRESS: &str = "MAIL_ADDRESS";
/// This relay tells no programs over HTTPS.
pub const WEBHOOKS_NOT_OFFERED: &str = "WEBHOOKS_NOT_OFFERED";
/// A webhook's URL is not one.
pub const WEBHOOK_URL: &str = "WEBHOOK_URL";
/// The office has no webhook.
pub const WEBHOOK_NONE: &str = "WEBHOOK_NONE";
/// The caller has too many calls open.
pub const TOO_MANY_STREAMS: &str = "TOO_MANY_STREAMS";
/// The relay has no room right now.
pub const OVERLOADED: &str = "OVERLOADED";
/// The relay is going down.
pub const SHUTTING_DOWN: &str = "SHUTTING_DOWN";
/// The operator set the relay to receive-only: nothing new is accepted for now.
pub const RECEIVE_ONLY: &str = "RECEIVE_ONLY";
/// The relay is in a stop that its operator planned.
pub const PLANNED_STOP: &str = "PLANNED_STOP";
/// Key of an `ErrorInfo`'s metadata: when what the reason says ends, RFC 3339.
pub const UNTIL: &str = "until";
/// The relay can't write.
pub const STORE_UNAVAILABLE: &str = "STORE_UNAVAILABLE";
/// The relay failed over this request, by a fault of its own. The same bytes would fail again.
pub const INTERNAL: &str = "INTERNAL";
/// No such epoch, size or tile.
pub const LOG_RANGE: &str = "LOG_RANGE";
/// A checkpoint holds no valid cosignature of a witness that the relay knows.
pub const COSIGNATURE_INVALID: &str = "COSIGNATURE_INVALID";
/// A sealing key is not P-256, or malformed.
pub const KEY_MALFORMED: &str = "KEY_MALFORMED";

/// What a word means and what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The word.
    pub code: &'static str,
    /// In Japanese.
    pub ja: &'static str,
    /// In English.
    pub en: &'static str,
}

/// The explanation of a word; an unknown word (of a newer relay) gets one that says so.
pub fn explain(code: &str) -> Explanation {
    all().find(|e| e.code == code).unwrap_or(Explanation {
        code: "UNKNOWN_REASON",
        ja: "この版では説明できない理由コードです。ソフトウェアを更新してください。",
        en: "This version has no explanation for the reason code; update the software.",
    })
}

const fn row(code: &'static str, ja: &'static str, en: &'static str) -> Explanation {
    Explanation { code, ja, en }
}

/// Every word with its explanation.
pub fn all() -> impl Iterator<Item = Explanation> {
    TABLE.iter().chain(formats::TABLE).copied()
}

/// Words of the interface itself, sorted by what they concern.
#[rustfmt::skip]
const TABLE: &[Explanation] = &[
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_unique_and_explained_in_both_languages() {
        let mut seen = std::collections::BTreeSet::new();
        for e in all() {
            assert!(seen.insert(e.code), "{} stands twice", e.code);
            assert!(
                e.code.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'),
                "{}",
                e.code
            );
            assert!(e.ja.ends_with('。') && e.en.ends_with('.'), "{}", e.code);
            assert_eq!(explain(e.code), e);
        }
        for (file, source) in [
            ("container", include_str!("container/error.rs")),
            ("manifest", include_str!("manifest/error.rs")),
            ("certificate", include_str!("../../certs/src/error.rs")),
            ("signature", include_str!("../../certs/src/signature_error.rs")),
            ("identity", include_str!("../../certs/src/identity.rs")),
            ("open", include_str!("../../certs/src/open.rs")),
        ] {
            let code = source.split("fn code(").nth(1).unwrap_or_default();
            let end = code.find("\n    }\n").unwrap_or(code.len());
            let words: Vec<&str> = code[..end].split('"').skip(1).step_by(2).collect();
            assert!(words.len() > 5, "the words of {file} were not found");
            for word in words {
                assert!(seen.contains(word), "{word} of {file} has no explanation");
            }
        }
        assert_eq!(explain("NO_SUCH_WORD").code, "UNKNOWN_REASON");
    }
}
