//! Everything that a received parcel must be, and what is left on disk if it is not.

use tasuki_certs::open::{OpenError, OpeningKey};
use tasuki_certs::sealing_key::SealingKey;

use super::store::store;
use super::unpack::{Delivered, Unpacked, unpack};
use crate::error::{SdkError, VerificationError};
use crate::testing::case::{Case, Plan, verifier};
use crate::testing::{self, NOW_US, RECIPIENT, SENDER, office};

fn open(case: &Case, delivered: &Delivered, sealed: &[u8]) -> Result<Unpacked, VerificationError> {
    let keys = [OpeningKey::from_sealing_key(&case.sealing_key)];
    // The revocation list is newer than the delivery, as it is for whoever receives later.
    let known_us = NOW_US + 3_600_000_000;
    unpack(sealed, delivered, office(RECIPIENT), &keys, &verifier(known_us), known_us)
}

fn opened(plan: &Plan) -> Result<Unpacked, VerificationError> {
    let case = Case::new(plan);
    open(&case, &case.delivered, &case.sealed)
}

#[test]
fn a_good_parcel_opens() {
    let unpacked = opened(&Plan::default()).unwrap();
    assert_eq!(unpacked.files, [("memo.pdf".to_owned(), b"%PDF".to_vec())]);
    assert_eq!(unpacked.note.as_deref(), Some("よろしく"));
}

#[test]
fn whatever_contradicts_the_log_is_refused() {
    let case = Case::new(&Plan::default());
    let refused = |delivered: &Delivered| open(&case, delivered, &case.sealed).unwrap_err();
    let good = &case.delivered;
    assert_eq!(
        refused(&Delivered { sealed_digest: [0; 32], ..good.clone() }),
        VerificationError::SealedDigest
    );
    assert_eq!(refused(&Delivered { digest: [0; 32], ..good.clone() }), VerificationError::Digest);
    assert_eq!(
        refused(&Delivered { signer: [0; 32], ..good.clone() }),
        VerificationError::Event("it names another signer")
    );
    assert_eq!(
        refused(&Delivered { recipient: office(SENDER), ..good.clone() }),
        VerificationError::Event("it names another recipient")
    );
    let other = Case::new(&Plan::default());
    assert_eq!(
        refused(&Delivered { key: other.key, ..good.clone() }),
        VerificationError::Header("another parcel id")
    );
    let mut altered = case.sealed.clone();
    *altered.last_mut().unwrap() ^= 1;
    let delivered = Delivered { sealed_digest: tasuki_proto::event::sha256(&altered), ..good.clone() };
    let error = open(&case, &delivered, &altered).unwrap_err();
    assert_eq!(error, VerificationError::Seal(OpenError::NotAuthentic));
    let stranger = [OpeningKey::from_sealing_key(&SealingKey::generate().unwrap())];
    let error = unpack(&case.sealed, good, office(RECIPIENT), &stranger, &verifier(NOW_US), NOW_US);
    assert_eq!(error.unwrap_err(), VerificationError::Seal(OpenError::NotARecipient));
}

#[test]
fn only_the_sending_office_signs_and_only_for_this_receiver() {
    let foreign = opened(&Plan { signed_by_sender: false, ..Plan::default() });
    assert_eq!(foreign.unwrap_err(), VerificationError::Signer(SENDER.to_owned()));
    let elsewhere = opened(&Plan { header_recipient: "9971100020", ..Plan::default() });
    assert_eq!(elsewhere.unwrap_err(), VerificationError::Header("another recipient"));
    let other_sender = opened(&Plan { header_sender: "9971100020", ..Plan::default() });
    assert_eq!(other_sender.unwrap_err(), VerificationError::Signer("9971100020".to_owned()));
}

#[test]
fn a_parcel_is_stored_whole_once_and_found_again() {
    let case = Case::new(&Plan { attachment: "note.txt", ..Plan::default() });
    let unpacked = open(&case, &case.delivered, &case.sealed).unwrap();
    let out = testing::folder("store");
    let first = store(out.path(), case.key, &unpacked, None).unwrap();
    assert_eq!(first.folder, out.path().join(SENDER).join(case.key.id.to_string()));
    assert_eq!((first.files.as_slice(), first.already_there), (&["note (2).txt".to_owned()][..], false));
    let mut names = crate::files::list(&first.folder).unwrap();
    assert_eq!(names, ["note (2).txt", "note.txt"]);
    // What a crash left unfinished is thrown away, what is there already stays; files for experts are added.
    let again = store(out.path(), case.key, &unpacked, Some(&case.sealed)).unwrap();
    assert!(again.already_there);
    names = crate::files::list(&first.folder).unwrap();
    assert_eq!(names, ["certificates.pem", "note (2).txt", "note.txt", "parcel.asice", "sealed.p7m"]);
    assert_eq!(std::fs::read(first.folder.join("parcel.asice")).unwrap(), case.container);

    std::fs::write(first.folder.join("note (2).txt"), b"changed").unwrap();
    let differs = store(out.path(), case.key, &unpacked, None).unwrap_err();
    assert_eq!(differs, SdkError::Verification(VerificationError::FolderDiffers(first.folder)));
}
