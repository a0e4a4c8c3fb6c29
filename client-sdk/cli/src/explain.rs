//! Errors for people: what is wrong and what to do, in both languages.

use std::io::ErrorKind;

use tasuki_proto::reason;
use tasuki_sdk::error::{ConfigError, Refusal, SdkError, Unreachable, VerificationError};

use crate::lang::Text;

/// The message of an error. Its stable word is [`SdkError::reason`].
pub(crate) fn error(error: &SdkError) -> Text {
    match error {
        SdkError::Config(config_error) => config(config_error),
        SdkError::Identity { path, .. } => known(error.reason(), &error.to_string()).unwrap_or_else(|| {
            let ja = format!("{}: {}", path.display(), identity(error.reason()));
            Text::new(ja, error.to_string())
        }),
        SdkError::Rejected(refused) => refusal(refused),
        SdkError::Unreachable(cause) => unreachable(cause),
        SdkError::Verification(cause) => received(cause),
        SdkError::Io { path, kind, message } => {
            let path = path.display();
            let ja = match kind {
                ErrorKind::NotFound => "ファイルまたはフォルダーがありません。".to_owned(),
                ErrorKind::PermissionDenied => "読み書きする権限がありません。".to_owned(),
                ErrorKind::StorageFull => "ディスクに空きがありません。".to_owned(),
                _ => format!("読み書きできません（{message}）。"),
            };
            Text::new(format!("{path}: {ja}"), format!("{path} can't be read or written: {message}"))
        }
        other => Text::new(other.to_string(), other.to_string()),
    }
}

/// The message of a refusal.
pub(crate) fn refusal(refused: &Refusal) -> Text {
    Text::new(&refused.message_ja, &refused.message_en)
}

fn config(error: &ConfigError) -> Text {
    let ja = match error {
        ConfigError::NotAHome(path) => format!(
            "{} はTasukiのHOMEではありません。tasuki init で作成するか、--home で指定してください。",
            path.display()
        ),
        ConfigError::AlreadyAHome(path) => {
            format!("{} はすでにTasukiのHOMEです。別のフォルダーを指定してください。", path.display())
        }
        ConfigError::Readable(path) => {
            format!("{} を所有者以外も読めます。chmod 600 で所有者だけにしてください。", path.display())
        }
        ConfigError::Locked(path) => {
            format!("{} を別のtasukiが使用中です。終わるのを待ってからやり直してください。", path.display())
        }
        ConfigError::File { path, message } => {
            format!("{} が正しくありません: {}。", path.display(), message.ja)
        }
        ConfigError::RelayUrl(url) => {
            format!("{url:?} は中継サーバーのアドレスではありません（https://ホスト:ポート）。")
        }
        ConfigError::ProxyUrl(url) => {
            format!("{url:?} はHTTPプロキシのアドレスではありません（http://ホスト:ポート）。")
        }
        ConfigError::NoCertificate(path) => {
            format!("{} にPEM形式の証明書がありません。", path.display())
        }
        ConfigError::NoAnchor => {
            "証明書ファイルの中にCA証明書がありません。--ca で事業所証明書のCAを指定してください。".to_owned()
        }
        ConfigError::Trust(message) => format!("このHOMEの信頼設定を使えません: {message}"),
        ConfigError::Certificate(cause) => {
            let because = known(cause.code(), "").map_or_else(|| cause.to_string(), |text| text.ja);
            format!("この証明書は使えません: {because}")
        }
        ConfigError::NotAnOffice => {
            "証明書に事業所番号がありません。電子請求の証明書か確認してください。".to_owned()
        }
        ConfigError::RelayNotTrusted(message) => format!(
            "接続先は登録された中継サーバーではありません（{message}）。\
             アドレスと --relay-ca の証明書を確認してください。"
        ),
        ConfigError::CertificateRefused(message) => format!(
            "中継サーバーがこの証明書での接続を拒否しました（{message}）。\
             証明書の期限と失効を運用主体に確認してください。"
        ),
        ConfigError::NoSuchPath(path) => {
            format!("{} がありません。名前と場所を確認してください。", path.display())
        }
        ConfigError::NotAZip { path, message } => {
            format!("{} はZIPとして読めません（{message}）。作り直してください。", path.display())
        }
        ConfigError::Path { path, message } => format!("{}: {}。", path.display(), message.ja),
        ConfigError::Argument(message) => format!("引数が正しくありません: {}。", message.ja),
        other => format!("設定が正しくありません: {other}"),
    };
    Text::new(ja, error.to_string())
}

fn identity(code: &str) -> &'static str {
    match code {
        "WRONG_PASSWORD" => "パスワードが違います。パスワードファイルの1行目を確認してください。",
        "MALFORMED_PKCS12" => "PKCS#12形式のファイルではありません。",
        "MALFORMED_PEM" => "PEM形式の証明書または鍵ではありません。",
        "NO_CERTIFICATE" => "証明書が入っていません。",
        "NO_PRIVATE_KEY" => "秘密鍵が入っていません。",
        "KEY_DOES_NOT_MATCH" => "秘密鍵が証明書のものと一致しません。",
        "ENCRYPTED_KEY" => "秘密鍵が暗号化されています。PKCS#12形式を使うか、暗号化を解いてください。",
        "UNSUPPORTED_KEY" => "この種類の鍵は使えません（RSA 2048以上、P-256、P-384）。",
        "TOKEN_URI" => {
            "トークンの鍵の指定が正しくありません（pkcs11:token=…;object=…?module-path=…、PINは書きません）。"
        }
        "TOKEN_MODULE" => "トークンのドライバー（module-path）を読み込めません。",
        "TOKEN_NOT_THERE" => "トークンが見つかりません。差し込まれているか確認してください。",
        "TOKEN_PIN" => "トークンのPINが違います。誤りを繰り返すとロックされます。",
        "TOKEN_PIN_LOCKED" => "トークンのPINがロックされているか、期限切れです。",
        "TOKEN_KEY_NOT_FOUND" => "指定の鍵がトークンにありません。",
        "TOKEN_KEY_AMBIGUOUS" => {
            "トークンの複数の鍵が当てはまります。object= か id= で1つを指定してください。"
        }
        "TOKEN_FAILED" => "トークンが署名できませんでした。",
        _ => "証明書と鍵を読み込めません。",
    }
}

/// Why there is no connection, without what to do about it.
pub(crate) fn cause(error: &SdkError) -> Text {
    let english = trimmed(&error.to_string()).to_owned();
    match error {
        SdkError::Unreachable(cause) => Text::new(cause_in_japanese(cause).trim_end_matches('。'), english),
        _ => Text::new(english.clone(), english),
    }
}

fn cause_in_japanese(cause: &Unreachable) -> String {
    match cause {
        Unreachable::Network(message) => format!("中継サーバーに接続できません（{message}）。"),
        Unreachable::Proxy { proxy, answer } => {
            format!("HTTPプロキシ {proxy} が中継サーバーに接続しません（{answer}）。")
        }
        Unreachable::Timeout => "中継サーバーが時間内に応答しませんでした。".to_owned(),
        Unreachable::Behind { .. } | Unreachable::EarlierEpoch { .. } => {
            "中継サーバーの記録が、以前に確認した所まで追いついていません。".to_owned()
        }
        Unreachable::Scanner { address, problem } => {
            format!(
                "不正プログラムの検査（clamd、{address}）ができません（{problem}）。clamdの状態を確認してください。"
            )
        }
        Unreachable::Busy(refused) => refused.message_ja.clone(),
        _ => "中継サーバーに接続できません。".to_owned(),
    }
}

fn unreachable(cause: &Unreachable) -> Text {
    let advice = match cause {
        Unreachable::Proxy { answer, .. } => proxy_advice(answer),
        _ => Text::default(),
    };
    let (ja, en) = (cause_in_japanese(cause), trimmed(&cause.to_string()).to_owned());
    Text::new(
        format!("{ja}{}同じコマンドをもう一度実行してください。安全に続きから再開します。", advice.ja),
        format!("{en}. {}Run the same command again: that is safe and resumes.", advice.en),
    )
}

/// What to do before trying again: a proxy's refusal does not pass by itself.
fn proxy_advice(answer: &str) -> Text {
    match answer.split(' ').nth(1) {
        Some("407") => Text::new(
            "HOMEのconfig.tomlに proxy = \"http://利用者名:パスワード@ホスト:ポート\" と書いてください。",
            "Give user and password in HOME's config.toml: proxy = \"http://USER:PASSWORD@HOST:PORT\". ",
        ),
        Some("403") => Text::new(
            "プロキシの管理者に、中継サーバーのホストとポートへのCONNECTの許可を依頼してください。",
            "Ask whoever runs the proxy to allow CONNECT to the relay's host and port. ",
        ),
        _ => Text::default(),
    }
}

/// Something that came from the relay does not verify.
fn received(cause: &VerificationError) -> Text {
    let what = verification(cause);
    match cause {
        // That is about this computer, or passes.
        VerificationError::FolderDiffers(_) => what,
        VerificationError::Witnesses { .. } => Text::new(
            what.ja,
            format!(
                "{} Wait for the witnesses' next look and try again; if it goes on, tell the operator.",
                what.en
            ),
        ),
        _ => Text::new(
            format!("{}受け取ったものは保存していません。運用主体に連絡してください。", what.ja),
            format!("{} Nothing of what was received was kept; tell the operator.", what.en),
        ),
    }
}

/// Why something does not verify, wherever it came from.
pub(crate) fn verification(cause: &VerificationError) -> Text {
    known(cause.code(), &cause.to_string()).unwrap_or_else(|| {
        let ja = match cause {
            VerificationError::LogKeyChanged => {
                "中継サーバーの記録の鍵が、最初に登録したものと違います。".to_owned()
            }
            VerificationError::Log(_) => "中継サーバーの記録の証明が成り立ちません。".to_owned(),
            VerificationError::Evidence(_) | VerificationError::Event(_) => {
                "出来事の証拠が成り立ちません。".to_owned()
            }
            VerificationError::FolderDiffers(path) => {
                format!("{} には別の内容があります。別の保存先を指定してください。", path.display())
            }
            VerificationError::Page => "index.html の内容が証拠と違います。".to_owned(),
            VerificationError::FeedGap { after, .. } => {
                format!("通知の{after}番の次が抜けています。")
            }
            VerificationError::FeedWentBack { number, .. } => {
                format!("中継サーバーの通知が、処理済みの{number}番より前で終わっています。")
            }
            VerificationError::Malformed { path, message } => format!("{}: {}。", path.display(), message.ja),
            VerificationError::Witnesses { have, need } => format!(
                "記録を確認した立会人が足りません（必要 {need}、確認済み {have}）。\
                 立会人の次の確認を待ってからやり直し、続く場合は運用主体に連絡してください。"
            ),
            VerificationError::NothingToTrust(what) => {
                format!("信頼の基になるもの: {}が指定されておらず、証拠の横にもありません。", what.ja)
            }
            other => format!("検証できません: {other}。"),
        };
        Text::new(ja, format!("{}.", trimmed(&cause.to_string())))
    })
}

/// The common explanation of a reason word, behind what the error itself says in English.
fn known(code: &str, message: &str) -> Option<Text> {
    let explanation = reason::explain(code);
    (explanation.code == code).then(|| {
        let en = match trimmed(message) {
            "" => explanation.en.to_owned(),
            message => format!("{message}. {}", explanation.en),
        };
        Text::new(explanation.ja, en)
    })
}

fn trimmed(message: &str) -> &str {
    message.trim_end_matches(['.', ' '])
}

#[cfg(test)]
mod tests {
    use tasuki_careplan::words::Words;

    use super::*;

    #[test]
    fn an_unreachable_relay_is_no_reason_to_worry() {
        for cause in [
            Unreachable::Network("connection refused".into()),
            Unreachable::Proxy { proxy: "proxy:3128".into(), answer: "403".into() },
            Unreachable::Timeout,
            Unreachable::Scanner {
                address: "127.0.0.1:3310".into(),
                problem: "did not answer in time".into(),
            },
            Unreachable::Busy(Refusal::of(reason::OVERLOADED)),
        ] {
            let text = error(&cause.into());
            assert!(text.en.contains("safe and resumes"), "{}", text.en);
            assert!(text.ja.contains("安全に続きから再開"), "{}", text.ja);
        }
    }

    #[test]
    fn a_proxys_refusal_says_whom_to_ask() {
        let text = |answer: &str| {
            error(&Unreachable::Proxy { proxy: "proxy:3128".into(), answer: answer.into() }.into())
        };
        let password = text("HTTP/1.1 407 Proxy Authentication Required");
        assert!(
            password.en.contains("config.toml") && password.ja.contains("config.toml"),
            "{}",
            password.en
        );
        let forbidden = text("HTTP/1.1 403 Forbidden");
        assert!(forbidden.en.contains("allow CONNECT") && forbidden.ja.contains("許可"), "{}", forbidden.en);
        assert_eq!(proxy_advice("an answer too long"), Text::default());
    }

    #[test]
    fn refusals_bring_their_own_words() {
        let refused = Refusal::of(reason::RECIPIENT_UNKNOWN);
        let text = error(&refused.clone().into());
        assert_eq!((text.ja, text.en), (refused.message_ja, refused.message_en));
    }

    #[test]
    fn known_words_are_explained_behind_the_message() {
        let text = error(&VerificationError::Digest.into());
        assert!(
            text.en.starts_with("the parcel is not the one in the log. The digest is not"),
            "{}",
            text.en
        );
        assert!(text.ja.contains("ダイジェスト") && text.ja.contains("運用主体"), "{}", text.ja);
    }

    #[test]
    fn configuration_errors_name_the_way_out() {
        let text = error(&ConfigError::NotAHome("/tmp/x".into()).into());
        assert!(text.ja.contains("/tmp/x") && text.ja.contains("tasuki init"), "{}", text.ja);
        assert!(text.en.contains("/tmp/x") && text.en.contains("tasuki init"), "{}", text.en);
        let text = error(&ConfigError::NoAnchor.into());
        assert!(text.ja.contains("--ca") && text.en.contains("--ca"));
    }

    #[test]
    fn every_message_has_both_languages() {
        let words = |ja: &str, en: &str| Words { ja: ja.to_owned(), en: en.to_owned() };
        let wrong = || words("大きすぎます", "too large");
        let errors: [SdkError; 13] = [
            VerificationError::Witnesses { have: 1, need: 2 }.into(),
            ConfigError::NoSuchPath("month".into()).into(),
            ConfigError::Path { path: "month".into(), message: wrong() }.into(),
            ConfigError::File { path: "month".into(), message: wrong() }.into(),
            ConfigError::Argument(wrong()).into(),
            VerificationError::Malformed { path: "month".into(), message: wrong() }.into(),
            ConfigError::Locked("h".into()).into(),
            ConfigError::Readable("h/identity.key".into()).into(),
            ConfigError::CertificateRefused("x".into()).into(),
            VerificationError::LogKeyChanged.into(),
            VerificationError::FeedGap { epoch: 1, after: 7 }.into(),
            VerificationError::NothingToTrust(words("CA証明書", "CA")).into(),
            VerificationError::Statement.into(),
        ];
        for one in errors {
            let text = error(&one);
            assert!(text.ja.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{}", text.ja);
            assert!(!text.ja.contains("too large"), "{}", text.ja);
            assert!(!text.en.chars().any(|c| ('ぁ'..='ん').contains(&c)), "{}", text.en);
        }
    }
}
