//! OCSP responders: whether those that the relay depends on answer well now. They are asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use tasuki_certs::tls::NotShown;
use tasuki_certs::trust::{CurrentTrust as _, Inquiry, Purpose};
use tasuki_proto::time;

use super::{Finding, Status};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, OcspMode, OnStale};
use crate::ocsp::{AskFault, Asker, StapleFault, Stapler};
use crate::server_certificate::Follower;
use crate::store::Store;
use crate::trust::Trust;

const CHECK: &str = "ocsp";

/// Certificates that are looked through for whom to ask about them: one of each responder's is enough.
const LOOKED_THROUGH: u32 = 500;

/// Responders that are asked: a country has a few CAs.
const MAX_RESPONDERS: usize = 8;

/// Asks about a certificate in use of each responder, and about the relay's own; nothing where nobody is to be asked.
pub(super) async fn check(store: &Store, config: &Config, now_us: i64) -> Vec<Finding> {
    let mut findings = match check_members(store, config, now_us).await {
        Ok(findings) => findings,
        Err(why) => vec![Finding::failed(CHECK, &why)],
    };
    findings.extend(check_server(config).await);
    findings
}

async fn check_members(store: &Store, config: &Config, now_us: i64) -> Result<Vec<Finding>, String> {
    let trust = Trust::load_with(&config.trust, store).await.map_err(|e| e.to_string())?;
    let rows = store.certificates_behind(None, now_us, LOOKED_THROUGH).await.map_err(|e| e.to_string())?;
    let current = trust.current();
    for row in &rows {
        // That an answer is wanted is noted while the certificate is judged. How it stands is told elsewhere.
        let _judged = current.verify(&row.certificate, &[], Purpose::TlsClient, now_us);
    }
    let inquiries = current.inquiries(now_us);
    if inquiries.is_empty() {
        return Ok(Vec::new());
    }
    let asker = Asker::new(trust.clone(), &config.trust, Arc::new(SystemClock)).map_err(|e| e.to_string())?;
    let mut by_responder: BTreeMap<String, &Inquiry> = BTreeMap::new();
    for inquiry in &inquiries {
        by_responder.entry(asker.responder(inquiry).unwrap_or_default().to_owned()).or_insert(inquiry);
    }
    let mut findings = Vec::new();
    for (url, inquiry) in by_responder.into_iter().take(MAX_RESPONDERS) {
        findings.push(match asker.ask(inquiry).await {
            Ok(_) => Finding::new(
                CHECK,
                Status::Ok,
                format!("OCSPレスポンダー {url} は応答しています"),
                format!("the OCSP responder {url} answers well"),
            ),
            Err(fault) => {
                let code = fault.code();
                let status = if turns_away(config) { Status::Fail } else { Status::Warn };
                Finding::new(
                    CHECK,
                    status,
                    format!("OCSPレスポンダー {url} から正しい応答がありません（{code}）"),
                    format!("the OCSP responder {url} gives no good answer: {fault} ({code})"),
                )
            }
        });
    }
    Ok(findings)
}

/// Whether anybody is turned away about whom there is no answer.
fn turns_away(config: &Config) -> bool {
    let general = &config.trust.ocsp;
    let refuses = |mode, on_no_answer| mode == OcspMode::Require && on_no_answer == OnStale::Refuse;
    let below_one = config.trust.anchor.iter().any(|own| {
        refuses(own.ocsp.unwrap_or(general.mode), own.on_no_answer.unwrap_or(general.on_no_answer))
    });
    below_one || refuses(general.mode, general.on_no_answer)
}

async fn check_server(config: &Config) -> Option<Finding> {
    // What is wrong with the files is told by the check of the certificate.
    let certificate = Follower::load(&config.server).ok()?.certificate();
    let promised = certificate.inquiry()?.must_staple();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let outcome = match Stapler::new(certificate, config, clock) {
        Err(error) => return Some(Finding::failed(CHECK, &error)),
        Ok(Some(stapler)) => stapler.look().await,
        Ok(None) => None,
    };
    let status = if promised { Status::Fail } else { Status::Warn };
    match outcome {
        None if !promised => None,
        None => Some(Finding::new(
            CHECK,
            status,
            "サーバー証明書はOCSPの応答の提示を約束していますが、提示する設定がないため、だれも接続できません（server.ocsp_staple、ocsp_responder）",
            "the server's certificate promises an OCSP answer, and none is to be shown, so that nobody can connect: see server.ocsp_staple, ocsp_responder",
        )),
        Some(Ok(until_us)) => {
            let until = time::format_us(until_us);
            Some(Finding::new(
                CHECK,
                Status::Ok,
                format!("サーバー証明書のOCSPの応答は{until}まで有効です"),
                format!("the OCSP answer about the server's certificate is good until {until}"),
            ))
        }
        Some(Err(fault @ StapleFault::Answer(NotShown::Revoked))) => Some(Finding::new(
            CHECK,
            Status::Fail,
            "サーバー証明書は認証局により失効しています。新しい証明書に替えてください",
            format!("{fault}: put another certificate in its place"),
        )),
        Some(Err(StapleFault::Ask(AskFault::NoIssuer))) => Some(Finding::new(
            CHECK,
            status,
            "サーバー証明書のファイルに発行者の証明書がないため、OCSPの応答を提示できません。ファイルに加えてください（server.certificate）",
            "no OCSP answer can be shown, since the file server.certificate does not hold the issuer's certificate: add it",
        )),
        Some(Err(fault)) => {
            let code = fault.code();
            Some(Finding::new(
                CHECK,
                status,
                format!("サーバー証明書についてOCSPの正しい応答がありません（{code}）"),
                format!("no good OCSP answer about the server's certificate: {fault} ({code})"),
            ))
        }
    }
}
