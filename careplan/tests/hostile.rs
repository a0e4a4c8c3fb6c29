//! Whatever the bytes: no panic, bounded findings, no value from the file in any finding.

use tasuki_careplan::check::check_file;
use tasuki_careplan::file::SourceFile;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::finding::{Findings, MAX_FINDINGS, RuleId};
use tasuki_careplan::misdirected::drop_misdirected;
use tasuki_careplan::parcel::{CheckOptions, ParcelFacts, check_parcel};
use tasuki_careplan::record::RecordReader;
use tasuki_careplan::{join, one_file, samples};

/// A small generator (xorshift64*), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a usize fits in 64 bits");
        usize::try_from(self.next() % bound).expect("it is below a usize")
    }

    /// A byte: as often as not one that matters to CSV or MS932.
    fn byte(&mut self) -> u8 {
        const EDGES: &[u8] = b"\",\r\n\0\x1A0\x40\x7E\x80\x81\x82\x9F\xA0\xDF\xE0\xEF\xF0\xF9\xFC\xFF";
        if self.next().is_multiple_of(2) {
            EDGES[self.below(EDGES.len())]
        } else {
            self.next().to_le_bytes()[3]
        }
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(4) {
                0 => bytes.insert(at, self.byte()),
                1 => bytes.truncate(at),
                _ if at == bytes.len() => {}
                2 => bytes[at] = self.byte(),
                _ => drop(bytes.remove(at)),
            }
        }
    }
}

/// What holds for the findings of any file.
fn assert_sane(findings: &Findings) {
    assert!(findings.iter().count() <= MAX_FINDINGS);
    assert_eq!(findings.is_clean(), findings.iter().next().is_none());
    for finding in findings {
        assert!(
            finding.shape.len() < 400 && finding.message_ja.len() < 1_000 && finding.message_en.len() < 1_000
        );
    }
}

#[test]
fn mutated_samples() {
    let mut random = Random(0x7A5C_0001);
    for _ in 0..400 {
        for sample in samples::all() {
            let mut bytes = sample.bytes.to_vec();
            random.mutate(&mut bytes);
            assert_sane(&check_file(sample.name, &bytes));
        }
    }
}

#[test]
fn random_bytes() {
    let mut random = Random(0x7A5C_0002);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..random.below(200)).map(|_| random.byte()).collect();
        let sample = &samples::all()[random.below(samples::all().len())];
        assert_sane(&check_file(sample.name, &bytes));
    }
}

#[test]
fn mutated_names_parse_to_what_they_print_or_not_at_all() {
    let mut random = Random(0x7A5C_0003);
    for _ in 0..2_000 {
        for sample in samples::all() {
            let mut bytes = sample.name.as_bytes().to_vec();
            random.mutate(&mut bytes);
            let name = String::from_utf8_lossy(&bytes);
            if let Ok(parsed) = FileName::parse(&name) {
                assert!(name.eq_ignore_ascii_case(&parsed.to_string()), "{name} {parsed}");
                assert!(looks_standard(&name));
            }
            assert_sane(&check_file(&name, b""));
        }
    }
}

/// Every item holds one of these; none may show in a finding, however the file is broken.
const SECRETS: [&[u8]; 3] = [b"SECRETVALUE", b"\x83\x5C\x83\x5C\x83\x5C", b"\xCB\xD0\xBB\xD0\xC2"];

#[test]
fn findings_never_hold_a_value() {
    let name = "UP1KYO_1371215102_43_9971100012_11_20260120101500.CSV";
    let record = SECRETS.map(|secret| [b"\"", secret, b"\""].concat()).join(&b","[..]);
    let clean = [&record[..], b"\r\n", &record, b"\r\n"].concat();
    let mut random = Random(0x7A5C_0004);
    let mut rules = std::collections::BTreeSet::new();
    for _ in 0..20_000 {
        let mut bytes = clean.clone();
        random.mutate(&mut bytes);
        for finding in check_file(name, &bytes) {
            rules.insert(finding.rule);
            let told = serde_json::to_string(&finding).expect("a finding is plain data");
            for secret in SECRETS {
                let (text, _, _) = encoding_rs::SHIFT_JIS.decode(secret);
                assert!(!told.contains(&*text), "{told}");
            }
            assert!(!told.contains("SECRET") && !told.contains("ソ"), "{told}");
        }
    }
    for rule in [RuleId::Encoding, RuleId::CsvSyntax, RuleId::EmptyFile, RuleId::FieldCount] {
        assert!(rules.contains(&rule), "{rules:?}");
    }
}

#[test]
fn messages_and_shapes_do_not_repeat_the_name() {
    let name = "UPPLAN_吉田実_1234567896.CSV";
    for finding in check_file(name, b"") {
        for told in [&finding.shape, &finding.message_ja, &finding.message_en] {
            assert!(!told.contains("吉田") && !told.contains("1234567896"), "{told}");
        }
    }
    let long = "UPPLAN_".to_owned() + &"x".repeat(1_000_000);
    assert_sane(&check_file(&long, b""));
}

#[test]
fn one_huge_line() {
    let mut line = b"202407".to_vec();
    line.resize(16 << 20, b',');
    let findings = check_file("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV", &line);
    assert_eq!(findings.errors(), 1);
    line.fill(b'"');
    assert_sane(&check_file("UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV", &line));
}

/// Values of every item's own kind, right and wrong.
fn some_value(random: &mut Random) -> &'static [u8] {
    const VALUES: [&[u8]; 24] = [
        b"",
        b"\"\"",
        b"0",
        b"1",
        b"9",
        b"10",
        b"-5",
        b"202602",
        b"202603",
        b"202613",
        b"202407",
        b"20260201",
        b"20260230",
        b"0930",
        b"9999",
        b"2400",
        b"1371215102",
        b"9971100012",
        b"99711000120",
        b"111211",
        b"331111",
        b"\"\x89\xCB\x8B\xF3\"",
        b"\x82\x50",
        b"11.40",
    ];
    VALUES[random.below(VALUES.len())]
}

/// A record is judged by what it holds, whatever stood in the record before: comparing with that is only a short cut.
#[test]
fn the_items_of_a_record_are_judged_alike_alone_and_among_others() {
    const ITEM_RULES: [RuleId; 5] =
        [RuleId::Required, RuleId::Type, RuleId::Length, RuleId::Range, RuleId::Code];
    let mut random = Random(0x7A5C_0005);
    let mut compared = 0;
    for sample in samples::all().iter().filter(|sample| sample.name.ends_with("CSV")) {
        let record: Vec<&[u8]> = sample
            .bytes
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default()
            .split(|byte| *byte == b',')
            .collect();
        for _ in 0..60 {
            let mut records: Vec<Vec<u8>> = Vec::new();
            for _ in 0..6 {
                let mut items: Vec<&[u8]> = record.iter().map(|item| item.trim_ascii_end()).collect();
                for _ in 0..random.below(4) {
                    let at = random.below(items.len());
                    items[at] = some_value(&mut random);
                }
                items[0] = record[0];
                records.push([&items.join(&b","[..]), &b"\r\n"[..]].concat());
            }
            let of_items = |bytes: &[u8]| -> Vec<(RuleId, Option<u64>, Option<u64>)> {
                let findings = check_file(sample.name, bytes);
                let found = findings.iter().filter(|finding| ITEM_RULES.contains(&finding.rule));
                found.map(|finding| (finding.rule, finding.line, finding.item)).collect()
            };
            let mut alone = Vec::new();
            for (at, record) in records.iter().enumerate() {
                let of_record = of_items(record).into_iter();
                alone.extend(
                    of_record.map(|(rule, line, item)| (rule, line.map(|line| line + at as u64), item)),
                );
            }
            let whole = records.concat();
            let count = |bytes: &[u8], of: u8| bytes.split(|byte| *byte == of).count() - 1;
            let simple = count(&whole, b'\n') == records.len();
            // A quote that a cut-off record left open would swallow the next one.
            if simple && records.iter().all(|record| count(record, b'"') % 2 == 0) {
                compared += alone.len();
                alone.truncate(MAX_FINDINGS);
                assert_eq!(of_items(&whole), alone, "{}", sample.name);
            }
        }
    }
    assert!(compared > 5_000, "{compared}");
}

#[test]
fn heaps_of_mutated_files() {
    let mut random = Random(0x7A5C_0006);
    for _ in 0..60 {
        let files: Vec<(String, Vec<u8>)> = samples::all()
            .iter()
            .map(|sample| {
                let (mut name, mut bytes) = (sample.name.as_bytes().to_vec(), sample.bytes.to_vec());
                match random.below(4) {
                    0 => random.mutate(&mut name),
                    1 => random.mutate(&mut bytes),
                    _ => {}
                }
                (String::from_utf8_lossy(&name).into_owned(), bytes)
            })
            .collect();
        let sources: Vec<SourceFile<'_>> =
            files.iter().map(|(name, bytes)| SourceFile { name, bytes }).collect();
        let check = check_parcel(&ParcelFacts::default(), &sources, &CheckOptions::default());
        assert_eq!(check.findings.len(), sources.len());
        check.findings.iter().for_each(assert_sane);
        let kept = drop_misdirected(&sources, None);
        assert!(kept.files.len() <= sources.len());
        if let Ok(joined) = join::join(&sources) {
            let given: usize = joined.files.iter().map(|file| file.split().len()).sum();
            assert_eq!(given + joined.beside.len(), sources.len());
        }
        if let Ok(joined) = one_file::join(&sources) {
            for file in joined.files {
                assert!(one_file::split(&file.name, &file.bytes).is_ok(), "{}", file.name);
            }
        }
        for file in &sources {
            let Ok(reader) = RecordReader::of(file.name, file.bytes) else { continue };
            let mut copy = Vec::new();
            let mut whole = true;
            for record in reader {
                match record {
                    Ok(record) => {
                        record.write_to(&mut copy);
                        assert!(record.items().all(|(item, _)| record.text(item.name_en).is_some()));
                    }
                    Err(_) => whole = false,
                }
            }
            assert!(!whole || copy == file.bytes, "{}", file.name);
        }
    }
}

#[test]
fn a_hundred_thousand_users() {
    let name = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";
    let sample = samples::all().iter().find(|sample| sample.name == name).expect("the slip is a sample");
    let line = sample.bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    let text = encoding_rs::SHIFT_JIS.decode(line).0.into_owned();
    let file = |to: &str| -> Vec<u8> {
        let text = text.replace("9971100012", to);
        let line = |user: u32| text.replace("1234567896", &format!("{user:010}"));
        let lines: String = (0..100_000).map(line).collect();
        encoding_rs::SHIFT_JIS.encode(&lines).0.into_owned()
    };
    assert!(check_file(name, &file("9971100012")).is_clean());
    let findings = check_file(name, &file("9971100020"));
    assert_eq!((findings.errors(), findings.iter().count()), (100_000, MAX_FINDINGS));
    assert!(findings.iter().all(|finding| finding.rule == RuleId::Misdirected));
    assert!(findings.iter().is_sorted_by_key(|finding| finding.line));
}

#[test]
fn records_of_nothing_but_one_long_item() {
    let name = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";
    for filler in [b'9', b'A', b' ', b'-', 0x82] {
        let mut line = b"202407,131128,".to_vec();
        line.resize(8 << 20, filler);
        line.extend_from_slice(&[b','; 22]);
        let findings = check_file(name, &line);
        assert!(findings.has_errors());
        assert_sane(&findings);
    }
}
