//! `tasuki-relay`: everything is in the library, so that tests run the same code in their own process.

use std::process::ExitCode;

fn main() -> ExitCode {
    tasuki_server::main_with(std::env::args_os().collect())
}
