//! What the operator tells offices and relays: notices (お知らせ), planned stops, receive-only mode. Each is an event in the log.

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::kind;
use tasuki_proto::{limits, time};

use super::desk::Desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use crate::cli::{one_line, time_us};
use crate::committer::change::{Change, Notice as Announcement};
use crate::config::Config;
use crate::operation::{MAX_STOPS, Mode as Setting, Operation, Stop as Plan};
use crate::store::settings::{MODE, STOPS};

/// Commands of `notice`.
#[derive(Debug, Subcommand)]
pub(crate) enum Notice {
    /// Tell all offices something, or some of them
    Send(NoticeSend),
}

/// A text in both languages.
#[derive(Clone, Debug, Args)]
pub(crate) struct Words {
    /// In Japanese
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub(crate) ja: String,
    /// In English
    #[arg(long, value_name = "TEXT", value_parser = words)]
    pub(crate) en: String,
}

/// Flags of `notice send`.
#[derive(Debug, Args)]
pub(crate) struct NoticeSend {
    #[command(flatten)]
    pub(crate) words: Words,
    /// Numbers of the offices; without any, all
    #[arg(long, value_name = "OFFICE", num_args = 1..)]
    pub(crate) to: Vec<OfficeNumber>,
    /// It can't wait
    #[arg(long)]
    pub(crate) urgent: bool,
}

/// Commands of `stop`.
#[derive(Debug, Subcommand)]
pub(crate) enum Stop {
    /// Plan a stop: offices are told, and submissions are refused while it lasts
    Plan(StopPlan),
    /// Call off the planned stop that begins at a time
    Cancel(StopCancel),
    /// List planned stops
    List,
}

/// Flags of `stop plan`.
#[derive(Debug, Args)]
pub(crate) struct StopPlan {
    /// When it begins, such as 2026-11-21T22:00:00+09:00
    #[arg(long, value_name = "RFC3339", value_parser = time_us)]
    pub(crate) from: i64,
    /// When it ends
    #[arg(long, value_name = "RFC3339", value_parser = time_us)]
    pub(crate) until: i64,
    #[command(flatten)]
    pub(crate) words: Words,
}

/// Flags of `stop cancel`.
#[derive(Debug, Args)]
pub(crate) struct StopCancel {
    /// When it was to begin
    #[arg(long, value_name = "RFC3339", value_parser = time_us)]
    pub(crate) from: i64,
    #[command(flatten)]
    pub(crate) words: Words,
}

/// Flags of `mode`.
#[derive(Debug, Args)]
pub(crate) struct Mode {
    /// How the relay works from now on
    #[arg(value_name = "MODE")]
    pub(crate) way: Way,
    /// Why, in Japanese; offices read it
    #[arg(long, value_name = "TEXT", value_parser = words, default_value = "")]
    pub(crate) ja: String,
    /// Why, in English
    #[arg(long, value_name = "TEXT", value_parser = words, default_value = "")]
    pub(crate) en: String,
}

/// How a relay works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// Nothing new is accepted; offices go on receiving, signing and reading their feeds
    ReceiveOnly,
    /// All of it
    Normal,
}

impl Way {
    fn word(self) -> &'static str {
        match self {
            Self::ReceiveOnly => "receive-only",
            Self::Normal => "normal",
        }
    }
}

fn words(text: &str) -> Result<String, String> {
    let text = one_line(text)?;
    let most = limits::MAX_NOTICE_CHARS;
    if text.chars().count() > most { Err(format!("longer than {most} characters")) } else { Ok(text) }
}

/// What was announced, as `--json` prints it.
#[derive(Serialize)]
struct DoneObject<'a> {
    done: &'a str,
    ja: &'a str,
    en: &'a str,
    /// Offices that it is for; null: all.
    to: Option<usize>,
    from: Option<String>,
    until: Option<String>,
    /// Place of its event in the log.
    epoch: Option<u64>,
    index: Option<u64>,
}

/// A planned stop, as `--json` prints it.
#[derive(Serialize)]
struct StopObject<'a> {
    from: String,
    until: String,
    ja: &'a str,
    en: &'a str,
}

pub(super) async fn notice(command: &Notice, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let Notice::Send(NoticeSend { words, to, urgent }) = command;
    if words.ja.is_empty() || words.en.is_empty() {
        return Err(Failure::usage(
            "TEXT_MISSING",
            "--ja と --en に本文を書いてください",
            "give a text by --ja and --en",
        ));
    }
    let mut to = to.clone();
    to.sort_unstable();
    to.dedup();
    if to.len() > limits::MAX_NOTICE_OFFICES {
        let most = limits::MAX_NOTICE_OFFICES;
        return Err(Failure::usage(
            "TOO_MANY_OFFICES",
            format!("--to は{most}事業所までです。分けて送るか、全体に送ってください"),
            format!("--to takes {most} offices at most; send it in parts, or to all"),
        ));
    }
    let mut lines = lines(words);
    if *urgent {
        lines.push(("urgent", "yes".to_owned()));
    }
    let announcement = Announcement { kind: kind::RELAY_NOTICE, lines, to, setting: None };
    announce(announcement, words, (None, None), config, out).await
}

pub(super) async fn stop(command: &Stop, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let (kind, words, from_us, until_us) = match command {
        Stop::List => return list(config, out).await,
        Stop::Plan(StopPlan { from, until, words }) => (kind::RELAY_STOP_PLANNED, words, *from, Some(*until)),
        Stop::Cancel(StopCancel { from, words }) => (kind::RELAY_STOP_CANCELLED, words, *from, None),
    };
    let desk = Desk::open(config, out).await?;
    let planned = Operation::read(desk.store()).await;
    let now_us = desk.now_us();
    desk.close().await?;
    let mut stops = planned?.stops;
    stops.retain(|stop| stop.until_us > now_us);
    if let Some(until_us) = until_us {
        if until_us <= from_us || until_us <= now_us {
            return Err(Failure::usage(
                "STOP_TIMES",
                "--until は --from と現在より後にしてください",
                "--until must be later than --from and than now",
            ));
        }
        if stops.len() >= MAX_STOPS {
            return Err(Failure::usage(
                "TOO_MANY_STOPS",
                format!("予定できる停止は{MAX_STOPS}件までです"),
                format!("at most {MAX_STOPS} stops can be planned at once"),
            ));
        }
        stops.push(Plan { from_us, until_us, ja: words.ja.clone(), en: words.en.clone() });
        stops.sort_by_key(|stop| stop.from_us);
    } else {
        let before = stops.len();
        stops.retain(|stop| stop.from_us != from_us);
        if stops.len() == before {
            return Err(Failure::usage(
                "STOP_NOT_FOUND",
                "その時刻に始まる停止の予定はありません",
                "no planned stop begins at that time",
            ));
        }
    }
    let value = serde_json::to_string(&stops).map_err(|error| Failure::Setup(error.to_string()))?;
    let from = time::format_us(from_us);
    let until = until_us.map(time::format_us);
    let mut lines = lines(words);
    lines.push(("from", from.clone()));
    lines.extend(until.clone().map(|until| ("until", until)));
    let announcement = Announcement { kind, lines, to: Vec::new(), setting: Some((STOPS, value)) };
    announce(announcement, words, (Some(from), until), config, out).await
}

pub(super) async fn mode(arguments: &Mode, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let words = Words { ja: arguments.ja.clone(), en: arguments.en.clone() };
    let receive_only = arguments.way == Way::ReceiveOnly;
    let setting = Setting { receive_only, ja: words.ja.clone(), en: words.en.clone() };
    let value = serde_json::to_string(&setting).map_err(|error| Failure::Setup(error.to_string()))?;
    let mut lines = lines(&words);
    lines.push(("mode", arguments.way.word().to_owned()));
    let announcement =
        Announcement { kind: kind::RELAY_MODE_CHANGED, lines, to: Vec::new(), setting: Some((MODE, value)) };
    announce(announcement, &words, (None, None), config, out).await
}

fn lines(words: &Words) -> Vec<(&'static str, String)> {
    let texts = [("ja", &words.ja), ("en", &words.en)];
    texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.clone())).collect()
}

async fn announce(
    announcement: Announcement,
    words: &Words,
    (from, until): (Option<String>, Option<String>),
    config: &Config,
    out: &mut Output,
) -> Result<Exit, Failure> {
    let (kind, to) = (announcement.kind, announcement.to.len());
    let desk = Desk::open(config, out).await?;
    let done = desk.submit(Change::Notice(Box::new(announcement))).await;
    desk.close().await?;
    let done = done?;
    let object = DoneObject {
        done: kind,
        ja: &words.ja,
        en: &words.en,
        to: (to > 0).then_some(to),
        from,
        until,
        epoch: done.position.map(|at| at.epoch),
        index: done.position.map(|at| at.index),
    };
    let text = Text::new(
        format!("記録し、知らせました: {kind} {}", words.ja),
        format!("recorded and announced: {kind} {}", words.en),
    );
    out.result(&object, &text)?;
    Ok(Exit::Done)
}

async fn list(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let store = super::desk::open_to_read(config).await?;
    let operation = Operation::read(&store).await;
    store.close().await;
    for Plan { from_us, until_us, ja, en } in &operation?.stops {
        let (from, until) = (time::format_us(*from_us), time::format_us(*until_us));
        let text = Text::new(format!("{from} 〜 {until}  {ja}"), format!("{from} to {until}  {en}"));
        out.result(&StopObject { from, until, ja, en }, &text)?;
    }
    Ok(Exit::Done)
}
