//! `eyear doctor microphone`: checks the sound and the timing of a microphone.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use eyear::prepare::listen::{self, Hearing};
use eyear::source::microphone::Microphone;
use eyear::source::recording::sound::SoundFile;
use eyear::source::{Fault, Next, Source};
use eyear::station::{self, Alsa, Recording, Station};
use eyear::time::Stamp;
use eyear::{Error, ErrorKind};
use serde::Serialize;

use super::Outcome;
use super::table::Printed;

/// Check the sound and the timing of a microphone
#[derive(Args)]
pub struct Arguments {
    /// ALSA name that stays with the card, such as hw:CARD=Mic,DEV=0
    #[arg(long, value_name = "ID", default_value = "default")]
    device: String,
    /// Use the microphone and settings of this station file
    #[arg(long, value_name = "STATION.TOML", conflicts_with_all = ["device", "rate", "channels", "format"])]
    station: Option<PathBuf>,
    /// Seconds to listen
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=600))]
    seconds: u16,
    /// Sample rate
    #[arg(long, value_name = "HZ", default_value_t = 48_000, value_parser = clap::value_parser!(u32).range(1000..=768_000))]
    rate: u32,
    /// Channels
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    channels: u16,
    /// Sample format: f32, i32, i16 or u8 [default: the widest that the card offers]
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Samples of all channels that are kept at most: a gibibyte.
const MOST_SAMPLES: u64 = 1 << 28;

/// All that was found.
#[derive(Serialize)]
struct Findings {
    device: String,
    about: String,
    seconds: f64,
    channels: Vec<Hearing>,
    delivery: Delivery,
    /// What to mend, a sentence each.
    mend: Vec<String>,
    healthy: bool,
}

/// How the samples came.
#[derive(Serialize)]
struct Delivery {
    /// Samples of one channel that came.
    samples: u64,
    /// Samples of one channel that were lost.
    lost: u64,
    /// Sample rate, by this machine's clock; after five seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    /// Parts per million by which that is more than asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_off_ppm: Option<f64>,
    /// Of a card.
    #[serde(flatten)]
    timing: Option<Timing>,
    faults: Vec<Counted>,
}

/// Milliseconds from a chunk's last sample to its arrival: the mean, and what the longest is above the shortest.
#[derive(Serialize)]
struct Timing {
    delay_ms: f64,
    jitter_ms: f64,
}

#[derive(Serialize)]
struct Counted {
    kind: &'static str,
    times: u64,
    count: u64,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let (device, settings) = match &arguments.station {
        Some(file) => {
            let name = file.display().to_string();
            let Some(microphone) = Station::load(file)?.microphone else {
                bail!("{name} has no [microphone]");
            };
            (name, microphone)
        }
        None => {
            let settings = Alsa {
                device: arguments.device.clone(),
                rate: arguments.rate,
                channels: arguments.channels,
                format: arguments.format.clone(),
                stall_ms: 2000,
            };
            (arguments.device.clone(), station::Microphone::Alsa(settings))
        }
    };
    let findings = listen_to(device, &settings, arguments.seconds.into())?;
    let mut out = std::io::stdout().lock();
    match arguments.json {
        true => writeln!(out, "{}", serde_json::to_string(&findings)?)?,
        false => tell(&mut Printed(&mut out), &findings)?,
    }
    Ok(if findings.healthy { Outcome::Good } else { Outcome::Bad })
}

fn listen_to(device: String, settings: &station::Microphone, seconds: u64) -> Result<Findings> {
    let (mut card, mut file) = (None, None);
    let (source, rate, channels): (&mut dyn Source, u32, usize) = match settings {
        station::Microphone::Alsa(wanted) => {
            few_enough(seconds, wanted.rate, wanted.channels.into())?;
            (card.insert(Microphone::open(wanted)?), wanted.rate, wanted.channels.into())
        }
        // What is recorded sounds the same at any pace.
        station::Microphone::Recording(wanted) => {
            let opened = SoundFile::open(&Recording { rate: Some(f64::INFINITY), repeat: false, ..wanted.clone() })?;
            let (rate, channels) = (opened.rate(), opened.channels());
            few_enough(seconds, rate, channels)?;
            (file.insert(opened), rate, channels)
        }
    };
    let bar = super::progress_bar("listening")?;
    bar.set_length(seconds);
    let wanted = (seconds * u64::from(rate)) as usize;
    let mut channels = vec![Vec::with_capacity(wanted); channels];
    let mut faults: Vec<Fault> = Vec::new();
    let mut delays = Vec::new();
    // A card that is far too slow ends here too.
    let end = Stamp::now().after(Duration::from_secs(2 * seconds + 5));
    while channels[0].len() < wanted && Stamp::now() < end {
        match source.next(Duration::from_millis(200))? {
            Next::Sound(sound) => {
                delays.push(Stamp::now().ms_since(sound.stamp.after(sound.duration())));
                for frame in sound.samples().chunks_exact(sound.channels()) {
                    channels.iter_mut().zip(frame).for_each(|(channel, sample)| channel.push(*sample));
                }
                bar.set_position(channels[0].len() as u64 / u64::from(rate));
            }
            Next::Fault(fault) => faults.push(fault),
            // A recording may be shorter than asked.
            Next::End => break,
            _ => {}
        }
    }
    bar.finish_and_clear();
    let about = source.describe();
    let came = channels[0].len();
    if came == 0 {
        let what = format!("microphone {device} delivered no samples for {seconds} s");
        return Err(Error::new(ErrorKind::Unavailable, what).into());
    }
    channels.iter_mut().for_each(|channel| channel.truncate(wanted));
    let hearings: Vec<Hearing> =
        channels.iter().map(|samples| listen::measure(samples, rate)).collect::<eyear::Result<_>>()?;
    let measured = card.as_ref().filter(|_| came as u64 >= 5 * u64::from(rate)).map(Microphone::measured_rate);
    let (least, most) = delays.iter().fold((f64::MAX, f64::MIN), |(least, most), d| (least.min(*d), most.max(*d)));
    let timing = card.as_ref().map(|_| {
        let delay_ms = delays.iter().sum::<f64>() / delays.len() as f64;
        Timing { delay_ms, jitter_ms: most - least }
    });
    let delivery = Delivery {
        samples: came as u64,
        lost: faults.iter().filter(|fault| fault.kind == eyear::source::FaultKind::Overrun).map(|f| f.count).sum(),
        rate: measured,
        rate_off_ppm: measured.map(|measured| (measured / f64::from(rate) - 1.0) * 1e6),
        timing,
        faults: counted(&faults),
    };
    let mend = advice(&hearings, &delivery);
    let seconds = came as f64 / f64::from(rate);
    let healthy = mend.is_empty();
    Ok(Findings { device, about, seconds, channels: hearings, delivery, mend, healthy })
}

/// Refuses what would fill the memory.
fn few_enough(seconds: u64, rate: u32, channels: usize) -> Result<()> {
    let samples = seconds * u64::from(rate) * channels as u64;
    if samples > MOST_SAMPLES {
        let what = format!("{samples} samples are too many, at most {MOST_SAMPLES}: reduce --seconds");
        return Err(Error::new(ErrorKind::Config, what).into());
    }
    Ok(())
}

fn counted(faults: &[Fault]) -> Vec<Counted> {
    let of = |kind| {
        let own = faults.iter().filter(move |fault| fault.kind == kind);
        (own.clone().count() as u64, own.map(|fault| fault.count).sum())
    };
    let all = eyear::source::FaultKind::ALL.into_iter();
    all.map(|kind| (kind.as_str(), of(kind)))
        .filter(|(_, (times, _))| *times > 0)
        .map(|(kind, (times, count))| Counted { kind, times, count })
        .collect()
}

/// What to mend in the sound of each channel, then in how it came.
fn advice(channels: &[Hearing], delivery: &Delivery) -> Vec<String> {
    let mut mend = Vec::new();
    for (number, hearing) in channels.iter().enumerate() {
        let whose = if channels.len() > 1 { format!("channel {}: ", number + 1) } else { String::new() };
        mend.extend(hearing.advice().into_iter().map(|line| format!("{whose}{line}")));
    }
    if delivery.lost > 0 {
        let lost = delivery.lost;
        mend.push(format!("{lost} samples were lost: reduce the load on this machine, or give the card its own port"));
    }
    if let Some(ppm) = delivery.rate_off_ppm.filter(|ppm| ppm.abs() > 500.0) {
        mend.push(format!(
            "the sample rate is inaccurate ({ppm:+.0} ppm): choose a native rate of the card, or replace the card"
        ));
    }
    if let Some(Timing { jitter_ms: jitter, .. }) = delivery.timing.as_ref().filter(|timing| timing.jitter_ms > 100.0) {
        mend.push(format!("chunks arrive up to {jitter:.0} ms late: reduce the load on this machine"));
    }
    for fault in delivery.faults.iter().filter(|fault| fault.kind != "overrun") {
        let Counted { kind, times, .. } = fault;
        let how = if delivery.timing.is_some() { "change the cable, the port or the card" } else { "record it again" };
        mend.push(format!("{kind} occurred {times} times: {how}"));
    }
    mend
}

fn tell(out: &mut impl std::io::Write, findings: &Findings) -> Result<()> {
    writeln!(out, "{}", findings.about)?;
    for (number, hearing) in findings.channels.iter().enumerate() {
        let Hearing { rms_dbfs, peak_dbfs, floor_dbfs, clipped, silent, dropouts, offset, hum, .. } = hearing;
        if findings.channels.len() > 1 {
            writeln!(out, "channel {}", number + 1)?;
        }
        writeln!(
            out,
            "  level      {rms_dbfs:.1} dBFS RMS, peak {peak_dbfs:.1} dBFS, noise floor {floor_dbfs:.1} dBFS"
        )?;
        let (clipped, silent, offset) = (100.0 * clipped, 100.0 * silent, 100.0 * offset);
        writeln!(
            out,
            "  samples    {clipped:.3} % clipped, {silent:.1} % silent, {dropouts} dropouts, offset {offset:.2} % of full scale"
        )?;
        match hum {
            Some(hum) => {
                let (hz, dbfs, above) = (hum.hz, hum.dbfs, hum.above_rest_db);
                writeln!(out, "  mains hum  {hz} Hz, {dbfs:.1} dBFS, {above:+.1} dB relative to the rest")?;
            }
            None => writeln!(out, "  mains hum  none")?,
        }
    }
    let Delivery { samples, lost, rate, rate_off_ppm, timing, .. } = &findings.delivery;
    writeln!(out, "  delivery   {samples} samples in {:.1} s, {lost} lost", findings.seconds)?;
    if let (Some(rate), Some(ppm)) = (rate, rate_off_ppm) {
        writeln!(out, "  rate       {rate:.2} Hz measured, {ppm:+.0} ppm")?;
    }
    if let Some(Timing { delay_ms, jitter_ms }) = timing {
        writeln!(out, "  delay      {delay_ms:.1} ms, jitter {jitter_ms:.1} ms")?;
    }
    match findings.mend.is_empty() {
        true => writeln!(out, "ok       no fault found")?,
        false => findings.mend.iter().try_for_each(|line| writeln!(out, "fix      {line}"))?,
    }
    Ok(())
}
