//! Writing the manifest: the same files give the same bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use quick_xml::escape::escape;

use crate::container::SIGNATURE_NAME;

use super::{AsicManifest, NS_ASIC, NS_DS, SHA256_URI, SIGNATURE_MEDIA_TYPE, uri};

/// The manifest as UTF-8 XML, the bytes that get signed.
pub fn write(manifest: &AsicManifest) -> String {
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <asic:ASiCManifest xmlns:asic=\"{NS_ASIC}\" xmlns:ds=\"{NS_DS}\">\n\
         \x20 <asic:SigReference URI=\"{SIGNATURE_NAME}\" MimeType=\"{SIGNATURE_MEDIA_TYPE}\"/>\n"
    );
    for file in &manifest.files {
        xml.push_str("  <asic:DataObjectReference URI=\"");
        // Needs no XML escaping: what is left unencoded is neither markup nor quote.
        xml.push_str(&uri::encode(&file.name));
        xml.push('"');
        if let Some(media_type) = &file.media_type {
            xml.push_str(" MimeType=\"");
            xml.push_str(&escape(media_type));
            xml.push('"');
        }
        xml.push_str(">\n    <ds:DigestMethod Algorithm=\"");
        xml.push_str(SHA256_URI);
        xml.push_str("\"/>\n    <ds:DigestValue>");
        STANDARD.encode_string(file.sha256, &mut xml);
        xml.push_str("</ds:DigestValue>\n  </asic:DataObjectReference>\n");
    }
    xml.push_str("</asic:ASiCManifest>\n");
    xml
}
