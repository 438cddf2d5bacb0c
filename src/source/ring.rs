//! Ring buffers from an audio callback to the reading thread, one for samples and one for marks. The writer is lock-free
//! and allocates nothing. Time stamps from marks are left to `pace`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rtrb::{Consumer, Producer, RingBuffer};

use crate::time::Stamp;

/// Most waiting chunks; more than fit into the ring of samples unless chunks are very short.
const MARKS: usize = 1024;

/// Interleaved samples in the driver's format.
#[derive(Debug, Clone, Copy)]
pub enum Samples<'a> {
    /// -1 to 1.
    F32(&'a [f32]),
    /// Full scale is 2^31; `f32` keeps 24 bits of it.
    I32(&'a [i32]),
    /// Full scale is 2^15; exact in `f32`.
    I16(&'a [i16]),
    /// Silence is 128, full scale is 2^7; exact in `f32`.
    U8(&'a [u8]),
}

impl Samples<'_> {
    fn len(&self) -> usize {
        match self {
            Self::F32(samples) => samples.len(),
            Self::I32(samples) => samples.len(),
            Self::I16(samples) => samples.len(),
            Self::U8(samples) => samples.len(),
        }
    }
}

/// Position and times of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Samples of one channel that the driver delivered before it.
    pub position: u64,
    /// Samples of one channel in it.
    pub frames: usize,
    /// Time of its first sample.
    pub stamp: Stamp,
    /// Time of its arrival.
    pub arrival: Stamp,
    /// The driver's clock at that time, in nanoseconds from an arbitrary origin.
    pub driver_ns: u64,
    /// Number of driver stops before it.
    pub stops: u32,
}

/// The writing end, for the callback.
pub struct Writer {
    samples: Producer<f32>,
    marks: Producer<Mark>,
    stops: Arc<AtomicU32>,
    channels: usize,
    position: u64,
}

/// The reading end.
pub struct Reader {
    samples: Consumer<f32>,
    marks: Consumer<Mark>,
    channels: usize,
}

/// Counts stops of the driver; called by the error callback.
#[derive(Clone)]
pub struct Stops(Arc<AtomicU32>);

impl Stops {
    /// Records a stop: the next samples do not continue the previous ones.
    pub fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A ring for `frames` samples of each of `channels` channels.
pub fn ring(channels: usize, frames: usize) -> (Writer, Stops, Reader) {
    let (samples_in, samples_out) = RingBuffer::new(channels * frames);
    let (marks_in, marks_out) = RingBuffer::new(MARKS);
    let stops = Arc::new(AtomicU32::new(0));
    let writer = Writer { samples: samples_in, marks: marks_in, stops: stops.clone(), channels, position: 0 };
    (writer, Stops(stops), Reader { samples: samples_out, marks: marks_out, channels })
}

impl Writer {
    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Stores a chunk that arrived at `arrival` (driver clock `driver_ns`) and whose first sample has the time `stamp`. A chunk
    /// that does not fit is dropped whole; the position of the next one shows the gap.
    pub fn write(&mut self, samples: Samples<'_>, stamp: Stamp, arrival: Stamp, driver_ns: u64) {
        let frames = samples.len() / self.channels;
        let position = self.position;
        self.position += frames as u64;
        if self.marks.is_full() {
            return;
        }
        let Ok(chunk) = self.samples.write_chunk_uninit(frames * self.channels) else { return };
        match samples {
            Samples::F32(samples) => chunk.fill_from_iter(samples.iter().copied()),
            Samples::I32(samples) => chunk.fill_from_iter(samples.iter().map(|&s| s as f32 / 2_147_483_648.0)),
            Samples::I16(samples) => chunk.fill_from_iter(samples.iter().map(|&s| f32::from(s) / 32_768.0)),
            Samples::U8(samples) => chunk.fill_from_iter(samples.iter().map(|&s| (f32::from(s) - 128.0) / 128.0)),
        };
        let stops = self.stops.load(Ordering::Relaxed);
        // There is room: only this end writes.
        let _written = self.marks.push(Mark { position, frames, stamp, arrival, driver_ns, stops });
    }
}

impl Reader {
    /// The next chunk, if any: its mark and its interleaved samples.
    pub fn read(&mut self) -> Option<(Mark, Arc<[f32]>)> {
        let mark = self.marks.pop().ok()?;
        // The samples were written before their mark.
        let chunk = self.samples.read_chunk(mark.frames * self.channels).ok()?;
        let (head, tail) = chunk.as_slices();
        let samples = head.iter().chain(tail).copied().collect();
        chunk.commit_all();
        Some((mark, samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(writer: &mut Writer, samples: Samples<'_>) {
        writer.write(samples, Stamp { ns: 1 }, Stamp { ns: 2 }, 3);
    }

    #[test]
    fn every_format_comes_exactly_scaled() {
        let (mut writer, _, mut reader) = ring(1, 64);
        write(&mut writer, Samples::I16(&[i16::MIN, -1, 0, 1, i16::MAX]));
        write(&mut writer, Samples::I32(&[i32::MIN, 0, 1 << 8, i32::MAX]));
        write(&mut writer, Samples::U8(&[0, 128, 255]));
        write(&mut writer, Samples::F32(&[-1.0, 0.5, 1.0]));
        let mut next = || reader.read().unwrap().1.to_vec();
        let back: Vec<i16> = next().iter().map(|sample| (sample * 32_768.0) as i16).collect();
        assert_eq!(back, [i16::MIN, -1, 0, 1, i16::MAX]);
        assert_eq!(next(), [-1.0, 0.0, 1.0 / 8_388_608.0, 1.0]);
        assert_eq!(next(), [-1.0, 0.0, 127.0 / 128.0]);
        assert_eq!(next(), [-1.0, 0.5, 1.0]);
        assert!(reader.read().is_none());
    }

    #[test]
    fn what_finds_no_room_is_told_by_the_next_position() {
        let (mut writer, stops, mut reader) = ring(2, 5);
        for round in 0..100u64 {
            write(&mut writer, Samples::I16(&[1, 2, 3, 4, 5, 6]));
            write(&mut writer, Samples::I16(&[7, 8, 9, 10, 11, 12]));
            stops.count();
            let (mark, samples) = reader.read().unwrap();
            assert_eq!((mark.position, mark.frames, samples.len()), (6 * round, 3, 6));
            assert_eq!(u64::from(mark.stops), round);
            assert!(samples.iter().zip(1..).all(|(&sample, value)| sample * 32_768.0 == value as f32));
            assert!(reader.read().is_none(), "the second chunk found no room");
        }
    }

    #[test]
    fn marks_that_nobody_reads_do_not_stop_the_writer() {
        let (mut writer, _, mut reader) = ring(1, 1 << 16);
        for _ in 0..2 * MARKS {
            write(&mut writer, Samples::U8(&[128]));
        }
        let mut read = 0;
        while reader.read().is_some() {
            read += 1;
        }
        assert_eq!(read, MARKS);
        write(&mut writer, Samples::U8(&[128]));
        assert_eq!(reader.read().unwrap().0.position, 2 * MARKS as u64);
    }

    #[test]
    fn two_threads_lose_nothing() {
        let (mut writer, _, mut reader) = ring(1, 1000);
        let thread = std::thread::Builder::new().spawn(move || {
            let mut value = 0u32;
            while value < 200_000 {
                let chunk: Vec<f32> = (value..value + 100).map(|v| v as f32).collect();
                let before = writer.position;
                while writer.samples.slots() < 100 || writer.marks.is_full() {
                    std::thread::yield_now();
                }
                write(&mut writer, Samples::F32(&chunk));
                assert_eq!(writer.position, before + 100);
                value += 100;
            }
        });
        let mut expected = 0u64;
        while expected < 200_000 {
            let Some((mark, samples)) = reader.read() else {
                std::thread::yield_now();
                continue;
            };
            assert_eq!(mark.position, expected);
            assert!(samples.iter().all(|&sample| {
                expected += 1;
                sample == (expected - 1) as f32
            }));
        }
        thread.unwrap().join().unwrap();
    }
}
