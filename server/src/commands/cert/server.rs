//! `cert server`: the relay's own TLS certificate, anew from the CA that `init` made.

use std::path::Path;

use serde::Serialize;
use tasuki_certs::trial_ca::{IssueOptions, TrialCa};
use tasuki_proto::time;

use crate::cli::CertServer;
use crate::commands::exit::{Exit, Failure};
use crate::commands::init::server_names;
use crate::commands::lang::Text;
use crate::commands::output::Output;
use crate::config::Config;
use crate::config::template::names;
use crate::files::{self, Readers};
use crate::trial_ca::{self, CaError};

/// The certificate, as `--json` prints it.
#[derive(Serialize)]
struct ServerObject {
    certificate: String,
    names: Vec<String>,
    not_after: String,
}

pub(super) fn run(
    arguments: &CertServer,
    config: &Config,
    out: &mut Output,
    now_us: i64,
) -> Result<Exit, Failure> {
    let ca = load_ca(&config.folder)?;
    let mut names = server_names(config.server.listen, None);
    names.extend(arguments.name.iter().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
    let options = IssueOptions::for_server(now_us);
    let text: Vec<&str> = names.iter().map(String::as_str).collect();
    let issued = ca.issue_server(&text, &options).map_err(CaError::from)?;
    let key = issued.key_pem().map_err(CaError::from)?;
    let chain = issued.chain_pem().map_err(CaError::from)?;
    // A relay that starts between the two finds a key that does not fit and says so; it starts a moment later. One that
    // runs waits until both have settled.
    let (key_path, chain_path) = (&config.server.private_key, &config.server.certificate);
    files::replace(key_path, &key, Readers::Owner).map_err(Failure::file(key_path))?;
    files::replace(chain_path, &chain, Readers::All).map_err(Failure::file(chain_path))?;
    let object = ServerObject {
        certificate: chain_path.display().to_string(),
        names,
        not_after: time::format_us(options.not_after_us),
    };
    let text = Text::new(
        format!(
            "サーバー証明書を発行しました({}まで)。稼働中の中継サーバーは数秒で切り替わります",
            object.not_after
        ),
        format!(
            "server certificate issued, good until {}; a running relay takes it over within seconds",
            object.not_after
        ),
    );
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

fn load_ca(folder: &Path) -> Result<TrialCa, Failure> {
    let (certificate, key) = (folder.join(names::RELAY_CA), folder.join(names::RELAY_CA_KEY));
    Ok(trial_ca::load_ca(&certificate, &key)?)
}
