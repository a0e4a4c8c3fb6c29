//! Databases for tests: every store test runs on both; a missing PostgreSQL fails it.

use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;

use super::Store;
use super::dialect::Dialect;

/// One throw-away database.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    pub(crate) folder: TempDir,
}

impl TestDatabase {
    pub(crate) async fn new(dialect: Dialect) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = match dialect {
            Dialect::Sqlite => format!("sqlite:{}", folder.path().join("relay.db").display()),
            Dialect::Postgres => Self::create_postgres().await,
        };
        Self { url, folder }
    }

    async fn create_postgres() -> String {
        static SERIAL: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let server = std::env::var("TASUKI_TEST_POSTGRES")
            .expect("TASUKI_TEST_POSTGRES names a PostgreSQL server for tests; ops/test starts one");
        let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("tasuki_{}_{serial}", std::process::id());
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(&server).await.expect("the test server answers");
        connection.execute(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}"))).await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let (base, _) = server.rsplit_once('/').expect("the URL names a database");
        format!("{base}/{name}")
    }

    pub(crate) async fn open(&self) -> Store {
        Store::open(&self.url).await.expect("the test database opens")
    }
}

/// Makes one test for each database of an `async fn name(dialect: Dialect)`.
macro_rules! on_both_databases {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::store::dialect::Dialect::Sqlite).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::store::dialect::Dialect::Postgres).await;
            })*
        }
    };
}
pub(crate) use on_both_databases;
