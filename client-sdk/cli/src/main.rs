//! The binary `tasuki`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tasuki_cli::main_with(&std::env::args_os().collect::<Vec<_>>())
}
