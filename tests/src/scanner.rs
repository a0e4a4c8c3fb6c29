//! Debian's `clamd` as a process of its own, with one signature that is ours: no download, no virus.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::relay::free_port;

/// What the signature matches: nothing but these tests writes it.
pub const INFECTED: &[u8] = b"%PDF-1.7 This is what Tasuki's tests call malware: 7d3c1a";

/// The signature's name, as `clamd` tells it of a database that is not ClamAV's own.
pub const SIGNATURE: &str = "Tasuki.Test.Malware.UNOFFICIAL";

/// Bytes of the longest stream that it takes.
pub const STREAM_MAX_BYTES: usize = 1024 * 1024;

/// How long it may take to start: ten times what a slow machine needs for one signature.
const PATIENCE: Duration = Duration::from_secs(60);

/// A `clamd` with its folder and, while it runs, its process.
#[derive(Debug)]
pub struct ClamDaemon {
    folder: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl ClamDaemon {
    /// Starts one with its configuration and database in a new folder.
    ///
    /// # Panics
    /// If there is no `clamd` (Debian: `clamav-daemon`; `ops/test` installs it), or it does not start.
    pub fn start(folder: &Path) -> Self {
        let port = free_port();
        let (database, temporary) = (folder.join("database"), folder.join("temporary"));
        for folder in [&database, &temporary] {
            fs::create_dir_all(folder).expect("a writable folder");
        }
        // Name, any kind of file, at any offset, these bytes.
        let pattern = tasuki_proto::canonical::hex(INFECTED);
        fs::write(database.join("tasuki.ndb"), format!("Tasuki.Test.Malware:0:*:{pattern}\n"))
            .expect("a writable folder");
        let config = format!(
            "Foreground yes\nTCPSocket {port}\nTCPAddr 127.0.0.1\nLocalSocket {socket}\nDatabaseDirectory {database}\n\
             TemporaryDirectory {temporary}\nLogFile {log}\nStreamMaxLength {STREAM_MAX_BYTES}\nMaxThreads 4\n\
             SelfCheck 0\n",
            socket = folder.join("clamd.ctl").display(),
            database = database.display(),
            temporary = temporary.display(),
            log = folder.join("clamd.log").display(),
        );
        fs::write(folder.join("clamd.conf"), config).expect("a writable folder");
        let mut daemon = Self { folder: folder.to_owned(), port, process: None };
        daemon.start_again();
        daemon
    }

    /// Starts it after a stop, on the same port.
    ///
    /// # Panics
    /// As [`ClamDaemon::start`].
    pub fn start_again(&mut self) {
        // Debian puts it where only root's PATH looks.
        let program =
            ["/usr/sbin/clamd", "/usr/local/sbin/clamd"].into_iter().find(|path| Path::new(path).exists());
        let output = fs::File::create(self.folder.join("output.log")).expect("a writable folder");
        let error = output.try_clone().expect("a log file");
        let mut command = Command::new(program.unwrap_or("clamd"));
        command.arg("--config-file").arg(self.folder.join("clamd.conf"));
        let child = command.stdin(Stdio::null()).stdout(output).stderr(error).spawn();
        self.process = Some(child.expect("clamd starts (Debian's clamav-daemon; ops/test installs it)"));
        let deadline = Instant::now() + PATIENCE;
        while !self.answers() {
            let gone = self.process.as_mut().and_then(|p| p.try_wait().ok().flatten());
            assert!(
                gone.is_none() && Instant::now() < deadline,
                "clamd did not start ({gone:?}):\n{}",
                self.log_text()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else { return false };
        let mut answer = [0; 5];
        stream.write_all(b"zPING\0").is_ok()
            && stream.set_read_timeout(Some(Duration::from_secs(5))).is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"PONG\0"
    }

    /// `HOST:PORT`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The path of its other socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("clamd.ctl")
    }

    /// What it wrote.
    pub fn log_text(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        read("output.log") + &read("clamd.log")
    }

    /// Ends it, as a crash would.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _gone = process.kill();
            let _status = process.wait();
        }
    }
}

impl Drop for ClamDaemon {
    fn drop(&mut self) {
        self.stop();
    }
}
