//! Where the parts of a signature stand in its tree, and signing again what was altered.

use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sign::Signer;

use crate::der_tree::{Body, Node};

/// `SignedData`.
pub(crate) const SIGNED_DATA: &[usize] = &[1, 0];
/// `SignedData.version`.
pub(crate) const VERSION: &[usize] = &[1, 0, 0];
/// `digestAlgorithms`.
pub(crate) const DIGEST_ALGORITHMS: &[usize] = &[1, 0, 1];
/// `encapContentInfo`.
pub(crate) const ENCAPSULATED: &[usize] = &[1, 0, 2];
/// `certificates`.
pub(crate) const CERTIFICATES: &[usize] = &[1, 0, 3];
/// `signerInfos`.
pub(crate) const SIGNER_INFOS: &[usize] = &[1, 0, 4];
/// The one `SignerInfo`.
pub(crate) const SIGNER_INFO: &[usize] = &[1, 0, 4, 0];
/// Its `version`.
pub(crate) const SIGNER_VERSION: &[usize] = &[1, 0, 4, 0, 0];
/// Its `sid`.
pub(crate) const SID: &[usize] = &[1, 0, 4, 0, 1];
/// Its `digestAlgorithm`.
pub(crate) const DIGEST_ALGORITHM: &[usize] = &[1, 0, 4, 0, 2];
/// Its `signedAttrs`.
pub(crate) const ATTRIBUTES: &[usize] = &[1, 0, 4, 0, 3];
/// Its `signatureAlgorithm`.
pub(crate) const SIGNATURE_ALGORITHM: &[usize] = &[1, 0, 4, 0, 4];
/// Its `signature`.
pub(crate) const SIGNATURE: &[usize] = &[1, 0, 4, 0, 5];

/// `content-type`.
pub(crate) const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
/// `message-digest`.
pub(crate) const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
/// `signing-time`.
pub(crate) const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
/// ESS `signing-certificate`.
pub(crate) const SIGNING_CERTIFICATE: &str = "1.2.840.113549.1.9.16.2.12";
/// ESS `signing-certificate-v2`.
pub(crate) const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";

/// An OBJECT IDENTIFIER.
pub(crate) fn oid(dotted: &str) -> Node {
    let id = der::asn1::ObjectIdentifier::new_unwrap(dotted);
    Node::bytes(6, id.as_bytes())
}

/// An attribute with these values.
pub(crate) fn attribute(dotted: &str, values: Vec<Node>) -> Node {
    Node::nodes(0x30, vec![oid(dotted), Node::nodes(0x31, values)])
}

/// The attribute of this type.
pub(crate) fn find<'a>(tree: &'a mut Node, dotted: &str) -> &'a mut Node {
    tree.at(ATTRIBUTES).children().iter_mut().find(|attribute| is_of(attribute, dotted)).unwrap()
}

/// Takes the attribute of this type away.
pub(crate) fn remove(tree: &mut Node, dotted: &str) {
    tree.at(ATTRIBUTES).children().retain(|attribute| !is_of(attribute, dotted));
}

fn is_of(attribute: &Node, dotted: &str) -> bool {
    matches!(&attribute.body, Body::Nodes(nodes) if nodes[0] == oid(dotted))
}

/// Signs the attributes as they stand with an RSA key.
pub(crate) fn sign_again(tree: &mut Node, key: &PKey<Private>) {
    let mut attributes = tree.at(ATTRIBUTES).write();
    attributes[0] = 0x31;
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    *tree.at(SIGNATURE).value() = signer.sign_oneshot_to_vec(&attributes).unwrap();
}
