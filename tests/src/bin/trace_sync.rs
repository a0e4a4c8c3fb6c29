//! `tasuki-trace-sync`: runs the relay under `strace` and looks that no result leaves before database and
//! witness are synced.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tasuki_tests::office::import;
use tasuki_tests::programs::{Programs, dispatch};
use tasuki_tests::raw::{Forge, RawOffice, reason, submit};
use tasuki_tests::relay::Relay;

const SENDER: &str = "9900000011";
const RECEIVER: &str = "9900000029";
/// Parcels, one after another, so that each result has syncs of its own.
const PARCELS: usize = 20;
/// A result carries an event, a proof and a checkpoint; frames that only keep the connection are smaller.
const RESULT_BYTES: u64 = 600;

fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    if let Some(code) = dispatch(&args) {
        return code;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    match runtime.block_on(trace()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tasuki-trace-sync: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn trace() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let programs = Programs::new(std::env::current_exe().map_err(|e| e.to_string())?);
    let mut relay = Relay::init(programs, &folder.path().join("relay"));
    import(&relay, &[(SENDER, "trace", "トレース", "11"), (RECEIVER, "trace", "トレース", "11")]);
    for number in [SENDER, RECEIVER] {
        let out = folder.path().join(number);
        relay.run(&["cert", "issue", number, "--out", &out.display().to_string()]).expect(0);
    }
    let calls = folder.path().join("calls");
    relay.start_under(&[
        "strace".into(),
        // The tracer stands aside, so that the process that is started is the relay.
        "-D".into(),
        "-f".into(),
        "-yy".into(),
        "-e".into(),
        "trace=fsync,fdatasync,write,writev,sendto,sendmsg,recvfrom,read".into(),
        "-s".into(),
        "0".into(),
        "-o".into(),
        calls.clone().into(),
    ]);
    let office = RawOffice::load(&folder.path().join(SENDER), SENDER);
    let channel = office.connect(&relay).await?;
    for _ in 0..PARCELS {
        let container = Forge::withdrawal(SENDER, RECEIVER).sign(&office.identity);
        let answer = submit(&channel, container).await.map_err(|e| e.to_string())?;
        if reason(&answer) != "accepted" {
            return Err(format!("rejected: {}", reason(&answer)));
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    relay.stop();
    judge(&calls, relay.url.rsplit(':').next().unwrap_or_default())
}

/// Walks the trace: each result on the client's connection needs a sync of the database's log and then one of
/// the witness since the result before.
fn judge(calls: &Path, port: &str) -> Result<(), String> {
    let text = std::fs::read_to_string(calls).map_err(|e| e.to_string())?;
    let (mut database, mut witness, mut results) = (false, false, 0);
    // `-yy` prints sockets as TCP:[127.0.0.1:PORT->127.0.0.1:CLIENT].
    let socket = format!("TCP:[127.0.0.1:{port}->");
    for line in whole_calls(&text) {
        let line = line.as_str();
        let done = line.rsplit(" = ").next().and_then(|n| n.trim().parse::<i64>().ok());
        let synced = (line.contains("fsync") || line.contains("fdatasync")) && done == Some(0);
        if synced && line.contains("relay.db-wal") {
            database = true;
        } else if synced && line.contains("/witness/") && database {
            witness = true;
        } else if line.contains(&socket)
            && ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|call| line.contains(call))
            && done.is_some_and(|n| n.unsigned_abs() >= RESULT_BYTES)
        {
            // The handshake's certificates are as large as a result; they come before any sync.
            if results == 0 && !database {
                continue;
            }
            if !witness {
                return Err(format!("result {} left before its syncs:\n{line}", results + 1));
            }
            (database, witness) = (false, false);
            results += 1;
        }
    }
    if results < PARCELS {
        return Err(format!("only {results} results of {PARCELS} were found in the trace"));
    }
    println!("✔ {results} results, each after the syncs of database and witness");
    Ok(())
}

/// Calls in the order in which they ended: a call that another thread's interrupted is printed in two pieces.
fn whole_calls(text: &str) -> Vec<String> {
    let mut begun: HashMap<&str, &str> = HashMap::new();
    let mut calls = Vec::new();
    for line in text.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        if let Some(begin) = call.strip_suffix("<unfinished ...>") {
            begun.insert(thread, begin);
        } else if let Some((_, end)) = call.split_once(" resumed>") {
            calls.push(format!("{}{end}", begun.remove(thread).unwrap_or_default()));
        } else {
            calls.push(call.to_owned());
        }
    }
    calls
}
