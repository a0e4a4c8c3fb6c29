//! `alerts`: what was unusual lately.

use clap::Args;
use serde::Serialize;
use tasuki_proto::time;

use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::store::alerts::{
    AddressAlert, Alert, NEW_KEY, NEW_TERMINAL, REFUSED_HANDSHAKES, SIGNATURE_FAILURES,
};

/// Flags of `alerts`.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    /// How many days back
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=400))]
    pub(crate) days: u32,
}

/// Alerts that are listed at most, the newest first.
const MOST: u32 = 10_000;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// An alert, as `--json` prints it.
#[derive(Serialize)]
struct AlertObject {
    code: &'static str,
    /// Null: it is about an address.
    office: Option<String>,
    /// Null: it is about an office.
    address: Option<String>,
    time: String,
    count: i64,
    usual: i64,
}

pub(super) async fn run(arguments: &Alerts, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let since_us = SystemClock.now_us().saturating_sub(i64::from(arguments.days) * DAY_US);
    let store = desk::open_to_read(config).await?;
    let alerts = store.alerts_since(since_us, MOST).await;
    let addresses = store.address_alerts_since(since_us, MOST).await;
    store.close().await;
    for Alert { code, office, at_us, count, usual, .. } in alerts? {
        let time = time::format_us(at_us);
        let text = match code {
            NEW_KEY => Text::new(
                format!("{time}  {office}  新しい鍵が登録されました"),
                format!("{time}  {office}  got another key"),
            ),
            NEW_TERMINAL => Text::new(
                format!("{time}  {office}  新しい端末が登録されました"),
                format!("{time}  {office}  has a further terminal"),
            ),
            SIGNATURE_FAILURES => Text::new(
                format!("{time}  {office}  署名の不備が続いています({count}件)"),
                format!("{time}  {office}  signatures fail again and again ({count})"),
            ),
            _ => Text::new(
                format!("{time}  {office}  送信が急に増えています({count}件、通常{usual}件/日)"),
                format!("{time}  {office}  sends far more than usual ({count}, usually {usual} a day)"),
            ),
        };
        let office = Some(office.to_string());
        out.result(&AlertObject { code, office, address: None, time, count, usual }, &text)?;
    }
    for AddressAlert { address, at_us, count, .. } in addresses? {
        let time = time::format_us(at_us);
        let text = Text::new(
            format!("{time}  {address}  接続の拒否が続いています({count}回/時)"),
            format!("{time}  {address}  handshakes are refused again and again ({count} in an hour)"),
        );
        let (code, address) = (REFUSED_HANDSHAKES, Some(address.to_string()));
        out.result(&AlertObject { code, office: None, address, time, count, usual: 0 }, &text)?;
    }
    Ok(Exit::Done)
}
