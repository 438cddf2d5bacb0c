//! Between a camera and the judge: one place, in which the newest frame wins and counts those that it replaced; or, for
//! a recording that must lose nothing, one for which the recording waits. It keeps the last frames for clips.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use crossbeam::channel::{self, Receiver, SendTimeoutError, Sender, TrySendError};

use super::locked;
use crate::sample::Frame;

/// A frame, and how many it has replaced.
pub(super) struct Letter {
    pub(super) frame: Frame,
    pub(super) replaced: u64,
}

pub(super) struct Mailbox {
    /// `None` once it is closed.
    into: Mutex<Option<Sender<Letter>>>,
    /// The camera's own end of the receiver: it takes out what it replaces.
    from: Receiver<Letter>,
    waits: bool,
    last: Mutex<VecDeque<Frame>>,
    clip: usize,
}

impl Mailbox {
    /// A mailbox, and the judge's end of it. With `waits`, no frame is replaced.
    pub(super) fn new(waits: bool, clip: usize) -> (Self, Receiver<Letter>) {
        let (into, from) = channel::bounded(1);
        let last = Mutex::new(VecDeque::with_capacity(clip + 1));
        let mailbox = Self { into: Mutex::new(Some(into)), from: from.clone(), waits, last, clip };
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
        let mut letter = Letter { frame, replaced: 0 };
        while !stopped() {
            letter = if self.waits {
                match into.send_timeout(letter, Duration::from_millis(100)) {
                    Err(SendTimeoutError::Timeout(letter)) => letter,
                    _ => return,
                }
            } else {
                match into.try_send(letter) {
                    Err(TrySendError::Full(letter)) => {
                        // The judge may have taken it in between.
                        let older = self.from.try_recv().map_or(0, |older| 1 + older.replaced);
                        Letter { replaced: letter.replaced + older, ..letter }
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

    /// The last frames up to and with `frame`, oldest first, as many as a clip has.
    pub(super) fn clip(&self, frame: &Frame) -> Vec<Frame> {
        let last = locked(&self.last);
        let end = last.iter().rposition(|kept| kept.sequence <= frame.sequence).map_or(0, |at| at + 1);
        last.range(end.saturating_sub(self.clip)..end).cloned().collect()
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
        let (mailbox, frames) = Mailbox::new(false, 3);
        (0..10).for_each(|i| mailbox.put(frame(i), &|| false));
        let letter = frames.try_recv().unwrap();
        assert_eq!((letter.frame.sequence, letter.replaced), (9, 9));
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
    fn a_recording_waits_and_loses_nothing() {
        let (mailbox, frames) = Mailbox::new(true, 0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                (0..100).for_each(|i| mailbox.put(frame(i), &|| false));
                mailbox.close();
            });
            let got: Vec<Letter> = (0..100).map(|_| frames.recv().unwrap()).collect();
            assert!(got.iter().all(|letter| letter.replaced == 0));
            let got: Vec<u64> = got.iter().map(|letter| letter.frame.sequence).collect();
            assert_eq!(got, (0..100).collect::<Vec<_>>());
        });
        assert_eq!(mailbox.clip(&frame(3)).len(), 0);
    }
}
