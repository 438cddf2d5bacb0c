//! How long inspections take, and how much memory the process holds.

use serde::{Deserialize, Serialize};

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// Percentiles of `times`, which are sorted in place; all zero if empty.
pub fn latency(times: &mut [f64]) -> Latency {
    times.sort_by(f64::total_cmp);
    let quantile = |q: f64| times.get(((times.len().max(1) - 1) as f64 * q).round() as usize).copied().unwrap_or(0.0);
    Latency { p50: quantile(0.5), p95: quantile(0.95), p99: quantile(0.99) }
}

/// High-water mark of this process's memory, where the system tells it (Linux).
pub fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()? / 1024.0)
}
