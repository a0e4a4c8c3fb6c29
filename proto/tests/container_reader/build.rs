//! Containers made by hand, every field open to lies.

use std::io::Write;

use flate2::Compression;
use flate2::write::DeflateEncoder;
use tasuki_proto::container::{Container, ContainerError, ContainerLimits, MIMETYPE, read};

pub(crate) const STORED: u16 = 0;
pub(crate) const DEFLATE: u16 = 8;
pub(crate) const FLAG_DESCRIPTOR: u16 = 1 << 3;
pub(crate) const FLAG_UTF8: u16 = 1 << 11;

/// The fields that local header and central record share.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) version: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) time: u32,
    pub(crate) crc: u32,
    pub(crate) compressed: u32,
    pub(crate) size: u32,
    pub(crate) name: Vec<u8>,
    pub(crate) extra: Vec<u8>,
}

impl Header {
    fn write(&self, out: &mut Vec<u8>) {
        for field in [self.version, self.flags, self.method] {
            out.extend(field.to_le_bytes());
        }
        for field in [self.time, self.crc, self.compressed, self.size] {
            out.extend(field.to_le_bytes());
        }
        out.extend(u16::try_from(self.name.len()).unwrap().to_le_bytes());
        out.extend(u16::try_from(self.extra.len()).unwrap().to_le_bytes());
    }
}

/// One entry: two headers that agree until a test changes one.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Bytes before the local header, which should not be there.
    pub(crate) gap: Vec<u8>,
    pub(crate) local: Header,
    pub(crate) data: Vec<u8>,
    pub(crate) descriptor: Vec<u8>,
    pub(crate) central: Header,
    pub(crate) comment: Vec<u8>,
    pub(crate) disk: u16,
    pub(crate) attributes: u32,
    /// Added to the offset of the local header.
    pub(crate) offset_shift: u32,
}

impl Entry {
    fn new(name: &[u8], method: u16, content: &[u8], data: Vec<u8>) -> Self {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let header = Header {
            version: 20,
            flags: if name.is_ascii() { 0 } else { FLAG_UTF8 },
            method,
            time: 0x0021_0000,
            crc: crc.sum(),
            compressed: u32::try_from(data.len()).unwrap(),
            size: u32::try_from(content.len()).unwrap(),
            name: name.to_vec(),
            extra: Vec::new(),
        };
        Self {
            gap: Vec::new(),
            local: header.clone(),
            data,
            descriptor: Vec::new(),
            central: header,
            comment: Vec::new(),
            disk: 0,
            attributes: 0o100_644 << 16,
            offset_shift: 0,
        }
    }

    pub(crate) fn stored(name: &[u8], content: &[u8]) -> Self {
        Self::new(name, STORED, content, content.to_vec())
    }

    pub(crate) fn deflated(name: &[u8], content: &[u8]) -> Self {
        Self::new(name, DEFLATE, content, deflate(content))
    }

    /// As streaming writers do it: zeros in the local header, the truth in a descriptor behind the data.
    pub(crate) fn streamed(name: &[u8], content: &[u8]) -> Self {
        let mut entry = Self::deflated(name, content);
        entry.both(|header| header.flags |= FLAG_DESCRIPTOR);
        entry.descriptor = b"PK\x07\x08".to_vec();
        for field in [entry.central.crc, entry.central.compressed, entry.central.size] {
            entry.descriptor.extend(field.to_le_bytes());
        }
        (entry.local.crc, entry.local.compressed, entry.local.size) = (0, 0, 0);
        entry
    }

    /// Changes both headers alike.
    pub(crate) fn both(&mut self, change: impl Fn(&mut Header)) {
        change(&mut self.local);
        change(&mut self.central);
    }
}

/// A whole container.
#[derive(Clone)]
pub(crate) struct Zip {
    pub(crate) entries: Vec<Entry>,
    /// Bytes between the last entry and the directory.
    pub(crate) before_directory: Vec<u8>,
    /// Bytes between the directory and the end record.
    pub(crate) before_end: Vec<u8>,
    pub(crate) comment: Vec<u8>,
    pub(crate) trailing: Vec<u8>,
    /// What to put at which place of the end record instead of the truth.
    pub(crate) end: Vec<(usize, Vec<u8>)>,
    /// Order of the records in the directory, if it is not the entries'.
    pub(crate) directory_order: Option<Vec<usize>>,
}

impl Zip {
    /// `mimetype`, then the given entries.
    pub(crate) fn with(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mimetype = Entry::stored(b"mimetype", MIMETYPE.as_bytes());
        Self::exactly(std::iter::once(mimetype).chain(entries))
    }

    /// The given entries and nothing before them.
    pub(crate) fn exactly(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self {
            entries: entries.into_iter().collect(),
            before_directory: Vec::new(),
            before_end: Vec::new(),
            comment: Vec::new(),
            trailing: Vec::new(),
            end: Vec::new(),
            directory_order: None,
        }
    }

    /// `mimetype`, a stored, a deflated and a streamed file.
    pub(crate) fn sample() -> Self {
        Self::with([
            Entry::stored(b"parcel.json", b"{\"note\":\"stored\"}"),
            Entry::deflated(b"UPPLAN.CSV", csv(200).as_bytes()),
            Entry::streamed("添付/見守り.txt".as_bytes(), "変わりありません。".as_bytes()),
        ])
    }

    /// [`Zip::sample`] with one change.
    pub(crate) fn sample_but(change: impl FnOnce(&mut Zip)) -> Vec<u8> {
        let mut zip = Self::sample();
        change(&mut zip);
        zip.bytes()
    }

    /// [`Zip::sample`] with 16-bit numbers at places of the end record.
    pub(crate) fn sample_end(lies: &[(usize, u16)]) -> Vec<u8> {
        Self::sample_but(|zip| {
            zip.end = lies.iter().map(|(at, lie)| (*at, lie.to_le_bytes().to_vec())).collect();
        })
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut offsets = Vec::new();
        for entry in &self.entries {
            out.extend(&entry.gap);
            offsets.push(u32::try_from(out.len()).unwrap());
            out.extend(b"PK\x03\x04");
            entry.local.write(&mut out);
            for part in [&entry.local.name, &entry.local.extra, &entry.data, &entry.descriptor] {
                out.extend(part);
            }
        }
        out.extend(&self.before_directory);
        let directory = out.len();
        let in_order = (0..self.entries.len()).collect();
        for &at in self.directory_order.as_ref().unwrap_or(&in_order) {
            let entry = &self.entries[at];
            out.extend(b"PK\x01\x02\x14\x03");
            entry.central.write(&mut out);
            out.extend(u16::try_from(entry.comment.len()).unwrap().to_le_bytes());
            out.extend(entry.disk.to_le_bytes());
            out.extend([0, 0]);
            out.extend(entry.attributes.to_le_bytes());
            out.extend(offsets[at].wrapping_add(entry.offset_shift).to_le_bytes());
            for part in [&entry.central.name, &entry.central.extra, &entry.comment] {
                out.extend(part);
            }
        }
        let size = out.len() - directory;
        out.extend(&self.before_end);
        let end = out.len();
        let count = u16::try_from(self.entries.len()).unwrap();
        out.extend(b"PK\x05\x06\0\0\0\0");
        out.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
        out.extend(u32::try_from(size).unwrap().to_le_bytes());
        out.extend(u32::try_from(directory).unwrap().to_le_bytes());
        out.extend(u16::try_from(self.comment.len()).unwrap().to_le_bytes());
        for (at, lie) in &self.end {
            out[end + at..][..lie.len()].copy_from_slice(lie);
        }
        out.extend(&self.comment);
        out.extend(&self.trailing);
        out
    }
}

pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// Reads with the default limits.
pub(crate) fn read_default(bytes: &[u8]) -> Result<Container<'_>, ContainerError> {
    read(bytes, &ContainerLimits::default())
}

/// The error that reading with the default limits gives.
#[track_caller]
pub(crate) fn refused(bytes: &[u8]) -> ContainerError {
    read_default(bytes).expect_err("the container must be refused")
}

/// Lines that look like the standard's CSV.
pub(crate) fn csv(lines: u32) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for line in 0..lines {
        let day = line % 31 + 1;
        write!(
            text,
            "\"1371215102\",\"202602\",{line},\"0000{:06}\",\"11{day:04}\",,{}\r\n",
            line * 37,
            day * 250
        )
        .unwrap();
    }
    text
}
