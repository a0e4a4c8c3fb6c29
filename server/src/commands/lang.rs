//! Japanese or English: which of the two, and texts in both.

use clap::ValueEnum;

/// The language of everything that people read. JSON does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    /// Japanese
    Ja,
    /// English
    En,
}

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text {
    pub(crate) ja: String,
    pub(crate) en: String,
}

impl Text {
    pub(crate) fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }

    /// The text in one language.
    pub(crate) fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ja => &self.ja,
            Lang::En => &self.en,
        }
    }
}

/// Environment variables that name the language, the strongest first (POSIX order behind our own).
const VARIABLES: [&str; 4] = ["TASUKI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"];

impl Lang {
    /// What the environment asks for; every language but Japanese gets English.
    pub(crate) fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = VARIABLES.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        let locale = set.unwrap_or_default();
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("ja") { Self::Ja } else { Self::En }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_variable_is_stronger_than_the_locale() {
        let chosen = |variables: &[(&str, &str)]| {
            Lang::of_environment(|name| {
                variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(chosen(&[]), Lang::En);
        assert_eq!(chosen(&[("LANG", "ja_JP.UTF-8")]), Lang::Ja);
        assert_eq!(chosen(&[("LANG", "ja_JP.UTF-8"), ("TASUKI_LANG", "en")]), Lang::En);
        assert_eq!(chosen(&[("LANG", "ja"), ("LC_ALL", "")]), Lang::Ja);
        assert_eq!(chosen(&[("LANG", "jam_JM")]), Lang::En);
    }
}
