//! `tasuki watch --exec CMD`: a program for each piece of news, which gets it as one JSON object on standard input.
//!
//! The program is started itself, never through a shell. It has done its work when it ends with exit code 0; until then
//! the news does not count as processed, so that it comes again after a crash, and after the command has given up.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use serde::Serialize;

use crate::exit::Failure;
use crate::lang::Text;
use crate::output::Output;

/// Times that the program is started for one piece of news; with the pauses between them 15 s and its own time.
const ATTEMPTS: u32 = 5;

/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// How long one run may take: news that come meanwhile wait behind it.
const MAX_RUN: Duration = Duration::from_secs(10 * 60);

/// How long a program may go on once somebody asked to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How often a running program is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// The program and its arguments.
pub(super) struct Exec {
    program: OsString,
    arguments: Vec<OsString>,
    /// Somebody asked to stop.
    stop: Arc<AtomicBool>,
    first_pause: Duration,
    max_run: Duration,
}

/// What became of one piece of news.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The program has done its work.
    Done,
    /// Somebody asked to stop before it had.
    Stopped,
}

/// How one run ended without success.
enum Ended {
    With(ExitStatus),
    TooLong,
    Stopped,
}

impl Exec {
    /// `line` is the program with its arguments; `None` if it is empty.
    pub(super) fn new(line: &[OsString], stop: Arc<AtomicBool>) -> Option<Self> {
        let (program, arguments) = line.split_first()?;
        Some(Self {
            program: program.clone(),
            arguments: arguments.to_vec(),
            stop,
            first_pause: FIRST_PAUSE,
            max_run: MAX_RUN,
        })
    }

    /// Runs the program for one piece of news until it succeeds, as often as that may take.
    pub(super) fn run(&self, news: &impl Serialize, out: &mut Output) -> Result<Outcome, Failure> {
        let mut line = serde_json::to_vec(news).map_err(io::Error::from)?;
        line.push(b'\n');
        let mut pause = self.first_pause;
        for attempt in 1..=ATTEMPTS {
            let why = match self.once(&line)? {
                Ended::With(status) if status.success() => return Ok(Outcome::Done),
                Ended::Stopped => return Ok(Outcome::Stopped),
                Ended::With(status) => with_status(status),
                Ended::TooLong => Text::new("時間がかかりすぎました", "it took too long"),
            };
            if attempt == ATTEMPTS {
                return Err(self.gave_up(&why));
            }
            let seconds = pause.as_secs();
            out.remark(
                "EXEC_RETRY",
                &Text::new(
                    format!("--exec のコマンドが失敗しました（{}）。{seconds}秒後にやり直します（{attempt}/{ATTEMPTS}）。", why.ja),
                    format!("the command of --exec failed ({}); trying again in {seconds} s ({attempt} of {ATTEMPTS})", why.en),
                ),
            );
            if self.rest(pause) {
                return Ok(Outcome::Stopped);
            }
            pause *= 2;
        }
        Ok(Outcome::Stopped)
    }

    fn once(&self, line: &[u8]) -> Result<Ended, Failure> {
        let mut command = Command::new(&self.program);
        // Standard output belongs to this command's own results.
        command.args(&self.arguments).stdin(Stdio::piped()).stdout(Stdio::from(io::stderr()));
        let mut child = command.spawn().map_err(|error| self.not_started(&error))?;
        if let Some(mut input) = child.stdin.take() {
            let line = line.to_vec();
            // A program that does not read must not hold up the look at it; one that ends early need not read all.
            thread::spawn(move || drop(input.write_all(&line)));
        }
        self.wait(&mut child).map_err(|error| self.not_started(&error))
    }

    fn wait(&self, child: &mut Child) -> io::Result<Ended> {
        let (mut ran, mut asked) = (Duration::ZERO, Duration::ZERO);
        loop {
            if let Some(status) = child.try_wait()? {
                let stopped = self.stop.load(Ordering::Relaxed) && !status.success();
                return Ok(if stopped { Ended::Stopped } else { Ended::With(status) });
            }
            let ended = match () {
                () if ran >= self.max_run => Some(Ended::TooLong),
                () if asked >= GRACE => Some(Ended::Stopped),
                () => None,
            };
            if let Some(ended) = ended {
                child.kill()?;
                child.wait()?;
                return Ok(ended);
            }
            sleep(LOOK);
            ran += LOOK;
            if self.stop.load(Ordering::Relaxed) {
                asked += LOOK;
            }
        }
    }

    /// Waits; true: somebody asked to stop.
    fn rest(&self, pause: Duration) -> bool {
        let mut rested = Duration::ZERO;
        while rested < pause && !self.stop.load(Ordering::Relaxed) {
            sleep(LOOK);
            rested += LOOK;
        }
        self.stop.load(Ordering::Relaxed)
    }

    fn not_started(&self, error: &io::Error) -> Failure {
        let program = self.program.display();
        Failure::usage(
            format!("--exec のコマンド {program} を実行できません: {error}"),
            format!("the command of --exec, {program}, can't be run: {error}"),
        )
    }

    fn gave_up(&self, why: &Text) -> Failure {
        let program = self.program.display();
        Failure::Stopped(
            "EXEC_FAILED",
            Text::new(
                format!(
                    "--exec のコマンド {program} が{ATTEMPTS}回失敗しました（{}）。この出来事は処理済みにしていません。\
                     原因を直してから tasuki watch をもう一度実行すると、ここから続けます。",
                    why.ja
                ),
                format!(
                    "the command of --exec, {program}, failed {ATTEMPTS} times ({}). The event does not count as \
                     processed: mend the cause and run tasuki watch again, it goes on from here.",
                    why.en
                ),
            ),
        )
    }
}

fn with_status(status: ExitStatus) -> Text {
    match status.code() {
        Some(code) => Text::new(format!("終了コード {code}"), format!("exit code {code}")),
        None => Text::new("強制終了されました", "it was killed"),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;
    use crate::exit::Exit;
    use crate::lang::Lang;
    use crate::testing::{Folder, folder};

    fn exec(script: &str, folder: &Folder) -> Exec {
        let line = ["sh", "-c", script, "sh"].map(OsString::from);
        let line = [&line[..], &[folder.path().into()]].concat();
        let exec = Exec::new(&line, Arc::default()).unwrap();
        Exec { first_pause: Duration::from_millis(1), max_run: Duration::from_millis(500), ..exec }
    }

    #[test]
    fn the_program_gets_the_news_and_no_shell_is_in_between() {
        let folder = folder("exec-input", "none");
        let (mut out, results, errors) = Output::captured(Lang::En, true);
        let line = ["tee", "$(touch x); a b"].map(OsString::from);
        let mut exec = Exec::new(&line, Arc::default()).unwrap();
        exec.arguments = vec![folder.path().join("$(touch x); a b").into()];
        assert_eq!(exec.run(&json!({"kind": "x"}), &mut out).unwrap(), Outcome::Done);
        assert_eq!(fs::read_to_string(folder.path().join("$(touch x); a b")).unwrap(), "{\"kind\":\"x\"}\n");
        assert_eq!((results.text().as_str(), errors.text().as_str()), ("", ""));
        assert!(Exec::new(&[], Arc::default()).is_none());
    }

    #[test]
    fn what_fails_is_tried_again_and_bounded() {
        let folder = folder("exec-again", "none");
        let (mut out, _, errors) = Output::captured(Lang::Ja, true);
        let count = "cat >/dev/null; echo x >>\"$1/runs\"; ";
        let third = exec(&format!("{count} [ $(wc -l <\"$1/runs\") -ge 3 ]"), &folder);
        assert_eq!(third.run(&json!({}), &mut out).unwrap(), Outcome::Done);
        let told = errors.objects();
        assert_eq!((told.len(), &told[0]["notice"]), (2, &"EXEC_RETRY".into()));
        let never = exec(&format!("{count} exit 7"), &folder);
        let failure = never.run(&json!({}), &mut out).unwrap_err();
        assert_eq!(failure.exit(), Exit::Rejected);
        let Failure::Stopped("EXEC_FAILED", text) = failure else { panic!("{failure:?}") };
        assert!(text.ja.contains("終了コード 7") && text.en.contains("exit code 7"), "{text:?}");
        assert_eq!(fs::read_to_string(folder.path().join("runs")).unwrap().lines().count(), 3 + 5);
    }

    #[test]
    fn what_hangs_is_ended_and_what_is_not_there_is_a_usage_error() {
        let folder = folder("exec-hangs", "none");
        let (mut out, ..) = Output::captured(Lang::En, true);
        let hangs = exec("exec sleep 60", &folder);
        assert!(matches!(hangs.once(b"{}\n"), Ok(Ended::TooLong)));
        let missing = Exec::new(&["/no/such/program".into()], Arc::default()).unwrap();
        assert_eq!(missing.run(&json!({}), &mut out).unwrap_err().exit(), Exit::Usage);
    }

    #[test]
    fn who_asks_to_stop_does_not_wait_for_further_attempts() {
        let folder = folder("exec-stop", "none");
        let (mut out, ..) = Output::captured(Lang::En, true);
        let failing = exec("exit 1", &folder);
        failing.stop.store(true, Ordering::Relaxed);
        assert_eq!(failing.run(&json!({}), &mut out).unwrap(), Outcome::Stopped);
        let done = exec("exit 0", &folder);
        done.stop.store(true, Ordering::Relaxed);
        assert_eq!(done.run(&json!({}), &mut out).unwrap(), Outcome::Done);
    }
}
