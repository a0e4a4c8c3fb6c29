//! OpenSSL's legacy algorithms come in for the files that need them, and go away again. The only test of its process,
//! because what it looks at belongs to the process.

use std::path::Path;
use std::process::Command;

use openssl::asn1::Asn1Time;
use openssl::cipher::Cipher;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::x509::{X509Builder, X509NameBuilder};
use tasuki_certs::identity::KeyIdentity;

fn rc2_is_at_hand() -> bool {
    Cipher::fetch(None, "RC2-40-CBC", None).is_ok()
}

#[test]
fn legacy_algorithms_are_loaded_for_one_call_only() {
    let key = PKey::ec_gen("P-256").unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "Office").unwrap();
    let name = name.build();
    let mut certificate = X509Builder::new().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::from_unix(1_735_689_600).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::from_unix(2_051_222_400).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();

    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("legacy-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let pem = [key.private_key_to_pem_pkcs8().unwrap(), certificate.build().to_pem().unwrap()].concat();
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
