//! CRLs of the issuing CA.

use openssl::hash::MessageDigest;
use openssl::sign::Signer;

use crate::der_tree::Node;
use crate::signature_parts::oid;
use crate::support;

/// One day.
pub(crate) const DAY_US: i64 = 86_400 * support::SECOND_US;

/// A CRL of the issuing CA, of the day before [`support::NOW_US`], good for a week.
pub(crate) struct Crl {
    revoked: Option<u16>,
}

impl Crl {
    /// One that revokes nothing.
    pub(crate) fn empty() -> Self {
        Self { revoked: None }
    }

    /// One that revokes this serial number, since the day before [`support::NOW_US`].
    pub(crate) fn revoking(serial: u16) -> Self {
        Self { revoked: Some(serial) }
    }

    /// The CRL, DER.
    pub(crate) fn write(&self) -> Vec<u8> {
        let time = |text: &str| Node::bytes(0x17, text.as_bytes());
        let algorithm = || Node::nodes(0x30, vec![oid("1.2.840.10045.4.3.2")]);
        let extension = |id, value: Node| Node::nodes(0x30, vec![oid(id), Node::bytes(4, &value.write())]);
        let key_id = support::issuing().subject_key_id().unwrap().as_slice().to_vec();
        let mut list = vec![
            Node::bytes(2, &[1]),
            algorithm(),
            Node::read(&support::issuing().subject_name().to_der().unwrap()),
            time("260228000000Z"),
            time("260307000000Z"),
        ];
        list.extend(self.revoked.map(|serial| {
            let serial = Node::bytes(2, &serial.to_be_bytes());
            Node::nodes(0x30, vec![Node::nodes(0x30, vec![serial, time("260228000000Z")])])
        }));
        list.push(Node::nodes(
            0xa0,
            vec![Node::nodes(
                0x30,
                vec![
                    extension("2.5.29.35", Node::nodes(0x30, vec![Node::bytes(0x80, &key_id)])),
                    extension("2.5.29.20", Node::bytes(2, &[1])),
                ],
            )],
        ));
        let list = Node::nodes(0x30, list);
        let mut signer = Signer::new(MessageDigest::sha256(), support::issuing_key()).unwrap();
        let signature = [vec![0], signer.sign_oneshot_to_vec(&list.write()).unwrap()].concat();
        Node::nodes(0x30, vec![list, algorithm(), Node::bytes(3, &signature)]).write()
    }
}
