//! `tasuki completions`: a script for a shell.

use clap_complete::{Shell, generate};
use serde::Serialize;

use crate::args;
use crate::exit::{Exit, Failure};
use crate::output::Output;

#[derive(Serialize)]
struct CompletionsObject {
    shell: String,
    script: String,
}

/// `tasuki completions SHELL`.
pub(super) fn completions(shell: Shell, out: &mut Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    generate(shell, &mut args::definition(out.lang()), "tasuki", &mut script);
    if out.is_json() {
        let script = String::from_utf8_lossy(&script).into_owned();
        out.object(&CompletionsObject { shell: shell.to_string(), script })?;
    } else {
        out.raw(&script)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::lang::Lang;

    #[test]
    fn every_shell_gets_a_script_that_names_the_commands() {
        for shell in Shell::value_variants() {
            let (mut out, results, _) = Output::captured(Lang::Ja, false);
            completions(*shell, &mut out).unwrap();
            assert!(results.text().contains("evidence"), "{shell}");
        }
        let (mut out, results, _) = Output::captured(Lang::En, true);
        completions(Shell::Bash, &mut out).unwrap();
        assert_eq!(results.objects()[0]["shell"], "bash");
    }
}
