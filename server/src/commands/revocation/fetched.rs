//! Lists that are fetched: how each address stands, and fetching now.

use std::sync::Arc;

use serde::Serialize;
use tasuki_proto::time;

use crate::clock::{Clock, SystemClock};
use crate::commands::desk;
use crate::commands::exit::{Exit, Failure};
use crate::commands::lang::Text;
use crate::commands::output::Output;
use crate::config::Config;
use crate::fetched_lists::ListFetcher;
use crate::fetched_lists::kept::{Kept, Notes, Origin};
use crate::trust::Trust;

/// An address, as `--json` prints it.
#[derive(Serialize)]
pub(super) struct SourceObject<'n> {
    url: &'n str,
    origin: Origin,
    issuer: Option<&'n str>,
    /// SHA-256 of the list that is held.
    sha256: Option<&'n str>,
    this_update: Option<String>,
    next_update: Option<String>,
    /// None: nothing was ever fetched from there.
    fetched: Option<String>,
    /// None: it was never tried.
    tried: Option<String>,
    failures: u32,
    /// Why the last try came to nothing.
    fault: Option<&'n str>,
}

impl<'n> SourceObject<'n> {
    pub(super) fn of(notes: &'n Notes) -> Self {
        let list = notes.list.as_ref();
        Self {
            url: &notes.url,
            origin: notes.origin,
            issuer: list.map(|list| list.issuer.as_str()),
            sha256: list.map(|list| list.sha256.as_str()),
            this_update: list.map(|list| time::format_us(list.this_update_us)),
            next_update: list.map(|list| time::format_us(list.next_update_us)),
            fetched: notes.fetched_us.map(time::format_us),
            tried: (notes.failures > 0 || notes.fetched_us.is_some())
                .then(|| time::format_us(notes.tried_us)),
            failures: notes.failures,
            fault: notes.fault.as_deref(),
        }
    }
}

/// How the addresses stand, as the relay that runs here left it.
pub(in crate::commands) fn sources(config: &Config) -> Result<Vec<Notes>, Failure> {
    let folder = &config.trust.fetch.folder;
    let mut all = Kept::at(folder).notes().map_err(Failure::file(folder))?;
    for url in &config.trust.fetch.urls {
        if all.iter().all(|notes| notes.url != *url) {
            all.push(Notes::new(url, Origin::Configured, None));
        }
    }
    Ok(all)
}

/// An address in words.
pub(in crate::commands) fn source_text(notes: &Notes) -> Text {
    let url = &notes.url;
    let held = notes.list.as_ref().map(|list| time::format_us(list.this_update_us));
    match (&notes.fault, held) {
        (None, None) => Text::new(format!("{url}: まだ取得していません"), format!("{url}: not fetched yet")),
        (None, Some(held)) => {
            Text::new(format!("{url}: 取得済み（{held}発行）"), format!("{url}: fetched, issued {held}"))
        }
        (Some(fault), None) => Text::new(
            format!("{url}: 取得できません（{fault}、{}回）", notes.failures),
            format!("{url}: can't be fetched ({fault}, {} times)", notes.failures),
        ),
        (Some(fault), Some(held)) => Text::new(
            format!("{url}: 取得できません（{fault}、{}回）。{held}発行のものを使い続けます", notes.failures),
            format!(
                "{url}: can't be fetched ({fault}, {} times); the one issued {held} stays in force",
                notes.failures
            ),
        ),
    }
}

/// Fetches every list now.
pub(super) async fn fetch_now(config: &Config, out: &mut Output) -> Result<Exit, Failure> {
    let folder = &config.trust.fetch.folder;
    Kept::at(folder).prepare().map_err(Failure::file(folder))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    // Later keys of the relay's own CA are in the database; without it their lists are none of a known CA.
    let trust = match desk::open_to_read(config).await {
        Ok(store) => {
            let trust = Trust::load_with(&config.trust, &store).await;
            store.close().await;
            trust?
        }
        Err(_) => Trust::load(&config.trust)?,
    };
    let fetcher =
        ListFetcher::new(trust, &config.trust.fetch, clock).map_err(|e| Failure::Setup(e.to_string()))?;
    let all: Vec<Notes> = fetcher.addresses().map_err(Failure::file(folder))?.into_values().collect();
    if all.is_empty() {
        out.hint(&Text::new(
            "取得先がありません。trust.fetch.urls に指定するか、配布点のある証明書を待ちます",
            "nothing to fetch from: name addresses in trust.fetch.urls, or wait for certificates with distribution points",
        ))?;
    }
    let mut exit = Exit::Done;
    for some in all.chunks(4) {
        for outcome in fetcher.fetch_all(some).await {
            if outcome.fault.is_some() {
                exit = Exit::Failed;
            }
            out.result(&SourceObject::of(&outcome.notes), &source_text(&outcome.notes))?;
        }
    }
    Ok(exit)
}
