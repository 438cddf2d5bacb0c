//! eyear keeps to itself: without any network it does its whole work, and it writes nothing but what it was asked
//! to. ONNX Runtime's newer builds carry a telemetry client that would do both.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

#[test]
fn without_a_network_all_works_and_nothing_else_is_written() {
    let (home, work) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let part = work.path().join("part");
    let commands: [&[&str]; 3] = [
        &["teach", part.to_str().unwrap(), "--good", "tests/data/paper/train/good"],
        &["inspect", part.to_str().unwrap(), "--json", "tests/data/paper/test/good/PA_BDP01_TL_S_ND_01_2.png"],
        &["doctor"],
    ];
    for arguments in commands {
        // A network namespace of its own has no interface that is up: whatever is sent fails. Root needs no user
        // namespace for it, others do.
        let root = fs::read_to_string("/proc/self/status").unwrap().contains("\nUid:\t0\t");
        let namespaces = if root { "-n" } else { "-rn" };
        let mut command = Command::new("unshare");
        command.arg(namespaces).arg(env!("CARGO_BIN_EXE_eyear")).args(arguments);
        for variable in ["HOME", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"] {
            command.env(variable, home.path());
        }
        let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("unshare of util-linux starts");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {told}");
    }
    let left = |folder: &Path| fs::read_dir(folder).unwrap().map(|f| f.unwrap().file_name()).collect::<Vec<_>>();
    assert!(left(home.path()).is_empty(), "{:?}", left(home.path()));
    assert_eq!(left(work.path()), ["part"]);
    let mut files = left(&part);
    files.sort();
    assert!(files.len() == 2 && files[1] == "part.toml", "{files:?}");
}
