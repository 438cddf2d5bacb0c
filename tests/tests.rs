//! The integration tests: one binary, so that it is linked once.

/// The command line on real pictures, as a user runs it.
mod commands;
/// Imports go one way.
mod layers;
