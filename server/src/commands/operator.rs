//! `operator add|list|remove`: who may do what here. Without operators the rights of the relay's account are enough.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use tasuki_certs::profile::Identity;
use tasuki_certs::trust::{CurrentTrust as _, Purpose, VerifiedCertificate};
use tasuki_proto::canonical::hex;
use tasuki_proto::operator::{Roles, is_operator_name};
use tasuki_proto::{reason, time};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::cli::one_line;
use crate::committer::change::{Change, Operating};
use crate::config::Config;
use crate::store::operators::OperatorRow;
use crate::trust::Trust;

/// Largest file with a certificate that is read: a chain of any length that is believed.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Commands of `operator`.
#[derive(Debug, Subcommand)]
pub(crate) enum Operator {
    /// Add an operator, or change roles or certificate; from the first one on, commands need `--operator`
    Add(Add),
    /// List operators
    List(List),
    /// Let an operator do nothing any more; acts that this operator asked for can't be approved any more either
    Remove(Remove),
}

/// Flags of `operator add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The operator's name, as the certificate has it
    #[arg(value_name = "NAME", value_parser = name)]
    name: String,
    /// The certificate with those above it, PEM; `cert issue operator:NAME` makes one
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// read, offices, certificates, retention, separated by commas; certificates includes adding operators
    #[arg(long)]
    roles: Roles,
    /// Without an operator's signature, because all certificates with the role certificates have ended: say why
    #[arg(long, value_name = "TEXT", value_parser = one_line)]
    emergency: Option<String>,
}

/// Flags of `operator list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Those who were removed as well
    #[arg(long)]
    all: bool,
}

/// Flags of `operator remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// The operator's name
    #[arg(value_name = "NAME")]
    name: String,
}

/// An operator, as `--json` prints it.
#[derive(Serialize)]
struct OperatorObject<'a> {
    operator: &'a str,
    roles: String,
    /// SHA-256 of the certificate, hex.
    fingerprint: String,
    not_after: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed: Option<bool>,
}

pub(super) async fn run(command: &Operator, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    match command {
        Operator::Add(arguments) => add(arguments, config, out).await,
        Operator::List(arguments) => list(arguments, config, out).await,
        Operator::Remove(arguments) => remove(&arguments.name, config, out).await,
    }
}

async fn add(arguments: &Add, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let certificates = read(&arguments.certificate)?;
    let desk = Desk::open(config, out).await?;
    let trust = Trust::load_with(&config.trust, desk.store()).await;
    let row = match trust {
        Ok(trust) => row(arguments, &certificates, &trust, desk.now_us()),
        Err(error) => Err(error.into()),
    };
    let done = match row {
        Ok(row) => {
            let put = Operating::Put { row: row.clone(), emergency: arguments.emergency.clone() };
            desk.submit(Change::Operators(Box::new(put))).await.map(|done| (row, done))
        }
        Err(failure) => Err(failure),
    };
    desk.close().await?;
    let (row, done) = done?;
    show(&row, Some(!done.repeated), out)?;
    Ok(Exit::Done)
}

fn row(
    arguments: &Add,
    certificates: &[Vec<u8>],
    trust: &Trust,
    now_us: i64,
) -> Result<OperatorRow, Failure> {
    let wrong = || rejected(reason::OPERATOR_CERTIFICATE);
    let (leaf, above) = certificates.split_first().ok_or_else(wrong)?;
    let above: Vec<&[u8]> = above.iter().map(Vec::as_slice).collect();
    let verified = trust.current().verify(leaf, &above, Purpose::Sign, now_us).map_err(|error| {
        let explained = reason::explain(error.code());
        Failure::rejected(
            explained.code,
            format!("{} ({error})", explained.ja),
            format!("{} ({error})", explained.en),
        )
    })?;
    let VerifiedCertificate { identity, chain, not_after_us, fingerprint, .. } = verified;
    if !matches!(&identity, Identity::Operator { name } if *name == arguments.name) {
        return Err(wrong());
    }
    Ok(OperatorRow {
        fingerprint,
        name: arguments.name.clone(),
        roles: arguments.roles.clone(),
        chain,
        not_after_us,
        added_us: 0,
        removed_us: 0,
    })
}

async fn remove(name: &str, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let desk = Desk::open(config, out).await?;
    let removed = desk.submit(Change::Operators(Box::new(Operating::Remove { name: name.to_owned() }))).await;
    let rows = desk.store().operators().await;
    desk.close().await?;
    removed?;
    if let Some(row) = rows?.iter().rfind(|row| row.name == name) {
        show(row, Some(true), out)?;
    }
    Ok(Exit::Done)
}

async fn list(arguments: &List, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let rows = store.operators().await;
    store.close().await;
    for row in rows?.iter().filter(|row| arguments.all || row.removed_us == 0) {
        show(row, None, out)?;
    }
    Ok(Exit::Done)
}

fn show(row: &OperatorRow, changed: Option<bool>, out: &mut Output) -> Result<(), Failure> {
    let removed = (row.removed_us != 0).then(|| time::format_us(row.removed_us));
    let (gone_ja, gone_en) =
        removed.as_ref().map(|at| (format!("  {at}に解除"), format!("  removed {at}"))).unwrap_or_default();
    let until = time::format_us(row.not_after_us);
    let text = Text::new(
        format!("{}  [{}]  証明書 {until}まで{gone_ja}", row.name, row.roles),
        format!("{}  [{}]  certificate until {until}{gone_en}", row.name, row.roles),
    );
    let object = OperatorObject {
        operator: &row.name,
        roles: row.roles.to_string(),
        fingerprint: hex(&row.fingerprint),
        not_after: until,
        removed,
        changed,
    };
    Ok(out.result(&object, &text)?)
}

fn read(path: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let size = std::fs::metadata(path).map_err(Failure::file(path))?.len();
    if size > MAX_FILE_BYTES {
        return Err(rejected(reason::OPERATOR_CERTIFICATE));
    }
    let bytes = std::fs::read(path).map_err(Failure::file(path))?;
    let pem = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>();
    Ok(pem.unwrap_or_default().into_iter().map(|der| der.to_vec()).collect())
}

fn rejected(word: &'static str) -> Failure {
    let explained = reason::explain(word);
    Failure::rejected(explained.code, explained.ja, explained.en)
}

fn name(text: &str) -> Result<String, String> {
    if is_operator_name(text) { Ok(text.to_owned()) } else { Err("cannot name an operator".to_owned()) }
}
