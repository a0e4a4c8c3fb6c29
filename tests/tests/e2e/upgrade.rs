//! A relay from before joining, renewals and partners: its database with everything in it is taken over by today's relay.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _, Row as _};
use tasuki_tests::office::write_sample;
use tasuki_tests::run::text;

use crate::stage::{Database, MANAGER, Stage, VISIT};

/// The last migration that the old relay knew.
const OLD: &str = "0014";

/// Columns of every table, by table.
type Columns = BTreeMap<String, Vec<String>>;

async fn columns(connection: &mut AnyConnection, sql: &'static str) -> Columns {
    let mut found = Columns::new();
    for row in connection.fetch_all(sql).await.unwrap() {
        found.entry(row.get(0)).or_default().push(row.get(1));
    }
    found
}

const SQLITE_COLUMNS: &str = "SELECT t.name, c.name FROM main.sqlite_schema AS t, pragma_table_info(t.name, 'main') AS c \
                              WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'";
const POSTGRES_COLUMNS: &str = "SELECT table_name::TEXT, column_name::TEXT FROM information_schema.columns \
                                WHERE table_schema = 'public'";

/// Makes the tables of the old relay and fills them with what the new ones, which stand in `now`, have for them.
async fn make_old(connection: &mut AnyConnection, kind: &str, columns_of: &'static str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(kind);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    connection.execute("CREATE TABLE migrations (name TEXT PRIMARY KEY)").await.unwrap();
    let old = |path: &&std::path::PathBuf| &path.file_stem().unwrap().to_str().unwrap()[..OLD.len()] <= OLD;
    for path in files.iter().filter(old) {
        let sql = fs::read_to_string(path).unwrap();
        let sql: String =
            sql.lines().filter(|l| !l.trim_start().starts_with("--")).flat_map(|l| [l, "\n"]).collect();
        for statement in sql.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()) {
            connection.execute(AssertSqlSafe(statement.to_owned())).await.unwrap();
        }
    }
    for (table, names) in columns(connection, columns_of).await {
        let (names, which) =
            (names.join(", "), if table == "migrations" { " WHERE name < '0015'" } else { "" });
        for sql in [
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} ({names}) SELECT {names} FROM now.{table}{which}"),
        ] {
            connection.execute(AssertSqlSafe(sql)).await.unwrap();
        }
    }
}

/// The newest migration that a database knows.
async fn newest(connection: &mut AnyConnection) -> String {
    connection.fetch_one("SELECT MAX(name) FROM migrations").await.unwrap().get(0)
}

/// Takes a stopped relay's database back to how the old one would have written it.
fn take_back(stage: &Stage, database: Database) {
    sqlx::any::install_default_drivers();
    let config = fs::read_to_string(stage.relay.config()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match database {
            Database::Sqlite => {
                let (file, now) = (stage.relay.dir.join("relay.db"), stage.path().join("now.db"));
                let at = format!("sqlite:{}", file.display());
                let mut connection = AnyConnection::connect(&at).await.unwrap();
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
                connection.close().await.unwrap();
                fs::rename(&file, &now).unwrap();
                let mut connection = AnyConnection::connect(&format!("{at}?mode=rwc")).await.unwrap();
                let attach = format!("ATTACH DATABASE '{}' AS now", now.display());
                connection.execute(AssertSqlSafe(attach)).await.unwrap();
                make_old(&mut connection, "sqlite", SQLITE_COLUMNS).await;
                assert!(newest(&mut connection).await.starts_with(OLD));
                connection.close().await.unwrap();
            }
            Database::Postgres => {
                let line = config.lines().find(|line| line.starts_with("url = \"postgres")).unwrap();
                let mut connection = AnyConnection::connect(line.split('"').nth(1).unwrap()).await.unwrap();
                connection.execute("ALTER SCHEMA public RENAME TO now").await.unwrap();
                connection.execute("CREATE SCHEMA public").await.unwrap();
                make_old(&mut connection, "postgres", POSTGRES_COLUMNS).await;
                connection.execute("DROP SCHEMA now CASCADE").await.unwrap();
                assert!(newest(&mut connection).await.starts_with(OLD));
                connection.close().await.unwrap();
            }
        }
    });
}

fn an_old_database_is_taken_over(database: Database) {
    let mut stage = Stage::new(database);
    let (manager, visit) = (stage.office(MANAGER), stage.office(VISIT));
    stage.relay.run(&["proxy", "add", "P00001", "--name", "伝送サービス"]).expect(0);
    let all = ["--scopes", "send,receive,acknowledge,read-status", "--days", "30"];
    visit.run(&[&["delegate", "P00001"][..], &all].concat()).expect(0);
    let invite = ["--json", "terminal", "invite", "--name", "受付", "--scopes", "send,receive"];
    let code = text(&visit.run(&invite).expect(0).json()[0], "code").to_owned();
    let home = stage.path().join("terminal");
    let (ca, at) = (stage.relay.dir.join("relay-ca.pem").display().to_string(), home.display().to_string());
    visit.run(&["enrol", &at, "--relay", &stage.relay.url, "--relay-ca", &ca, "--code", &code]).expect(0);
    let terminal = visit.with_home(home);
    let into = |name: &str| stage.path().join(name).display().to_string();
    let (first, second) = (into("in-1"), into("in-2"));
    let send = |sample: &str, more: &[&str]| {
        let files = write_sample(stage.path(), sample).display().to_string();
        let told =
            manager.run(&[&["--json", "send", &files, "--new-partner"], more].concat()).expect(0).json();
        text(&told[0], "parcel").to_owned()
    };
    let received = send("03_slip_202602_to_visit", &[]);
    terminal.run(&["receive", "--out", &first]).expect(0);
    let waiting = send("01_plan_documents_to_visit", &[]);
    let held = send("11_delete_slip", &["--hold"]);

    assert!(stage.relay.stop());
    take_back(&stage, database);
    stage.relay.start();
    // Everything is there, and the log says the same as before.
    stage.relay.run(&["log", "verify"]).expect(0);
    for (parcel, state) in [(&received, "acknowledged"), (&waiting, "delivered"), (&held, "held")] {
        let shown = manager.run(&["--json", "show", parcel]).expect(0).json();
        assert_eq!(text(&shown[0], "state"), state, "{shown:?}");
    }
    let listed = visit.run(&["--json", "terminal", "list"]).expect(0).json();
    let states: Vec<_> = listed.iter().map(|mandate| text(mandate, "state")).collect();
    assert_eq!(states, ["active", "active"], "{listed:?}");
    // It goes on: what waited, what was held, who may act, what is new.
    terminal.run(&["receive", "--out", &second]).expect(0);
    manager.run(&["release", &held]).expect(0);
    terminal.run(&["renew"]).expect(0);
    manager.run(&["partner", "invite", VISIT]).expect(0);
    visit.run(&["delegate", "P00001", "--revoke"]).expect(0);
    visit.run(&["renew"]).expect(0);
    visit.run(&["leave", "--yes"]).expect(0);
    let shown = manager.run(&["--json", "show", &held]).expect(0).json();
    assert!(["delivered", "expired"].contains(&text(&shown[0], "state")), "{shown:?}");
    stage.relay.run(&["log", "verify"]).expect(0);
}

#[test]
fn an_old_database_is_taken_over_sqlite() {
    an_old_database_is_taken_over(Database::Sqlite);
}

#[test]
fn an_old_database_is_taken_over_postgres() {
    an_old_database_is_taken_over(Database::Postgres);
}
