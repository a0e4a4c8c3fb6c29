//! Which of its issuer's certificates a CRL covers: `issuingDistributionPoint` (RFC 5280 section 5.2.5).

use der::{Decode, Header, Reader, SliceReader, Tag};
use x509_parser::extensions::IssuingDistributionPoint;

use crate::certificate::{Certificate, PointName, point_names};
use crate::error::CrlFault;

/// All certificates, those of users or of CAs only, or those that name a distribution point.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    users_only: bool,
    cas_only: bool,
    /// Where set, only certificates that name one of these as their distribution point.
    points: Option<Vec<PointName>>,
}

impl Scope {
    /// Reads the extension. A list that is indirect, or for some reasons or attribute certificates only, does not say
    /// whether a certificate is revoked.
    pub(crate) fn read(point: &IssuingDistributionPoint<'_>, der: &[u8]) -> Result<Self, CrlFault> {
        // The parser takes what it cannot read for absent: what is there and not read would widen the scope.
        if !is_strict(der).unwrap_or(false) {
            return Err(CrlFault::Malformed);
        }
        if point.indirect_crl || point.only_contains_attribute_certs || point.only_some_reasons.is_some() {
            return Err(CrlFault::Partial);
        }
        Ok(Self {
            users_only: point.only_contains_user_certs,
            cas_only: point.only_contains_ca_certs,
            points: point.distribution_point.as_ref().map(point_names),
        })
    }

    /// Whether a list with this scope would name `certificate` if it were revoked.
    pub(crate) fn covers(&self, certificate: &Certificate) -> bool {
        let kind = if certificate.is_ca { !self.users_only } else { !self.cas_only };
        let named =
            |points: &Vec<PointName>| points.iter().any(|point| certificate.crl_points.contains(point));
        kind && self.points.as_ref().is_none_or(named)
    }
}

/// Whether the fields are the known ones in their order, each at most once, and every BOOLEAN is DER's TRUE.
fn is_strict(der: &[u8]) -> der::Result<bool> {
    let mut reader = SliceReader::new(der)?;
    let header = Header::decode(&mut reader)?;
    let mut fields = SliceReader::new(reader.read_slice(header.length)?)?;
    let mut strict = header.tag == Tag::Sequence && reader.is_finished();
    let mut next = 0;
    while !fields.is_finished() {
        let field = Header::decode(&mut fields)?;
        let value = fields.read_slice(field.length)?;
        let Tag::ContextSpecific { number, .. } = field.tag else {
            return Ok(false);
        };
        let is_boolean = matches!(number.value(), 1 | 2 | 4 | 5);
        strict &= number.value() >= next && number.value() <= 5 && (!is_boolean || value == [0xff]);
        next = number.value() + 1;
    }
    Ok(strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_parser_reads_whole_is_strict() {
        for good in [&[0x30, 0][..], &[0x30, 3, 0x81, 1, 0xff], &[0x30, 6, 0x81, 1, 0xff, 0x84, 1, 0xff]] {
            assert_eq!(is_strict(good), Ok(true), "{good:x?}");
        }
        for bad in [
            &[0x30, 3, 0x84, 1, 1][..],
            &[0x30, 3, 0x84, 1, 0],
            &[0x30, 6, 0x84, 1, 0xff, 0x81, 1, 0xff],
            &[0x30, 6, 0x84, 1, 0xff, 0x84, 1, 0xff],
            &[0x30, 3, 0x86, 1, 0xff],
            &[0x30, 3, 1, 1, 0xff],
            &[0x30, 0, 0],
            &[0x31, 0],
        ] {
            assert_eq!(is_strict(bad), Ok(false), "{bad:x?}");
        }
        assert!(is_strict(&[0x30, 3, 0x84]).is_err());
    }
}
