use super::*;
use crate::samples;

const SLIP: &str = "UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV";

fn bytes_of(name: &str) -> &'static [u8] {
    samples::all().iter().find(|sample| sample.name == name).unwrap().bytes
}

fn records<'a>(name: &str, bytes: &'a [u8]) -> Vec<Record<'a>> {
    RecordReader::of(name, bytes).unwrap().map(Result::unwrap).collect()
}

fn written(records: &[Record<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        record.write_to(&mut out);
    }
    out
}

#[test]
fn samples_come_back_byte_for_byte_even_when_every_item_is_set_to_itself() {
    let mut items = 0;
    for sample in samples::all().iter().filter(|sample| sample.name.ends_with("CSV")) {
        for end in [&b"\r\n"[..], b"\n"] {
            let bytes: Vec<u8> = if end == b"\n" {
                sample.bytes.iter().copied().filter(|byte| *byte != b'\r').collect()
            } else {
                sample.bytes.to_vec()
            };
            for bytes in [&bytes[..], &bytes[..bytes.len() - end.len()]] {
                let mut records = records(sample.name, bytes);
                assert_eq!(written(&records), bytes, "{}", sample.name);
                for record in &mut records {
                    for item in &record.layout().items {
                        let value = record.value(item.name_en).unwrap().to_string();
                        assert_eq!(record.text(item.name_en).unwrap(), value);
                        record.set(item.name_en, &value).unwrap();
                        items += 1;
                    }
                }
                assert_eq!(written(&records), bytes, "{}", sample.name);
            }
        }
    }
    assert!(items > 1_000);
}

#[test]
fn values_are_typed() {
    let record = &records(SLIP, bytes_of(SLIP))[0];
    let value = |name| record.value(name).unwrap();
    assert_eq!(value("target_month"), Value::Month("202602".parse().unwrap()));
    assert_eq!(value("service_date"), Value::Date("20260201".parse().unwrap()));
    assert_eq!(value("start_time"), Value::Time("1000".parse().unwrap()));
    assert_eq!(value("units"), Value::Integer(396));
    assert_eq!(value("insured_no"), Value::Code("1234567896".into()));
    assert_eq!(value("over_30_days"), Value::Code("0".into()));
    assert_eq!(value("plan_manager_name"), Value::Text("架空　太郎".into()));
    assert_eq!(value("tais_code"), Value::Empty);
    assert_eq!(record.value("nonsense"), Err(ValueError::UnknownItem));
    assert_eq!((record.line(), record.layout().kind), (1, FileKind::Upplan));
    let annex = SLIP.replace("UPPLAN", "UPSIKYU");
    let annex = &records(&annex, bytes_of(&annex))[0];
    assert_eq!(annex.value("unit_price"), Ok(Value::Decimal("11.40".parse().unwrap())));
    let timeless = "UPPLAN_202507_1371215102_43_9971100038_17_20250625090000.CSV";
    let timeless = &records(timeless, bytes_of(timeless))[0];
    assert_eq!(timeless.value("start_time"), Ok(Value::Code("9999".into())));
}

#[test]
fn doubled_quotes_and_line_breaks_are_text() {
    let name = "UP1KYO_1371215102_43_9971100012_11_20260120101500.CSV";
    let record = &records(name, bytes_of(name))[0];
    let text = record.text("overall_support_policy").unwrap();
    assert!(text.contains("\"できること\"を増やす, 緊急時"), "{text}");
    assert!(record.text("issue_analysis_result").unwrap().contains("①自宅での生活を続けたい。\r\n②"));
}

#[test]
fn wrong_values_are_told_and_left() {
    let bytes = b"202407,131128,1234567896,20260230\r\n";
    let mut record = records("DLT1KYO_1371215102_43_9971100012_11_20260121090000.CSV", bytes).remove(0);
    assert_eq!(record.value("plan_created_on"), Err(ValueError::Fault(ItemFault::Range)));
    assert_eq!(record.text("plan_created_on").as_deref(), Some("20260230"));
    assert_eq!(record.set("plan_created_on", "x"), Err(SetError::Fault(ItemFault::Type)));
    assert_eq!(record.set("plan_created_on", ""), Err(SetError::Fault(ItemFault::Required)));
    assert_eq!(record.set("x", ""), Err(SetError::UnknownItem));
    assert!(matches!(record.set("insured_no", "𠮷"), Err(SetError::NotMs932(_))));
    assert_eq!(written(&[record.clone()]), bytes);
    record.set("plan_created_on", "20260228").unwrap();
    assert_eq!(written(&[record]), b"202407,131128,1234567896,20260228\r\n");
}

#[test]
fn a_new_record_is_filled_and_checks_clean() {
    let mut record = Record::new(FileKind::Dltplan, Edition::V4_1).unwrap();
    for (name, value) in
        [("insurer_no", "131128"), ("insured_no", "H123456783"), ("delete_target_month", "202602")]
    {
        record.set(name, value).unwrap();
    }
    assert_eq!(written(&[record]), b"202407,131128,H123456783,202602\r\n");
    let mut slip = Record::new(FileKind::Upplan, Edition::V4_1).unwrap();
    slip.set("plan_manager_name", "髙﨑 \"①\"").unwrap();
    let bytes = written(&[slip.clone()]);
    assert!(bytes.windows(3).any(|three| three == b"\"\"\x87"), "quotes inside are doubled");
    assert_eq!(records(SLIP, &bytes)[0].text("plan_manager_name").unwrap(), "髙﨑 \"①\"");
    assert!(Record::new(FileKind::UpkihonImage, Edition::V4_1).is_none());
    assert!(Record::new(FileKind::Up3kyo, Edition::V3_2).is_none());
}

#[test]
fn what_has_no_records_says_so() {
    assert_eq!(RecordReader::of("x.csv", b"").unwrap_err(), ReadError::Name(FileNameError::NotStandard));
    let image = "UPKIHON_IMAGE_9900100042_46_1371215102_43_20250402140000_0001.jpg";
    assert_eq!(RecordReader::of(image, b"").unwrap_err(), ReadError::Image);
    let mut reader = RecordReader::of(SLIP, b"202407,1\r\n\"x").unwrap();
    assert_eq!(reader.next().unwrap().unwrap_err(), ReadError::FieldCount { line: 1, items: 2 });
    assert_eq!(reader.next().unwrap().unwrap_err(), ReadError::Syntax { line: 2 });
    assert!(reader.next().is_none());
    assert!(RecordReader::of(SLIP, b"").unwrap().next().is_none());
}
