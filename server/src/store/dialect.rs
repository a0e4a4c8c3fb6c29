//! What really differs between the databases: opening, durability, locking, migrations.

use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Executor as _, Row as _, Transaction};

use super::StoreError;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Embedded: one file, one relay.
    Sqlite,
    /// A server: several relays share one database.
    Postgres,
}

/// Migrations of both databases, in order. A test holds the two folders' names together.
const MIGRATIONS: [Migration; 18] = [
    Migration {
        name: "0001_start",
        sqlite: include_str!("../../../migrations/sqlite/0001_start.sql"),
        postgres: include_str!("../../../migrations/postgres/0001_start.sql"),
    },
    Migration {
        name: "0002_contents_aside",
        sqlite: include_str!("../../../migrations/sqlite/0002_contents_aside.sql"),
        postgres: include_str!("../../../migrations/postgres/0002_contents_aside.sql"),
    },
    Migration {
        name: "0003_lifecycle",
        sqlite: include_str!("../../../migrations/sqlite/0003_lifecycle.sql"),
        postgres: include_str!("../../../migrations/postgres/0003_lifecycle.sql"),
    },
    Migration {
        name: "0005_cosignatures",
        sqlite: include_str!("../../../migrations/sqlite/0005_cosignatures.sql"),
        postgres: include_str!("../../../migrations/postgres/0005_cosignatures.sql"),
    },
    Migration {
        name: "0007_operator",
        sqlite: include_str!("../../../migrations/sqlite/0007_operator.sql"),
        postgres: include_str!("../../../migrations/postgres/0007_operator.sql"),
    },
    Migration {
        name: "0008_refusals",
        sqlite: include_str!("../../../migrations/sqlite/0008_refusals.sql"),
        postgres: include_str!("../../../migrations/postgres/0008_refusals.sql"),
    },
    Migration {
        name: "0010_webhooks",
        sqlite: include_str!("../../../migrations/sqlite/0010_webhooks.sql"),
        postgres: include_str!("../../../migrations/postgres/0010_webhooks.sql"),
    },
    Migration {
        name: "0011_mail",
        sqlite: include_str!("../../../migrations/sqlite/0011_mail.sql"),
        postgres: include_str!("../../../migrations/postgres/0011_mail.sql"),
    },
    Migration {
        name: "0012_mandates",
        sqlite: include_str!("../../../migrations/sqlite/0012_mandates.sql"),
        postgres: include_str!("../../../migrations/postgres/0012_mandates.sql"),
    },
    Migration {
        name: "0013_directory",
        sqlite: include_str!("../../../migrations/sqlite/0013_directory.sql"),
        postgres: include_str!("../../../migrations/postgres/0013_directory.sql"),
    },
    Migration {
        name: "0014_use_and_turns",
        sqlite: include_str!("../../../migrations/sqlite/0014_use_and_turns.sql"),
        postgres: include_str!("../../../migrations/postgres/0014_use_and_turns.sql"),
    },
    Migration {
        name: "0015_operators",
        sqlite: include_str!("../../../migrations/sqlite/0015_operators.sql"),
        postgres: include_str!("../../../migrations/postgres/0015_operators.sql"),
    },
    Migration {
        name: "0016_timestamps",
        sqlite: include_str!("../../../migrations/sqlite/0016_timestamps.sql"),
        postgres: include_str!("../../../migrations/postgres/0016_timestamps.sql"),
    },
    Migration {
        name: "0017_membership",
        sqlite: include_str!("../../../migrations/sqlite/0017_membership.sql"),
        postgres: include_str!("../../../migrations/postgres/0017_membership.sql"),
    },
    Migration {
        name: "0018_certificates",
        sqlite: include_str!("../../../migrations/sqlite/0018_certificates.sql"),
        postgres: include_str!("../../../migrations/postgres/0018_certificates.sql"),
    },
    Migration {
        name: "0020_partners",
        sqlite: include_str!("../../../migrations/sqlite/0020_partners.sql"),
        postgres: include_str!("../../../migrations/postgres/0020_partners.sql"),
    },
    Migration {
        name: "0022_hand_over",
        sqlite: include_str!("../../../migrations/sqlite/0022_hand_over.sql"),
        postgres: include_str!("../../../migrations/postgres/0022_hand_over.sql"),
    },
    Migration {
        name: "0024_mandate_papers",
        sqlite: include_str!("../../../migrations/sqlite/0024_mandate_papers.sql"),
        postgres: include_str!("../../../migrations/postgres/0024_mandate_papers.sql"),
    },
];

struct Migration {
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

impl Dialect {
    /// Tells from the URL.
    pub fn of(url: &str) -> Option<Self> {
        match url.split(':').next()? {
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// The URL with what must not be left to chance.
    pub(super) fn url(self, url: &str) -> String {
        match self {
            Self::Sqlite if !url.contains('?') => format!("{url}?mode=rwc"),
            Self::Sqlite | Self::Postgres => url.to_owned(),
        }
    }

    /// Sets up one new connection. `SQLite` loses these settings with the connection.
    pub(super) async fn prepare(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let statements = match self {
            // busy_timeout: an administrative command of another process holds the lock for milliseconds.
            // wal_autocheckpoint: 16 MiB, so that a burst does not checkpoint every few batches.
            Self::Sqlite => {
                "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -32768; \
                 PRAGMA temp_store = MEMORY; PRAGMA secure_delete = OFF"
            }
            // A stalled relay must not hold the head: the server itself ends its transaction.
            Self::Postgres => {
                "SET statement_timeout = '20s'; SET lock_timeout = '10s'; \
                 SET idle_in_transaction_session_timeout = '10s'; SET application_name = 'tasuki-relay'"
            }
        };
        for statement in statements.split("; ") {
            connection.execute(statement).await?;
        }
        Ok(())
    }

    /// Refuses a database that may lose what it confirmed.
    pub(super) async fn check_durable(self, pool: &AnyPool) -> Result<(), StoreError> {
        match self {
            Self::Sqlite => {
                let mode: String = sqlx::query("PRAGMA journal_mode").fetch_one(pool).await?.try_get(0)?;
                if mode != "wal" {
                    return Err(StoreError::NotDurable(format!("journal_mode is {mode}, not wal")));
                }
                let synchronous: i64 = sqlx::query("PRAGMA synchronous").fetch_one(pool).await?.try_get(0)?;
                if synchronous < 2 {
                    return Err(StoreError::NotDurable(format!("synchronous is {synchronous}, not FULL")));
                }
            }
            Self::Postgres => {
                for (name, bad) in [
                    ("fsync", ["off", ""]),
                    ("synchronous_commit", ["off", ""]),
                    ("full_page_writes", ["off", ""]),
                ] {
                    let value: String = sqlx::query("SELECT current_setting($1)")
                        .bind(name)
                        .fetch_one(pool)
                        .await?
                        .try_get(0)?;
                    if bad.contains(&value.as_str()) {
                        return Err(StoreError::NotDurable(format!("{name} is {value}")));
                    }
                }
            }
        }
        Ok(())
    }

    /// Applies what is missing, each migration in a transaction of its own.
    pub(super) async fn migrate(self, pool: &AnyPool) -> Result<(), StoreError> {
        let mut tx = self.begin(pool).await?;
        if self == Self::Postgres {
            // Two relays that start together must not both migrate. Any key will do; it is ours alone.
            sqlx::query("SELECT pg_advisory_xact_lock(7827845)::TEXT").execute(&mut *tx).await?;
        }
        sqlx::query("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
            .execute(&mut *tx)
            .await?;
        let applied: Vec<String> = sqlx::query("SELECT name FROM migrations ORDER BY name")
            .fetch_all(&mut *tx)
            .await?
            .iter()
            .map(|row| row.try_get(0))
            .collect::<Result<_, _>>()?;
        if let Some(unknown) = applied.iter().find(|name| MIGRATIONS.iter().all(|m| m.name != name.as_str()))
        {
            return Err(StoreError::TooNew(unknown.clone()));
        }
        for migration in MIGRATIONS.iter().filter(|m| !applied.iter().any(|name| name == m.name)) {
            let sql = match self {
                Self::Sqlite => migration.sqlite,
                Self::Postgres => migration.postgres,
            };
            for statement in statements(sql) {
                tx.execute(AssertSqlSafe(statement)).await?;
            }
            sqlx::query("INSERT INTO migrations (name) VALUES ($1)")
                .bind(migration.name)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Begins a transaction that will write: `SQLite` takes the lock now, so that it never has to be given up
    /// in the middle; `PostgreSQL` locks the head's row when it is read.
    pub(super) async fn begin(self, pool: &AnyPool) -> Result<Transaction<'static, Any>, sqlx::Error> {
        match self {
            Self::Sqlite => pool.begin_with("BEGIN IMMEDIATE").await,
            Self::Postgres => pool.begin().await,
        }
    }

    /// Suffix of the query that reads the head in order to move it.
    pub(super) fn lock_head(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }
}

/// Statements of a migration file: comments are whole lines, statements end at a line's end.
fn statements(sql: &str) -> Vec<String> {
    let code: String =
        sql.lines().filter(|l| !l.trim_start().starts_with("--")).flat_map(|l| [l, "\n"]).collect();
    code.split(";\n").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_databases_have_the_same_migrations() {
        for dialect in ["sqlite", "postgres"] {
            let folder = format!("{}/../migrations/{dialect}", env!("CARGO_MANIFEST_DIR"));
            let mut names: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|e| e.unwrap().file_name().into_string().unwrap().replace(".sql", ""))
                .collect();
            names.sort();
            assert_eq!(names, MIGRATIONS.map(|m| m.name.to_owned()), "{dialect}");
        }
    }

    #[test]
    fn a_migration_splits_into_whole_statements() {
        for migration in MIGRATIONS {
            for sql in [migration.sqlite, migration.postgres] {
                for statement in statements(sql) {
                    assert!(
                        ["CREATE ", "ALTER ", "INSERT "].iter().any(|k| statement.starts_with(k)),
                        "{statement}"
                    );
                }
            }
        }
    }
}
