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
//! trusts one of the two is `tasuki_certs::handover`.

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
    use tasuki_certs::trial_ca::TrialCa;

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
}
