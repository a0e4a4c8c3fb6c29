//! `office applications|approve|reject|code|leave`: who takes part.

use clap::Args;
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::time::format_us;

use super::desk::{self, Desk};
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::office_csv;
use super::output::Output;
use crate::cli::{one_line, reason};
use crate::committer::change::{Change, Leaving, Standing};
use crate::committer::code_hash;
use crate::config::Config;
use crate::month::minute_in_japan;
use crate::store::membership::ApplicationRow;
use crate::store::offices::OfficeState;

const DAY_US: i64 = 24 * 3_600 * 1_000_000;

/// Applications read at once.
const PAGE: u32 = 500;

/// Digits of a code.
const CODE_DIGITS: usize = 10;

/// Flags of `office approve`.
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    number: OfficeNumber,
    /// Its name; without it that of the directory, or of the application
    #[arg(long, value_parser = one_line)]
    name: Option<String>,
    /// The name's reading, for an office that is not in the directory
    #[arg(long, value_parser = one_line, default_value = "")]
    kana: String,
    /// Also if the application was not confirmed with its code
    #[arg(long)]
    unconfirmed: bool,
}

/// Flags of `office reject`.
#[derive(Debug, Args)]
pub(crate) struct Reject {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    number: OfficeNumber,
    /// Why; the office reads it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
}

/// Flags of `office code`.
#[derive(Debug, Args)]
pub(crate) struct MakeCode {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    number: OfficeNumber,
    /// Days that it is good for; without it what relay.toml says
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=365))]
    days: Option<u32>,
}

/// Flags of `office leave`.
#[derive(Debug, Args)]
pub(crate) struct Leave {
    /// The office's number
    #[arg(value_name = "NUMBER")]
    number: OfficeNumber,
    /// Why; it stands in the log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: String,
    /// Erase what the relay keeps of it, as far as it is nobody else's evidence
    #[arg(long)]
    erase: bool,
}

/// An application, as `--json` prints it.
#[derive(Serialize)]
struct ApplicationObject<'a> {
    office: &'a str,
    /// As the application states it; empty: not at all.
    name: &'a str,
    /// As the directory has it; empty: it does not have the office.
    listed_name: &'a str,
    applied: String,
    code_made: bool,
    wrong_codes: i64,
    confirmed: bool,
}

/// How an office stands now, as `--json` prints it.
#[derive(Serialize)]
struct StandingObject<'a> {
    office: &'a str,
    state: &'a str,
    /// False: it was so already.
    changed: bool,
}

/// A code, as `--json` prints it.
#[derive(Serialize)]
struct CodeObject<'a> {
    office: &'a str,
    code: &'a str,
    until: String,
}

/// `office applications`.
pub(super) async fn applications(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = desk::open_to_read(config).await?;
    let mut after = (0, String::new());
    loop {
        let rows = store.open_applications((after.0, &after.1), PAGE).await?;
        let Some(last) = rows.last() else { break };
        after = (last.applied_us, last.office.to_string());
        for row in &rows {
            let listed = store.office(row.office).await?.map(|office| office.name).unwrap_or_default();
            show(row, &listed, out)?;
        }
    }
    store.close().await;
    Ok(Exit::Done)
}

fn show(row: &ApplicationRow, listed: &str, out: &mut Output) -> Result<(), Failure> {
    let object = ApplicationObject {
        office: row.office.as_str(),
        name: &row.name,
        listed_name: listed,
        applied: format_us(row.applied_us),
        code_made: !row.code_hash.is_empty(),
        wrong_codes: row.code_tries,
        confirmed: row.confirmed_us != 0,
    };
    let (code_ja, code_en) = match (object.confirmed, object.code_made) {
        (true, _) => ("コード確認済", "confirmed with the code"),
        (false, true) => ("コード送付済", "a code was made"),
        (false, false) => ("コード未作成", "no code"),
    };
    let (list_ja, list_en) =
        if listed.is_empty() { ("一覧になし", "on no list") } else { (listed, listed) };
    let (number, name, applied) = (row.office, &row.name, minute_in_japan(row.applied_us));
    let text = Text::new(
        format!("{number}  {applied}  申請の名称: {name}  一覧の名称: {list_ja}  {code_ja}"),
        format!("{number}  {applied}  applies as: {name}  listed as: {list_en}  {code_en}"),
    );
    Ok(out.result(&object, &text)?)
}

/// `office approve`.
pub(super) async fn approve(args: &Approve, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let fault = |fault: office_csv::Fault| Failure::Usage(fault.code(), fault.text());
    let clean = |text: &str, wrong| office_csv::text(text).ok_or_else(|| fault(wrong));
    let name = args.name.as_deref().map(|name| clean(name, office_csv::Fault::Name)).transpose()?;
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(fault(office_csv::Fault::Name));
    }
    let kana = clean(&args.kana, office_csv::Fault::Kana)?;
    let (office, unconfirmed, rules) = (args.number, args.unconfirmed, config.joining);
    change(
        Standing::Approve { office, name, kana, unconfirmed, rules },
        OfficeState::Active.as_str(),
        config,
        out,
    )
    .await
}

/// `office reject`.
pub(super) async fn reject(args: &Reject, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let reject = Standing::Reject { office: args.number, reason: args.reason.clone() };
    change(reject, "rejected", config, out).await
}

/// `office leave`.
pub(super) async fn leave(args: &Leave, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let leaving = Leaving {
        office: args.number,
        said_us: 0,
        by: "operator".to_owned(),
        reason: args.reason.clone(),
        erase: args.erase,
        paper: None,
    };
    change(Standing::Leave(leaving), OfficeState::Removed.as_str(), config, out).await
}

/// `office code`.
pub(super) async fn make_code(args: &MakeCode, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let rng = SystemRandom::new();
    let (code, salt) = (random_digits(&rng)?, random(&rng)?);
    let days = args.days.unwrap_or(config.joining.code_days);
    let desk = Desk::open(config, out).await?;
    let until_us = desk.now_us().saturating_add(i64::from(days) * DAY_US);
    let (office, hash) = (args.number, code_hash(&salt, &code));
    let made =
        desk.submit(Change::Standing(Box::new(Standing::MakeCode { office, salt, hash, until_us }))).await;
    desk.close().await?;
    made?;
    let code = format!("{}-{}", &code[..CODE_DIGITS / 2], &code[CODE_DIGITS / 2..]);
    let object = CodeObject { office: office.as_str(), code: &code, until: format_us(until_us) };
    let until = minute_in_japan(until_us);
    let text = Text::new(
        format!(
            "事業所{office}の確認コード: {code}\n{until}まで有効です。一覧にある住所または電話番号に宛てて、郵送または電話で伝えてください。このコードは今だけ表示します。"
        ),
        format!(
            "code of office {office}: {code}\nIt is good until {until}. Send it by post, or tell it by telephone, to the address or number of \
             your list. It is shown this once."
        ),
    );
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

fn random<const N: usize>(rng: &SystemRandom) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    rng.fill(&mut bytes).map_err(|_| {
        Failure::rejected("NO_RANDOMNESS", "乱数が得られません", "the system gives no random bytes")
    })?;
    Ok(bytes)
}

/// Digits of which each is as likely as any other.
fn random_digits(rng: &SystemRandom) -> Result<String, Failure> {
    let mut digits = String::with_capacity(CODE_DIGITS);
    while digits.len() < CODE_DIGITS {
        let bytes: [u8; 32] = random(rng)?;
        // 250 is a multiple of ten; what lies above would prefer the small digits.
        let fair = bytes.iter().filter(|byte| **byte < 250).map(|byte| char::from(b'0' + byte % 10));
        digits.extend(fair.take(CODE_DIGITS - digits.len()));
    }
    Ok(digits)
}

/// Makes a change and tells how the office stands then.
async fn change(standing: Standing, state: &str, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let office = standing.office();
    let desk = Desk::open(config, out).await?;
    let done = desk.submit(Change::Standing(Box::new(standing))).await;
    desk.close().await?;
    let changed = !done?.repeated;
    let object = StandingObject { office: office.as_str(), state, changed };
    let state_ja = match state {
        "active" => "利用中",
        "left" => "利用終了",
        _ => "申請を却下",
    };
    let (changed_ja, changed_en) =
        if changed { ("変更しました", "changed") } else { ("変更なし", "unchanged") };
    let text = Text::new(
        format!("事業所{office}: {state_ja}({changed_ja})"),
        format!("office {office}: {state} ({changed_en})"),
    );
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_ten_digits_and_is_another_each_time() {
        let rng = SystemRandom::new();
        let code = random_digits(&rng).unwrap();
        assert!(code.len() == CODE_DIGITS && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
        assert_ne!(code, random_digits(&rng).unwrap());
    }
}
