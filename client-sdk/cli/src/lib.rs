//! The command `tasuki`: care-plan files from office to office, signed, sealed, proven.
//!
//! | looking for | module |
//! |---|---|
//! | commands and flags | [`args`] |
//! | what a command does | [`commands`], one file each |
//! | keys of `--json` | [`json`], and beside the command for what only one prints |
//! | exit codes | [`exit`] |
//! | Japanese or English | [`lang`]; words for states and events: [`words`]; errors: [`explain`] |
//!
//! *Architecture invariant:* everything that matters happens in `tasuki-sdk`; this crate reads arguments and prints.

mod args;
mod commands;
mod content;
mod exit;
mod explain;
mod finding;
mod json;
mod lang;
mod log;
mod moment;
mod output;
mod progress;
mod secrets;
mod table;
#[cfg(test)]
mod testing;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::exit::{Exit, Failure};
use crate::lang::Lang;
use crate::output::Output;

/// Runs the command: `arguments` as the system gives them, the program's name first.
///
/// A library beside the binary, so that one test binary can act as every program.
pub fn main_with(arguments: &[OsString]) -> ExitCode {
    let lang = lang::choose(arguments, |name| std::env::var(name).ok(), lang::of_system);
    let exit = match args::parse(arguments, lang) {
        Ok(cli) => {
            log::start(std::env::var(log::VARIABLE).ok().as_deref());
            let mut out = Output::standard(lang, cli.global.json);
            commands::run(cli, &mut out).unwrap_or_else(|failure| tell(&failure, &mut out))
        }
        Err(error) => usage(&error, lang),
    };
    tasuki_sdk::close_tokens();
    exit.into()
}

/// Says why the command ends without its result.
fn tell(failure: &Failure, out: &mut Output) -> Exit {
    match failure {
        Failure::Sdk(error) => {
            out.error(error.reason(), &explain::error(error));
            if let tasuki_sdk::SdkError::Rejected(refusal) = error {
                commands::findings_to_errors(&refusal.findings, out);
            }
        }
        Failure::Usage(message) => out.error("USAGE", message),
        Failure::Stopped(word, message) => out.error(word, message),
        Failure::Output(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Failure::Output(error) => out.error("OUTPUT", &lang::Text::new(error.to_string(), error.to_string())),
    }
    failure.exit()
}

/// Prints help, the version, or what is wrong with the command line.
fn usage(error: &clap::Error, lang: Lang) -> Exit {
    if lang == Lang::Ja
        && let Some(message) = args::usage_in_japanese(error)
    {
        eprintln!("エラー: {message}");
    }
    // Nothing can be done about a closed standard output, and the exit code says the rest.
    let _ = error.print();
    if error.exit_code() == 0 { Exit::Done } else { Exit::Usage }
}
