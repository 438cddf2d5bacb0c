//! What librosa and SciPy make of a sound: `tests/data/sound`, for the tests of this room.

use std::path::Path;

use safetensors::SafeTensors;

/// A tensor of the golden file, all its values in a row.
pub(crate) fn tensor(name: &str) -> Vec<f32> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sound/golden.safetensors");
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let view = tensors.tensor(name).unwrap();
    view.data().as_chunks::<4>().0.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect()
}

/// Compares what was got with the tensor of that name, and shows the worst element.
pub(crate) fn compare(name: &str, got: &[f32], tolerance: f32) {
    let expected = tensor(name);
    assert_eq!(got.len(), expected.len(), "{name}");
    let worst = |a: &usize, b: &usize| (got[*a] - expected[*a]).abs().total_cmp(&(got[*b] - expected[*b]).abs());
    let at = (0..got.len()).max_by(worst).unwrap();
    let off = (got[at] - expected[at]).abs();
    println!("{name}: at most {off:.1e} off");
    assert!(off <= tolerance, "{name}[{at}]: expected {}, got {} (tolerance {tolerance})", expected[at], got[at]);
}
