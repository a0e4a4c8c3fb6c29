//! `tasuki proxy DIR`: a transmission proxy sends and receives for all offices that let it act.
//!
//! `DIR/out/` is one heap of files of all offices, told apart by the sender in their names. What was accepted goes to `DIR/done/OFFICE/`;
//! what was not stays, and is told. What was received lies in `DIR/in/OFFICE/`. Running it again after a crash sends nothing twice: each
//! office's HOME remembers what it has sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tasuki_careplan::file_name::FileName;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::mandate::Scope;
use tasuki_sdk::proxy::{Proxy, Served};
use tasuki_sdk::receive::ReceiveOptions;
use tasuki_sdk::send::{NewPartners, SendOptions, SendOutcome, SendReport};
use tasuki_sdk::{Client, SdkError, Silent, SystemClock};

use crate::args::Global;
use crate::args::mandates::Proxy as Arguments;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::output::Output;
use crate::table::shown;

/// Without `--once`: how long between two rounds.
const EVERY: Duration = Duration::from_mins(5);

/// What became of one office's files.
#[derive(Serialize)]
struct OfficeObject<'a> {
    office: String,
    name: &'a str,
    /// Parcels that the relay has.
    accepted: usize,
    rejected: usize,
    /// Parcels that are sent with the next run.
    pending: usize,
    /// Parcels that were received and signed for.
    received: usize,
    /// Why parcels were not sent or received: stable words, each once.
    reasons: Vec<String>,
}

impl<'s> OfficeObject<'s> {
    fn of(served: &'s Served) -> Self {
        Self {
            office: served.office.to_string(),
            name: &served.name,
            accepted: 0,
            rejected: 0,
            pending: 0,
            received: 0,
            reasons: Vec::new(),
        }
    }
}

/// A file that is none of the proxy's business.
#[derive(Serialize)]
struct LeftObject<'a> {
    left: &'a str,
    reason: &'static str,
}

/// `tasuki proxy`.
pub(super) fn proxy(args: &Arguments, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let runtime = super::runtime()?;
    let home = super::home_folder(global)?;
    let proxy = {
        let _inside = runtime.enter();
        Proxy::open(&home, Arc::new(SystemClock))?
    };
    loop {
        match runtime.block_on(round(&proxy, args, out)) {
            ended if args.once => return ended,
            // What passes does not end a proxy that works on and on; the next round tries again.
            Err(Failure::Sdk(error @ SdkError::Unreachable(_))) => out.notice(&explain::error(&error)),
            ended => drop(ended?),
        }
        std::thread::sleep(EVERY);
    }
}

async fn round(proxy: &Proxy, args: &Arguments, out: &mut Output) -> Result<Exit, Failure> {
    let offices = proxy.offices().await?;
    let (mut heaps, left) = heaps(&args.folder.join("out"), &offices)?;
    for (path, reason) in &left {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if out.is_json() {
            out.object(&LeftObject { left: &name, reason })?;
        } else {
            let name = shown(&name);
            out.say(
                &format!("{name}: 委任を受けた事業所のファイルではないため、そのままにしました [{reason}]"),
                &format!("{name}: no file of an office that this proxy may send for; left [{reason}]"),
            )?;
        }
    }
    let mut worst = Exit::Done;
    for served in &offices {
        let files = heaps.remove(&served.office).unwrap_or_default();
        let mut object = OfficeObject::of(served);
        // What became of the others is told all the same.
        let exit = one(proxy, served, &files, args, &mut object).await.unwrap_or_else(|error| {
            object.reasons.push(error.reason().to_owned());
            error.kind().into()
        });
        object.reasons.sort();
        object.reasons.dedup();
        worst = worst.max(exit);
        tell(&object, out)?;
    }
    Ok(worst)
}

/// Files by the office that sends them; and those that are of no office that lets the proxy send.
type Heaps = (BTreeMap<OfficeNumber, Vec<PathBuf>>, Vec<(PathBuf, &'static str)>);

fn heaps(folder: &Path, offices: &[Served]) -> Result<Heaps, Failure> {
    let (mut heaps, mut left) = (BTreeMap::<_, Vec<PathBuf>>::new(), Vec::new());
    if !folder.exists() {
        return Ok((heaps, left));
    }
    let failed = |error: &std::io::Error| SdkError::Io {
        path: folder.to_owned(),
        kind: error.kind(),
        message: error.to_string(),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| failed(&e))? {
        paths.push(entry.map_err(|e| failed(&e))?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match FileName::parse(&name) {
            Err(_) => left.push((path, "NOT_STANDARD")),
            Ok(name) => match offices.iter().find(|served| served.office == name.sender) {
                Some(served) if served.may(Scope::Send) => heaps.entry(name.sender).or_default().push(path),
                Some(_) => left.push((path, tasuki_proto::reason::MANDATE_SCOPE)),
                None => left.push((path, tasuki_proto::reason::MANDATE_MISSING)),
            },
        }
    }
    Ok((heaps, left))
}

/// Sends and receives for one office.
async fn one(
    proxy: &Proxy,
    served: &Served,
    files: &[PathBuf],
    args: &Arguments,
    object: &mut OfficeObject<'_>,
) -> Result<Exit, SdkError> {
    let mut worst = Exit::Done;
    let client = proxy.client(served).await?;
    if !files.is_empty() {
        let report = send(&client, files, args).await?;
        worst = worst.max(report.worst().into());
        object.rejected += report.unsendable.len();
        for parcel in &report.parcels {
            match &parcel.outcome {
                SendOutcome::Accepted { .. } | SendOutcome::Recorded { .. } => {
                    object.accepted += 1;
                    put_away(&args.folder, served.office, files, &parcel.files)?;
                }
                SendOutcome::Rejected(_) => object.rejected += 1,
                SendOutcome::Pending(_) | SendOutcome::Unproven(_) => object.pending += 1,
            }
            object.reasons.extend(parcel.outcome.reason().map(str::to_owned));
        }
    }
    if served.may(Scope::Receive) && served.may(Scope::Acknowledge) {
        let into = args.folder.join("in").join(served.office.as_str());
        let report = client.receive(&into, &ReceiveOptions::default(), &Silent).await?;
        worst = worst.max(report.worst().into());
        for parcel in &report.parcels {
            match parcel.outcome.error() {
                None => object.received += 1,
                Some(error) => object.reasons.push(error.reason().to_owned()),
            }
        }
    }
    Ok(worst)
}

async fn send(client: &Client, files: &[PathBuf], args: &Arguments) -> Result<SendReport, SdkError> {
    let new_partners = if args.new_partner { NewPartners::Meant } else { NewPartners::AsConfigured };
    let options = SendOptions { new_partners, ..SendOptions::default() };
    let plan = client.plan(files, &options)?;
    client.send(plan, &Silent).await
}

/// Moves what was accepted out of the way.
fn put_away(
    folder: &Path,
    office: OfficeNumber,
    files: &[PathBuf],
    names: &[String],
) -> Result<(), SdkError> {
    let done = folder.join("done").join(office.as_str());
    let failed = |path: &Path, error: &std::io::Error| SdkError::Io {
        path: path.to_owned(),
        kind: error.kind(),
        message: error.to_string(),
    };
    std::fs::create_dir_all(&done).map_err(|e| failed(&done, &e))?;
    for path in files {
        let Some(name) = path.file_name().filter(|name| names.iter().any(|n| n.as_str() == *name)) else {
            continue;
        };
        std::fs::rename(path, done.join(name)).map_err(|e| failed(path, &e))?;
    }
    Ok(())
}

fn tell(object: &OfficeObject<'_>, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.object(object)?;
        return Ok(());
    }
    let OfficeObject { office, accepted, rejected, pending, received, reasons, .. } = object;
    let (name, reasons) = (shown(object.name), reasons.join(" "));
    out.say(
        &format!("{office} {name}: 送信 {accepted}件、拒否 {rejected}件、未送信 {pending}件、受信 {received}件 {reasons}"),
        &format!("{office} {name}: {accepted} sent, {rejected} rejected, {pending} pending, {received} received {reasons}"),
    )?;
    Ok(())
}
