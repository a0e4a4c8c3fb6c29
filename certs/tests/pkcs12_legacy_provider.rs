//! OpenSSL's legacy algorithms come in for the files that need them, and go away again. The only test of its process,
//! because what it looks at belongs to the process.

use std::path::Path;
use std::process::Command;

use openssl::cipher::Cipher;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::trial_ca::TrialCa;

fn rc2_is_at_hand() -> bool {
    Cipher::fetch(None, "RC2-40-CBC", None).is_ok()
}

#[test]
fn legacy_algorithms_are_loaded_for_one_call_only() {
    let ca = TrialCa::create("Office", 1_772_323_200_000_000).unwrap();
    let pem = [&ca.key_pem().unwrap()[..], &ca.cert_pem().unwrap()].concat();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("legacy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("both.pem"), pem).unwrap();
    let export = |options: &str| {
        let arguments = format!("pkcs12 -export {options} -in both.pem -out file.p12 -passout pass:x");
        let done = Command::new("openssl").args(arguments.split(' ')).current_dir(&folder).status();
        assert!(done.expect("the openssl command is installed").success(), "{arguments}");
        std::fs::read(folder.join("file.p12")).unwrap()
    };
    let modern = export("-macalg sha256");
    let legacy = export("-legacy -certpbe PBE-SHA1-RC2-40");
    std::fs::remove_dir_all(&folder).unwrap();

    assert!(!rc2_is_at_hand());
    KeyIdentity::from_pkcs12(&modern, "x").unwrap();
    assert!(!rc2_is_at_hand());
    KeyIdentity::from_pkcs12(&legacy, "x").unwrap();
    assert!(!rc2_is_at_hand());
}
