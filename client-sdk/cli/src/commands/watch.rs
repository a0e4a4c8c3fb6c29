//! `tasuki watch`: the feed, live. It resumes behind the last event that was printed, handed to the program of `--exec`
//! and written into the file of `--atom`.

mod atom;
mod exec;
mod resend;

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::ParcelKey;
use tasuki_sdk::feed::{FeedEvent, FeedOptions, News};
use tasuki_sdk::{Clock as _, LostRange, SystemClock};
use tokio::sync::Notify;

use crate::args::Watch;
use crate::content::office;
use crate::exit::{Exit, Failure};
use crate::explain;
use crate::json::EventObject;
use crate::lang::{Lang, Text};
use crate::moment::japan_seconds;
use crate::output::Output;
use crate::table::shown;
use crate::words;

use self::atom::Atom;
use self::exec::{Exec, Outcome};
use self::resend::Resender;
pub(super) use self::resend::waiting_text;
use super::names::Names;
use super::{Session, losses};

/// How often the relay is asked for notices to all: as often as it says in a quiet feed that it is still there.
const NOTICES_EVERY: Duration = Duration::from_secs(30);

/// An event of the feed.
#[derive(Serialize)]
struct EventLine<'a> {
    /// Number in the feed of that epoch, from 1, without gaps; null: a notice to all, which stands in no feed.
    number: Option<u64>,
    parcel: Option<String>,
    sender: Option<String>,
    recipient: Option<String>,
    #[serde(flatten)]
    event: EventObject<'a>,
}

/// The relay's database was set back in time.
#[derive(Serialize)]
struct NewEpochLine {
    kind: &'static str,
    from_epoch: u64,
    epoch: u64,
    /// Leaves of the old epoch that were lost, from–to (exclusive).
    lost: Option<(u64, u64)>,
    /// Parcels to send again.
    resend: Vec<String>,
}

/// The relay keeps no texts of these events any more.
#[derive(Serialize)]
struct ErasedLine {
    kind: &'static str,
    epoch: u64,
    from: u64,
    through: u64,
}

/// `tasuki watch`.
pub(super) fn watch(args: &Watch, session: &Session, out: &mut Output) -> Result<Exit, Failure> {
    let client = &session.client;
    let stop = Arc::new(AtomicBool::new(false));
    let atom = args.atom.as_deref().map(|path| Atom::open(client, path)).transpose()?;
    let exec = Exec::new(&args.exec, Arc::clone(&stop));
    let options = FeedOptions { keep_each: exec.is_some(), notices_every: Some(NOTICES_EVERY) };
    let out = RefCell::new(out);
    let refused = Notify::new();
    let mut resender = args.auto_resend.then(|| Resender::new(session, &out));
    let mut listener = Listener { names: Names::new(client), exec, atom, out: &out, refused: &refused };
    let mut failed = None;
    let on_news = |news: &News| {
        let heard = listener.hear(news);
        heard.unwrap_or_else(|failure| {
            failed = Some(failure);
            ControlFlow::Break(())
        })
    };
    session.runtime.block_on(async {
        // On a task of its own: a program of --exec may be at work while nothing here is looked at.
        let asked = tokio::spawn(async move {
            asked_to_stop().await;
            stop.store(true, Ordering::Relaxed);
        });
        if args.once {
            client.sync_feed_with(options, on_news).await?;
            if let Some(resender) = &mut resender {
                resender.once().await?;
            }
            return Ok(());
        }
        let resending = async {
            match &mut resender {
                Some(resender) => resender.run(&refused).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            ended = client.watch_with(options, on_news) => ended.map(drop).map_err(Failure::from),
            failure = resending => Err(failure),
            _ = asked => Ok(()),
        }
    })?;
    failed.map_or(Ok(Exit::Done), Err)
}

/// Whoever is told.
struct Listener<'c, 'o> {
    names: Names,
    exec: Option<Exec>,
    atom: Option<Atom>,
    /// Shared with who sends again: both are polled by one thread, and neither keeps it while it waits.
    out: &'c RefCell<&'o mut Output>,
    /// Rung when a receiver has refused something.
    refused: &'c Notify,
}

impl Listener<'_, '_> {
    /// Tells one piece of news everywhere. When this continues, it counts as processed.
    fn hear(&mut self, news: &News) -> Result<ControlFlow<()>, Failure> {
        let mut out = self.out.borrow_mut();
        if let News::Event(event) = news
            && event.event.kind == kind::PARCEL_REFUSED
        {
            self.refused.notify_one();
        }
        if let Some(exec) = &self.exec {
            let outcome = match news {
                News::Event(event) | News::Notice(event) => exec.run(&event_line(event), &mut out)?,
                News::NewEpoch { from, to, lost, resend } => {
                    exec.run(&new_epoch_line(*from, *to, *lost, resend), &mut out)?
                }
                News::Erased { epoch, from, through } => {
                    exec.run(&erased_line(*epoch, *from, *through), &mut out)?
                }
                _ => Outcome::Done,
            };
            if outcome == Outcome::Stopped {
                return Ok(ControlFlow::Break(()));
            }
        }
        if let Some(atom) = &mut self.atom {
            match news {
                News::Event(event) | News::Notice(event) => atom.add(event, &mut self.names),
                News::UpToHere => atom.write()?,
                _ => {}
            }
        }
        tell(news, &mut self.names, &mut out)?;
        Ok(ControlFlow::Continue(()))
    }
}

/// Ends when somebody presses Ctrl-C, or a service manager asks.
pub(super) async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without a handler the system's own one ends the process.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = terminated() => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}

/// Prints one piece of news. Behind it the feed counts as processed up to here.
fn tell(news: &News, names: &mut Names, out: &mut Output) -> Result<(), Failure> {
    if let Some((word, text)) = connection(news) {
        let now = japan_seconds(SystemClock.now_us());
        out.remark(word, &Text::new(format!("{now}  {}", text.ja), format!("{now}  {}", text.en)));
        return Ok(());
    }
    if out.is_json() {
        match news {
            News::Event(event) | News::Notice(event) => out.object(&event_line(event))?,
            News::NewEpoch { from, to, lost, resend } => {
                out.object(&new_epoch_line(*from, *to, *lost, resend))?;
            }
            News::Erased { epoch, from, through } => {
                out.object(&erased_line(*epoch, *from, *through))?;
            }
            _ => {}
        }
        return Ok(());
    }
    match news {
        News::Event(event) | News::Notice(event) => {
            let name = |number| names.of_now(number);
            out.line(line(event, name, out.lang()))?;
        }
        News::NewEpoch { from, to, lost, resend } => {
            let ranges = lost.map(|(begin, end)| LostRange { epoch: *from, from: begin, to: end });
            let text = losses::words(*to, ranges.as_slice(), resend.len());
            out.line(text.of(out.lang()))?;
            out.lines(resend.iter().map(|key| format!("  {}", key.id)))?;
        }
        News::Erased { from, through, .. } => {
            let text = Text::new(
                format!("通知{from}〜{through}は保存期間を過ぎ、内容は残っていません"),
                format!(
                    "events {from} to {through} are older than the relay keeps evidence; their texts are gone"
                ),
            );
            out.line(text.of(out.lang()))?;
        }
        _ => {}
    }
    Ok(())
}

/// What to say of the connection.
fn connection(news: &News) -> Option<(&'static str, Text)> {
    match news {
        News::Lost(error) => {
            let why = explain::cause(error);
            Some((
                "RELAY_LOST",
                Text::new(
                    format!("中継サーバーとの接続が切れました。つながるまで再接続を続けます（{}）", why.ja),
                    format!(
                        "the connection to the relay is lost; trying again until it is back ({})",
                        why.en
                    ),
                ),
            ))
        }
        News::Connected => Some((
            "RELAY_CONNECTED",
            Text::new("中継サーバーに再び接続しました。", "connected to the relay again"),
        )),
        _ => None,
    }
}

fn new_epoch_line(
    from_epoch: u64,
    epoch: u64,
    lost: Option<(u64, u64)>,
    resend: &[ParcelKey],
) -> NewEpochLine {
    let resend = resend.iter().map(|key| key.id.to_string()).collect();
    NewEpochLine { kind: "feed.new-epoch", from_epoch, epoch, lost, resend }
}

fn erased_line(epoch: u64, from: u64, through: u64) -> ErasedLine {
    ErasedLine { kind: "feed.erased", epoch, from, through }
}

fn event_line(event: &FeedEvent) -> EventLine<'_> {
    let office = |key| event.event.office(key).map(|number| number.to_string());
    EventLine {
        number: Some(event.number).filter(|number| *number > 0),
        parcel: event.event.parcel().map(|key| key.id.to_string()),
        sender: office("sender"),
        recipient: office("recipient"),
        event: EventObject::new(&event.event, event.index),
    }
}

/// `2026-11-21 20:38:34  released to the receiver  1371215102 … → 9971100012 …  0193a3f0-…`.
fn line(event: &FeedEvent, name: impl FnMut(OfficeNumber) -> String, lang: Lang) -> String {
    let what = words::event(&event.event.kind);
    let mut parts = vec![japan_seconds(event.event.time_us), what.of(lang).to_owned()];
    parts.extend(who(event, name));
    parts.extend(event.event.parcel().map(|key| key.id.to_string()));
    parts.extend(notice(&event.event, lang));
    parts.extend(certificate(&event.event, lang));
    shown(&parts.join("  ")).into_owned()
}

/// What the operator says, where an event is a notice of the operator's.
fn notice(event: &Event, lang: Lang) -> Option<String> {
    let text = event.lines.get(lang.pick("ja", "en"))?;
    let urgent = event.lines.get("urgent").map_or("", |_| lang.pick("【至急】", "URGENT: "));
    Some(format!("{urgent}{text}"))
}

/// Whose certificate ends when; what it means that one is revoked.
fn certificate(event: &Event, lang: Lang) -> Option<String> {
    match event.kind.as_str() {
        kind::CERTIFICATE_ENDING => {
            let end = tasuki_proto::time::parse_us(event.lines.get("not-after")?)?;
            let (holder, end, days) =
                (event.lines.get("holder")?, japan_seconds(end), event.lines.get("days")?);
            let text = Text::new(
                format!("{holder}  {end}まで（{days}日前のお知らせ）"),
                format!("{holder}  until {end} (the notice of {days} days before)"),
            );
            Some(text.of(lang).to_owned())
        }
        kind::KEY_REVOKED => {
            event.lines.get("parcels-wait")?;
            let text = Text::new(
                "この事業所あてに届いていて受信されていない電文は、受信できません。新しい証明書が登録されるまでお待ちください",
                "what waits for this office can't be fetched until it has a new certificate; nothing is sent again by itself",
            );
            Some(text.of(lang).to_owned())
        }
        _ => None,
    }
}

/// `1371215102 … → 9971100012 …`, or the one office that an event is about.
fn who(event: &FeedEvent, mut name: impl FnMut(OfficeNumber) -> String) -> Option<String> {
    let mut named = |key| event.event.office(key).map(|number| office(number, &name(number)));
    match (named("sender"), named("recipient"), named("office").or_else(|| named("holder"))) {
        (Some(sender), Some(recipient), _) => Some(format!("{sender} → {recipient}")),
        (_, _, office) => office,
    }
}

#[cfg(test)]
mod tests {
    use tasuki_sdk::error::Unreachable;

    use super::*;
    use crate::testing;

    fn event(kind: &str) -> FeedEvent {
        FeedEvent { number: 3, index: 7, event: testing::event(kind) }
    }

    #[test]
    fn people_see_who_and_what() {
        let name =
            |number: OfficeNumber| if number.as_str() == "9971100012" { "あおぞら" } else { "" }.to_owned();
        assert_eq!(
            line(&event("parcel.fetched"), name, Lang::En),
            format!(
                "2026-11-21 20:38:34  released to the receiver  1371215102 → 9971100012 あおぞら  {}",
                testing::ID
            )
        );
        let mut change = testing::event("office.changed");
        change.lines.retain(|_| false);
        change.lines.add("office", "1371215102");
        let change = FeedEvent { number: 1, index: 0, event: change };
        assert_eq!(
            line(&change, |_| String::new(), Lang::Ja),
            "2026-11-21 20:38:34  事業所の登録内容が変わりました  1371215102"
        );
    }

    #[test]
    fn a_lost_connection_is_told_beside_the_results() {
        let (mut out, results, errors) = Output::captured(Lang::Ja, true);
        for news in [News::Lost(Unreachable::Timeout.into()), News::Connected] {
            let (word, text) = connection(&news).unwrap();
            out.remark(word, &text);
        }
        assert_eq!(results.text(), "");
        let told = errors.objects();
        assert_eq!(
            (&told[0]["notice"], &told[1]["notice"]),
            (&"RELAY_LOST".into(), &"RELAY_CONNECTED".into())
        );
        assert!(
            told[0]["message_ja"].as_str().unwrap().contains("時間内に応答しませんでした"),
            "{}",
            told[0]
        );
        assert!(told[0]["message_en"].as_str().unwrap().contains("did not answer in time"), "{}", told[0]);
        assert_eq!(connection(&News::Event(event("parcel.fetched"))), None);
    }

    #[test]
    fn a_notice_to_all_says_what_the_operator_says() {
        let mut notice = testing::event("relay.notice");
        notice.lines.retain(|_| false);
        for (key, value) in [("ja", "点検します"), ("en", "works tonight"), ("urgent", "yes")] {
            notice.lines.add(key, value);
        }
        let notice = FeedEvent { number: 0, index: 9, event: notice };
        assert_eq!(
            line(&notice, |_| String::new(), Lang::Ja),
            "2026-11-21 20:38:34  運営者からのお知らせ  【至急】点検します"
        );
        assert!(
            line(&notice, |_| String::new(), Lang::En)
                .ends_with("a notice of the operator  URGENT: works tonight")
        );
        let object = serde_json::to_value(event_line(&notice)).unwrap();
        assert_eq!((&object["number"], &object["kind"]), (&serde_json::Value::Null, &"relay.notice".into()));
        assert_eq!(object["details"]["ja"], "点検します");
    }

    #[test]
    fn programs_get_the_place_in_the_feed_and_the_parcel() {
        let object = serde_json::to_value(event_line(&event("parcel.acknowledged"))).unwrap();
        assert_eq!((&object["number"], &object["epoch"]), (&3.into(), &1.into()));
        assert_eq!((&object["parcel"], &object["sender"]), (&testing::ID.into(), &"1371215102".into()));
        assert_eq!(
            (&object["kind"], &object["word_of"]),
            (&"parcel.acknowledged".into(), &"recipient".into())
        );
    }
}
