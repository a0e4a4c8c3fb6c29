//! All names of a container together: no two may be one on any receiver's file system.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::error::ContainerError;

/// Positions of the entries sorted by name, to find an entry without a pass over all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NameIndex {
    /// A ZIP without ZIP64 has at most 65,535 entries, so `u16` holds every position.
    sorted: Vec<u16>,
}

impl NameIndex {
    /// Sorts the names; refuses two that fold to the same, or one that is a folder of another.
    pub(super) fn build<'n>(
        names: impl ExactSizeIterator<Item = &'n str> + Clone,
    ) -> Result<Self, ContainerError> {
        let mut folded: Vec<(Cow<'n, str>, u16)> =
            names.clone().zip(0_u16..).map(|(name, at)| (fold(name), at)).collect();
        folded.sort_unstable();
        if let Some(pair) = folded.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(clash(pair[0].1, pair[1].1));
        }
        for (name, at) in &folded {
            for (slash, _) in name.match_indices('/') {
                let parent = &name[..slash];
                if let Ok(found) = folded.binary_search_by(|(other, _)| (**other).cmp(parent)) {
                    return Err(clash(folded[found].1, *at));
                }
            }
        }
        let mut sorted: Vec<(&str, u16)> = names.zip(0_u16..).collect();
        sorted.sort_unstable();
        Ok(Self { sorted: sorted.into_iter().map(|(_, at)| at).collect() })
    }

    /// Position of the entry with exactly this name; `name_at` gives the name at a position.
    pub(super) fn position<'n>(&self, name: &str, name_at: impl Fn(usize) -> &'n str) -> Option<usize> {
        let found = self.sorted.binary_search_by(|at| name_at(usize::from(*at)).cmp(name)).ok()?;
        Some(usize::from(self.sorted[found]))
    }
}

fn clash(a: u16, b: u16) -> ContainerError {
    ContainerError::DuplicateName { first: usize::from(a.min(b)), second: usize::from(a.max(b)) }
}

/// What a file system that ignores case (NTFS) and normal form (HFS+, APFS) may compare. Going to lower, upper
/// and again to lower case folds a little more than any of them (`ß` with `ss`, `ſ` with `s`), never less.
fn fold(name: &str) -> Cow<'_, str> {
    if !name.is_ascii() {
        let folded = name.nfd().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
        return Cow::Owned(folded.flat_map(char::to_lowercase).collect());
    }
    if name.bytes().any(|b| b.is_ascii_uppercase()) {
        return Cow::Owned(name.to_ascii_lowercase());
    }
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use unicode_normalization::is_nfd;

    use super::fold;

    /// So that two names that compare equal in any case and form fold to the same bytes.
    #[test]
    fn folding_any_character_is_final() {
        for c in char::MIN..=char::MAX {
            let name = c.to_string();
            let folded = fold(&name);
            assert!(is_nfd(&folded), "{c:?}");
            assert_eq!(fold(&folded), folded, "{c:?}");
            for other in [c.to_lowercase().to_string(), c.to_uppercase().to_string()] {
                assert_eq!(fold(&other), folded, "{c:?}");
            }
        }
    }
}
