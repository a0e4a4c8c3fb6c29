//! A small log with everything in it, and ways to tamper with its database and undo it.

use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use tasuki_proto::ids::ParcelKey;
use tasuki_proto::log::{Checkpoint, LogSigner};

use super::super::parcels::Due;
use super::super::problem::{Problem, Problems};
use super::super::{Summary, verify};
use crate::boot::{Boot, log_signer};
use crate::commands::lang::Lang;
use crate::commands::output::Output;
use crate::commands::testing::{TestRelay, acknowledge, deliver, fetch};
use crate::evidence::witness::Witness;
use crate::store::Store;
use crate::store::dialect::Dialect;
use crate::store::leaves::{Position, TileName};

/// A log of three parcels: one waits, one was fetched, one is signed for.
pub(super) struct Bench {
    pub(super) relay: TestRelay,
    pub(super) store: Store,
    pub(super) signer: LogSigner,
    pub(super) parcels: Vec<ParcelKey>,
}

impl Bench {
    pub(super) async fn new(dialect: Dialect) -> Self {
        let relay = TestRelay::new(dialect).await;
        relay.with_offices().await;
        let boot = relay.boot().await;
        let parcels = fill(&boot).await;
        let store = boot.store.clone();
        drop((boot.started.committer, boot.started.ledger));
        boot.started.running.finished().await.unwrap();
        let signer = log_signer(&relay.config().evidence.log_key).unwrap();
        Self { relay, store, signer, parcels }
    }

    fn witness(&self) -> Option<Checkpoint> {
        Witness::read(&self.relay.config().evidence.witness, &self.signer.verifier()).unwrap()
    }

    pub(super) async fn verify(&self) -> (Summary, Problems) {
        self.verify_against(self.witness().as_ref()).await
    }

    pub(super) async fn verify_against(&self, witness: Option<&Checkpoint>) -> (Summary, Problems) {
        self.verify_by(witness, 0).await
    }

    /// As somebody finds it at another time.
    pub(super) async fn verify_at(&self, now_us: i64) -> (Summary, Problems) {
        self.verify_by(self.witness().as_ref(), now_us).await
    }

    async fn verify_by(&self, witness: Option<&Checkpoint>, now_us: i64) -> (Summary, Problems) {
        let (out, ..) = Output::captured(Lang::En, false);
        let profile = tasuki_certs::profile::CertificateProfile::trial();
        let due = Due { retention: self.relay.config().retention, now_us, profile };
        verify(&self.store, &self.signer.verifier(), witness, &due, &out).await.unwrap()
    }

    pub(super) async fn execute(&self, sql: &str) {
        let mut tx = self.store.begin().await.unwrap();
        let done = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.unwrap();
        assert!(done.rows_affected() > 0, "{sql}");
        tx.commit().await.unwrap();
    }

    /// Sets a column of one row, and hands back what stood there.
    pub(super) async fn set(&self, table: &str, column: &str, row: &str, value: &[u8]) -> Vec<u8> {
        let mut tx = self.store.begin().await.unwrap();
        let select = format!("SELECT {column} FROM {table} WHERE {row}");
        let old = sqlx::query(AssertSqlSafe(select)).fetch_one(&mut *tx).await.unwrap().try_get(0).unwrap();
        let update = format!("UPDATE {table} SET {column} = $1 WHERE {row}");
        sqlx::query(AssertSqlSafe(update)).bind(value.to_vec()).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
        old
    }

    /// What is found while a column of bytes holds something else.
    pub(super) async fn found_with(
        &self,
        table: &str,
        column: &str,
        row: &str,
        value: &[u8],
    ) -> Vec<Problem> {
        let old = self.set(table, column, row, value).await;
        let (_, problems) = self.verify().await;
        self.set(table, column, row, &old).await;
        problems.told().to_vec()
    }

    /// What is found between two statements of which the second undoes the first.
    pub(super) async fn found_between(&self, tamper: &str, undo: &str) -> Vec<Problem> {
        self.execute(tamper).await;
        let (_, problems) = self.verify().await;
        self.execute(undo).await;
        problems.told().to_vec()
    }

    pub(super) async fn bytes(&self, table: &str, column: &str, row: &str) -> Vec<u8> {
        let select = format!("SELECT {column} FROM {table} WHERE {row}");
        sqlx::query(AssertSqlSafe(select)).fetch_one(self.store.read()).await.unwrap().try_get(0).unwrap()
    }

    /// After each tampering was undone the log verifies again: no test disturbs the next.
    pub(super) async fn assert_clean(&self) {
        let (summary, problems) = self.verify().await;
        assert_eq!(problems.told(), [], "{summary:?}");
    }
}

async fn fill(boot: &Boot) -> Vec<ParcelKey> {
    let mut parcels = Vec::new();
    for n in 1..=3 {
        parcels.push(deliver(boot, n).await);
    }
    fetch(boot, parcels[1]).await;
    fetch(boot, parcels[2]).await;
    acknowledge(boot, parcels[2], 3).await;
    parcels
}

/// The log of [`Bench`]: started, two offices, three deliveries, two fetches, one acknowledgement.
pub(super) const SIZE: u64 = 9;
/// Index of the first delivery.
pub(super) const FIRST: u64 = 3;

pub(super) fn at(index: u64) -> Position {
    Position { epoch: 1, index }
}

pub(super) fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[place] ^= 1;
    bytes
}

pub(super) const TILE: TileName = TileName { epoch: 1, level: 0, tile: 0 };
