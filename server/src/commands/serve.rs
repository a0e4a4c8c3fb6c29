//! `serve`: runs the relay until the system asks it to stop.

use std::net::SocketAddr;

use serde::Serialize;

use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::config::Config;
use crate::logging;
use crate::serve::ServeError;
use crate::server_certificate::ServerCertificateError;
use crate::shutdown;

/// Where the relay listens, as `--json` prints it.
#[derive(Serialize)]
struct Listening {
    listening: String,
}

pub(super) async fn run(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    logging::start(&config.logging).map_err(|error| Failure::Setup(error.to_string()))?;
    logging::tell_panics();
    no_core_dumps()?;
    // Before anybody can know that the relay is there: who asks as soon as it listens is heard.
    let stop = asked_to_stop();
    let listening = |address: SocketAddr| {
        let text = Text::new(format!("{address}で待ち受けています"), format!("listening on {address}"));
        // A closed standard output is no reason to refuse service.
        let _closed = out.result(&Listening { listening: address.to_string() }, &text);
    };
    crate::serve::serve(config, stop, listening).await.map_err(explain)?;
    Ok(Exit::Done)
}

/// Listens, from this call on, to the system asking the process to end; what is returned resolves when it does.
fn asked_to_stop() -> impl Future<Output = ()> {
    let (tell, asked) = tokio::sync::oneshot::channel();
    match shutdown::signal() {
        Ok(first) => {
            tokio::spawn(async move {
                let signal = first.await;
                tracing::info!(signal, "asked to stop");
                let again = shutdown::signal();
                let _gone = tell.send(());
                // Who asks twice does not want to wait.
                if let Ok(again) = again {
                    again.await;
                    tracing::warn!("asked to stop again: not waiting");
                    std::process::exit(1);
                }
            });
        }
        Err(error) => tracing::error!(%error, "signals can't be listened to"),
    }
    async move {
        if asked.await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn explain(error: ServeError) -> Failure {
    match error {
        ServeError::Boot(error) => error.into(),
        ServeError::Certificate(ServerCertificateError::Key(error)) => error.into(),
        ServeError::Trust(error) => error.into(),
        ServeError::Config(error) => error.into(),
        ServeError::Fatal(fatal) => fatal.into(),
        ServeError::Certificate(_) | ServeError::Tls(_) => Failure::Setup(error.to_string()),
        error => {
            let text = error.to_string();
            Failure::rejected("SERVE", format!("中継サーバーを続けられません: {text}"), text)
        }
    }
}

/// A core dump would hold parcels in the clear.
#[cfg(unix)]
fn no_core_dumps() -> Result<(), Failure> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).map_err(|error| {
        Failure::rejected(
            "CORE_DUMPS",
            format!("コアダンプを止められません: {error}"),
            format!("core dumps can't be switched off: {error}"),
        )
    })
}

/// A core dump would hold parcels in the clear. Other systems write none unless they are set up for it.
#[cfg(not(unix))]
fn no_core_dumps() -> Result<(), Failure> {
    Ok(())
}
