//! `log verify`: everything again from the leaves, and compared with what the database says.
//!
//! The witness is read first, then the head; what is committed later is not looked at. A relay may go on writing
//! meanwhile.

mod epoch;
mod feeds;
mod operators;
mod parcels;
mod problem;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeMap;

use serde::Serialize;
use tasuki_proto::log::{Checkpoint, LogVerifier};

use self::epoch::{Extent, Totals};
use self::operators::Acts;
use self::parcels::Due;
use self::problem::{Problem, Problems};
use super::desk;
use super::exit::{Exit, Failure};
use super::lang::Text;
use super::output::Output;
use super::progress::Progress;
use crate::boot;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
#[cfg(test)]
use crate::config::RetentionConfig;
use crate::evidence::witness::Witness;
use crate::log_key;
use crate::store::head::Head;
use crate::store::leaves::Position;
use crate::store::{Store, StoreError, settings};

/// How often all is looked at again because evidence was erased meanwhile. A sweep is over within minutes.
const ERASING_TRIES: u32 = 3;

/// A difference, as `--json` prints it.
#[derive(Serialize)]
struct ProblemObject<'a> {
    problem: &'static str,
    place: &'a str,
    message_ja: &'a str,
    message_en: &'a str,
}

/// The outcome, as `--json` prints it.
#[derive(Debug, Serialize)]
struct Summary {
    verified: bool,
    epochs: usize,
    events: u64,
    /// Of them, those of which only the hash is left: their time as evidence is over.
    erased: u64,
    checkpoints: u64,
    feed_entries: u64,
    parcels: u64,
    contents: u64,
    /// Administrative acts that operators signed.
    signed_acts: u64,
    /// The witness was compared.
    witness: bool,
    problems: BTreeMap<&'static str, u64>,
}

pub(super) async fn run(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    // The roll that a command committed a moment ago may stand in the database alone.
    let store = desk::open_to_read(config).await?;
    let rolls = boot::rolls(&store).await;
    store.close().await;
    let key = log_key::load(&config.evidence.log_key, &rolls?)?.verifier();
    let path = &config.evidence.witness;
    // Before the head: what it holds must then be in the database.
    let witness = Witness::read(path, &key).map_err(Failure::file(path))?;
    let store = desk::open_to_read(config).await?;
    let profile = crate::trust::profile(&config.trust)?;
    let due = Due { retention: config.retention.clone(), now_us: SystemClock.now_us(), profile };
    let verified = verify_settled(&store, &key, witness.as_ref(), &due, out).await;
    store.close().await;
    let (summary, problems) = verified?;
    if witness.is_none() {
        let text = Text::new(
            format!("データベース外の控え({})がなく、比べられませんでした", path.display()),
            format!("there is no witness to compare with: {}", path.display()),
        );
        out.warn("NO_WITNESS", &text);
    }
    tell(&summary, &problems, out)
}

fn tell(summary: &Summary, problems: &Problems, out: &mut Output) -> Result<Exit, Failure> {
    for problem in problems.told() {
        let (code, place, Text { ja, en }) = (problem.code(), problem.place(), problem.text());
        let object = ProblemObject { problem: code, place: &place, message_ja: &ja, message_en: &en };
        let text = Text::new(format!("{code}: {ja} ({place})"), format!("{code}: {en} ({place})"));
        out.result(&object, &text)?;
    }
    let untold = problems.total() - problems.told().len() as u64;
    if untold > 0 {
        out.hint(&Text::new(format!("ほか{untold}件"), format!("and {untold} more")))?;
    }
    let Summary { events, erased, checkpoints, feed_entries, parcels, contents, .. } = summary;
    let text = if summary.verified {
        Text::new(
            format!(
                "検証しました: 記録{events}件(うち保存期間を過ぎハッシュのみ{erased}件)、チェックポイント{checkpoints}件、通知{feed_entries}件、\
                 電文{parcels}件(内容{contents}件)"
            ),
            format!(
                "the log verifies: {events} events ({erased} as hashes only, past their period), {checkpoints} checkpoints, {feed_entries} feed entries, \
                 {parcels} parcels ({contents} with content)"
            ),
        )
    } else {
        let total = problems.total();
        Text::new(
            format!("検証できません: {total}件の不一致があります"),
            format!("the log does NOT verify: {total} differences"),
        )
    };
    out.result(summary, &text)?;
    Ok(if summary.verified { Exit::Done } else { Exit::Failed })
}

/// [`verify`], once more where evidence was erased meanwhile: the parts of one walk would not belong together.
async fn verify_settled(
    store: &Store,
    key: &LogVerifier,
    witness: Option<&Checkpoint>,
    due: &Due,
    out: &Output,
) -> Result<(Summary, Problems), StoreError> {
    let mut erased_to = store.setting(settings::EVIDENCE_ERASED_TO).await?;
    for _ in 0..ERASING_TRIES {
        let verified = verify(store, key, witness, due, out).await?;
        let now = store.setting(settings::EVIDENCE_ERASED_TO).await?;
        if verified.0.verified || now == erased_to {
            return Ok(verified);
        }
        erased_to = now;
    }
    verify(store, key, witness, due, out).await
}

async fn verify(
    store: &Store,
    key: &LogVerifier,
    witness: Option<&Checkpoint>,
    due: &Due,
    out: &Output,
) -> Result<(Summary, Problems), StoreError> {
    let mut problems = Problems::default();
    let mut totals = Totals::default();
    let head = store.head().await?;
    let epochs = extents(store, &head).await?;
    let signed = signed_head(&head, key, &mut problems);
    check_witness(witness, &epochs, &mut problems);

    let progress = Progress::new(epochs.iter().map(|e| e.size).sum(), &Text::new("記録", "events"), out);
    let mut before: Vec<(u64, u64)> = Vec::new();
    let mut acts = Acts::open(store, key.name(), &due.profile).await?;
    for extent in &epochs {
        let mut walk = epoch::Walk {
            store,
            key,
            witness,
            head: signed.as_ref(),
            before: &before,
            erased_before_us: due.retention.evidence_before_us(due.now_us),
            progress: &progress,
            problems: &mut problems,
            totals: &mut totals,
            acts: &mut acts,
        };
        walk.run(*extent).await?;
        before.push((extent.epoch, extent.size));
    }
    drop(progress);
    if let Some(first) = totals.unshown {
        problems.add(Problem::LeafErased(first));
    }

    let current = Extent { epoch: head.epoch, size: head.size, open: true };
    let progress = Progress::new(totals.feed_lines, &Text::new("通知", "feeds"), out);
    let feed_entries = feeds::verify(store, current, &totals, &progress, &mut problems).await?;
    drop(progress);
    let progress = Progress::new(totals.accepted, &Text::new("電文", "parcels"), out);
    let counts = parcels::Walk::new(store, current, due, &mut problems).run(&totals, &progress).await?;
    drop(progress);

    let summary = Summary {
        verified: problems.total() == 0,
        epochs: epochs.len(),
        events: totals.events,
        erased: totals.erased,
        checkpoints: totals.checkpoints,
        feed_entries,
        parcels: counts.parcels,
        contents: counts.contents,
        signed_acts: acts.verified(),
        witness: witness.is_some(),
        problems: problems.counts().clone(),
    };
    Ok((summary, problems))
}

/// What differs, by kind, without a relay's files.
#[cfg(test)]
pub(crate) async fn differences(
    store: &Store,
    key: &LogVerifier,
    witness: &std::path::Path,
) -> BTreeMap<&'static str, u64> {
    let witness = Witness::read(witness, key).unwrap();
    let (out, ..) = Output::captured(super::lang::Lang::En, false);
    let profile = tasuki_certs::profile::CertificateProfile::trial();
    let due = Due { retention: RetentionConfig::default(), now_us: 0, profile };
    verify(store, key, witness.as_ref(), &due, &out).await.unwrap().0.problems
}

/// The epochs that the database holds. One may be lost whole: then nothing of it is there.
async fn extents(store: &Store, head: &Head) -> Result<Vec<Extent>, StoreError> {
    let mut extents = Vec::new();
    for epoch in 1..head.epoch {
        let size = store.last_checkpoint_size(epoch).await?;
        let leaf = store.leaves_from(Position { epoch, index: 0 }, 1).await?;
        if size > 0 || leaf.first().is_some_and(|leaf| leaf.position.epoch == epoch) {
            extents.push(Extent { epoch, size, open: false });
        }
    }
    if head.epoch > 0 {
        extents.push(Extent { epoch: head.epoch, size: head.size, open: true });
    }
    Ok(extents)
}

/// The head's own checkpoint.
fn signed_head(head: &Head, key: &LogVerifier, problems: &mut Problems) -> Option<Checkpoint> {
    if head.epoch == 0 {
        problems.add(Problem::NoLog);
        return None;
    }
    let signed = key.open(&head.note).ok();
    let signed = signed.filter(|opened| (opened.epoch, opened.size) == (head.epoch, head.size));
    if signed.is_none() {
        problems.add(Problem::Head);
    }
    signed
}

fn check_witness(witness: Option<&Checkpoint>, epochs: &[Extent], problems: &mut Problems) {
    let Some(&Checkpoint { epoch, size, .. }) = witness else { return };
    let held = epochs.iter().find(|extent| extent.epoch == epoch).map_or(0, |extent| extent.size);
    if size > held {
        problems.add(Problem::WitnessAhead { epoch, size });
    }
}
