//! Certificates and revocation lists: fresh, and for how long.

use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trust::{
    AlarmState, CurrentTrust as _, OnDoubt, Purpose, RevocationPolicy, TrustMaterial, TrustStore,
};
use tasuki_proto::time;

use super::{Finding, Status};
use crate::commands::lang::Text;
use crate::commands::revocation::{alarm_text, override_until, source_text, sources};
use crate::config::Config;
use crate::key_file::read_secret;
use crate::store::Store;
use crate::trust::Trust;

/// How long before its end a certificate is spoken of: time to renew it in office hours.
const SOON_US: i64 = 30 * 86_400 * 1_000_000;

/// How long before its end the relay's own certificate is a failure: nobody gets through when it has ended.
const URGENT_US: i64 = 7 * 86_400 * 1_000_000;

/// Offices that are named one by one.
const MAX_NAMED: u32 = 20;

/// Trust anchors, revocation lists, and the operator's override.
pub(super) async fn check_lists(store: &Store, config: &Config, now_us: i64) -> Vec<Finding> {
    let trust = match Trust::load_with(&config.trust, store).await {
        Ok(trust) => trust,
        Err(error) => return vec![Finding::failed("trust", &error)],
    };
    let mut findings = Vec::new();
    let overridden = match override_until(store, now_us).await {
        Ok(until_us) => until_us,
        Err(failure) => {
            let text = failure.explain().map(|(_, text)| text).unwrap_or_default();
            findings.push(Finding { check: "revocation", status: Status::Fail, text });
            None
        }
    };
    let alarms = trust.current().revocation_alarms(now_us);
    if alarms.is_empty() {
        let (ja, en) = ("失効リストはすべて有効です", "every revocation list is fresh");
        findings.push(Finding::new("revocation", Status::Ok, ja, en));
    }
    for alarm in &alarms {
        let status = match alarm.state {
            AlarmState::StaleFrom(_) => Status::Warn,
            AlarmState::StaleSince(_) if overridden.is_some() => Status::Warn,
            _ => Status::Fail,
        };
        findings.push(Finding { check: "revocation", status, text: alarm_text(alarm) });
    }
    findings.extend(check_fetched(config));
    if let Some(until) = overridden.map(time::format_us) {
        findings.push(Finding::new(
            "revocation",
            Status::Warn,
            format!("特例により、{until}まで古い失効リストでも受け付けます"),
            format!("stale lists pass until {until} by an operator's override"),
        ));
    }
    findings
}

/// Lists that are fetched: those that could not be, the last time.
fn check_fetched(config: &Config) -> Vec<Finding> {
    let check = "fetched";
    match sources(config) {
        Err(failure) => {
            let text = failure.explain().map(|(_, text)| text).unwrap_or_default();
            vec![Finding { check, status: Status::Fail, text }]
        }
        Ok(sources) => {
            // The last good list stays in force: that it is too old is told above.
            let status = |fault: &Option<String>| if fault.is_some() { Status::Warn } else { Status::Ok };
            sources
                .iter()
                .map(|notes| Finding { check, status: status(&notes.fault), text: source_text(notes) })
                .collect()
        }
    }
}

/// What ended longer ago is no news: who needs a certificate has asked for one.
const LONG_AGO_US: i64 = 90 * 86_400 * 1_000_000;

/// Certificates of offices, terminals and proxies that end soon or ended lately, where there is no later one.
pub(super) async fn check_offices(store: &Store, now_us: i64) -> Finding {
    let check = "certificates";
    let (from_us, until_us) = (now_us.saturating_sub(LONG_AGO_US), now_us.saturating_add(SOON_US));
    let ending = match store.certificates_ending(from_us, until_us, MAX_NAMED).await {
        Ok(ending) => ending,
        Err(error) => return Finding::failed(check, &error),
    };
    if ending.is_empty() {
        return Finding::new(
            check,
            Status::Ok,
            "30日以内に切れる事業所、端末、代行業者の証明書はありません",
            "no certificate of an office, terminal or proxy ends within 30 days",
        );
    }
    let named: Vec<String> =
        ending.iter().map(|(bearer, end)| format!("{bearer} ({})", time::format_us(*end))).collect();
    let named = named.join(", ");
    Finding::new(
        check,
        Status::Warn,
        format!("30日以内に切れる、または切れた証明書: {named}"),
        format!("certificates that end within 30 days, or have ended: {named}"),
    )
}

/// The server's certificate and its key.
pub(super) fn check_server(config: &Config, now_us: i64) -> Finding {
    let (status, text) = judge_server(config, now_us);
    Finding { check: "tls", status, text }
}

fn judge_server(config: &Config, now_us: i64) -> (Status, Text) {
    let failed = |why: String| (Status::Fail, Text::new(why.clone(), why));
    let path = &config.server.certificate;
    let chain = match std::fs::read(path) {
        Ok(chain) => chain,
        Err(error) => return failed(format!("{}: {error}", path.display())),
    };
    let key = match read_secret(&config.server.private_key) {
        Ok(key) => key,
        Err(error) => return failed(error.to_string()),
    };
    let identity = match KeyIdentity::from_pem(&chain, &key) {
        Ok(identity) => identity,
        Err(error) => return failed(format!("{}: {error}", path.display())),
    };
    match valid_until(&identity, now_us) {
        Err(why) => failed(format!("{}: {why}", path.display())),
        Ok(until_us) => {
            let until = time::format_us(until_us);
            let status = match until_us.saturating_sub(now_us) {
                left if left < URGENT_US => Status::Fail,
                left if left < SOON_US => Status::Warn,
                _ => Status::Ok,
            };
            let (advice_ja, advice_en) = if status == Status::Ok {
                ("", "")
            } else {
                (
                    "。更新してください（試行用CAなら cert server。再起動は不要です）",
                    "; renew it (of the trial CA: cert server; no restart is needed)",
                )
            };
            let text = Text::new(
                format!("サーバー証明書は{until}まで有効です{advice_ja}"),
                format!("the server's certificate is good until {until}{advice_en}"),
            );
            (status, text)
        }
    }
}

/// How long the chain in the file is good for, as far as the file has it.
fn valid_until(identity: &KeyIdentity, now_us: i64) -> Result<i64, String> {
    let [leaf, between @ .., top] = identity.chain_der() else {
        let (from_us, until_us) = identity.validity_us().map_err(|error| error.to_string())?;
        let valid = (from_us..=until_us).contains(&now_us);
        return valid.then_some(until_us).ok_or_else(|| "the certificate is not valid now".to_owned());
    };
    // Whether it is revoked is what clients ask, not the relay.
    let policy = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    let material = TrustMaterial { anchors: vec![top.clone()], policy, ..TrustMaterial::default() };
    let extra: Vec<&[u8]> = between.iter().map(Vec::as_slice).collect();
    let verified = TrustStore::new(material).map_err(|error| error.to_string()).and_then(|store| {
        store.verify_chain(leaf, &extra, Purpose::Any, now_us).map_err(|error| error.to_string())
    });
    verified.map(|chain| chain.valid_until_us)
}
