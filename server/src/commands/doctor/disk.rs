//! Room on the disks that the relay writes to.

use std::path::{Path, PathBuf};

use super::{Finding, Status};
use crate::config::Config;

/// Free space below which the relay may fail within a day: a busy day writes about as much.
const LOW_BYTES: u64 = 2 * 1024 * 1024 * 1024;
/// Free space below which even the log has no room to grow.
const NO_BYTES: u64 = 200 * 1024 * 1024;

/// Looks at the disks of the embedded database, the witness and the relay's folder.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut folders = vec![folder_of(&config.folder.join("relay.toml")), folder_of(&config.evidence.witness)];
    folders.extend(config.content.as_ref().map(|content| content.folder.clone()));
    if let Some(file) = config.database.url.strip_prefix("sqlite:") {
        folders.push(folder_of(Path::new(file.split('?').next().unwrap_or_default())));
    }
    folders.sort();
    folders.dedup();
    folders.iter().filter_map(|folder| Some(judge(folder, free_bytes(folder)?))).collect()
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn judge(folder: &Path, free: u64) -> Finding {
    let status = match free {
        0..NO_BYTES => Status::Fail,
        NO_BYTES..LOW_BYTES => Status::Warn,
        LOW_BYTES.. => Status::Ok,
    };
    let (shown, mib) = (folder.display(), free / (1024 * 1024));
    Finding::new("disk", status, format!("{shown}: 空き{mib} MiB"), format!("{shown}: {mib} MiB free"))
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_fails_before_it_is_full() {
        for (mib, status) in [
            (0, Status::Fail),
            (199, Status::Fail),
            (200, Status::Warn),
            (2047, Status::Warn),
            (2048, Status::Ok),
        ] {
            assert_eq!(judge(Path::new("/srv"), mib * 1024 * 1024).status, status, "{mib}");
        }
    }
}
