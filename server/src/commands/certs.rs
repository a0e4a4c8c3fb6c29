//! `cert issue|revoke`

use std::path::Path;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::trial_ca::{IssueOptions, Issued, TrialCaError};
use tasuki_proto::canonical::{digest_text, hex};
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::time;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::output::Output;
use super::{CommandError, Desk};
use crate::cli::CertCommand;
use crate::committer::change::Change;
use crate::config::Config;
use crate::files::{self, Readers};
use crate::store::offices::{KeyKind, KeyRow};
use crate::trial_ca::{CaError, Reason, TrialCaFiles};

/// Random bytes of a PKCS#12 file's password: more than anybody can guess, short enough to type.
const PASSWORD_BYTES: usize = 15;

#[derive(Serialize)]
struct Made<'a> {
    number: &'a str,
    fingerprint: String,
    serial: String,
    not_after: String,
    files: Vec<String>,
}

#[derive(Serialize)]
struct Revoked<'a> {
    fingerprint: &'a str,
    number: Option<String>,
    changed: bool,
}

pub(super) async fn run(config: &Config, command: &CertCommand, output: &Output) -> Result<(), CommandError> {
    let Some(ca) = &config.trial_ca else {
        return Err(CommandError::Usage("the configuration has no [trial_ca]".to_owned()));
    };
    let ca = TrialCaFiles::open(ca.clone());
    match command {
        CertCommand::Issue { number, out } => issue(config, &ca, number, out, output).await,
        CertCommand::Revoke { certificate, reason } => {
            revoke(config, &ca, certificate, *reason, output).await
        }
    }
}

/// Whom a certificate is for.
enum Holder {
    Office(OfficeNumber),
    Proxy,
}

async fn issue(
    config: &Config,
    ca: &TrialCaFiles,
    number: &str,
    out: &Path,
    output: &Output,
) -> Result<(), CommandError> {
    let holder = match number.parse::<OfficeNumber>() {
        Ok(office) => Holder::Office(office),
        Err(_) if is_proxy(number) => Holder::Proxy,
        Err(_) => {
            let problem = format!("{number}: neither an office (10 digits) nor a proxy (P and 5 digits)");
            return Err(CommandError::Usage(problem));
        }
    };
    let desk = Desk::open(config).await?;
    let made = issue_at(&desk, ca, &holder, number, out).await;
    desk.close().await?;
    let made = made?;
    output.line(&made, &format!("{number}: certificate {} until {}", made.fingerprint, made.not_after));
    for file in &made.files {
        output.hint(&format!("  {file}"));
    }
    Ok(())
}

fn is_proxy(number: &str) -> bool {
    number.strip_prefix('P').is_some_and(|n| n.len() == 5 && n.bytes().all(|b| b.is_ascii_digit()))
}

async fn issue_at<'a>(
    desk: &Desk,
    ca: &TrialCaFiles,
    holder: &Holder,
    number: &'a str,
    out: &Path,
) -> Result<Made<'a>, CommandError> {
    let name = match holder {
        Holder::Proxy => number.to_owned(),
        Holder::Office(office) => {
            desk.boot.store.office(*office).await?.map(|row| row.name).ok_or_else(|| {
                CommandError::Failed(format!("{number}: not in the directory; add it first"))
            })?
        }
    };
    let now_us = desk.now_us();
    let not_after_us = now_us.saturating_add(ca.certificate_life_us());
    let options = IssueOptions { not_after_us, ..IssueOptions::new(now_us) };
    let authority = ca.load()?;
    let issued = match holder {
        Holder::Office(_) => authority.issue_office(number, &name, &options),
        Holder::Proxy => authority.issue_proxy(number, &name, &options),
    };
    let issued = issued.map_err(CaError::from)?;
    let entry = ca.register(number, &issued, now_us)?;
    let files = write_files(&issued, number, out)?;
    if let Holder::Office(office) = holder {
        register_key(desk, *office, &issued, not_after_us).await?;
    }
    let office = match holder {
        Holder::Office(office) => Some(*office),
        Holder::Proxy => None,
    };
    let lines = vec![
        ("holder", number.to_owned()),
        ("certificate", digest_text(&sha256(&issued.cert_der))),
        ("not-after", time::format_us(not_after_us)),
    ];
    desk.submit(Change::Audit { kind: kind::CERTIFICATE_ISSUED, lines, office, setting: None }).await?;
    Ok(Made {
        number,
        fingerprint: entry.fingerprint,
        serial: entry.serial,
        not_after: time::format_us(not_after_us),
        files,
    })
}

/// Parcels may be sealed to the certificate at once, before its office first connects.
async fn register_key(
    desk: &Desk,
    office: OfficeNumber,
    issued: &Issued,
    not_after_us: i64,
) -> Result<(), CommandError> {
    if Recipient::from_certificate(&issued.cert_der).is_err() {
        return Ok(());
    }
    let row = KeyRow {
        office,
        kind: KeyKind::Certificate,
        key: issued.cert_der.clone(),
        fingerprint: sha256(&issued.cert_der),
        approval: Vec::new(),
        not_after_us,
    };
    desk.submit(Change::RegisterKey(Box::new(row))).await?;
    Ok(())
}

fn write_files(issued: &Issued, number: &str, out: &Path) -> Result<Vec<String>, CommandError> {
    let bad = |error: TrialCaError| CommandError::from(CaError::from(error));
    let password = password()?;
    files::make_folder(out)?;
    let contents = [
        ("p12", issued.to_pkcs12(&password).map_err(bad)?),
        ("pass", format!("{password}\n").into_bytes()),
        ("pem", issued.chain_pem().map_err(bad)?),
        ("key", issued.key_pem().map_err(bad)?.to_vec()),
    ];
    let mut written = Vec::with_capacity(contents.len());
    for (extension, bytes) in contents {
        let path = out.join(format!("{number}.{extension}"));
        files::write_new(&path, &bytes, Readers::Owner)
            .map_err(|error| CommandError::Failed(format!("{}: {error}", path.display())))?;
        written.push(path.display().to_string());
    }
    Ok(written)
}

fn password() -> Result<String, CommandError> {
    let mut random = [0; PASSWORD_BYTES];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| CommandError::Failed("the system gives no random bytes".to_owned()))?;
    Ok(hex(&random))
}

async fn revoke(
    config: &Config,
    ca: &TrialCaFiles,
    certificate: &str,
    reason: Reason,
    output: &Output,
) -> Result<(), CommandError> {
    let fingerprint = fingerprint(certificate)?;
    let desk = Desk::open(config).await?;
    let revoked = revoke_at(&desk, ca, &fingerprint, reason).await;
    desk.close().await?;
    let number = revoked?;
    let changed = number.is_some();
    let text = match &number {
        Some(number) => format!("revoked: certificate {fingerprint} of {number}"),
        None => format!("certificate {fingerprint} was revoked already; the list was written anew"),
    };
    output.line(&Revoked { fingerprint: &fingerprint, number, changed }, &text);
    Ok(())
}

async fn revoke_at(
    desk: &Desk,
    ca: &TrialCaFiles,
    fingerprint: &str,
    reason: Reason,
) -> Result<Option<String>, CommandError> {
    let Some(entry) = ca.revoke(fingerprint, reason, desk.now_us())? else { return Ok(None) };
    let lines = vec![
        ("holder", entry.number.clone()),
        ("certificate", format!("sha256:{fingerprint}")),
        ("reason", reason.as_str().to_owned()),
    ];
    let office = entry.number.parse().ok();
    desk.submit(Change::Audit { kind: kind::CERTIFICATE_REVOKED, lines, office, setting: None }).await?;
    Ok(Some(entry.number))
}

/// SHA-256 in hexadecimal, of what the argument names.
fn fingerprint(certificate: &str) -> Result<String, CommandError> {
    let plain = certificate.replace(':', "").to_ascii_lowercase();
    if plain.len() == 64 && plain.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Ok(plain);
    }
    // The first certificate of the file is the holder's own, the rest its chain.
    let pem =
        std::fs::read(certificate).map_err(|error| CommandError::Usage(format!("{certificate}: {error}")))?;
    let der = CertificateDer::from_pem_slice(&pem)
        .map_err(|error| CommandError::Usage(format!("{certificate}: no certificate in PEM: {error}")))?;
    Ok(hex(&sha256(&der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_may_be_given_as_openssl_prints_it() {
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(fingerprint(&colons).ok(), Some("ab".repeat(32)));
        assert!(matches!(fingerprint("no-such-file.pem"), Err(CommandError::Usage(_))));
    }

    #[test]
    fn proxies_have_a_letter_and_five_digits() {
        assert!(is_proxy("P00001"));
        assert!(["P0001", "p00001", "P000001", "Q00001", "P0000x"].iter().all(|n| !is_proxy(n)));
    }
}
