//! Hostile and odd files, one for each case, each with the findings that it must get.
//!
//! `vectors/files/*.vector`: lines `why:`, `name:` and `expect:` (severity, rule, and where), an empty line, the content.
//! `vectors/parcels/*/`: files, and `expected.txt` with `why:`, `facts:`, `strict:`, `known:`, `unit:` and `expect:`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tasuki_careplan::check::check_file;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::finding::{Finding, Findings, RuleId, Severity};
use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};
use tasuki_careplan::severity::Severities;

fn paths_in(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(folder);
    let mut paths: Vec<PathBuf> = fs::read_dir(root)
        .expect("the folder is part of the crate")
        .map(|entry| entry.expect("an entry that can be read").path())
        .collect();
    paths.sort();
    assert!(paths.len() > 10);
    paths
}

/// As a vector writes it.
fn told(finding: &Finding) -> String {
    let severity = if finding.severity == Severity::Error { "error" } else { "warning" };
    let line = finding.line.map(|line| format!(" line {line}")).unwrap_or_default();
    let item = finding.item.map(|item| format!(" item {item}")).unwrap_or_default();
    format!("{severity} {}{line}{item}", finding.rule)
}

fn all_told(findings: &Findings) -> Vec<String> {
    for finding in findings {
        let japanese = !finding.message_ja.is_ascii();
        assert!(japanese && finding.message_en.is_ascii(), "{finding:?}");
        assert!(finding.message_en.len() > 30 && !finding.shape.is_empty(), "{finding:?}");
        let named = finding.item_name_ja.is_some();
        assert!(!named || finding.item.is_some());
    }
    findings.iter().map(told).collect()
}

struct Vector {
    path: PathBuf,
    name: String,
    expected: Vec<String>,
    content: Vec<u8>,
}

fn file_vectors() -> impl Iterator<Item = Vector> {
    paths_in("files").into_iter().map(|path| {
        let bytes = fs::read(&path).expect("a vector that can be read");
        let end = bytes.windows(2).position(|two| two == b"\n\n").expect("an empty line ends the head");
        let head = std::str::from_utf8(&bytes[..end]).expect("the head is ASCII");
        let values = |key: &str| -> Vec<String> {
            let values = head.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            values.map(str::to_owned).collect()
        };
        assert_eq!((values("why").len(), values("name").len()), (1, 1), "{}", path.display());
        let content = bytes[end + 2..].to_vec();
        Vector { name: values("name").remove(0), expected: values("expect"), content, path }
    })
}

#[test]
fn every_file_gets_exactly_its_findings() {
    for vector in file_vectors() {
        let findings = check_file(&vector.name, &vector.content);
        assert_eq!(all_told(&findings), vector.expected, "{}", vector.path.display());
    }
}

#[test]
fn every_parcel_gets_exactly_its_findings() {
    for path in paths_in("parcels") {
        let expected = fs::read_to_string(path.join("expected.txt")).unwrap();
        let values = |key: &str| -> Vec<&str> {
            expected.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).collect()
        };
        let mut files: Vec<(String, Vec<u8>)> = Vec::new();
        for file in fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            if name != "expected.txt" {
                files.push((name, fs::read(file).unwrap()));
            }
        }
        files.sort();
        let sources: Vec<SourceFile<'_>> =
            files.iter().map(|(name, bytes)| SourceFile { name, bytes }).collect();

        let mut facts = ParcelFacts::default();
        for fact in values("facts").into_iter().flat_map(str::split_whitespace) {
            match fact.split_once('=').unwrap() {
                ("sender", number) => facts.sender = Some(number.parse().unwrap()),
                ("recipient", number) => facts.recipient = Some(number.parse().unwrap()),
                ("month", month) => facts.month = Some(month.parse().unwrap()),
                (_, serial) => facts.serial = Some(serial.parse().unwrap()),
            }
        }
        let strict = values("strict").into_iter().map(|rule| rule.parse::<RuleId>().unwrap());
        let options = CheckOptions {
            severities: Severities::strict_about(strict),
            allow_unknown_documents: values("known").is_empty(),
            ..CheckOptions::default()
        };
        let check = check_parcel(&facts, &sources, &options);
        let mut found: Vec<String> = Vec::new();
        for ((name, _), findings) in files.iter().zip(&check.findings) {
            found.extend(all_told(findings).into_iter().map(|told| format!("{name} {told}")));
        }
        let mut wanted = values("expect");
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted, "{}", path.display());
        let mut units: Vec<&str> = check.units.units.iter().map(|unit| unit.rule.id).collect();
        units.sort_unstable();
        assert_eq!(units, values("unit"), "{}", path.display());
    }
}

#[test]
fn every_rule_has_a_vector() {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut add = |expected: &str| seen.extend(expected.split(' ').map(str::to_owned));
    file_vectors().flat_map(|vector| vector.expected).for_each(|expected| add(&expected));
    for path in paths_in("parcels") {
        add(&fs::read_to_string(path.join("expected.txt")).unwrap().replace('\n', " "));
    }
    let missing: Vec<&str> =
        RuleId::ALL.iter().map(|rule| rule.as_str()).filter(|rule| !seen.contains(*rule)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
