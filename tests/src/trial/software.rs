//! A receiver's care software: imports files in the order of their serials, keeps the newest state of each user and month,
//! and takes back what is withdrawn. An independent reading of the standard's rules, to hold what arrives against.

use std::collections::{BTreeMap, BTreeSet};

use tasuki_careplan::file_name::FileName;
use tasuki_careplan::kind::FileKind;
use tasuki_careplan::record::RecordReader;

/// What is known about what: sender, insured number, subject, month (empty for plan documents).
pub type Topic = (String, String, &'static str, String);

/// The newest state of everything: lines that say what it is.
pub type State = BTreeMap<Topic, BTreeSet<String>>;

/// The software of one office.
#[derive(Debug, Default)]
pub struct Software {
    /// What it holds.
    pub state: State,
}

impl Software {
    /// Imports files: name and bytes.
    ///
    /// # Panics
    /// If a file is none of the standard's, or can't be read.
    pub fn import(&mut self, mut files: Vec<(String, Vec<u8>)>) {
        files.sort_by_key(|(name, _)| parsed(name).serial);
        for (name, bytes) in &files {
            self.import_one(name, bytes);
        }
    }

    fn import_one(&mut self, name: &str, bytes: &[u8]) {
        let parsed = parsed(name);
        let sender = parsed.sender.to_string();
        let mut new: State = BTreeMap::new();
        for record in RecordReader::of(name, bytes).expect("a file of the standard") {
            let record = record.expect("a record of the standard");
            let item = |name: &str| record.text(name).unwrap_or_default().into_owned();
            let topic = |subject, month| (sender.clone(), item("insured_no"), subject, month);
            match parsed.kind {
                FileKind::Up1kyo => {
                    new.entry(topic("plan", String::new()))
                        .or_default()
                        .insert(item("overall_support_policy"));
                }
                FileKind::Upplan | FileKind::Upjsk => {
                    let subject = if parsed.kind == FileKind::Upplan { "slip" } else { "result" };
                    let line =
                        ["service_date", "start_time", "end_time", "service_office_no"].map(item).join(" ");
                    new.entry(topic(subject, item("target_month"))).or_default().insert(line);
                }
                FileKind::Dlt1kyo => drop(self.state.remove(&topic("plan", String::new()))),
                FileKind::Dltplan => drop(self.state.remove(&topic("slip", item("delete_target_month")))),
                FileKind::Dltjsk => drop(self.state.remove(&topic("result", item("delete_target_month")))),
                _ => {}
            }
        }
        // The newest replaces what was there, whole.
        self.state.extend(new);
    }
}

fn parsed(name: &str) -> FileName {
    FileName::parse(name).expect("a name of the standard")
}
