//! Memory for frames that is used again once nobody holds it: after the first frames none is allocated.

use std::sync::Arc;

/// Buffers that were handed out.
#[derive(Default)]
pub(super) struct Pool {
    buffers: Vec<Arc<[u8]>>,
}

impl Pool {
    /// A buffer of `length` bytes at least, after `write` has filled it.
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
