//! Model packages: `model.toml` and the files that it names, and what an ONNX file holds, read without running it.

pub mod manifest;
pub mod onnx;
