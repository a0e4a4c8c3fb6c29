//! Other people's tools: what we write they accept, what they write we accept.

use std::path::Path;
use std::process::{Command, Output};

use tasuki_proto::container::{MIMETYPE, write};

use crate::build::{Zip, csv, read_default};

fn run(program: &str, arguments: &[&str], folder: &Path) -> Option<Output> {
    match Command::new(program).args(arguments).current_dir(folder).output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => panic!("{program}: {error}"),
    }
}

#[track_caller]
fn succeeded(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn written() -> Vec<u8> {
    write(&[("META-INF/ASiCManifest.xml", b"<x/>"), ("様式/a.CSV", csv(500).as_bytes()), ("empty", b"")])
        .unwrap()
}

#[test]
fn unzip_accepts_what_we_write_and_what_we_read() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [("written.asice", written()), ("sample.asice", Zip::sample().bytes())] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
        succeeded(&run("unzip", &["-t", name], folder.path()).expect("unzip must be installed"));
    }
}

#[test]
fn python_reads_what_we_write() {
    const SCRIPT: &str = "import sys, zipfile\n\
        z = zipfile.ZipFile('written.asice')\n\
        assert z.testzip() is None\n\
        assert z.namelist() == ['mimetype', 'META-INF/ASiCManifest.xml', '様式/a.CSV', 'empty'], z.namelist()\n\
        assert {i.date_time for i in z.infolist()} == {(1980, 1, 1, 0, 0, 0)}\n\
        assert z.infolist()[0].compress_type == zipfile.ZIP_STORED\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("written.asice"), written()).unwrap();
    if let Some(output) = run("python3", &["-X", "utf8", "-c", SCRIPT], folder.path()) {
        succeeded(&output);
    }
}

#[test]
fn we_read_what_python_writes() {
    const SCRIPT: &str = "import zipfile\n\
        with zipfile.ZipFile('python.asice', 'w', zipfile.ZIP_DEFLATED) as z:\n\
        \x20   z.writestr('mimetype', 'application/vnd.etsi.asic-e+zip', zipfile.ZIP_STORED)\n\
        \x20   z.writestr('様式/a.CSV', 'abc' * 500)\n\
        \x20   z.writestr('empty', '')\n";
    let folder = tempfile::tempdir().unwrap();
    let Some(output) = run("python3", &["-X", "utf8", "-c", SCRIPT], folder.path()) else { return };
    succeeded(&output);
    let bytes = std::fs::read(folder.path().join("python.asice")).unwrap();
    let container = read_default(&bytes).unwrap();
    assert_eq!(container.get("様式/a.CSV").unwrap(), "abc".repeat(500).as_bytes());
}

#[test]
fn we_read_what_info_zip_writes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mimetype"), MIMETYPE).unwrap();
    std::fs::create_dir(folder.path().join("META-INF")).unwrap();
    std::fs::write(folder.path().join("META-INF/ASiCManifest.xml"), "<x/>".repeat(100)).unwrap();
    std::fs::write(folder.path().join("a.CSV"), csv(100)).unwrap();
    let Some(output) = run("zip", &["-X", "-0", "info.asice", "mimetype"], folder.path()) else { return };
    succeeded(&output);
    // Without -X here, so that its time and owner fields are there; -D leaves folders out.
    let files = run("zip", &["-D", "-r", "info.asice", "META-INF", "a.CSV"], folder.path()).unwrap();
    succeeded(&files);
    let bytes = std::fs::read(folder.path().join("info.asice")).unwrap();
    let container = read_default(&bytes).unwrap();
    assert_eq!(container.get("a.CSV").unwrap(), csv(100).as_bytes());
    assert_eq!(container.entries().len(), 3);
}
