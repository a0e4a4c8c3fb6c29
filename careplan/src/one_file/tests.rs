use super::*;
use crate::check::check_file;
use crate::file::{OwnedFile, SourceFile};
use crate::finding::RuleId;
use crate::samples;

fn sources() -> Vec<SourceFile<'static>> {
    let source = |sample: &samples::Sample| SourceFile { name: sample.name, bytes: sample.bytes };
    samples::all().iter().map(source).collect()
}

/// The small generator of the hostile tests, here for choosing and shuffling.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(number).unwrap() % bound
    }
}

#[test]
fn names_parse_and_print() {
    let text = "CAREPLAN_1371215102_20260125103000.CSV";
    assert_eq!(text.parse::<OneFileName>().map(|name| name.to_string()), Ok(text.to_owned()));
    assert!(text.replace("CSV", "csv").parse::<OneFileName>().is_ok());
    assert!(
        looks_like_one_file(text)
            && looks_like_one_file("careplan_x")
            && !looks_like_one_file("CAREPLAN.CSV")
    );
    for wrong in [
        "",
        "CAREPLAN_1371215102.CSV",
        "CAREPLAN_137121510_20260125103000.CSV",
        "CAREPLAN_1371215102_20260230103000.CSV",
        "CAREPLAN_1371215102_20260125103000.TXT",
        "CAREPLAN_1371215102_43_20260125103000.CSV",
        "careplan_1371215102_20260125103000.CSV",
    ] {
        assert_eq!(wrong.parse::<OneFileName>(), Err(InvalidOneFileName), "{wrong}");
    }
}

#[test]
fn any_choice_of_samples_comes_back_byte_for_byte() {
    let sources = sources();
    let mut random = Random(0x7A5C_0011);
    for round in 0..300 {
        let mut chosen: Vec<SourceFile<'_>> =
            sources.iter().copied().filter(|_| round == 0 || random.below(3) > 0).collect();
        for at in (1..chosen.len()).rev() {
            chosen.swap(at, random.below(at + 1));
        }
        let joined = join(&chosen).unwrap();
        let mut given: Vec<OwnedFile> = Vec::new();
        for file in &joined.files {
            given.extend(split(&file.name, &file.bytes).unwrap());
        }
        assert!(joined.beside.iter().all(|at| chosen[*at].name.ends_with("jpg")));
        let mut expected: Vec<SourceFile<'_>> =
            chosen.iter().copied().filter(|file| !file.name.ends_with("jpg")).collect();
        expected.sort_unstable_by_key(|file| file.name);
        given.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        assert_eq!(given.iter().map(OwnedFile::as_source).collect::<Vec<_>>(), expected);
    }
}

#[test]
fn rows_are_in_the_order_of_type_and_destination() {
    let of_serial: Vec<SourceFile<'_>> = sources();
    let joined = join(&of_serial).unwrap();
    assert_eq!(joined.files.len(), 24, "each sample unit has a serial of its own");
    let slip = joined.files.iter().find(|file| file.name.ends_with("1371215102_20260125103130.CSV")).unwrap();
    let text = encoding_rs::SHIFT_JIS.decode(&slip.bytes).0.into_owned();
    let kinds: Vec<&str> = text.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert!(kinds.is_sorted_by_key(|kind| crate::kind::FileKind::from_prefix(kind).unwrap()), "{kinds:?}");
    assert!(text.starts_with("UPPLAN,1371215102_43,9971100020_15,202407,131128,"));
    let old = joined.files.iter().find(|file| file.name.contains("20230801")).unwrap();
    assert!(old.bytes.starts_with(b"UPJSK,9971100012_,1371215102_,202208,"));
}

#[test]
fn line_ends_become_crlf_and_records_stay() {
    let sample = &samples::all()[0];
    let lf: Vec<u8> = sample.bytes.iter().copied().filter(|byte| *byte != b'\r').collect();
    let file = SourceFile { name: sample.name, bytes: &lf[..lf.len() - 1] };
    let joined = join(&[file]).unwrap().files.remove(0);
    let split = split(&joined.name, &joined.bytes).unwrap();
    assert!(check_file(&split[0].name, &split[0].bytes).is_clean());
    assert_eq!(split[0].bytes.len(), lf.len() + 1);
}

#[test]
fn what_could_not_be_given_back_is_not_joined() {
    let name = "DLTPLAN_202602_1371215102_43_9971100012_11_20260126090000.CSV";
    let join_one = |bytes: &[u8]| join(&[SourceFile { name, bytes }]).unwrap_err();
    assert_eq!(join_one(b""), JoinError::Record { file: 0, line: 1 });
    assert_eq!(join_one(b"202407,1\r\n"), JoinError::Record { file: 0, line: 1 });
    assert_eq!(join_one(b"202407,131128,1234567896,202602\r\n\r\n"), JoinError::Record { file: 0, line: 2 });
    assert_eq!(join_one(b"202407,131128,1234567896,202603\r\n"), JoinError::Month { file: 0, line: 1 });
    assert_eq!(join_one(b"\"202407"), JoinError::Record { file: 0, line: 1 });
    let file = SourceFile { name, bytes: b"202407,131128,1234567896,202602\r\n" };
    assert_eq!(join(&[file, file]), Err(JoinError::Double { file: 1 }));
    let wrong = SourceFile { name: "UPPLAN_x.CSV", ..file };
    assert_eq!(join(&[file, wrong]), Err(JoinError::Name { file: 1 }));
}

#[test]
fn what_is_no_one_file_form_is_told() {
    let name = "CAREPLAN_1371215102_20260125103000.CSV";
    let rules = |name: &str, bytes: &[u8]| -> Vec<(RuleId, Option<u64>, Option<u64>)> {
        split(name, bytes).unwrap_err().iter().map(|f| (f.rule, f.line, f.item)).collect()
    };
    let record = "202407,131128,1234567896,202602";
    let with = |columns: &str| rules(name, format!("{columns},{record}\r\n").as_bytes());
    assert!(split(name, format!("DLTPLAN,1371215102_43,9971100012_11,{record}").as_bytes()).is_ok());
    assert_eq!(rules("CAREPLAN_1.CSV", b""), [(RuleId::FileName, None, None)]);
    assert_eq!(rules(name, b""), [(RuleId::EmptyFile, None, None)]);
    assert_eq!(rules(name, b"a,\"b"), [(RuleId::CsvSyntax, Some(1), Some(2))]);
    assert_eq!(with("DLTPLAN2,1371215102_43,9971100012_11"), [(RuleId::FileKind, Some(1), Some(1))]);
    assert_eq!(with("UPKIHON_IMAGE,1371215102_43,9971100012_11"), [(RuleId::FileKind, Some(1), Some(1))]);
    assert_eq!(with("DLTPLAN,9971100012_43,9971100012_11"), [(RuleId::OfficeMismatch, Some(1), Some(2))]);
    assert_eq!(with("DLTPLAN,1371215102_43,99711000_11"), [(RuleId::OfficeMismatch, Some(1), Some(3))]);
    assert_eq!(with("DLTPLAN,1371215102_43,9971100012_111"), [(RuleId::OfficeMismatch, Some(1), Some(3))]);
    assert_eq!(with("DLTPLAN,1371215102_43,9971100012_11,x"), [(RuleId::FieldCount, Some(1), None)]);
    assert_eq!(with("DLTYOBO,1371215102_,9971100012_"), [(RuleId::OfficeMismatch, Some(1), Some(2))]);
    let no_month = rules(name, b"DLTPLAN,1371215102_43,9971100012_11,202407,131128,1234567896,202613\r\n");
    assert_eq!(no_month, [(RuleId::MonthMismatch, Some(1), Some(7))]);
    assert_eq!(rules(name, b"\r\n"), [(RuleId::FileKind, Some(1), Some(1))]);
    // The underscore before an empty kind may be missing.
    let old = format!("DLTPLAN,1371215102,9971100012_,{record}");
    assert_eq!(
        split(name, old.as_bytes()).unwrap()[0].name,
        "DLTPLAN_202602_1371215102_9971100012_20260125103000.CSV"
    );
}

#[test]
fn whatever_the_bytes_splitting_neither_panics_nor_invents() {
    let joined = join(&sources()).unwrap();
    let mut random = Random(0x7A5C_0012);
    for _ in 0..50 {
        for file in &joined.files {
            let mut bytes = file.bytes.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len());
                bytes[at] = *b"\",\r\n\x00\x81_9".get(random.below(8)).unwrap();
            }
            match split(&file.name, &bytes) {
                Ok(files) => {
                    let total: usize = files.iter().map(|file| file.bytes.len()).sum();
                    assert!(total <= bytes.len());
                }
                Err(findings) => assert!(findings.has_errors()),
            }
        }
    }
}
