//! `witness`: the witnesses of the configuration, and what each has vouched for last.

use serde::Serialize;
use tasuki_proto::time;

use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::config::Config;
use crate::evidence::witnesses::Witnesses;
use crate::store::cosignatures::CosignatureRow;

/// A witness, as `--json` prints it.
#[derive(Serialize)]
struct WitnessObject<'a> {
    witness: &'a str,
    key: &'a str,
    /// Epoch of the log in which it has vouched last; null: in the present one it has not.
    epoch: Option<u64>,
    /// Leaves that it has vouched for.
    size: Option<u64>,
    /// Leaves that the log has.
    log_size: u64,
    time: Option<String>,
}

pub(super) async fn run(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let read = async {
        let head = store.head().await?;
        Ok::<_, Failure>((store.cosignatures(head.epoch).await?, head.size))
    };
    let read = read.await;
    store.close().await;
    let (rows, log_size) = read?;
    let witnesses = Witnesses::parse(&config.witnesses.keys).unwrap_or_default();
    for witness in witnesses.keys() {
        let key = witness.vkey();
        let last = rows.iter().map(|(row, _)| row).find(|row| row.witness == key);
        let time = last.map(|row| time::format_us(us(row)));
        let object = WitnessObject {
            witness: witness.name(),
            key: &key,
            epoch: last.map(|row| row.epoch),
            size: last.map(|row| row.size),
            log_size,
            time: time.clone(),
        };
        out.result(&object, &line(witness.name(), last, log_size, time.as_deref()))?;
    }
    Ok(Exit::Done)
}

fn us(row: &CosignatureRow) -> i64 {
    i64::try_from(row.time_s).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

fn line(name: &str, last: Option<&CosignatureRow>, log_size: u64, time: Option<&str>) -> Text {
    match (last, time) {
        (Some(row), Some(time)) => Text::new(
            format!("{name}  {time}  {log_size}件中{}件まで確認", row.size),
            format!("{name}  {time}  vouches for {} of {log_size}", row.size),
        ),
        _ => Text::new(format!("{name}  まだ確認していません"), format!("{name}  has not vouched yet")),
    }
}
