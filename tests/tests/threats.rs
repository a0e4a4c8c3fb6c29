//! `THREATS.md` names tests as proof: each of them must exist, as a test, in the file that is named.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How a test begins.
const ATTRIBUTES: [&str; 2] = ["#[test]", "#[tokio::test"];

/// A function that a macro makes tests of, one for each database, is named in it.
const ON_BOTH: &str = "on_both_databases!(";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tests of each file that a text names: `path/to/file.rs: one, another`.
fn named_in(text: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut named: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    // Odd pieces stand between backticks.
    for span in text.split('`').skip(1).step_by(2) {
        if let Some((path, names)) = span.split_once(".rs: ") {
            let end = path.len() + ".rs".len();
            named.entry(&span[..end]).or_default().extend(names.split(',').map(str::trim));
        }
    }
    named
}

/// What is wrong with a name, if anything is.
fn fault(source: &str, name: &str) -> Option<&'static str> {
    let word =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if !word {
        return Some("is no name of a function");
    }
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let function = |line: &&str| {
        let line = line.strip_prefix("async ").unwrap_or(line);
        line.strip_prefix("fn ")
            .and_then(|rest| rest.strip_prefix(name))
            .is_some_and(|rest| rest.starts_with('('))
    };
    let Some(place) = lines.iter().position(function) else { return Some("does not exist") };
    let attributes = lines[..place].iter().rev().take_while(|line| line.starts_with("#["));
    let is_test = attributes.into_iter().any(|line| ATTRIBUTES.iter().any(|test| line.starts_with(test)));
    let both = source.split(ON_BOTH).skip(1).filter_map(|rest| rest.split(')').next());
    let on_both = both.flat_map(|names| names.split(',')).any(|other| other.trim() == name);
    (!is_test && !on_both).then_some("is no test")
}

#[test]
fn every_test_that_is_named_exists() {
    let threats = fs::read_to_string(root().join("THREATS.md")).expect("THREATS.md stands at the top");
    let named = named_in(&threats);
    let mut faults = Vec::new();
    for (path, names) in &named {
        match fs::read_to_string(root().join(path)) {
            Err(error) => faults.push(format!("{path}: {error}")),
            Ok(source) => {
                faults.extend(
                    names.iter().filter_map(|name| Some(format!("{path}: {name} {}", fault(&source, name)?))),
                );
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let count: usize = named.values().map(Vec::len).sum();
    assert!(count > 100, "only {count} tests are named: is the spelling understood?");
}

#[test]
fn every_threat_has_a_proof_or_says_that_it_has_none() {
    let threats = fs::read_to_string(root().join("THREATS.md")).expect("THREATS.md stands at the top");
    let rows = threats.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat |"));
    let mut count = 0;
    for row in rows {
        count += 1;
        assert_eq!(row.matches(" | ").count(), 2, "three columns: {row}");
        let says =
            !named_in(row).is_empty() || row.contains("**not covered**") || row.contains("not a test: ");
        assert!(says, "no proof: {row}");
    }
    assert!(count > 40, "only {count} rows");
}

#[test]
fn what_is_no_test_is_noticed() {
    let source = "#[test]\nfn good() {}\n    #[tokio::test(flavor = \"multi_thread\")]\n    async fn slow() {}\nfn helper() {}\n\
                  async fn twice(d: Dialect) {}\non_both_databases!(\n    twice,\n);\n#[test]\nfn good_and_more() {}\n";
    for name in ["good", "slow", "twice", "good_and_more"] {
        assert_eq!(fault(source, name), None, "{name}");
    }
    for (name, wrong) in [
        ("helper", "is no test"),
        ("gone", "does not exist"),
        ("goo", "does not exist"),
        ("", "is no name of a function"),
        ("two words", "is no name of a function"),
    ] {
        assert_eq!(fault(source, name), Some(wrong), "{name}");
    }
    let named = named_in("`a/b.rs: one, two`<br>`a/b.rs: three` and `c.rs`, `no: thing`");
    assert_eq!(named, [("a/b.rs", vec!["one", "two", "three"])].into());
}
