//! Help in Japanese: the same commands and flags with other words.

use clap::error::ErrorKind;
use clap::{Arg, Command};

const TEMPLATE: &str = "{about-with-newline}\n使い方: {usage}\n\n{all-args}{after-help}";
const EXIT_CODES: &str = "終了コード: 0 完了、1 拒否または検証失敗、2 使い方または設定の誤り、\n\
                          3 中継サーバーに接続できない（同じコマンドを再実行すれば安全に再開）。";

/// What each command does.
const COMMANDS: &[(&str, &str)] = &[
    ("tasuki", "ケアプランデータを事業所間で運びます: 署名、検査、暗号化、配達、証明。"),
    ("init", "証明書からこの事業所のHOMEを作る（オフラインで可）"),
    ("send", "ファイルを送る（ファイル名の送信元・宛先・通番ごとに電文にまとめる）"),
    ("inbox", "受信を待っている電文の一覧"),
    ("receive", "待っている電文をすべて取得、検証、保存し、受領を返す"),
    ("sent", "送った電文とその状態の一覧"),
    ("refused", "中継サーバーに拒否された電文の一覧（理由、指摘、対処）"),
    ("overdue", "期日を過ぎても宛先が受信していない電文の一覧"),
    ("release", "保留中の電文を宛先に届ける"),
    ("discard", "保留中の電文を破棄する"),
    ("recall", "宛先が受信する前に電文を取り消す（電文取消）"),
    ("refuse", "電文の受け取りを断り、理由を送信元に伝える"),
    ("handed-over", "受信した電文を事業所に引き渡したことを伝える（伝送代行業者）"),
    ("imported", "介護ソフトへの取込が済んだことを伝える"),
    ("remark", "電文について相手の事業所に連絡する"),
    ("request", "ほかの事業所に書類を依頼する"),
    ("resend", "送信控えから、新しい電文としてもう一度送る"),
    ("progress", "サービス提供月ごとに、利用票と実績の進み具合を見る（予実管理）"),
    ("mark", "実績がほかの方法で届いたことを記録する"),
    ("show", "電文ひとつの内容と経過を見る"),
    ("export", "この事業所の一覧・署名済みの電文・全月の送達証明をまとめて保存する"),
    ("evidence", "電文の経過の証拠を保存する（1件、または1か月分の送達証明）"),
    ("verify", "電文(.asice)、証拠フォルダー、送達証明(.zip)をオフラインで検証する"),
    ("watch", "新しい出来事を追い続ける（前回の続きから）"),
    ("delegate", "伝送代行業者に委任する、または取り消す"),
    ("terminal", "この事業所の端末の招待・一覧・取消"),
    ("invite", "招待する（端末: 招待コードを表示、取引先: 相手の承諾を待つ）"),
    ("accept", "取引先からの招待を承諾する"),
    ("end", "取引を終了する、招待を断る、または取り消す"),
    ("profile", "この事業所が受け取れるもの（標準仕様の版、添付の形式）を宣言する"),
    ("partner", "取引先の招待・承諾・終了・一覧"),
    ("keep", "これまでの証明書とともに承認が終わった端末を、引き続き使えるようにする"),
    ("revoke", "端末の承認をただちに取り消す"),
    ("proxy", "委任を受けたすべての事業所のために送受信する（伝送代行）"),
    ("access", "この事業所の名で誰が何をしたかを見る（端末、伝送代行業者、運用主体）"),
    ("enrol", "招待コードから新しい端末のHOMEを作る"),
    ("renew", "証明書を更新する、またはほかで更新した証明書に入れ替える"),
    ("mail", "電文が届いたことをメールで知らせてもらう"),
    ("webhook", "出来事を自分のプログラムにHTTPSで知らせてもらう（Webhook）"),
    ("set", "登録する（前のものは置き換わる）"),
    ("list", "登録の内容と状況を見る"),
    ("remove", "登録を解除する"),
    ("test", "試しに1回知らせてもらう"),
    ("notices", "運用主体からのお知らせを見る"),
    ("offices", "事業所を番号・名称・カナ・市区町村で探す。利用していない相手先を調べる"),
    ("check", "ファイルを標準仕様に照らして検査する（オフライン）"),
    ("view", "ファイルを項目名つきの表で表示する（オフライン）"),
    ("split", "出力したファイル一式を電文ごとのフォルダーに分ける（オフライン）"),
    (
        "join",
        "ファイルを指定: 受信したファイルを種類ごとに1つにまとめる（オフライン）。指定なし: 利用を申請する（利用申請）",
    ),
    ("leave", "利用を終了する（待っている電文は送信元に戻る）"),
    ("standard", "対応している標準仕様のファイル種別・レイアウト・送信単位・版の一覧"),
    ("witness", "中継サーバーの記録の立会人になる（以前に見た記録の続きであることを確かめて連署する）"),
    ("completions", "シェルの補完スクリプトを出力する"),
];

/// What each argument means, by command and name; `*` is every command.
const ARGUMENTS: &[(&str, &str, &str)] = &[
    ("*", "home", "この事業所の設定・鍵・状態のフォルダー（環境変数TASUKI_HOMEでも指定可）"),
    ("*", "json", "結果をJSONで出力する（1行に1オブジェクト）"),
    ("*", "lang", "表示言語（環境変数TASUKI_LANG、LC_ALL、LANGでも指定可）"),
    ("*", "help", "使い方を表示する"),
    ("tasuki", "version", "版を表示する"),
    ("delegate", "proxy", "伝送代行業者の番号（Pと数字5桁）"),
    (
        "delegate",
        "scopes",
        "範囲: send（送信）, receive（受信）, acknowledge（受領）, read-status（状態の閲覧）をカンマで区切る",
    ),
    ("delegate", "days", "今から何日間か"),
    ("delegate", "confirm", "伝送代行業者が送るものを、この事業所が送出または破棄するまで保留する"),
    ("delegate", "revoke", "委任をただちに取り消す"),
    ("invite", "name", "事業所内での端末の名前"),
    (
        "invite",
        "scopes",
        "範囲: send（送信）, receive（受信）, acknowledge（受領）, read-status（状態の閲覧）をカンマで区切る",
    ),
    ("keep", "name", "端末の名前"),
    ("revoke", "name", "端末の名前"),
    (
        "proxy",
        "folder",
        "out/ または out/事業所番号/（送信ファイル）、in/事業所番号/（受信したもの）、done/、error/ のあるフォルダー",
    ),
    ("proxy", "once", "1回だけ送受信して終わる"),
    ("proxy", "every", "--onceを付けない場合に繰り返す間隔（分）"),
    ("proxy", "new_partner", "初めての宛先にも送る"),
    (
        "proxy",
        "hand_over",
        "in/事業所番号/ が事業所自身の置き場所である場合: 保存したものを引き渡し済みとして署名する",
    ),
    ("access", "from", "いつから（日本時間の日時、または時差つきの日時）"),
    ("access", "to", "いつの前まで"),
    ("enrol", "folder", "作成するフォルダー"),
    ("enrol", "relay", "中継サーバーのアドレス https://ホスト:ポート"),
    ("enrol", "relay_ca", "中継サーバーのTLS証明書のCA（PEM）"),
    ("enrol", "code", "招待コード"),
    ("enrol", "ca", "事業所証明書のCA（PEM、省略時は中継サーバーが示すもの）"),
    ("enrol", "https_proxy", "経由するHTTPプロキシ http://ホスト:ポート、または none（省略時はHTTPS_PROXY）"),
    ("renew", "if_within", "証明書の期限までこの日数以内のときだけ更新する（毎日の定期実行向け）"),
    ("renew", "identity", "ほかで更新した証明書と鍵（PKCS#12）。--keyを使う場合は証明書のみ（PEM）"),
    ("renew", "password_file", "1行目がPKCS#12のパスワードであるファイル。-は標準入力。指定しなければ尋ねる"),
    ("renew", "password_fd", "パスワードを読むファイル記述子"),
    ("renew", "key", "秘密鍵（PEM）。証明書がPEMの場合"),
    ("renew", "papers", "これまでの証明書で署名した委任と端末の承認だけに署名し直す"),
    ("renew", "kept", "残しているこれまでの鍵と、まだ必要とするものの一覧"),
    ("renew", "forget", "もう必要のない、これまでの鍵を削除する"),
    ("init", "folder", "作成するフォルダー（省略時は--homeまたはTASUKI_HOME）"),
    ("init", "relay", "中継サーバーのアドレス https://ホスト:ポート"),
    ("init", "relay_ca", "中継サーバーのTLS証明書のCA（PEM）"),
    (
        "init",
        "identity",
        "証明書と鍵（PKCS#12）。--keyを使う場合は証明書のみ（PEM）。トークンの鍵なら pkcs11:token=…;object=…?module-path=…",
    ),
    (
        "init",
        "password_file",
        "1行目がPKCS#12のパスワード、またはトークンのPINであるファイル。-は標準入力。指定しなければ尋ねる",
    ),
    ("init", "password_fd", "パスワードまたはPINを読むファイル記述子"),
    ("init", "certificates", "トークンの場合: 証明書（PEM）。トークンの中にあれば不要"),
    ("init", "key", "秘密鍵（PEM）。証明書がPEMの場合"),
    ("init", "ca", "事業所証明書のCA（PEM）。省略時はPKCS#12の中のもの"),
    ("init", "profile", "証明書のどこに事業所番号があるかの設定（TOML）。試行用CAと違う場合"),
    (
        "init",
        "https_proxy",
        "経由するHTTPプロキシ http://ホスト:ポート、または none。省略時はHTTPS_PROXYに従う",
    ),
    ("send", "paths", "ファイル、フォルダー、ZIPファイル"),
    ("send", "note", "全電文の送付状。事業所番号=本文 とするとその事業所だけ（繰り返し可）"),
    ("send", "attach", "標準仕様以外のファイルを事業所番号=ファイル で添付する（繰り返し可）"),
    ("send", "again", "送信済みのものを新しい電文としてもう一度送る"),
    ("send", "unchecked", "標準仕様の検査を中継サーバーに任せる（エラーがあれば同じ内容で拒否される）"),
    (
        "send",
        "unit",
        "この送信単位だけを送り、残りは一覧に示す（plan 計画書、slip 利用票、result 実績、delete 取下げ）",
    ),
    ("send", "skip_unneeded", "どの送信単位にも属さないファイルを除いて送り、除いたものを一覧に示す"),
    ("receive", "out", "保存先フォルダー。DIR/送信元番号/電文ID/ファイル となる"),
    ("receive", "keep_sealed", "sealed.p7mとparcel.asiceもファイルの横に残す"),
    ("receive", "parcels", "この電文だけ（省略時は待っているものすべて）"),
    ("inbox", "partner", "この事業所との電文だけ"),
    ("inbox", "month", "このサービス提供年月（YYYYMM）のファイルを含むものだけ"),
    ("inbox", "kind", "この種別（UPPLANなど、またはATTACHMENT）を含むものだけ"),
    ("inbox", "state", "この状態のものだけ（繰り返し可）"),
    ("inbox", "unread", "宛先がまだ受信していないものだけ"),
    ("inbox", "overdue", "期日を過ぎたものだけ"),
    ("inbox", "superseded", "新しい版に差し替えられたものだけ"),
    ("inbox", "sort", "並び順（time 日時、number 事業所番号、name 事業所名）"),
    ("inbox", "page_size", "1ページの件数（省略時はすべて）"),
    ("inbox", "page", "何ページ目か（1から）"),
    ("sent", "partner", "この事業所との電文だけ"),
    ("sent", "month", "このサービス提供年月（YYYYMM）のファイルを含むものだけ"),
    ("sent", "kind", "この種別（UPPLANなど、またはATTACHMENT）を含むものだけ"),
    ("sent", "state", "この状態のものだけ（繰り返し可）"),
    ("sent", "unread", "宛先がまだ受信していないものだけ"),
    ("sent", "overdue", "期日を過ぎたものだけ"),
    ("sent", "superseded", "新しい版に差し替えられたものだけ"),
    ("sent", "sort", "並び順（time 日時、number 事業所番号、name 事業所名）"),
    ("sent", "page_size", "1ページの件数（省略時はすべて）"),
    ("sent", "page", "何ページ目か（1から）"),
    ("inbox", "all", "受信したものすべて（差し替えられた版も）"),
    ("sent", "auto_resend", "宛先の鍵が失われて断られたものを、先に再送する"),
    ("refused", "partner", "この事業所宛てのものだけ"),
    ("set", "address", "メールアドレス（5件まで）"),
    ("set", "url", "プログラムのアドレス https://…（2,000バイトまで）"),
    ("notices", "after", "記録のこの位置（--jsonが示すEPOCH:INDEX）より後のものだけ"),
    (
        "overdue",
        "after_days",
        "日本のN営業日目の終わりまでに受信されなかったもの（省略時はHOMEのoverdue_after_days、それもなければ中継サーバーの期日）",
    ),
    ("overdue", "partner", "この事業所宛てのものだけ"),
    ("overdue", "month", "このサービス提供年月（YYYYMM）のファイルを含むものだけ"),
    ("receive", "from", "この事業所からのものだけ"),
    ("receive", "month", "このサービス提供年月（YYYYMM）のファイルを含むものだけ"),
    ("receive", "all", "差し替えられた版も受信する"),
    ("receive", "zip", "受信したものすべてを1つのZIPファイルにもまとめる"),
    ("send", "new_partner", "初めて送る事業所があっても、確認なしに送る"),
    ("send", "hold", "送出(release)するまで中継サーバーで保留する（登録・保留）"),
    (
        "send",
        "release_at",
        "この日時まで保留する（2026-02-01T09:00:00+09:00、または日本時間で \"2026-02-01 09:00\"）",
    ),
    ("send", "supersedes", "この電文で差し替える元の電文ID。autoなら同じ宛先・種別・年月の最新のもの"),
    ("release", "parcels", "電文ID。同じIDが複数あれば 送信元番号/ID（繰り返し可）"),
    ("discard", "parcels", "電文ID。同じIDが複数あれば 送信元番号/ID（繰り返し可）"),
    ("recall", "parcels", "電文ID。同じIDが複数あれば 送信元番号/ID（繰り返し可）"),
    ("imported", "parcels", "電文ID。同じIDが複数あれば 送信元番号/ID（繰り返し可）"),
    ("handed-over", "parcels", "電文ID。同じIDが複数あれば 送信元番号/ID（繰り返し可）"),
    ("recall", "ask", "受信された後なら、使用中止を依頼する"),
    ("recall", "text", "その理由（--askとともに）"),
    ("refuse", "parcel", "電文ID。同じIDが複数あれば 送信元番号/ID"),
    (
        "refuse",
        "reason",
        "理由（unreadable 読み取れない、wrong-content 内容の誤り、not-ours 宛先違い、import-failed 取込不可、key-lost 鍵の紛失、other その他）",
    ),
    ("refuse", "text", "送信元に伝える文"),
    ("remark", "parcel", "電文ID。同じIDが複数あれば 送信元番号/ID"),
    ("remark", "text", "相手に伝える文"),
    ("remark", "urgent", "至急の印を付ける（電話済）"),
    ("request", "office", "依頼先の事業所番号"),
    ("request", "document", "書類の種類（burden-ratio 負担割合証、insurance 被保険者証など、またはother）"),
    ("request", "text", "詳しい説明"),
    ("resend", "parcels", "再送する電文ID（繰り返し可）"),
    ("resend", "lost", "宛先の鍵が失われて断られ、宛先に新しい鍵があるものすべて"),
    ("progress", "month", "サービス提供年月（YYYYMM）"),
    ("mark", "office", "事業所番号"),
    ("mark", "month", "サービス提供年月（YYYYMM）"),
    ("mark", "received", "届いた方法（fax FAX、mail メール、post 郵送）"),
    ("mark", "clear", "記録を取り消す"),
    ("show", "parcel", "電文ID。同じIDが複数あれば 送信元番号/ID"),
    ("export", "folder", "保存先フォルダー。もう一度実行すると最新になります"),
    ("export", "receive", "受信待ちの電文も受信する（受領を返します）"),
    ("evidence", "parcel", "電文ID。同じIDが複数あれば 送信元番号/ID"),
    ("evidence", "out", "保存先フォルダー。--monthならZIPファイル"),
    (
        "evidence",
        "month",
        "このサービス提供年月（YYYYMM）のすべてを、読めるページと一緒に保存する（送達証明）",
    ),
    ("evidence", "partner", "--monthとともに: この事業所との電文だけ"),
    ("evidence", "with_parcels", "--monthとともに: 署名された電文そのものも入れる（送った内容がすべて入る）"),
    ("verify", "path", "電文(.asice)、証拠フォルダー、または送達証明(.zip)"),
    ("verify", "ca", "事業所証明書のCA（PEM）。省略時は証拠の横のものを使い、指紋を表示する"),
    ("verify", "log_key", "記録の検証鍵のファイル。省略時は証拠の横のものを使い、表示する"),
    ("verify", "profile", "証明書のどこに事業所番号があるかの設定（TOML）。試行用CAと違う場合"),
    (
        "verify",
        "tsa_ca",
        "タイムスタンプ局のCA（PEM）。省略時はタイムスタンプに付いているものを使い、指紋を表示する",
    ),
    ("verify", "witness", "立会人の検証鍵のファイル（1行に1つ）。省略時は証拠の横のものを使い、表示する"),
    ("verify", "need", "どの出来事についても、これだけの立会人の確認を必要とする"),
    ("witness", "name", "鍵を作る時の立会人の名前（例: witness.example/1）"),
    ("witness", "show_key", "検証鍵を表示して終わる（中継サーバーに接続しない）"),
    ("witness", "once", "記録を一度確かめたら終わる"),
    ("witness", "every", "確かめる間隔（秒）"),
    ("watch", "once", "新しいものを表示したら終わる"),
    (
        "watch",
        "exec",
        "出来事ごとに実行するプログラム。以降の引数（末尾または「;」まで）も渡し、標準入力にJSONを1つ渡す",
    ),
    (
        "watch",
        "auto_resend",
        "宛先の鍵が失われて断られた電文を、宛先に新しい鍵ができたら送信控えから再送する",
    ),
    ("watch", "atom", "最新100件の出来事をAtomフィードとして保つファイル"),
    ("offices", "words", "番号・名称・カナ・市区町村に含まれる言葉"),
    (
        "offices",
        "not_members",
        "相手先の一覧のうち、まだFAXが要る（この中継サーバーでは届かない）事業所を示す。CSVファイル。\
         番号は見出しが事業所番号かnumberの列、なければ1列目",
    ),
    ("offices", "invitation", "--not-membersとともに: 印刷して送る案内状（HTML）を書き出す"),
    ("offices", "exit_code", "--not-membersとともに: 該当する事業所があれば終了コード1で終わる"),
    ("check", "paths", "ファイル、フォルダー、ZIPファイル"),
    ("view", "file", "標準仕様のCSVファイル"),
    ("view", "reveal", "氏名・番号・自由記述も伏せずに表示する"),
    ("split", "paths", "ファイル、フォルダー、ZIPファイル、1ファイル形式（CAREPLAN_…）"),
    ("split", "out", "出力先フォルダー。DIR/連番_送信元_宛先/ファイル となる"),
    (
        "split",
        "drop_misdirected",
        "宛先にサービスのない利用者（MISDIRECTED）を利用票から除き、その利用票に新しい連番を付ける",
    ),
    (
        "join",
        "paths",
        "ファイル、フォルダー、ZIPファイル、1ファイル形式（CAREPLAN_…）。指定しなければ利用を申請する",
    ),
    ("join", "name", "申請する事業所の名称（運用主体の一覧にない場合）"),
    ("join", "code", "郵送または電話で届いた確認コードで申請を確認する"),
    ("join", "status", "この事業所の利用の状態を表示する（申請はしない）"),
    (
        "leave",
        "erase",
        "中継サーバーに残るこの事業所のデータを、ほかの事業所の証拠を除いて消去させ、消去の証明を待つ",
    ),
    ("leave", "yes", "確認せずに利用を終了する"),
    (
        "profile",
        "accepts",
        "受け取れるもの。ほかは受け付けなくなる（例: csv-4.1,csv-3.2,pdf）。指定しなければ表示する",
    ),
    ("invite", "office", "相手の事業所番号"),
    ("accept", "office", "相手の事業所番号"),
    ("end", "office", "相手の事業所番号"),
    ("join", "out", "出力先フォルダー"),
    ("join", "one_file", "種類ごとではなく、送信元と連番ごとに1ファイル形式（CAREPLAN_…、案②）にする"),
    ("completions", "shell", "シェルの種類"),
];

/// The same command with Japanese help.
pub(super) fn translate(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let is_root = name == "tasuki";
    let command = command
        .help_template(TEMPLATE)
        .subcommand_help_heading("コマンド")
        .subcommand_value_name("コマンド")
        .mut_args(|arg| translate_argument(&name, arg))
        .mut_subcommands(translate);
    let command = match about(&name) {
        Some(text) => command.about(text),
        None => command,
    };
    if is_root { command.after_help(EXIT_CODES) } else { command }
}

fn translate_argument(command: &str, arg: Arg) -> Arg {
    let heading = match arg.get_help_heading() {
        Some(_) => "共通オプション",
        None if arg.is_positional() => "引数",
        None => "オプション",
    };
    let text = help(command, arg.get_id().as_str());
    let arg = arg.help_heading(heading);
    match text {
        Some(text) => arg.help(text),
        None => arg,
    }
}

fn about(command: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(name, _)| *name == command).map(|(_, text)| *text)
}

fn help(command: &str, argument: &str) -> Option<&'static str> {
    let fits = |of: &str, name: &str| (of == command || of == "*") && name == argument;
    ARGUMENTS.iter().find(|(of, name, _)| fits(of, name)).map(|(_, _, text)| *text)
}

/// What is wrong with a command line.
pub(super) fn usage(kind: ErrorKind) -> Option<&'static str> {
    Some(match kind {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => return None,
        ErrorKind::MissingRequiredArgument | ErrorKind::MissingSubcommand => "必要な引数が足りません。",
        ErrorKind::UnknownArgument => "この引数はありません。",
        ErrorKind::InvalidSubcommand => "このコマンドはありません。",
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => "引数の値が正しくありません。",
        ErrorKind::ArgumentConflict => "同時に使えない引数があります。",
        _ => "コマンドの使い方が正しくありません。",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_and_argument_has_japanese_help() {
        let mut command = super::super::definition(crate::lang::Lang::Ja);
        command.build();
        let mut commands = vec![&command];
        commands.extend(command.get_subcommands());
        commands.extend(command.get_subcommands().flat_map(clap::Command::get_subcommands));
        for command in commands {
            let name = command.get_name();
            assert!(about(name).is_some(), "{name}");
            for arg in command.get_arguments() {
                let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let japanese = text.chars().any(|c| ('ぁ'..='ヺ').contains(&c) || ('一'..='龠').contains(&c));
                assert!(japanese, "{name} {}: {text}", arg.get_id());
            }
        }
    }

    #[test]
    fn nothing_is_translated_that_does_not_exist() {
        let command = super::super::definition(crate::lang::Lang::En);
        // Commands below two others may have one name.
        let find = |name: &str| -> Vec<&Command> {
            let inside = command.get_subcommands().filter_map(|c| c.find_subcommand(name));
            command.find_subcommand(name).into_iter().chain(inside).collect()
        };
        for (of, name, _) in ARGUMENTS.iter().copied() {
            let found = match of {
                "*" | "tasuki" => vec![&command],
                _ => find(of),
            };
            let has = |c: &&Command| c.get_arguments().any(|a| a.get_id() == name);
            assert!(found.iter().any(has), "{of} {name}");
        }
        for (name, _) in COMMANDS.iter().copied() {
            assert!(name == "tasuki" || !find(name).is_empty(), "{name}");
        }
    }
}
