//! Trust from files, and what happens when they change.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use openssl::x509::{X509, X509Crl};
use tasuki_certs::error::{CertError, CrlFault, Position};
use tasuki_certs::trial_ca::{Revocation, RevocationReason};
use tasuki_certs::trust::{CurrentTrust, Purpose};
use tasuki_certs::trust_files::{TrustFiles, TrustFilesError, TrustWatch};

use crate::trial::{DAY_US, NOW_US, OFFICE, ca, clean_crl, office, quick, root};

/// A folder of its own, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("trust-{}-{number}", std::process::id()));
        fs::create_dir_all(path.join("crls")).expect("a folder can be made");
        Self(path)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.join(name), bytes).expect("a file can be written");
    }

    /// Trust in the CA file and the folder of CRLs.
    fn files(&self) -> TrustFiles {
        let mut files = TrustFiles::of_anchors(vec!["ca.pem".into()]);
        files.crls = vec!["crls".into()];
        files.relative_to(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn folder_with_trust() -> Folder {
    let folder = Folder::new();
    folder.put("ca.pem", &ca().cert_pem().expect("PEM"));
    folder.put("crls/1.crl", &clean_crl(ca()));
    folder
}

fn verify(watch: &TrustWatch, der: &[u8]) -> Option<CertError> {
    watch.current().verify(der, &[], Purpose::Sign, NOW_US).err()
}

#[test]
fn pem_and_der_files_and_folders_are_read() {
    let folder = folder_with_trust();
    let other = root("Other root");
    let both = [ca().cert_pem().expect("PEM"), other.cert_pem().expect("PEM")].concat();
    folder.put("ca.pem", &both);
    let crl = X509Crl::from_der(&clean_crl(&other)).expect("a CRL").to_pem().expect("PEM");
    folder.put("crls/2.pem", &crl);
    folder.put("crls/README", b"not read");
    folder.put("crls/.hidden", b"not read");
    let store = folder.files().load().expect("the files are good");
    for ca in [ca(), &other] {
        assert!(store.verify(&office(ca, &quick()), &[], Purpose::Sign, NOW_US).is_ok());
    }
    folder.put("ca.pem", &ca().cert_der().expect("DER"));
    let store = folder.files().load().expect("the files are good");
    assert!(store.verify(&office(ca(), &quick()), &[], Purpose::Sign, NOW_US).is_ok());
}

#[test]
fn a_new_revocation_list_takes_effect_when_it_is_there() {
    let folder = folder_with_trust();
    let issued = ca().issue_office(OFFICE, "office", &quick()).expect("issued");
    let watch = Arc::new(TrustWatch::load(folder.files()).expect("the files are good"));
    assert_eq!(verify(&watch, &issued.cert_der), None);
    let before = watch.current().fingerprint();
    assert_eq!(watch.reload_if_changed(), Ok(false));
    assert_eq!(watch.reload_if_changed(), Ok(false));
    let entry = Revocation::new(&issued.serial, NOW_US, RevocationReason::KeyCompromise);
    folder.put("crls/2.crl", &ca().crl(&[entry], 2, NOW_US, NOW_US + DAY_US).expect("a CRL"));
    fs::remove_file(folder.0.join("crls/1.crl")).expect("the old list can go");
    assert_eq!(verify(&watch, &issued.cert_der), None, "nothing changes before the reload");
    assert_eq!(watch.reload_if_changed(), Ok(true));
    assert_eq!(verify(&watch, &issued.cert_der), Some(CertError::CertificateRevoked(Position::LEAF)));
    assert_ne!(watch.current().fingerprint(), before);
    assert_eq!(watch.reload_if_changed(), Ok(false));
    let shared: Arc<TrustWatch> = Arc::clone(&watch);
    assert_eq!(CurrentTrust::current(&shared).fingerprint(), watch.current().fingerprint());
}

#[test]
fn a_file_written_twice_within_one_time_stamp_is_read_too() {
    let folder = folder_with_trust();
    let path = folder.0.join("crls/1.crl");
    let watch = TrustWatch::load(folder.files()).expect("the files are good");
    let before = fs::metadata(&path).expect("it is there");
    // The same size, the same time, another content: another number.
    let changed = ca().crl(&[], 2, NOW_US, NOW_US + 7 * DAY_US).expect("a CRL");
    let padded = same_length(&changed, usize::try_from(before.len()).expect("small"));
    fs::write(&path, padded).expect("written");
    let file = fs::File::options().write(true).open(&path).expect("opens");
    file.set_modified(before.modified().expect("a time")).expect("a time can be set");
    assert_eq!(watch.reload_if_changed(), Ok(true));
    assert_eq!(watch.reload_if_changed(), Ok(false));
}

/// A CRL like `crl` of exactly `length` bytes: ECDSA signatures vary by a byte or two, so it is made again.
fn same_length(crl: &[u8], length: usize) -> Vec<u8> {
    let mut made = crl.to_vec();
    for _ in 0..1_000 {
        if made.len() == length {
            return made;
        }
        made = ca().crl(&[], 2, NOW_US, NOW_US + 7 * DAY_US).expect("a CRL");
    }
    panic!("a signature of the same length comes within a thousand tries")
}

#[test]
fn a_bad_new_file_keeps_the_old_trust() {
    let folder = folder_with_trust();
    let der = office(ca(), &quick());
    let watch = TrustWatch::load(folder.files()).expect("the files are good");
    let before = watch.current().fingerprint();
    let path = folder.0.join("crls/1.crl");
    folder.put("crls/1.crl", &[0x30, 0]);
    let error = TrustFilesError::Crl { path: path.clone(), fault: CrlFault::Malformed };
    assert_eq!(watch.reload_if_changed(), Err(error.clone()));
    assert_eq!(watch.reload_if_changed(), Err(error));
    folder.put("crls/1.crl", b"half a fi");
    assert_eq!(watch.reload_if_changed(), Err(TrustFilesError::Pem(path)));
    fs::remove_file(folder.0.join("ca.pem")).expect("removed");
    let gone = TrustFilesError::Io { path: folder.0.join("ca.pem"), kind: ErrorKind::NotFound };
    assert_eq!(watch.reload_if_changed(), Err(gone));
    assert_eq!(watch.current().fingerprint(), before);
    assert_eq!(verify(&watch, &der), None);
    folder.put("ca.pem", &ca().cert_pem().expect("PEM"));
    folder.put("crls/1.crl", &ca().crl(&[], 2, NOW_US, NOW_US + DAY_US).expect("a CRL"));
    assert_eq!(watch.reload_if_changed(), Ok(true));
}

#[test]
fn files_that_make_no_trust() {
    let folder = folder_with_trust();
    let ca_path = folder.0.join("ca.pem");
    let load = || folder.files().load().err();
    folder.put("ca.pem", &X509::from_der(&office(ca(), &quick())).expect("DER").to_pem().expect("PEM"));
    let error = CertError::NotACa(Position::LEAF);
    assert_eq!(load(), Some(TrustFilesError::Certificate { path: ca_path.clone(), error }));
    folder.put("ca.pem", &ca().key_pem().expect("PEM"));
    assert_eq!(load(), Some(TrustFilesError::Pem(ca_path.clone())));
    folder.put("ca.pem", b"");
    assert_eq!(load(), Some(TrustFilesError::Pem(ca_path)));
    let empty = TrustFiles::of_anchors(vec![folder.0.join("crls/../crls")]);
    fs::remove_file(folder.0.join("crls/1.crl")).expect("removed");
    assert_eq!(empty.load().err(), Some(TrustFilesError::NoAnchor));
}

#[test]
fn an_override_lasts_over_a_reload_and_ends() {
    let folder = folder_with_trust();
    let der = office(ca(), &quick());
    let late = NOW_US + 20 * DAY_US;
    let watch = TrustWatch::load(folder.files()).expect("the files are good");
    let verify = || watch.current().verify(&der, &[], Purpose::Sign, late).err();
    assert_eq!(verify(), Some(CertError::CrlStale(Position::LEAF)));
    watch.set_override(Some(late + DAY_US));
    assert_eq!(verify(), None);
    folder.put("crls/1.crl", &ca().crl(&[], 2, NOW_US, NOW_US + DAY_US).expect("a CRL"));
    assert_eq!(watch.reload_if_changed(), Ok(true));
    assert_eq!(verify(), None);
    watch.set_override(None);
    assert_eq!(verify(), Some(CertError::CrlStale(Position::LEAF)));
}

#[test]
fn the_configuration_is_toml_and_refuses_unknown_keys() {
    let files: TrustFiles =
        toml::from_str("anchors = [\"a.pem\"]\n[revocation]\non_stale = \"warn\"\n").expect("good");
    assert_eq!(files.anchors, [PathBuf::from("a.pem")]);
    assert_eq!(files.revocation.max_crl_age_s, 691_200);
    assert_eq!(files.max_intermediates, 6);
    for bad in ["anchors = []\nother = 1", "anchors = []\n[revocation]\noverride_until_us = 1", "crls = []"] {
        assert!(toml::from_str::<TrustFiles>(bad).is_err(), "{bad}");
    }
}
