//! Being told: a program for each piece of news, and an Atom feed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::run::{run, text};

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// Writes a script that appends what it reads to a file, and fails as long as another file is there.
fn script(folder: &Path) -> (PathBuf, PathBuf, PathBuf) {
    let path = |name: &str| folder.join(name);
    let script = "import os, sys\n\
                  open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())\n\
                  sys.exit(3 if os.path.exists(sys.argv[2]) else 0)\n";
    fs::write(path("told.py"), script).unwrap();
    (path("told.py"), path("told.jsonl"), path("broken"))
}

fn told(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn exec(office: &Office, flags: &[&str], paths: &(PathBuf, PathBuf, PathBuf)) -> Command {
    let mut command = office.command(&[&["--json", "watch"], flags].concat());
    command.args(["--exec", "python3"]).arg(&paths.0).arg(&paths.1).arg(&paths.2);
    command
}

/// Reads what came of joining: the relay notices within half a second what commands have written.
fn settle(office: &Office) {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut kinds = Vec::new();
    while !["certificate.issued", "key.registered"].iter().all(|kind| kinds.iter().any(|seen| seen == kind)) {
        assert!(Instant::now() < deadline, "{kinds:?}");
        let news = office.run(&["--json", "watch", "--once"]).expect(0).json();
        kinds.extend(news.iter().map(|event| text(event, "kind").to_owned()));
    }
}

fn send(office: &Office, slip: &str) -> String {
    let sent = office.run(&["--json", "send", "--again", slip]).expect(0).json();
    text(&sent[0], "parcel").to_owned()
}

#[test]
fn a_program_is_told_of_each_event_until_it_has_taken_it() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    settle(&visit);
    let paths = script(stage.path());
    let first = send(&manager, &slip);

    // While it fails nothing counts as processed; it is tried a few times, then the command says so and ends.
    fs::write(&paths.2, "").unwrap();
    let failed = run(&mut exec(&visit, &["--once"], &paths));
    assert!(failed.expect(1).out.is_empty(), "{}", failed.out);
    assert!(failed.err.contains("EXEC_RETRY") && failed.err.contains("EXEC_FAILED"), "{}", failed.err);
    assert!(failed.err.contains("exit code 3") && failed.err.contains("終了コード 3"), "{}", failed.err);
    let attempts = told(&paths.1);
    assert_eq!(attempts.len(), 5);
    assert!(attempts.iter().all(|event| text(event, "parcel") == first), "{attempts:?}");

    // Once it is mended, it goes on from there, and what was processed is not told again.
    fs::remove_file(&paths.2).unwrap();
    fs::remove_file(&paths.1).unwrap();
    let second = send(&manager, &slip);
    let printed = run(&mut exec(&visit, &["--once"], &paths)).expect(0).json();
    let handed = told(&paths.1);
    assert_eq!(handed, printed, "the program gets what --json prints");
    let parcels: Vec<&str> = handed.iter().map(|event| text(event, "parcel")).collect();
    assert_eq!(parcels, [first.as_str(), second.as_str()]);
    run(&mut exec(&visit, &["--once"], &paths)).expect(0);
    assert_eq!(told(&paths.1).len(), 2);

    // Live, and ended by a signal while nothing happens.
    let mut command = exec(&visit, &[], &paths);
    let mut watching =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let third = send(&manager, &slip);
    let deadline = Instant::now() + Duration::from_secs(60);
    while told(&paths.1).len() < 3 {
        assert!(Instant::now() < deadline, "{:?}", told(&paths.1));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(text(&told(&paths.1)[2], "parcel"), third);
    run(Command::new("kill").arg(watching.id().to_string())).expect(0);
    assert!(watching.wait().unwrap().success());

    // Ended just when the program was done, it may tell the last event once more: at least once, and nothing else.
    let left = visit.run(&["--json", "watch", "--once"]).expect(0).json();
    assert!(left.len() <= 1 && left.iter().all(|event| text(event, "parcel") == third), "{left:?}");

    // What can't be run at all is a mistake of the command line.
    let missing = visit.run(&["--json", "watch", "--once", "--exec", "/no/such/program", "--json"]);
    missing.expect(0);
    send(&manager, &slip);
    let missing = visit.run(&["--json", "watch", "--once", "--exec", "/no/such/program", "--json"]);
    assert!(missing.expect(2).err.contains("/no/such/program"), "{}", missing.err);
    assert_eq!(visit.run(&["--json", "watch", "--once"]).expect(0).json().len(), 1);
}

/// Reads an Atom feed with a real parser: one line for each entry, the newest first, behind one for the feed.
const READ_ATOM: &str = r#"
import re, sys, xml.etree.ElementTree as T
a = "{http://www.w3.org/2005/Atom}"
root = T.parse(sys.argv[1]).getroot()
assert root.tag == a + "feed" and root.find(a + "author/" + a + "name").text
time = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
ids = []
for e in [root] + root.findall(a + "entry"):
    assert len(e.findall(a + "id")) == len(e.findall(a + "title")) == len(e.findall(a + "updated")) == 1
    assert time.fullmatch(e.find(a + "updated").text)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", e.find(a + "id").text)
    ids.append(e.find(a + "id").text)
    content = e.find(a + "content")
    assert (content is not None) == (e is not root)
    print(e.find(a + "id").text, e.find(a + "title").text, (content.text if content is not None else "").replace("\n", " "), sep="\t")
assert len(set(ids)) == len(ids)
"#;

fn entries(file: &Path) -> Vec<String> {
    let read =
        run(Command::new("python3").env("PYTHONIOENCODING", "utf-8").args(["-c", READ_ATOM]).arg(file));
    read.expect(0).out.lines().map(str::to_owned).collect()
}

#[test]
fn an_atom_feed_follows_the_feed() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    let slip = write_sample(&stage.path().join("samples"), "03_slip_202602_to_visit").display().to_string();
    let file = stage.path().join("feed.xml");
    let path = file.display().to_string();
    let watch = |args: &[&str]| {
        visit.run(&[&["watch", "--once", "--atom", &path], args].concat()).expect(0).out.lines().count()
    };
    settle(&visit);
    assert_eq!(watch(&[]), 0);
    assert_eq!(entries(&file).len(), 1, "a feed, and nothing in it");
    let parcel = send(&manager, &slip);
    assert_eq!(watch(&[]), 1);
    let now = entries(&file);
    assert_eq!(now.len(), 2);
    assert!(now[0].contains("事業所 9971100012 の通知"), "{}", now[0]);
    assert!(now[1].contains("受信箱に入れました") && now[1].contains(&parcel), "{}", now[1]);
    assert!(now[1].contains("A居宅介護支援事業所"), "{}", now[1]);
    // Stable: the same again, another file, and a language of the command that is not the feed's.
    watch(&["--lang", "en"]);
    assert_eq!(entries(&file), now);
    fs::remove_file(&file).unwrap();
    watch(&[]);
    assert_eq!(entries(&file), now);
    // Where it can't be written, nothing counts as processed.
    send(&manager, &slip);
    let folder = stage.path().join("not-a-folder").join("feed.xml").display().to_string();
    let failed = visit.run(&["--json", "watch", "--once", "--atom", &folder]);
    assert!(failed.expect(2).err.contains("FILE_ACCESS"), "{}", failed.err);
    assert_eq!(watch(&[]), 1);
    assert_eq!(entries(&file).len(), now.len() + 1);
}
