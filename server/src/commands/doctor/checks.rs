//! The checks themselves. Each says what it found, and what to do where that is not right.

use std::path::Path;

use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trust::{
    AlarmState, CurrentTrust as _, OnDoubt, Purpose, RevocationPolicy, TrustMaterial, TrustStore,
};
use tasuki_proto::time;

use super::{Finding, Standing};
use crate::boot::{log_signer, read_secret};
use crate::config::Config;
use crate::files;
use crate::store::Store;
use crate::store::head::Head;
use crate::trust::{Trust, alarm_text};

/// A server certificate is renewed while there is still time to give clients a new CA, if need be.
const RENEW_US: i64 = 30 * 86_400 * 1_000_000;

/// How far the last event may lie ahead of the clock before the relay refuses to write.
const MAX_SKEW_US: i64 = 60 * 1_000_000;

/// 2026-01-01: a clock before this was never set.
const CLOCK_FLOOR_US: i64 = 1_767_225_600_000_000;

/// Free space below which the relay may fail within a day: a busy day writes about as much.
const LOW_DISK_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Free space below which even the log has no room to grow.
const NO_DISK_BYTES: u64 = 200 * 1024 * 1024;

/// Secrets and the witness.
pub(super) fn files(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    let trial_key = config.trial_ca.as_ref().map(|ca| &ca.key);
    for (needed, path) in [(true, &config.evidence.log_key), (true, &config.server.private_key)]
        .into_iter()
        .chain(trial_key.map(|path| (false, path)))
    {
        let shown = path.display();
        findings.push(match files::readable_by_others(path) {
            Ok(false) => Finding::new("secret", Standing::Ok, format!("{shown}: its owner's only")),
            Ok(true) => {
                Finding::new("secret", Standing::Fail, format!("{shown}: others may read it; chmod 600 it"))
            }
            Err(error) if needed => Finding::new("secret", Standing::Fail, format!("{shown}: {error}")),
            Err(error) => Finding::new(
                "secret",
                Standing::Warn,
                format!("{shown}: {error}; nothing can be issued here"),
            ),
        });
    }
    let witness = &config.evidence.witness;
    findings.push(if witness.exists() {
        Finding::new("witness", Standing::Ok, format!("{}: is there", witness.display()))
    } else {
        let text = "missing: a database set back in time would not be noticed at the next start";
        Finding::new("witness", Standing::Warn, format!("{}: {text}", witness.display()))
    });
    findings
}

/// The database, its durability, its last event against the clock, and its head against the log's key.
pub(super) async fn database(config: &Config) -> Vec<Finding> {
    let store = match Store::open(&config.database.url).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::new("database", Standing::Fail, error.to_string())],
    };
    let mut findings =
        vec![Finding::new("database", Standing::Ok, format!("{:?}, durable", store.dialect()))];
    match store.head().await {
        Ok(head) => {
            findings.push(clock(head.time_us, crate::commands::now_us()));
            findings.push(log(config, &head));
        }
        Err(error) => findings.push(Finding::new("log", Standing::Fail, error.to_string())),
    }
    store.close().await;
    findings
}

fn clock(last_event_us: i64, now_us: i64) -> Finding {
    let shown = time::format_us(now_us);
    if now_us < CLOCK_FLOOR_US {
        return Finding::new("clock", Standing::Fail, format!("{shown}: was never set"));
    }
    if last_event_us > now_us.saturating_add(MAX_SKEW_US) {
        let text = format!(
            "{shown}: the last event is of {}; the relay will not write until the clock is past it",
            time::format_us(last_event_us)
        );
        return Finding::new("clock", Standing::Fail, text);
    }
    Finding::new("clock", Standing::Ok, shown)
}

fn log(config: &Config, head: &Head) -> Finding {
    if head.epoch == 0 {
        return Finding::new("log", Standing::Warn, "empty: it begins at the first start");
    }
    let opened = log_signer(&config.evidence.log_key).map(|signer| signer.verifier().open(&head.note));
    match opened {
        Ok(Ok(c)) => Finding::new(
            "log",
            Standing::Ok,
            format!("epoch {}, {} events; log verify checks them", c.epoch, c.size),
        ),
        Ok(Err(error)) => {
            Finding::new("log", Standing::Fail, format!("{error}: is evidence.log_key this database's?"))
        }
        Err(error) => Finding::new("log", Standing::Fail, error.to_string()),
    }
}

/// Anchors, revocation lists, the operator's override.
pub(super) async fn trust(config: &Config) -> Vec<Finding> {
    let trust = match Trust::load(&config.trust) {
        Ok(trust) => trust,
        Err(error) => return vec![Finding::new("trust", Standing::Fail, error.to_string())],
    };
    let mut findings = Vec::new();
    if let Ok(store) = Store::open(&config.database.url).await {
        if let Err(error) = trust.refresh(&store).await {
            findings.push(Finding::new("trust", Standing::Fail, error.to_string()));
        }
        store.close().await;
    }
    let snapshot = trust.current();
    let now_us = crate::commands::now_us();
    let alarms = snapshot.revocation_alarms(now_us);
    if alarms.is_empty() {
        findings.push(Finding::new("revocation", Standing::Ok, "every list is fresh"));
    }
    for alarm in &alarms {
        let standing = match alarm.state {
            AlarmState::StaleFrom(_) => Standing::Warn,
            _ => Standing::Fail,
        };
        findings.push(Finding::new("revocation", standing, alarm_text(alarm)));
    }
    if let Some(until_us) = snapshot.policy().override_until_us.filter(|until| *until > now_us) {
        let text = format!("stale lists pass until {} by an operator's override", time::format_us(until_us));
        findings.push(Finding::new("revocation", Standing::Warn, text));
    }
    findings
}

/// The server's certificate and its key.
pub(super) fn server_certificate(config: &Config, now_us: i64) -> Vec<Finding> {
    let name = "certificate";
    let path = &config.server.certificate;
    let identity = std::fs::read(path)
        .map_err(|error| format!("{}: {error}", path.display()))
        .and_then(|chain| Ok((chain, read_secret(&config.server.private_key).map_err(|e| e.to_string())?)))
        .and_then(|(chain, key)| KeyIdentity::from_pem(&chain, &key).map_err(|e| e.to_string()));
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => return vec![Finding::new(name, Standing::Fail, error)],
    };
    vec![match valid_until(&identity, now_us) {
        Some(Ok(until)) if until < now_us.saturating_add(RENEW_US) => {
            let text = format!("the server's certificate ends at {}: renew it", time::format_us(until));
            Finding::new(name, Standing::Warn, text)
        }
        Some(Ok(until)) => {
            let text = format!("the server's certificate is good until {}", time::format_us(until));
            Finding::new(name, Standing::Ok, text)
        }
        Some(Err(problem)) => {
            Finding::new(name, Standing::Fail, format!("the server's certificate: {problem}"))
        }
        None => {
            let text = "the server's certificate comes without its issuer: its validity was not checked";
            Finding::new(name, Standing::Warn, text)
        }
    }]
}

/// How long the chain in the file is good for. `None`: it holds one certificate only.
fn valid_until(identity: &KeyIdentity, now_us: i64) -> Option<Result<i64, String>> {
    let (leaf, above) = identity.chain_der().split_first()?;
    let (top, between) = above.split_last()?;
    // Whether it is revoked is what clients ask, not the relay.
    let policy = RevocationPolicy { on_missing: OnDoubt::Warn, ..RevocationPolicy::default() };
    let material = TrustMaterial { anchors: vec![top.clone()], policy, ..TrustMaterial::default() };
    let extra: Vec<&[u8]> = between.iter().map(Vec::as_slice).collect();
    Some(TrustStore::new(material).map_err(|e| e.to_string()).and_then(|store| {
        let chain = store.verify_chain(leaf, &extra, Purpose::Any, now_us);
        chain.map(|chain| chain.valid_until_us).map_err(|e| e.to_string())
    }))
}

/// Room for the database.
pub(super) fn disk(config: &Config) -> Vec<Finding> {
    let Some(file) = config.database.url.strip_prefix("sqlite:") else { return Vec::new() };
    let folder = Path::new(file).parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(free) = free_bytes(folder) else { return Vec::new() };
    let standing = match free {
        free if free < NO_DISK_BYTES => Standing::Fail,
        free if free < LOW_DISK_BYTES => Standing::Warn,
        _ => Standing::Ok,
    };
    let text = format!("{}: {} MiB free", folder.display(), free / (1024 * 1024));
    vec![Finding::new("disk", standing, text)]
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_held_against_the_last_event() {
        let now_us = 1_795_261_114_000_000;
        assert_eq!(clock(now_us - 1, now_us).standing, Standing::Ok);
        assert_eq!(clock(now_us + MAX_SKEW_US + 1, now_us).standing, Standing::Fail);
        assert_eq!(clock(0, 0).standing, Standing::Fail);
    }
}
