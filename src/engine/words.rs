//! After the verdict: the writer thread writes of what was judged, and another thread speaks it. Where moments come faster than
//! they are written of, the oldest is dropped and counted: no verdict waits for words.

use std::sync::Arc;

use crossbeam::channel::{self, Receiver, SendTimeoutError, Sender, TrySendError};

use super::feed::Event;
use super::stats::Stats;
use super::{Delivery, LOOK, Task};
use crate::decode::Sampling;
use crate::error::Result;
use crate::inspect::{Asked, Writer};
use crate::report::{Judged, Verdict, Written};
use crate::sink::speech::Voice;

/// Moments that wait for words, at most.
pub(super) const MOMENTS: usize = 16;
/// Texts that wait to be spoken, at most: what is spoken late is of a part that is gone.
pub(super) const TEXTS: usize = 1;

/// A queue that never blocks whoever puts something in: when it is full, the oldest is dropped.
pub(super) struct LatestQueue<T> {
    into: Sender<T>,
    /// Takes out what is dropped.
    from: Receiver<T>,
}

impl<T> LatestQueue<T> {
    /// A queue for `room` entries, and the thread's end of it.
    pub(super) fn new(room: usize) -> (Self, Receiver<T>) {
        let (into, from) = channel::bounded(room);
        (Self { into, from: from.clone() }, from)
    }

    /// Puts one in; how many older ones were dropped.
    pub(super) fn put(&self, one: T) -> u64 {
        let (mut one, mut gone) = (one, 0);
        loop {
            match self.into.try_send(one) {
                Err(TrySendError::Full(back)) => {
                    one = back;
                    // The thread may have taken it meanwhile.
                    gone += u64::from(self.from.try_recv().is_ok());
                }
                _ => return gone,
            }
        }
    }
}

/// The work of the writer thread: words of moments.
pub(super) struct WriterThread<'a> {
    pub(super) writer: Writer,
    pub(super) language: &'a str,
    pub(super) queues: Vec<Sender<Delivery>>,
    pub(super) voice: Option<LatestQueue<Arc<Written>>>,
    pub(super) stats: &'a Stats,
    pub(super) events: Sender<Event>,
}

impl WriterThread<'_> {
    /// Writes until the queue is closed. After `quit`, moments that still wait are counted and not written of.
    pub(super) fn work(mut self, tasks: &Receiver<Task>, quit: &dyn Fn() -> bool) {
        let mut failed = false;
        for Task { judged, evidence } in tasks {
            if quit() {
                self.stats.words(|words| words.dropped += 1);
                continue;
            }
            let asked = Asked { language: self.language, question: None, sampling: Sampling::Greedy, since: None };
            let written =
                evidence.and_then(|evidence| self.writer.write(&judged.report, &evidence, &asked, &mut |_| ()));
            match written {
                Ok(written) => {
                    failed = false;
                    self.hand_on(judged, Arc::new(written), quit);
                }
                Err(error) => {
                    self.stats.words(|words| words.failed += 1);
                    if !std::mem::replace(&mut failed, true) {
                        // Nobody listens any more when the station ends.
                        let _ended = self.events.send(Event::Unwritten { why: error.chain() });
                    }
                }
            }
        }
    }

    /// Hands words to the voice and to every sink. It waits for a slow sink, as the judge does.
    fn hand_on(&self, judged: Arc<Judged>, written: Arc<Written>, quit: &dyn Fn() -> bool) {
        if let Some(voice) = self.voice.as_ref().filter(|_| judged.report.verdict == Verdict::Fail) {
            let gone = voice.put(Arc::clone(&written));
            self.stats.words(|words| words.unsaid += gone);
        }
        let mut whole = true;
        for queue in &self.queues {
            let mut words = Delivery::Words { judged: Arc::clone(&judged), written: Arc::clone(&written) };
            whole &= loop {
                match queue.send_timeout(words, LOOK) {
                    Err(SendTimeoutError::Timeout(back)) if !quit() => words = back,
                    sent => break sent.is_ok(),
                }
            };
        }
        self.stats.words(|words| if whole { words.written += 1 } else { words.dropped += 1 });
    }
}

/// Speaks until the queue is closed. After `quit`, the rest is not spoken.
pub(super) fn speak(
    voice: &Voice,
    texts: &Receiver<Arc<Written>>,
    stats: &Stats,
    events: &Sender<Event>,
    quit: &dyn Fn() -> bool,
) -> Result<()> {
    let mut failed = false;
    for written in texts {
        match voice.speak(&written.text, quit) {
            Ok(true) => {
                failed = false;
                stats.words(|words| words.spoken += 1);
            }
            Ok(false) => stats.words(|words| words.unsaid += 1),
            Err(error) => {
                stats.words(|words| words.unspeakable += 1);
                if !std::mem::replace(&mut failed, true) {
                    let _ended = events.send(Event::Unspoken { why: error.chain() });
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_wait_and_those_that_were_dropped_are_counted() {
        let (queue, from) = LatestQueue::new(2);
        let gone: u64 = (0..7).map(|i| queue.put(i)).sum();
        assert_eq!((gone, from.try_iter().collect::<Vec<_>>()), (5, vec![5, 6]));
        assert_eq!(queue.put(7), 0);
        drop(queue);
        assert_eq!(from.iter().collect::<Vec<i32>>(), [7], "what waits is still done");
    }
}
