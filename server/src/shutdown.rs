//! Going down in order: whoever must stop is told, and a second signal does not wait.

use std::io;

use tokio::sync::watch;

/// Tells everybody to stop. Dropping it tells them too.
#[derive(Debug)]
pub struct Shutdown {
    sender: watch::Sender<bool>,
}

/// Where a task hears that it is to stop.
#[derive(Clone, Debug)]
pub struct Stopping {
    receiver: watch::Receiver<bool>,
}

impl Shutdown {
    /// Nobody is stopping yet.
    pub fn new() -> (Self, Stopping) {
        let (sender, receiver) = watch::channel(false);
        (Self { sender }, Stopping { receiver })
    }

    /// From now on everybody is stopping.
    pub fn begin(&self) {
        self.sender.send_replace(true);
    }
}

impl Stopping {
    /// The relay is going down.
    pub fn now(&self) -> bool {
        *self.receiver.borrow()
    }

    /// Resolves when the relay is going down.
    pub async fn wait(&mut self) {
        // An error means that the relay's end of the channel is gone: it went down.
        let _told = self.receiver.wait_for(|stopping| *stopping).await;
    }
}

/// Listens, from this call on, to the system asking the process to end: SIGTERM or SIGINT, Ctrl-C elsewhere. What is returned
/// resolves when it does.
///
/// # Errors
/// If signals can't be listened to.
#[cfg(unix)]
pub fn signal() -> io::Result<impl Future<Output = &'static str> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Listens, from this call on, to the system asking the process to end: SIGTERM or SIGINT, Ctrl-C elsewhere. What is returned
/// resolves when it does.
///
/// # Errors
/// If signals can't be listened to.
#[cfg(not(unix))]
pub fn signal() -> io::Result<impl Future<Output = &'static str> + Send> {
    let mut asked = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        asked.recv().await;
        "Ctrl-C"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_it_also_who_asks_late() {
        let (shutdown, stopping) = Shutdown::new();
        assert!(!stopping.now());
        let mut early = stopping.clone();
        let waiting = tokio::spawn(async move { early.wait().await });
        shutdown.begin();
        waiting.await.unwrap();
        assert!(stopping.now());
        stopping.clone().wait().await;
    }

    #[tokio::test]
    async fn a_lost_relay_is_a_stopped_one() {
        let (shutdown, mut stopping) = Shutdown::new();
        drop(shutdown);
        stopping.wait().await;
    }
}
