//! Whatever the bytes: no panic, bounded findings, no value from the file in any finding.

use tasuki_careplan::check::check_file;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::finding::{Findings, MAX_FINDINGS};
use tasuki_careplan::samples;

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
    assert_eq!(rules.len(), 4, "the content's rules were all seen: {rules:?}");
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
