//! `log verify`: the whole log again, from its leaves.
//!
//! Reads the head first and holds everything against it, so that a relay may go on writing meanwhile.

mod audit;

use serde::Serialize;

use super::CommandError;
use super::output::Output;
use crate::boot::log_signer;
use crate::cli::LogCommand;
use crate::config::Config;
use crate::evidence::witness::Witness;
use crate::store::Store;
use audit::{Audit, Difference};

#[derive(Serialize)]
struct EpochResult {
    epoch: u64,
    leaves: u64,
    checkpoints: u64,
    root: String,
}

#[derive(Serialize)]
struct Found<'a> {
    difference: &'a str,
}

#[derive(Serialize)]
struct Summary {
    verified: bool,
    differences: usize,
}

pub(super) async fn run(config: &Config, command: &LogCommand, output: &Output) -> Result<(), CommandError> {
    let LogCommand::Verify = command;
    let key = log_signer(&config.evidence.log_key)?.verifier();
    // Before the head: what it holds must then be in the database.
    let witness = if config.evidence.witness.exists() {
        Witness::open(&config.evidence.witness, &key)?.last().cloned()
    } else {
        None
    };
    let store = Store::open(&config.database.url).await?;
    let head = store.head().await?;
    let mut differences: Vec<Difference> = Vec::new();
    if head.epoch == 0 {
        differences.push(Difference("the database holds no log".to_owned()));
    }
    for epoch in 1..=head.epoch {
        let audit = Audit::run(&store, &key, &head, epoch, witness.as_ref()).await?;
        let result = EpochResult {
            epoch,
            leaves: audit.leaves,
            checkpoints: audit.checkpoints,
            root: audit.root.to_string(),
        };
        let text = format!(
            "epoch {epoch}: {} leaves, {} checkpoints, root {}",
            result.leaves, result.checkpoints, result.root
        );
        output.line(&result, &text);
        differences.extend(audit.differences);
    }
    match &witness {
        None => output.hint("there is no witness to compare with"),
        Some(last) if last.epoch > head.epoch => {
            let text = format!("the witness knows epoch {}, the database {}", last.epoch, head.epoch);
            differences.push(Difference(text));
        }
        Some(_) => {}
    }
    store.close().await;
    for Difference(text) in &differences {
        output.line(&Found { difference: text }, &format!("DIFFERENCE: {text}"));
    }
    let summary = Summary { verified: differences.is_empty(), differences: differences.len() };
    output.line(&summary, if summary.verified { "the log verifies" } else { "the log does NOT verify" });
    if summary.verified {
        Ok(())
    } else {
        Err(CommandError::Failed(format!("{} differences", differences.len())))
    }
}
