//! What can be split can be joined and split again, to the same files.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasuki_careplan::file::OwnedFile;
use tasuki_careplan::one_file;

const NAME: &str = "CAREPLAN_1371215102_20260125103000.CSV";

fuzz_target!(|bytes: &[u8]| {
    let Ok(files) = one_file::split(NAME, bytes) else { return };
    let sources: Vec<_> = files.iter().map(OwnedFile::as_source).collect();
    let joined = one_file::join(&sources).expect("what was split can be joined");
    assert_eq!(joined.files.len(), 1);
    assert_eq!(one_file::split(NAME, &joined.files[0].bytes).as_ref(), Ok(&files));
});
