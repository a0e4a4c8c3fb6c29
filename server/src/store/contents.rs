//! Sealed contents: small ones in a row, large ones outside the database.
//!
//! Every content has a row; that of a large one is empty. A large one takes three steps. An *intent* row names it, durably; then the blob is written, durably; then the commit
//! that accepts the parcel consumes the intent, or does not take place. So every blob has either a parcel or an intent,
//! after any crash. What nobody consumed is *doomed* first, so that no commit can consume it any more; then its blob goes,
//! then its row: a sweep that a crash cuts short goes on where it was.

use std::sync::Arc;

use super::blobs::{Blobs, Digest};
use super::rows::digest;
use super::{Store, StoreError, Tx};
use bytes::Bytes;

/// Intents that one step of a sweep looks at.
const SWEEP_STEP: i64 = 100;

impl Store {
    /// The same store, with a place for large contents.
    #[must_use]
    pub fn with_blobs(self, blobs: Blobs) -> Self {
        Self { blobs: Some(Arc::new(blobs)), ..self }
    }

    /// Puts a large content outside the database, where the store has a place for it; `sealed` is empty then. It stays
    /// there if a commit consumes it before the sweep comes. False: it is small enough for a row, and nothing was done.
    ///
    /// # Errors
    /// [`StoreError`]: it is nowhere; what may be left of it is swept.
    pub(crate) async fn set_aside(
        &self,
        digest: &Digest,
        sealed: &mut Vec<u8>,
        now_us: i64,
    ) -> Result<bool, StoreError> {
        let Some(blobs) = self.blobs.as_ref().filter(|blobs| blobs.take(sealed.len())) else {
            return Ok(false);
        };
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO content_intents (digest, created_us, doomed) VALUES ($1, $2, 0)")
            .bind(digest.to_vec())
            .bind(now_us)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        blobs.put(digest, Bytes::from(std::mem::take(sealed))).await?;
        Ok(true)
    }

    /// The parcel with this content is being accepted: from the commit on, the content is its own. False: the sweep was
    /// there first.
    pub(crate) async fn consume_intent(&self, tx: &mut Tx, digest: &Digest) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM content_intents WHERE digest = $1 AND doomed = 0")
            .bind(digest.to_vec())
            .execute(&mut **tx)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Gives up a content that was set aside, unless a commit has consumed it.
    pub(crate) async fn give_up(&self, digest: &Digest) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        let doomed = sqlx::query("UPDATE content_intents SET doomed = 1 WHERE digest = $1 AND doomed = 0")
            .bind(digest.to_vec())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if doomed.rows_affected() == 1 { self.remove_doomed(digest).await } else { Ok(()) }
    }

    /// One step of a sweep: dooms contents that were set aside before `before_us` and never consumed, and removes what
    /// is doomed, some of each. Returns how many were removed; 0: there is nothing more to do. Any number of relays may
    /// sweep at once, and any of them may be stopped at any point.
    pub async fn sweep(&self, before_us: i64) -> Result<u32, StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "UPDATE content_intents SET doomed = 1 WHERE digest IN (SELECT digest FROM content_intents \
             WHERE doomed = 0 AND created_us < $1 ORDER BY created_us LIMIT $2)",
        )
        .bind(before_us)
        .bind(SWEEP_STEP)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        let doomed = sqlx::query("SELECT digest FROM content_intents WHERE doomed = 1 LIMIT $1")
            .bind(SWEEP_STEP)
            .fetch_all(self.read())
            .await?;
        let mut removed = 0;
        for row in doomed {
            self.remove_doomed(&digest(&row, "digest")?).await?;
            removed += 1;
        }
        Ok(removed)
    }

    async fn remove_doomed(&self, digest: &Digest) -> Result<(), StoreError> {
        let blobs = self.blobs.as_ref().ok_or(StoreError::NoBlobs)?;
        blobs.delete(digest).await?;
        let mut tx = self.begin().await?;
        sqlx::query("DELETE FROM content_intents WHERE digest = $1 AND doomed = 1")
            .bind(digest.to_vec())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A piece of a content whose row is empty.
    pub(super) async fn content_aside(
        &self,
        seq: i64,
        offset: u64,
        length: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(blobs) = &self.blobs else { return Ok(None) };
        let row = sqlx::query("SELECT sealed_digest FROM parcels WHERE seq = $1")
            .bind(seq)
            .fetch_optional(self.read())
            .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(blobs.piece(&digest(&row, "sealed_digest")?, offset, length).await?)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row as _;

    use super::*;
    use crate::store::dialect::Dialect;
    use crate::store::testing::{TestDatabase, on_both_databases};

    const NOW_US: i64 = 1_795_261_114_000_000;

    struct Place {
        database: TestDatabase,
        store: Store,
    }

    impl Place {
        async fn new(dialect: Dialect) -> Self {
            let database = TestDatabase::new(dialect).await;
            let folder = database.folder.path().join("content");
            std::fs::create_dir(&folder).unwrap();
            let store = database.open().await.with_blobs(Blobs::open(&folder, 1000).unwrap());
            Self { database, store }
        }

        /// Files, those of writes that were cut short included.
        fn files(&self) -> usize {
            let folders = std::fs::read_dir(self.database.folder.path().join("content")).unwrap();
            folders.map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap().count()).sum()
        }

        async fn intents(&self) -> i64 {
            let row = sqlx::query("SELECT COUNT(*) FROM content_intents").fetch_one(self.store.read()).await;
            row.unwrap().try_get(0).unwrap()
        }

        async fn consume(&self, digest: &Digest) -> bool {
            let mut tx = self.store.begin().await.unwrap();
            let consumed = self.store.consume_intent(&mut tx, digest).await.unwrap();
            tx.commit().await.unwrap();
            consumed
        }
    }

    async fn small_contents_are_left_alone(dialect: Dialect) {
        let place = Place::new(dialect).await;
        let mut sealed = vec![1; 1000];
        assert!(!place.store.set_aside(&[1; 32], &mut sealed, NOW_US).await.unwrap());
        assert_eq!((sealed.len(), place.intents().await, place.files()), (1000, 0, 0));
        place.store.close().await;
    }

    async fn what_was_consumed_stays_and_the_rest_is_swept(dialect: Dialect) {
        let place = Place::new(dialect).await;
        let store = &place.store;
        let set_aside = |n: u8, at_us| async move {
            let mut sealed = vec![n; 1001];
            assert!(store.set_aside(&[n; 32], &mut sealed, at_us).await.unwrap());
            assert!(sealed.is_empty());
            [n; 32]
        };
        let accepted = set_aside(1, NOW_US).await;
        let orphan = set_aside(2, NOW_US).await;
        let young = set_aside(3, NOW_US + 10).await;
        let refused = set_aside(4, NOW_US + 10).await;
        assert!(place.consume(&accepted).await);
        assert!(!place.consume(&accepted).await, "once");
        // A crash while a content was written: an intent, and an unfinished file.
        let rest = place.database.folder.path().join("content/02").join(format!("{}#1", "02".repeat(32)));
        std::fs::write(rest, b"half").unwrap();
        store.give_up(&refused).await.unwrap();
        store.give_up(&accepted).await.unwrap();
        assert_eq!((place.intents().await, place.files()), (2, 4));

        assert_eq!(store.sweep(NOW_US + 10).await.unwrap(), 1);
        assert_eq!(store.sweep(NOW_US + 10).await.unwrap(), 0);
        assert_eq!((place.intents().await, place.files()), (1, 2));
        assert!(!place.consume(&orphan).await && place.consume(&young).await);
        let blobs = store.blobs.as_ref().unwrap();
        assert_eq!(blobs.piece(&accepted, 1000, 5).await.unwrap(), Some(vec![1]));
        assert_eq!(blobs.piece(&accepted, 1001, 5).await.unwrap(), Some(Vec::new()));
        assert_eq!(blobs.piece(&orphan, 0, 5).await.unwrap(), None);
        place.store.close().await;
    }

    async fn a_sweep_that_was_cut_short_goes_on(dialect: Dialect) {
        let place = Place::new(dialect).await;
        let doomed = "INSERT INTO content_intents (digest, created_us, doomed) VALUES ($1, $2, 1)";
        for n in 0..250_u8 {
            let insert = sqlx::query(doomed).bind(vec![n; 32]).bind(NOW_US);
            insert.execute(place.store.read()).await.unwrap();
        }
        // One whose blob is still there, and whose commit comes too late.
        place.store.blobs.as_ref().unwrap().put(&[7; 32], Bytes::from_static(b"sealed")).await.unwrap();
        assert!(!place.consume(&[7; 32]).await);
        let mut steps = Vec::new();
        while steps.last() != Some(&0) {
            steps.push(place.store.sweep(0).await.unwrap());
        }
        assert_eq!(steps, [100, 100, 50, 0]);
        assert_eq!((place.intents().await, place.files()), (0, 0));
        place.store.close().await;
    }

    on_both_databases!(
        small_contents_are_left_alone,
        what_was_consumed_stays_and_the_rest_is_swept,
        a_sweep_that_was_cut_short_goes_on,
    );
}
