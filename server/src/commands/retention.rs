//! `retention`: what the sweeps would remove now, by rule, without touching anything.

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use tasuki_proto::time;

use super::csv::Csv;
use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, RetentionConfig};
use crate::retention::{EVIDENCE_PIECE, PIECE};
use crate::store::archive_sweep::Unnamed;
use crate::store::{Store, StoreError};

/// Flags of `retention`.
#[derive(Debug, Args)]
pub(crate) struct Retention {
    /// Print a table as CSV
    #[arg(long)]
    pub(crate) csv: bool,
}

/// What one rule would remove, as `--json` prints it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct RuleObject {
    /// Key of `[retention]`; `archive`: certificates and revocation lists that no evidence names any more.
    rule: &'static str,
    /// State of the parcels whose content goes; null for evidence and for what was refused at the door.
    state: Option<&'static str>,
    /// The kind of file whose shorter period applies; null: none does.
    kind: Option<String>,
    /// Contents of parcels; for evidence, parcels and requests; certificates and lists; submissions that were refused.
    count: u64,
    /// Bytes of sealed contents; for evidence, of the texts of events; of findings.
    bytes: u64,
    /// When the oldest of them was accepted, or was last needed; null: there is none.
    oldest: Option<String>,
}

#[derive(Debug, Default)]
struct Sum {
    count: u64,
    bytes: u64,
    oldest_us: i64,
}

/// Rule, state, kind.
type Group = (&'static str, &'static str, Option<String>);

pub(super) async fn run(arguments: &Retention, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let rules = rules(&store, &config.retention, SystemClock.now_us()).await;
    store.close().await;
    let mut csv = Csv::new(arguments.csv, &["rule", "state", "kind", "count", "bytes", "oldest"], out)?;
    for rule in rules? {
        let RuleObject { rule: name, state, kind, count, bytes, oldest } = &rule;
        let kind = kind.as_deref().unwrap_or_default();
        let (state, oldest) = (state.unwrap_or_default(), oldest.as_deref().unwrap_or("-"));
        let row = [name, state, kind, &count.to_string(), &bytes.to_string(), oldest];
        let (ja, en) = match *name {
            "evidence" => ("証拠", "evidence"),
            "archive" => ("証明書と失効リスト", "certificates and revocation lists"),
            "rejected" => ("拒否の記録", "refusals"),
            _ => ("内容", "content"),
        };
        let what = |word: &str| format!("{name:<12} {state:<12} {kind:<10} {word}");
        let text = Text::new(
            format!("{} {count}件 {bytes}バイト 最も古いもの {oldest}", what(ja)),
            format!("{} {count}, {bytes} bytes, oldest {oldest}", what(en)),
        );
        csv.result(&rule, &row, &text, out)?;
    }
    Ok(Exit::Done)
}

async fn rules(
    store: &Store,
    retention: &RetentionConfig,
    now_us: i64,
) -> Result<Vec<RuleObject>, StoreError> {
    let mut sums: BTreeMap<Group, Sum> = BTreeMap::new();
    let mut after = 0;
    loop {
        let piece = store.kept_after(after, PIECE).await?;
        let Some(last) = piece.last() else { break };
        after = last.seq;
        for parcel in piece.iter().filter(|row| retention.goes_us(row).is_some_and(|at_us| at_us < now_us)) {
            let Some((rule, kind)) = retention.rule(parcel) else { continue };
            let sum = sums.entry((rule, parcel.state.as_str(), kind)).or_default();
            sum.count += 1;
            sum.bytes += parcel.sealed_size;
            // In the order of acceptance: the first is the oldest.
            if sum.oldest_us == 0 {
                sum.oldest_us = parcel.accepted_us;
            }
        }
    }
    let oldest = |us: i64| (us > 0).then(|| time::format_us(us));
    let mut rules: Vec<RuleObject> = sums
        .into_iter()
        .map(|((rule, state, kind), Sum { count, bytes, oldest_us })| RuleObject {
            rule,
            state: Some(state),
            kind,
            count,
            bytes,
            oldest: oldest(oldest_us),
        })
        .collect();
    let due = store.evidence_due(retention.evidence_before_us(now_us), EVIDENCE_PIECE).await?;
    rules.push(RuleObject {
        rule: "evidence",
        state: None,
        kind: None,
        count: due.parcels + due.requests,
        bytes: due.bytes,
        oldest: oldest(due.oldest_us),
    });
    let Unnamed { count, bytes, oldest_us } = store.archive_due().await?;
    rules.push(RuleObject {
        rule: "archive",
        state: None,
        kind: None,
        count,
        bytes,
        oldest: oldest(oldest_us),
    });
    let (count, bytes, oldest_us) =
        store.refusals_before(now_us.saturating_sub(retention.rejected.us())).await?;
    rules.push(RuleObject {
        rule: "rejected",
        state: None,
        kind: None,
        count,
        bytes,
        oldest: oldest(oldest_us),
    });
    Ok(rules)
}
