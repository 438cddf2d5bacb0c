//! The integration tests: one binary, so that it is linked once.

// Clippy leaves unwrapping alone in test functions only, not in what they share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

/// What goes wrong with files.
mod bad_input;
/// Parts that are taught and judged by short clips of a motion.
mod clips;
/// The command line on real pictures, as a user runs it.
mod commands;
/// A station that watches cycles of a motion.
#[cfg(target_os = "linux")]
mod cycles;
/// The encoder in tiles, and out of order.
mod encoder;
/// Every flag of `--help`.
mod flags;
/// Models from elsewhere.
mod foreign;
/// Parts that are taught and judged by ear.
mod hearing;
/// A camera for tests, and what it is worth.
#[cfg(target_os = "linux")]
mod lab;
/// Imports go one way.
mod layers;
/// The microphone, against a card that fails on demand.
mod microphone;
/// What sentences say beside their numbers.
mod numbers;
/// Parts that are seen and heard.
mod pairs;
/// Parts as files.
mod parts;
/// What a camera or a program may write.
mod pictures;
/// Providers and boards.
mod providers;
/// How a part judges when its samples get worse.
mod robust;
/// No report contradicts itself.
mod sentences;
/// A station at work.
#[cfg(target_os = "linux")]
mod station;
/// What somebody changed on purpose.
mod tampered;
/// Parts that tests share.
mod taught;
/// Nothing is sent, nothing else is written.
mod telemetry;
/// The second runtime.
#[cfg(feature = "tflite")]
mod tflite;
/// Where code and data come from, who may change a part, and where nothing may be written.
#[cfg(unix)]
mod trust;
/// Words of what was found.
mod words;
