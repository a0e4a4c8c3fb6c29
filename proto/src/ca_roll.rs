//! The relay's issuing CA hands over to a new key: the event `ca.rolled`, which everybody can check in the log.
//!
//! | line | |
//! |---|---|
//! | `previous`, `next` | SHA-256 of the certificates of the CA before and the CA from then on |
//! | `previous-der`, `next-der` | these certificates, base64 of DER |
//! | `cross-der` | the new CA's key as the CA before certified it; not in an emergency |
//! | `emergency` | `yes` or `no` |
//! | `withdrawn-from` | in an emergency: from when on what the CA before issued counts no more, RFC 3339 |
//!
//! The log's key vouches for the event; on schedule the cross certificate adds the old CA's own word. What follows for whoever
//! trusts one of the two is `tasuki_certs::handover`: nothing, unless both CAs leave that to a log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tasuki_certs::handover::{self, Handover};

use crate::canonical::{Lines, digest_text};
use crate::event::{Event, kind, sha256};
use crate::time;

const FORM: &str = "tasuki-ca-roll/v1";

/// Bytes of a certificate in a roll; a CA's with RSA-4096 has about 1,500.
const MAX_CERTIFICATE_BYTES: usize = 16 * 1024;

/// What a handover adds to an event or to a text of its own.
fn lines(handover: &Handover) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("emergency", if handover.withdrawn_us.is_some() { "yes" } else { "no" }.to_owned()),
        ("next", digest_text(&sha256(&handover.next))),
        ("next-der", STANDARD.encode(&handover.next)),
        ("previous", digest_text(&sha256(&handover.previous))),
        ("previous-der", STANDARD.encode(&handover.previous)),
    ];
    lines.extend(handover.cross.as_ref().map(|der| ("cross-der", STANDARD.encode(der))));
    lines.extend(handover.withdrawn_us.map(|us| ("withdrawn-from", time::format_us(us))));
    lines
}

fn read(lines: &Lines) -> Option<Handover> {
    let der = |key: &str| {
        let text = lines.get(key).filter(|text| text.len() <= MAX_CERTIFICATE_BYTES * 4 / 3 + 4)?;
        STANDARD.decode(text).ok()
    };
    let emergency = lines.get("emergency")? == "yes";
    let withdrawn_us = match lines.get("withdrawn-from") {
        Some(text) => Some(time::parse_us(text)?),
        None => None,
    };
    let handover = Handover {
        previous: der("previous-der")?,
        next: der("next-der")?,
        cross: der("cross-der"),
        withdrawn_us,
    };
    (emergency == handover.withdrawn_us.is_some() && handover::check(&handover).is_ok()).then_some(handover)
}

/// Writes a handover into its event.
pub fn write(handover: &Handover, event: &mut Event) {
    for (key, value) in lines(handover) {
        event.lines.add(key, &value);
    }
}

/// The handover that an event tells of; `None`: it tells of none that can be followed.
pub fn of_event(event: &Event) -> Option<Handover> {
    (event.kind == kind::CA_ROLLED).then(|| read(&event.lines)).flatten()
}

/// A handover as one line of a file of a relay's or a client's own.
pub fn line(handover: &Handover) -> String {
    let mut text = Lines::new();
    for (key, value) in lines(handover) {
        text.add(key, &value);
    }
    STANDARD.encode(text.print(FORM))
}

/// Reads [`line`]. `None`: it is none.
pub fn from_line(line: &str) -> Option<Handover> {
    let text = STANDARD.decode(line.trim()).ok()?;
    read(&Lines::read(&text, FORM, &[]).ok()?)
}

#[cfg(test)]
mod tests {
    use tasuki_certs::handover::ROLLED_BY_LOG;
    use tasuki_certs::trial_ca::{IssueOptions, TrialCa};

    use super::*;

    const NOW_US: i64 = 1_795_261_114_000_000;

    fn handover(emergency: bool) -> Handover {
        let old = TrialCa::create("old", NOW_US).unwrap();
        let new = TrialCa::create("new", NOW_US).unwrap();
        Handover {
            previous: old.cert_der().unwrap(),
            next: new.cert_der().unwrap(),
            cross: (!emergency).then(|| old.cross_sign(&new, NOW_US).unwrap()),
            withdrawn_us: emergency.then_some(NOW_US),
        }
    }

    #[test]
    fn a_roll_reads_as_it_was_written() {
        for emergency in [false, true] {
            let handover = handover(emergency);
            let mut event = Event::new(kind::CA_ROLLED, 1, NOW_US, [7; 16]);
            write(&handover, &mut event);
            let event = Event::parse(event.print().as_bytes()).unwrap();
            assert_eq!(of_event(&event), Some(handover.clone()));
            assert_eq!(from_line(&line(&handover)), Some(handover));
            let other = Event { kind: kind::LOG_KEY_ROLLED.to_owned(), ..event };
            assert_eq!(of_event(&other), None);
        }
    }

    #[test]
    fn on_schedule_the_ca_before_must_vouch() {
        let good = handover(false);
        let stranger = TrialCa::create("old", NOW_US).unwrap();
        let next = TrialCa::create("thief", NOW_US).unwrap();
        let forged = [
            Handover { cross: None, ..good.clone() },
            Handover { next: next.cert_der().unwrap(), ..good.clone() },
            Handover { cross: Some(stranger.cross_sign(&next, NOW_US).unwrap()), ..good.clone() },
            Handover { next: good.previous.clone(), ..good.clone() },
            Handover { previous: Vec::new(), ..good },
        ];
        for forged in forged {
            assert_eq!(from_line(&line(&forged)), None, "{forged:?}");
        }
    }

    #[test]
    fn no_log_replaces_or_joins_a_ca_that_does_not_leave_that_to_it() {
        let own = TrialCa::create("own", NOW_US).unwrap();
        let other = TrialCa::create("thief", NOW_US).unwrap();
        let billing = TrialCa::create_with("billing", &IssueOptions::for_ca(NOW_US)).unwrap();
        let (own_der, other_der, billing_der) =
            (own.cert_der().unwrap(), other.cert_der().unwrap(), billing.cert_der().unwrap());
        let both = |previous: &[u8], next: &[u8], cross: Vec<u8>| {
            let scheduled = Handover {
                previous: previous.to_vec(),
                next: next.to_vec(),
                cross: Some(cross),
                withdrawn_us: None,
            };
            let emergency = Handover { cross: None, withdrawn_us: Some(NOW_US), ..scheduled.clone() };
            [scheduled, emergency].map(|handover| from_line(&line(&handover)).is_some())
        };
        // Any CA can certify the key of one that others trust, to be believed beside it.
        assert_eq!(both(&other_der, &billing_der, other.cross_sign(&billing, NOW_US).unwrap()), [false; 2]);
        assert_eq!(both(&billing_der, &other_der, billing.cross_sign(&other, NOW_US).unwrap()), [false; 2]);
        assert_eq!(both(&own_der, &other_der, own.cross_sign(&other, NOW_US).unwrap()), [true; 2]);
        // The name on a certificate that another key signed says nothing of the CA whose key it holds.
        let named = IssueOptions { uris: vec![ROLLED_BY_LOG.to_owned()], ..IssueOptions::for_ca(NOW_US) };
        let below = own.issue_intermediate("below", &named).unwrap();
        let cross = below.cross_sign(&other, NOW_US).unwrap();
        assert_eq!(both(&below.cert_der().unwrap(), &other_der, cross), [false; 2]);
    }
}
