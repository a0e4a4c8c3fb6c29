//! Any bytes under any sample's name: findings are bounded, and records that can be read come back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasuki_careplan::check::check_file;
use tasuki_careplan::finding::MAX_FINDINGS;
use tasuki_careplan::record::RecordReader;
use tasuki_careplan::samples;

fuzz_target!(|input: (u8, &[u8])| {
    let (sample, bytes) = (&samples::all()[usize::from(input.0) % samples::all().len()], input.1);
    assert!(check_file(sample.name, bytes).iter().count() <= MAX_FINDINGS);
    let records: Result<Vec<_>, _> = RecordReader::of(sample.name, bytes).and_then(Iterator::collect);
    if let Ok(records) = records {
        let mut copy = Vec::new();
        records.iter().for_each(|record| record.write_to(&mut copy));
        assert_eq!(copy, bytes);
    }
});
