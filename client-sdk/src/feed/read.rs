//! Reading: in batches up to the present end, or as the feed grows.

use std::ops::ControlFlow;
use std::time::Duration;

use tasuki_proto::{evidence, limits, pb, reason};
use tokio::time::Instant;

use super::chain::{NewEpoch, follow, skip};
use super::notices;
use super::state::{self, Place};
use super::{FeedEvent, FeedOptions, FeedPosition, News};
use crate::blocking;
use crate::checkpoints::{self, AlongProof};
use crate::client::Client;
use crate::error::{SdkError, Unreachable, VerificationError};
use crate::home::Task;

/// The relay sends an empty batch every 30 s where nothing happens; after three missed ones the stream is dead.
const SILENCE: Duration = Duration::from_secs(95);

impl Client {
    /// Reads the feed from where it was left up to its present end. `on_news` is called for each news in order; when
    /// it returns `Continue` the news counts as processed, `Break` stops before it. The place is kept on disk after
    /// each batch: after a crash the news of one batch may come again, none is left out.
    ///
    /// ```no_run
    /// # async fn run(client: tasuki_sdk::Client) -> Result<(), tasuki_sdk::SdkError> {
    /// use std::ops::ControlFlow;
    /// use tasuki_sdk::feed::News;
    ///
    /// let position = client
    ///     .sync_feed(|news| {
    ///         if let News::Event(event) = news {
    ///             println!("{} {}", event.number, event.event.kind);
    ///         }
    ///         ControlFlow::Continue(())
    ///     })
    ///     .await?;
    /// println!("read up to {}", position.number);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Another process reads the feed; the relay can't be reached or refuses; an event is not proven, or does not
    /// follow the one before.
    pub async fn sync_feed(
        &self,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        self.sync_feed_with(FeedOptions::default(), on_news).await
    }

    /// [`Client::sync_feed`] with options.
    ///
    /// # Errors
    /// As [`Client::sync_feed`].
    pub async fn sync_feed_with(
        &self,
        options: FeedOptions,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        let _lock = self.home().lock(Task::Feed).await?;
        self.read_to_end(Reader::open(self, options, on_news)?).await
    }

    /// Reads the feed from its beginning up to its present end, and leaves the place where it is read on as it was.
    pub(crate) async fn read_feed_anew(
        &self,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        self.read_to_end(Reader::anew(self, on_news)).await
    }

    async fn read_to_end<F: FnMut(&News) -> ControlFlow<()>>(
        &self,
        mut reader: Reader<'_, F>,
    ) -> Result<FeedPosition, SdkError> {
        let caller = &self.inner.caller;
        loop {
            let (cursor, known_size) = (reader.cursor(), reader.known_size().await?);
            let request = pb::PollRequest {
                office: String::new(),
                cursor: Some(cursor),
                wait_ms: 0,
                limit: limits::MAX_PAGE,
                known_size,
            };
            let batch = caller.repeat(|| {
                let mut feed = caller.feed();
                let request = request.clone();
                async move { feed.poll(request).await }
            });
            let batch = batch.await.map_err(|error| reader.alarm(error))?;
            let more = batch.more || reader.moves_on(&batch);
            if reader.take(batch, known_size).await?.is_break() {
                return Ok(reader.position());
            }
            if !more {
                let _either_ends_here = reader.tell_notices().await?;
                return Ok(reader.position());
            }
        }
    }

    /// Reads the feed as it grows, until `on_news` breaks. Connects again by itself where a connection is lost, and
    /// tells so ([`News::Lost`], [`News::Connected`]); only a relay that can't be reached from the start is an error.
    /// Otherwise as [`Client::sync_feed`].
    ///
    /// # Errors
    /// As [`Client::sync_feed`].
    pub async fn watch(
        &self,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        self.watch_with(FeedOptions::default(), on_news).await
    }

    /// [`Client::watch`] with options.
    ///
    /// # Errors
    /// As [`Client::sync_feed`].
    pub async fn watch_with(
        &self,
        options: FeedOptions,
        on_news: impl FnMut(&News) -> ControlFlow<()>,
    ) -> Result<FeedPosition, SdkError> {
        let _lock = self.home().lock(Task::Feed).await?;
        let mut reader = Reader::open(self, options, on_news)?;
        let mut attempt = 1;
        loop {
            let error = match self.stream(&mut reader, &mut attempt).await {
                Ok(ControlFlow::Break(())) => return Ok(reader.position()),
                // The relay went down in good order: perhaps another one is there already.
                Ok(ControlFlow::Continue(())) => {
                    Unreachable::Network("the relay went down".to_owned()).into()
                }
                Err(error) => error,
            };
            let may_pass = matches!(error, SdkError::Unreachable(_));
            let never_reached = matches!(reader.link, Link::Untried);
            if !may_pass || (never_reached && attempt >= self.inner.caller.attempts()) {
                return Err(error);
            }
            tracing::info!(%error, "the feed's connection is lost; trying again");
            if reader.tell_lost(error).is_break() {
                return Ok(reader.position());
            }
            self.inner.caller.pause(attempt).await;
            attempt = attempt.saturating_add(1);
        }
    }

    async fn stream<F: FnMut(&News) -> ControlFlow<()>>(
        &self,
        reader: &mut Reader<'_, F>,
        attempt: &mut u32,
    ) -> Result<ControlFlow<()>, SdkError> {
        let caller = &self.inner.caller;
        let mut known_size = reader.known_size().await?;
        let request = pb::StreamRequest { office: String::new(), cursor: Some(reader.cursor()), known_size };
        let mut feed = caller.feed();
        let mut batches = caller.once(feed.stream(request)).await.map_err(|error| reader.alarm(error))?;
        if reader.tell_connected().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let mut dead = Instant::now() + SILENCE;
        loop {
            // Nothing of a batch is lost where the notices' time comes first: it stays with the stream.
            let next = tokio::select! {
                next = tokio::time::timeout_at(dead, batches.message()) => next,
                () = reader.notices_due() => {
                    if reader.tell_notices().await?.is_break() {
                        return Ok(ControlFlow::Break(()));
                    }
                    continue;
                }
            };
            let next = next.map_err(|_elapsed| Unreachable::Timeout)?;
            let next = next.map_err(|status| reader.alarm(caller.error(&status)))?;
            let Some(batch) = next else { return Ok(ControlFlow::Continue(())) };
            *attempt = 1;
            dead = Instant::now() + SILENCE;
            if reader.take(batch, known_size).await?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            // The relay proves each batch from the one before.
            known_size = reader.known_size().await?;
        }
    }
}

/// How the connection to the relay stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It was not reached yet.
    Untried,
    /// It is, as far as is known.
    Up,
    /// It was.
    Down,
}

/// A feed that is being read.
struct Reader<'c, F> {
    client: &'c Client,
    options: FeedOptions,
    on_news: F,
    place: Place,
    /// The place is kept on disk.
    kept: bool,
    /// Where to ask from, if the relay moved on to an epoch in which nothing stands for us yet.
    moved_to: Option<u64>,
    processed: u64,
    link: Link,
    /// When the relay is asked for notices next.
    ask_notices: Instant,
}

impl<'c, F: FnMut(&News) -> ControlFlow<()>> Reader<'c, F> {
    fn open(client: &'c Client, options: FeedOptions, on_news: F) -> Result<Self, SdkError> {
        let place = state::load(client.home())?;
        let (link, ask_notices) = (Link::Untried, Instant::now());
        let (kept, moved_to, processed) = (true, None, 0);
        Ok(Self { client, options, on_news, place, kept, moved_to, processed, link, ask_notices })
    }

    /// From the beginning, without a trace on disk.
    fn anew(client: &'c Client, on_news: F) -> Self {
        Self {
            client,
            options: FeedOptions::default(),
            on_news,
            place: Place::START,
            kept: false,
            moved_to: None,
            processed: 0,
            link: Link::Untried,
            ask_notices: Instant::now(),
        }
    }

    fn cursor(&self) -> pb::Cursor {
        match self.moved_to {
            Some(epoch) => pb::Cursor { epoch, number: 0 },
            None => pb::Cursor { epoch: self.place.epoch, number: self.place.number },
        }
    }

    /// Size of the newest checkpoint seen of the cursor's epoch.
    async fn known_size(&self) -> Result<u64, SdkError> {
        let key = self.client.log_key().await?;
        let newest = checkpoints::newest(self.client.home(), &key, self.cursor().epoch)?;
        Ok(newest.map_or(0, |checkpoint| checkpoint.size))
    }

    fn position(&self) -> FeedPosition {
        FeedPosition { epoch: self.place.epoch, number: self.place.number, processed: self.processed }
    }

    /// A relay that does not know the place reached here has forgotten what it said.
    fn alarm(&self, error: SdkError) -> SdkError {
        match error {
            SdkError::Rejected(refusal) if refusal.reason == reason::CURSOR_IN_FUTURE => {
                let Place { epoch, number, .. } = self.place;
                VerificationError::FeedWentBack { epoch, number }.into()
            }
            error => error,
        }
    }

    /// Tells once that the connection is lost.
    fn tell_lost(&mut self, error: SdkError) -> ControlFlow<()> {
        if self.link != Link::Up {
            return ControlFlow::Continue(());
        }
        self.link = Link::Down;
        (self.on_news)(&News::Lost(error))
    }

    /// Tells that the connection is there again, if it was lost.
    fn tell_connected(&mut self) -> ControlFlow<()> {
        let was = std::mem::replace(&mut self.link, Link::Up);
        if was == Link::Down { (self.on_news)(&News::Connected) } else { ControlFlow::Continue(()) }
    }

    /// Whether an empty batch leads on into a later epoch.
    fn moves_on(&self, batch: &pb::FeedBatch) -> bool {
        let to = batch.next.as_ref().filter(|next| next.number == 0).map(|next| next.epoch);
        batch.entries.is_empty() && to.is_some_and(|epoch| epoch > self.cursor().epoch)
    }

    /// Verifies a batch, tells its news, keeps the place.
    async fn take(&mut self, batch: pb::FeedBatch, known_size: u64) -> Result<ControlFlow<()>, SdkError> {
        if self.moves_on(&batch) {
            self.moved_to = batch.next.as_ref().map(|next| next.epoch);
            return Ok(ControlFlow::Continue(()));
        }
        if batch.entries.is_empty() && batch.checkpoint.is_empty() {
            return Ok(ControlFlow::Continue(()));
        }
        let along = AlongProof { from_size: known_size, hashes: &batch.consistency };
        let checkpoint = self.client.admit_along(&batch.checkpoint, Some(along)).await?;
        if let Some(erased) = &batch.erased {
            return self.skip(erased, checkpoint.epoch).await;
        }
        let mut before = self.place;
        let mut flow = ControlFlow::Continue(());
        for entry in &batch.entries {
            let proven = evidence::check(entry, &checkpoint).map_err(VerificationError::Evidence);
            let next = proven.and_then(|p| Ok((follow(&self.place, self.client.office(), &p)?, p)));
            let (next, proven) = match next {
                Ok(next) => next,
                Err(error) => {
                    // What came before is processed all the same.
                    let _ends_anyway = self.keep(before).await?;
                    return Err(error.into());
                }
            };
            if let Some(new_epoch) = next.new_epoch {
                flow = self.tell_new_epoch(new_epoch, next.place.epoch).await?;
            }
            let number = next.place.number;
            let news = News::Event(FeedEvent { number, index: proven.index, event: proven.event });
            if flow.is_break() || (self.on_news)(&news).is_break() {
                flow = ControlFlow::Break(());
                break;
            }
            self.place = next.place;
            self.moved_to = None;
            self.processed += 1;
            if self.options.keep_each {
                flow = self.keep(before).await?;
                before = self.place;
                if flow.is_break() {
                    break;
                }
            }
        }
        let kept = self.keep(before).await?;
        Ok(if kept.is_break() { kept } else { flow })
    }

    /// Goes on behind events whose texts are gone.
    async fn skip(&mut self, erased: &pb::ErasedRange, epoch: u64) -> Result<ControlFlow<()>, SdkError> {
        let before = self.place;
        let place = skip(&before, epoch, erased.through, &erased.leaf)?;
        let mut from = before.number.saturating_add(1);
        if before.epoch != epoch {
            from = 1;
            let new = NewEpoch { from: before.epoch, lost: None };
            if before.epoch > 0 && self.tell_new_epoch(new, epoch).await?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if (self.on_news)(&News::Erased { epoch, from, through: place.number }).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.place = place;
        self.moved_to = None;
        self.keep(before).await
    }

    /// Waits until it is time to ask for notices.
    async fn notices_due(&self) {
        match self.options.notices_every {
            Some(_) => tokio::time::sleep_until(self.ask_notices).await,
            None => std::future::pending().await,
        }
    }

    /// Tells notices to all offices that were not told yet, if it is time to ask for them.
    async fn tell_notices(&mut self) -> Result<ControlFlow<()>, SdkError> {
        let Some(every) = self.options.notices_every.filter(|_| self.ask_notices <= Instant::now()) else {
            return Ok(ControlFlow::Continue(()));
        };
        self.ask_notices = Instant::now() + every;
        let mut kept = notices::load(self.client.home())?;
        let found = match self.client.notice_events(kept).await {
            Ok(found) => found,
            // The feed goes on with a relay that hands out none.
            Err(SdkError::Rejected(refusal)) => {
                tracing::warn!(reason = refusal.reason, "the relay hands out no notices");
                return Ok(ControlFlow::Continue(()));
            }
            Err(error) => return Err(error),
        };
        let last = found.len().saturating_sub(1);
        for (place, (event, index)) in found.into_iter().enumerate() {
            let told = (event.epoch, index);
            // One to some offices stands in their feeds, and is told there.
            let to_all = event.feeds.is_empty();
            let news = News::Notice(FeedEvent { number: 0, index, event });
            if to_all && (self.on_news)(&news).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if self.options.keep_each || place == last {
                if (self.on_news)(&News::UpToHere).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
                kept = told;
                let home = self.client.home().clone();
                blocking::run(move || notices::save(&home, kept)).await?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    async fn tell_new_epoch(&mut self, new: NewEpoch, to: u64) -> Result<ControlFlow<()>, SdkError> {
        // The checkpoint of the new epoch was admitted, so its beginning was looked at.
        let client = self.client.clone();
        let losses = blocking::run(move || client.losses()).await?;
        let range = losses.ranges.iter().find(|range| range.epoch == new.from);
        let lost = new.lost.or(range.map(|range| (range.from, range.to)));
        let resend = losses.parcels.iter().map(|lost| lost.parcel).collect();
        Ok((self.on_news)(&News::NewEpoch { from: new.from, to, lost, resend }))
    }

    /// Keeps the place, if the program has kept what it made up to here.
    async fn keep(&mut self, before: Place) -> Result<ControlFlow<()>, SdkError> {
        if self.place == before {
            return Ok(ControlFlow::Continue(()));
        }
        if (self.on_news)(&News::UpToHere).is_break() {
            self.place = before;
            return Ok(ControlFlow::Break(()));
        }
        if !self.kept {
            return Ok(ControlFlow::Continue(()));
        }
        let (home, place) = (self.client.home().clone(), self.place);
        blocking::run(move || state::save(&home, &place)).await?;
        Ok(ControlFlow::Continue(()))
    }
}
