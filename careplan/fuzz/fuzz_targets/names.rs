//! A name parses to what it prints, or not at all.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tasuki_careplan::attachment::AttachmentName;
use tasuki_careplan::file_name::{FileName, looks_standard};
use tasuki_careplan::one_file::OneFileName;

fuzz_target!(|name: &str| {
    if let Ok(parsed) = FileName::parse(name) {
        assert!(name.eq_ignore_ascii_case(&parsed.to_string()) && looks_standard(name));
    }
    let attachment = name.parse::<AttachmentName>();
    assert!(attachment.is_err() || attachment.is_ok_and(|parsed| parsed.to_string() == name));
    let whole = name.parse::<OneFileName>();
    assert!(whole.is_err() || whole.is_ok_and(|parsed| name.eq_ignore_ascii_case(&parsed.to_string())));
});
