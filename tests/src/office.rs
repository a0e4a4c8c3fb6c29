//! An office with its certificate and its HOME, using the command `tasuki`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tasuki_certs::trial_ca::{IssueOptions, TrialCa};

use crate::programs::Programs;
use crate::raw::now_us;
use crate::relay::Relay;
use crate::run::{Ran, run};

/// Header of the file that `office import` reads.
pub const IMPORT_HEADER: &str = "number,name,kana,services,standard_ready";

/// One office.
#[derive(Clone, Debug)]
pub struct Office {
    programs: Programs,
    /// 10 digits.
    pub number: String,
    /// Its HOME.
    pub home: PathBuf,
    /// Folder with NUMBER.p12, NUMBER.pass, NUMBER.pem, NUMBER.key.
    pub certificates: PathBuf,
}

impl Office {
    /// Issues a certificate and initialises a HOME under `dir`. The office must be in the directory.
    ///
    /// # Panics
    /// If a command fails.
    pub fn join(relay: &Relay, dir: &Path, number: &str) -> Self {
        Self::join_with(relay, dir, number, &[])
    }

    /// As [`Office::join`], with further arguments to `init`.
    ///
    /// # Panics
    /// If a command fails.
    pub fn join_with(relay: &Relay, dir: &Path, number: &str, init: &[&str]) -> Self {
        Self::join_issued(relay, dir, number, &[], init)
    }

    /// As [`Office::join_with`], with further arguments to `cert issue` as well.
    ///
    /// # Panics
    /// If a command fails.
    pub fn join_issued(relay: &Relay, dir: &Path, number: &str, issue: &[&str], init: &[&str]) -> Self {
        let certificates = dir.join(format!("certificates-{number}"));
        let out = certificates.display().to_string();
        relay.run(&[&["cert", "issue", number, "--out", &out], issue].concat()).expect(0);
        let office = Self {
            programs: relay.programs.clone(),
            number: number.to_owned(),
            home: dir.join(format!("home-{number}")),
            certificates,
        };
        office.init(relay, init).expect(0);
        office
    }

    /// An office that the directory need not have: a certificate straight from the trial CA's key, and a HOME that is made offline.
    ///
    /// # Panics
    /// If a file can't be read or written, or a command fails.
    pub fn outside(relay: &Relay, dir: &Path, number: &str) -> Self {
        let read = |name: &str| fs::read(relay.dir.join(name)).expect("the trial CA's files are readable");
        let ca =
            TrialCa::load(&read("trial-ca.pem"), &read("trial-ca.key")).expect("the trial CA can be used");
        let issued = ca.issue_office(number, "of a test", &IssueOptions::new(now_us())).expect("it issues");
        let certificates = dir.join(format!("outside-{number}"));
        fs::create_dir(&certificates).expect("a new folder");
        let home = dir.join(format!("home-{number}"));
        let office = Self { programs: relay.programs.clone(), number: number.to_owned(), home, certificates };
        fs::write(office.file("pem"), issued.chain_pem().expect("a chain")).expect("a writable folder");
        fs::write(office.file("key"), issued.key_pem().expect("a key")).expect("a writable folder");
        let mut command = office.programs.tasuki();
        command.arg("init").arg(&office.home).args(["--relay", &relay.url]);
        command.arg("--relay-ca").arg(relay.dir.join("relay-ca.pem"));
        command.arg("--identity").arg(office.file("pem")).arg("--key").arg(office.file("key"));
        command.arg("--ca").arg(relay.dir.join("trial-ca.pem"));
        run(&mut command).expect(0);
        office
    }

    fn init(&self, relay: &Relay, further: &[&str]) -> Ran {
        let mut command = self.programs.tasuki();
        command.arg("init").arg(&self.home).args(["--relay", &relay.url]);
        command.arg("--relay-ca").arg(relay.dir.join("relay-ca.pem"));
        command.arg("--identity").arg(self.file("p12"));
        command.arg("--password-file").arg(self.file("pass")).args(further);
        run(&mut command)
    }

    /// The same office with another HOME.
    #[must_use]
    pub fn with_home(&self, home: PathBuf) -> Self {
        Self { home, ..self.clone() }
    }

    /// One of the certificate's files.
    pub fn file(&self, extension: &str) -> PathBuf {
        self.certificates.join(format!("{}.{extension}", self.number))
    }

    /// A command of this office.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = self.programs.tasuki();
        command.arg("--home").arg(&self.home).args(args);
        command
    }

    /// Runs a command of this office.
    pub fn run(&self, args: &[&str]) -> Ran {
        run(&mut self.command(args))
    }
}

/// Puts offices into the directory: (number, name, kana, services).
///
/// # Panics
/// If the import fails.
pub fn import(relay: &Relay, offices: &[(&str, &str, &str, &str)]) {
    let mut csv = format!("{IMPORT_HEADER}\n");
    for (number, name, kana, services) in offices {
        csv.extend([number, ",", name, ",", kana, ",", services, ",true\n"]);
    }
    let path = relay.dir.join("offices.csv");
    fs::write(&path, csv).expect("the relay's folder is writable");
    relay.run(&["office", "import", &path.display().to_string()]).expect(0);
}

/// Writes the standard's sample of a slip `count` times, each a parcel of its own, into a folder, and returns that folder.
///
/// # Panics
/// If the folder can't be written.
pub fn write_slips(into: &Path, count: u32) -> PathBuf {
    const SERIAL: &str = "20260125103000";
    fs::create_dir_all(into).expect("a writable folder");
    for number in 0..count {
        // The serial is a date and time; files that share one are one parcel.
        let serial = format!("2026012510{:02}{:02}", number / 60, number % 60);
        for sample in tasuki_careplan::samples::of_folder("03_slip_202602_to_visit") {
            let name = sample.name.replace(SERIAL, &serial);
            fs::write(into.join(name), sample.bytes).expect("a writable folder");
        }
    }
    into.to_owned()
}

/// Writes one unit of the standard's sample files into a folder, and returns that folder.
///
/// # Panics
/// If there is no such unit, or the folder can't be written.
pub fn write_sample(into: &Path, unit: &str) -> PathBuf {
    let folder = into.join(unit);
    fs::create_dir_all(&folder).expect("a writable folder");
    let samples = tasuki_careplan::samples::of_folder(unit);
    let mut count = 0;
    for sample in samples {
        fs::write(folder.join(sample.name), sample.bytes).expect("a writable folder");
        count += 1;
    }
    assert!(count > 0, "there is no sample unit {unit}");
    folder
}
