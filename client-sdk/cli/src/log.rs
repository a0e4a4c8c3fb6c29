//! What the library logs, for whoever looks for the cause of a problem: on standard error, and only on demand.

use tracing_subscriber::EnvFilter;

/// Environment variable that asks for it: `info`, `debug`, or what else `tracing-subscriber` takes as a filter.
pub(crate) const VARIABLE: &str = "TASUKI_LOG";

/// Starts logging if a filter is given; a filter that makes no sense logs warnings.
pub(crate) fn start(filter: Option<&str>) {
    let Some(filter) = filter.filter(|filter| !filter.is_empty()) else { return };
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}
