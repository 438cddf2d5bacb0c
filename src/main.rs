//! Arguments → `cli`, its outcome → an exit code. Before that, what only a program may do: it sets the variable by which newer
//! ONNX Runtimes leave telemetry out.

mod cli;

use std::process::ExitCode;

use eyear::backend::onnxruntime::NO_TELEMETRY;

fn main() -> ExitCode {
    // SAFETY: no other thread was started yet that could read the environment meanwhile.
    unsafe { std::env::set_var(NO_TELEMETRY, "1") };
    cli::run()
}
