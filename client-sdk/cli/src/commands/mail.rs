//! `tasuki mail set|list|remove`: where the relay writes to when something arrived.

use serde::Serialize;
use tasuki_sdk::MailSettings;

use crate::args::MailCommand;
use crate::exit::{Exit, Failure};
use crate::lang::Lang;
use crate::output::Output;
use crate::table::shown;

use super::Session;

/// What each of the commands prints.
#[derive(Serialize)]
struct MailObject<'a> {
    addresses: &'a [String],
    tries: u32,
    last_error: Option<&'a str>,
}

/// `tasuki mail`.
pub(super) fn mail(command: &MailCommand, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let client = &session.client;
    let settings = match command {
        MailCommand::Set(args) => session.run(client.set_mail(&args.address))?,
        MailCommand::List => session.run(client.mail())?,
        MailCommand::Remove => session.run(client.set_mail(&[]))?,
    };
    if out.is_json() {
        let last_error = Some(settings.last_error.as_str()).filter(|error| !error.is_empty());
        out.object(&MailObject { addresses: &settings.addresses, tries: settings.tries, last_error })?;
    } else {
        out.lines(lines(&settings, out.lang()))?;
    }
    Ok(Exit::Done)
}

fn lines(settings: &MailSettings, lang: Lang) -> Vec<String> {
    if settings.addresses.is_empty() {
        let none = lang.pick("メールでの通知はありません。", "There are no notices by e-mail.");
        return vec![none.to_owned()];
    }
    let mut lines =
        vec![lang.pick("電文が届くと、次の宛先にメールで知らせます:", "New parcels are told to:").to_owned()];
    lines.extend(settings.addresses.iter().map(|address| format!("  {}", shown(address))));
    if settings.tries > 0 {
        let error = shown(&settings.last_error);
        lines.push(match lang {
            Lang::Ja => format!("  {}回失敗しています（{error}）。送り直します", settings.tries),
            Lang::En => format!("  failed {} times ({error}); it is tried again", settings.tries),
        });
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_see_where_they_are_written_to() {
        let none = MailSettings { addresses: Vec::new(), tries: 0, last_error: String::new() };
        assert_eq!(lines(&none, Lang::En), ["There are no notices by e-mail."]);
        let some =
            MailSettings { addresses: vec!["a@example.jp".into()], tries: 2, last_error: "SMTP 450".into() };
        assert_eq!(
            lines(&some, Lang::En),
            ["New parcels are told to:", "  a@example.jp", "  failed 2 times (SMTP 450); it is tried again"]
        );
    }
}
