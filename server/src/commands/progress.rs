//! Progress of long commands: a bar on a terminal, on standard error; nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::lang::Text;
use super::output::Output;

/// A bar. It goes when it is dropped, before results are printed.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar over `total` steps.
    pub(super) fn new(total: u64, label: &Text, out: &Output) -> Self {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta}");
        bar.set_style(style.expect("the template is a constant"));
        bar.set_message(label.of(out.lang()).to_owned());
        Self(bar)
    }

    /// Only now it is known how many steps there are.
    pub(super) fn set_total(&self, total: u64) {
        self.0.set_length(total);
    }

    /// So many more steps are done.
    pub(super) fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
