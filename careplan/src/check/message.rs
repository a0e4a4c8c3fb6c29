//! What a finding says to people.

/// A message in both languages: what is wrong and what to do.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) ja: String,
    pub(crate) en: String,
}

impl Message {
    pub(crate) fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }
}
