//! `tasuki init`: a HOME from a certificate, offline.

use serde::Serialize;
use tasuki_proto::canonical::hex;
use tasuki_sdk::error::ConfigError;
use tasuki_sdk::proxy::Proxy;
use tasuki_sdk::{Clock as _, Home, IdentityFiles, InitOptions, Initialised, SdkError, SystemClock};

use crate::args::{Global, Init};
use crate::exit::{Exit, Failure};
use crate::lang::{Lang, Text};
use crate::moment::{japan, utc};
use crate::output::Output;
use crate::secrets::secret;

#[derive(Serialize)]
struct InitObject {
    home: String,
    office: String,
    relay: String,
    /// SHA-256 of the certificate, hex.
    certificate: String,
    certificate_ends_at: String,
    /// SHA-256 of each trust anchor, hex.
    anchors: Vec<String>,
    /// A sealing key was made, because the certificate may not encrypt.
    sealing_key: bool,
}

#[derive(Serialize)]
struct ProxyObject<'a> {
    home: &'a str,
    proxy: &'a str,
}

/// `tasuki init HOME …`.
pub(super) fn init(args: Init, global: &Global, out: &mut Output) -> Result<Exit, Failure> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => super::home_folder(global)?,
    };
    let relay = args.relay.clone();
    let options = options(args, out.lang())?;
    let now_us = SystemClock.now_us();
    let made = match Home::init(&folder, &options, now_us) {
        Err(SdkError::Config(ConfigError::NotAnOffice)) => {
            let number = Proxy::init(&folder, &options, now_us)?;
            return proxy_made(&folder.display().to_string(), &number.to_string(), out);
        }
        made => made?,
    };
    print(&folder.display().to_string(), relay, &made, out)?;
    Ok(Exit::Done)
}

/// A proxy's HOME, which holds one for each office that lets it act.
fn proxy_made(home: &str, number: &str, out: &mut Output) -> Result<Exit, Failure> {
    if out.is_json() {
        out.object(&ProxyObject { home, proxy: number })?;
    } else {
        out.say(
            &format!("伝送代行業者 {number} のHOMEを {home} に作りました。"),
            &format!("Made the HOME of proxy {number} in {home}."),
        )?;
    }
    Ok(Exit::Done)
}

fn options(args: Init, lang: Lang) -> Result<InitOptions, Failure> {
    let uri = args.identity.to_str().filter(|text| IdentityFiles::is_token_uri(text)).map(str::to_owned);
    if uri.is_none() && args.certificates.is_some() {
        return Err(Failure::usage(
            "--certificates はトークン（pkcs11:）とともに指定します。",
            "--certificates goes with a token (pkcs11:).",
        ));
    }
    let secret = match &args.key {
        None => secret(args.password_file, args.password_fd, lang)?,
        Some(_) => None,
    };
    let identity = match (args.key, secret) {
        (None, Some(pin)) if uri.is_some() => {
            let uri = uri.unwrap_or_default();
            IdentityFiles::Token { uri, pin, certificates: args.certificates }
        }
        (Some(key), None) => IdentityFiles::Pem { certificates: args.identity, key },
        (None, Some(password)) => IdentityFiles::Pkcs12 { file: args.identity, password },
        _ => {
            return Err(Failure::usage(
                "--password-file（PKCS#12）と --key（PEM）のどちらか一方を指定してください。",
                "give either --password-file (PKCS#12) or --key (PEM).",
            ));
        }
    };
    Ok(InitOptions {
        relay: args.relay,
        relay_ca: args.relay_ca,
        identity,
        ca: args.ca,
        profile: args.profile,
        proxy: args.https_proxy,
    })
}

fn print(home: &str, relay: String, made: &Initialised, out: &mut Output) -> Result<(), Failure> {
    if out.is_json() {
        out.object(&InitObject {
            home: home.to_owned(),
            office: made.office.to_string(),
            relay,
            certificate: hex(&made.fingerprint),
            certificate_ends_at: utc(made.not_after_us),
            anchors: made.anchors.iter().map(|a| hex(a)).collect(),
            sealing_key: made.sealing_key,
        })?;
        return Ok(());
    }
    let (office, ends) = (made.office, japan(made.not_after_us));
    let text = Text::new(
        format!("事業所 {office} のHOMEを {home} に作りました。証明書の期限: {ends}"),
        format!("Made the HOME of office {office} in {home}. Its certificate ends on {ends}."),
    );
    out.line(text.of(out.lang()))?;
    for anchor in &made.anchors {
        let label = out.lang().pick("事業所証明書のCA", "CA of the offices' certificates");
        out.line(format!("{label}: SHA-256 {}", hex(anchor)))?;
    }
    if made.sealing_key {
        out.say(
            "この証明書では暗号化できないため、受信用の鍵を作りました。最初の接続で登録されます。",
            "This certificate may not encrypt, so a key for receiving was made; the first contact registers it.",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lang::Lang;

    fn made() -> Initialised {
        Initialised {
            office: "1371215102".parse().unwrap(),
            fingerprint: [0x91; 32],
            not_after_us: crate::testing::ACCEPTED_US,
            anchors: vec![[0xca; 32]],
            sealing_key: true,
        }
    }

    #[test]
    fn programs_learn_the_office() {
        let (mut out, results, _) = Output::captured(Lang::Ja, true);
        print("H", "https://localhost:8443".into(), &made(), &mut out).unwrap();
        let object = results.objects().remove(0);
        assert_eq!((&object["office"], &object["home"]), (&"1371215102".into(), &"H".into()));
        assert_eq!((&object["sealing_key"], &object["anchors"][0]), (&true.into(), &"ca".repeat(32).into()));
    }

    #[test]
    fn people_learn_when_the_certificate_ends() {
        let (mut out, results, _) = Output::captured(Lang::En, false);
        print("H", String::new(), &made(), &mut out).unwrap();
        assert!(results.text().contains("office 1371215102 in H. Its certificate ends on 2026-11-21 20:38."));
        assert!(results.text().contains("first contact registers it"));
    }
}
