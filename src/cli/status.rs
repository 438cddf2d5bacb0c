//! `eyear status`: the state of a running station.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use eyear::dashboard;
use eyear::station::Station;
use serde_json::Value;

use super::Outcome;

/// Show the state of a running station
#[derive(Args)]
#[command(after_help = "Examples:
  eyear status station.toml
  eyear status 127.0.0.1:7460 --trigger")]
pub struct Arguments {
    /// The station's file, or its address, such as 127.0.0.1:7460
    station: String,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Trigger one verdict instead; for stations that judge on request
    #[arg(long)]
    trigger: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments) -> Result<Outcome> {
    let address = match arguments.station.parse::<SocketAddr>() {
        Ok(address) => address,
        Err(_) => {
            let station = Station::load(Path::new(&arguments.station))?;
            match station.reports.address {
                Some(address) => address,
                None => bail!("{}: reports.address is missing: the station has no status address", arguments.station),
            }
        }
    };
    let mut out = std::io::stdout().lock();
    if arguments.trigger {
        writeln!(out, "{}", dashboard::ask(address, "POST", "/trigger")?)?;
        return Ok(Outcome::Good);
    }
    let body = dashboard::ask(address, "GET", "/status")?;
    let status: Value = serde_json::from_str(&body).with_context(|| format!("{address} is not an eyear station"))?;
    let sources = status["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lost = sources.iter().any(|source| source["state"] == "lost");
    if arguments.json {
        writeln!(out, "{body}")?;
    } else {
        let number = |value: &Value| value.as_f64().unwrap_or(0.0);
        let word = |value: &Value| value.as_str().unwrap_or_default().to_string();
        writeln!(
            out,
            "{}: up {:.0} s, {:.0} MB{}",
            word(&status["station"]),
            number(&status["up_s"]),
            number(&status["memory_mb"]),
            status["celsius"].as_f64().map_or(String::new(), |celsius| format!(", {celsius:.0} °C"))
        )?;
        if let Some(rest @ 1..) = status["rest"].as_u64() {
            writeln!(
                out,
                "hot         thermal throttling: a pause of {rest} times its duration after each inspection"
            )?;
        }
        if status["warming"] == true {
            writeln!(out, "warming     running on the CPU until the board's provider is ready")?;
        }
        match status["part"].as_str() {
            Some("taught-anew") => writeln!(out, "part        was taught again: restart the station to use it")?,
            Some("gone") => writeln!(out, "part        folder is missing: the station keeps using the loaded part")?,
            _ => {}
        }
        let verdicts = status["verdicts"].as_object().into_iter().flatten();
        let verdicts: Vec<String> = verdicts.map(|(verdict, count)| format!("{count} {verdict}")).collect();
        let last = status["last_verdict_s"].as_f64().map_or("none yet".into(), |last| format!("{last:.1} s ago"));
        writeln!(out, "verdicts    {}; last {last}", verdicts.join(", "))?;
        let (age, oldest, replaced) = (number(&status["age_ms"]), number(&status["oldest_ms"]), &status["replaced"]);
        writeln!(
            out,
            "frames      {age:.0} ms from frame to verdict, at most {oldest:.0} ms; {replaced} replaced by newer frames"
        )?;
        let count = |what: &str| status[what].as_u64().unwrap_or(0);
        let [written, dropped, failed] = ["words_written", "words_dropped", "words_failed"].map(count);
        if written + dropped + failed > 0 {
            writeln!(out, "words       {written} reports, {dropped} skipped, {failed} failed")?;
        }
        let [spoken, dropped, failed] = ["spoken", "speech_dropped", "speech_failed"].map(count);
        if spoken + dropped + failed > 0 {
            writeln!(out, "speech      {spoken} spoken, {dropped} skipped, {failed} failed")?;
        }
        for source in sources {
            let (name, about, why) = (word(&source["name"]), word(&source["about"]), word(&source["why"]));
            let why = if why.is_empty() { why } else { format!(": {why}") };
            writeln!(out, "{name:10}  {} ({}){why}; {} delivered", word(&source["state"]), about, source["delivered"])?;
            for (kind, count) in source["faults"].as_object().into_iter().flatten() {
                writeln!(out, "            {kind} {count}")?;
            }
        }
    }
    Ok(if lost { Outcome::Bad } else { Outcome::Good })
}
