//! What other writers may do differently.

use tasuki_proto::manifest::{parse, write};

use crate::{sample, sample_with};

#[track_caller]
fn accepts(xml: &str) {
    assert_eq!(parse(xml.as_bytes()), Ok(sample()), "{xml}");
}

#[test]
fn other_prefixes() {
    let xml = write(&sample());
    accepts(&xml.replace("asic:", "").replace("xmlns:asic", "xmlns"));
    accepts(&xml.replace("ds:", "ns2:").replace("xmlns:ds", "xmlns:ns2"));
    accepts(&xml.replace("asic:", "_a-b.c:").replace("xmlns:asic", "xmlns:_a-b.c"));
}

#[test]
fn namespaces_declared_where_they_are_used() {
    let ds = " xmlns=\"http://www.w3.org/2000/09/xmldsig#\"";
    let xml = write(&sample())
        .replace("<ds:DigestMethod", &format!("<DigestMethod{ds}"))
        .replace("<ds:DigestValue", &format!("<DigestValue{ds}"))
        .replace("</ds:", "</");
    accepts(&xml);
}

#[test]
fn a_namespace_declared_and_not_used() {
    let xsi = "<asic:ASiCManifest xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\"";
    accepts(&sample_with("<asic:ASiCManifest", xsi));
}

#[test]
fn no_declaration_or_another_way_to_write_it() {
    let declaration = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
    for other in [
        "",
        "<?xml version='1.0'?>",
        "<?xml version=\"1.0\" encoding=\"utf-8\" standalone=\"yes\"?>\n",
        "<?xml version=\"1.0\"  standalone = 'no' ?>",
    ] {
        accepts(&sample_with(declaration, other));
    }
}

#[test]
fn other_blanks_and_quotes() {
    let xml = write(&sample());
    accepts(&xml.replace('\n', "\r\n").replace("  ", "\t"));
    accepts(xml.trim_end());
    accepts(&xml.replace('"', "'"));
    let one_line = xml.lines().map(str::trim_start).collect::<String>();
    accepts(&one_line);
}

#[test]
fn start_and_end_tags_for_empty_elements() {
    accepts(&sample_with("pkcs7-signature\"/>", "pkcs7-signature\"></asic:SigReference >"));
}

#[test]
fn blanks_around_a_digest() {
    accepts(&sample_with(
        "RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=",
        "\n RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=\t",
    ));
}

#[test]
fn attributes_in_another_order_and_a_root_file() {
    accepts(&sample_with(
        "URI=\"parcel.json\" MimeType=\"application/json\"",
        "Rootfile=\"true\" MimeType=\"application/json\"\n URI=\"parcel.json\"",
    ));
}

#[test]
fn a_signature_reference_without_media_type() {
    accepts(&sample_with(" MimeType=\"application/pkcs7-signature\"", ""));
}

#[test]
fn character_references_and_predefined_entities_in_attributes() {
    accepts(&sample_with("application/json", "application&#x2F;js&#111;n"));
    let xml = sample_with("parcel.json", "a&amp;b&apos;c");
    assert_eq!(parse(xml.as_bytes()).unwrap().files[0].name, "a&b'c");
}

#[test]
fn lower_case_and_needless_percent_encoding() {
    accepts(&sample_with("%E6%B7%BB", "%e6%b7%bb"));
    accepts(&sample_with("parcel.json", "p%61rcel%2Ejson"));
}
