//! Offices that nothing was ever sent to: people are asked, scripts are told.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal as _, Write};

use tasuki_careplan::office::OfficeNumber;
use tasuki_sdk::send::plan::Plan;
use tasuki_sdk::{ErrorKind, SdkError};

use crate::content::office;
use crate::exit::Failure;
use crate::lang::{Lang, Text};
use crate::output::Output;
use crate::table::shown;

use super::super::Session;
use super::super::names::Names;

/// Looks for new partners in a plan; asks about each on a terminal, and tells of them elsewhere. False: the relay can't be
/// reached.
pub(super) fn look(
    plan: &mut Plan,
    accepted: bool,
    session: &Session,
    out: &mut Output,
) -> Result<bool, Failure> {
    let new = match session.run(session.client.new_partners(plan)) {
        Ok(new) => new,
        // What can't be asked now, sending tells.
        Err(error) if error.kind() == ErrorKind::Unreachable => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    if new.is_empty() || accepted {
        return Ok(true);
    }
    let mut directory = Names::new(&session.client);
    let named = |number: OfficeNumber, directory: &mut Names| {
        office(number, &session.runtime.block_on(directory.of(number)))
    };
    let ask = !out.is_json() && std::io::stdin().is_terminal();
    for number in new {
        let name = named(number, &mut directory);
        if ask {
            answer(plan, number, &name, out.lang(), &mut std::io::stdin().lock(), &mut std::io::stderr())?;
        } else {
            out.remark("NEW_PARTNER", &told(&name));
        }
    }
    Ok(true)
}

fn told(name: &str) -> Text {
    Text::new(
        format!("{} は初めて送る事業所です。番号と名称を確認してください。", shown(name)),
        format!("nothing was ever sent to {}: check its number and name.", shown(name)),
    )
}

/// Asks about one office, and puts the answer into the plan. Anything but a yes is a no.
fn answer(
    plan: &mut Plan,
    number: OfficeNumber,
    name: &str,
    lang: Lang,
    input: &mut impl BufRead,
    errors: &mut impl Write,
) -> Result<(), SdkError> {
    let question = told(name);
    let send = lang.pick("送りますか?", "Send?");
    // Without a terminal that shows the question there is no answer to it.
    let asked = write!(errors, "{} {send} [y/N] ", question.of(lang)).and_then(|()| errors.flush());
    let mut line = String::new();
    let read = asked.is_ok() && input.read_line(&mut line).is_ok();
    if read && is_yes(&line) { plan.agree(number) } else { plan.decline(number) }
}

/// A yes, in either language.
pub(super) fn is_yes(line: &str) -> bool {
    let yes: BTreeSet<&str> = ["y", "Y", "yes", "はい", "ｙ"].into();
    yes.contains(line.trim())
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::send::SendOptions;
    use tasuki_sdk::send::plan::plan;

    use super::*;
    use crate::testing;

    #[test]
    fn only_a_yes_is_a_yes() {
        for yes in ["y\n", "yes\r\n", "はい\n", "ｙ\n"] {
            assert!(is_yes(yes), "{yes}");
        }
        for no in ["", "\n", "n\n", "いいえ\n", "yo\n"] {
            assert!(!is_yes(no), "{no}");
        }
    }

    #[test]
    fn the_question_names_the_office() {
        let folder = testing::folder("partners", "03_slip_202602_to_visit");
        let own = "1371215102".parse().unwrap();
        let mut plan = plan(&[folder.path().to_owned()], &SendOptions::default(), own).unwrap();
        let number = plan.parcels[0].recipient;
        let mut asked = Vec::new();
        answer(&mut plan, number, "9971100012 ひまわり", Lang::Ja, &mut &b"n\n"[..], &mut asked).unwrap();
        let text = String::from_utf8(asked).unwrap();
        assert!(text.contains("9971100012 ひまわり") && text.contains("[y/N]"), "{text}");
        assert!(plan.agree("9900000000".parse().unwrap()).is_err(), "it is not in the plan");
    }
}
