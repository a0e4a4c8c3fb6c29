//! The program from outside, as far as it goes without a relay: exit codes, and what stands on which stream.

use std::path::PathBuf;
use std::process::{Command, Output};

fn tasuki(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tasuki"));
    for variable in ["TASUKI_HOME", "TASUKI_LANG", "TASUKI_LOG", "LC_ALL", "LC_MESSAGES"] {
        command.env_remove(variable);
    }
    command.env("LANG", "C").args(arguments).output().expect("the program starts")
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("it exits by itself")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A folder of this test's own, empty.
fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    folder
}

#[test]
fn help_and_version_succeed_on_standard_output() {
    for arguments in
        [&["--help"][..], &["--version"], &["send", "--help"], &["--lang", "ja", "receive", "-h"]]
    {
        let output = tasuki(arguments);
        assert_eq!(code(&output), 0, "{arguments:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{arguments:?}");
    }
    assert!(text(&tasuki(&["--lang=ja", "--help"]).stdout).contains("使い方"));
}

#[test]
fn usage_errors_exit_2_with_nothing_on_standard_output() {
    for arguments in [&[][..], &["carry"], &["inbox", "--nonsense"], &["receive"], &["show", "x"], &["sent"]]
    {
        let output = tasuki(arguments);
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
    let output = tasuki(&["--lang", "ja", "inbox", "--nonsense"]);
    assert!(text(&output.stderr).starts_with("エラー: この引数はありません。\n"), "{output:?}");
}

#[test]
fn a_folder_that_is_no_home_is_a_configuration_error() {
    let home = folder("no-home");
    let home = home.to_str().expect("UTF-8");
    for arguments in [
        &["inbox"][..],
        &["sent"],
        &["watch"],
        &["offices", "x"],
        &["send", "x"],
        &["receive", "--out", "x"],
        &["show", "0193a3f0-8a1b-7c2d-8e3f-000000000000"],
        &["evidence", "0193a3f0-8a1b-7c2d-8e3f-000000000000", "--out", "x"],
    ] {
        let output = tasuki(&[&["--home", home, "--json"], arguments].concat());
        assert_eq!(code(&output), 2, "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        let error: serde_json::Value = serde_json::from_slice(&output.stderr).expect("one object");
        assert_eq!(error["error"], "NOT_A_HOME", "{arguments:?}");
    }
}

#[test]
fn the_home_may_come_from_the_environment() {
    let home = folder("home-variable");
    let program = env!("CARGO_BIN_EXE_tasuki");
    let output = Command::new(program).args(["--lang", "en", "inbox"]).env("TASUKI_HOME", &home).output();
    let output = output.expect("the program starts");
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("home-variable is no HOME of Tasuki"), "{output:?}");
}

#[test]
fn init_refuses_what_it_can_not_use_and_leaves_no_home() {
    let folder = folder("init");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    std::fs::write(path("junk"), "junk").expect("the file can be written");
    let (home, junk) = (path("home"), path("junk"));
    let output = tasuki(&[
        "--json",
        "init",
        &home,
        "--relay",
        "https://localhost:1",
        "--relay-ca",
        &junk,
        "--identity",
        &junk,
        "--password-file",
        &junk,
    ]);
    assert_eq!((code(&output), text(&output.stdout)), (2, ""), "{output:?}");
    let output = tasuki(&["--home", &home, "inbox"]);
    assert!(text(&output.stderr).contains("[NOT_A_HOME]"), "{output:?}");
}

#[test]
fn verify_tells_what_is_wrong_from_what_is_not_there() {
    let folder = folder("verify");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    assert_eq!(code(&tasuki(&["verify", &path("nothing")])), 2);

    std::fs::write(path("junk.asice"), "junk").expect("the file can be written");
    let output = tasuki(&["verify", &path("junk.asice"), "--json"]);
    assert_eq!(code(&output), 1);
    let result: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one object");
    assert_eq!((&result["verified"], &result["reason"]), (&false.into(), &"ZIP_MALFORMED".into()));
}
