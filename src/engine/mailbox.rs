//! The queue of one frame between a camera and the judge. A newer frame replaces the one that waits, and counts it. A recording
//! that must lose nothing waits for the place instead. The mailbox also keeps the last frames, for clips and for films of cycles.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, SendTimeoutError, Sender, TrySendError};

use super::locked;
use crate::sample::Frame;
use crate::time::Stamp;

/// Bytes of frames that are kept for films, at most. Beyond, the oldest are dropped, and a film of that time has a gap.
const MOST_BYTES: usize = 512 << 20;

/// Which frames are kept.
pub(super) enum Keep {
    /// For clips of so many frames.
    Last(usize),
    /// All that came within this span.
    For(Duration),
}

/// A frame, and how many frames it replaced in the queue.
pub(super) struct QueuedFrame {
    pub(super) frame: Frame,
    pub(super) replaced: u64,
}

pub(super) struct Mailbox {
    /// `None` once it is closed.
    into: Mutex<Option<Sender<QueuedFrame>>>,
    /// The camera's own receiver: it takes out the frame that it replaces.
    from: Receiver<QueuedFrame>,
    waits: bool,
    keep: Keep,
    last: Mutex<VecDeque<Frame>>,
}

impl Mailbox {
    /// A mailbox, and the judge's end of it. With `waits`, `put` waits for the place and replaces no frame.
    pub(super) fn new(waits: bool, keep: Keep) -> (Self, Receiver<QueuedFrame>) {
        let (into, from) = channel::bounded(1);
        let mailbox = Self { into: Mutex::new(Some(into)), from: from.clone(), waits, keep, last: Mutex::default() };
        (mailbox, from)
    }

    /// Puts a frame in, unless `stopped`.
    pub(super) fn put(&self, frame: Frame, stopped: &dyn Fn() -> bool) {
        self.retain(&frame);
        let Some(into) = locked(&self.into).clone() else { return };
        let mut queued = QueuedFrame { frame, replaced: 0 };
        while !stopped() {
            queued = if self.waits {
                match into.send_timeout(queued, Duration::from_millis(100)) {
                    Err(SendTimeoutError::Timeout(queued)) => queued,
                    _ => return,
                }
            } else {
                match into.try_send(queued) {
                    Err(TrySendError::Full(queued)) => {
                        // The judge may have taken it meanwhile.
                        let older = self.from.try_recv().map_or(0, |older| 1 + older.replaced);
                        QueuedFrame { replaced: queued.replaced + older, ..queued }
                    }
                    _ => return,
                }
            };
        }
    }

    fn retain(&self, frame: &Frame) {
        let mut last = locked(&self.last);
        let above = match self.keep {
            Keep::Last(0) => return,
            Keep::Last(clip) => last.len().saturating_sub(2 * clip - 1),
            Keep::For(span) => {
                let oldest = frame.stamp.before(span);
                let room = MOST_BYTES / frame.pixels().len().max(1);
                let old = last.iter().take_while(|kept| kept.stamp < oldest).count();
                old.max(last.len().saturating_sub(room))
            }
        };
        last.drain(..above);
        last.push_back(frame.clone());
    }

    /// No frame will come any more.
    pub(super) fn close(&self) {
        locked(&self.into).take();
    }

    /// The last frames up to and with `frame`, oldest first, as many as a clip has.
    pub(super) fn clip(&self, frame: &Frame) -> Vec<Frame> {
        let Keep::Last(clip) = self.keep else { return Vec::new() };
        let last = locked(&self.last);
        let end = last.iter().rposition(|kept| kept.sequence <= frame.sequence).map_or(0, |at| at + 1);
        last.range(end.saturating_sub(clip)..end).cloned().collect()
    }

    /// When the newest frame that is kept was taken.
    pub(super) fn newest(&self) -> Option<Stamp> {
        locked(&self.last).back().map(|frame| frame.stamp)
    }

    /// All frames that are kept, oldest first.
    pub(super) fn kept(&self) -> Vec<Frame> {
        locked(&self.last).iter().cloned().collect()
    }
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
        let (mailbox, frames) = Mailbox::new(false, Keep::Last(3));
        (0..10).for_each(|i| mailbox.put(frame(i), &|| false));
        let queued = frames.try_recv().unwrap();
        assert_eq!((queued.frame.sequence, queued.replaced), (9, 9));
        mailbox.put(frame(10), &|| false);
        assert_eq!(frames.try_recv().unwrap().replaced, 0);
        let clip = |of: u64| mailbox.clip(&frame(of)).iter().map(|f| f.sequence).collect::<Vec<_>>();
        assert_eq!(clip(9), [7, 8, 9]);
        // The camera went on while a frame was judged: its clip ends with it.
        assert_eq!(clip(7), [5, 6, 7]);
        mailbox.close();
        drop(mailbox);
        assert!(frames.recv().is_err());
    }

    #[test]
    fn frames_are_kept_for_as_long_as_a_film_may_ask_for_them() {
        let (mailbox, _frames) = Mailbox::new(false, Keep::For(Duration::from_millis(100)));
        assert_eq!(mailbox.newest(), None);
        for i in 0..50 {
            let mut frame = frame(i);
            frame.stamp = Stamp { ns: i * 10_000_000 };
            mailbox.put(frame, &|| false);
        }
        let kept: Vec<u64> = mailbox.kept().iter().map(|frame| frame.sequence).collect();
        assert_eq!((kept, mailbox.newest()), ((39..50).collect(), Some(Stamp { ns: 490_000_000 })));
    }

    #[test]
    fn a_recording_waits_and_loses_nothing() {
        let (mailbox, frames) = Mailbox::new(true, Keep::Last(0));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|i| mailbox.put(frame(i), &|| false));
                mailbox.close();
            });
            let got: Vec<QueuedFrame> = (0..100).map(|_| frames.recv().unwrap()).collect();
            assert!(got.iter().all(|queued| queued.replaced == 0));
            let got: Vec<u64> = got.iter().map(|queued| queued.frame.sequence).collect();
            assert_eq!(got, (0..100).collect::<Vec<_>>());
        });
        assert_eq!(mailbox.clip(&frame(3)).len(), 0);
    }
}
