//! The registry of other documents: which types of attachment are known, and what their content may be.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::attachment::Content;

/// Types that a registry may list; a longer file is a mistake.
pub const MAX_DOCUMENTS: usize = 1_000;

/// Known types of documents, read from a `documents.toml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    documents: Vec<DocumentType>,
}

/// One type of document.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentType {
    /// The word in a file name: 1 to 40 of `a`–`z`, `A`–`Z`, `0`–`9` and `-`.
    pub id: String,
    /// Its Japanese name.
    pub name_ja: String,
    /// Its English name.
    pub name_en: String,
    /// What its content may be; at least one.
    pub formats: Vec<Content>,
}

/// Why a registry can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistryError {
    /// No TOML, or not the keys that a registry has.
    #[error("documents.toml: {0}")]
    Form(String),
    /// An id has other characters or another length than permitted.
    #[error("documents.toml: the id {0:?} is not 1 to 40 letters, digits and hyphens")]
    Id(String),
    /// Two types have the same id.
    #[error("documents.toml: the id {0:?} stands twice")]
    Double(String),
    /// A type has no format.
    #[error("documents.toml: {0:?} has no format")]
    NoFormat(String),
    /// More than [`MAX_DOCUMENTS`] types.
    #[error("documents.toml: more than {MAX_DOCUMENTS} types")]
    TooMany,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    document: Vec<DocumentType>,
}

static BUILT_IN: LazyLock<Registry> = LazyLock::new(|| {
    let text = include_str!("../data/documents.toml");
    Registry::parse(text).expect("the crate's own registry is well-formed")
});

impl Registry {
    /// The registry that comes with the crate.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// Reads a `documents.toml`: tables `[[document]]` with `id`, `name_ja`, `name_en` and `formats`.
    ///
    /// # Errors
    /// See [`RegistryError`]; the message names what is wrong.
    pub fn parse(toml: &str) -> Result<Self, RegistryError> {
        let file: File = toml::from_str(toml).map_err(|error| RegistryError::Form(error.to_string()))?;
        if file.document.len() > MAX_DOCUMENTS {
            return Err(RegistryError::TooMany);
        }
        for (at, document) in file.document.iter().enumerate() {
            let id = &document.id;
            let plain = id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !plain || !(1..=40).contains(&id.len()) {
                return Err(RegistryError::Id(id.clone()));
            }
            if file.document.iter().take(at).any(|earlier| earlier.id == *id) {
                return Err(RegistryError::Double(id.clone()));
            }
            if document.formats.is_empty() {
                return Err(RegistryError::NoFormat(id.clone()));
            }
        }
        Ok(Self { documents: file.document })
    }

    /// All known types, in the file's order.
    pub fn documents(&self) -> &[DocumentType] {
        &self.documents
    }

    /// The type with exactly this id.
    pub fn get(&self, id: &str) -> Option<&DocumentType> {
        self.documents.iter().find(|document| document.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_registry_knows_the_usual_documents() {
        let registry = Registry::built_in();
        assert_eq!(registry.documents().len(), 11);
        let admission = registry.get("hospital-admission-sheet").unwrap();
        assert_eq!(
            (admission.name_ja.as_str(), &admission.formats[..]),
            ("入院時情報提供書", &[Content::Csv][..])
        );
        assert_eq!(registry.get("memo"), None);
    }

    #[test]
    fn an_own_registry_is_read_or_told_what_is_wrong() {
        let document = |id: &str, formats: &str| {
            format!("[[document]]\nid = {id:?}\nname_ja = \"x\"\nname_en = \"x\"\nformats = [{formats}]\n")
        };
        let parse = |text: &str| Registry::parse(text);
        assert_eq!(parse("").map(|registry| registry.documents().len()), Ok(0));
        assert_eq!(parse(&document("a-1", "\"tiff\"")).unwrap().get("a-1").unwrap().formats, [Content::Tiff]);
        assert_eq!(parse(&document("a_1", "\"pdf\"")), Err(RegistryError::Id("a_1".into())));
        assert_eq!(parse(&document("", "\"pdf\"")), Err(RegistryError::Id(String::new())));
        assert_eq!(parse(&document("a", "")), Err(RegistryError::NoFormat("a".into())));
        let twice = document("a", "\"pdf\"").repeat(2);
        assert_eq!(parse(&twice), Err(RegistryError::Double("a".into())));
        for broken in ["[[document]]", "x = 1", "[", &document("a", "\"exe\"")] {
            assert!(matches!(parse(broken), Err(RegistryError::Form(_))), "{broken}");
        }
        let many: String = (0..=MAX_DOCUMENTS).map(|n| document(&n.to_string(), "\"pdf\"")).collect();
        assert_eq!(parse(&many), Err(RegistryError::TooMany));
    }
}
