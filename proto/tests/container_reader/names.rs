//! Names that leave the folder, clash, or are not what they look like.

use tasuki_proto::container::{ContainerError, NameError, check_name};

use crate::build::{Entry, FLAG_UTF8, Zip, read_default, refused};

#[track_caller]
fn refuses(name: &str, reason: NameError) {
    assert_eq!(check_name(name), Err(reason), "{name:?}");
    let bytes = Zip::with([Entry::stored(name.as_bytes(), b"x")]).bytes();
    assert_eq!(refused(&bytes), ContainerError::Name { entry: 1, reason }, "{name:?}");
    assert_eq!(refused(&bytes).code(), "ZIP_PATH");
}

#[test]
fn names_that_people_use() {
    for name in [
        "UPPLAN_202602_1371215102_1372200202_20260228100000.CSV",
        "META-INF/ASiCManifest.xml",
        "添付/2026年2月分 サービス利用票（第6表）.pdf",
        "ｶﾅ.txt",
        "写真 (1) [居室] & 玄関 #2 100%.jpeg",
        "葛\u{e0100}城.txt",
        "外字\u{e000}.txt",
        "..a",
        ".hidden",
        "a..b",
        "console.txt",
        "com10.txt",
        "nulls",
        "~$x",
    ] {
        assert_eq!(check_name(name), Ok(()), "{name:?}");
        let bytes = Zip::with([Entry::stored(name.as_bytes(), b"x")]).bytes();
        assert_eq!(read_default(&bytes).unwrap().get(name), Some(&b"x"[..]), "{name:?}");
    }
}

#[test]
fn path_escapes() {
    for name in ["..", "../x", "a/../x", "a/..", "a/../../x", ".", "./x", "a/./x", "a//x"] {
        refuses(name, NameError::Traversal);
    }
}

#[test]
fn absolute_names_and_drives() {
    refuses("/etc/passwd", NameError::Absolute);
    refuses("//server/share/x", NameError::Absolute);
    refuses("C:/x", NameError::Character);
    refuses("C:x", NameError::Character);
    refuses("x.csv:stream", NameError::Character);
}

#[test]
fn backslashes() {
    for name in ["..\\x", "a\\b", "\\\\server\\share\\x", "a¥b"] {
        refuses(name, NameError::Character);
    }
}

#[test]
fn folders() {
    refuses("a/", NameError::Folder);
    refuses("a/b/", NameError::Folder);
}

#[test]
fn empty_name() {
    refuses("", NameError::Empty);
}

#[test]
fn control_characters_and_wildcards() {
    for c in ['\0', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}', '*', '?', '"', '<', '>', '|'] {
        refuses(&format!("a{c}b"), NameError::Character);
    }
}

#[test]
fn invisible_and_reordering_characters() {
    for c in [
        '\u{202e}',
        '\u{200b}',
        '\u{200d}',
        '\u{feff}',
        '\u{2028}',
        '\u{2066}',
        '\u{ad}',
        '\u{e0041}',
        '\u{3164}',
    ] {
        refuses(&format!("a{c}fdp.exe"), NameError::Character);
    }
}

#[test]
fn noncharacters() {
    for c in ['\u{fffe}', '\u{ffff}', '\u{fdd0}', '\u{1ffff}', '\u{10fffe}'] {
        refuses(&format!("a{c}"), NameError::Character);
    }
}

#[test]
fn device_names() {
    for name in [
        "CON",
        "nul",
        "Aux.txt",
        "prn.tar.gz",
        "COM1",
        "lpt9.csv",
        "com0",
        "COM¹",
        "a/nul/b",
        "NUL .txt",
        "CONIN$",
    ] {
        refuses(name, NameError::Reserved);
    }
}

#[test]
fn dots_and_spaces_at_the_end() {
    for name in ["a.", "a ", "a./b", "a /b", "...", "a. "] {
        refuses(name, NameError::DotOrSpaceEnd);
    }
}

#[test]
fn lengths() {
    let segment = "a".repeat(255);
    assert_eq!(check_name(&segment), Ok(()));
    refuses(&"a".repeat(256), NameError::TooLong);
    assert_eq!(check_name(&format!("{segment}/{segment}")), Ok(()));
    refuses(&format!("{segment}/{segment}/a"), NameError::TooLong);
    assert_eq!(check_name("1/2/3/4/5/6/7/8"), Ok(()));
    refuses("1/2/3/4/5/6/7/8/9", NameError::TooDeep);
}

#[test]
fn names_that_are_not_utf8() {
    // 様式 in MS932, without and with the flag that claims UTF-8.
    for flags in [0, FLAG_UTF8] {
        let mut entry = Entry::stored(b"\x97\x6c\x8e\xae.csv", b"x");
        entry.both(|header| header.flags = flags);
        let error = ContainerError::Name { entry: 1, reason: NameError::Encoding };
        assert_eq!(refused(&Zip::with([entry]).bytes()), error);
    }
}

#[test]
fn utf8_names_without_the_flag() {
    let mut entry = Entry::stored("様式.csv".as_bytes(), b"x");
    entry.both(|header| header.flags = 0);
    let error = ContainerError::Name { entry: 1, reason: NameError::Encoding };
    assert_eq!(refused(&Zip::with([entry]).bytes()), error);
}

#[track_caller]
fn clash(a: &str, b: &str) {
    let other = Entry::stored(b"other", b"x");
    let bytes =
        Zip::with([Entry::stored(a.as_bytes(), b"1"), other, Entry::stored(b.as_bytes(), b"2")]).bytes();
    assert_eq!(refused(&bytes), ContainerError::DuplicateName { first: 1, second: 3 }, "{a:?} {b:?}");
    assert_eq!(refused(&bytes).code(), "ZIP_DUPLICATE_NAME");
}

#[test]
fn duplicate_names() {
    clash("a.csv", "a.csv");
    clash("様式.csv", "様式.csv");
}

#[test]
fn names_that_differ_in_case_only() {
    clash("A.csv", "a.CSV");
    clash("dir/x", "DIR/x");
    clash("ｱ_ＡＢＣ", "ｱ_ａｂｃ");
    clash("straße", "STRASSE");
    clash("straße", "STRAẞE");
    // The Kelvin sign and the long s fold to letters of ASCII.
    clash("\u{212a}.txt", "k.txt");
    clash("\u{17f}.txt", "S.txt");
}

#[test]
fn names_that_differ_in_normal_form_only() {
    // が as one character, and as か with a combining mark, as macOS stores it.
    clash("が.txt", "か\u{3099}.txt");
    clash("é", "E\u{301}");
}

#[test]
fn second_mimetype_or_manifest_in_another_case() {
    let bytes = Zip::with([Entry::stored(b"MimeType", b"x")]).bytes();
    assert_eq!(refused(&bytes), ContainerError::DuplicateName { first: 0, second: 1 });
    clash("META-INF/ASiCManifest.xml", "meta-inf/asicmanifest.xml");
}

#[test]
fn a_file_that_is_a_folder_of_another() {
    clash("a", "a/b");
    clash("a/b/c/d", "A/B");
    clash("が", "か\u{3099}/x");
}

#[test]
fn neighbours_that_do_not_clash() {
    let names = ["a.txt", "a-b", "a/b", "ab", "様式", "様式2", "Ｂ", "B", "は", "ば", "ぱ"];
    let bytes = Zip::with(names.map(|name| Entry::stored(name.as_bytes(), name.as_bytes()))).bytes();
    let container = read_default(&bytes).unwrap();
    for name in names {
        assert_eq!(container.get(name), Some(name.as_bytes()));
    }
}

#[test]
fn errors_and_debug_output_do_not_hold_the_name() {
    let bytes = Zip::with([Entry::stored("山田太郎.pdf".as_bytes(), b"secret")]).bytes();
    let text = format!("{:?}", read_default(&bytes).unwrap());
    assert!(!text.contains("山田") && !text.contains("secret"), "{text}");
    for name in ["山田太郎:.pdf", "../山田太郎"] {
        let error = refused(&Zip::with([Entry::stored(name.as_bytes(), b"x")]).bytes());
        assert!(!format!("{error} {error:?}").contains("山田"));
    }
}
