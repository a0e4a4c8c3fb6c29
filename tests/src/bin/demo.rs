//! `cargo demo`: a relay and four offices play one month on this machine, in a temporary folder.
//!
//! With `--trial` it replays the national trial of 2021 instead.
//!
//! Everything happens through the command lines that users have. Exits with 1 if anything is not as it
//! should be.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::Value;
use tasuki_tests::office::{Office, import, write_sample};
use tasuki_tests::programs::{Programs, dispatch};
use tasuki_tests::relay::Relay;
use tasuki_tests::run::{Ran, run, text};
use tasuki_tests::trial::cast::{MANAGERS, PROVIDERS};
use tasuki_tests::trial::play::{Played, Trial};

/// The care-management office: the national trial's A 事業所.
const MANAGER: &str = "1371215102";
const VISIT: &str = "9971100012";
const DAY: &str = "9971100020";
const EQUIPMENT: &str = "9971100038";

const DIRECTORY: [(&str, &str, &str, &str); 4] = [
    (MANAGER, "A居宅介護支援事業所", "エーキョタクカイゴシエンジギョウショ", "43"),
    (VISIT, "ひまわり訪問介護", "ヒマワリホウモンカイゴ", "11"),
    (DAY, "さくらデイサービス", "サクラデイサービス", "15"),
    (EQUIPMENT, "あおぞら福祉用具", "アオゾラフクシヨウグ", "17"),
];

/// What the manager sends: units of the standard's sample files.
const OUTGOING: [&str; 5] = [
    "01_plan_documents_to_visit",
    "02_plan_documents_to_day_two_users",
    "03_slip_202602_to_visit",
    "04_slip_202602_to_day_two_users",
    "05_slip_202507_equipment",
];

/// What the service offices send back.
const RESULTS: [(&str, &str); 3] = [
    (VISIT, "06_result_202602_from_visit"),
    (DAY, "07_result_202602_from_day_two_users"),
    (EQUIPMENT, "08_result_202507_equipment"),
];

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = dispatch(&args) {
        return code;
    }
    let began = Instant::now();
    let outcome = std::env::current_exe().map_err(|e| e.to_string()).and_then(|binary| {
        let programs = Programs::new(binary);
        let trial = args.iter().any(|arg| arg == "--trial");
        let played = move || if trial { play_trial(&programs) } else { play(&programs) };
        std::panic::catch_unwind(played).map_err(|_| "see above".to_owned())
    });
    match outcome {
        Ok(()) => {
            println!("\n✔ 完了 / done, {:.1} s", began.elapsed().as_secs_f64());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("\n✘ 失敗 / failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The national trial, replayed.
fn play_trial(programs: &Programs) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    title(
        "全国試行(2021年)の再現: 居宅介護支援6事業所、サービス6事業所、9パターン",
        "the national trial of 2021, replayed: 6 care-management and 6 service offices, half of them through 3 proxies, 9 patterns",
    );
    let mut trial = Trial::begin(programs, folder.path());
    for round in 0..Trial::rounds() {
        let Played { parcels, superseding, withdrawing } = trial.round(round);
        println!(
            "  手順{n}: 電文{parcels}件（差し替え{superseding}、取下げ{withdrawing}）を送受信し、全事業所の一覧と取込結果が一致 \
             / step {n}: {parcels} parcels ({superseding} superseding, {withdrawing} withdrawing), every list and import as it must be",
            n = round + 1,
        );
    }
    trial.end();
    title("A事業所の予実管理", "plan and result as A sees them");
    show(&trial.office(MANAGERS[0]).run(&["progress", "202602"]));
    title("D事業所が受け取ったもの", "what D received");
    show(&trial.office(PROVIDERS[0]).run(&["inbox", "--all"]));
    println!("\n  記録の検証: 一致 / the log verifies");
}

fn play(programs: &Programs) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let base = folder.path();

    title("中継サーバーと4事業所を用意する", "set up a relay and four offices");
    let mut relay = Relay::init(programs.clone(), &base.join("relay"));
    import(&relay, &DIRECTORY);
    relay.start();
    let [manager, visit, day, equipment] = DIRECTORY.map(|(number, name, ..)| {
        println!("  {number} {name}");
        Office::join(&relay, base, number)
    });
    let offices = [&visit, &day, &equipment];

    title(
        "居宅介護支援事業所が計画書と利用票を送る",
        "the care-management office sends plan documents and slips",
    );
    let out = base.join("outgoing");
    for unit in OUTGOING {
        write_sample(&out, unit);
    }
    let attachment = base.join("アセスメント概要.pdf");
    std::fs::write(&attachment, b"%PDF-1.4\n% a page for the demo\n").expect("a writable folder");
    let attach = format!("{VISIT}={}", attachment.display());
    let note = format!("{DAY}=2月分の利用票です。ご確認をお願いします。");
    let folder_out = out.display().to_string();
    let sent =
        manager.run(&["--json", "send", &folder_out, "--attach", &attach, "--note", &note]).expect(0).json();
    assert!(sent.iter().all(|p| text(p, "state") == "delivered"), "{sent:?}");
    assert!(sent.len() >= OUTGOING.len(), "{sent:?}");
    show(&manager.run(&["sent"]));

    title("もう一度送っても二重にならない", "sending the same again sends nothing twice");
    let again =
        manager.run(&["--json", "send", &folder_out, "--attach", &attach, "--note", &note]).expect(0).json();
    let ids = |list: &[Value]| {
        let mut ids: Vec<String> = list.iter().map(|p| text(p, "parcel").to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&sent), ids(&again), "the same parcels are answered");
    println!("  {} 件とも最初の結果のまま / all {} answered with their first result", sent.len(), sent.len());

    title("サービス事業所が受け取る", "the service offices receive");
    for office in offices {
        show(&office.run(&["inbox"]));
        receive(office, base);
    }

    title("サービス事業所が実績を返す", "the service offices return results");
    for (number, unit) in RESULTS {
        let office = offices.iter().find(|o| o.number == number).expect("a result's sender is one of them");
        let folder = write_sample(&base.join("results"), unit);
        show(&office.run(&["send", &folder.display().to_string()]));
    }
    receive(&manager, base);

    title("だれが何をいつ受け取ったか", "who got what, when");
    show(&manager.run(&["sent"]));
    for parcel in manager.run(&["--json", "sent"]).expect(0).json() {
        assert_eq!(text(&parcel, "state"), "acknowledged", "{parcel}");
    }

    let to_visit =
        sent.iter().find(|p| text(p, "recipient") == VISIT).expect("the visit office got a parcel");
    let parcel = text(to_visit, "parcel");
    title("証拠をオフラインで確かめる", "verify the evidence offline");
    show(&manager.run(&["show", parcel]));
    prove(programs, &manager, base, parcel);

    title("Tasuki なしで開けて確かめる", "open and verify without Tasuki");
    open_with_openssl(&visit, &base.join("relay/trial-ca.pem"), &received(base, VISIT, parcel));

    title("記録全体を検算する", "recompute the whole log");
    assert!(relay.stop(), "the relay stops cleanly:\n{}", relay.log_text());
    show(&relay.run(&["log", "verify"]));
}

fn receive(office: &Office, base: &Path) {
    let out = incoming(base, &office.number).display().to_string();
    show(&office.run(&["receive", "--out", &out, "--keep-sealed"]));
    assert!(office.run(&["--json", "inbox"]).expect(0).json().is_empty(), "everything was received");
}

fn incoming(base: &Path, office: &str) -> PathBuf {
    base.join(format!("incoming-{office}"))
}

fn received(base: &Path, office: &str, parcel: &str) -> PathBuf {
    incoming(base, office).join(MANAGER).join(parcel)
}

fn prove(programs: &Programs, manager: &Office, base: &Path, parcel: &str) {
    let proof = base.join("proof");
    let folder = proof.display().to_string();
    manager.run(&["evidence", parcel, "--out", &folder]).expect(0);
    show(&run(programs.tasuki().args(["verify", &folder])));
    let container = received(base, VISIT, parcel).join("parcel.asice");
    show(&run(programs.tasuki().arg("verify").arg(&container)));
    // One changed byte is noticed.
    let damaged = base.join("damaged.asice");
    let mut bytes = std::fs::read(&container).expect("--keep-sealed keeps the container");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&damaged, bytes).expect("a writable folder");
    run(programs.tasuki().arg("verify").arg(&damaged)).expect(1);
    println!("  1ビット変えると検証は失敗する / one changed bit, and it does not verify");
}

/// Shows the commands that open a sealed parcel without Tasuki, and runs them where `openssl` and `unzip` are
/// installed.
fn open_with_openssl(office: &Office, ca: &Path, parcel: &Path) {
    let work = parcel.join("by-hand");
    std::fs::create_dir_all(&work).expect("a writable folder");
    let (pem, key) = (office.file("pem"), office.file("key"));
    let opened = work.join("parcel.asice");
    let manifest = work.join("META-INF/ASiCManifest.xml");
    let signature = work.join("META-INF/signature.p7s");
    let steps: [Vec<OsString>; 3] = [
        ["openssl", "cms", "-decrypt", "-binary", "-inform", "DER", "-in"]
            .map(OsString::from)
            .into_iter()
            .chain([
                parcel.join("sealed.p7m").into(),
                "-recip".into(),
                pem.into(),
                "-inkey".into(),
                key.into(),
            ])
            .chain(["-out".into(), opened.clone().into()])
            .collect(),
        ["unzip", "-q", "-o"]
            .map(OsString::from)
            .into_iter()
            .chain([opened.into(), "-d".into(), work.clone().into()])
            .collect(),
        ["openssl", "cms", "-verify", "-cades", "-binary", "-purpose", "any", "-inform", "DER", "-in"]
            .map(OsString::from)
            .into_iter()
            .chain([signature.into(), "-content".into(), manifest.clone().into()])
            .chain(["-CAfile".into(), ca.into(), "-out".into(), work.join("manifest.verified").into()])
            .collect(),
    ];
    for step in &steps {
        let words: Vec<String> = step.iter().map(|w| w.to_string_lossy().into_owned()).collect();
        println!("  $ {}", words.join(" "));
        if !installed(&step[0]) {
            println!("    （{} がないので実行しません / not installed, not run)", words[0]);
            return;
        }
        run(Command::new(&step[0]).args(&step[1..])).expect(0);
    }
    println!("  $ sha256sum {}/*.CSV    # compare with ASiCManifest.xml", work.display());
    let xml = std::fs::read_to_string(&manifest).expect("the manifest was unpacked");
    assert!(xml.contains("parcel.json"), "the manifest names the header");
    println!("  署名は正しく、内容は送信元のもの / the signature is good, the content is the sender's");
}

fn installed(program: &OsString) -> bool {
    let probe = if program == "unzip" { "-v" } else { "version" };
    Command::new(program).arg(probe).output().is_ok_and(|o| o.status.success())
}

fn title(ja: &str, en: &str) {
    println!("\n■ {ja} / {en}");
}

/// Prints what a command said to its user, and insists that it succeeded.
fn show(ran: &Ran) {
    assert_eq!(ran.code, 0, "{}\n{}\n{}", ran.line, ran.out, ran.err);
    for line in ran.out.lines() {
        println!("  {line}");
    }
}
