//! The floor: what the same parcels cost in bare primitives, with the fastest library in the tree.
//!
//! No XML, gRPC, TLS or log in it. Each line is CPU time per parcel, measured in the same run as the relay, on
//! the same bytes. What the relay needs above the sum is its own.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use ring::{digest, signature};
use sqlx::Executor as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::recipient::Recipient;
use tasuki_proto::container::{self, ContainerLimits};

use super::cpu;
use super::fixture::{Party, Signed};

/// Parcels that each line is measured over.
const SAMPLE: usize = 1_000;
/// Rows in one commit, as in the relay at saturation.
const BATCH: usize = 64;

/// One line of the floor.
#[derive(Clone, Debug)]
pub struct Line {
    /// What was measured.
    pub name: &'static str,
    /// CPU time per parcel.
    pub per_parcel: Duration,
}

/// Measures every line.
///
/// # Panics
/// If a primitive fails on what the fixture made.
pub async fn measure(parcels: &[Signed], recipients: &[Party]) -> Vec<Line> {
    let sample: Vec<Bytes> = parcels.iter().take(SAMPLE).map(|p| p.container.clone()).collect();
    let opened: Vec<Vec<u8>> = sample.iter().map(|c| csv_of(c)).collect();
    let row = recipients.first().expect("there are recipients");
    let mut lines = vec![inflate(&sample)];
    lines.push(each("SHA-256 of content", &opened, |csv| {
        black_box(digest::digest(&digest::SHA256, csv));
    }));
    lines.push(each("SHA-256 of container", &sample, |container| {
        black_box(digest::digest(&digest::SHA256, container));
    }));
    lines.push(each("MS932 decode", &opened, |csv| {
        let (text, broken) = encoding_rs::SHIFT_JIS.decode_without_bom_handling(csv);
        assert!(!broken);
        black_box(text);
    }));
    lines.push(each("CSV walk", &opened, |csv| {
        let mut reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(csv.as_slice());
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).expect("the fixture's CSV is CSV") {
            black_box(record.len());
        }
    }));
    lines.push(rsa_verify(&row.identity));
    lines.push(oaep_wrap(row));
    lines.push(aes_gcm(&sample));
    lines.push(row_in_a_batch(&sample).await);
    lines
}

fn each<T>(name: &'static str, over: &[T], mut work: impl FnMut(&T)) -> Line {
    // Once over a part of it first, so that caches and tables are warm.
    over.iter().take(50).for_each(&mut work);
    let began = cpu::of_thread();
    over.iter().for_each(&mut work);
    let count = u32::try_from(over.len()).unwrap_or(u32::MAX).max(1);
    Line { name, per_parcel: cpu::of_thread().saturating_sub(began) / count }
}

fn csv_of(container: &[u8]) -> Vec<u8> {
    let read = container::read(container, &ContainerLimits::default()).expect("the fixture's container");
    let csv = read.entries().iter().find(|e| e.name.starts_with("UPJSK"));
    csv.map(|e| e.content.to_vec()).expect("the fixture's parcel holds results")
}

/// Inflates every deflated entry, found beforehand.
fn inflate(sample: &[Bytes]) -> Line {
    let mut archives: Vec<Vec<(Vec<u8>, usize)>> = Vec::with_capacity(sample.len());
    for container in sample {
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(container.as_ref())).expect("a ZIP");
        let mut entries = Vec::new();
        for i in 0..zip.len() {
            let file = zip.by_index_raw(i).expect("an entry");
            if file.compression() == zip::CompressionMethod::Deflated {
                let start = usize::try_from(file.data_start().expect("the entry has data")).unwrap_or(0);
                let length = usize::try_from(file.compressed_size()).unwrap_or(0);
                let size = usize::try_from(file.size()).unwrap_or(0);
                entries.push((container[start..start + length].to_vec(), size));
            }
        }
        archives.push(entries);
    }
    let mut inflater = flate2::Decompress::new(false);
    each("inflate", &archives, |entries| {
        for (deflated, size) in entries {
            inflater.reset(false);
            let mut out = Vec::with_capacity(*size);
            inflater
                .decompress_vec(deflated, &mut out, flate2::FlushDecompress::Finish)
                .expect("it inflates");
            assert_eq!(out.len(), *size);
            black_box(out);
        }
    })
}

fn rsa_verify(identity: &KeyIdentity) -> Line {
    let key = signature::RsaKeyPair::from_pkcs8(&identity.private_key_pkcs8_der().expect("a key"))
        .expect("an RSA key");
    let message = [7u8; 300];
    let mut signed = vec![0; key.public().modulus_len()];
    let rng = ring::rand::SystemRandom::new();
    key.sign(&signature::RSA_PKCS1_SHA256, &rng, &message, &mut signed).expect("it signs");
    let public = signature::UnparsedPublicKey::new(
        &signature::RSA_PKCS1_2048_8192_SHA256,
        key.public().as_ref().to_vec(),
    );
    each("RSA-2048 verify", &[(); 2_000], |()| public.verify(&message, &signed).expect("it verifies"))
}

fn oaep_wrap(party: &Party) -> Line {
    let recipient = Recipient::from_certificate(party.identity.certificate_der()).expect("it may encrypt");
    // The smallest sealed parcel: one RSA-OAEP wrap and some bytes of DER.
    let rng = ring::rand::SystemRandom::new();
    each("RSA-OAEP wrap", &[(); 1_000], |()| {
        black_box(tasuki_certs::seal::seal(b"", [&recipient], &rng).expect("it seals"));
    })
}

fn aes_gcm(sample: &[Bytes]) -> Line {
    let key = ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &[9; 32]).expect("a key");
    let key = ring::aead::LessSafeKey::new(key);
    let mut copies: Vec<Vec<u8>> = sample.iter().map(|c| c.to_vec()).collect();
    let mut line = each("AES-256-GCM", &[(); 50], |()| {
        let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), &mut copies[0]);
        let _tag = black_box(tag.expect("it encrypts"));
    });
    let began = cpu::of_thread();
    for copy in &mut copies {
        let nonce = ring::aead::Nonce::assume_unique_for_key([0; 12]);
        let tag = key.seal_in_place_separate_tag(nonce, ring::aead::Aad::empty(), copy);
        let _tag = black_box(tag.expect("it encrypts"));
    }
    line.per_parcel =
        cpu::of_thread().saturating_sub(began) / u32::try_from(sample.len()).unwrap_or(1).max(1);
    line
}

/// One row with the sealed parcel in a batched, durable commit of SQLite.
async fn row_in_a_batch(sample: &[Bytes]) -> Line {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("floor.db"))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.expect("SQLite opens");
    pool.execute("CREATE TABLE parcels (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL)")
        .await
        .expect("a table");
    let values = vec!["(?)"; BATCH].join(",");
    let sql = format!("INSERT INTO parcels (sealed) VALUES {values}");
    let mut began = cpu::of_this_process();
    let mut rows = 0u32;
    for (n, batch) in sample.chunks_exact(BATCH).enumerate() {
        if n == 1 {
            // The first batch made the file and the statement.
            began = cpu::of_this_process();
            rows = 0;
        }
        let mut tx = pool.begin().await.expect("a transaction");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql.clone()));
        for container in batch {
            query = query.bind(container.to_vec());
        }
        query.execute(&mut *tx).await.expect("rows");
        tx.commit().await.expect("a commit");
        rows += u32::try_from(BATCH).unwrap_or(0);
    }
    Line {
        name: "row in a batched commit",
        per_parcel: cpu::of_this_process().saturating_sub(began) / rows.max(1),
    }
}
