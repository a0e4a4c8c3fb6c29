//! Parcels that must be refused: each with its stable reason, and the relay goes on as if nothing had been.

use bytes::Bytes;
use tasuki_proto::container::MIMETYPE;
use tasuki_proto::manifest;
use tasuki_proto::parcel::FileEntry;
use tasuki_proto::{limits, pb, reason as word};
use tasuki_tests::raw::{Forge, RawOffice, reason, submit, submit_messages};
use tonic::transport::Channel;

use crate::stage::{DAY, Database, MANAGER, Stage, VISIT};

struct Door {
    stage: Stage,
    manager: RawOffice,
    visit: RawOffice,
    channel: Channel,
}

impl Door {
    async fn open() -> Self {
        let stage = Stage::new(Database::Sqlite);
        let (manager, visit) = (stage.raw(MANAGER), stage.raw(VISIT));
        let channel = manager.connect(&stage.relay).await.unwrap();
        Self { stage, manager, visit, channel }
    }

    async fn reason(&self, container: Vec<u8>) -> String {
        reason(&submit(&self.channel, container).await.unwrap()).to_owned()
    }

    /// A good parcel still goes through.
    async fn still_works(&self) {
        let good = Forge::withdrawal(MANAGER, VISIT).sign(&self.manager.identity);
        assert_eq!(self.reason(good).await, "accepted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_and_parties() {
    let door = Door::open().await;
    let (manager, visit) = (&door.manager.identity, &door.visit.identity);
    let withdrawal = || Forge::withdrawal(MANAGER, VISIT);

    // Signed by another office.
    assert_eq!(door.reason(withdrawal().sign(visit)).await, word::SENDER_MISMATCH);
    // The other office's parcel, transmitted by us.
    let theirs = Forge::withdrawal(VISIT, MANAGER).sign(visit);
    assert_eq!(door.reason(theirs).await, word::TRANSMITTER_NOT_ALLOWED);
    // Signature of other bytes.
    let (one, other) = (withdrawal(), withdrawal());
    let signed = tasuki_proto::parcel::OpenParcel::open(&one.sign(manager)).unwrap().signature().to_vec();
    let mixed = other.assemble(&manifest::write(&other.manifest), Some(&signed));
    assert_eq!(door.reason(mixed).await, "SIGNATURE_DIGEST_MISMATCH");
    // No signature.
    let bare = withdrawal();
    let bare = bare.assemble(&manifest::write(&bare.manifest), None);
    assert_eq!(door.reason(bare).await, "SIGNATURE_MISSING");
    // To itself, to nobody, to an office without a key.
    assert_eq!(
        door.reason(Forge::withdrawal(MANAGER, MANAGER).sign(manager)).await,
        word::RECIPIENT_IS_SENDER
    );
    assert_eq!(
        door.reason(Forge::withdrawal(MANAGER, "9999999999").sign(manager)).await,
        word::RECIPIENT_UNKNOWN
    );
    assert_eq!(door.reason(Forge::withdrawal(MANAGER, DAY).sign(manager)).await, word::RECIPIENT_NO_KEY);
    door.stage.relay.run(&["office", "suspend", VISIT, "--reason", "test"]).expect(0);
    assert_eq!(door.reason(withdrawal().sign(manager)).await, word::RECIPIENT_SUSPENDED);
    door.stage.relay.run(&["office", "resume", VISIT]).expect(0);
    door.still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn manifests_and_headers() {
    let door = Door::open().await;
    let signer = &door.manager.identity;
    let withdrawal = || Forge::withdrawal(MANAGER, VISIT);

    // The manifest names a missing file, omits a present one, has a wrong digest.
    let mut forge = withdrawal();
    let path = forge.files[0].0.clone();
    forge.files.clear();
    assert_eq!(door.reason(forge.sign(signer)).await, "MANIFEST_MISSING_FILE");
    let mut forge = withdrawal();
    forge.manifest.files.pop();
    assert_eq!(door.reason(forge.sign(signer)).await, "MANIFEST_UNLISTED_FILE");
    let mut forge = withdrawal();
    forge.files[0].1.push(b'\n');
    assert_eq!(door.reason(forge.sign(signer)).await, "MANIFEST_DIGEST");

    // Receivers that differ: name against parcel.json.
    let mut header = Forge::header(MANAGER, VISIT);
    let other = path.replace(VISIT, DAY);
    header.files.push(FileEntry::standard(&other, "DLTPLAN", "text/csv"));
    let content = withdrawal().files[0].1.clone();
    let forge = Forge::new(&header, vec![(other, content)]);
    assert_eq!(door.reason(forge.sign(signer)).await, word::RECIPIENT_MISMATCH);

    // parcel.json: not JSON, a kind that the name does not have, a file that is not there, nothing at all.
    for (from, to, expected) in [
        ("{", "[", word::HEADER_MALFORMED),
        ("\"DLTPLAN\"", "\"DLTJSK\"", word::HEADER_MALFORMED),
        ("tasuki-parcel/v1", "tasuki-parcel/v9", word::HEADER_MALFORMED),
        ("DLTPLAN_", "DLTJSK_", word::HEADER_MALFORMED),
    ] {
        let mut forge = withdrawal();
        forge.header = forge.header.replacen(from, to, 1);
        forge.cover();
        assert_eq!(door.reason(forge.sign(signer)).await, expected, "{from} → {to}");
    }
    let empty = Forge::new(&Forge::header(MANAGER, VISIT), vec![]);
    assert_eq!(door.reason(empty.sign(signer)).await, word::PARCEL_EMPTY);
    let mut long = Forge::header(MANAGER, VISIT);
    long.note = Some("あ".repeat(limits::MAX_NOTE_CHARS + 1));
    assert_eq!(door.reason(Forge::new(&long, vec![]).sign(signer)).await, word::NOTE_TOO_LONG);
    door.still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn containers() {
    let door = Door::open().await;
    let good = Forge::withdrawal(MANAGER, VISIT).sign(&door.manager.identity);
    // Every single way a ZIP can lie is tested beside the reader; here: what the relay answers.
    let mut trailing = good.clone();
    trailing.extend_from_slice(b"more");
    assert_eq!(door.reason(trailing).await, "ZIP_TRAILING_DATA");
    assert_eq!(door.reason(b"PK\x03\x04 no zip at all".to_vec()).await, "ZIP_MALFORMED");
    assert_eq!(door.reason(MIMETYPE.as_bytes().to_vec()).await, "ZIP_MALFORMED");
    for cut in [1, good.len() / 3, good.len() / 2, good.len() - 1] {
        let answer = door.reason(good[..cut].to_vec()).await;
        assert!(answer.starts_with("ZIP_"), "cut at {cut}: {answer}");
    }
    // A bomb: 16 MiB of zeros in 16 KiB.
    let mut header = Forge::header(MANAGER, VISIT);
    header.files.push(FileEntry::attachment("zeros.bin", "application/octet-stream"));
    let forge = Forge::new(&header, vec![("attachments/zeros.bin".to_owned(), vec![0; 16 << 20])]);
    // Our own writer stores what would shrink so far; another deflates it.
    let bomb = deflate_all(&forge.sign(&door.manager.identity));
    assert!(bomb.len() < 64 << 10);
    assert_eq!(door.reason(bomb).await, "ZIP_BOMB");
    door.still_works().await;
}

/// The same container, written by a program that deflates everything behind the mimetype.
fn deflate_all(container: &[u8]) -> Vec<u8> {
    use std::io::{Cursor, Write as _};
    let mut from = zip::ZipArchive::new(Cursor::new(container)).unwrap();
    let mut to = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for place in 0..from.len() {
        let mut entry = from.by_index(place).unwrap();
        let method =
            if place == 0 { zip::CompressionMethod::Stored } else { zip::CompressionMethod::Deflated };
        let options = zip::write::SimpleFileOptions::DEFAULT.compression_method(method);
        to.start_file(entry.name().unwrap().into_owned(), options).unwrap();
        let mut content = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
        to.write_all(&content).unwrap();
    }
    to.finish().unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_files_with_errors() {
    let door = Door::open().await;
    let mut forge = Forge::withdrawal(MANAGER, VISIT);
    forge.files[0].1 = "これはUTF-8です\r\n".as_bytes().to_vec();
    forge.cover();
    let response = submit(&door.channel, forge.sign(&door.manager.identity)).await.unwrap();
    let Some(pb::submit_response::Outcome::Rejected(rejected)) = response.outcome else {
        panic!("{response:?}");
    };
    assert_eq!(rejected.reason, word::FILES_REJECTED);
    let finding = &rejected.findings[0];
    assert_eq!((finding.rule.as_str(), finding.severity.as_str()), ("ENCODING", "error"));
    assert!(finding.file.starts_with("DLTPLAN_202602_"));
    assert!(!finding.message_ja.is_empty() && !finding.message_en.is_empty());
    let said = format!("{rejected:?}");
    assert!(!said.contains("これは"), "a finding holds no content: {said}");
    door.still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_named_like_standard_files_do_not_escape_the_checks() {
    let door = Door::open().await;
    let slip = Forge::withdrawal(MANAGER, VISIT).files[0].0.clone();
    let misspelt = slip.replace(".CSV", ".csv").to_lowercase();
    let unknown = slip.replace("DLTPLAN", "UPXXXX");
    for name in [slip.as_str(), &misspelt, &unknown, "UPPLAN.CSV", "UPKIHON_IMAGE_1.jpg"] {
        let mut header = Forge::header(MANAGER, VISIT);
        header.files.push(FileEntry::attachment(name, "text/csv"));
        let files = vec![(format!("attachments/{name}"), b"never checked".to_vec())];
        let answer = door.reason(Forge::new(&header, files).sign(&door.manager.identity)).await;
        assert_eq!(answer, word::ATTACHMENT_NAME, "{name}");
    }
    // At the top, where standard files stand, an attachment can't be at all.
    let mut header = Forge::header(MANAGER, VISIT);
    header
        .files
        .push(FileEntry { kind: "ATTACHMENT".into(), ..FileEntry::standard(&slip, "DLTPLAN", "text/csv") });
    let forge = Forge::new(&header, vec![(slip, b"never checked".to_vec())]);
    assert_eq!(door.reason(forge.sign(&door.manager.identity)).await, word::HEADER_MALFORMED);
    door.still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_used_once() {
    let door = Door::open().await;
    let signer = &door.manager.identity;
    let forge = Forge::withdrawal(MANAGER, VISIT);
    let first = forge.sign(signer);
    assert_eq!(door.reason(first.clone()).await, "accepted");
    // The same bytes: the first result. Other bytes under the same id: refused.
    let repeated = submit(&door.channel, first).await.unwrap();
    assert!(matches!(repeated.outcome, Some(pb::submit_response::Outcome::Accepted(a)) if a.repeated));
    let mut other = forge;
    // A second user.
    other.files[0].1.extend_from_slice(b"202407,131128,1234567805,202602\r\n");
    other.cover();
    assert_eq!(door.reason(other.sign(signer)).await, word::PARCEL_ID_REUSED);
    door.still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_cut_anywhere_leave_nothing() {
    let door = Door::open().await;
    let container = Bytes::from(Forge::withdrawal(MANAGER, VISIT).sign(&door.manager.identity));
    let size = container.len() as u64;
    for cut in (0..container.len()).step_by(container.len() / 40) {
        let message = pb::SubmitRequest { ticket: 1, size, chunk: container.slice(..cut) };
        let results = submit_messages(&door.channel, vec![message]).await.unwrap();
        assert_eq!(results.len(), 1);
        assert_eq!(reason(&results[0]), word::STREAM_CUT, "cut at {cut}");
    }
    // In pieces, interleaved with another, it arrives.
    let other = Bytes::from(Forge::withdrawal(MANAGER, VISIT).sign(&door.manager.identity));
    let mut messages = Vec::new();
    for (a, b) in container.chunks(1000).zip(other.chunks(1000)) {
        let piece = |ticket, size, chunk: &[u8]| pb::SubmitRequest {
            ticket,
            size,
            chunk: Bytes::copy_from_slice(chunk),
        };
        messages.push(piece(1, size, a));
        messages.push(piece(2, other.len() as u64, b));
    }
    let (a, b) = (container.chunks(1000).count(), other.chunks(1000).count());
    for rest in container.chunks(1000).skip(b) {
        messages.push(pb::SubmitRequest { ticket: 1, size, chunk: Bytes::copy_from_slice(rest) });
    }
    for rest in other.chunks(1000).skip(a) {
        messages.push(pb::SubmitRequest {
            ticket: 2,
            size: other.len() as u64,
            chunk: Bytes::copy_from_slice(rest),
        });
    }
    let results = submit_messages(&door.channel, messages).await.unwrap();
    assert_eq!(results.iter().map(reason).collect::<Vec<_>>(), ["accepted", "accepted"]);
    door.still_works().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_bounded() {
    let door = Door::open().await;
    let too_large = limits::MAX_CONTAINER_BYTES as u64 + 1;
    let announce = pb::SubmitRequest { ticket: 1, size: too_large, chunk: Bytes::from_static(b"PK") };
    let results = submit_messages(&door.channel, vec![announce]).await.unwrap();
    assert_eq!(reason(&results[0]), word::PARCEL_TOO_LARGE);
    // More than announced.
    let more = pb::SubmitRequest { ticket: 1, size: 10, chunk: Bytes::from_static(&[0; 100]) };
    let results = submit_messages(&door.channel, vec![more]).await.unwrap();
    assert_eq!(reason(&results[0]), word::PARCEL_TOO_LARGE);
    // A message larger than any may be ends the call, not the relay.
    let huge = pb::SubmitRequest { ticket: 1, size: 8 << 20, chunk: Bytes::from(vec![0; 8 << 20]) };
    assert!(submit_messages(&door.channel, vec![huge]).await.is_err());
    door.still_works().await;
}
