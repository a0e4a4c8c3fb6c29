//! The command contract: every command and flag that scripts rely on.

use clap::error::ErrorKind;

use super::*;

const ID: &str = "0193a3f0-8a1b-7c2d-8e3f-000000000000";

fn try_parse(line: &str) -> Result<Cli, clap::Error> {
    let words: Vec<OsString> = std::iter::once("tasuki").chain(line.split(' ')).map(OsString::from).collect();
    parse(&words, Lang::En)
}

fn parsed(line: &str) -> Cli {
    try_parse(line).unwrap_or_else(|e| panic!("{line}: {e}"))
}

fn refused(line: &str) -> ErrorKind {
    let error = try_parse(line).expect_err(line);
    assert_eq!(error.exit_code(), 2, "{line}");
    error.kind()
}

#[test]
fn the_definition_is_sound_in_both_languages() {
    definition(Lang::En).debug_assert();
    definition(Lang::Ja).debug_assert();
}

#[test]
fn init_takes_pkcs12_or_pem() {
    let command = |line: &str| match parsed(line).command {
        Command::Init(init) => init,
        other => panic!("{other:?}"),
    };
    let rest = "--relay https://localhost:8443 --relay-ca relay-ca.pem";
    let init = command(&format!("init H {rest} --identity a.p12 --password-file a.pass"));
    assert_eq!(init.folder, Some("H".into()));
    assert_eq!(init.relay, "https://localhost:8443");
    assert_eq!(init.relay_ca, PathBuf::from("relay-ca.pem"));
    assert_eq!((init.identity, init.password_file), ("a.p12".into(), Some("a.pass".into())));
    assert_eq!((init.key, init.ca, init.https_proxy), (None, None, None));

    let init = command(&format!(
        "init H {rest} --identity a.pem --key a.key --ca ca.pem --https-proxy http://proxy:3128"
    ));
    assert_eq!((init.key, init.password_file), (Some("a.key".into()), None));
    assert_eq!((init.ca, init.https_proxy), (Some("ca.pem".into()), Some("http://proxy:3128".into())));

    // HOME may also come from --home.
    let cli = parsed(&format!("--home H init {rest} --identity a.pem --key a.key"));
    assert_eq!(cli.global.home, Some("H".into()));

    // Whoever gives no password is asked for it.
    let init = command(&format!("init H {rest} --identity a.p12"));
    assert_eq!((init.key, init.password_file, init.password_fd), (None, None, None));
    let init = command(&format!("init H {rest} --identity a.p12 --password-fd 3"));
    assert_eq!(init.password_fd, Some(3));
    assert_eq!(
        refused(&format!("init H {rest} --identity a.p12 --password-file p --key k")),
        ErrorKind::ArgumentConflict
    );
    // A secret has no flag of its own: arguments are visible to every user of a computer.
    assert_eq!(refused(&format!("init H {rest} --identity a --password x")), ErrorKind::UnknownArgument);
}

#[test]
fn send_takes_paths_notes_and_attachments() {
    let command = |words: &[&str]| {
        let words: Vec<OsString> = ["tasuki", "send"].iter().chain(words).map(OsString::from).collect();
        match parse(&words, Lang::En).map(|cli| cli.command) {
            Ok(Command::Send(send)) => send,
            other => panic!("{other:?}"),
        }
    };
    let send = command(&[
        "a.CSV",
        "folder",
        "all.zip",
        "--note",
        "2月分です",
        "--note",
        "9971100012=差し替え = 訂正",
        "--attach",
        "9971100012=scan=1.pdf",
        "--attach",
        "9971100020=b.png",
        "--again",
    ]);
    assert_eq!(send.paths, ["a.CSV", "folder", "all.zip"].map(PathBuf::from));
    let office = "9971100012".parse().unwrap();
    assert_eq!(
        send.note,
        [
            NoteArg { office: None, text: "2月分です".into() },
            NoteArg { office: Some(office), text: "差し替え = 訂正".into() }
        ]
    );
    assert_eq!(send.attach[0], AttachArg { office, file: "scan=1.pdf".into() });
    assert_eq!(send.attach.len(), 2);
    assert!(send.again);

    // What does not begin with an office's number is all text.
    let send = command(&["a.CSV", "--note", "A=B"]);
    assert_eq!(send.note, [NoteArg { office: None, text: "A=B".into() }]);
    // Only a note, or only an attachment, is something to send.
    assert!(command(&["--note", "9971100012=x"]).paths.is_empty());
    assert!(command(&["--attach", "9971100012=x"]).paths.is_empty());
    let plain = command(&["a.CSV"]);
    assert!(!plain.again && !plain.unchecked && !plain.skip_unneeded && plain.unit.is_none());
    for (word, class) in [
        ("plan", UnitClass::Plan),
        ("slip", UnitClass::Slip),
        ("result", UnitClass::Result),
        ("delete", UnitClass::Delete),
    ] {
        assert_eq!(command(&["a.CSV", "--unit", word]).unit, Some(class));
    }
    let send = command(&["a.CSV", "--unchecked", "--skip-unneeded"]);
    assert!(send.unchecked && send.skip_unneeded);
    assert_eq!(refused("send a --unit table"), ErrorKind::InvalidValue);

    assert_eq!(refused("send"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused("send a --attach scan.pdf"), ErrorKind::ValueValidation);
    assert_eq!(refused("send a --attach 9971100012="), ErrorKind::ValueValidation);
    assert_eq!(refused("send a --note 9971100012="), ErrorKind::ValueValidation);
}

#[test]
fn the_other_commands_take_what_the_contract_says() {
    let cli = parsed("--home H inbox");
    assert!(matches!(cli.command, Command::Inbox(_)));
    assert_eq!((cli.global.home, cli.global.json, cli.global.lang), (Some("H".into()), false, None));
    let cli = parsed("inbox --json --home H --lang ja");
    assert_eq!((cli.global.home, cli.global.json, cli.global.lang), (Some("H".into()), true, Some(Lang::Ja)));
    assert!(matches!(parsed("sent").command, Command::Sent(_)));

    match parsed("receive --out D --keep-sealed").command {
        Command::Receive(receive) => {
            assert_eq!((receive.out, receive.keep_sealed), ("D".into(), true));
            assert!(receive.parcels.is_empty());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refused("receive"), ErrorKind::MissingRequiredArgument);

    match parsed(&format!("show {ID}")).command {
        Command::Show(show) => assert_eq!(show.parcel.to_string(), ID),
        other => panic!("{other:?}"),
    }
    match parsed(&format!("evidence 1371215102/{ID} --out D")).command {
        Command::Evidence(evidence) => {
            assert_eq!(
                (evidence.parcel.unwrap().to_string(), evidence.out),
                (format!("1371215102/{ID}"), "D".into())
            );
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refused("show 12"), ErrorKind::ValueValidation);
    assert_eq!(refused("show"), ErrorKind::MissingRequiredArgument);
    assert_eq!(refused(&format!("evidence {ID}")), ErrorKind::MissingRequiredArgument);

    match parsed("verify p.asice --ca ca.pem --log-key key --profile profile.toml").command {
        Command::Verify(verify) => {
            assert_eq!(verify.path, PathBuf::from("p.asice"));
            assert_eq!((verify.ca, verify.log_key), (Some("ca.pem".into()), Some("key".into())));
            assert_eq!(verify.profile, Some("profile.toml".into()));
        }
        other => panic!("{other:?}"),
    }
    match parsed("offices あおぞら 訪問").command {
        Command::Offices(offices) => assert_eq!(offices.words, ["あおぞら", "訪問"]),
        other => panic!("{other:?}"),
    }
    assert_eq!(refused("offices"), ErrorKind::MissingRequiredArgument);
    assert!(matches!(parsed("watch").command, Command::Watch(Watch { once: false, .. })));
    assert!(matches!(parsed("watch --once").command, Command::Watch(Watch { once: true, .. })));
    // The program takes everything behind it, up to the end or a semicolon.
    let Command::Watch(watch) = parsed("watch --exec notify -v --json --once").command else { panic!() };
    assert_eq!(
        (watch.exec, watch.once),
        (["notify", "-v", "--json", "--once"].map(Into::into).into(), false)
    );
    let Command::Watch(watch) = parsed("watch --exec notify -v ; --once --atom f.xml").command else {
        panic!()
    };
    assert_eq!((watch.exec.len(), watch.once, watch.atom), (2, true, Some("f.xml".into())));
    for shell in ["bash", "zsh", "fish", "powershell"] {
        assert!(matches!(parsed(&format!("completions {shell}")).command, Command::Completions(_)));
    }
    assert_eq!(refused("completions tcsh"), ErrorKind::InvalidValue);
}

#[test]
fn a_sender_asks_what_did_not_arrive() {
    match parsed("refused --partner 9971100012").command {
        Command::Refused(refused) => assert_eq!(refused.partner, "9971100012".parse().ok()),
        other => panic!("{other:?}"),
    }
    match parsed("overdue --after-days 2 --month 202602").command {
        Command::Overdue(overdue) => {
            assert_eq!((overdue.after_days, overdue.month), (Some(2), "202602".parse().ok()));
            assert_eq!(overdue.partner, None);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(refused("overdue --after-days 501"), ErrorKind::ValueValidation);
    for line in ["resend --lost", "resend --all-key-lost"] {
        assert!(matches!(parsed(line).command, Command::Resend(acts::Resend { lost: true, .. })), "{line}");
    }
    let Command::Watch(watch) = parsed("watch --auto-resend --once").command else { panic!() };
    assert!(watch.auto_resend && watch.once);
}

#[test]
fn commands_on_files_take_paths_and_where_to() {
    match parsed("check a.CSV folder --json").command {
        Command::Check(check) => assert_eq!(check.paths, ["a.CSV", "folder"].map(PathBuf::from)),
        other => panic!("{other:?}"),
    }
    match parsed("view a.CSV --reveal").command {
        Command::View(view) => assert_eq!((view.file, view.reveal), ("a.CSV".into(), true)),
        other => panic!("{other:?}"),
    }
    match parsed("split all.zip --out D --drop-misdirected").command {
        Command::Split(split) => {
            assert_eq!((split.out, split.drop_misdirected, split.paths.len()), ("D".into(), true, 1));
        }
        other => panic!("{other:?}"),
    }
    match parsed("join in --out D --one-file").command {
        Command::Join(join) => assert_eq!((join.out, join.one_file), (Some("D".into()), true)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(parsed("standard").command, Command::Standard));
    for incomplete in ["check", "view", "split --out D", "split a", "join a", "join --out D"] {
        assert_eq!(refused(incomplete), ErrorKind::MissingRequiredArgument, "{incomplete}");
    }
}

#[test]
fn help_and_version_are_no_errors_and_nonsense_is_one() {
    for line in ["--help", "--version", "-V", "send --help", "show -h"] {
        assert_eq!(try_parse(line).expect_err(line).exit_code(), 0, "{line}");
    }
    assert_eq!(refused("carry"), ErrorKind::InvalidSubcommand);
    assert_eq!(refused("inbox --jsn"), ErrorKind::UnknownArgument);
    assert_eq!(refused("--lang de inbox"), ErrorKind::InvalidValue);
    let nothing = parse(&[OsString::from("tasuki")], Lang::En).expect_err("no command");
    assert_eq!(nothing.exit_code(), 2);
}

#[test]
fn mistakes_are_named_in_japanese_and_help_is_not_one() {
    let mistake = try_parse("inbox --jsn").expect_err("no such flag");
    assert_eq!(usage_in_japanese(&mistake), Some("この引数はありません。"));
    let help = try_parse("--help").expect_err("help");
    assert_eq!(usage_in_japanese(&help), None);
}
