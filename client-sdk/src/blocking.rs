//! Work that takes long runs off tokio's own threads.

use std::sync::LazyLock;

use crate::error::SdkError;

/// Runs disk or CPU work on a thread for it.
pub(crate) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SdkError> + Send + 'static,
) -> Result<T, SdkError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going down, and whoever waits here with it.
            Err(_) => Err(SdkError::Io {
                path: std::path::PathBuf::new(),
                kind: std::io::ErrorKind::Interrupted,
                message: "the program is ending".to_owned(),
            }),
        },
    }
}

/// How many such pieces of work run side by side.
pub(crate) fn parallelism() -> usize {
    *PARALLELISM
}

/// Asked once: on Linux the answer takes reading several files.
static PARALLELISM: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from).min(8));
