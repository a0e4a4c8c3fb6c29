//! Damaged and dishonest containers by the ten thousand: never a panic, and whatever is accepted is understood
//! in the same way by another ZIP reader.

use std::io::{Cursor, Read};

use tasuki_proto::container::write;

use crate::build::{Entry, Header, Zip, csv, deflate, read_default};

/// Xorshift: the same mutations on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// Reads `bytes`; if they are accepted, the zip crate must see the same files. Tells whether they were.
fn same_as_zip_crate(bytes: &[u8]) -> bool {
    let Ok(container) = read_default(bytes) else { return false };
    let mut archive =
        zip::ZipArchive::new(Cursor::new(bytes)).expect("accepted here, refused by the zip crate");
    assert_eq!(archive.len(), container.entries().len());
    assert_eq!(archive.offset(), 0);
    for (at, entry) in container.entries().iter().enumerate() {
        let mut file = archive.by_index(at).unwrap();
        assert_eq!(file.name().unwrap(), entry.name);
        assert!(file.is_file());
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, *entry.content);
    }
    true
}

fn seeds() -> Vec<Vec<u8>> {
    let mut times = Entry::deflated(b"times", b"content");
    times.local.extra = b"UT\x05\x00\x01abcd".to_vec();
    times.central.extra = b"UT\x05\x00\x01abcd".to_vec();
    vec![
        Zip::sample().bytes(),
        Zip::with([]).bytes(),
        Zip::with([times, Entry::streamed(b"s", b""), Entry::stored(b"x/y", b"")]).bytes(),
        write(&[("META-INF/a", b"<x/>"), ("様式/b.CSV", csv(20).as_bytes())]).unwrap(),
    ]
}

#[test]
fn seeds_are_accepted() {
    for seed in seeds() {
        assert!(same_as_zip_crate(&seed));
    }
}

#[test]
fn every_single_byte_changed() {
    for seed in seeds() {
        let mut bytes = seed.clone();
        for at in 0..bytes.len() {
            for change in [0x01, 0x08, 0x80, 0xff] {
                bytes[at] = seed[at] ^ change;
                same_as_zip_crate(&bytes);
            }
            bytes[at] = seed[at];
        }
    }
}

#[test]
fn every_byte_removed_doubled_or_inserted() {
    for seed in seeds() {
        for at in 0..seed.len() {
            let removed = [&seed[..at], &seed[at + 1..]].concat();
            let doubled = [&seed[..=at], &seed[at..]].concat();
            let inserted = [&seed[..at], b"\0", &seed[at..]].concat();
            for bytes in [removed, doubled, inserted] {
                assert!(!same_as_zip_crate(&bytes), "byte {at}");
            }
        }
    }
}

#[test]
fn random_damage() {
    let mut random = Random(0x7461_7375_6b69);
    for seed in seeds() {
        for _ in 0..10_000 {
            let mut bytes = seed.clone();
            for _ in 0..=random.below(4) {
                damage(&mut bytes, &mut random);
            }
            same_as_zip_crate(&bytes);
        }
    }
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    const NUMBERS: [u32; 10] = [0, 1, 4, 8, 20, 22, 0x7fff_ffff, 0xffff, 0xffff_fffe, 0xffff_ffff];
    if bytes.len() < 8 {
        return;
    }
    let at = random.below(bytes.len() - 4);
    let length = random.below((bytes.len() - at).min(64)) + 1;
    match random.below(6) {
        0 => bytes[at..at + 2].copy_from_slice(&random.pick(&NUMBERS).to_le_bytes()[..2]),
        1 => bytes[at..at + 4].copy_from_slice(&random.pick(&NUMBERS).to_le_bytes()),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..at + length)),
        4 => {
            let piece = bytes[at..at + length].to_vec();
            let to = random.below(bytes.len());
            bytes.splice(to..to, piece);
        }
        _ => bytes[at] = random.pick(b"\0\x01\x08PK/.\\\xff"),
    }
}

#[test]
fn random_lies_in_headers() {
    let mut random = Random(0x007a_6970);
    let mut accepted = 0;
    for _ in 0..30_000 {
        let mut zip = Zip::sample();
        for _ in 0..=random.below(3) {
            let at = random.below(zip.entries.len());
            lie(&mut zip.entries[at], &mut random);
        }
        accepted += u32::from(same_as_zip_crate(&zip.bytes()));
    }
    // Harmless changes, applied to both headers, are among them: the comparison is not vacuous.
    assert!(accepted > 1_000, "{accepted}");
}

fn lie(entry: &mut Entry, random: &mut Random) {
    const NAMES: [&[u8]; 8] =
        [b"a", b"A", b"a/b", b"mimetype", b"../a", b"a\\b", b"\xe6\xa7\x98", b"META-INF/ASiCManifest.xml"];
    const EXTRAS: [&[u8]; 5] =
        [b"", b"UT\x01\x00\x00", b"ux\x00\x00", b"up\x01\x00\x00", b"\x01\x00\x00\x00"];
    let kind = random.below(9);
    let number = random.pick(&[0_u32, 1, 2, 8, 10, 20, 2048, 2056, 45, 0xffff_ffff]);
    let name = random.pick(&NAMES).to_vec();
    let extra = random.pick(&EXTRAS).to_vec();
    let change = |header: &mut Header| {
        let short = u16::try_from(number & 0xffff).unwrap();
        match kind {
            0 => header.version = short,
            1 => header.flags = short,
            2 => header.method = short,
            3 => header.time = number,
            4 => header.crc ^= number,
            5 => header.size = header.size.wrapping_add(number),
            6 => header.compressed = header.compressed.wrapping_add(number),
            7 => header.name.clone_from(&name),
            _ => header.extra.clone_from(&extra),
        }
    };
    match random.below(4) {
        0 => change(&mut entry.local),
        1 => change(&mut entry.central),
        _ => entry.both(change),
    }
}

#[test]
fn random_deflate_streams() {
    let mut random = Random(0x0064_6566);
    let good = deflate(csv(40).as_bytes());
    for _ in 0..20_000 {
        let mut entry = Entry::deflated(b"a", csv(40).as_bytes());
        let at = random.below(good.len());
        entry.data[at] ^= 1 << random.below(8);
        same_as_zip_crate(&Zip::with([entry]).bytes());
    }
}
