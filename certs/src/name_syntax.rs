//! Names in certificates: whether they are written as RFC 5280 section 4.2.1.6 requires, and where a wildcard reaches.

use x509_parser::extensions::GeneralName;

/// Whether a subject alternative name is well-formed.
pub(crate) fn is_valid(name: &GeneralName<'_>) -> bool {
    match name {
        GeneralName::Invalid(..) => false,
        GeneralName::DNSName(text) => is_host_name(text.strip_prefix("*.").unwrap_or(text)) && *text != "*",
        GeneralName::RFC822Name(text) => is_mailbox(text),
        GeneralName::URI(text) => text.contains(':') && text.bytes().all(|byte| byte.is_ascii_graphic()),
        GeneralName::IPAddress(address) => address.len() == 4 || address.len() == 16,
        _ => true,
    }
}

/// Whether a name constraint's base is well-formed; OpenSSL compares it, but accepts more than RFC 5280 does.
pub(crate) fn is_valid_constraint(base: &GeneralName<'_>) -> bool {
    match base {
        // Section 4.2.1.10: the leading period is for URIs; a DNS constraint covers subdomains without it.
        GeneralName::DNSName(text) => text.is_empty() || is_host_name(text),
        GeneralName::Invalid(..) => false,
        _ => true,
    }
}

/// Whether the wildcard name `name` also stands for a name at or below `excluded`: then a server could pass for a name
/// that a CA above may not vouch for, although the two texts do not match.
pub(crate) fn wildcard_reaches(name: &str, excluded: &str) -> bool {
    let Some(parent) = name.strip_prefix("*.") else {
        return false;
    };
    let (parent, excluded) = (parent.to_ascii_lowercase(), excluded.to_ascii_lowercase());
    // `*.example.com` stands for names one label longer than `example.com`.
    excluded
        .strip_suffix(&parent)
        .and_then(|rest| rest.strip_suffix('.'))
        .is_some_and(|label| !label.contains('.'))
}

/// The "preferred name syntax" of RFC 1034 section 3.5 as modified by RFC 1123 section 2.1: letters, digits and hyphens.
/// A last label of digits only makes an IPv4 address, which is no host name.
fn is_host_name(text: &str) -> bool {
    let label_is_valid = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last_is_numeric =
        text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    text.len() <= 253 && text.split('.').all(label_is_valid) && !last_is_numeric
}

/// A `Mailbox` of RFC 2821 section 4.1.2 without quoting: no certificate that we know quotes.
fn is_mailbox(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let is_local = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    (1..=64).contains(&local.len()) && local.bytes().all(is_local) && is_host_name(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for good in ["example.com", "localhost", "xn--bcher-kva.example", "*.example.com", "8.8.8.8.example"]
        {
            assert!(is_valid(&GeneralName::DNSName(good)), "{good}");
        }
        for bad in [
            "",
            "*",
            "*.",
            "a..b",
            ".example.com",
            "foo_bar.example.com",
            "-a.b",
            "8.8.8.8",
            "b*z.example.com",
            "例.jp",
        ] {
            assert!(!is_valid(&GeneralName::DNSName(bad)), "{bad}");
        }
    }

    #[test]
    fn mailboxes() {
        assert!(is_valid(&GeneralName::RFC822Name("user*@example.com")));
        for bad in ["user", "@example.com", "a@b@example.com", "a b@example.com", "a@.example.com"] {
            assert!(!is_valid(&GeneralName::RFC822Name(bad)), "{bad}");
        }
    }

    #[test]
    fn a_wildcard_reaches_one_label_down() {
        assert!(wildcard_reaches("*.example.com", "bar.Example.com"));
        assert!(!wildcard_reaches("*.example.com", "a.bar.example.com"));
        assert!(!wildcard_reaches("*.example.com", "example.com"));
        assert!(!wildcard_reaches("foo.example.com", "bar.example.com"));
    }
}
