//! Samples judged by several inspectors at once. Where these come from is left to their owner: [`Inspector::fork`] makes ones
//! that share the weights.
//!
//! [`Inspector::fork`]: crate::inspect::Inspector::fork

use std::thread;

use crossbeam::channel;

use crate::error::{Error, ErrorKind};

/// Judges each of `samples` by one of `inspectors`, at least one, each of which has a thread of its own, and hands what comes of
/// it to `take` in the samples' order. One inspector needs no other thread than the caller's. An inspector is at most two samples
/// ahead of `take`, so that what is judged does not pile up.
///
/// # Errors
/// What `take` fails by, after which no more is judged; [`ErrorKind::Runtime`] when a thread cannot be started.
pub fn in_order<J: Send, T: Sync, R: Send, E: From<Error>>(
    inspectors: &mut [J],
    samples: &[T],
    judge: impl Fn(&mut J, &T) -> R + Sync,
    mut take: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let count = inspectors.len();
    if let [one] = inspectors {
        return samples.iter().try_for_each(|sample| take(sample, judge(one, sample)));
    }
    thread::scope(|scope| {
        let mut streams = Vec::with_capacity(count);
        for (i, inspector) in inspectors.iter_mut().enumerate() {
            let (into, judged) = channel::bounded(1);
            let judge = &judge;
            let stream = move || {
                for sample in samples.iter().skip(i).step_by(count) {
                    if into.send(judge(inspector, sample)).is_err() {
                        break;
                    }
                }
            };
            let name = format!("stream-{i}");
            let started = thread::Builder::new().name(name.clone()).spawn_scoped(scope, stream);
            started.map_err(|error| {
                Error::caused(ErrorKind::Runtime, format!("cannot start the thread `{name}`"), error)
            })?;
            streams.push(judged);
        }
        for (sample, judged) in samples.iter().zip(streams.iter().cycle()) {
            // A stream ends early by a panic alone, which the scope passes on.
            let Ok(judged) = judged.recv() else { break };
            take(sample, judged)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_each_inspector_works_at_the_same_time() {
        let samples: Vec<usize> = (0..30).collect();
        for count in [1, 2, 3] {
            // Nobody passes before all have come: one thread after another would wait for ever.
            let all = Barrier::new(count);
            let mut taken = Vec::new();
            let judge = |inspector: &mut usize, sample: &usize| {
                all.wait();
                (*inspector, 2 * sample)
            };
            let mut inspectors: Vec<usize> = (0..count).collect();
            let take = |sample: &usize, judged: (usize, usize)| {
                assert_eq!(judged, (sample % count, 2 * sample));
                taken.push(*sample);
                Ok::<_, Error>(())
            };
            in_order(&mut inspectors, &samples, judge, take).unwrap();
            assert_eq!(taken, samples);
        }
    }

    #[test]
    fn what_cannot_be_taken_ends_it_and_little_was_judged_ahead() {
        let judged = AtomicUsize::new(0);
        let judge = |_: &mut (), _: &usize| judged.fetch_add(1, Ordering::SeqCst);
        let samples: Vec<usize> = (0..1000).collect();
        let take = |sample: &usize, _| match sample {
            0..10 => Ok(()),
            _ => Err(Error::new(ErrorKind::Input, "full")),
        };
        let error = in_order(&mut [(), ()], &samples, judge, take).unwrap_err();
        assert_eq!(error.message(), "full");
        // Each is at most two ahead: one that waits to be taken, one in hand.
        assert!(judged.load(Ordering::SeqCst) <= 11 + 2 * 2, "{judged:?}");
        in_order(&mut [(), ()], &[], |(), _: &usize| (), |_, ()| Ok::<_, Error>(())).unwrap();
    }
}
