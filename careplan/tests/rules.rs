//! One hostile file or more for every rule, and the order in which rules speak.

use tasuki_careplan::check::check_file;
use tasuki_careplan::finding::{Finding, Findings, RuleId, Severity};
use tasuki_careplan::samples;

const SLIP: &str = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";
const DELETION: &str = "DLTPLAN_202602_1371215102_43_9971100012_11_20260126090000.CSV";
const IMAGE: &str = "UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0001.jpg";

/// A clean record of `DELETION`'s kind.
const RECORD: &[u8] = b"202407,131128,1234567896,202602";

fn slip() -> Vec<u8> {
    sample(SLIP).to_vec()
}

fn sample(name: &str) -> &'static [u8] {
    samples::all().iter().find(|sample| sample.name == name).expect("a sample of this name exists").bytes
}

/// The bytes with every `from` replaced.
fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::new();
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        if let Some(behind) = rest.strip_prefix(from) {
            replaced.extend_from_slice(to);
            rest = behind;
        } else {
            replaced.push(first);
            rest = &rest[1..];
        }
    }
    replaced
}

/// The only finding there is.
fn only(findings: Findings) -> Finding {
    assert_eq!(findings.errors() + findings.warnings(), 1, "{findings:?}");
    findings.into_iter().next().expect("one finding was counted and there is room for it")
}

fn rule_of(name: &str, bytes: &[u8]) -> RuleId {
    let finding = only(check_file(name, bytes));
    assert_eq!(finding.file, name);
    assert_eq!(finding.severity, Severity::Error);
    assert!(!finding.message_ja.is_empty() && !finding.message_en.is_empty() && !finding.shape.is_empty());
    finding.rule
}

/// A record of `DELETION`'s kind with other bytes in its last item, and the place and shape of the one finding.
fn in_last_item(rule: RuleId, item: &[u8]) -> (Option<u64>, Option<u64>, String) {
    let bytes = [b"202407,131128,1234567896,202602\r\n202407,131128,1234567896,", item].concat();
    let finding = only(check_file(DELETION, &bytes));
    assert_eq!(finding.rule, rule, "{finding:?}");
    (finding.line, finding.item, finding.shape)
}

#[test]
fn file_name() {
    for name in [
        "UPPLAN.CSV",
        "data.csv",
        "UPPLAN_202613_1371215102_43_9971100012_11_20260125103000.CSV",
        "UPPLAN_202602_137121510_43_9971100012_11_20260125103000.CSV",
        "UPPLAN_202602_1371215102_43_9971100012_11_202601251030000.CSV",
        "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.TXT",
        "",
    ] {
        assert_eq!(rule_of(name, &slip()), RuleId::FileName, "{name}");
    }
    let finding = only(check_file("UPPLAN_202602_137121510_43_9971100012_11_20260125103000.CSV", b""));
    assert_eq!(finding.shape, "AAAAAA_999999_999999999_99_9999999999_99_99999999999999.AAA");
    assert!(
        finding.message_en.contains("{from_office:10}"),
        "the right form is told: {}",
        finding.message_en
    );
}

#[test]
fn file_name_in_lower_case_is_a_warning_and_checks_go_on() {
    for extension in ["csv", "Csv"] {
        let name = SLIP.replace("CSV", extension);
        let finding = only(check_file(&name, &slip()));
        assert_eq!((finding.rule, finding.severity), (RuleId::FileName, Severity::Warning));
    }
    let findings = check_file(&SLIP.replace("CSV", "csv"), b"x\n");
    let rules: Vec<_> = findings.iter().map(|finding| (finding.rule, finding.severity)).collect();
    assert_eq!(rules, [(RuleId::FileName, Severity::Warning), (RuleId::FieldCount, Severity::Error)]);
}

#[test]
fn file_kind() {
    for name in [
        "UPFOO_202602_1371215102_43_9971100012_11_20260125103000.CSV",
        "upplan_202602_1371215102_43_9971100012_11_20260125103000.CSV",
        "PLAN_1371215102_9971100012_20260125103000.csv",
    ] {
        assert_eq!(rule_of(name, &slip()), RuleId::FileKind, "{name}");
    }
}

#[test]
fn images_are_no_csv() {
    assert!(check_file(IMAGE, b"\xFF\xD8\xFF\xE0\0\"").is_clean());
    assert!(check_file(&IMAGE.replace("jpg", "JPG"), b"\xFF\xD8\xFF").is_clean());
    assert_eq!(rule_of(IMAGE, b""), RuleId::EmptyFile);
    assert_eq!(rule_of(&IMAGE.replace("jpg", "CSV"), b"\xFF\xD8\xFF"), RuleId::FileName);
}

#[test]
fn encoding_of_the_whole_file() {
    let text = "202407,131128,1234567896,\"吉田\"\r\n";
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, shape) in [
        (text.as_bytes().to_vec(), "UTF-8"),
        ([b"\xEF\xBB\xBF", RECORD].concat(), "UTF-8 BOM"),
        (b"\xEF\xBB\xBF".to_vec(), "UTF-8 BOM"),
        ([b"\xFF\xFE", &utf16[..]].concat(), "UTF-16 BOM"),
    ] {
        let finding = only(check_file(DELETION, &bytes));
        assert_eq!((finding.rule, finding.line, &finding.shape[..]), (RuleId::Encoding, None, shape));
    }
    // UTF-8 that would pass as MS932.
    assert_eq!(rule_of(DELETION, "202407,131128,1234567896,ああ".as_bytes()), RuleId::Encoding);
    // Without BOM, UTF-16 is known by its NUL bytes.
    assert_eq!(
        rule_of(DELETION, &"202407,1".encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()),
        RuleId::CsvSyntax
    );
}

#[test]
fn encoding_of_single_characters() {
    let at = |item| in_last_item(RuleId::Encoding, item);
    let broken = |item| (Some(2), Some(item), "bytes that are no MS932 character".to_owned());
    assert_eq!(at(b"\x82"), broken(4));
    assert_eq!(at(b"a\xFD"), broken(4));
    assert_eq!(at(b"\xA0"), broken(4));
    assert_eq!(at(b"\"a,\x81\x39\""), broken(4));
    assert_eq!(at(b"a,\x85\x80"), broken(5));
    assert_eq!(at(b"\xF0\x40"), (Some(2), Some(4), "user-defined character".to_owned()));

    let finding = only(check_file(DELETION, b"202407,131128,\xFF\r\n"));
    assert_eq!((finding.item, finding.item_name_ja.as_deref()), (Some(3), Some("被保険者番号")));
    // With an unknown version of an unknown month either table might hold: no name is better than a wrong one.
    let finding = only(check_file(SLIP, b"209901,131128,\xFF\r\n"));
    assert_eq!((finding.item, finding.item_name_ja.as_deref()), (Some(3), Some("被保険者番号")));
    let finding = only(check_file(&SLIP.replace("202602", "202212"), b"209901,131128,\xFF\r\n"));
    assert_eq!((finding.item, finding.item_name_ja), (Some(3), None));
}

#[test]
fn half_width_katakana_alone_is_clean() {
    // These are UTF-8 for two-byte characters as well.
    let slip = sample(SLIP);
    let with_kana = replace(slip, &encoding_rs::SHIFT_JIS.encode("架空　太郎").0, b"\xC4\xB1");
    assert_ne!(with_kana, slip);
    assert!(check_file(SLIP, &with_kana).is_clean());
}

#[test]
fn csv_syntax() {
    let at = |item| in_last_item(RuleId::CsvSyntax, item);
    assert_eq!(at(b"a\"b"), (Some(2), Some(4), "quote inside an item without quotes".into()));
    assert_eq!(at(b"\"a\"b"), (Some(2), Some(4), "text behind a closing quote".into()));
    assert_eq!(at(b"\"a\r\n"), (Some(2), Some(4), "quote that is never closed".into()));
    assert_eq!(at(b"a\0"), (Some(2), Some(4), "NUL byte".into()));
    assert_eq!(at(b"\"a\0\""), (Some(2), Some(4), "NUL byte".into()));
    assert_eq!(at(b"a\rb"), (Some(2), Some(4), "CR without LF".into()));
    let old_mac: Vec<u8> = slip().into_iter().filter(|byte| *byte != b'\n').collect();
    assert_eq!(rule_of(SLIP, &old_mac), RuleId::CsvSyntax);
}

#[test]
fn empty_file() {
    for bytes in [&b""[..], b"\r\n", b"\n\n\r\n"] {
        assert_eq!(rule_of(SLIP, bytes), RuleId::EmptyFile);
    }
}

#[test]
fn field_count() {
    let too_many = [RECORD, b",\r\n"].concat();
    let finding = only(check_file(DELETION, &[RECORD, b"\r\n", &too_many].concat()));
    assert_eq!((finding.rule, finding.line, finding.item), (RuleId::FieldCount, Some(2), None));
    assert_eq!(finding.shape, "5 items");
    assert!(finding.message_ja.contains("DLTPLANの1行は4項目（4.1版）ですが、この行は5項目です"));
    assert!(finding.message_en.contains("a line of DLTPLAN has 4 (edition 4.1), this one has 5"));

    assert_eq!(only(check_file(DELETION, b"202407,131128,1234567896\r\n")).shape, "3 items");
    assert_eq!(only(check_file(DELETION, b"header")).shape, "1 item");
    let blank_line = only(check_file(DELETION, &[RECORD, b"\r\n\r\n"].concat()));
    assert_eq!((blank_line.line, &blank_line.shape[..]), (Some(2), "empty line"));
}

#[test]
fn field_count_counts_lines_as_an_editor_does() {
    let findings = check_file(DELETION, b"202407,131128,1,\"a\r\nb\nc\"\r\n202407\r\n");
    let of_count = findings.iter().find(|finding| finding.rule == RuleId::FieldCount);
    assert_eq!(of_count.and_then(|finding| finding.line), Some(4));
}

#[test]
fn field_count_follows_the_version() {
    let record =
        |version: &str, items: usize| [version, &",".repeat(items - 1), "\r\n"].concat().into_bytes();
    let old = SLIP.replace("202602", "202307").replace("_43", "").replace("_11_", "_");
    for (name, version, items, right) in [
        (SLIP, "202407", 25, true),
        (SLIP, "202407", 22, false),
        (&old, "202208", 22, true),
        (&old, "202208", 25, false),
        // A version that is not the month's is VERSION's business: either's length will do.
        (SLIP, "202208", 22, true),
        (SLIP, "202208", 25, true),
        (&old, "202407", 22, true),
        (SLIP, "202208", 24, false),
        (SLIP, "209901", 25, true),
        (SLIP, "209901", 22, false),
        (SLIP, "", 25, true),
    ] {
        let findings = check_file(name, &record(version, items));
        let of_count = findings.iter().filter(|finding| finding.rule == RuleId::FieldCount).count();
        assert_eq!(of_count == 0, right, "{version} {items}");
    }
    let either = only(check_file(&SLIP.replace("202602", "202212"), &record("209901", 24)));
    assert!(either.message_en.contains("has 22 (edition 3.2) or 25 (edition 4.1), this one has 24"));
    // A version in quotes is still a version.
    assert_eq!(rule_of(SLIP, &record("\"202407\"", 22)), RuleId::FieldCount);
}

#[test]
fn a_hundred_findings_and_then_the_count() {
    let findings = check_file(DELETION, &b"x\n".repeat(100_000));
    assert_eq!((findings.iter().count(), findings.errors(), findings.omitted()), (100, 100_000, 99_900));
    let findings = check_file(DELETION, &b"\xFF\n".repeat(1_000));
    assert_eq!((findings.iter().count(), findings.errors()), (100, 1_000));
}

#[test]
fn line_ends_do_not_matter() {
    let crlf = slip();
    let lf: Vec<u8> = crlf.iter().copied().filter(|byte| *byte != b'\r').collect();
    assert!(check_file(SLIP, &lf).is_clean());
    assert!(check_file(SLIP, &crlf[..crlf.len() - 2]).is_clean());
    assert!(check_file(SLIP, &lf[..lf.len() - 1]).is_clean());
}

#[test]
fn an_earlier_rule_silences_the_later_ones() {
    // From the last fault to the first, each added to those before.
    let count = b"1\n".to_vec();
    assert_eq!(rule_of(DELETION, &count), RuleId::FieldCount);
    let syntax = [&count[..], b"\"\n"].concat();
    assert_eq!(rule_of(DELETION, &syntax), RuleId::CsvSyntax);
    let encoding = [&syntax[..], b"\xFF\n"].concat();
    assert_eq!(rule_of(DELETION, &encoding), RuleId::Encoding);
    let kind = DELETION.replace("DLT", "XYZ");
    assert_eq!(rule_of(&kind, &encoding), RuleId::FileKind);
    assert_eq!(rule_of(&kind.replace("2026012", "2026022992"), &encoding), RuleId::FileName);
}
