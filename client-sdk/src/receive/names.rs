//! Names on this computer for files of a parcel. What the other side calls a file never decides where it lands.
//!
//! The container's own rules (`tasuki_proto::container::check_name`) refuse bad names already. This is the second
//! wall: whatever comes, the result is one plain name that Windows, macOS and Linux store as it is.

use std::collections::HashSet;

/// Bytes of a name: what ext4 stores, less room for a number.
const MAX_NAME_BYTES: usize = 240;

/// Names that this library gives itself in a parcel's folder.
const OWN: [&str; 4] = [super::NOTE, super::SEALED, super::CONTAINER, super::CERTIFICATES];

/// Names that Windows takes for devices, with any ending.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"];

/// Gives out names, none twice on any file system.
#[derive(Debug)]
pub(super) struct Names {
    taken: HashSet<String>,
}

impl Names {
    pub(super) fn new() -> Self {
        Self { taken: OWN.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// The name for the file at this path of the container.
    pub(super) fn give(&mut self, path: &str) -> String {
        let plain = plain(path);
        let (stem, ending) = match plain.rsplit_once('.') {
            Some((stem, ending)) if !stem.is_empty() => (stem, format!(".{ending}")),
            _ => (plain.as_str(), String::new()),
        };
        let mut name = plain.clone();
        let mut number = 2;
        while !self.taken.insert(name.to_lowercase()) {
            name = format!("{stem} ({number}){ending}");
            number += 1;
        }
        name
    }
}

/// One plain name out of whatever.
fn plain(path: &str) -> String {
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let mut name = String::with_capacity(last.len());
    for c in last.chars().map(|c| if is_bad(c) { '_' } else { c }) {
        if name.len() + c.len_utf8() > MAX_NAME_BYTES {
            break;
        }
        name.push(c);
    }
    // Windows drops dots and spaces at the end; one at the front hides the file elsewhere.
    let name = name.trim_end_matches(['.', ' ']).trim_start_matches(['.', ' ']);
    if name.is_empty() {
        return "_".to_owned();
    }
    if is_device(name) { format!("_{name}") } else { name.to_owned() }
}

fn is_bad(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*' | '/' | '\\')
        // Invisible, or reordering what is read.
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let numbered = |word: &str| {
        stem.strip_prefix(word).is_some_and(|n| {
            matches!(n, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
        })
    };
    DEVICES.contains(&stem.as_str()) || numbered("COM") || numbered("LPT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_stay() {
        let mut names = Names::new();
        for name in
            ["UPPLAN_202602_1371215102_43_9971100012_11_20260125103000.CSV", "退院記録 山田.pdf", "a.b.c"]
        {
            assert_eq!(names.give(name), name);
        }
        assert_eq!(names.give("attachments/写真.jpg"), "写真.jpg");
    }

    #[test]
    fn no_name_leaves_the_folder_or_means_something_else() {
        for (path, name) in [
            ("../../etc/passwd", "passwd"),
            ("..", "_"),
            ("", "_"),
            ("/", "_"),
            ("C:\\Windows\\system32\\x.dll", "x.dll"),
            ("a:b", "a_b"),
            (".ssh", "ssh"),
            ("trailing. . ", "trailing"),
            ("nul", "_nul"),
            ("COM1.txt", "_COM1.txt"),
            ("lpt9", "_lpt9"),
            ("CONSOLE.txt", "CONSOLE.txt"),
            ("a\u{202e}fdp.exe", "a_fdp.exe"),
            ("a\nb\u{0}c", "a_b_c"),
        ] {
            assert_eq!(Names::new().give(path), name, "{path:?}");
        }
        let long = Names::new().give(&"あ".repeat(200));
        assert!(long.len() <= MAX_NAME_BYTES && long.chars().all(|c| c == 'あ'));
    }

    #[test]
    fn no_name_is_given_twice_and_own_names_are_taken() {
        let mut names = Names::new();
        assert_eq!(names.give("attachments/A.pdf"), "A.pdf");
        assert_eq!(names.give("attachments/a.PDF"), "a (2).PDF");
        assert_eq!(names.give("x/a.pdf"), "a (3).pdf");
        assert_eq!(names.give("NOTE.txt"), "NOTE (2).txt");
        assert_eq!(names.give("parcel.asice"), "parcel (2).asice");
        assert_eq!(names.give("x/"), "_");
        assert_eq!(names.give("y/"), "_ (2)");
    }
}
