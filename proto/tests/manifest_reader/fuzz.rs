//! Damaged manifests by the ten thousand: never a panic, and what is accepted is what another XML reader reads.

use std::fmt::Write as _;
use std::process::Command;

use tasuki_proto::manifest::{AsicManifest, parse, write};

use crate::sample;

/// Reads a mutant. If it is accepted, writing and reading the result gives the same again.
fn accepted(bytes: &[u8]) -> Option<AsicManifest> {
    let manifest = parse(bytes).ok()?;
    assert_eq!(parse(write(&manifest).as_bytes()).as_ref(), Ok(&manifest));
    Some(manifest)
}

#[test]
fn every_single_byte_changed() {
    let mut count = 0;
    single_bytes(&mut |bytes| count += u32::from(accepted(bytes).is_some()));
    assert!(count > 500, "blanks and letters of names can change: {count}");
}

#[test]
fn pieces_removed_moved_and_repeated() {
    pieces(&mut |bytes| drop(accepted(bytes)));
}

#[test]
fn markup_inserted_anywhere() {
    let mut count = 0;
    markup(&mut |bytes| count += u32::from(accepted(bytes).is_some()));
    assert!(count > 1_000, "blanks between elements and letters in names are fine: {count}");
}

/// What Python's expat reads in each mutant that was accepted here, in the form of [`told`].
const EXPAT: &str = r"
import base64, urllib.parse, xml.etree.ElementTree as ET
A, D = '{http://uri.etsi.org/02918/v1.2.1#}', '{http://www.w3.org/2000/09/xmldsig#}'
for line in open('mutants'):
    for o in ET.fromstring(bytes.fromhex(line)).findall(A + 'DataObjectReference'):
        name = urllib.parse.unquote(o.get('URI'), errors='strict')
        digest = base64.b64decode(o.find(D + 'DigestValue').text.strip(), validate=True)
        print(name.encode().hex(), o.get('MimeType', '').encode().hex(), digest.hex(), sep=',')
";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn told(manifest: &AsicManifest) -> String {
    let line = |file: &tasuki_proto::manifest::DataObject| {
        let media_type = file.media_type.as_deref().unwrap_or_default();
        format!("{},{},{}\n", hex(file.name.as_bytes()), hex(media_type.as_bytes()), hex(&file.sha256))
    };
    manifest.files.iter().map(line).collect()
}

#[test]
fn expat_reads_the_same_in_whatever_is_accepted() {
    let (mut mutants, mut ours) = (String::new(), String::new());
    let mut visit = |bytes: &[u8]| {
        if let Some(manifest) = accepted(bytes) {
            mutants += &(hex(bytes) + "\n");
            ours += &told(&manifest);
        }
    };
    single_bytes(&mut visit);
    pieces(&mut visit);
    markup(&mut visit);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mutants"), mutants).unwrap();
    let expat = match Command::new("python3").args(["-c", EXPAT]).current_dir(folder.path()).output() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        output => output.unwrap(),
    };
    assert!(expat.status.success(), "{}", String::from_utf8_lossy(&expat.stderr));
    assert!(String::from_utf8(expat.stdout).unwrap() == ours, "expat reads something else");
}

fn single_bytes(visit: &mut dyn FnMut(&[u8])) {
    let good = write(&sample()).into_bytes();
    let mut bytes = good.clone();
    for at in 0..bytes.len() {
        for to in b"\0\t <>&;\"'=/:!?-[]%#aA1\x7f\xff" {
            bytes[at] = *to;
            visit(&bytes);
        }
        bytes[at] = good[at];
    }
}

/// Xorshift: the same mutations on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound).unwrap()).unwrap()
    }
}

fn pieces(visit: &mut dyn FnMut(&[u8])) {
    let good = write(&sample()).into_bytes();
    let mut random = Random(0x6173_6963);
    for _ in 0..50_000 {
        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() - 80);
            let piece: Vec<u8> = bytes[at..at + 1 + random.below(80)].to_vec();
            if random.below(2) == 0 {
                bytes.drain(at..at + piece.len());
            }
            if random.below(2) == 0 {
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
        }
        visit(&bytes);
    }
}

fn markup(visit: &mut dyn FnMut(&[u8])) {
    const MARKUP: [&str; 30] = [
        " ",
        "\r\n",
        "\t",
        "\u{85}",
        "\u{2028}",
        "\u{feff}",
        "\"",
        "'",
        "<",
        ">",
        "/",
        "/>",
        "=",
        ":",
        "&amp;",
        "&#x41;",
        "&#10;",
        "&lt;",
        "]]>",
        "<!-- -->",
        "<?a?>",
        "<![CDATA[a]]>",
        "<!DOCTYPE a>",
        " xmlns=\"http://uri.etsi.org/02918/v1.2.1#\" ",
        " xmlns:ds=\"a\" ",
        " xmlns:asic=\"http://www.w3.org/2000/09/xmldsig#\" ",
        " Rootfile=\"1\" ",
        " URI='a' ",
        "é",
        "%41",
    ];
    let good = write(&sample());
    let mut random = Random(0x0078_6d6c);
    for round in 0..100_000 {
        let mut xml = good.clone();
        for _ in 0..=round % 2 {
            let at = random.below(xml.len());
            if xml.is_char_boundary(at) {
                xml.insert_str(at, MARKUP[random.below(MARKUP.len())]);
            }
        }
        visit(xml.as_bytes());
    }
}
