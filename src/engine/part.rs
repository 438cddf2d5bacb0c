//! Whether the part that a station judges by is still the one in its folder: told once for each turn of events. The station
//! goes on by what it was started with.

use std::path::Path;
use std::time::Duration;

use crossbeam::channel::Sender;

use super::feed::Event;
use super::rest;
use super::stats::Stats;
use crate::memory::folder::Standing;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after the part in `dir`, whose card had this digest, until it is told to stop.
pub(super) fn watch(dir: &Path, digest: &str, stats: &Stats, events: &Sender<Event>, stopped: &dyn Fn() -> bool) {
    let mut was = Standing::Same;
    while !stopped() {
        let is = Standing::of(dir, digest);
        if is != was {
            stats.part(is);
            let _nobody_listens_any_more = events.send(Event::Part(is));
        }
        was = is;
        rest(EVERY, stopped);
    }
}
