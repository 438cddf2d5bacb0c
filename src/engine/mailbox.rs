//! Between a camera and the judge: one place, in which the newest frame wins and those it replaces are counted; or, for
//! a recording that must lose nothing, one for which the recording waits. It keeps the last frames for clips.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam::channel::{self, Receiver, SendTimeoutError, Sender, TrySendError};

use crate::sample::Frame;

pub(super) struct Mailbox {
    /// `None` once it is closed.
    into: Mutex<Option<Sender<Frame>>>,
    /// The camera's own end of the receiver: it takes out what it replaces.
    from: Receiver<Frame>,
    waits: bool,
    replaced: AtomicU64,
    last: Mutex<VecDeque<Frame>>,
    clip: usize,
}

impl Mailbox {
    /// A mailbox, and the judge's end of it. With `waits`, no frame is replaced.
    pub(super) fn new(waits: bool, clip: usize) -> (Self, Receiver<Frame>) {
        let (into, from) = channel::bounded(1);
        let last = Mutex::new(VecDeque::with_capacity(clip + 1));
        let mailbox =
            Self { into: Mutex::new(Some(into)), from: from.clone(), waits, replaced: AtomicU64::new(0), last, clip };
        (mailbox, from)
    }

    /// Puts a frame in, for as long as not `stopped`.
    pub(super) fn put(&self, frame: Frame, stopped: &dyn Fn() -> bool) {
        if self.clip > 0 {
            let mut last = locked(&self.last);
            last.push_back(frame.clone());
            let above = last.len().saturating_sub(2 * self.clip);
            last.drain(..above);
        }
        let Some(into) = locked(&self.into).clone() else { return };
        let mut frame = frame;
        while !stopped() {
            frame = if self.waits {
                match into.send_timeout(frame, Duration::from_millis(100)) {
                    Err(SendTimeoutError::Timeout(frame)) => frame,
                    _ => return,
                }
            } else {
                match into.try_send(frame) {
                    Err(TrySendError::Full(frame)) => {
                        // The judge may have taken it in between.
                        let replaced = self.from.try_recv().is_ok();
                        self.replaced.fetch_add(u64::from(replaced), Ordering::Relaxed);
                        frame
                    }
                    _ => return,
                }
            };
        }
    }

    /// No frame will come any more.
    pub(super) fn close(&self) {
        locked(&self.into).take();
    }

    /// A frame gave way to newer ones elsewhere.
    pub(super) fn count_replaced(&self) {
        self.replaced.fetch_add(1, Ordering::Relaxed);
    }

    /// Frames that were replaced since this was last asked.
    pub(super) fn replaced_since(&self) -> u64 {
        self.replaced.swap(0, Ordering::Relaxed)
    }

    /// The last frames up to and with `frame`, oldest first, as many as a clip has.
    pub(super) fn clip(&self, frame: &Frame) -> Vec<Frame> {
        let last = locked(&self.last);
        let end = last.iter().rposition(|kept| kept.sequence <= frame.sequence).map_or(0, |at| at + 1);
        last.range(end.saturating_sub(self.clip)..end).cloned().collect()
    }
}

/// What a panicking thread left is still whole: each change is one step.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::PixelFormat;

    fn frame(sequence: u64) -> Frame {
        let mut frame = Frame::new(vec![0; 1], PixelFormat::Grey8, 1, 1).unwrap();
        frame.sequence = sequence;
        frame
    }

    #[test]
    fn the_newest_frame_wins_and_those_it_replaces_are_counted() {
        let (mailbox, frames) = Mailbox::new(false, 3);
        (0..10).for_each(|i| mailbox.put(frame(i), &|| false));
        assert_eq!((frames.try_recv().unwrap().sequence, mailbox.replaced_since()), (9, 9));
        assert_eq!(mailbox.replaced_since(), 0);
        let clip = |of: u64| mailbox.clip(&frame(of)).iter().map(|f| f.sequence).collect::<Vec<_>>();
        assert_eq!(clip(9), [7, 8, 9]);
        // The camera went on while a frame was judged: its clip ends with it.
        assert_eq!(clip(7), [5, 6, 7]);
        mailbox.close();
        drop(mailbox);
        assert!(frames.recv().is_err());
    }

    #[test]
    fn a_recording_waits_and_loses_nothing() {
        let (mailbox, frames) = Mailbox::new(true, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|i| mailbox.put(frame(i), &|| false));
                mailbox.close();
            });
            let got: Vec<u64> = (0..100).map(|_| frames.recv().unwrap().sequence).collect();
            assert_eq!(got, (0..100).collect::<Vec<_>>());
        });
        assert_eq!((mailbox.replaced_since(), mailbox.clip(&frame(3)).len()), (0, 0));
    }
}
