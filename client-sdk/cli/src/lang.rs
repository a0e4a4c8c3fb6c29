//! Japanese or English: which of the two, and texts in both.

use std::ffi::OsString;

use clap::ValueEnum;

/// The language of everything that people read. JSON does not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lang {
    // Comments, not documentation: that would turn every `--help` into its long form.
    // Japanese.
    Ja,
    // English.
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

    /// Adds a sentence in each.
    pub(crate) fn add(&mut self, ja: &str, en: &str) {
        self.ja.push_str(ja);
        self.en.push_str(en);
    }

    /// The text in one language.
    pub(crate) fn of(&self, lang: Lang) -> &str {
        lang.pick(&self.ja, &self.en)
    }
}

impl Lang {
    /// One of two texts.
    pub(crate) fn pick<'a>(self, ja: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Ja => ja,
            Self::En => en,
        }
    }

    /// What a locale such as `ja_JP.UTF-8` or `ja-JP` asks for; every other language gets English.
    fn of_locale(locale: &str) -> Self {
        let language = locale.split(['_', '-', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("ja") { Self::Ja } else { Self::En }
    }
}

/// Environment variables that name the language, the strongest first (POSIX order behind our own).
const VARIABLES: [&str; 4] = ["TASUKI_LANG", "LC_ALL", "LC_MESSAGES", "LANG"];

/// Chooses: `--lang` before the environment before the system's own setting, which only Windows has beside it.
///
/// `arguments` are read before clap does, because its help and its errors need the language already.
pub(crate) fn choose(
    arguments: &[OsString],
    variable: impl Fn(&str) -> Option<String>,
    system: impl FnOnce() -> Option<String>,
) -> Lang {
    asked(arguments).unwrap_or_else(|| {
        let set = VARIABLES.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
        set.or_else(system).map_or(Lang::En, |locale| Lang::of_locale(&locale))
    })
}

/// The last `--lang ja` or `--lang=ja`. A wrong value is left for clap to refuse.
fn asked(arguments: &[OsString]) -> Option<Lang> {
    let options: Vec<&str> =
        arguments.iter().map(|a| a.to_str().unwrap_or_default()).take_while(|a| *a != "--").collect();
    let mut found = None;
    for (place, option) in options.iter().enumerate() {
        let value = match option.strip_prefix("--lang") {
            Some("") => options.get(place + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        };
        found = value.and_then(|v| Lang::from_str(v, false).ok()).or(found);
    }
    found
}

/// The language that this computer is set to, where no environment variable says so.
#[cfg(windows)]
pub(crate) fn of_system() -> Option<String> {
    sys_locale::get_locale()
}

/// Elsewhere the environment says it all.
#[cfg(not(windows))]
pub(crate) fn of_system() -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(arguments: &[&str], variables: &[(&str, &str)], system: Option<&str>) -> Lang {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        choose(&arguments, variable, || system.map(str::to_owned))
    }

    #[test]
    fn the_flag_is_stronger_than_the_environment() {
        let japanese = [("LANG", "ja_JP.UTF-8")];
        assert_eq!(chosen(&["inbox", "--lang", "en"], &japanese, None), Lang::En);
        assert_eq!(chosen(&["--lang=ja", "inbox"], &[], None), Lang::Ja);
        assert_eq!(chosen(&["--lang=en", "--lang", "ja"], &[], None), Lang::Ja);
        // A file of that name is no option, and a wrong value decides nothing.
        assert_eq!(chosen(&["send", "--", "--lang=ja"], &[], None), Lang::En);
        assert_eq!(chosen(&["--lang", "de"], &japanese, None), Lang::Ja);
        assert_eq!(chosen(&["--language=ja"], &[], None), Lang::En);
    }

    #[test]
    fn our_own_variable_is_stronger_than_the_locale() {
        assert_eq!(chosen(&[], &[("LANG", "ja_JP.UTF-8"), ("TASUKI_LANG", "en")], None), Lang::En);
        assert_eq!(chosen(&[], &[("LANG", "en_US.UTF-8"), ("LC_ALL", "ja_JP.eucJP")], None), Lang::Ja);
        assert_eq!(chosen(&[], &[("LANG", "ja"), ("LC_MESSAGES", "C")], None), Lang::En);
        assert_eq!(chosen(&[], &[("LANG", "ja"), ("LC_ALL", "")], None), Lang::Ja);
    }

    #[test]
    fn the_system_decides_where_nothing_else_does() {
        assert_eq!(chosen(&[], &[], None), Lang::En);
        assert_eq!(chosen(&[], &[], Some("ja-JP")), Lang::Ja);
        assert_eq!(chosen(&[], &[], Some("jam-JM")), Lang::En);
        assert_eq!(chosen(&[], &[("LANG", "C.UTF-8")], Some("ja-JP")), Lang::En);
    }
}
