//! `cert issue`: a certificate with its key, for an office or a proxy.

use std::fs;
use std::path::{Path, PathBuf};

use ring::rand::{SecureRandom, SystemRandom};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::trial_ca::{IssueOptions, Issued, KeyChoice, KeyUse};
use tasuki_certs::trust::{CurrentTrust as _, Purpose};
use tasuki_proto::canonical::{digest_text, hex};
use tasuki_proto::event::{kind, sha256};
use tasuki_proto::operator::Role;
use tasuki_proto::time;
use zeroize::Zeroizing;

use crate::cli::{CertIssue, Holder, KeyType};
use crate::commands::desk::Desk;
use crate::commands::exit::{Exit, Failure};
use crate::commands::lang::Text;
use crate::commands::office;
use crate::commands::output::Output;
use crate::committer::change::{Change, Mandating};
use crate::config::Config;
use crate::files::{self, Readers};
use crate::store::offices::{KeyKind, KeyRow};
use crate::store::proxies::ProxyKeyRow;
use crate::trial_ca::{CaError, IssuedEntry, TrialCaFiles};
use crate::trust::{Trust, TrustSetupError};

/// Random bytes of a PKCS#12 file's password: more than anybody can guess, short enough to type.
const PASSWORD_BYTES: usize = 15;

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;

/// What was issued, as `--json` prints it.
#[derive(Serialize)]
struct IssuedObject {
    /// Number of the office or proxy.
    holder: String,
    serial: String,
    /// SHA-256 of the certificate, hex.
    fingerprint: String,
    not_after: String,
    /// Parcels are sealed to this certificate; otherwise its office makes a sealing key.
    may_encrypt: bool,
    files: FilesObject,
}

/// Where the files are.
#[derive(Clone, Serialize)]
struct FilesObject {
    p12: PathBuf,
    pass: PathBuf,
    pem: PathBuf,
    key: PathBuf,
}

impl FilesObject {
    /// The files' names; none of them may exist.
    fn new(folder: &Path, holder: &Holder) -> Result<Self, Failure> {
        let name = match holder {
            // A colon has a meaning of its own to some systems and copying programs.
            Holder::Operator(name) => format!("operator-{name}"),
            Holder::Office(_) | Holder::Proxy(_) => holder.to_string(),
        };
        let path = |ending: &str| folder.join(format!("{name}.{ending}"));
        let files = Self { p12: path("p12"), pass: path("pass"), pem: path("pem"), key: path("key") };
        if let Some(path) = files.all().into_iter().find(|path| path.exists()) {
            return Err(Failure::usage(
                "FILE_EXISTS",
                format!("上書きしません: {}", path.display()),
                format!("{} is not overwritten", path.display()),
            ));
        }
        Ok(files)
    }

    fn all(&self) -> [&Path; 4] {
        [&self.p12, &self.pass, &self.pem, &self.key]
    }
}

pub(super) async fn run(
    arguments: &CertIssue,
    ca: &TrialCaFiles,
    config: &Config,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let paths = FilesObject::new(&arguments.out, &arguments.number)?;
    let desk = Desk::open(config, out).await?;
    let issued = issue(&desk, arguments, ca, &paths).await;
    let trust = Trust::load_with(&config.trust, desk.store()).await;
    desk.close().await?;
    let (object, certificate, now_us) = issued?;
    warn_unless_trusted(&certificate, trust, now_us, out);
    let text = Text::new(
        format!("{}の証明書を発行しました({}まで): {}", object.holder, object.not_after, paths.p12.display()),
        format!("certificate for {} until {}: {}", object.holder, object.not_after, paths.p12.display()),
    );
    out.result(&object, &text)?;
    out.hint(&Text::new(
        format!("  パスワード: {}", paths.pass.display()),
        format!("  its password: {}", paths.pass.display()),
    ))?;
    Ok(Exit::Done)
}

async fn issue(
    desk: &Desk,
    arguments: &CertIssue,
    ca: &TrialCaFiles,
    paths: &FilesObject,
) -> Result<(IssuedObject, Vec<u8>, i64), Failure> {
    let (office, name) = match &arguments.number {
        Holder::Office(number) => (Some(*number), office::must_be_known(desk, *number).await?.name),
        Holder::Proxy(number) => (None, proxy_name(desk, number).await?),
        Holder::Operator(name) => (None, name.clone()),
    };
    // Before anything is in the register: what is issued can't be taken back, only revoked.
    desk.may(kind::CERTIFICATE_ISSUED, Role::Certificates).await?;
    let now_us = desk.now_us();
    let options = options(arguments, ca, now_us);
    let number = arguments.number.to_string();
    let authority = ca.load()?;
    let issued = match &arguments.number {
        Holder::Office(_) => authority.issue_office(&number, &name, &options),
        Holder::Proxy(_) => authority.issue_proxy(&number, &name, &options),
        Holder::Operator(_) => authority.issue_operator(&name, &options),
    };
    let issued = issued.map_err(CaError::from)?;
    // What is not in the register can't be revoked: it comes first.
    let entry = ca.register(&number, &issued.cert_der, &issued.serial, now_us)?;
    let recorded = match write_files(&issued, &arguments.out, paths) {
        Ok(()) => record(desk, office, &issued, &entry, options.not_after_us).await,
        Err(failure) => Err(failure),
    };
    if recorded.is_err() {
        // The command is run again; what is left of this time would be in its way.
        for path in paths.all() {
            let _absent = fs::remove_file(path);
        }
    }
    let object = IssuedObject {
        holder: number,
        serial: entry.serial,
        fingerprint: entry.fingerprint,
        not_after: time::format_us(options.not_after_us),
        may_encrypt: recorded?,
        files: paths.clone(),
    };
    Ok((object, issued.cert_der, now_us))
}

/// A proxy's name, where it was added already; else its number.
async fn proxy_name(desk: &Desk, number: &str) -> Result<String, Failure> {
    let known = match number.parse() {
        Ok(parsed) => desk.store().proxy(parsed).await?,
        Err(_) => None,
    };
    Ok(known.map_or_else(|| number.to_owned(), |proxy| proxy.name))
}

fn options(arguments: &CertIssue, ca: &TrialCaFiles, now_us: i64) -> IssueOptions {
    let life_us = arguments.days.map_or_else(|| ca.certificate_life_us(), |days| i64::from(days) * DAY_US);
    let (key, encrypting) = match arguments.key {
        KeyType::Rsa2048 => (KeyChoice::Rsa(2048), KeyUse::KeyEncipherment),
        KeyType::P256 => (KeyChoice::P256, KeyUse::KeyAgreement),
    };
    let mut key_usage = vec![KeyUse::DigitalSignature, KeyUse::NonRepudiation];
    if !arguments.sign_only {
        key_usage.push(encrypting);
    }
    // Certificates know whole seconds.
    let not_after_us = now_us.saturating_add(life_us) / SECOND_US * SECOND_US;
    IssueOptions { not_after_us, key_usage, ..IssueOptions::new(now_us) }.with_key(key)
}

fn write_files(issued: &Issued, folder: &Path, paths: &FilesObject) -> Result<(), Failure> {
    let password = password(&SystemRandom::new())?;
    files::make_folder(folder).map_err(Failure::file(folder))?;
    let line = Zeroizing::new(format!("{}\n", *password));
    let p12 = issued.to_pkcs12(&password).map_err(CaError::from)?;
    let pem = issued.chain_pem().map_err(CaError::from)?;
    let key = issued.key_pem().map_err(CaError::from)?;
    for (path, content) in [
        (&paths.p12, p12.as_slice()),
        (&paths.pass, line.as_bytes()),
        (&paths.pem, pem.as_slice()),
        (&paths.key, key.as_slice()),
    ] {
        files::write_new(path, content, Readers::Owner).map_err(Failure::file(path))?;
    }
    Ok(())
}

fn password(rng: &dyn SecureRandom) -> Result<Zeroizing<String>, Failure> {
    let mut random = Zeroizing::new([0; PASSWORD_BYTES]);
    rng.fill(random.as_mut()).map_err(|_| {
        Failure::rejected("NO_RANDOMNESS", "乱数を得られません", "the system gives no random bytes")
    })?;
    Ok(Zeroizing::new(hex(random.as_ref())))
}

/// Writes the event, and registers the key if parcels may be sealed to it. True: they may.
async fn record(
    desk: &Desk,
    office: Option<OfficeNumber>,
    issued: &Issued,
    entry: &IssuedEntry,
    not_after_us: i64,
) -> Result<bool, Failure> {
    let fingerprint = sha256(&issued.cert_der);
    let may_encrypt = Recipient::from_certificate(&issued.cert_der).is_ok();
    let lines = vec![
        ("holder", entry.number.clone()),
        ("certificate", digest_text(&fingerprint)),
        ("serial", entry.serial.clone()),
        ("not-after", time::format_us(not_after_us)),
    ];
    desk.submit(Change::Audit { kind: kind::CERTIFICATE_ISSUED, lines, office, setting: None }).await?;
    // Parcels may be sealed to it at once, before its office first connects.
    if let (Some(office), true) = (office, may_encrypt) {
        let row = KeyRow {
            office,
            kind: KeyKind::Certificate,
            key: issued.cert_der.clone(),
            fingerprint,
            approval: Vec::new(),
            // The second that a certificate names still belongs to its validity.
            not_after_us: not_after_us + SECOND_US - 1,
            registered_us: 0,
        };
        desk.submit(Change::RegisterKey(Box::new(row))).await?;
    }
    if let (Ok(proxy), true) = (entry.number.parse(), may_encrypt)
        && desk.store().proxy(proxy).await?.is_some()
    {
        let key = ProxyKeyRow {
            proxy,
            key: issued.cert_der.clone(),
            fingerprint,
            not_after_us: not_after_us + SECOND_US - 1,
            registered_us: 0,
        };
        desk.submit(Change::Mandate(Box::new(Mandating::RegisterProxyKey(key)))).await?;
    }
    Ok(may_encrypt)
}

/// Whether this relay would take what it has issued: its configuration may trust other CAs by now.
fn warn_unless_trusted(
    certificate: &[u8],
    trust: Result<Trust, TrustSetupError>,
    now_us: i64,
    out: &mut Output,
) {
    let refused = match trust {
        Ok(trust) => {
            trust.current().verify(certificate, &[], Purpose::Sign, now_us).map_err(|e| e.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(why) = refused {
        let text = Text::new(
            format!("この中継サーバーは今この証明書を受け付けません: {why}"),
            format!("this relay would not accept the certificate now: {why}"),
        );
        out.warn("NOT_TRUSTED", &text);
    }
}
