//! Reused memory for frames: nothing is allocated after the first frames. Driver data is copied without row padding.

use std::sync::Arc;

use crate::sample::PixelFormat;

/// Message for a JPEG that [`Pool::copy_jpeg`] refuses.
pub(super) const CUT_JPEG: &str = "a JPEG frame without beginning or end";

/// Allocated buffers.
#[derive(Default)]
pub(super) struct Pool {
    buffers: Vec<Arc<[u8]>>,
}

impl Pool {
    /// A buffer of at least `length` bytes, filled by `write`.
    pub(super) fn fill(&mut self, length: usize, write: impl FnOnce(&mut [u8])) -> Arc<[u8]> {
        let free = self.buffers.iter_mut().position(|buffer| Arc::get_mut(buffer).is_some());
        let mut buffer = match free.map(|at| self.buffers.swap_remove(at)) {
            Some(buffer) if buffer.len() >= length => buffer,
            _ => Arc::from(vec![0; length]),
        };
        // Nobody else holds it: just made, or found so.
        if let Some(bytes) = Arc::get_mut(&mut buffer) {
            write(bytes);
        }
        self.buffers.push(Arc::clone(&buffer));
        buffer
    }

    /// A frame without row padding, and its length in bytes; `None` if its planes are too short.
    pub(super) fn copy(
        &mut self,
        planes: &Planes,
        format: PixelFormat,
        [width, height]: [usize; 2],
    ) -> Option<(Arc<[u8]>, usize)> {
        let length = format.bytes(width, height).filter(|&length| length > 0)?;
        // Rows of the first plane, then, where colour comes after luma, half as many of pairs, as long.
        let (row, pairs) = match format {
            PixelFormat::Nv12(_) => (width, height / 2),
            _ => (length / height, 0),
        };
        let [luma, colour] = planes.bytes;
        let strides = planes.strides.map(|stride| stride.max(row));
        let enough = |bytes: &[u8], rows: usize, stride: usize| rows == 0 || bytes.len() >= (rows - 1) * stride + row;
        if !enough(luma, height, strides[0]) || !enough(colour, pairs, strides[1]) {
            return None;
        }
        let bytes = self.fill(length, |bytes| {
            let (of_luma, of_colour) = bytes[..length].split_at_mut(row * height);
            for (into, from) in of_luma.chunks_exact_mut(row).zip(luma.chunks(strides[0])) {
                into.copy_from_slice(&from[..row]);
            }
            for (into, from) in of_colour.chunks_exact_mut(row).zip(colour.chunks(strides[1])) {
                into.copy_from_slice(&from[..row]);
            }
            if planes.swapped {
                of_luma.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
            }
        });
        Some((bytes, length))
    }

    /// A JPEG from start marker to end marker, and its length in bytes; cameras may append data. `None` if a marker is
    /// missing.
    pub(super) fn copy_jpeg(&mut self, bytes: &[u8]) -> Option<(Arc<[u8]>, usize)> {
        let end = bytes.windows(2).rposition(|pair| pair == [0xff, 0xd9])?;
        let jpeg = bytes.starts_with(&[0xff, 0xd8]).then(|| &bytes[..end + 2])?;
        // Room for larger ones to come.
        let room = jpeg.len().next_multiple_of(64 << 10);
        Some((self.fill(room, |bytes| bytes[..jpeg.len()].copy_from_slice(jpeg)), jpeg.len()))
    }
}

/// A frame in the driver's memory.
pub(super) struct Planes<'a> {
    /// The first plane, and the chroma plane, if separate.
    pub(super) bytes: [&'a [u8]; 2],
    /// Bytes from row to row, in each plane.
    pub(super) strides: [usize; 2],
    /// The bytes of each pair are swapped, as in UYVY.
    pub(super) swapped: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_used_again_and_what_somebody_holds_is_not() {
        let mut pool = Pool::default();
        let first = pool.fill(8, |bytes| bytes.fill(1));
        let second = pool.fill(8, |bytes| bytes.fill(2));
        assert_ne!(first.as_ptr(), second.as_ptr());
        let place = first.as_ptr();
        drop(first);
        let third = pool.fill(6, |bytes| bytes.fill(3));
        assert_eq!((third.as_ptr(), second[0], third[0]), (place, 2, 3));
        drop(second);
        let larger = pool.fill(100, |bytes| bytes.fill(4));
        assert_eq!((larger.len(), pool.buffers.len()), (100, 2));
    }
}
