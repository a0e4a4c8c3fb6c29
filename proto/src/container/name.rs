//! Which names an entry may have: paths that mean the same place on every receiver's file system.

use crate::limits::MAX_PATH_BYTES;

/// Longest part between two `/`, in bytes: what ext4 and most others can store.
pub const MAX_SEGMENT_BYTES: usize = 255;
/// Most parts of a path.
pub const MAX_SEGMENTS: usize = 8;

/// The rule that a name breaks. Never holds the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No bytes at all.
    #[error("the name is empty")]
    Empty,
    /// More than [`MAX_PATH_BYTES`], or a part with more than [`MAX_SEGMENT_BYTES`].
    #[error("the name is too long")]
    TooLong,
    /// More than [`MAX_SEGMENTS`] parts.
    #[error("the name has too many folders")]
    TooDeep,
    /// Not UTF-8, or beyond ASCII without the flag that says UTF-8, so that readers guess.
    #[error("the name is not marked as UTF-8, or is not UTF-8")]
    Encoding,
    /// Starts with `/`.
    #[error("the name is an absolute path")]
    Absolute,
    /// Ends with `/`.
    #[error("the name is a folder's")]
    Folder,
    /// A part that is empty, `.` or `..`.
    #[error("the name has a part that is empty, '.' or '..'")]
    Traversal,
    /// A character that file systems refuse or reinterpret, that is invisible, or that reorders text.
    #[error("the name has a character that is not allowed")]
    Character,
    /// A part that Windows takes for a device, such as `NUL` or `com1.txt`.
    #[error("the name has a part that Windows reserves for a device")]
    Reserved,
    /// A part that ends with a dot or a space, which Windows drops.
    #[error("the name has a part that ends with a dot or a space")]
    DotOrSpaceEnd,
}

/// Checks that `name` is a relative path that every receiver stores under the same name: `/` between parts, no
/// part empty, `.` or `..`, none that Windows would rename, refuse or take for a device, no character that is a
/// separator, wildcard, control, invisible, or reorders what is read.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_PATH_BYTES {
        return Err(NameError::TooLong);
    }
    if name.starts_with('/') {
        return Err(NameError::Absolute);
    }
    if name.ends_with('/') {
        return Err(NameError::Folder);
    }
    if name.chars().any(is_forbidden) {
        return Err(NameError::Character);
    }
    let mut segments = 0;
    for segment in name.split('/') {
        segments += 1;
        check_segment(segment)?;
    }
    if segments > MAX_SEGMENTS { Err(NameError::TooDeep) } else { Ok(()) }
}

fn check_segment(segment: &str) -> Result<(), NameError> {
    if matches!(segment, "" | "." | "..") {
        return Err(NameError::Traversal);
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(NameError::TooLong);
    }
    if segment.ends_with(['.', ' ']) {
        return Err(NameError::DotOrSpaceEnd);
    }
    if is_device(segment) { Err(NameError::Reserved) } else { Ok(()) }
}

/// Characters that no name may hold; `/` is the separator and stays.
fn is_forbidden(c: char) -> bool {
    is_special(c) || c.is_control() || is_unseen(c) || is_noncharacter(c)
}

/// Windows' drive and stream separator, its wildcards, redirections and other path separator; and the yen sign,
/// which becomes that separator where a program still writes names in code page 932.
fn is_special(c: char) -> bool {
    matches!(c, ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\\' | '\u{a5}')
}

/// Invisible or reordering, so that two names look alike, or one reads differently than it is. Variation
/// selectors stay: Japanese names need them (葛󠄀).
fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'
            | '\u{1160}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// Never assigned to a character (Unicode 23.7); U+FFFE and U+FFFF are not allowed in XML either.
fn is_noncharacter(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || (c as u32) & 0xfffe == 0xfffe
}

/// Windows looks for devices by the part before the first dot, without blanks at its end, in any case.
fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().trim_end_matches(' ');
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
        .iter()
        .any(|device| stem.eq_ignore_ascii_case(device))
    {
        return true;
    }
    let Some((port, number)) = stem.split_at_checked(3) else { return false };
    (port.eq_ignore_ascii_case("COM") || port.eq_ignore_ascii_case("LPT"))
        // Windows counts superscript one to three as digits here.
        && matches!(number, "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³")
}
