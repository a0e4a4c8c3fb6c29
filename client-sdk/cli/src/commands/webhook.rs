//! `tasuki webhook set|list|remove|test`: a program that the relay tells over HTTPS.

use serde::Serialize;
use tasuki_sdk::Webhook;

use crate::args::WebhookCommand;
use crate::exit::{Exit, Failure};
use crate::lang::Lang;
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::table::shown;

use super::Session;

/// What `set` prints.
#[derive(Serialize)]
struct SetObject<'a> {
    url: &'a str,
    key: &'a str,
}

/// What `list` prints.
#[derive(Serialize)]
struct WebhookObject<'a> {
    url: &'a str,
    epoch: u64,
    number: u64,
    tries: u32,
    last_error: Option<&'a str>,
    next_try_at: Option<String>,
    delivered_at: Option<String>,
    dead: Vec<DeadObject<'a>>,
}

#[derive(Serialize)]
struct DeadObject<'a> {
    epoch: u64,
    number: u64,
    r#type: &'a str,
    error: &'a str,
    given_up_at: Option<String>,
}

/// What `remove` prints.
#[derive(Serialize)]
struct RemovedObject {
    removed: bool,
}

/// What `test` prints.
#[derive(Serialize)]
struct TestObject<'a> {
    taken: bool,
    error: Option<&'a str>,
}

/// `tasuki webhook`.
pub(super) fn webhook(
    command: &WebhookCommand,
    session: &Session,
    out: &mut Output,
) -> Result<Exit, Failure> {
    match command {
        WebhookCommand::Set(args) => set(&args.url, session, out),
        WebhookCommand::List => list(session, out),
        WebhookCommand::Remove => remove(session, out),
        WebhookCommand::Test => test(session, out),
    }
}

fn set(url: &str, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let key = session.run(session.client.set_webhook(url))?;
    if out.is_json() {
        out.object(&SetObject { url, key: &key })?;
    } else {
        out.say(
            "Webhookを登録しました。署名の鍵は今だけ表示します。プログラム側に保存してください:",
            "The webhook is set. The key of its signatures is shown this once; keep it with the program:",
        )?;
        out.line(&key)?;
    }
    Ok(Exit::Done)
}

fn list(session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let webhook = session.run(session.client.webhook())?;
    match (&webhook, out.is_json()) {
        (Some(webhook), true) => out.object(&object(webhook))?,
        (Some(webhook), false) => out.lines(lines(webhook, out.lang()))?,
        (None, true) => {}
        (None, false) => out.say("Webhookは登録されていません。", "There is no webhook.")?,
    }
    Ok(Exit::Done)
}

fn object(webhook: &Webhook) -> WebhookObject<'_> {
    let dead = webhook.dead.iter().map(|dead| DeadObject {
        epoch: dead.place.0,
        number: dead.place.1,
        r#type: &dead.kind,
        error: &dead.error,
        given_up_at: dead.given_up_us.map(utc),
    });
    WebhookObject {
        url: &webhook.url,
        epoch: webhook.place.0,
        number: webhook.place.1,
        tries: webhook.tries,
        last_error: Some(webhook.last_error.as_str()).filter(|error| !error.is_empty()),
        next_try_at: webhook.next_try_us.map(utc),
        delivered_at: webhook.delivered_us.map(utc),
        dead: dead.collect(),
    }
}

fn lines(webhook: &Webhook, lang: Lang) -> Vec<String> {
    let mut lines = vec![shown(&webhook.url).into_owned()];
    let never = lang.pick("なし", "never");
    let delivered = webhook.delivered_us.map_or_else(|| never.to_owned(), japan);
    lines.push(format!("  {}: {delivered}", lang.pick("最後に通知した日時", "last told")));
    if webhook.tries > 0 {
        let next = webhook.next_try_us.map_or_else(|| "-".to_owned(), japan);
        let error = shown(&webhook.last_error);
        lines.push(match lang {
            Lang::Ja => format!("  {}回失敗しています（{error}）。次の試行: {next}", webhook.tries),
            Lang::En => format!("  failed {} times ({error}); next try {next}", webhook.tries),
        });
    }
    for dead in &webhook.dead {
        let when = dead.given_up_us.map_or_else(|| "-".to_owned(), japan);
        let what = format!("{} {}-{}", shown(&dead.kind), dead.place.0, dead.place.1);
        lines.push(match lang {
            Lang::Ja => format!("  届けるのをやめました: {when} {what}（{}）", shown(&dead.error)),
            Lang::En => format!("  given up: {when} {what} ({})", shown(&dead.error)),
        });
    }
    lines
}

fn remove(session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let removed = session.run(session.client.remove_webhook())?;
    if out.is_json() {
        out.object(&RemovedObject { removed })?;
    } else if removed {
        out.say("Webhookの登録を解除しました。", "The webhook is removed.")?;
    } else {
        out.say("Webhookは登録されていません。", "There is no webhook.")?;
    }
    Ok(Exit::Done)
}

fn test(session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let outcome = session.run(session.client.test_webhook())?;
    let error = outcome.as_ref().err().map(String::as_str);
    if out.is_json() {
        out.object(&TestObject { taken: error.is_none(), error })?;
    } else if let Some(error) = error {
        let error = shown(error);
        out.say(
            &format!("プログラムが受け取りませんでした: {error}"),
            &format!("The program did not take it: {error}"),
        )?;
    } else {
        out.say("プログラムが受け取りました。", "The program took it.")?;
    }
    Ok(if error.is_none() { Exit::Done } else { Exit::Rejected })
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::DeadLetter;

    use super::*;
    use crate::testing;

    #[test]
    fn people_and_programs_see_how_it_does() {
        let dead = DeadLetter {
            place: (1, 7),
            kind: "parcel.delivered".into(),
            error: "HTTP 500".into(),
            given_up_us: Some(testing::ACCEPTED_US),
        };
        let webhook = Webhook {
            url: "https://care.example/hook".into(),
            place: (1, 8),
            tries: 2,
            last_error: "HTTP 503".into(),
            next_try_us: Some(testing::ACCEPTED_US),
            delivered_us: None,
            dead: vec![dead],
        };
        let text = lines(&webhook, Lang::En);
        assert_eq!(text[0], "https://care.example/hook");
        assert_eq!(text[1], "  last told: never");
        assert_eq!(text[2], "  failed 2 times (HTTP 503); next try 2026-11-21 20:38");
        assert_eq!(text[3], "  given up: 2026-11-21 20:38 parcel.delivered 1-7 (HTTP 500)");
        let json = serde_json::to_value(object(&webhook)).unwrap();
        assert_eq!((&json["number"], &json["tries"]), (&8.into(), &2.into()));
        assert_eq!(json["dead"][0]["error"], "HTTP 500");
    }
}
