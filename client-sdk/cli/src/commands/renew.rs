//! `tasuki renew`: another certificate for this HOME, and the keys before.

use std::sync::Arc;

use serde::Serialize;
use tasuki_proto::canonical::hex;
use tasuki_sdk::error::ConfigError;
use tasuki_sdk::proxy::{PROXY_FILE, Proxy};
use tasuki_sdk::{
    Client, Clock as _, Home, IdentityFiles, KeptKey, OwnCertificate, Renewed, RenewedPapers, SdkError,
    SystemClock,
};

use super::Session;
use crate::args::Global;
use crate::args::renew::Renew;
use crate::exit::{Exit, Failure};
use crate::lang::Lang;
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::secrets::secret;
use crate::table::shown;

/// No anchor of the HOME leads to the certificate.
const UNTRUSTED: &str = "UNTRUSTED_ISSUER";

const DAY_US: i64 = 86_400 * 1_000_000;

/// What took the place of what, as `--json` prints it.
#[derive(Serialize)]
struct RenewedObject<'a> {
    holder: &'a str,
    /// SHA-256 of the certificate, hex.
    certificate: String,
    until: String,
    /// SHA-256 of the one before, whose key is kept.
    previous: String,
    #[serde(flatten)]
    papers: PapersObject<'a>,
}

/// A certificate that is good for longer, as `--json` prints it.
#[derive(Serialize)]
struct NotDueObject {
    due: bool,
    /// SHA-256 of the certificate, hex.
    certificate: String,
    until: String,
}

/// What was signed anew.
#[derive(Serialize)]
struct PapersObject<'a> {
    /// Proxies whose delegation was.
    delegated: &'a [String],
    /// Terminals that go on under the new certificate.
    kept: &'a [String],
    /// Terminals that end with the certificate before: invite them anew.
    terminals: Vec<TerminalObject<'a>>,
}

#[derive(Serialize)]
struct TerminalObject<'a> {
    name: &'a str,
    until: String,
}

/// A key that is kept.
#[derive(Serialize)]
struct KeptObject {
    certificate: String,
    replaced_at: String,
    /// Parcels that wait and may be sealed to it alone.
    waiting: usize,
    /// Parcels of the archive that may be sealed to it.
    archived: usize,
    needed: bool,
    removed: bool,
}

/// `tasuki renew`.
pub(super) fn renew(args: &Renew, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let folder = super::home_folder(global)?;
    let files = files(args, out.lang())?;
    if folder.join(PROXY_FILE).exists() {
        if args.kept || args.forget || args.papers {
            return Err(Failure::usage(
                "事業所ごとのHOME（offices/事業所番号）を指定してください。",
                "name the HOME of one of its offices (offices/NUMBER).",
            ));
        }
        let runtime = super::runtime()?;
        let proxy = {
            let _inside = runtime.enter();
            Proxy::open(&folder, Arc::new(SystemClock))?
        };
        if not_due(args, proxy.certificate()?, out)? {
            return Ok(Exit::Done);
        }
        let renewed = match files {
            Some(files) => match proxy.replace_identity(&files) {
                Err(error) if error.reason() == UNTRUSTED => {
                    runtime.block_on(proxy.contact_with(&files))?;
                    proxy.replace_identity(&files)?
                }
                done => done?,
            },
            None => runtime.block_on(proxy.renew())?,
        };
        return tell(&renewed, &RenewedPapers::default(), out);
    }
    let session = Session::open(global)?;
    if args.kept || args.forget {
        return kept(&session, args.forget, out);
    }
    if args.papers {
        return papers(&session, out);
    }
    if not_due(args, session.client.home().certificate()?, out)? {
        return Ok(Exit::Done);
    }
    let renewed = match files {
        Some(files) => {
            let home = session.client.home();
            match home.replace_identity(&files, SystemClock.now_us()) {
                // Of a CA that took another's place in an emergency: the log tells of it to who has such a certificate.
                Err(error) if error.reason() == UNTRUSTED => {
                    session.run(home.contact_with(&files, Arc::new(SystemClock)))?;
                    home.replace_identity(&files, SystemClock.now_us())?
                }
                done => done?,
            }
        }
        None => session.run(session.client.renew())?,
    };
    // From here on with the new key: the relay registers it, and what the one before signed is signed anew.
    let papers = session.run(async {
        let client = Client::open(Home::open(&folder)?, Arc::new(SystemClock))?;
        client.relay().await?;
        let own = client.home().config().terminal.is_none();
        if own { client.renew_papers().await } else { Ok(RenewedPapers::default()) }
    });
    tell(&renewed, papers.as_ref().unwrap_or(&RenewedPapers::default()), out)?;
    match papers {
        Ok(_) => Ok(Exit::Done),
        // The HOME has the new certificate; what was to be done with it at the relay is not done yet.
        Err(error) => Err(error.into()),
    }
}

/// Whether it was asked to wait until the certificate is near its end, and it is not: that is said.
fn not_due(args: &Renew, certificate: OwnCertificate, out: &mut Output) -> Result<bool, Failure> {
    let Some(days) = args.if_within else { return Ok(false) };
    let OwnCertificate { fingerprint, until_us } = certificate;
    if until_us.saturating_sub(SystemClock.now_us()) <= i64::from(days) * DAY_US {
        return Ok(false);
    }
    if out.is_json() {
        let certificate = hex(&fingerprint);
        out.object(&NotDueObject { due: false, certificate, until: utc(until_us) })?;
    } else {
        let until = japan(until_us);
        out.say(
            &format!("証明書は{until}まで有効です。まだ更新しません。"),
            &format!("The certificate is good until {until}: it is not renewed yet."),
        )?;
    }
    Ok(true)
}

fn files(args: &Renew, lang: Lang) -> Result<Option<IdentityFiles>, Failure> {
    let Some(file) = args.identity.clone() else { return Ok(None) };
    if let Some(key) = args.key.clone() {
        return Ok(Some(IdentityFiles::Pem { certificates: file, key }));
    }
    match secret(args.password_file.clone(), args.password_fd, lang)? {
        Some(password) => Ok(Some(IdentityFiles::Pkcs12 { file, password })),
        None => Err(Failure::usage(
            "--password-file（PKCS#12）と --key（PEM）のどちらか一方を指定してください。",
            "give either --password-file (PKCS#12) or --key (PEM).",
        )),
    }
}

fn tell(renewed: &Renewed, papers: &RenewedPapers, out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        out.object(&RenewedObject {
            holder: &renewed.holder,
            certificate: hex(&renewed.fingerprint),
            until: utc(renewed.until_us),
            previous: hex(&renewed.previous),
            papers: papers_object(papers),
        })?;
        return Ok(Exit::Done);
    }
    let (holder, until) = (shown(&renewed.holder), japan(renewed.until_us));
    out.say(
        &format!("{holder} の証明書を更新しました。期限: {until}。これまでの鍵は、届いている電文を開くために残してあります。"),
        &format!("The certificate of {holder} is renewed, until {until}. The key before is kept, for what is sealed to it."),
    )?;
    tell_papers(papers, out)?;
    Ok(Exit::Done)
}

fn papers_object(papers: &RenewedPapers) -> PapersObject<'_> {
    let terminals =
        papers.terminals.iter().map(|(name, until_us)| TerminalObject { name, until: utc(*until_us) });
    PapersObject { delegated: &papers.delegated, kept: &papers.kept, terminals: terminals.collect() }
}

fn tell_papers(papers: &RenewedPapers, out: &mut Output) -> Result<(), Failure> {
    if !papers.delegated.is_empty() {
        let proxies = papers.delegated.join(", ");
        out.say(
            &format!("委任に署名し直しました: {proxies}"),
            &format!("Delegations signed anew: {proxies}"),
        )?;
    }
    if !papers.kept.is_empty() {
        let names: Vec<_> = papers.kept.iter().map(|name| shown(name)).collect();
        let names = names.join(", ");
        out.say(&format!("引き続き使える端末: {names}"), &format!("Terminals that go on: {names}"))?;
    }
    for (name, until_us) in &papers.terminals {
        let (name, until) = (shown(name), japan(*until_us));
        out.say(
            &format!("端末「{name}」の承認は {until} に終わります。それまでに招待し直してください（tasuki terminal invite）。"),
            &format!("The terminal {name} ends at {until}: invite it anew before (tasuki terminal invite)."),
        )?;
    }
    Ok(())
}

/// Signs anew what an earlier certificate signed.
fn papers(session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let home = session.client.home();
    if home.config().terminal.is_some() || home.config().transmission_proxy.is_some() {
        return Err(SdkError::from(ConfigError::NotAnOffice).into());
    }
    let papers = session.run(async {
        session.client.relay().await?;
        session.client.renew_papers().await
    })?;
    if out.is_json() {
        out.object(&papers_object(&papers))?;
    } else if papers == RenewedPapers::default() {
        out.say("署名し直すものはありません。", "There is nothing to sign anew.")?;
    } else {
        tell_papers(&papers, out)?;
    }
    Ok(Exit::Done)
}

fn kept(session: &Session, forget: bool, out: &mut Output) -> Result<Exit, Failure> {
    let keys = session.run(session.client.kept_keys())?;
    let gone = if forget { session.run(session.client.forget_kept_keys())? } else { Vec::new() };
    for key in &keys {
        let removed = gone.iter().any(|gone| gone.fingerprint == key.fingerprint);
        line(key, removed, out)?;
    }
    if keys.is_empty() && !out.is_json() {
        out.say("残している鍵はありません。", "No key before is kept.")?;
    }
    Ok(Exit::Done)
}

fn line(key: &KeptKey, removed: bool, out: &mut Output) -> Result<(), Failure> {
    let KeptKey { fingerprint, replaced_us, waiting, archived, needed } = key;
    if out.is_json() {
        out.object(&KeptObject {
            certificate: hex(fingerprint),
            replaced_at: utc(*replaced_us),
            waiting: *waiting,
            archived: *archived,
            needed: *needed,
            removed,
        })?;
        return Ok(());
    }
    let (short, when) = (&hex(fingerprint)[..16], japan(*replaced_us));
    let (state_ja, state_en) = match (removed, needed) {
        (true, _) => ("削除しました", "removed"),
        (false, true) => ("まだ必要です", "still needed"),
        (false, false) => (
            "もう必要ありません（tasuki renew --forget で削除）",
            "not needed any more (tasuki renew --forget)",
        ),
    };
    out.say(
        &format!("{short}…  {when} まで使用  受信待ち{waiting}件  送信控え{archived}件  {state_ja}"),
        &format!("{short}…  used until {when}  {waiting} waiting  {archived} archived  {state_en}"),
    )?;
    Ok(())
}
