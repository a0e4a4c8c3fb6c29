//! Whom or what an audit is about, and which events name it.

use std::str::FromStr;

use tasuki_careplan::office::OfficeNumber;
use tasuki_proto::canonical::{digest_text, parse_digest, parse_hex};
use tasuki_proto::event::Event;
use tasuki_proto::ids::ProxyNumber;
use tasuki_proto::mandate::is_terminal_name;

/// Lines that hold words of people, or numbers of something else: whatever stands in them, they name nobody.
const NO_NAMES: [&str; 8] = ["document", "en", "ja", "kana", "name", "reason", "serial", "size"];

/// One party, or one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// An office, with its terminals.
    Office(OfficeNumber),
    /// A certificate or a key, by its SHA-256.
    Key([u8; 32]),
    /// One terminal of an office.
    Terminal(TerminalName),
    /// A transmission proxy.
    Proxy(ProxyNumber),
    /// An operator, by name.
    Operator(String),
    /// One kind of event, whoever it is about.
    Kind(String),
}

/// `OFFICE:NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TerminalName {
    pub(crate) office: OfficeNumber,
    pub(crate) name: String,
}

impl FromStr for TerminalName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected an office's 10 digits, a colon, and the terminal's name";
        let (office, name) = text.split_once(':').ok_or(EXPECTED)?;
        let office = office.parse().map_err(|_| EXPECTED)?;
        if is_terminal_name(name) { Ok(Self { office, name: name.to_owned() }) } else { Err(EXPECTED) }
    }
}

/// Reads a fingerprint as events, `openssl` or `cert revoke` spell it.
pub(super) fn fingerprint(text: &str) -> Result<[u8; 32], &'static str> {
    let digits = text.replace(':', "").to_ascii_lowercase();
    let digits = digits.strip_prefix("sha256").unwrap_or(&digits);
    parse_hex(digits).ok_or("expected a SHA-256 fingerprint: 64 hexadecimal digits")
}

/// A kind of event: two words of `a-z` and `-`, with a point between them.
pub(super) fn kind(text: &str) -> Result<String, &'static str> {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let fits = text.split_once('.').is_some_and(|(about, what)| word(about) && word(what));
    if fits { Ok(text.to_owned()) } else { Err("expected a kind of event, such as act.refused") }
}

impl Subject {
    /// As events spell it: `office:1371215102`, `terminal:1371215102:reception`, `proxy:P00004`, `sha256:…`, `kind:act.refused`.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Office(office) => format!("office:{office}"),
            Self::Key(digest) => digest_text(digest),
            Self::Terminal(TerminalName { office, name }) => format!("terminal:{office}:{name}"),
            Self::Proxy(proxy) => format!("proxy:{proxy}"),
            Self::Operator(name) => format!("operator:{name}"),
            Self::Kind(kind) => format!("kind:{kind}"),
        }
    }

    /// What stands in every text of an event that names it.
    pub(super) fn trace(&self) -> String {
        match self {
            Self::Office(office) => office.to_string(),
            Self::Proxy(proxy) => proxy.to_string(),
            Self::Key(_) | Self::Terminal(_) | Self::Operator(_) => self.text(),
            Self::Kind(kind) => format!("kind: {kind}"),
        }
    }

    /// The office that must be in the directory.
    pub(super) fn office(&self) -> Option<OfficeNumber> {
        match self {
            Self::Office(office) | Self::Terminal(TerminalName { office, .. }) => Some(*office),
            Self::Key(_) | Self::Proxy(_) | Self::Operator(_) | Self::Kind(_) => None,
        }
    }

    /// The office whose feed belongs to it as a whole.
    pub(super) fn feed(&self) -> Option<OfficeNumber> {
        if let Self::Office(office) = self { Some(*office) } else { None }
    }

    /// Whether one of an event's lines names it.
    pub(super) fn is_named_by(&self, event: &Event) -> bool {
        if let Self::Kind(kind) = self {
            return event.kind == *kind;
        }
        let text = self.text();
        if let Self::Key(_) = self {
            return event.lines.iter().any(|(_, value)| value == text);
        }
        let terminals = self.feed().map(|office| format!("terminal:{office}:"));
        event.lines.iter().filter_map(|(key, value)| party(key, value)).any(|party| {
            party == text || terminals.as_deref().is_some_and(|terminals| party.starts_with(terminals))
        })
    }
}

/// Everybody and every key that an event names, each in one spelling, each once.
pub(super) fn named_in(event: &Event) -> Vec<String> {
    let lines = event.lines.iter();
    let mut named: Vec<String> =
        lines.filter_map(|(name, value)| key(name, value).or_else(|| party(name, value))).collect();
    named.sort_unstable();
    named.dedup();
    named
}

/// Lines that name a certificate or a key, not what was signed or sealed.
const KEYS: [&str; 5] = ["certificate", "key", "operator-key", "signer", "statement-signer"];

fn key(key: &str, value: &str) -> Option<String> {
    KEYS.contains(&key).then(|| parse_digest(value)).flatten().map(|digest| digest_text(&digest))
}

/// Whom a line names, spelt as `by` lines do; `office` and `holder` lines have the bare number.
fn party(key: &str, value: &str) -> Option<String> {
    if NO_NAMES.contains(&key) {
        return None;
    }
    if ["office:", "terminal:", "proxy:", "operator:"].iter().any(|head| value.starts_with(head)) {
        return Some(value.to_owned());
    }
    if value.parse::<OfficeNumber>().is_ok() {
        return Some(format!("office:{value}"));
    }
    value.parse::<ProxyNumber>().is_ok().then(|| format!("proxy:{value}"))
}

#[cfg(test)]
mod tests {
    use tasuki_proto::event::kind;

    use super::*;

    fn event(lines: &[(&'static str, &str)]) -> Event {
        let mut event = Event::new(kind::PARCEL_FETCHED, 1, 0, [0; 16]);
        for (key, value) in lines {
            event.lines.add(key, value);
        }
        event
    }

    fn office() -> Subject {
        Subject::Office("1371215102".parse().unwrap())
    }

    #[test]
    fn an_office_is_named_by_number_by_what_it_is_and_by_its_terminals() {
        for line in [
            ("sender", "1371215102"),
            ("office", "1371215102"),
            ("holder", "1371215102"),
            ("by", "office:1371215102"),
            ("transmitter", "terminal:1371215102:受付"),
            ("subject", "office:1371215102"),
        ] {
            let event = event(&[line]);
            assert!(office().is_named_by(&event), "{line:?}");
            assert!(event.print().contains(&office().trace()));
        }
        for line in [
            ("sender", "9971100012"),
            ("by", "office:9971100012"),
            ("by", "terminal:9971100012:1371215102"),
            ("reason", "1371215102"),
            ("size", "13712151020"),
        ] {
            assert!(!office().is_named_by(&event(&[line])), "{line:?}");
        }
    }

    #[test]
    fn terminals_proxies_and_keys_are_named_exactly() {
        let terminal = Subject::Terminal("1371215102:受付".parse().unwrap());
        assert!(terminal.is_named_by(&event(&[("holder", "terminal:1371215102:受付")])));
        assert!(!terminal.is_named_by(&event(&[("holder", "terminal:1371215102:受付2")])));
        assert!(!terminal.is_named_by(&event(&[("sender", "1371215102")])));
        let proxy = Subject::Proxy("P00004".parse().unwrap());
        for line in [
            ("holder", "P00004"),
            ("proxy", "P00004"),
            ("holder", "proxy:P00004"),
            ("transmitter", "proxy:P00004"),
            ("by", "proxy:P00004"),
        ] {
            assert!(proxy.is_named_by(&event(&[line])), "{line:?}");
        }
        assert!(!proxy.is_named_by(&event(&[("by", "proxy:P00005")])));
        let fetched = Subject::Kind(super::kind(kind::PARCEL_FETCHED).unwrap());
        let some = event(&[("sender", "1371215102")]);
        assert!(fetched.is_named_by(&some) && some.print().contains(&fetched.trace()));
        assert!(!Subject::Kind("act.refused".to_owned()).is_named_by(&some));
        for wrong in ["", "act", "act.", "Act.refused", "act.refused\n", "a.b.c"] {
            assert!(super::kind(wrong).is_err(), "{wrong:?}");
        }
        let key = Subject::Key([7; 32]);
        let text = digest_text(&[7; 32]);
        for name in ["signer", "statement-signer", "key", "certificate"] {
            assert!(key.is_named_by(&event(&[(name, &text)])), "{name}");
        }
        assert!(!key.is_named_by(&event(&[("signer", &digest_text(&[8; 32]))])));
    }

    #[test]
    fn names_of_terminals_and_fingerprints_are_read_or_refused() {
        let name: TerminalName = "1371215102:2階 受付:左".parse().unwrap();
        assert_eq!(name.name, "2階 受付:左");
        for wrong in ["1371215102", "1371215102:", "137121510:a", ":a", "1371215102: a", "1371215102:a\nb"] {
            assert!(wrong.parse::<TerminalName>().is_err(), "{wrong:?}");
        }
        let digits = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        for good in [&digits, &colons, &format!("sha256:{digits}")] {
            assert_eq!(fingerprint(good), Ok([0xab; 32]), "{good}");
        }
        for wrong in ["", "ab", &digits[1..], &format!("{digits}ab"), &digits.replace('a', "g")] {
            assert!(fingerprint(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn everybody_that_an_event_names_is_told_once() {
        let signer = digest_text(&[9; 32]);
        let event = event(&[
            ("sender", "1371215102"),
            ("recipient", "9971100012"),
            ("by", "office:1371215102"),
            ("transmitter", "proxy:P00004"),
            ("holder", "P00004"),
            ("signer", &signer),
            ("digest", &digest_text(&[1; 32])),
            ("reason", "9971100020"),
            ("from", "2026-11-21T11:38:34.000123Z"),
        ]);
        assert_eq!(named_in(&event), ["office:1371215102", "office:9971100012", "proxy:P00004", &signer]);
    }
}
