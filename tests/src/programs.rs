//! One binary, both programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// First argument that makes this crate's binaries act as one of the programs.
const AS: &str = "as";

/// Runs a program if the command line asks for one.
pub fn dispatch(args: &[OsString]) -> Option<ExitCode> {
    let [_, first, program, ..] = args else { return None };
    if first != AS {
        return None;
    }
    let rest = args[2..].to_vec();
    match program.to_str() {
        Some("tasuki-relay") => Some(tasuki_server::main_with(rest)),
        Some("tasuki") => Some(tasuki_cli::main_with(&rest)),
        _ => None,
    }
}

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    binary: PathBuf,
    environment: Vec<(String, OsString)>,
}

impl Programs {
    /// A binary of this crate that calls [`dispatch`]: `env!("CARGO_BIN_EXE_tasuki-demo")` in tests,
    /// `std::env::current_exe()` in binaries.
    pub fn new(binary: impl AsRef<Path>) -> Self {
        Self { binary: binary.as_ref().to_owned(), environment: Vec::new() }
    }

    /// The same with another variable in the environment of each program.
    #[must_use]
    pub fn with(mut self, variable: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((variable.to_owned(), value.into()));
        self
    }

    /// The relay's program.
    pub fn relay(&self) -> Command {
        self.command("tasuki-relay")
    }

    /// The office's program.
    pub fn tasuki(&self) -> Command {
        self.command("tasuki")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.binary);
        command.args([AS, program]);
        // What a developer's shell says must not change what a test sees.
        for variable in ["TASUKI_HOME", "TASUKI_LANG", "HTTPS_PROXY", "https_proxy", "RUST_LOG"] {
            command.env_remove(variable);
        }
        command.envs(self.environment.iter().map(|(variable, value)| (variable, value)));
        command
    }
}
