//! Inflating one entry after another, with one window for all.

use flate2::{Decompress, FlushDecompress, Status};

use super::error::ContainerError;

/// A raw deflate decoder (RFC 1951) that keeps its 32 KiB window between entries, not what stands in it.
pub(super) struct Inflater {
    decoder: Option<Decompress>,
}

impl Inflater {
    /// Allocates nothing until the first deflated entry.
    pub(super) fn new() -> Self {
        Self { decoder: None }
    }

    /// Inflates `data`, which must be one whole deflate stream of exactly `size` bytes content.
    /// Never yields more than `size` + 1 bytes; the caller has held `size` against its limits.
    pub(super) fn inflate(
        &mut self,
        entry: usize,
        data: &[u8],
        size: usize,
    ) -> Result<Vec<u8>, ContainerError> {
        let decoder = match &mut self.decoder {
            Some(decoder) => {
                decoder.reset(false);
                decoder
            }
            none => none.insert(Decompress::new(false)),
        };
        // One byte more than declared, so that a longer stream is told from one that fits.
        let mut content = Vec::with_capacity(size + 1);
        let status = decoder
            .decompress_vec(data, &mut content, FlushDecompress::Finish)
            .map_err(|_| ContainerError::Deflate { entry })?;
        if content.len() > size {
            return Err(ContainerError::Size { entry });
        }
        let whole = status == Status::StreamEnd && decoder.total_in() == data.len() as u64;
        if !whole {
            return Err(ContainerError::Deflate { entry });
        }
        if content.len() < size {
            return Err(ContainerError::Size { entry });
        }
        Ok(content)
    }
}
