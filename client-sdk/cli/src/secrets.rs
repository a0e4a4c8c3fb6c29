//! Passwords and PINs: at a prompt without echo, from a file, from standard input, from a descriptor.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use console::Term;
use tasuki_sdk::Secret;

use crate::exit::Failure;
use crate::lang::Lang;

/// Stands for standard input in the place of a file.
const STANDARD_INPUT: &str = "-";

/// A password as the flags say: of a descriptor, of a file, of standard input (`-`). `None`: the flags name none, and nobody sits there
/// to be asked.
pub(crate) fn secret(
    file: Option<PathBuf>,
    descriptor: Option<u32>,
    lang: Lang,
) -> Result<Option<Secret>, Failure> {
    match (file, descriptor) {
        (_, Some(descriptor)) => of_descriptor(descriptor).map(Some),
        (Some(file), None) if file == Path::new(STANDARD_INPUT) => of_standard_input(lang).map(Some),
        (Some(file), None) => Ok(Some(Secret::File(file))),
        (None, None) if io::stdin().is_terminal() => ask(lang).map(Some),
        (None, None) => Ok(None),
    }
}

fn of_standard_input(lang: Lang) -> Result<Secret, Failure> {
    let input = io::stdin();
    if input.is_terminal() { ask(lang) } else { Secret::first_line(input.lock()).map_err(|e| unread(&e)) }
}

/// Asks whoever sits there; what is typed does not appear.
fn ask(lang: Lang) -> Result<Secret, Failure> {
    let term = Term::stderr();
    let prompt = lang.pick("パスワード（PIN）: ", "Password (PIN): ");
    let typed = term.write_str(prompt).and_then(|()| term.read_secure_line());
    typed.map(Secret::Given).map_err(|e| unread(&e))
}

#[cfg(unix)]
fn of_descriptor(descriptor: u32) -> Result<Secret, Failure> {
    std::fs::File::open(format!("/dev/fd/{descriptor}")).and_then(Secret::first_line).map_err(|e| unread(&e))
}

#[cfg(not(unix))]
fn of_descriptor(_descriptor: u32) -> Result<Secret, Failure> {
    Err(Failure::usage(
        "--password-fd はこのOSでは使えません。--password-file - で標準入力から渡してください。",
        "--password-fd can't be used on this system; hand it in on standard input with --password-file -.",
    ))
}

fn unread(error: &io::Error) -> Failure {
    Failure::usage(
        format!("パスワードを読めません（{error}）。"),
        format!("the password can't be read: {error}"),
    )
}
