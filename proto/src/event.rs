//! Events: what happened to a parcel, an office, a key or the log itself, as canonical text.
//!
//! ```text
//! tasuki-event/v1
//! digest: sha256:5d2c…
//! epoch: 1
//! feed: 0a41…
//! feed: c09d…
//! file: UPPLAN 202602 20260125103000 2444
//! kind: parcel.delivered
//! parcel: 0193a3f0-8a1b-7c2d-8e3f-000000000000
//! recipient: 9971100012
//! salt: 3f0e…
//! sealed: sha256:77aa…
//! sender: 1371215102
//! signer: sha256:91ee…
//! time: 2026-11-21T11:38:34.000123Z
//! transmitter: office:1371215102
//! ```
//!
//! The text's bytes are the leaf: SHA-256(0x00 ‖ text), RFC 6962 section 2.1. `salt` is 16 random bytes, so
//! that a leaf hash tells nothing to who can guess the rest. One `feed` line per party, see [`crate::feed`].
//! Keys that a reader does not know are kept and ignored.

use ring::digest;
use tasuki_careplan::office::OfficeNumber;

use crate::canonical::{Lines, TextError, digest_text, hex, parse_digest, parse_hex, print_lines};
use crate::ids::{ParcelId, ParcelKey};
use crate::time;

const FORM: &str = "tasuki-event/v1";
const REPEATING: [&str; 3] = ["crl", "feed", "file"];

/// Kinds of events. Words are added, never renamed.
pub mod kind {
    /// A parcel is in its receiver's mailbox. The relay's word.
    pub const PARCEL_DELIVERED: &str = "parcel.delivered";
    /// A parcel was accepted and waits for its release; in its sender's feed only. The relay's word.
    pub const PARCEL_HELD: &str = "parcel.held";
    /// A parcel was released to its receiver. The relay's word.
    pub const PARCEL_FETCHED: &str = "parcel.fetched";
    /// The receiver signed that it verified and stored the parcel.
    pub const PARCEL_ACKNOWLEDGED: &str = "parcel.acknowledged";
    /// The receiver signed that its care software took the parcel in.
    pub const PARCEL_IMPORTED: &str = "parcel.imported";
    /// The receiver's proxy signed that it has handed the parcel to the office.
    pub const PARCEL_HANDED_OVER: &str = "parcel.handed-over";
    /// The receiver signed that it does not take the parcel.
    pub const PARCEL_REFUSED: &str = "parcel.refused";
    /// The sender signed that it takes the parcel back, before it was fetched.
    pub const PARCEL_RECALLED: &str = "parcel.recalled";
    /// A held parcel was thrown away, by its sender's signed word or because it was held for too long.
    pub const PARCEL_DISCARDED: &str = "parcel.discarded";
    /// Nobody fetched the parcel within its time. The relay's word.
    pub const PARCEL_EXPIRED: &str = "parcel.expired";
    /// Nobody fetched the parcel within the time in which receivers should; told once. The relay's word.
    pub const PARCEL_OVERDUE: &str = "parcel.overdue";
    /// A signed remark of one party to the other; its text is sealed.
    pub const PARCEL_REMARKED: &str = "parcel.remarked";
    /// The sender signed that the receiver should not use the parcel: it was too late to recall it.
    pub const PARCEL_WITHDRAWAL_ASKED: &str = "parcel.withdrawal-asked";
    /// One office asked another for a document, signed; its text is sealed.
    pub const REQUEST_MADE: &str = "request.made";
    /// An office entered the directory, or its entry changed.
    pub const OFFICE_CHANGED: &str = "office.changed";
    /// An office was suspended.
    pub const OFFICE_SUSPENDED: &str = "office.suspended";
    /// A suspended office was let in again.
    pub const OFFICE_RESUMED: &str = "office.resumed";
    /// An office applied to join (利用申請), signed.
    pub const OFFICE_APPLIED: &str = "office.applied";
    /// The operator made a code for an applicant, which goes there by post or is told by telephone.
    pub const OFFICE_CODE_MADE: &str = "office.code-made";
    /// An applicant tried a code that is none.
    pub const OFFICE_CODE_WRONG: &str = "office.code-wrong";
    /// An applicant tried so many codes that are none that its code is void.
    pub const OFFICE_CODE_LOCKED: &str = "office.code-locked";
    /// An applicant confirmed its application with the code.
    pub const OFFICE_CONFIRMED: &str = "office.confirmed";
    /// An office takes part: by the operator's list, or by his word.
    pub const OFFICE_JOINED: &str = "office.joined";
    /// The operator rejected an application.
    pub const OFFICE_REJECTED: &str = "office.rejected";
    /// An office takes part no more, by its own signed word or the operator's.
    pub const OFFICE_LEFT: &str = "office.left";
    /// What the relay kept of an office that left was erased on its request, and what stays; the relay's word.
    pub const OFFICE_ERASED: &str = "office.erased";
    /// An office declared what it takes, signed; it may wait for the operator.
    pub const OFFICE_DECLARED: &str = "office.declared";
    /// The operator agreed to what an office declared.
    pub const OFFICE_PROFILE_APPROVED: &str = "office.profile-approved";
    /// The operator did not agree to what an office declared.
    pub const OFFICE_PROFILE_REJECTED: &str = "office.profile-rejected";
    /// An office invited another to be partners, signed; in both feeds.
    pub const PARTNER_INVITED: &str = "partner.invited";
    /// Two offices are partners, by the signed word of both; in both feeds.
    pub const PARTNER_LINKED: &str = "partner.linked";
    /// A partnership or an invitation ended; in both feeds.
    pub const PARTNER_ENDED: &str = "partner.ended";
    /// A key that parcels for this office are sealed to, or that it signs with, was registered.
    pub const KEY_REGISTERED: &str = "key.registered";
    /// A certificate of this office, of a terminal of it or of a proxy was renewed: the key before signed the new one.
    pub const KEY_RENEWED: &str = "key.renewed";
    /// A certificate of this office, of a terminal of it or of its proxy ends in some days, or (0 days) has ended.
    pub const CERTIFICATE_ENDING: &str = "certificate.ending";
    /// The relay noticed that a certificate is revoked; also in the feeds of those whose parcels wait for an office that has no other.
    pub const KEY_REVOKED: &str = "key.revoked";
    /// The trial CA issued a certificate.
    pub const CERTIFICATE_ISSUED: &str = "certificate.issued";
    /// The trial CA revoked a certificate.
    pub const CERTIFICATE_REVOKED: &str = "certificate.revoked";
    /// A proxy may act for this office, by the office's signed word or the operator's registration.
    pub const MANDATE_DELEGATED: &str = "mandate.delegated";
    /// The office signed an invitation of a terminal.
    pub const MANDATE_INVITED: &str = "mandate.invited";
    /// A terminal took its invitation up and has a certificate.
    pub const MANDATE_ENROLLED: &str = "mandate.enrolled";
    /// A terminal goes on under a later certificate of its office.
    pub const MANDATE_KEPT: &str = "mandate.kept";
    /// A mandate ended before its time.
    pub const MANDATE_ENDED: &str = "mandate.ended";
    /// An address tried too many invitation codes that were none, and is locked out for a while.
    pub const ENROLMENT_LOCKED: &str = "enrolment.locked";
    /// A proxy entered the directory, or its entry changed.
    pub const PROXY_CHANGED: &str = "proxy.changed";
    /// A key of a proxy was registered; parcels for offices that let it receive are sealed to it as well.
    pub const PROXY_KEY_REGISTERED: &str = "proxy.key-registered";
    /// The operator let stale revocation data pass for a limited time.
    pub const REVOCATION_OVERRIDE: &str = "revocation.override";
    /// The operator tells offices something (お知らせ).
    pub const RELAY_NOTICE: &str = "relay.notice";
    /// The operator planned a stop.
    pub const RELAY_STOP_PLANNED: &str = "relay.stop-planned";
    /// The operator called a planned stop off.
    pub const RELAY_STOP_CANCELLED: &str = "relay.stop-cancelled";
    /// The operator set how the relay works: receive-only or normal.
    pub const RELAY_MODE_CHANGED: &str = "relay.mode-changed";
    /// An operator was added, or has other roles or another certificate.
    pub const OPERATOR_CHANGED: &str = "operator.changed";
    /// An operator was removed.
    pub const OPERATOR_REMOVED: &str = "operator.removed";
    /// Somebody tried an administrative act without the right to it, and nothing was done.
    pub const OPERATOR_REFUSED: &str = "operator.refused";
    /// Somebody asked for what it may not, and nothing was done; once an hour for each reason, office and who it was; in nobody's feed.
    pub const ACT_REFUSED: &str = "act.refused";
    /// A revocation list or an OCSP answer that the relay asked for did not come or was not believed, and what was known before goes on; when
    /// it begins, once an hour for each reason and address; in nobody's feed.
    pub const REVOCATION_REFUSED: &str = "revocation.refused";
    /// An operator asked for an act that a second one must approve; nothing else was done yet.
    pub const APPROVAL_ASKED: &str = "approval.asked";
    /// An operator said no to an act that waited for approval.
    pub const APPROVAL_REJECTED: &str = "approval.rejected";
    /// The operator looked up everything about an office, a key, a terminal or a proxy; in nobody's feed.
    pub const AUDIT_MADE: &str = "audit.made";
    /// The log's key handed over to another; what both signed stands beside the relay's verifier key. Told to all offices.
    pub const LOG_KEY_ROLLED: &str = "log.key-rolled";
    /// The relay's issuing CA handed over to a new key; see [`crate::ca_roll`]. Told to all offices.
    pub const CA_ROLLED: &str = "ca.rolled";
    /// A log of this epoch began; if it is not the first, the event names the range that was lost.
    pub const LOG_STARTED: &str = "log.started";
}

/// One event. Construct with [`Event::new`], read with [`Event::parse`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// One of [`kind`], or a word of a later version.
    pub kind: String,
    /// Which log it stands in, from 1.
    pub epoch: u64,
    /// When, by the relay's clock, never before the event ahead of it. Unix microseconds.
    pub time_us: i64,
    /// Random bytes that make the leaf hash unguessable.
    pub salt: [u8; 16],
    /// Everything else, without `feed` lines.
    pub lines: Lines,
    /// Commitments to the feeds of the event's parties, ascending, so that their order tells nothing.
    pub feeds: Vec<[u8; 32]>,
}

impl Event {
    /// An event with only what every event has.
    pub fn new(kind: &str, epoch: u64, time_us: i64, salt: [u8; 16]) -> Self {
        Self { kind: kind.to_owned(), epoch, time_us, salt, lines: Lines::new(), feeds: Vec::new() }
    }

    /// Adds the lines that name a parcel.
    pub fn set_parcel(&mut self, key: &ParcelKey, recipient: OfficeNumber, digest: &[u8; 32]) {
        self.lines.add("parcel", &key.id.to_string());
        self.lines.add("sender", key.sender.as_str());
        self.lines.add("recipient", recipient.as_str());
        self.lines.add("digest", &digest_text(digest));
    }

    /// The parcel that the event is about, if it is about one.
    pub fn parcel(&self) -> Option<ParcelKey> {
        let id: ParcelId = self.lines.get("parcel")?.parse().ok()?;
        Some(ParcelKey { sender: self.office("sender")?, id })
    }

    /// An office number under this key.
    pub fn office(&self, key: &str) -> Option<OfficeNumber> {
        self.lines.get(key)?.parse().ok()
    }

    /// A digest under this key.
    pub fn digest(&self, key: &str) -> Option<[u8; 32]> {
        parse_digest(self.lines.get(key)?)
    }

    /// The canonical text: the leaf's bytes.
    pub fn print(&self) -> String {
        let (epoch, time, salt) = (self.epoch.to_string(), time::format_us(self.time_us), hex(&self.salt));
        let feeds: Vec<String> = self.feeds.iter().map(|feed| hex(feed)).collect();
        let own = [("epoch", epoch.as_str()), ("kind", &self.kind), ("salt", &salt), ("time", &time)];
        let mut lines: Vec<(&str, &str)> = self.lines.iter().collect();
        lines.extend(own);
        lines.extend(feeds.iter().map(|feed| ("feed", feed.as_str())));
        lines.sort_unstable();
        print_lines(FORM, lines.iter().copied())
    }

    /// Reads a canonical text.
    ///
    /// # Errors
    /// If it is not exactly what [`Event::print`] would print.
    pub fn parse(bytes: &[u8]) -> Result<Self, TextError> {
        let mut all = Lines::read(bytes, FORM, &REPEATING)?;
        let feeds = all.all("feed").map(|f| parse_hex(f).ok_or(TextError::Value("feed")));
        let feeds = feeds.collect::<Result<Vec<_>, _>>()?;
        let event = Self {
            kind: all.need("kind")?.to_owned(),
            epoch: all.parse("epoch")?,
            time_us: time::parse_us(all.need("time")?).ok_or(TextError::Value("time"))?,
            salt: parse_hex(all.need("salt")?).ok_or(TextError::Value("salt"))?,
            lines: {
                all.retain(|key| !matches!(key, "kind" | "epoch" | "time" | "salt" | "feed"));
                all
            },
            feeds,
        };
        // A leading zero or a plus sign in a number would be a second spelling of the same event.
        (event.print().as_bytes() == bytes).then_some(event).ok_or(TextError::Value("epoch"))
    }
}

/// Leaf hash of an event's canonical text (RFC 6962, section 2.1).
pub fn leaf_hash(text: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(&[0]);
    context.update(text);
    sha256_array(context.finish().as_ref())
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha256_array(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn sha256_array(digest: &[u8]) -> [u8; 32] {
    digest.try_into().expect("SHA-256 has 32 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Event {
        let key = ParcelKey {
            sender: "1371215102".parse().unwrap(),
            id: "0193a3f0-8a1b-7c2d-8e3f-000000000000".parse().unwrap(),
        };
        let mut event = Event::new(kind::PARCEL_DELIVERED, 1, 1_795_261_114_000_123, [0x3f; 16]);
        event.set_parcel(&key, "9971100012".parse().unwrap(), &[0x5d; 32]);
        event.lines.add("file", "UPPLAN 202602 20260125103000 2444");
        event.lines.add("file", "ATTACHMENT - - 512");
        event.feeds = vec![[0x0a; 32], [0xc0; 32]];
        event
    }

    #[test]
    fn the_golden_text_reads_and_prints() {
        let golden = include_str!("../tests/golden/event.txt");
        assert_eq!(sample().print(), golden);
        assert_eq!(Event::parse(golden.as_bytes()), Ok(sample()));
        assert_eq!(
            hex(&leaf_hash(golden.as_bytes())),
            include_str!("../tests/golden/event.leaf-hash.txt").trim_end()
        );
    }

    #[test]
    fn numbers_have_one_spelling() {
        let text = sample().print().replace("epoch: 1\n", "epoch: 01\n");
        assert_eq!(Event::parse(text.as_bytes()), Err(TextError::Value("epoch")));
        let text =
            sample().print().replace("time: 2026-11-21T11:38:34.000123Z", "time: 2026-11-21T11:38:34Z");
        assert_eq!(Event::parse(text.as_bytes()), Err(TextError::Value("time")));
    }

    #[test]
    fn what_every_event_has_can_not_be_missing() {
        for key in ["epoch", "kind", "salt", "time"] {
            let text: String = sample()
                .print()
                .split_inclusive('\n')
                .filter(|l| !l.starts_with(&format!("{key}: ")))
                .collect();
            assert!(matches!(Event::parse(text.as_bytes()), Err(TextError::Missing(k)) if k == key), "{key}");
        }
    }
}
