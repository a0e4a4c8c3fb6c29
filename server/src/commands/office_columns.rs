//! Which column of a CSV file says what: the own header, or a mapping for lists of others (`office import --columns FILE.toml`).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use tasuki_careplan::service::ServiceKind;

use super::office_csv::{Fault, codes};
use crate::store::search_key::fold;

/// The own header, column by column.
pub(super) const HEADER: [&str; 5] = ["number", "name", "kana", "services", "standard_ready"];

/// Columns that may follow it.
const FURTHER: [&str; 2] = ["municipality", "accepts"];

/// A mapping, as its file has it. Headings are compared without regard to width, case and spaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    number: String,
    name: String,
    kana: Option<String>,
    /// Several are joined in this order: prefecture, city.
    #[serde(default)]
    municipality: Headings,
    /// Codes or names of kinds; without the key, kinds stay as the directory has them.
    services: Option<String>,
    standard_ready: Option<String>,
    accepts: Option<String>,
    /// Names of kinds that the list has and the standard does not, with their codes.
    #[serde(default)]
    kinds: BTreeMap<String, ServiceKind>,
}

/// One heading, or several.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
enum Headings {
    One(String),
    Several(Vec<String>),
}

impl Default for Headings {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl Headings {
    fn each(&self) -> &[String] {
        match self {
            Self::One(heading) => std::slice::from_ref(heading),
            Self::Several(headings) => headings,
        }
    }
}

/// Where a file's columns are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Columns of the header, and so of every row.
    pub(super) width: usize,
    pub(super) number: usize,
    pub(super) name: usize,
    pub(super) kana: Option<usize>,
    pub(super) municipality: Vec<usize>,
    pub(super) services: Option<usize>,
    pub(super) standard_ready: Option<usize>,
    pub(super) accepts: Option<usize>,
    /// Names of kinds, folded, with their codes; `None`: the own format, which has codes only.
    names: Option<HashMap<String, ServiceKind>>,
}

impl Layout {
    /// The layout of a file with this header.
    pub(super) fn of(header: &[Cow<'_, str>], mapping: Option<&Mapping>) -> Result<Self, Fault> {
        mapping.map_or_else(|| Self::own(header), |mapping| Self::mapped(header, mapping))
    }

    fn own(header: &[Cow<'_, str>]) -> Result<Self, Fault> {
        let (first, further) = header.split_at_checked(HEADER.len()).ok_or(Fault::Header)?;
        let place = |name: &str| {
            further.iter().position(|heading| heading.as_ref() == name).map(|n| n + HEADER.len())
        };
        let known = FURTHER.iter().filter(|name| place(name).is_some()).count();
        if first != HEADER || known != further.len() {
            return Err(Fault::Header);
        }
        Ok(Self {
            width: header.len(),
            number: 0,
            name: 1,
            kana: Some(2),
            services: Some(3),
            standard_ready: Some(4),
            municipality: place(FURTHER[0]).into_iter().collect(),
            accepts: place(FURTHER[1]),
            names: None,
        })
    }

    fn mapped(header: &[Cow<'_, str>], mapping: &Mapping) -> Result<Self, Fault> {
        let headings: Vec<String> = header.iter().map(|heading| plain(heading)).collect();
        let find = |heading: &String| {
            let wanted = plain(heading);
            let mut places = (0..headings.len()).filter(|&place| headings[place] == wanted);
            match (places.next(), places.next()) {
                (Some(place), None) => Ok(place),
                _ => Err(Fault::Heading(heading.clone())),
            }
        };
        let optional = |heading: &Option<String>| heading.as_ref().map(find).transpose();
        let mut names: HashMap<String, ServiceKind> =
            ServiceKind::named().map(|(name, kind)| (plain(name), kind)).collect();
        names.extend(mapping.kinds.iter().map(|(name, kind)| (plain(name), *kind)));
        Ok(Self {
            width: header.len(),
            number: find(&mapping.number)?,
            name: find(&mapping.name)?,
            kana: optional(&mapping.kana)?,
            municipality: mapping.municipality.each().iter().map(find).collect::<Result<_, _>>()?,
            services: optional(&mapping.services)?,
            standard_ready: optional(&mapping.standard_ready)?,
            accepts: optional(&mapping.accepts)?,
            names: Some(names),
        })
    }

    /// Kinds of service of one row. A list of others has one name or code in a row, or several with something between them.
    pub(super) fn kinds(&self, raw: &str) -> Result<Vec<String>, Fault> {
        let Some(names) = &self.names else { return codes(raw) };
        if let Some(kind) = names.get(&plain(raw)) {
            return Ok(vec![kind.to_string()]);
        }
        let mut kinds = Vec::new();
        for part in raw.split(['、', '，', ',', '/', ';', ' ', '　']).filter(|part| !part.trim().is_empty())
        {
            let code = || fold(part.trim()).to_uppercase().parse().ok();
            let kind: ServiceKind = names.get(&plain(part)).copied().or_else(code).ok_or(Fault::Services)?;
            kinds.push(kind.to_string());
        }
        kinds.sort_unstable();
        kinds.dedup();
        Ok(kinds)
    }
}

/// Text as headings and names of kinds are compared.
fn plain(text: &str) -> String {
    fold(text).replace(' ', "")
}
