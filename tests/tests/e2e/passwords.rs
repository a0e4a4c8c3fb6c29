//! Passwords: from standard input, from a descriptor, typed where nobody sees them; never as an argument.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tasuki_tests::office::Office;
use tasuki_tests::run::{Ran, run};

use crate::stage::{Database, MANAGER, Stage, programs};

/// `tasuki init` of the office's PKCS#12 file into a HOME of this name.
fn init(stage: &Stage, office: &Office, name: &str, more: &[&str]) -> (PathBuf, Command) {
    let home = stage.path().join(name);
    let mut command = programs().tasuki();
    command.args(["--lang", "en", "init"]).arg(&home).args(["--relay", &stage.relay.url]);
    command.arg("--relay-ca").arg(stage.relay.dir.join("relay-ca.pem"));
    command.arg("--identity").arg(office.file("p12")).args(more);
    (home, command)
}

fn with_input(command: &mut Command, input: &str) -> Ran {
    let line = format!("{command:?}");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    Ran::new(line, &child.wait_with_output().unwrap())
}

fn works(office: &Office, home: &Path) {
    office.with_home(home.to_owned()).run(&["inbox"]).expect(0);
}

/// The command in a shell, which may add a redirection, with its words as they are.
fn in_a_shell(command: &Command, script: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    shell
}

#[test]
fn a_password_comes_from_standard_input_or_a_descriptor() {
    let stage = Stage::new(Database::Sqlite);
    let office = stage.office(MANAGER);
    let password = fs::read_to_string(office.file("pass")).unwrap();
    let (home, mut command) = init(&stage, &office, "by-input", &["--password-file", "-"]);
    with_input(&mut command, &password).expect(0);
    works(&office, &home);

    let (home, command) = init(&stage, &office, "by-descriptor", &["--password-fd", "3"]);
    let redirected = format!("exec \"$0\" \"$@\" 3< '{}'", office.file("pass").display());
    run(&mut in_a_shell(&command, &redirected)).expect(0);
    works(&office, &home);
    // A pipe is read once, and is enough.
    let (home, command) = init(&stage, &office, "by-pipe", &["--password-fd", "0"]);
    let piped = format!("cat '{}' | \"$0\" \"$@\"", office.file("pass").display());
    run(&mut in_a_shell(&command, &piped)).expect(0);
    works(&office, &home);

    // A wrong one, none, a descriptor that is not there: nothing is made.
    for (name, more, input) in [
        ("wrong", &["--password-file", "-"][..], "not it\n"),
        ("empty", &["--password-file", "-"], ""),
        ("none", &[], ""),
        ("closed", &["--password-fd", "77"], ""),
    ] {
        let (home, mut command) = init(&stage, &office, name, more);
        let ran = with_input(&mut command, input);
        ran.expect(2);
        assert!(!home.join("config.toml").exists(), "{name}");
        assert!(!ran.err.contains("not it"), "{ran:?}");
    }
    // Renewed with one that comes the same way.
    let out = stage.path().join("new");
    stage.relay.run(&["cert", "issue", MANAGER, "--out", &out.display().to_string()]).expect(0);
    let file = |ending: &str| out.join(format!("{MANAGER}.{ending}")).display().to_string();
    let args = ["renew", "--identity", &file("p12"), "--password-file", "-"];
    let password = fs::read_to_string(file("pass")).unwrap();
    with_input(&mut office.with_home(home.clone()).command(&args), &password).expect(0);
    works(&office, &home);
}

#[test]
fn a_password_that_is_typed_does_not_appear() {
    let stage = Stage::new(Database::Sqlite);
    let office = stage.office(MANAGER);
    let password = fs::read_to_string(office.file("pass")).unwrap();
    let (home, command) = init(&stage, &office, "typed", &[]);
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    // A terminal for the command, by the program `script`.
    let mut terminal = Command::new("script");
    terminal.args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"]);
    let mut child = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = Vec::new();
    let mut byte = [0];
    while !String::from_utf8_lossy(&shown).contains("Password (PIN): ") {
        assert_eq!(output.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&shown));
        shown.push(byte[0]);
    }
    // The echo goes off just after the question.
    std::thread::sleep(std::time::Duration::from_millis(500));
    input.write_all(format!("{}\r", password.trim_end()).as_bytes()).unwrap();
    output.read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown).into_owned();
    assert!(child.wait().unwrap().success(), "{shown}");
    assert!(shown.contains("Made the HOME") && !shown.contains(password.trim_end()), "{shown}");
    works(&office, &home);
}
