//! Saves samples that did not pass to a folder: original image, heatmap, report, sound, and a film that shows the heatmap for
//! a second after the judged frame. For a cycle: its clip, the heatmap over its steps, and the clip with boxes around findings.

use std::borrow::Cow;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use super::{Complaints, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::prepare::pixels;
use crate::report::{Filmed, Judged, Report, Verdict, Written};
use crate::sample::{Clip, Moment, PixelFormat, Sense, Sound};
use crate::show::avi::Film;
use crate::show::picture::{Picture, fit};
use crate::show::{draw, html};

/// Most pixels of the longer side of the clip with boxes. It is made while the next cycle is recorded.
const WATCHED_SIDE: usize = 640;

/// A folder for samples that did not pass.
pub struct Evidence {
    dir: PathBuf,
    /// Whether a failure was reported since the last success.
    failed: bool,
    tell: Complaints,
}

impl Evidence {
    /// Saves to `dir`, which is created if missing. `tell` gets a message when writing fails.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be made.
    pub fn create(dir: &Path, tell: Complaints) -> Result<Self> {
        fs::create_dir_all(dir).map_err(|error| Error::io("make", dir, error))?;
        Ok(Self { dir: dir.into(), failed: false, tell })
    }

    fn keep(&self, judged: &Judged, moment: &Moment) -> Result<()> {
        let stem = stem(judged);
        let json = serde_json::to_string_pretty(judged);
        let json = json.map_err(|error| Error::caused(ErrorKind::Io, "cannot write the report", error))?;
        self.write(&format!("{stem}.json"), json.as_bytes())?;
        if let Some(sound) = &moment.sound {
            self.write(&format!("{stem}.wav"), &wav(sound)?)?;
        }
        if let Some(filmed) = &judged.film {
            return self.keep_cycle(&stem, filmed, &judged.report, moment);
        }
        let heard = judged.report.sense(Sense::Sound);
        if let Some((own, picture)) = heard.and_then(|own| Some((own, own.picture.as_ref()?))) {
            let size = [picture.width(), picture.height()];
            let overlay = draw::overlay(&Picture::of(picture)?, size, &judged.report, own);
            self.write(&format!("{stem}.sound.overlay.png"), &overlay.png()?)?;
        }
        let Some(frame) = &moment.frame else { return Ok(()) };
        if frame.format() == PixelFormat::Jpeg {
            self.write(&format!("{stem}.jpg"), frame.pixels())?;
        }
        let mut overlay = None;
        // A damaged frame is kept as it came.
        if let Ok(plain) = pixels::plain(frame) {
            let picture = Picture::of(&plain)?;
            if frame.format() != PixelFormat::Jpeg {
                self.write(&format!("{stem}.png"), &picture.png()?)?;
            }
            if let Some(own) = judged.report.sense(Sense::Image).filter(|own| own.is_valid()) {
                let drawn = draw::overlay(&picture, [frame.width(), frame.height()], &judged.report, own);
                self.write(&format!("{stem}.overlay.png"), &drawn.png()?)?;
                overlay = Some(drawn);
            }
        }
        let Some(film) = Film::of(&moment.film, None)? else { return Ok(()) };
        self.write(&format!("{stem}.avi"), &film.avi(None))?;
        let Some(overlay) = overlay else { return Ok(()) };
        let at = moment.film.iter().filter(|shown| shown.stamp <= frame.stamp).count();
        self.write(&format!("{stem}.overlay.avi"), &film.avi(Some((at, &overlay.jpeg()?))))
    }

    fn keep_cycle(&self, stem: &str, filmed: &Filmed, report: &Report, moment: &Moment) -> Result<()> {
        let frames = moment.clip.as_ref().map_or(&[][..], Clip::frames);
        let Some(mut film) = Film::of(frames, Some(filmed))? else { return Ok(()) };
        self.write(&format!("{stem}.avi"), &film.avi(None))?;
        let Some(own) = report.sense(Sense::Clip).filter(|own| own.is_valid()) else { return Ok(()) };
        let (Some(steps), Some(picture)) = (&own.steps, &own.picture) else { return Ok(()) };
        self.write(&format!("{stem}.overlay.png"), &html::overlay(picture, report, own)?.png()?)?;
        film.size = fit(film.size, WATCHED_SIDE);
        for (i, frame) in frames.iter().enumerate() {
            let mut picture = Picture::of(&pixels::plain(frame)?)?.resized(film.size)?;
            draw::findings_at(&mut picture, report, own, i * steps.tiles * steps.tiles / frames.len());
            film.jpegs[i] = Cow::Owned(picture.jpeg()?);
        }
        self.write(&format!("{stem}.overlay.avi"), &film.avi(None))
    }

    /// A full disk does not stop the station: it is reported once, and writing is retried.
    fn tell_once(&mut self, kept: Result<()>) {
        match kept {
            Ok(()) => self.failed = false,
            Err(error) => {
                if !self.failed {
                    (self.tell)(&format!("evidence cannot be saved: {}", error.chain()));
                }
                self.failed = true;
            }
        }
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        // An unfinished file must not look like evidence.
        let half = self.dir.join(format!("{name}.half"));
        let written = fs::write(&half, bytes).and_then(|()| fs::rename(&half, &path));
        written.map_err(|error| {
            let _gone = fs::remove_file(&half);
            Error::io("write", &path, error)
        })
    }
}

/// Stem of a sample's files. It contains the time, so that a restarted station overwrites nothing.
fn stem(judged: &Judged) -> String {
    format!("{}-{:06}", judged.unix_ms, judged.moment)
}

/// The sound as WAV with 32-bit floats, lossless.
fn wav(sound: &Sound) -> Result<Vec<u8>> {
    let failed = |error| Error::caused(ErrorKind::Io, "cannot write the sound", error);
    let spec = hound::WavSpec {
        channels: sound.channels() as u16,
        sample_rate: sound.rate(),
        bits_per_sample: 32,
        sample_format: hound::SampleFormat::Float,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut bytes, spec).map_err(failed)?;
    sound.samples().iter().try_for_each(|&sample| writer.write_sample(sample)).map_err(failed)?;
    writer.finalize().map_err(failed)?;
    Ok(bytes.into_inner())
}

impl Sink for Evidence {
    fn name(&self) -> &'static str {
        "evidence"
    }

    fn take(&mut self, judged: &Judged, moment: &Moment) -> Result<()> {
        if judged.report.verdict != Verdict::Pass {
            let kept = self.keep(judged, moment);
            self.tell_once(kept);
        }
        Ok(())
    }

    fn take_words(&mut self, of: &Judged, written: &Written) -> Result<()> {
        if of.report.verdict != Verdict::Pass {
            let text = format!("{}\n[{}]\n", written.text, written.mark());
            let stem = stem(of);
            let mut kept = self.write(&format!("{stem}.txt"), text.as_bytes());
            // Players load subtitles with the film's name automatically.
            if self.dir.join(format!("{stem}.overlay.avi")).exists() {
                let shown = format!("1\n00:00:00,000 --> 00:59:59,000\n{text}");
                kept = kept.and(self.write(&format!("{stem}.overlay.srt"), shown.as_bytes()));
            }
            self.tell_once(kept);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::sample::Frame;
    use crate::testing;
    use crate::time::Stamp;

    fn judged(verdict: Verdict) -> Judged {
        Judged {
            station: "lid".into(),
            moment: 7,
            frame: Some(41),
            unix_ms: 1_700_000_000_000,
            age_ms: 20.0,
            replaced: 0,
            sound: None,
            film: None,
            alarm: None,
            faults: Vec::new(),
            report: testing::report(verdict),
        }
    }

    fn moment(frames: u64) -> Moment {
        let frame = |sequence: u64| {
            let mut frame = Frame::new(vec![40 * sequence as u8; 8 * 8], PixelFormat::Grey8, 8, 8).unwrap();
            (frame.sequence, frame.stamp) = (sequence, Stamp { ns: sequence * 40_000_000 });
            frame
        };
        let sound = Sound::new(vec![0.25, -1.0, 0.0, 1.0], 8000, 2).unwrap();
        let film = (0..frames).map(frame).collect();
        Moment { frame: Some(frame(frames - 1)), film, sound: Some(sound), clip: None }
    }

    #[test]
    fn what_passed_is_not_kept_and_what_failed_is_kept_whole() {
        let home = tempfile::TempDir::new().unwrap();
        let dir = home.path().join("evidence");
        let mut sink = Evidence::create(&dir, Box::new(|why| panic!("{why}"))).unwrap();
        sink.take(&judged(Verdict::Pass), &moment(3)).unwrap();
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 0);
        sink.take(&judged(Verdict::Fail), &moment(3)).unwrap();
        let mut names: Vec<String> =
            fs::read_dir(&dir).unwrap().map(|f| f.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        let stem = "1700000000000-000007";
        let kept = ["avi", "json", "overlay.avi", "overlay.png", "png", "wav"].map(|ending| format!("{stem}.{ending}"));
        assert_eq!(names, kept);
        let mut sound = hound::WavReader::open(dir.join(&kept[5])).unwrap();
        assert_eq!((sound.spec().sample_rate, sound.spec().channels), (8000, 2));
        assert_eq!(sound.samples::<f32>().map(Result::unwrap).collect::<Vec<_>>(), [0.25, -1.0, 0.0, 1.0]);
        let film = |name: &str| {
            let film = fs::read(dir.join(name)).unwrap();
            assert!(film.starts_with(b"RIFF"));
            // A frame is named where it stands and in the index.
            film.windows(4).filter(|w| w == b"00dc").count() / 2
        };
        // At 25 frames a second the overlay stands in the film for a second.
        assert_eq!([film(&kept[0]), film(&kept[2])], [3, 3 + 25]);
        let written = testing::written();
        sink.take_words(&judged(Verdict::Fail), &written).unwrap();
        let subtitles = fs::read_to_string(dir.join(format!("{stem}.overlay.srt"))).unwrap();
        let [number, span, text, mark] = subtitles.lines().collect::<Vec<_>>()[..] else { panic!("{subtitles}") };
        assert_eq!((number, span, text), ("1", "00:00:00,000 --> 00:59:59,000", &*written.text));
        assert!(mark.contains("generated"), "{mark}");
    }

    #[test]
    fn the_overlay_stands_behind_the_frame_that_was_judged() {
        let clip = moment(4).film;
        let film = Film::of(&clip, None).unwrap().unwrap();
        let bytes = film.avi(Some((2, b"still")));
        let at = |jpeg: &[u8]| bytes.windows(jpeg.len()).position(|w| w == jpeg).unwrap();
        assert!(at(&film.jpegs[1]) < at(b"still") && at(b"still") < at(&film.jpegs[2]));
        assert!(Film::of(&clip[..1], None).unwrap().is_none());
    }

    #[test]
    fn a_place_that_takes_nothing_is_told_once_and_stops_nothing() {
        let home = tempfile::TempDir::new().unwrap();
        let dir = home.path().join("evidence");
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let tell = move |why: &str| heard.lock().unwrap().push(why.to_string());
        let mut sink = Evidence::create(&dir, Box::new(tell)).unwrap();
        fs::remove_dir(&dir).unwrap();
        (0..3).for_each(|_| sink.take(&judged(Verdict::Fail), &moment(2)).unwrap());
        fs::create_dir(&dir).unwrap();
        sink.take(&judged(Verdict::Fail), &moment(2)).unwrap();
        let told = told.lock().unwrap();
        assert!(told.len() == 1 && told[0].starts_with("evidence cannot be saved: cannot write"), "{told:?}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 6);
    }
}
