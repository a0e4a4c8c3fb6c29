//! Tokens: `SoftHSM`, through PKCS #11, filled with its own tools.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tasuki_tests::run::run;

pub(crate) const PIN: &str = "a long enough pin";

/// A token of its own.
pub(crate) struct SoftHsm {
    pub(crate) folder: PathBuf,
    /// File with its PIN.
    pub(crate) pin: PathBuf,
    name: String,
}

fn driver() -> &'static str {
    let places = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
    places.into_iter().find(|path| Path::new(path).exists()).expect("softhsm2 is installed")
}

impl SoftHsm {
    /// A new, empty token of this name.
    pub(crate) fn new(path: &Path, name: &str) -> Self {
        let folder = path.join(format!("token-{name}"));
        fs::create_dir_all(folder.join("tokens")).unwrap();
        let tokens = folder.join("tokens").display().to_string();
        fs::write(folder.join("softhsm2.conf"), format!("directories.tokendir = {tokens}\n")).unwrap();
        let pin = folder.join("pin");
        fs::write(&pin, format!("{PIN}\n")).unwrap();
        owner_only(&pin);
        let token = Self { folder, pin, name: name.to_owned() };
        token.util(&["--init-token", "--free", "--label", name, "--so-pin", "the officer", "--pin", PIN]);
        token
    }

    /// URI of a key on it.
    pub(crate) fn uri(&self, object: &str) -> String {
        format!("pkcs11:token={};object={object}?module-path={}", self.name, driver())
    }

    /// Where its configuration is.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.join("softhsm2.conf")
    }

    /// A command that finds this token.
    pub(crate) fn at<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command.env("SOFTHSM2_CONF", self.config())
    }

    /// Runs `softhsm2-util`.
    pub(crate) fn util(&self, args: &[&str]) {
        run(self.at(Command::new("softhsm2-util").args(args))).expect(0);
    }

    /// Runs `pkcs11-tool`, logged in; what it printed.
    pub(crate) fn tool(&self, args: &[&str]) -> String {
        let mut command = Command::new("pkcs11-tool");
        command.args(["--module", driver(), "--token-label", &self.name, "--login", "--pin", PIN]).args(args);
        run(self.at(&mut command)).expect(0).out.clone()
    }
}

/// Only its owner may read it.
pub(crate) fn owner_only(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
