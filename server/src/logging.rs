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

/// From now on a panic is logged as an error with its place. Its message is not: it may quote what was being worked
/// on, for example a text that was cut inside a character.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(
            panic.place = place,
            thread.name = thread.name().unwrap_or_default(),
            "a bug: a panic"
        );
    }));
}
