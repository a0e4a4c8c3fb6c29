//! Files as functions over several of them take and give them.

/// A file: its name without folders, and its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFile<'a> {
    /// Such as `UPJSK_202602_9971100012_11_1371215102_43_20260301174500.CSV`.
    pub name: &'a str,
    /// The content.
    pub bytes: &'a [u8],
}

/// A file that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFile {
    /// Its name, without folders.
    pub name: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl OwnedFile {
    /// As a source for another function.
    pub fn as_source(&self) -> SourceFile<'_> {
        SourceFile { name: &self.name, bytes: &self.bytes }
    }
}
