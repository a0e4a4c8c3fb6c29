//! `init`: a relay from nothing.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use tasuki_certs::trial_ca::{IssueOptions, TrialCa, TrialCaError};
use tasuki_proto::canonical::hex;
use tasuki_proto::log::LogSigner;

use super::output::Output;
use super::{CommandError, Desk};
use crate::cli::Init;
use crate::config::Config;
use crate::config::template::{self, names};
use crate::files::{self, Readers};
use crate::trial_ca::{self, CaError, TrialCaFiles};

#[derive(Serialize)]
struct Made {
    config: String,
    relay_ca: String,
    trial_ca: String,
    listen: String,
    log_key: String,
}

pub(super) async fn run(arguments: &Init, output: &Output) -> Result<(), CommandError> {
    let folder = &arguments.folder;
    check_empty(folder)?;
    files::make_folder(folder)?;
    let at = |name: &str| folder.join(name);
    let text = template::text(arguments.listen);
    let config = Config::parse(&text, &at(names::CONFIG))?;
    let now_us = super::now_us();

    for name in [names::CRLS, names::WITNESS_FOLDER] {
        files::make_folder(&at(name))?;
    }
    let ca = config.trial_ca.clone().ok_or_else(|| CommandError::Failed("no [trial_ca]".to_owned()))?;
    TrialCaFiles::create(ca, "Tasuki trial CA", now_us)?;
    make_server_certificate(folder, arguments.listen.ip(), now_us)?;
    let signer = make_log_key(&at(names::LOG_KEY))?;

    let desk = Desk::open(&config).await?;
    let epoch = desk.boot.started.ledger.checkpoint().epoch;
    desk.close().await?;
    // Last: a folder with a configuration is a whole relay.
    files::write_new(&at(names::CONFIG), text.as_bytes(), Readers::All)?;

    let shown = |name: &str| at(name).display().to_string();
    let made = Made {
        config: shown(names::CONFIG),
        relay_ca: shown(names::RELAY_CA),
        trial_ca: shown(names::TRIAL_CA),
        listen: arguments.listen.to_string(),
        log_key: signer.verifier().vkey(epoch),
    };
    output.line(&made, &format!("A relay was made in {}.", folder.display()));
    output
        .hint(&format!("  clients know it by   {}\n  and its log by       {}", made.relay_ca, made.log_key));
    output.hint(&format!("Next: tasuki-relay --config {} serve", made.config));
    Ok(())
}

/// What is there must not be overwritten: keys can't be made again.
fn check_empty(folder: &Path) -> Result<(), CommandError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(CommandError::Usage(format!("{}: not empty, and left alone", folder.display()))),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(CommandError::Usage(format!("{}: {error}", folder.display()))),
    }
}

/// The server's certificate, from a CA of its own: what vouches for offices must not vouch for servers.
fn make_server_certificate(folder: &Path, listen: IpAddr, now_us: i64) -> Result<(), CommandError> {
    let issue = |e: TrialCaError| CommandError::from(CaError::from(e));
    let ca = TrialCa::create("Tasuki relay CA", now_us).map_err(issue)?;
    trial_ca::write_ca(&ca, &folder.join(names::RELAY_CA), &folder.join(names::RELAY_CA_KEY))?;
    let mut server_names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let host = listen.to_string();
    if !listen.is_unspecified() && !server_names.contains(&host) {
        server_names.push(host);
    }
    let server_names: Vec<&str> = server_names.iter().map(String::as_str).collect();
    let issued = ca.issue_server(&server_names, &IssueOptions::for_server(now_us)).map_err(issue)?;
    let chain = issued.chain_pem().map_err(issue)?;
    files::write_new(&folder.join(names::TLS_CERTIFICATE), &chain, Readers::All)?;
    let key = issued.key_pem().map_err(issue)?;
    Ok(files::write_new(&folder.join(names::TLS_KEY), &key, Readers::Owner)?)
}

/// The log's name is random: two relays' logs must never be taken for one another.
fn make_log_key(path: &Path) -> Result<LogSigner, CommandError> {
    let rng = SystemRandom::new();
    let no_key = || CommandError::Failed("the system gives no random bytes".to_owned());
    let mut name = [0; 8];
    rng.fill(&mut name).map_err(|_| no_key())?;
    let signer = LogSigner::generate(&format!("tasuki-relay/{}", hex(&name)), &rng).map_err(|_| no_key())?;
    files::write_new(path, signer.to_secret_text().as_bytes(), Readers::Owner)?;
    Ok(signer)
}
