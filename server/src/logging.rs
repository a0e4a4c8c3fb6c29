//! What the relay writes about its own work: to standard error, as text or JSON, never with content.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LoggingConfig};

/// The level can't be read.
#[derive(Debug, thiserror::Error)]
#[error("logging.level: {0}")]
pub struct LevelError(String);

/// Begins to write. A second call changes nothing.
///
/// # Errors
/// [`LevelError`] names the directive.
pub fn start(config: &LoggingConfig) -> Result<(), LevelError> {
    let filter = EnvFilter::try_new(&config.level).map_err(|error| LevelError(error.to_string()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging had been started before");
    }
    Ok(())
}
