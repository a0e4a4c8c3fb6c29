//! Taking users out of slips that go to an office which has nothing to do with them.

use std::collections::BTreeMap;

use crate::check::{UserKey, misdirected};
use crate::file::{OwnedFile, SourceFile};
use crate::file_name::{FileName, MonthField};
use crate::kind::FileKind;
use crate::layout::{INSURED, INSURER};
use crate::month::Month;
use crate::records::Records;
use crate::serial::Serial;
use crate::unit::Address;

/// What is left.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The files, in the order given. Those of whom nobody is left are missing.
    pub files: Vec<OwnedFile>,
    /// Users that were taken out, counted once for each slip.
    pub users: usize,
    /// Records that were taken out.
    pub records: usize,
}

/// Takes the records of misdirected users out of slips: out of UPPLAN and UPSIKYU, where the check finds them
/// (`MISDIRECTED`), and out of the supplement of the same slip. Everything else stays, byte for byte.
///
/// With a `serial`, slips that lose somebody get it in their names: the receiver may have imported the first ones already,
/// and imports in the order of serials. Files that are no CSV or whose names do not parse are given back as they are.
///
/// ```
/// use tasuki_careplan::file::SourceFile;
/// use tasuki_careplan::{misdirected, samples};
///
/// // Both users of this slip go to the day service, none to the visiting service.
/// let renamed: Vec<_> = samples::of_folder("04_slip_202602_to_day_two_users")
///     .map(|sample| (sample.name.replace("9971100020_15", "9971100038_17"), sample.bytes))
///     .collect();
/// let files: Vec<_> = renamed.iter().map(|(name, bytes)| SourceFile { name, bytes }).collect();
/// let kept = misdirected::drop_misdirected(&files, None);
/// assert_eq!((kept.files.len(), kept.users), (0, 2));
/// ```
pub fn drop_misdirected(files: &[SourceFile<'_>], serial: Option<Serial>) -> Kept {
    let names: Vec<Option<FileName>> = files.iter().map(|file| FileName::parse(file.name).ok()).collect();
    let mut strangers: BTreeMap<Slip, Vec<UserKey>> = BTreeMap::new();
    for (file, name) in files.iter().zip(&names) {
        let Some((name, slip)) = name.as_ref().and_then(|name| Some((name, slip_of(name)?))) else {
            continue;
        };
        if name.kind != FileKind::Uphosoku {
            strangers.entry(slip).or_default().extend(misdirected(name, file.bytes));
        }
    }
    strangers.retain(|_, users| {
        users.sort_unstable();
        users.dedup();
        !users.is_empty()
    });
    let mut kept = Kept { users: strangers.values().map(Vec::len).sum(), ..Kept::default() };
    for (file, name) in files.iter().zip(&names) {
        let slip = name.as_ref().and_then(|name| Some((name, strangers.get(&slip_of(name)?)?)));
        let Some((name, users)) = slip else {
            kept.files.push(OwnedFile { name: file.name.to_owned(), bytes: file.bytes.to_vec() });
            continue;
        };
        let bytes = kept.without(users, file.bytes);
        let name = match serial {
            Some(serial) => FileName { serial, ..*name }.to_string(),
            None => file.name.to_owned(),
        };
        if !bytes.is_empty() {
            kept.files.push(OwnedFile { name, bytes });
        }
    }
    kept
}

/// Files of one slip.
type Slip = (Address, Month);

fn slip_of(name: &FileName) -> Option<Slip> {
    let of_slip = matches!(name.kind, FileKind::Upplan | FileKind::Upsikyu | FileKind::Uphosoku);
    let month = name.month.and_then(MonthField::month)?;
    of_slip.then(|| (Address::of(name), month))
}

impl Kept {
    /// The bytes without the records of these users, which are sorted.
    fn without(&mut self, users: &[UserKey], bytes: &[u8]) -> Vec<u8> {
        let mut kept = Vec::with_capacity(bytes.len());
        let mut copied = 0;
        let mut records = Records::new(bytes);
        let mut any_left = false;
        while let Ok(Some(record)) = records.next() {
            let value = |at: usize| record.items.get(at).map(|item| item.of(bytes)).unwrap_or_default();
            let user = UserKey::of(value(INSURER), value(INSURED));
            if user.is_some_and(|user| users.binary_search(&user).is_ok()) {
                kept.extend_from_slice(bytes.get(copied..record.span.start).unwrap_or_default());
                copied = record.behind;
                self.records += 1;
            } else {
                any_left |= !record.blank;
            }
        }
        kept.extend_from_slice(bytes.get(copied..).unwrap_or_default());
        // Behind a fault in the CSV nobody was looked for, so it stays.
        if any_left || !kept.iter().all(|byte| matches!(byte, b'\r' | b'\n')) { kept } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests;
