//! `cert revoke`: a certificate on the trial CA's revocation list, and the event that tells of it.

use std::path::Path;

use serde::Serialize;
use tasuki_proto::canonical::hex;
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::operator::Role;
use tasuki_proto::time;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;

use super::tell_list;
use crate::cli::CertRevoke;
use crate::commands::desk::Desk;
use crate::commands::exit::{Exit, Failure};
use crate::commands::lang::Text;
use crate::commands::output::Output;
use crate::committer::change::Change;
use crate::config::Config;
use crate::trial_ca::{CaError, RevokedCertificate, TrialCaFiles, Wanted};

/// A revoked certificate, as `--json` prints it.
#[derive(Serialize)]
struct RevokedObject<'a> {
    /// Number of the office or proxy.
    holder: &'a str,
    serial: &'a str,
    fingerprint: &'a str,
    revoked_at: String,
    reason: &'static str,
    /// False: it was revoked already.
    changed: bool,
}

pub(super) async fn run(
    arguments: &CertRevoke,
    ca: &TrialCaFiles,
    config: &Config,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let wanted = wanted(&arguments.certificate)?;
    let desk = Desk::open(config, out).await?;
    if let Err(failure) = desk.may(kind::CERTIFICATE_REVOKED, Role::Certificates).await {
        desk.close().await?;
        return Err(failure);
    }
    // The list first: a certificate that should be revoked must not pass because an event can't be written.
    let revoked = ca.revoke(&wanted, arguments.reason, desk.now_us());
    let recorded = match &revoked {
        Ok(revoked) if !revoked.logged => record(&desk, revoked).await,
        Ok(_) | Err(_) => Ok(()),
    };
    desk.close().await?;
    let revoked = revoked.map_err(explain)?;
    tell(&revoked, out)?;
    tell_list(&revoked.list, out)?;
    if recorded.is_err() {
        let text = Text::new(
            "失効は有効ですが、記録を書けませんでした。同じコマンドをもう一度実行してください",
            "the certificate is revoked, but the event could not be written: run the same command again",
        );
        out.warn("NOT_RECORDED", &text);
    }
    recorded?;
    ca.logged(&revoked.entry.serial)?;
    Ok(Exit::Done)
}

async fn record(desk: &Desk, revoked: &RevokedCertificate) -> Result<(), Failure> {
    let entry = &revoked.entry;
    let lines = vec![
        ("holder", entry.number.clone()),
        ("certificate", format!("sha256:{}", entry.fingerprint)),
        ("serial", entry.serial.clone()),
        ("reason", revoked.reason.as_str().to_owned()),
        ("revoked-at", time::format_us(revoked.since_us)),
    ];
    let office = entry.number.parse().ok();
    desk.submit(Change::Audit { kind: kind::CERTIFICATE_REVOKED, lines, office, setting: None }).await?;
    Ok(())
}

fn tell(revoked: &RevokedCertificate, out: &mut Output) -> Result<(), Failure> {
    let entry = &revoked.entry;
    let object = RevokedObject {
        holder: &entry.number,
        serial: &entry.serial,
        fingerprint: &entry.fingerprint,
        revoked_at: time::format_us(revoked.since_us),
        reason: revoked.reason.as_str(),
        changed: revoked.new,
    };
    let (already_ja, already_en) = if revoked.new { ("", "") } else { ("すでに", " already") };
    let text = Text::new(
        format!("{}の証明書(シリアル番号{})は{already_ja}失効しました", entry.number, entry.serial),
        format!("certificate {} of {} is{already_en} revoked", entry.serial, entry.number),
    );
    Ok(out.result(&object, &text)?)
}

/// What the argument names: a PEM file, else hexadecimal digits as `openssl x509` prints them.
fn wanted(certificate: &str) -> Result<Wanted, Failure> {
    let path = Path::new(certificate);
    if path.is_file() {
        // The first certificate of the file is the holder's own, the rest its chain.
        let pem = std::fs::read(path).map_err(Failure::file(path))?;
        let der = CertificateDer::from_pem_slice(&pem).map_err(|_| {
            Failure::usage(
                "NO_CERTIFICATE",
                format!("PEM形式の証明書がありません: {certificate}"),
                format!("{certificate} holds no certificate in PEM"),
            )
        })?;
        return Ok(Wanted::Fingerprint(hex(&sha256(&der))));
    }
    let digits = certificate.replace(':', "").to_ascii_lowercase();
    let digits = digits.strip_prefix("0x").unwrap_or(&digits);
    match digits.len() {
        _ if !digits.bytes().all(|b| b.is_ascii_hexdigit()) => Err(nothing(certificate)),
        64 => Ok(Wanted::Fingerprint(digits.to_owned())),
        // 20 bytes is the longest serial number (RFC 5280, section 4.1.2.2).
        1..=42 => Ok(Wanted::Serial(digits.trim_start_matches('0').to_owned())),
        _ => Err(nothing(certificate)),
    }
}

fn nothing(certificate: &str) -> Failure {
    Failure::usage(
        "NO_CERTIFICATE",
        format!("ファイルでも、指紋(16進64桁)でも、シリアル番号でもありません: {certificate}"),
        format!(
            "{certificate} is neither a file, nor a fingerprint (64 hexadecimal digits), nor a serial number"
        ),
    )
}

fn explain(error: CaError) -> Failure {
    match error {
        CaError::NotIssued(certificate) => Failure::rejected(
            "NOT_ISSUED",
            format!("この認証局が発行した証明書ではありません: {certificate}"),
            format!("this CA did not issue the certificate {certificate}"),
        ),
        error => Failure::Ca(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_named_as_openssl_prints_it() {
        let colons = ["AB"; 32].join(":");
        assert_eq!(wanted(&colons).unwrap(), Wanted::Fingerprint("ab".repeat(32)));
        assert_eq!(wanted("0x00C0FFEE").unwrap(), Wanted::Serial("c0ffee".to_owned()));
        for nonsense in ["", "no-such-file.pem", &"a".repeat(50)] {
            assert!(matches!(wanted(nonsense), Err(Failure::Usage("NO_CERTIFICATE", _))), "{nonsense}");
        }
    }
}
