//! Going over to another certificate: the settings name the new one and the one before, in one step.

use std::path::Path;

use serde::{Deserialize, Serialize};
use tasuki_proto::time;

use super::{CONFIG_FILE, Config, IdentityConfig};
use crate::error::SdkError;
use crate::files::{self, Access};

/// `[[kept]]`: a key that the HOME had before, for what is still sealed to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptIdentity {
    /// When another took its place, RFC 3339.
    pub replaced_at: String,
    /// Where it is.
    pub identity: IdentityConfig,
}

impl IdentityConfig {
    /// Its files.
    pub(crate) fn files(&self) -> Vec<&str> {
        match self {
            Self::Pkcs12 { pkcs12, password_file } => vec![pkcs12, password_file],
            Self::Pem { certificates, key } => vec![certificates, key],
            Self::Token { pin_file, certificates, .. } => {
                std::iter::once(pin_file).chain(certificates).map(String::as_str).collect()
            }
        }
    }
}

/// The key before among those that are kept, and the new one.
pub(crate) fn kept_with(
    before: &IdentityConfig,
    kept: &[KeptIdentity],
    identity: &IdentityConfig,
    now_us: i64,
) -> Vec<KeptIdentity> {
    let mut kept = kept.to_vec();
    if before != identity && kept.iter().all(|one| one.identity != *before) {
        kept.push(KeptIdentity { replaced_at: time::format_us(now_us), identity: before.clone() });
    }
    kept.retain(|one| one.identity != *identity);
    kept
}

impl Config {
    /// Writes the settings with another identity; the one before is kept.
    pub(crate) fn switch(&self, home: &Path, identity: IdentityConfig, now_us: i64) -> Result<(), SdkError> {
        let kept = kept_with(&self.identity, &self.kept, &identity, now_us);
        Self { identity, kept, ..self.clone() }.write_over(home)
    }

    /// Writes the settings with no other kept keys than these.
    pub(crate) fn keep_only(&self, home: &Path, kept: Vec<KeptIdentity>) -> Result<(), SdkError> {
        Self { kept, ..self.clone() }.write_over(home)
    }

    /// Writes the settings over those that are there: what people wrote beside them stays, where that can be told apart.
    fn write_over(&self, home: &Path) -> Result<(), SdkError> {
        let path = home.join(CONFIG_FILE);
        let printed = self.print()?;
        let before = String::from_utf8(files::read(&path)?).unwrap_or_default();
        let edited = edited(&before, &printed);
        let reads_the_same = toml::from_str::<Self>(&edited).is_ok_and(|read| read == *self);
        let text = if reads_the_same { edited } else { printed };
        files::write_durably(&path, text.as_bytes(), Access::Owner)
    }
}

/// The text before with the tables of identities taken from what was printed.
fn edited(before: &str, printed: &str) -> String {
    let mut text: String = tables(before).filter(|table| !is_identity(table)).collect();
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend(tables(printed).filter(|table| is_identity(table)));
    text
}

fn is_identity(table: &str) -> bool {
    ["[identity]", "[kept.identity]", "[[kept]]"].iter().any(|name| table.starts_with(name))
}

/// What comes before the first table, and each table with what stands behind it.
fn tables(text: &str) -> impl Iterator<Item = &str> {
    let starts: Vec<usize> = text
        .match_indices('[')
        .map(|(at, _)| at)
        .filter(|at| *at == 0 || text.as_bytes()[at - 1] == b'\n')
        .collect();
    let ends: Vec<usize> = starts.iter().copied().chain(std::iter::once(text.len())).collect();
    std::iter::once(0).chain(starts).zip(ends).map(|(from, to)| &text[from..to])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(name: &str) -> IdentityConfig {
        IdentityConfig::Pem { certificates: format!("{name}.pem"), key: format!("{name}.key") }
    }

    #[test]
    fn the_key_before_is_kept_and_comments_stay() {
        let folder = crate::testing::folder("switch");
        let office = "1371215102".parse().unwrap();
        let config = Config::new("https://localhost:8443".to_owned(), office, pem("one"));
        let path = folder.path().join(CONFIG_FILE);
        let text = format!("# ours\n{}\n# to be asked in spring\n", config.print().unwrap());
        std::fs::write(&path, text).unwrap();
        config.switch(folder.path(), pem("two"), 1_795_261_114_000_000).unwrap();
        let read = Config::read(folder.path()).unwrap();
        assert_eq!(read.identity, pem("two"));
        let kept = |name: &str| KeptIdentity {
            replaced_at: "2026-11-21T11:38:34.000000Z".to_owned(),
            identity: pem(name),
        };
        assert_eq!(read.kept, [kept("one")]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("# ours") && text.contains("# to be asked in spring"), "{text}");
        // Once more, and back: nothing is kept twice, nor what is used.
        read.switch(folder.path(), pem("three"), 1_795_261_114_000_000).unwrap();
        let read = Config::read(folder.path()).unwrap();
        assert_eq!(read.kept, [kept("one"), kept("two")]);
        read.switch(folder.path(), pem("one"), 1_795_261_114_000_000).unwrap();
        let read = Config::read(folder.path()).unwrap();
        assert_eq!(
            (read.identity.clone(), read.kept.clone()),
            (pem("one"), vec![kept("two"), kept("three")])
        );
        read.keep_only(folder.path(), Vec::new()).unwrap();
        assert_eq!(Config::read(folder.path()).unwrap(), config);
    }
}
