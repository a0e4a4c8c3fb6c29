//! Secret keys: there, and for their owner only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{Finding, Status};
use crate::config::Config;
use crate::config::template::names;
use crate::files;
use crate::key_file;
use crate::trial_ca::TrialCaFiles;

const CHECK: &str = "secrets";

/// Looks at every secret key.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let relay_ca = config.folder.join(names::RELAY_CA_KEY);
    // An operator may keep a CA's key elsewhere; without the other two the relay does not start.
    let cas = config.trial_ca.clone().map(|ca| {
        let first = ca.key.clone();
        // That its register can't be read is told where the CA is looked at.
        TrialCaFiles::open(ca).key_files().unwrap_or_else(|_| vec![first])
    });
    let cas = cas.unwrap_or_default();
    let mut secrets = vec![(&config.evidence.log_key, true), (&config.server.private_key, true)];
    secrets.extend(cas.iter().chain([&relay_ca]).map(|key| (key, false)));
    let pins = pin_files(secrets.iter().map(|(path, _)| path.as_path()));
    secrets.extend(pins.iter().map(|pin| (pin, true)));
    secrets.into_iter().filter_map(|(path, needed)| secret(path, needed)).collect()
}

/// The files with the PINs of tokens that these keys are on.
fn pin_files<'p>(keys: impl Iterator<Item = &'p Path>) -> BTreeSet<PathBuf> {
    keys.filter_map(|key| key_file::token_of(key).ok()?).map(|token| token.pin_file().to_owned()).collect()
}

fn secret(path: &Path, needed: bool) -> Option<Finding> {
    let shown = path.display();
    Some(match files::readable_by_others(path) {
        Ok(false) => Finding::new(
            CHECK,
            Status::Ok,
            format!("{shown}: 所有者だけが読めます"),
            format!("{shown}: its owner's only"),
        ),
        Ok(true) => Finding::new(
            CHECK,
            Status::Fail,
            format!("{shown}: 他の利用者も読めます。chmod 600 してください"),
            format!("{shown}: others may read it; chmod 600 it"),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !needed => return None,
        Err(error) => Finding::failed(CHECK, &format!("{shown}: {error}")),
    })
}
