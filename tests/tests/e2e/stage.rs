//! A relay and offices for one test.

use std::fs;
use std::path::{Path, PathBuf};

use tasuki_certs::trial_ca::{IssueOptions, TrialCa};
use tasuki_tests::office::{Office, import};
use tasuki_tests::programs::Programs;
use tasuki_tests::raw::RawOffice;
use tasuki_tests::relay::Relay;
use tasuki_tests::run::run;
use tempfile::TempDir;

pub(crate) const MANAGER: &str = "1371215102";
pub(crate) const VISIT: &str = "9971100012";
pub(crate) const DAY: &str = "9971100020";

/// Which database a test runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Database {
    Sqlite,
    Postgres,
}

/// A running relay with three offices in its directory.
pub(crate) struct Stage {
    pub(crate) relay: Relay,
    folder: TempDir,
}

pub(crate) fn programs() -> Programs {
    Programs::new(env!("CARGO_BIN_EXE_tasuki-demo"))
}

impl Stage {
    pub(crate) fn new(database: Database) -> Self {
        Self::with(database, tempfile::tempdir().unwrap(), programs(), &[])
    }

    /// The same in a folder that is there already, with these programs and further arguments to the relay's `init`.
    pub(crate) fn with(database: Database, folder: TempDir, programs: Programs, init: &[&str]) -> Self {
        let mut relay = Relay::init_with(programs, &folder.path().join("relay"), init);
        if matches!(database, Database::Postgres) {
            relay.use_database(&new_postgres_database());
        }
        import(
            &relay,
            &[
                (MANAGER, "A居宅介護支援事業所", "エーキョタク", "43"),
                (VISIT, "ひまわり訪問介護", "ヒマワリ", "11"),
                (DAY, "さくらデイサービス", "サクラ", "15"),
            ],
        );
        relay.start();
        Self { relay, folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// An office with its HOME.
    pub(crate) fn office(&self, number: &str) -> Office {
        Office::join(&self.relay, self.path(), number)
    }

    /// An office with its HOME, made with further arguments to `init`.
    pub(crate) fn office_with(&self, number: &str, init: &[&str]) -> Office {
        Office::join_with(&self.relay, self.path(), number, init)
    }

    /// An office with a certificate of any kind from the trial CA, and a HOME made of it as PEM.
    pub(crate) fn office_with_certificate(
        &self,
        number: &str,
        options: &IssueOptions,
        init: &[&str],
    ) -> Office {
        let office = self.office(number);
        let read = |name: &str| fs::read(self.relay.dir.join(name)).unwrap();
        let ca = TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).unwrap();
        let issued = ca.issue_office(number, "of a test", options).unwrap();
        let folder = self.path().join(format!("special-{number}"));
        fs::create_dir(&folder).unwrap();
        let (pem, key) = (folder.join("office.pem"), folder.join("office.key"));
        fs::write(&pem, issued.chain_pem().unwrap()).unwrap();
        fs::write(&key, issued.key_pem().unwrap()).unwrap();
        let office = office.with_home(folder.join("home"));
        let mut command = programs().tasuki();
        command.arg("init").arg(&office.home).args(["--relay", &self.relay.url]);
        command.arg("--relay-ca").arg(self.relay.dir.join("relay-ca.pem"));
        command.arg("--identity").arg(&pem).arg("--key").arg(&key).args(init);
        run(&mut command).expect(0);
        office
    }

    /// An office below the SDK.
    pub(crate) fn raw(&self, number: &str) -> RawOffice {
        let out = self.certificates(number);
        self.relay.run(&["cert", "issue", number, "--out", &out.display().to_string()]).expect(0);
        RawOffice::load(&out, number)
    }

    /// An office whose certificate [`Stage::raw`] issued before.
    pub(crate) fn raw_again(&self, number: &str) -> RawOffice {
        RawOffice::load(&self.certificates(number), number)
    }

    fn certificates(&self, number: &str) -> PathBuf {
        self.path().join(format!("raw-{number}"))
    }
}

/// A new database on the test server; `ops/test` starts one.
fn new_postgres_database() -> String {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    static SERIAL: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let server = std::env::var("TASUKI_TEST_POSTGRES")
        .expect("TASUKI_TEST_POSTGRES names a PostgreSQL server for tests; ops/test starts one");
    let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let name = format!("tasuki_e2e_{}_{serial}", std::process::id());
    let (base, _) = server.rsplit_once('/').expect("the URL names a database");
    let url = format!("{base}/{name}");
    // On a thread of its own: the caller may itself be in a runtime.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let mut connection = sqlx::PgConnection::connect(&server).await.unwrap();
                connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
            });
        });
    });
    url
}
