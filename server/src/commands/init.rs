//! `init`: a relay from nothing.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use serde::Serialize;
use tasuki_certs::trial_ca::{IssueOptions, TrialCa};

use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use super::roll::on_token;
use crate::boot::Boot;
use crate::cli::Init;
use crate::config::Config;
use crate::config::template::{self, names};
use crate::files::{self, Readers};
use crate::key_file::KeyPlace;
use crate::log_key;
use crate::trial_ca::{self, CaError, TrialCaFiles};

/// What `--json` prints.
#[derive(Serialize)]
struct Made {
    relay: String,
    config: String,
    url: String,
    /// For `tasuki init --relay-ca`.
    relay_ca: String,
    trial_ca: String,
    /// The log's verifier key, for members that pin it.
    log_key: String,
}

/// Makes a relay's folder. If that fails, nothing is left of it.
pub(super) async fn run(arguments: &Init, out: &mut Output, now_us: i64) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let existed = check_empty(folder)?;
    let made = make(arguments, now_us).await;
    if made.is_err() {
        // The folder was empty: everything in it is ours. The error that is told is the first one.
        let _rest = if existed { clear(folder) } else { fs::remove_dir_all(folder) };
    }
    let made = made?;
    let text = Text::new(
        format!("中継サーバーのフォルダーを作りました: {}", made.relay),
        format!("a relay was made in {}", made.relay),
    );
    out.result(&made, &text)?;
    out.hint(&Text::new(
        format!(
            "  利用者に渡すもの: {}\n  記録の検証鍵: {}\n次: tasuki-relay --config {} serve",
            made.relay_ca, made.log_key, made.config
        ),
        format!(
            "  offices need: {}\n  key of the log: {}\nnext: tasuki-relay --config {} serve",
            made.relay_ca, made.log_key, made.config
        ),
    ))?;
    Ok(Exit::Done)
}

async fn make(arguments: &Init, now_us: i64) -> Result<Made, Failure> {
    let folder = &arguments.folder;
    let at = |name: &str| folder.join(name);
    for name in ["", names::CRLS, names::CONTENT, names::WITNESS_FOLDER] {
        files::make_folder(&at(name)).map_err(Failure::file(&at(name)))?;
    }
    owner_only(folder).map_err(Failure::file(folder))?;
    let text = template::text(arguments.listen);
    let config = Config::parse(&text, &at(names::CONFIG))?;
    if let Some(ca) = config.trial_ca.clone() {
        let place = place(arguments.ca_key.as_deref(), arguments)?;
        TrialCaFiles::create(ca, "Tasuki trial CA", &place, now_us)?;
    }
    make_server_certificate(arguments, now_us)?;
    let log_name = arguments.name.clone().unwrap_or_else(|| arguments.listen.to_string());
    let place = place(arguments.log_key.as_deref(), arguments)?;
    let log_key = log_key::make(&at(names::LOG_KEY), &log_name, &place)?.verifier();

    // The log's first epoch begins: a relay that finds neither log nor witness later knows that both are lost.
    let boot = Boot::start(&config).await?;
    let epoch = boot.started.ledger.checkpoint().epoch;
    boot.finish().await?;
    // Last: a folder with a configuration is a whole relay.
    let path = at(names::CONFIG);
    files::write_new(&path, text.as_bytes(), Readers::All).map_err(Failure::file(&path))?;

    let shown = |name: &str| at(name).display().to_string();
    Ok(Made {
        relay: folder.display().to_string(),
        config: shown(names::CONFIG),
        url: url(arguments),
        relay_ca: shown(names::RELAY_CA),
        trial_ca: shown(names::TRIAL_CA),
        log_key: log_key.vkey(epoch),
    })
}

/// Where a key is to be.
fn place(uri: Option<&str>, arguments: &Init) -> Result<KeyPlace, Failure> {
    uri.map_or(Ok(KeyPlace::File), |uri| on_token(uri, arguments.pin_file.as_deref()))
}

/// What is there must not be overwritten: keys can't be made again. True: the folder exists, empty.
fn check_empty(folder: &Path) -> Result<bool, Failure> {
    match fs::read_dir(folder).map(|mut entries| entries.next().is_none()) {
        Ok(true) => Ok(true),
        Ok(false) => Err(Failure::usage(
            "NOT_EMPTY",
            format!("フォルダーが空ではないため、何もしませんでした: {}", folder.display()),
            format!("{} is not empty and was left alone", folder.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::File(folder.to_owned(), error)),
    }
}

fn clear(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }?;
    }
    Ok(())
}

/// A folder that was there before may be open to others.
#[cfg(unix)]
fn owner_only(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn owner_only(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// The server's certificate, from a CA of its own: what vouches for offices must not vouch for servers.
fn make_server_certificate(arguments: &Init, now_us: i64) -> Result<(), Failure> {
    let at = |name: &str| arguments.folder.join(name);
    let ca = TrialCa::create("Tasuki relay CA", now_us).map_err(CaError::from)?;
    trial_ca::write_ca(&ca, &at(names::RELAY_CA), &at(names::RELAY_CA_KEY))?;
    let server_names = server_names(arguments.listen, arguments.name.as_deref());
    let server_names: Vec<&str> = server_names.iter().map(String::as_str).collect();
    let issued = ca.issue_server(&server_names, &IssueOptions::for_server(now_us)).map_err(CaError::from)?;
    let path = at(names::TLS_CERTIFICATE);
    let chain = issued.chain_pem().map_err(CaError::from)?;
    files::write_new(&path, &chain, Readers::All).map_err(Failure::file(&path))?;
    let path = at(names::TLS_KEY);
    let key = issued.key_pem().map_err(CaError::from)?;
    files::write_new(&path, &key, Readers::Owner).map_err(Failure::file(&path))
}

/// Names and addresses that the server's certificate is good for: this machine's own, the address that it
/// listens on unless that means "all", and the relay's name without a port.
pub(super) fn server_names(listen: SocketAddr, name: Option<&str>) -> Vec<String> {
    let mut all = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let address = (!listen.ip().is_unspecified()).then(|| listen.ip().to_string());
    let name = name.map(|name| match name.parse::<SocketAddr>() {
        Ok(address) => address.ip().to_string(),
        Err(_) => host_of(name).to_owned(),
    });
    for one in address.into_iter().chain(name) {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

/// `relay.example:8443` without its port; an IPv6 address is left whole.
fn host_of(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => name,
    }
}

fn url(arguments: &Init) -> String {
    let listen = arguments.listen;
    match &arguments.name {
        Some(name) if name.parse::<SocketAddr>().is_err() && !name.contains(':') => {
            format!("https://{name}:{}", listen.port())
        }
        Some(name) => format!("https://{name}"),
        None if listen.ip().is_unspecified() => format!("https://localhost:{}", listen.port()),
        None => format!("https://{listen}"),
    }
}
