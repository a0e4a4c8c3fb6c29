//! Progress of long calls: a bar on a terminal, on standard error; plain lines nowhere else.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tasuki_sdk::{Progress, Step};

use crate::lang::{Lang, Text};

/// A bar that follows a long call. Invisible where standard error is no terminal.
pub(crate) struct Bar {
    lang: Lang,
    drawn: ProgressBar,
    count: Mutex<Count>,
}

/// What was done and is to be done.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    done: usize,
    all: usize,
    /// Files that are read, instead of parcels that travel.
    files: bool,
}

impl Bar {
    /// A bar on standard error.
    pub(crate) fn new(lang: Lang) -> Self {
        Self::drawn_on(ProgressDrawTarget::stderr(), lang)
    }

    fn drawn_on(target: ProgressDrawTarget, lang: Lang) -> Self {
        let drawn = ProgressBar::with_draw_target(Some(0), target);
        let template = "{bar:30} {binary_bytes}/{binary_total_bytes} {msg}";
        drawn.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
        Self { lang, drawn, count: Mutex::default() }
    }

    /// Takes the bar off the screen, before results are printed.
    pub(crate) fn clear(&self) {
        self.drawn.finish_and_clear();
    }

    fn counted(&self, change: impl FnOnce(&mut Count)) {
        // A panic while the lock was held leaves numbers that are good enough for a bar.
        let mut count = self.count.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        change(&mut count);
        let Count { done, all, files } = *count;
        let text = if files {
            Text::new(format!("ファイル {done}/{all}"), format!("files {done}/{all}"))
        } else {
            Text::new(format!("電文 {done}/{all}"), format!("parcels {done}/{all}"))
        };
        self.drawn.set_message(text.of(self.lang).to_owned());
    }
}

impl Progress for Bar {
    fn step(&self, step: Step<'_>) {
        match step {
            Step::Planned { parcels, bytes } => {
                self.drawn.set_length(bytes);
                self.counted(|count| count.all = parcels);
            }
            Step::Reading { files, bytes } => {
                self.drawn.set_length(bytes);
                self.counted(|count| *count = Count { done: 0, all: files, files: true });
            }
            Step::Read { bytes } => {
                self.drawn.inc(bytes);
                self.counted(|count| count.done += 1);
            }
            Step::Transferred { bytes } => {
                self.drawn.inc(bytes);
                // Compressed, signed and sealed bytes may be more than those of the files.
                if self.drawn.length().is_some_and(|length| self.drawn.position() > length) {
                    self.drawn.set_length(self.drawn.position());
                }
            }
            Step::Sent(_) | Step::Received(_) | Step::Saved => self.counted(|count| count.done += 1),
            Step::Reconnecting { attempt, .. } => {
                self.drawn.set_message(reconnecting(attempt).of(self.lang).to_owned());
            }
            _ => {}
        }
    }
}

/// What every bar says while the connection is lost.
pub(crate) fn reconnecting(attempt: u32) -> Text {
    Text::new(
        format!("接続が切れました。再接続しています（{attempt}回目）"),
        format!("the connection is lost; trying again (attempt {attempt})"),
    )
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::error::Unreachable;

    use super::*;

    #[test]
    fn a_bar_follows_parcels_and_bytes() {
        let bar = Bar::drawn_on(ProgressDrawTarget::hidden(), Lang::En);
        bar.step(Step::Planned { parcels: 2, bytes: 100 });
        bar.step(Step::Transferred { bytes: 60 });
        assert_eq!((bar.drawn.position(), bar.drawn.length()), (60, Some(100)));
        assert_eq!(bar.drawn.message(), "parcels 0/2");
        // More than was planned is no error.
        bar.step(Step::Transferred { bytes: 60 });
        assert_eq!((bar.drawn.position(), bar.drawn.length()), (120, Some(120)));
        bar.step(Step::Reconnecting { attempt: 2, error: &Unreachable::Timeout.into() });
        assert!(bar.drawn.message().contains("attempt 2"));
        bar.clear();
    }

    #[test]
    fn a_bar_follows_files_that_are_read() {
        let bar = Bar::drawn_on(ProgressDrawTarget::hidden(), Lang::Ja);
        bar.step(Step::Reading { files: 2, bytes: 100 });
        bar.step(Step::Read { bytes: 60 });
        assert_eq!((bar.drawn.position(), bar.drawn.message().as_str()), (60, "ファイル 1/2"));
    }
}
