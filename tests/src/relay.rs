//! A relay as a process of its own, in a folder of its own, on either database.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::programs::Programs;
use crate::run::{Ran, run};

/// How long a relay may take to start or to stop: ten times what a slow machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A relay's folder and, while it runs, its process.
#[derive(Debug)]
pub struct Relay {
    /// Where the programs are.
    pub programs: Programs,
    /// Its folder.
    pub dir: PathBuf,
    /// `https://127.0.0.1:<port>`.
    pub url: String,
    port: u16,
    metrics_port: u16,
    process: Option<Child>,
}

impl Relay {
    /// Initialises a relay in `dir`, which must not exist yet, on a free port.
    ///
    /// # Panics
    /// If that fails.
    pub fn init(programs: Programs, dir: &Path) -> Self {
        Self::init_with(programs, dir, &[])
    }

    /// The same with further arguments to `init`.
    ///
    /// # Panics
    /// If that fails.
    pub fn init_with(programs: Programs, dir: &Path, further: &[&str]) -> Self {
        let port = free_port();
        let mut command = programs.relay();
        command.arg("init").arg(dir).args(["--listen", &format!("127.0.0.1:{port}")]).args(further);
        run(&mut command).expect(0);
        let url = format!("https://127.0.0.1:{port}");
        let metrics_port = free_port();
        let relay = Self { programs, dir: dir.to_owned(), url, port, metrics_port, process: None };
        // Two relays of one test run must not fight for the metrics port.
        let listen = format!("metrics_listen = \"127.0.0.1:{metrics_port}\"");
        relay.configure(|line| line.starts_with("metrics_listen").then(|| listen.clone()));
        relay
    }

    /// Another relay on the same database, in a copy of this one's folder, on ports of its own. Both databases can be shared, but only
    /// PostgreSQL is meant to be.
    ///
    /// # Panics
    /// If the folder can't be copied.
    #[must_use]
    pub fn twin(&self, dir: &Path) -> Self {
        run(Command::new("cp").arg("-r").arg(&self.dir).arg(dir)).expect(0);
        let (port, metrics_port) = (free_port(), free_port());
        let url = format!("https://127.0.0.1:{port}");
        let (programs, dir) = (self.programs.clone(), dir.to_owned());
        let twin = Self { programs, dir, url, port, metrics_port, process: None };
        twin.configure(|line| match line.split(' ').next() {
            Some("listen") => Some(format!("listen = \"127.0.0.1:{port}\"")),
            Some("metrics_listen") => Some(format!("metrics_listen = \"127.0.0.1:{metrics_port}\"")),
            _ => None,
        });
        twin
    }

    /// Replaces lines of `relay.toml`.
    ///
    /// # Panics
    /// If the file can't be read or written.
    pub fn configure(&self, mut change: impl FnMut(&str) -> Option<String>) {
        let path = self.config();
        let text = fs::read_to_string(&path).expect("relay.toml is readable");
        let lines: Vec<String> =
            text.lines().map(|line| change(line).unwrap_or_else(|| line.to_owned())).collect();
        fs::write(&path, lines.join("\n") + "\n").expect("relay.toml is writable");
    }

    /// Puts the database on a PostgreSQL server: a new database of this name.
    pub fn use_database(&self, url: &str) {
        self.configure(|line| line.starts_with("url = \"sqlite:").then(|| format!("url = \"{url}\"")));
    }

    /// The relay's configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("relay.toml")
    }

    /// An administrative command on this relay.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.programs.relay();
        command.arg("--config").arg(self.config()).args(args);
        command
    }

    /// Runs an administrative command.
    pub fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }

    /// Starts the relay and waits until it accepts connections.
    ///
    /// # Panics
    /// If it does not within [`PATIENCE`].
    pub fn start(&mut self) {
        self.start_under(&[]);
    }

    /// Starts the relay under another program, for example a tracer.
    ///
    /// # Panics
    /// If it does not within [`PATIENCE`].
    pub fn start_under(&mut self, wrapper: &[OsString]) {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("a log file");
        let error = log.try_clone().expect("a log file");
        let serve = self.command(&["serve"]);
        let mut command = match wrapper {
            [] => serve,
            [program, args @ ..] => {
                let mut command = Command::new(program);
                command.args(args).arg(serve.get_program()).args(serve.get_args());
                command
            }
        };
        let child = command.stdin(Stdio::null()).stdout(log).stderr(error).spawn().expect("the relay starts");
        self.process = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let gone = self.process.as_mut().and_then(|p| p.try_wait().ok().flatten());
            let late = Instant::now() > deadline;
            assert!(!late && gone.is_none(), "the relay did not start ({gone:?}):\n{}", self.log_text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// File with what the relay logged.
    pub fn log(&self) -> PathBuf {
        self.dir.join("relay.log")
    }

    /// What the relay logged.
    pub fn log_text(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// What the relay's metrics port answers.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn metrics(&self) -> String {
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.metrics_port)).expect("the metrics port answers");
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("the metrics port reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("metrics are text");
        text
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Asks the relay to stop, and waits until it has. True: it ended with exit code 0.
    ///
    /// # Panics
    /// If it does not stop within [`PATIENCE`].
    pub fn stop(&mut self) -> bool {
        let Some(mut process) = self.process.take() else { return true };
        run(Command::new("kill").args(["-TERM", &process.id().to_string()]));
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = process.try_wait().expect("the relay is a child") {
                return status.success();
            }
            if Instant::now() > deadline {
                let _dead = process.kill();
                panic!("the relay did not stop:\n{}", self.log_text());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Kills the relay as a power cut would, as far as processes go.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _status = process.wait();
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on right now, and that this process has not named before.
///
/// It lies below the ports that systems hand out to outgoing connections: one of those could take the port between
/// here and the relay's start, and a connection to a port of that range may meet itself while nobody listens.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    const FIRST: u32 = 15_000;
    const COUNT: u32 = 15_000;
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Processes start in different places, so that two at once rarely try the same ports.
    let start = std::process::id().wrapping_mul(977) % COUNT;
    (0..COUNT)
        .map(|_| FIRST + (start + TAKEN.fetch_add(1, Ordering::Relaxed)) % COUNT)
        .filter_map(|port| u16::try_from(port).ok())
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}
