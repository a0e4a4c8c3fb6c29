//! `serve`

use serde::Serialize;

use super::CommandError;
use super::output::Output;
use crate::boot::BootError;
use crate::config::Config;
use crate::logging;
use crate::serve::ServeError;
use crate::shutdown;

#[derive(Serialize)]
struct Listening {
    listening: String,
}

pub(super) async fn run(config: &Config, output: &Output) -> Result<(), CommandError> {
    logging::start(&config.logging).map_err(|error| CommandError::Usage(error.to_string()))?;
    no_core_dumps()?;
    let stop = async {
        match shutdown::signal().await {
            Ok(signal) => {
                tracing::info!(signal, "asked to stop");
                // Who asks twice does not want to wait.
                tokio::spawn(async {
                    if shutdown::signal().await.is_ok() {
                        tracing::warn!("asked to stop again: not waiting");
                        std::process::exit(1);
                    }
                });
            }
            Err(error) => {
                tracing::error!(%error, "signals can't be listened to");
                std::future::pending::<()>().await;
            }
        }
    };
    let listening = |address: std::net::SocketAddr| {
        output.line(&Listening { listening: address.to_string() }, &format!("listening on {address}"));
    };
    crate::serve::serve(config, stop, listening).await.map_err(explain)
}

fn explain(error: ServeError) -> CommandError {
    match error {
        ServeError::Boot(
            error @ (BootError::Secret { .. } | BootError::LogKey { .. } | BootError::Exposed(_)),
        ) => CommandError::Usage(error.to_string()),
        ServeError::Trust(_)
        | ServeError::CertificateFile { .. }
        | ServeError::Identity(_)
        | ServeError::Tls(_) => CommandError::Usage(error.to_string()),
        error => CommandError::Failed(error.to_string()),
    }
}

/// A core dump would hold parcels in the clear.
#[cfg(unix)]
fn no_core_dumps() -> Result<(), CommandError> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none)
        .map_err(|error| CommandError::Failed(format!("core dumps can't be switched off: {error}")))
}

/// A core dump would hold parcels in the clear. Other systems write none unless they are set up for it.
#[cfg(not(unix))]
fn no_core_dumps() -> Result<(), CommandError> {
    Ok(())
}
