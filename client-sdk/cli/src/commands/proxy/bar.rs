//! A bar that follows a proxy's round: files, parcels, offices, with totals.

use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tasuki_sdk::send::SendOutcome;
use tasuki_sdk::{Progress, Step};

use crate::lang::{Lang, Text};
use crate::progress::reconnecting;

/// The bar, on standard error. Invisible where that is no terminal.
pub(super) struct RoundBar {
    lang: Lang,
    drawn: ProgressBar,
    count: Mutex<Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    offices: usize,
    offices_done: usize,
    accepted: usize,
    rejected: usize,
    pending: usize,
    received: usize,
}

impl RoundBar {
    pub(super) fn new(lang: Lang) -> Self {
        Self::drawn_on(ProgressDrawTarget::stderr(), lang)
    }

    fn drawn_on(target: ProgressDrawTarget, lang: Lang) -> Self {
        let drawn = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}");
        drawn.set_style(style.expect("the template is a constant"));
        Self { lang, drawn, count: Mutex::default() }
    }

    /// Takes the bar off the screen, before results are printed.
    pub(super) fn clear(&self) {
        self.drawn.finish_and_clear();
    }

    fn counted(&self, change: impl FnOnce(&mut Count)) {
        // A panic while the lock was held leaves numbers that are good enough for a bar.
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut count);
        if self.drawn.is_hidden() {
            return;
        }
        self.drawn.set_message(count.text().of(self.lang).to_owned());
    }
}

impl Count {
    fn text(&self) -> Text {
        let Self { offices, offices_done, accepted, rejected, pending, received } = self;
        Text::new(
            format!(
                "ファイル  事業所 {offices_done}/{offices}  送信 {accepted} 拒否 {rejected} 未送信 {pending} 受信 {received}"
            ),
            format!(
                "files  offices {offices_done}/{offices}  sent {accepted} rejected {rejected} pending {pending} received {received}"
            ),
        )
    }
}

impl Progress for RoundBar {
    fn step(&self, step: Step<'_>) {
        match step {
            Step::Round { offices, files } => {
                self.drawn.set_length(files.try_into().unwrap_or(u64::MAX));
                self.counted(|count| count.offices = offices);
            }
            Step::OfficeDone => self.counted(|count| count.offices_done += 1),
            Step::Sent(report) => {
                self.drawn.inc(report.files.len().try_into().unwrap_or(u64::MAX));
                self.counted(|count| match report.outcome {
                    SendOutcome::Accepted { .. } | SendOutcome::Recorded { .. } => count.accepted += 1,
                    SendOutcome::Rejected(_) => count.rejected += 1,
                    SendOutcome::Pending(_) | SendOutcome::Unproven(_) => count.pending += 1,
                });
            }
            Step::Received(report) if report.outcome.error().is_none() => {
                self.counted(|count| count.received += 1);
            }
            Step::Reconnecting { attempt, .. } => {
                self.drawn.set_message(reconnecting(attempt).of(self.lang).to_owned());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_follows_offices_and_files() {
        let bar = RoundBar::drawn_on(ProgressDrawTarget::hidden(), Lang::En);
        bar.step(Step::Round { offices: 2, files: 5 });
        bar.step(Step::OfficeDone);
        assert_eq!(bar.drawn.length(), Some(5));
        let text = bar.count.lock().unwrap().text();
        assert!(text.en.starts_with("files  offices 1/2  sent 0"), "{}", text.en);
        bar.clear();
    }
}
