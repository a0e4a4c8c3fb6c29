//! Manifests that are not what the schema says, or that two readers could understand differently.

use tasuki_proto::container::NameError;
use tasuki_proto::manifest::{MAX_MANIFEST_BYTES, ManifestError, UriError, XmlError, parse, write};

use crate::{sample, sample_with};

const FIRST_DIGEST: &str = "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=";

#[track_caller]
fn malformed(xml: impl AsRef<[u8]>, reason: XmlError) {
    let error = parse(xml.as_ref()).expect_err("the manifest must be refused");
    assert!(matches!(error, ManifestError::Malformed { reason: found, .. } if found == reason), "{error:?}");
    assert_eq!(error.code(), "MANIFEST_MALFORMED");
}

#[track_caller]
fn refused(xml: &str, error: ManifestError, code: &str) {
    assert_eq!(parse(xml.as_bytes()), Err(error));
    assert_eq!(error.code(), code);
}

#[test]
fn too_large() {
    let padded = |length: usize| {
        let xml = write(&sample());
        let blanks = " ".repeat(length - xml.len());
        xml + &blanks
    };
    assert_eq!(parse(padded(MAX_MANIFEST_BYTES).as_bytes()), Ok(sample()));
    let (bytes, limit) = (MAX_MANIFEST_BYTES + 1, MAX_MANIFEST_BYTES);
    refused(&padded(bytes), ManifestError::TooLarge { bytes, limit }, "MANIFEST_TOO_LARGE");
}

#[test]
fn cut_at_any_byte() {
    let xml = write(&sample());
    for length in 0..xml.trim_end().len() {
        let error = parse(&xml.as_bytes()[..length]).unwrap_err();
        assert_eq!(error.code(), "MANIFEST_MALFORMED", "cut to {length}");
    }
}

#[test]
fn other_encodings() {
    let utf16: Vec<u8> = write(&sample()).encode_utf16().flat_map(u16::to_le_bytes).collect();
    malformed(utf16, XmlError::Character);
    let with_mark: Vec<u8> = write(&sample()).encode_utf16().flat_map(u16::to_be_bytes).collect();
    malformed([b"\xfe\xff".to_vec(), with_mark].concat(), XmlError::Encoding);
    malformed(format!("\u{feff}{}", write(&sample())), XmlError::Encoding);
    malformed(b"<a>\xff</a>", XmlError::Encoding);
    malformed(sample_with("encoding=\"UTF-8\"", "encoding=\"Shift_JIS\""), XmlError::Declaration);
}

#[test]
fn wrong_declarations() {
    for declaration in [
        "<?xml version=\"1.1\" encoding=\"UTF-8\"?>",
        "<?xml encoding=\"UTF-8\"?>",
        "<?xml?>",
        "<?xml encoding=\"UTF-8\" version=\"1.0\"?>",
        "<?xml version=\"1.0\" version=\"1.0\"?>",
        "<?xml version=\"1.0\" standalone=\"maybe\"?>",
        "<?xml version=\"1.0\" encoding=\"UTF-8\" more=\"1\"?>",
        "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
        "<?xml version=1.0?>",
        "<?xmlversion=\"1.0\"?>",
        "<?xml-stylesheet href=\"x\"?>",
    ] {
        malformed(
            sample_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>", declaration),
            XmlError::Declaration,
        );
    }
}

#[test]
fn a_declaration_that_does_not_come_first() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    malformed(format!(" {}", write(&sample())), XmlError::Declaration);
    malformed(sample_with(declaration, &format!("{declaration}{declaration}")), XmlError::Declaration);
}

#[test]
fn document_types() {
    let doctype = "<!DOCTYPE asic:ASiCManifest [<!ENTITY a \"b\">]>\n<asic:ASiCManifest";
    malformed(sample_with("<asic:ASiCManifest", doctype), XmlError::Dtd);
    malformed(format!("<!DOCTYPE x>{}", write(&sample())), XmlError::Dtd);
}

#[test]
fn entities_beyond_the_five() {
    malformed(sample_with("application/json", "&a;"), XmlError::Syntax);
    malformed(sample_with("application/json", "&nbsp;"), XmlError::Syntax);
    malformed(sample_with("application/json", "a & b"), XmlError::Syntax);
}

#[test]
fn references_in_text() {
    malformed(sample_with(FIRST_DIGEST, &FIRST_DIGEST.replace('R', "&#82;")), XmlError::Text);
    malformed(sample_with("<asic:SigReference", "&#32;<asic:SigReference"), XmlError::Text);
}

#[test]
fn comments_instructions_and_cdata() {
    for markup in ["<!-- -->", "<?go on?>", "<![CDATA[ ]]>"] {
        malformed(
            sample_with("<asic:SigReference", &format!("{markup}<asic:SigReference")),
            XmlError::Markup,
        );
        malformed(sample_with(FIRST_DIGEST, &format!("{markup}{FIRST_DIGEST}")), XmlError::Markup);
        malformed(sample_with(FIRST_DIGEST, &format!("{FIRST_DIGEST}{markup}")), XmlError::Markup);
    }
    for markup in ["<!-- -->", "<?go on?>"] {
        malformed(format!("{}{markup}", write(&sample())), XmlError::Markup);
    }
}

#[test]
fn text_between_elements() {
    malformed(sample_with("<asic:SigReference", "x<asic:SigReference"), XmlError::Text);
    malformed(write(&sample()) + "x", XmlError::Text);
    // A no-break space is no blank in XML.
    malformed(write(&sample()) + "\u{a0}", XmlError::Text);
}

#[test]
fn characters_that_xml_does_not_have() {
    malformed(write(&sample()) + "\0", XmlError::Character);
    malformed(sample_with("application/json", "a\u{1b}b"), XmlError::Character);
    malformed(sample_with("application/json", "a\u{ffff}b"), XmlError::Character);
    malformed(sample_with("parcel.json", "a&#1;b"), XmlError::Character);
    malformed(sample_with("parcel.json", "a&#xFFFE;b"), XmlError::Character);
}

#[test]
fn two_roots() {
    let xml = write(&sample());
    let (declaration, root) = xml.split_once('\n').unwrap();
    malformed(format!("{declaration}{root}{root}"), XmlError::Syntax);
}

#[test]
fn nothing_and_another_document() {
    malformed("", XmlError::MissingElement);
    malformed("<?xml version=\"1.0\"?>", XmlError::MissingElement);
    malformed("<html/>", XmlError::Element);
}

#[test]
fn tags_that_do_not_match() {
    malformed(sample_with("</asic:ASiCManifest>", "</asic:AsicManifest>"), XmlError::Syntax);
    malformed(sample_with("</asic:ASiCManifest>", ""), XmlError::Syntax);
    malformed(write(&sample()) + "</asic:ASiCManifest>", XmlError::Syntax);
    malformed(sample_with("</asic:ASiCManifest>", "</asic:ASiCManifest x=\"1\">"), XmlError::Syntax);
}

#[test]
fn other_namespaces() {
    // The older namespace of TS 102 918.
    malformed(sample_with("02918/v1.2.1#", "2918/v1.1.1#"), XmlError::Element);
    malformed(
        sample_with("http://www.w3.org/2000/09/xmldsig#", "http://www.w3.org/2000/09/xmldsig"),
        XmlError::Element,
    );
    malformed(sample_with(" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\"", ""), XmlError::Element);
    malformed(write(&sample()).replace("ds:", ""), XmlError::Element);
}

#[test]
fn a_namespace_written_with_references() {
    malformed(sample_with("02918/v1.2.1#", "02918&#47;v1.2.1#"), XmlError::Element);
}

#[test]
fn strange_prefixes() {
    let xml = write(&sample());
    malformed(xml.replace("ds:", "1ds:").replace("xmlns:ds", "xmlns:1ds"), XmlError::Attribute);
    malformed(sample_with(" xmlns:ds=", " xmlns:x=\"\" xmlns:ds="), XmlError::Attribute);
    malformed(sample_with(" xmlns:ds=", " xmlns:=\"u\" xmlns:ds="), XmlError::Attribute);
}

#[test]
fn unknown_elements() {
    malformed(sample_with("<asic:SigReference", "<asic:More/><asic:SigReference"), XmlError::Element);
    malformed(sample_with("</asic:ASiCManifest>", "<asic:More/></asic:ASiCManifest>"), XmlError::Element);
    malformed(
        sample_with("</asic:ASiCManifest>", "<asic:SigReference URI=\"x\"/></asic:ASiCManifest>"),
        XmlError::Element,
    );
}

#[test]
fn elements_out_of_order_missing_or_twice() {
    let method = "<ds:DigestMethod Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"/>";
    let value = format!("<ds:DigestValue>{FIRST_DIGEST}</ds:DigestValue>");
    let pair = format!("{method}\n    {value}");
    malformed(sample_with(&pair, &format!("{value}{method}")), XmlError::Element);
    malformed(sample_with(&pair, method), XmlError::MissingElement);
    malformed(sample_with(&pair, &value), XmlError::Element);
    malformed(sample_with(&pair, ""), XmlError::MissingElement);
    malformed(sample_with(&pair, &format!("{method}{value}{value}")), XmlError::Element);
    malformed(sample_with(&pair, &format!("{method}{method}{value}")), XmlError::Element);
}

#[test]
fn no_signature_reference() {
    let reference =
        "<asic:SigReference URI=\"META-INF/signature.p7s\" MimeType=\"application/pkcs7-signature\"/>";
    malformed(sample_with(reference, ""), XmlError::Element);
    malformed(sample_with(reference, &reference.repeat(2)), XmlError::Element);
}

#[test]
fn no_files() {
    let xml = write(&sample());
    let (head, _) = xml.split_once("  <asic:DataObjectReference").unwrap();
    malformed(format!("{head}</asic:ASiCManifest>"), XmlError::MissingElement);
}

#[test]
fn elements_inside_elements_that_have_none() {
    malformed(
        sample_with("pkcs7-signature\"/>", "pkcs7-signature\"><asic:More/></asic:SigReference>"),
        XmlError::Element,
    );
    malformed(sample_with(FIRST_DIGEST, &format!("{FIRST_DIGEST}<ds:X/>")), XmlError::Element);
}

#[test]
fn unknown_attributes() {
    malformed(sample_with("URI=\"parcel.json\"", "URI=\"parcel.json\" Id=\"1\""), XmlError::Attribute);
    malformed(sample_with("URI=\"parcel.json\"", "URI=\"parcel.json\" xml:base=\"x\""), XmlError::Attribute);
    malformed(sample_with("URI=\"parcel.json\"", "URI=\"parcel.json\" asic:URI=\"x\""), XmlError::Attribute);
    malformed(sample_with("<asic:ASiCManifest ", "<asic:ASiCManifest Id=\"x\" "), XmlError::Attribute);
    malformed(
        sample_with(
            &format!("<ds:DigestValue>{FIRST_DIGEST}"),
            &format!("<ds:DigestValue a=\"\">{FIRST_DIGEST}"),
        ),
        XmlError::Attribute,
    );
}

#[test]
fn broken_attributes() {
    let uri = "URI=\"parcel.json\"";
    malformed(sample_with(uri, "URI=\"parcel.json\" URI=\"parcel.json\""), XmlError::Syntax);
    malformed(sample_with(uri, "URI=\"parcel.json\"Rootfile=\"1\""), XmlError::Syntax);
    malformed(sample_with(uri, "URI=parcel.json"), XmlError::Syntax);
    malformed(sample_with(uri, "URI"), XmlError::Syntax);
    malformed(sample_with(uri, "URI=\"<parcel.json\""), XmlError::Syntax);
    malformed(sample_with(uri, "Rootfile=\"maybe\" URI=\"parcel.json\""), XmlError::Attribute);
}

#[test]
fn missing_attributes() {
    malformed(sample_with("URI=\"parcel.json\" ", ""), XmlError::MissingAttribute);
    malformed(sample_with("URI=\"META-INF/signature.p7s\" ", ""), XmlError::MissingAttribute);
    let first = "MimeType=\"application/json\">\n    <ds:DigestMethod";
    let algorithm = " Algorithm=\"http://www.w3.org/2001/04/xmlenc#sha256\"";
    malformed(sample_with(&format!("{first}{algorithm}"), first), XmlError::MissingAttribute);
}

#[test]
fn media_types_that_are_none() {
    for bad in [String::new(), "様式".to_owned(), "a&#10;b".to_owned(), "a".repeat(256)] {
        malformed(sample_with("application/json", &bad), XmlError::Attribute);
    }
}

#[test]
fn extensions() {
    let xml = sample_with("</asic:ASiCManifest>", "<asic:ASiCManifestExtensions/></asic:ASiCManifest>");
    let error = parse(xml.as_bytes()).unwrap_err();
    assert!(matches!(error, ManifestError::Extension { .. }));
    assert_eq!(error.code(), "MANIFEST_EXTENSION");
    let value = format!("{FIRST_DIGEST}</ds:DigestValue>");
    let xml = sample_with(&value, &format!("{value}<asic:DataObjectReferenceExtensions/>"));
    assert!(matches!(parse(xml.as_bytes()).unwrap_err(), ManifestError::Extension { .. }));
}

#[test]
fn another_signature_file() {
    let error = ManifestError::SignatureReference;
    for other in ["META-INF/signature2.p7s", "meta-inf/signature.p7s", "./META-INF/signature.p7s", ""] {
        refused(&sample_with("META-INF/signature.p7s", other), error, "MANIFEST_SIGNATURE_REFERENCE");
    }
    refused(&sample_with("application/pkcs7-signature", "text/plain"), error, "MANIFEST_SIGNATURE_REFERENCE");
}

#[test]
fn other_digest_methods() {
    let first = "MimeType=\"application/json\">\n    <ds:DigestMethod Algorithm=\"";
    for other in ["http://www.w3.org/2000/09/xmldsig#sha1", "http://www.w3.org/2001/04/xmlenc#sha512", ""] {
        let xml = sample_with(
            &format!("{first}http://www.w3.org/2001/04/xmlenc#sha256"),
            &format!("{first}{other}"),
        );
        refused(&xml, ManifestError::DigestMethod { reference: 0 }, "MANIFEST_DIGEST_METHOD");
    }
}

#[test]
fn digest_values_that_are_none() {
    for bad in [
        "",
        "AAAA",
        "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o",
        "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4p=",
        "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o=",
        "RBNvo1WzZ4oRRq0W9+hknp T7T8If536DEMBg9hyq/4o=",
        "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4oA",
        "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/===",
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
    ] {
        malformed(sample_with(FIRST_DIGEST, bad), XmlError::DigestValue);
    }
}

#[track_caller]
fn bad_uri(uri: &str, reason: UriError) {
    refused(&sample_with("parcel.json", uri), ManifestError::Uri { reference: 0, reason }, "MANIFEST_URI");
}

#[test]
fn uris_that_are_no_relative_paths() {
    for uri in ["http://x/a", "file:///a", "a?b", "a#b", "a b", "様式", "a\\b", "a[1]", "a&quot;b", "a&lt;b"]
    {
        bad_uri(uri, UriError::Character);
    }
}

#[test]
fn uris_with_broken_encoding() {
    for uri in ["a%", "a%2", "a%zz", "%%41"] {
        bad_uri(uri, UriError::Escape);
    }
    bad_uri("a%2Fb", UriError::EncodedSlash);
    bad_uri("a%2fb", UriError::EncodedSlash);
    bad_uri("%97%6C", UriError::Encoding);
    // The overlong form of a slash is no UTF-8.
    bad_uri("a%C0%AFb", UriError::Encoding);
}

#[test]
fn uris_of_names_that_no_entry_may_have() {
    for (uri, reason) in [
        ("../a", NameError::Traversal),
        ("%2e%2e/a", NameError::Traversal),
        ("./parcel.json", NameError::Traversal),
        ("/a", NameError::Absolute),
        ("//host/a", NameError::Absolute),
        ("a%00b", NameError::Character),
        ("a%5Cb", NameError::Character),
        ("", NameError::Empty),
        ("nul", NameError::Reserved),
    ] {
        refused(
            &sample_with("parcel.json", uri),
            ManifestError::Name { reference: 0, reason },
            "MANIFEST_URI",
        );
    }
}

#[test]
fn references_to_what_the_format_keeps() {
    for name in
        ["mimetype", "META-INF/ASiCManifest.xml", "META-INF/signature.p7s", "META%2DINF/signature.p7s"]
    {
        let xml = sample_with("parcel.json", name);
        refused(&xml, ManifestError::Reserved { reference: 0 }, "MANIFEST_RESERVED_FILE");
    }
}

#[test]
fn a_file_named_twice() {
    // Once plain, once with a needless encoding: the names are compared, not the URIs.
    let xml = sample_with("%E6%B7%BB%E4%BB%98/%E8%A6%8B%E5%AE%88%E3%82%8A%20100%25.txt", "parcel%2Ejson");
    refused(&xml, ManifestError::Duplicate { first: 0, second: 1 }, "MANIFEST_DUPLICATE");
}

#[test]
fn errors_do_not_hold_the_name() {
    for uri in ["山田太郎", "../%E5%B1%B1%E7%94%B0"] {
        let error = parse(sample_with("parcel.json", uri).as_bytes()).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(!text.contains("山田") && !text.contains("%E5"), "{text}");
    }
}
