//! One parcel's life in memory: signed, sealed, delivered, acknowledged, in a log of two leaves.

use ring::rand::SystemRandom;
use tasuki_certs::cms_sign::{self, Content};
use tasuki_certs::cms_verify::SignatureVerifier;
use tasuki_certs::identity::KeyIdentity;
use tasuki_certs::recipient::Recipient;
use tasuki_certs::seal::seal;
use tasuki_certs::sealing_key::SealingKey;
use tasuki_certs::trust::{TrustMaterial, TrustStore};
use tasuki_proto::canonical::digest_text;
use tasuki_proto::event::{Event, kind, leaf_hash, sha256};
use tasuki_proto::ids::{ParcelId, ParcelKey};
use tasuki_proto::log::{Hash, LogSigner};
use tasuki_proto::parcel::{self, FileEntry, Header, Software};
use tasuki_proto::statement::{AboutParcel, Statement};

use super::{NOW_US, RECIPIENT, SENDER, identity, office, world};
use crate::receive::unpack::Delivered;

/// What tests change before the case is made.
pub(crate) struct Plan {
    pub(crate) header_sender: &'static str,
    pub(crate) header_recipient: &'static str,
    pub(crate) attachment: &'static str,
    pub(crate) signed_by_sender: bool,
    pub(crate) acknowledged_by_recipient: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            header_sender: SENDER,
            header_recipient: RECIPIENT,
            attachment: "memo.pdf",
            signed_by_sender: true,
            acknowledged_by_recipient: true,
        }
    }
}

/// The parcel and everything around it.
pub(crate) struct Case {
    pub(crate) key: ParcelKey,
    pub(crate) container: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) delivered: Delivered,
    pub(crate) statement: Vec<u8>,
    /// Texts of the events, their audit paths, and the checkpoint over both.
    pub(crate) events: [(String, [u8; 32]); 2],
    pub(crate) checkpoint: Vec<u8>,
    pub(crate) log: LogSigner,
}

impl Case {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self::signed_with(plan, &identity(&world().sender))
    }

    /// With another key of the sender's.
    pub(crate) fn signed_with(plan: &Plan, a: &KeyIdentity) -> Self {
        let rng = SystemRandom::new();
        let b = &identity(&world().recipient);
        let key = ParcelKey { sender: office(SENDER), id: ParcelId::new(NOW_US, &rng).unwrap() };
        let software = Software { name: "test".to_owned(), version: "1".to_owned() };
        let mut header =
            Header::new(key.id, office(plan.header_sender), office(plan.header_recipient), NOW_US, software);
        header.note = Some("よろしく".to_owned());
        header.files = vec![FileEntry::attachment(plan.attachment, "application/pdf")];
        let signer = if plan.signed_by_sender { a } else { b };
        let container = parcel::build(&header, &[b"%PDF"[..].into()], signer, NOW_US).unwrap();
        let sealing_key = SealingKey::generate().unwrap();
        let recipient = Recipient::from_sealing_key(&sealing_key.spki_der()).unwrap();
        let sealed = seal(&container, &[recipient], &rng).unwrap();

        let event = Event::new(kind::PARCEL_DELIVERED, 1, NOW_US + 1, [1; 16]);
        let delivered = Delivered {
            key,
            recipient: office(RECIPIENT),
            digest: sha256(&container),
            sealed_digest: sha256(&sealed),
            signer: signer.fingerprint(),
            time_us: NOW_US + 1,
            event,
        };
        let mut first = delivered.event.clone();
        first.set_parcel(&key, delivered.recipient, &delivered.digest);
        first.lines.add("sealed", &digest_text(&delivered.sealed_digest));
        first.lines.add("signer", &digest_text(&delivered.signer));
        let about = Statement::acknowledge(AboutParcel {
            parcel: key,
            recipient: delivered.recipient,
            digest: delivered.digest,
            time_us: NOW_US + 2,
        });
        let receiver = if plan.acknowledged_by_recipient { b } else { a };
        let statement =
            cms_sign::sign(receiver, about.print().as_bytes(), Content::Attached, NOW_US + 2).unwrap();
        let mut second = Event::new(kind::PARCEL_ACKNOWLEDGED, 1, NOW_US + 3, [2; 16]);
        second.set_parcel(&key, delivered.recipient, &delivered.digest);
        second.lines.add("signer", &digest_text(&receiver.fingerprint()));
        second.lines.add("statement", &digest_text(&sha256(&statement)));

        let texts = [first.print(), second.print()];
        let leaves = [leaf_hash(texts[0].as_bytes()), leaf_hash(texts[1].as_bytes())];
        let log = LogSigner::generate("relay.example/log", &rng).unwrap();
        let root = tlog_tiles::node_hash(Hash(leaves[0]), Hash(leaves[1]));
        let checkpoint = log.sign(1, 2, root).unwrap();
        let [one, two] = texts;
        let events = [(one, leaves[1]), (two, leaves[0])];
        Self { key, container, sealed, sealing_key, delivered, statement, events, checkpoint, log }
    }
}

/// A verifier that trusts the tests' CA and knows its revocation list.
pub(crate) fn verifier(crl_at_us: i64) -> SignatureVerifier {
    let crl = world().ca.crl(&[], 1, crl_at_us, crl_at_us + 86_400_000_000).unwrap();
    let anchors = vec![world().ca.cert_der().unwrap()];
    let material = TrustMaterial { anchors, crls: vec![crl], ..TrustMaterial::default() };
    SignatureVerifier::new(std::sync::Arc::new(TrustStore::new(material).unwrap()))
}
