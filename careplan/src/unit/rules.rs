//! Which combinations of files the standard permits, from its table of send units.

use std::sync::LazyLock;

use super::Address;
use crate::file_name::FileName;
use crate::kind::FileKind;
use crate::table::{Row, Table};

/// Home care or preventive care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Home care (居宅).
    Home,
    /// Preventive care (介護予防).
    Preventive,
}

/// One permitted combination of files.
#[derive(Debug, PartialEq, Eq)]
pub struct UnitRule {
    /// Its stable name, such as `H2`: H home care, P preventive care.
    pub id: &'static str,
    /// Home care or preventive care.
    pub scope: Scope,
    /// From whom to whom, in the standard's words.
    pub direction: &'static str,
    /// The files that must be there, one of each.
    pub required: Vec<FileKind>,
    /// The files that may come along; one of each, images any number.
    pub optional: Vec<FileKind>,
    /// Permitted only in edition 3.2, whose names have no service kinds.
    pub only_3_2: bool,
}

/// The largest first, so that the files of a larger unit are not taken for two smaller ones.
static RULES: LazyLock<Vec<UnitRule>> = LazyLock::new(|| {
    let table = Table::parse(include_str!("../../data/send_units.csv"));
    let mut rules: Vec<UnitRule> = table.rows().map(|row| UnitRule::of(&row)).collect();
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.required.len()));
    rules
});

impl UnitRule {
    /// All permitted combinations, the largest first.
    pub fn all() -> &'static [Self] {
        &RULES
    }

    /// What is permitted between these parties: combinations of the other scope come last among equals, since who is
    /// behind a service kind is not always told.
    pub(super) fn for_address(address: &Address) -> Vec<&'static Self> {
        let scope = address.scope();
        let mut rules: Vec<&Self> = RULES.iter().filter(|rule| rule.may_be_named(address)).collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.required.len()), rule.scope != scope));
        rules
    }

    fn of(row: &Row<'_>) -> Self {
        let mut rule = Self {
            id: row.get("unit_id"),
            scope: if row.get("scope") == "home" { Scope::Home } else { Scope::Preventive },
            direction: row.get("direction"),
            required: Vec::new(),
            optional: Vec::new(),
            only_3_2: row.get("since_version") == "until 3.2",
        };
        // `A(+B+C)+D`: what stands in parentheses may be missing.
        let mut in_parentheses = false;
        for part in row.get("files").split_inclusive(['+', '(', ')']) {
            let prefix = part.trim_end_matches(['+', '(', ')']);
            if let Some(kind) = FileKind::from_prefix(prefix) {
                if in_parentheses { rule.optional.push(kind) } else { rule.required.push(kind) }
            }
            match part.chars().next_back() {
                Some('(') => in_parentheses = true,
                Some(')') => in_parentheses = false,
                _ => {}
            }
        }
        rule
    }

    fn may_be_named(&self, address: &Address) -> bool {
        !self.only_3_2 || address.sender_service.is_none()
    }

    /// Takes the files of one such unit out of `members`, if all that are required are there.
    pub(super) fn take(&self, names: &[FileName], members: &mut Vec<usize>) -> Option<Vec<usize>> {
        let is = |at: usize, kind: FileKind| names.get(at).is_some_and(|name| name.kind == kind);
        let find = |kind: FileKind| members.iter().copied().find(|at| is(*at, kind));
        let mut taken: Vec<usize> = self.required.iter().map(|kind| find(*kind)).collect::<Option<_>>()?;
        for &kind in &self.optional {
            if kind.is_image() {
                taken.extend(members.iter().copied().filter(|at| is(*at, kind)));
            } else {
                taken.extend(find(kind));
            }
        }
        members.retain(|at| !taken.contains(at));
        taken.sort_unstable();
        Some(taken)
    }

    /// Whether these files, all of them, make one such unit.
    pub(super) fn is_made_by(&self, names: &[FileName], members: &[usize]) -> bool {
        let mut members = members.to_vec();
        self.take(names, &mut members).is_some() && members.is_empty()
    }

    /// The required files that are not among these, and how many of these the combination has.
    pub(super) fn missing(&self, kinds: &[FileKind]) -> (Vec<FileKind>, usize) {
        let missing = self.required.iter().copied().filter(|kind| !kinds.contains(kind)).collect();
        let known = kinds.iter().filter(|kind| self.required.contains(kind) || self.optional.contains(kind));
        (missing, known.count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_whole() {
        let told: Vec<String> = RULES
            .iter()
            .map(|rule| {
                let list =
                    |kinds: &[FileKind]| kinds.iter().map(|k| k.prefix()).collect::<Vec<_>>().join("+");
                format!("{} {}({})", rule.id, list(&rule.required), list(&rule.optional))
            })
            .collect();
        let table = Table::parse(include_str!("../../data/send_units.csv"));
        assert_eq!(told.len(), table.rows().count());
        assert_eq!(told[0], "H1 UP1KYO+UP2KYO+UP3KYO+UPHOSOKU()");
        let p2 = "P2 UPYOBO+UPKIHON(UPYOBO_SUB+UPKIHON_SUB1+UPKIHON_SUB2+UPKIHON_IMAGE)";
        assert!(told.iter().any(|rule| rule == p2), "{told:?}");
        for row in table.rows() {
            let prefixes = row.get("files").split(['+', '(', ')']).filter(|prefix| !prefix.is_empty());
            let rule = RULES.iter().find(|rule| rule.id == row.get("unit_id")).unwrap();
            assert_eq!(prefixes.count(), rule.required.len() + rule.optional.len(), "{}", rule.id);
        }
        assert_eq!(RULES.iter().filter(|rule| rule.only_3_2).count(), 1);
    }
}
