//! Identities, signatures and seals: against themselves, against OpenSSL, and against hostile bytes.

mod der_tree;
mod pkcs12_identities;
mod seal_hostile;
mod seal_openssl;
mod seal_round_trip;
mod sign_openssl;
mod signature_parts;
mod support;
