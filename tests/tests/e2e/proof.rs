//! Plan and result of a month, and the proof of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tasuki_tests::office::{Office, write_sample};
use tasuki_tests::run::{run, text};

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT, programs};

fn receive(stage: &Stage, office: &Office) {
    let out = stage.path().join(format!("in-{}", office.number)).display().to_string();
    office.run(&["receive", "--out", &out]).expect(0);
}

fn sample(stage: &Stage, unit: &str) -> String {
    write_sample(&stage.path().join("samples"), unit).display().to_string()
}

fn progress(office: &Office, partner: &str) -> Value {
    let all = office.run(&["--json", "progress", "202602"]).expect(0).json();
    all.into_iter().find(|one| text(one, "office") == partner).unwrap_or(Value::Null)
}

#[test]
fn plan_and_result_of_a_month_from_both_sides() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit, day) = (stage.office(MANAGER), stage.office(VISIT), stage.office(DAY));
    for office in [&visit, &day, &manager] {
        office.run(&["inbox"]).expect(0);
    }
    assert!(manager.run(&["--json", "progress", "202602"]).expect(0).json().is_empty());
    let slips =
        [sample(&stage, "03_slip_202602_to_visit"), sample(&stage, "04_slip_202602_to_day_two_users")];
    manager.run(&["send", &slips[0], &slips[1]]).expect(0);
    let seen = progress(&manager, VISIT);
    assert_eq!((&seen["outstanding"], text(&seen["slip"], "state")), (&true.into(), "delivered"));
    assert_eq!(text(&seen, "office_name"), "ひまわり訪問介護");
    assert!(seen["result"].is_null(), "{seen}");
    receive(&stage, &visit);
    let owed = progress(&visit, MANAGER);
    assert_eq!((text(&owed, "side"), &owed["outstanding"]), ("slips_received", &true.into()));
    visit.run(&["send", &sample(&stage, "06_result_202602_from_visit")]).expect(0);
    assert_eq!(progress(&visit, MANAGER)["outstanding"], false);
    receive(&stage, &manager);
    let seen = progress(&manager, VISIT);
    assert_eq!((&seen["outstanding"], text(&seen["result"], "state")), (&false.into(), "acknowledged"));
    // What came by fax is marked by hand.
    assert_eq!(progress(&manager, DAY)["outstanding"], true);
    manager.run(&["progress", "mark", DAY, "202602", "--received", "fax"]).expect(0);
    let marked = progress(&manager, DAY);
    assert_eq!((&marked["outstanding"], text(&marked, "marked")), (&false.into(), "fax"));
    manager.run(&["progress", "mark", DAY, "202602", "--clear"]).expect(0);
    assert_eq!(progress(&manager, DAY)["outstanding"], true);
    manager.run(&["progress"]).expect(2);
}

/// The proof with one file changed.
fn changed(proof: &Path, to: &Path, name: &str, change: impl Fn(&mut Vec<u8>)) {
    let mut from = zip::ZipArchive::new(fs::File::open(proof).unwrap()).unwrap();
    let mut into = zip::ZipWriter::new(fs::File::create(to).unwrap());
    let mut found = false;
    for number in 0..from.len() {
        let mut entry = from.by_index(number).unwrap();
        let entry_name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        if entry_name.starts_with(name) && !found {
            change(&mut bytes);
            found = true;
        }
        into.start_file(entry_name, zip::write::SimpleFileOptions::default()).unwrap();
        into.write_all(&bytes).unwrap();
    }
    into.finish().unwrap();
    assert!(found, "{name}");
}

#[test]
fn the_proof_of_a_month_verifies_and_tampering_shows() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit, day) = (stage.office(MANAGER), stage.office(VISIT), stage.office(DAY));
    for office in [&visit, &day] {
        office.run(&["inbox"]).expect(0);
    }
    let slips =
        [sample(&stage, "03_slip_202602_to_visit"), sample(&stage, "04_slip_202602_to_day_two_users")];
    manager.run(&["send", &slips[0], &slips[1]]).expect(0);
    receive(&stage, &visit);
    let proof = stage.path().join("proof.zip");
    let file = proof.display().to_string();
    let saved = manager.run(&["--json", "evidence", "--month", "202602", "--out", &file]).expect(0).json();
    assert_eq!((&saved[0]["parcels"], &saved[0]["events"]), (&2.into(), &4.into()), "{saved:?}");
    let verified = run(programs().tasuki().args(["--json", "verify", &file])).expect(0).json();
    assert_eq!(verified.len(), 3);
    assert!(verified.iter().all(|one| one["verified"] == true), "{verified:?}");
    assert_eq!((text(&verified[2], "month"), &verified[2]["page"]), ("202602", &true.into()));
    run(programs().tasuki().args(["verify", &file])).expect(0);

    // A reader without Tasuki: the page is there, and the receiver's own signature verifies with openssl.
    let folder = stage.path().join("unpacked");
    fs::create_dir(&folder).unwrap();
    run(Command::new("unzip").arg("-q").arg(&proof).arg("-d").arg(&folder)).expect(0);
    let page = fs::read_to_string(folder.join("index.html")).unwrap();
    for words in ["送達証明 2026年2月分", "9971100012 ひまわり訪問介護", "宛先の署名", "受領"]
    {
        assert!(page.contains(words), "{words}");
    }
    let first = |inside: &str| fs::read_dir(folder.join(inside)).unwrap().next().unwrap().unwrap().path();
    run(Command::new("openssl")
        .args(["cms", "-verify", "-purpose", "any", "-inform", "DER", "-in"])
        .arg(first("statements"))
        .arg("-CAfile")
        .arg(stage.relay.dir.join("trial-ca.pem")))
    .expect(0);
    assert!(!folder.join("parcels").read_dir().unwrap().any(|f| f.unwrap().path().ends_with("asice")));

    // Only one partner, with the parcels themselves.
    let one = stage.path().join("one.zip").display().to_string();
    let flags = ["--partner", VISIT, "--with-parcels", "--out", &one];
    let saved = evidence(&manager, &flags);
    assert_eq!(saved["parcels"], 1);
    run(programs().tasuki().args(["verify", &one])).expect(0);
    let nothing = manager.run(&["--json", "evidence", "--month", "201902", "--out", &one]);
    assert!(nothing.expect(1).err.contains("NOTHING_TO_PROVE"), "{}", nothing.err);

    // Whatever is changed, it is noticed.
    let tampered = stage.path().join("tampered.zip");
    for (name, reason) in [
        ("index.html", "PAGE_DIFFERS"),
        ("month.json", "PAGE_DIFFERS"),
        ("events/", ""),
        ("checkpoints/", ""),
        ("statements/", ""),
    ] {
        changed(&proof, &tampered, name, |bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            if name == "month.json" {
                *bytes = text.replace("ひまわり訪問介護", "ほかの事業所").into_bytes();
            } else {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
            }
        });
        let told = run(programs().tasuki().args(["--json", "verify", &tampered.display().to_string()]));
        let told = told.expect(1).json().remove(0);
        assert_eq!(told["verified"], false, "{name}: {told}");
        assert!(reason.is_empty() || text(&told, "reason") == reason, "{name}: {told}");
    }
    fs::write(&tampered, b"PK no zip").unwrap();
    run(programs().tasuki().args(["verify", &tampered.display().to_string()])).expect(1);
}

fn evidence(office: &Office, flags: &[&str]) -> Value {
    office.run(&[&["--json", "evidence", "--month", "202602"], flags].concat()).expect(0).json().remove(0)
}

#[test]
fn an_office_takes_everything_along() {
    let stage = Stage::new(Database::Sqlite);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    visit.run(&["inbox"]).expect(0);
    // A slip of a service month, and plan documents, which belong to the month of sending.
    let (slip, plan) =
        (sample(&stage, "03_slip_202602_to_visit"), sample(&stage, "01_plan_documents_to_visit"));
    manager.run(&["send", &slip, &plan]).expect(0);
    let along = stage.path().join("along");
    let export = |office: &Office, more: &[&str]| {
        let dir = along.join(&office.number).display().to_string();
        office.run(&[&["--json", "export", &dir], more].concat()).expect(0).json()
    };
    let told = export(&visit, &["--receive"]);
    let whole = told.last().unwrap();
    assert_eq!(
        (&whole["sent"], &whole["received"], &whole["fetched"]),
        (&0.into(), &2.into(), &2.into()),
        "{told:?}"
    );
    assert_eq!(fs::read_dir(along.join(VISIT).join("received").join(MANAGER)).unwrap().count(), 2);

    let told = export(&manager, &[]);
    let whole = told.last().unwrap();
    assert_eq!(
        (&whole["sent"], &whole["months"], &whole["fetched"]),
        (&2.into(), &2.into(), &Value::Null),
        "{told:?}"
    );
    // Again, into the same folder: up to date, and nothing half.
    assert_eq!(export(&manager, &[]), told);
    let folder = along.join(MANAGER);
    let sent = fs::read_to_string(folder.join("sent.csv")).unwrap();
    assert_eq!(sent.lines().filter(|line| line.contains(",acknowledged,")).count(), 2, "{sent}");
    for month in told.iter().filter_map(|object| object["file"].as_str()) {
        run(programs().tasuki().args(["verify", month])).expect(0);
    }
    // With the parcels that were sent.
    let proof = zip::ZipArchive::new(fs::File::open(folder.join("evidence/202602.zip")).unwrap()).unwrap();
    assert!(proof.file_names().any(|name| name.unwrap().ends_with(".asice")));
}
