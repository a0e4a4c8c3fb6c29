//! `audit`: everything about an office, a key, a terminal or a proxy between two times, as a table or as an incident pack.
//!
//! It is made from the log and from what the relay knows of parcels; there is no content in either. Looking somebody up is an
//! administrative act, so it is an event of the log itself, written before anything is read: `audit.made` names the subject and
//! the range. A database that can't be written can't be audited, as no other command opens it either.

mod entries;
mod pack;
mod parties;
mod range;
mod report;
pub(crate) mod subject;
#[cfg(test)]
mod tests;
mod walk;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::event::{Event, kind};
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::time;

use self::entries::{EventObject, ParcelObject};
use self::pack::{Opening, Pack};
use self::parties::{Names, Parties};
use self::range::{Range, japan_time, read};
use self::report::Shown;
use self::subject::{Subject, TerminalName};
use self::walk::{Found, WINDOW, Walk};
use super::desk::Desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use super::progress::Progress;
use crate::committer::change::{Change, Refused};
use crate::config::Config;
use crate::store::Store;
use crate::store::head::Head;
use crate::store::leaves::Position;

/// Flags of `audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) subject: Which,
    /// From when: a day in Japan such as 2026-11-27, or 2026-11-27T09:00:00+09:00
    #[arg(long, value_name = "TIME", value_parser = range::from)]
    pub(crate) from: Option<i64>,
    /// Until when: a day in Japan, to its end, or a time, which itself is too late
    #[arg(long, value_name = "TIME", value_parser = range::until)]
    pub(crate) to: Option<i64>,
    /// Folder for the incident pack: timeline.csv, parcels.csv, parties.csv, audit.json, report.html; nothing is
    /// overwritten
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Whom or what it is about: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// An office, with its terminals
    #[arg(long, value_name = "NUMBER")]
    pub(crate) office: Option<OfficeNumber>,
    /// A certificate or a key, by its SHA-256 fingerprint
    #[arg(long, value_name = "SHA256HEX", value_parser = subject::fingerprint)]
    pub(crate) key: Option<[u8; 32]>,
    /// A terminal of an office
    #[arg(long, value_name = "OFFICE:NAME")]
    pub(crate) terminal: Option<TerminalName>,
    /// A transmission proxy, such as P00001
    #[arg(long, value_name = "NUMBER")]
    pub(crate) proxy: Option<ProxyNumber>,
    /// An operator
    #[arg(long, value_name = "NAME", value_parser = crate::cli::one_line)]
    pub(crate) by_operator: Option<String>,
    /// One kind of event, whoever it is about, such as act.refused or revocation.refused
    #[arg(long, value_name = "KIND", value_parser = subject::kind)]
    pub(crate) kind: Option<String>,
}

impl Which {
    /// The one that was given.
    fn subject(&self) -> Result<Subject, Failure> {
        let subject = (self.office.map(Subject::Office))
            .or_else(|| self.key.map(Subject::Key))
            .or_else(|| self.terminal.clone().map(Subject::Terminal))
            .or_else(|| self.proxy.map(Subject::Proxy))
            .or_else(|| self.by_operator.clone().map(Subject::Operator))
            .or_else(|| self.kind.clone().map(Subject::Kind));
        // The command line insists on one.
        subject.ok_or_else(|| Failure::usage("SUBJECT", "対象を指定してください", "say whom it is about"))
    }
}

/// Parcels looked up at once.
const PIECE: usize = 100;

/// What was found, as `--json` prints it at the end.
#[derive(Debug, Serialize)]
struct Summary {
    subject: String,
    /// The office's name in the directory; empty: it is about no office.
    name: String,
    from: Option<String>,
    /// The moment itself is too late.
    until: Option<String>,
    #[serde(skip)]
    range: Range,
    events: u64,
    kinds: BTreeMap<String, u64>,
    first: Option<String>,
    last: Option<String>,
    /// Events of the range that are hashes only, whoever they were about; and those in the office's feed.
    erased: u64,
    erased_in_feed: Option<u64>,
    parcels: u64,
    /// Parcels whose rows went while this was made.
    parcels_gone: u64,
    parties: u64,
    /// The log as it was looked at.
    epoch: u64,
    size: u64,
    /// Where this audit itself stands in the log.
    recorded_epoch: Option<u64>,
    recorded_index: Option<u64>,
    /// Files of the pack.
    files: Vec<String>,
}

pub(super) async fn run(arguments: &Audit, config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let subject = arguments.subject.subject()?;
    let range = Range { from_us: arguments.from, until_us: arguments.to };
    if range.is_empty() {
        return Err(Failure::usage(
            "AUDIT_TIMES",
            "--to は --from より後にしてください",
            "--to must be later than --from",
        ));
    }
    if let Some(folder) = &arguments.out {
        pack::check(folder)?;
    }
    let desk = Desk::open(config, out).await?;
    let audited =
        Auditor { subject: &subject, range, window: WINDOW }.run(&desk, arguments.out.as_deref(), out).await;
    desk.close().await?;
    audited.map(|()| Exit::Done)
}

/// An audit under way.
#[derive(Clone, Copy, Debug)]
struct Auditor<'a> {
    subject: &'a Subject,
    range: Range,
    /// Leaves looked through at once.
    window: u64,
}

/// Who and what the events are about: a few bytes for each parcel, each party and each key.
#[derive(Debug, Default)]
struct Concerned {
    parcels: BTreeSet<i64>,
    parties: Parties,
}

/// Where events go.
enum Sink<'a> {
    /// They are printed as they come.
    Print(&'a mut Output),
    /// They go into the pack, and the first of them into its report.
    Pack(&'a mut Packed),
}

/// A pack with what its report will show.
#[derive(Debug)]
struct Packed {
    pack: Pack,
    shown: Shown,
}

impl Auditor<'_> {
    async fn run(&self, desk: &Desk, folder: Option<&Path>, out: &mut Output) -> Result<(), Failure> {
        let store = desk.store();
        let mut names = Names::new(store);
        let mut name = String::new();
        if let Some(office) = self.subject.office() {
            if store.office(office).await?.is_none() {
                return Err(Refused::Office.into());
            }
            name = names.of(office).await?;
        }
        // What comes later, this audit's own event first of all, is not looked at.
        let head = store.head().await?;
        let made_us = desk.now_us();
        let recorded = self.record(desk, folder.is_some()).await?;
        let mut summary = Summary::new(self, name, &head, recorded);
        match folder {
            None => {
                self.look(store, &head, &mut summary, &mut names, &mut Sink::Print(out), None).await?;
            }
            Some(folder) => {
                let progress = Progress::new(0, &Text::new("記録", "events"), out);
                let checkpoint = String::from_utf8_lossy(&head.note);
                let pack = Pack::create(
                    folder,
                    &Opening {
                        subject: &summary.subject,
                        from: summary.from.as_deref(),
                        until: summary.until.as_deref(),
                        made_at: &time::format_us(made_us),
                        checkpoint: &checkpoint,
                    },
                )?;
                let mut packed = Packed { pack, shown: Shown::default() };
                let mut sink = Sink::Pack(&mut packed);
                let concerned =
                    self.look(store, &head, &mut summary, &mut names, &mut sink, Some(progress)).await?;
                summary.files = pack::paths(folder);
                packed.rest(store, &concerned, &mut summary, &mut names).await?;
                let report = report::render(&summary, &packed.shown, made_us, &checkpoint);
                packed.pack.finish(&summary, &report)?;
            }
        }
        Ok(out.result(&summary, &summary.text())?)
    }

    /// Writes the event that tells of this audit, and returns where it stands.
    async fn record(&self, desk: &Desk, packed: bool) -> Result<Option<Position>, Failure> {
        let mut lines = vec![("subject", self.subject.text())];
        lines.extend(self.range.from_us.map(|us| ("from", time::format_us(us))));
        lines.extend(self.range.until_us.map(|us| ("until", time::format_us(us))));
        if packed {
            lines.push(("pack", "yes".to_owned()));
        }
        let change = Change::Audit { kind: kind::AUDIT_MADE, lines, office: None, setting: None };
        Ok(desk.submit(change).await?.position)
    }

    /// Walks over the events and hands each on.
    async fn look(
        &self,
        store: &Store,
        head: &Head,
        summary: &mut Summary,
        names: &mut Names<'_>,
        sink: &mut Sink<'_>,
        progress: Option<Progress>,
    ) -> Result<Concerned, Failure> {
        let stretches = range::stretches(store, head, self.range).await?;
        if let Some(progress) = &progress {
            progress.set_total(stretches.iter().map(|stretch| stretch.to - stretch.from).sum());
        }
        let mut walk = Walk::new(store, self.subject, self.range, stretches, self.window);
        let mut concerned = Concerned::default();
        while let Some(page) = walk.next().await? {
            if let Some(progress) = &progress {
                progress.advance(walk.take_walked());
            }
            for found in &page {
                let object = EventObject::of(found);
                summary.add(&object);
                concerned.parcels.extend(Some(found.seq).filter(|seq| *seq > 0));
                concerned.parties.add(&found.event);
                sink.take(found, object, names).await?;
            }
        }
        let erased = walk.erased();
        summary.erased = erased.events;
        summary.erased_in_feed = self.subject.feed().map(|_| erased.in_feed);
        summary.parcels = concerned.parcels.len() as u64;
        summary.parties = concerned.parties.count() as u64;
        Ok(concerned)
    }
}

impl Sink<'_> {
    async fn take(
        &mut self,
        found: &Found,
        object: EventObject,
        names: &mut Names<'_>,
    ) -> Result<(), Failure> {
        match self {
            Self::Print(out) => {
                let line = object.line();
                Ok(out.result(&object, &line)?)
            }
            Self::Pack(packed) => {
                let sender = names.of_text(object.sender.as_deref()).await?;
                let recipient = names.of_text(object.recipient.as_deref()).await?;
                packed.pack.event(&object, (&sender, &recipient), &found.text)?;
                Shown::keep(&mut packed.shown.events, object);
                Ok(())
            }
        }
    }
}

impl Packed {
    /// Adds parcels and parties.
    async fn rest(
        &mut self,
        store: &Store,
        concerned: &Concerned,
        summary: &mut Summary,
        names: &mut Names<'_>,
    ) -> Result<(), Failure> {
        self.pack.begin_parcels()?;
        let seqs: Vec<i64> = concerned.parcels.iter().copied().collect();
        for piece in seqs.chunks(PIECE) {
            let mut events: BTreeMap<i64, Vec<Event>> = BTreeMap::new();
            for leaf in store.leaves_about(piece).await? {
                events.entry(leaf.seq).or_default().push(read(&leaf)?);
            }
            let rows = store.parcels_at(piece).await?;
            summary.parcels_gone += (piece.len() - rows.len()) as u64;
            for row in rows {
                let sender = names.of(row.key.sender).await?;
                let recipient = names.of(row.recipient).await?;
                let events = events.get(&row.seq).map(Vec::as_slice).unwrap_or_default();
                let parcel = ParcelObject::of(&row, events, sender, recipient);
                self.pack.parcel(&parcel)?;
                Shown::keep(&mut self.shown.parcels, parcel);
            }
        }
        self.pack.begin_parties()?;
        for party in concerned.parties.objects(names).await? {
            self.pack.party(&party)?;
            Shown::keep(&mut self.shown.parties, party);
        }
        Ok(())
    }
}

impl Summary {
    fn new(auditor: &Auditor<'_>, name: String, head: &Head, recorded: Option<Position>) -> Self {
        let Auditor { subject, range, .. } = auditor;
        Self {
            subject: subject.text(),
            name,
            from: range.from_us.map(time::format_us),
            until: range.until_us.map(time::format_us),
            range: *range,
            events: 0,
            kinds: BTreeMap::new(),
            first: None,
            last: None,
            erased: 0,
            erased_in_feed: None,
            parcels: 0,
            parcels_gone: 0,
            parties: 0,
            epoch: head.epoch,
            size: head.size,
            recorded_epoch: recorded.map(|at| at.epoch),
            recorded_index: recorded.map(|at| at.index),
            files: Vec::new(),
        }
    }

    fn add(&mut self, event: &EventObject) {
        self.events += 1;
        *self.kinds.entry(event.kind.clone()).or_default() += 1;
        if self.first.is_none() {
            self.first = Some(event.time.clone());
        }
        self.last = Some(event.time.clone());
    }

    /// In words.
    fn text(&self) -> Text {
        let Self { subject, name, events, parcels, parties, erased, .. } = self;
        let name = if name.is_empty() { String::new() } else { format!(" {name}") };
        let time = |us: Option<i64>, open: &str| us.map_or_else(|| open.to_owned(), japan_time);
        let Range { from_us, until_us } = self.range;
        let mut ja = vec![format!(
            "{subject}{name} {}〜{}: 出来事{events}件、電文{parcels}件、関係者と鍵{parties}件",
            time(from_us, "最初"),
            time(until_us, "現在")
        )];
        let mut en = vec![format!(
            "{subject}{name} from {} to {}: {events} events, {parcels} parcels, {parties} parties and keys",
            time(from_us, "the beginning"),
            time(until_us, "now")
        )];
        if *erased > 0 {
            let feed = self.erased_in_feed.unwrap_or(0);
            ja.push(format!("期間内に、保存期間を過ぎて本文のない記録が{erased}件あります(うち対象の事業所への通知{feed}件)"));
            en.push(format!(
                "{erased} events of the range are hashes only, past their period ({feed} of them in the office's feed)"
            ));
        }
        ja.extend(self.files.iter().map(|file| format!("書き出しました: {file}")));
        en.extend(self.files.iter().map(|file| format!("written: {file}")));
        Text::new(ja.join("\n"), en.join("\n"))
    }
}
