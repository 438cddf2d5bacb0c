//! `boards/<name>.toml`: settings that suit a board → [`Board`], checked. Also detects the board of this machine.
//! `backend` finds out which providers can be used; [`Thermometer`] reads temperatures, and the engine acts on them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::installed;
use crate::tensor::Precision;

/// The boards that come with eyear, by name. A board of your own is a file: `--board my.toml`.
pub const BOARDS: &[(&str, &str)] = &[
    ("raspberry-pi-4", include_str!("../boards/raspberry-pi-4.toml")),
    ("raspberry-pi-5", include_str!("../boards/raspberry-pi-5.toml")),
    ("jetson-nano", include_str!("../boards/jetson-nano.toml")),
    ("jetson-orin-nano", include_str!("../boards/jetson-orin-nano.toml")),
    ("jetson-agx-orin", include_str!("../boards/jetson-agx-orin.toml")),
    ("x86-openvino", include_str!("../boards/x86-openvino.toml")),
    ("macos", include_str!("../boards/macos.toml")),
    ("android", include_str!("../boards/android.toml")),
    ("desk", include_str!("../boards/desk.toml")),
];

/// A board: its settings and limits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    /// Its title.
    pub title: String,
    /// How it was tested.
    pub proven: Proven,
    /// The same per processor, as Rust names it, for a board file that covers several.
    #[serde(default)]
    pub proven_on: BTreeMap<String, Proven>,
    /// How the board is detected.
    #[serde(default)]
    pub detect: Detect,
    /// Preferred precision of the encoders.
    #[serde(default = "default_precision")]
    pub precision: Precision,
    /// Threads per encoder; by default one per core, up to four.
    pub threads: Option<usize>,
    /// Processors that eyear uses, by the system's numbers, so that the others stay free for other work; by default
    /// all. Linux only.
    #[serde(default)]
    pub cores: Vec<usize>,
    /// Memory limit of an inspecting process in megabytes; `eyear prepare` rejects what needs more.
    pub memory_mb: Option<u64>,
    /// Time limit of an inspection in milliseconds; `eyear prepare` reports which choices keep it.
    pub latency_ms: Option<u64>,
    /// Execution providers to try, best first. The CPU serves what none of them takes.
    #[serde(default, rename = "provider")]
    pub providers: Vec<Provider>,
    /// Recommended `camera.device` line of a station file for this board.
    pub camera: Option<String>,
    /// The command that sets the power mode in which the figures were measured.
    pub power: Option<String>,
    /// Temperature limits.
    #[serde(default)]
    pub thermal: Thermal,
}

/// How a board was tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proven {
    /// eyear ran on the board itself.
    Hardware,
    /// eyear ran on an emulator of its processor.
    Emulated,
    /// eyear was compiled for it.
    Compiled,
    /// Nothing was tested.
    Untried,
}

impl Proven {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hardware => "run on hardware",
            Self::Emulated => "run under emulation",
            Self::Compiled => "compiled only",
            Self::Untried => "untried",
        }
    }
}

/// How a board is detected. All given fields must match; a board without any is never detected.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Detect {
    /// Operating system, as Rust names it: `linux`, `macos`, `android`.
    pub os: Option<String>,
    /// Processor, as Rust names it: `x86_64`, `aarch64`.
    pub arch: Option<String>,
    /// The device tree's model contains one of these, such as `Raspberry Pi 5`.
    pub model: Vec<String>,
    /// The processor's vendor is one of these, such as `GenuineIntel`.
    pub vendor: Vec<String>,
}

/// A requested execution provider with its raw options; the provider's own file checks them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provider {
    /// Its name: `cpu`, `openvino`, `tensorrt`, …
    pub name: String,
    /// All other options.
    #[serde(flatten)]
    pub options: toml::Table,
}

impl Provider {
    /// Resolves a library's relative path against the folder of the file that names it, never the current folder: a
    /// library is code. A bare name is left as it is.
    fn beside(&mut self, file: &Path) {
        let Some(toml::Value::String(library)) = self.options.get_mut("library") else { return };
        if Path::new(library.as_str()).components().count() > 1 {
            *library = file.with_file_name(&*library).display().to_string();
        }
    }
}

/// Degrees Celsius from which a station slows down.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thermal {
    /// From here on a station pauses after each inspection for as long as it took.
    pub warm: f32,
    /// From here on it pauses four times as long.
    pub hot: f32,
}

impl Default for Thermal {
    fn default() -> Self {
        Self { warm: 80.0, hot: 90.0 }
    }
}

fn default_precision() -> Precision {
    Precision::Int8
}

/// Capacity of the system's processor set.
const MOST_CORES: usize = 1024;

impl Board {
    /// A board by its name, in [`BOARDS`] or as `NAME.toml` in a folder of [`installed::boards`]; or from a file.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] naming the file and the field; [`ErrorKind::Unavailable`] when there is no such board.
    pub fn find(name_or_path: &str) -> Result<Self> {
        if let Some((name, text)) = BOARDS.iter().find(|(name, _)| *name == name_or_path) {
            return Self::parse(name, text, &format!("boards/{name}.toml"));
        }
        let given = PathBuf::from(name_or_path);
        let is_name = given.file_name().is_some_and(|name| name == given.as_os_str());
        let folders = if is_name { installed::boards() } else { Vec::new() };
        let named = folders.iter().map(|(dir, _)| dir.join(format!("{name_or_path}.toml")));
        let Some(path) = named.chain([given]).find(|path| path.is_file()) else {
            let known: Vec<&str> = BOARDS.iter().map(|(name, _)| *name).collect();
            let what = format!("no board `{name_or_path}`: neither a file nor one of {}", known.join(", "));
            return Err(Error::new(ErrorKind::Unavailable, what));
        };
        let text = fs::read_to_string(&path).map_err(|error| Error::io("read", &path, error))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let mut board = Self::parse(&name, &text, &path.display().to_string())?;
        board.providers.iter_mut().for_each(|provider| provider.beside(&path));
        Ok(board)
    }

    /// The board of `machine`; `desk` if none of [`BOARDS`] matches.
    ///
    /// # Errors
    /// As [`Board::find`].
    pub fn detect(machine: &Machine) -> Result<Self> {
        for (name, _) in BOARDS {
            let board = Self::find(name)?;
            if board.detect.holds(machine) {
                return Ok(board);
            }
        }
        Self::find("desk")
    }

    /// Restricts the calling thread, and those that it starts from now on, to the board's [`Board::cores`].
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when this machine has none of them, or the system does not support it.
    pub fn keep_to_cores(&self) -> Result<()> {
        if self.cores.is_empty() {
            return Ok(());
        }
        let refused = |why: String| {
            let cores: Vec<String> = self.cores.iter().map(ToString::to_string).collect();
            let what = format!("board `{}`: cannot keep to `cores` {}: {why}", self.name, cores.join(", "));
            Error::new(ErrorKind::Unavailable, what)
        };
        #[cfg(target_os = "linux")]
        {
            // SAFETY: a set of processors is plain bits, of which all may be nought.
            let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
            for &core in &self.cores {
                // SAFETY: `parse` lets no number in that the set has no bit for.
                unsafe { libc::CPU_SET(core, &mut set) };
            }
            // SAFETY: the set lives until the call is over, and its size is told; 0 is the calling thread.
            match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) } {
                0 => Ok(()),
                _ => Err(refused(std::io::Error::last_os_error().to_string())),
            }
        }
        #[cfg(not(target_os = "linux"))]
        Err(refused("this system has no such call".into()))
    }

    /// How it was tested with the processor of `machine`.
    pub fn proven(&self, machine: &Machine) -> Proven {
        self.proven_on.get(machine.arch).copied().unwrap_or(self.proven)
    }

    fn parse(name: &str, text: &str, file: &str) -> Result<Self> {
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{file}: {what}"));
        let mut board: Self = toml::from_str(text).map_err(|error| wrong(error.message().into()))?;
        board.name = name.into();
        let Thermal { warm, hot } = board.thermal;
        if !(warm > 0.0 && warm <= hot && hot < 150.0) {
            return Err(wrong(format!("`thermal` wants 0 < warm <= hot < 150 degrees, got {warm} and {hot}")));
        }
        if board.threads.is_some_and(|threads| !(1..=256).contains(&threads)) {
            return Err(wrong("`threads` is 1 to 256".into()));
        }
        if let Some(core) = board.cores.iter().find(|core| **core >= MOST_CORES) {
            return Err(wrong(format!("`cores` holds numbers below {MOST_CORES}, got {core}")));
        }
        Ok(board)
    }
}

impl Detect {
    fn holds(&self, machine: &Machine) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let any = |wanted: &[String], found: Option<&str>| {
            wanted.is_empty() || found.is_some_and(|found| wanted.iter().any(|wanted| found.contains(wanted.as_str())))
        };
        *self != Self::default()
            && is(&self.os, machine.os)
            && is(&self.arch, machine.arch)
            && any(&self.model, machine.model.as_deref())
            && any(&self.vendor, machine.vendor.as_deref())
    }
}

/// Identification of a machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Machine {
    /// Operating system, as Rust names it.
    pub os: &'static str,
    /// Processor, as Rust names it.
    pub arch: &'static str,
    /// Model by the device tree, else by the firmware (DMI): `Raspberry Pi 5 Model B Rev 1.0`.
    pub model: Option<String>,
    /// The processor's vendor: `GenuineIntel`.
    pub vendor: Option<String>,
    /// NVIDIA's release of the board's software: `R36 (release), REVISION: 4.3`.
    pub jetpack: Option<String>,
    /// Devices of neural accelerators: `/dev/accel/accel0`.
    pub accelerators: Vec<String>,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        Self { os: std::env::consts::OS, arch: std::env::consts::ARCH, ..Self::under(Path::new("/")) }
    }

    /// From the files under `root`, the root of a Linux system.
    pub fn under(root: &Path) -> Self {
        let read = |path: &str| {
            let text = fs::read(root.join(path)).ok()?;
            let text = String::from_utf8_lossy(&text);
            // The device tree's strings end with a zero byte.
            Some(text.trim_end_matches('\0').trim().to_string()).filter(|text| !text.is_empty())
        };
        let of_firmware = || {
            let [maker, product] = ["sys_vendor", "product_name"].map(|of| read(&format!("sys/class/dmi/id/{of}")));
            Some([maker?, product?].join(" "))
        };
        let vendor = || {
            let processor = read("proc/cpuinfo")?;
            let line = processor.lines().find(|line| line.starts_with("vendor_id"))?;
            Some(line.split_once(':')?.1.trim().to_string())
        };
        let jetpack = || Some(read("etc/nv_tegra_release")?.lines().next()?.trim_start_matches("# ").to_string());
        let mut accelerators: Vec<String> = ["dev/accel", "dev"]
            .iter()
            .flat_map(|dir| fs::read_dir(root.join(dir)).into_iter().flatten().flatten())
            .filter(|entry| {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                ["accel", "apex_", "nvhost-nvdla", "rknpu", "hailo"].iter().any(|by| name.starts_with(by))
                    && !entry.path().is_dir()
            })
            .map(|entry| format!("/{}", entry.path().strip_prefix(root).unwrap_or(&entry.path()).display()))
            .collect();
        accelerators.sort();
        Self {
            os: "linux",
            arch: "",
            model: read("proc/device-tree/model").or_else(of_firmware),
            vendor: vendor(),
            jetpack: jetpack(),
            accelerators,
        }
    }
}

/// The temperatures of a Linux system.
#[derive(Debug, Clone)]
pub struct Thermometer {
    root: PathBuf,
}

/// A board's sensor readings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Condition {
    /// Temperature of the hottest zone in degrees Celsius.
    pub celsius: Option<f32>,
    /// Its name, such as `cpu-thermal`.
    pub zone: Option<String>,
    /// Current and maximum clock of the first core, in MHz.
    pub megahertz: Option<[u32; 2]>,
    /// What limits it, as the board reports: `under-voltage`, `throttled`, …
    pub held_back: Vec<&'static str>,
}

impl Thermometer {
    /// For the system under `root`, which is `/` except in tests.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Reads the sensors; missing ones are left out.
    pub fn read(&self) -> Condition {
        let text = |path: &Path| fs::read_to_string(path).ok().map(|text| text.trim().to_string());
        let zones = fs::read_dir(self.root.join("sys/class/thermal")).into_iter().flatten().flatten();
        let zones = zones.filter(|entry| entry.file_name().to_string_lossy().starts_with("thermal_zone"));
        let hottest = zones
            .filter_map(|zone| {
                let degrees = text(&zone.path().join("temp"))?.parse::<f32>().ok()? / 1000.0;
                // A disabled sensor reads 0 or far below.
                (degrees > 0.0 && degrees < 150.0).then(|| (degrees, text(&zone.path().join("type"))))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let frequency = |of: &str| {
            let path = self.root.join("sys/devices/system/cpu/cpu0/cpufreq").join(of);
            text(&path)?.parse::<u32>().ok().map(|kilohertz| kilohertz / 1000)
        };
        Condition {
            celsius: hottest.as_ref().map(|(degrees, _)| *degrees),
            zone: hottest.and_then(|(_, zone)| zone),
            megahertz: frequency("scaling_cur_freq").zip(frequency("cpuinfo_max_freq")).map(<[u32; 2]>::from),
            held_back: self.held_back().unwrap_or_default(),
        }
    }

    /// From a Raspberry Pi's firmware (`vcgencmd get_throttled`): the lower bits are the current state.
    fn held_back(&self) -> Option<Vec<&'static str>> {
        let path = self.root.join("sys/devices/platform/soc/soc:firmware/get_throttled");
        let text = fs::read_to_string(path).ok()?;
        let bits = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?;
        let told = [(0, "under-voltage"), (1, "frequency capped"), (2, "throttled"), (3, "soft temperature limit")];
        Some(told.into_iter().filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, what)| what).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_thread_keeps_to_the_cores_that_a_board_names_and_so_do_those_it_starts() {
        let allowed = || {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim().to_string()
        };
        let before = allowed();
        let board = |cores: &str| {
            let text = format!("title = \"mine\"\nproven = \"untried\"\ncores = {cores}\n");
            Board::parse("mine", &text, "mine.toml")
        };
        let first: usize = before.split([',', '-']).next().unwrap().parse().unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                board(&format!("[{first}]")).unwrap().keep_to_cores().unwrap();
                assert_eq!(
                    (allowed(), std::thread::Builder::new().spawn(allowed).unwrap().join().unwrap()),
                    (first.to_string(), first.to_string())
                );
                let error = board("[1001]").unwrap().keep_to_cores().unwrap_err();
                assert!(error.message().starts_with("board `mine`: cannot keep to `cores` 1001: "), "{error}");
            });
        });
        board("[]").unwrap().keep_to_cores().unwrap();
        assert_eq!(allowed(), before, "no other thread is moved");
        let error = board("[0, 1024]").unwrap_err();
        assert_eq!(error.message(), "mine.toml: `cores` holds numbers below 1024, got 1024");
    }

    #[test]
    fn every_file_in_boards_is_a_board_of_the_list() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
        let mut files: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
            .collect();
        let mut listed: Vec<String> = BOARDS.iter().map(|(name, _)| (*name).to_string()).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
        for name in listed {
            let board = Board::find(&name).unwrap();
            assert_eq!(board.name, name);
        }
    }

    fn machine(files: &[(&str, &str)]) -> Machine {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Machine { arch: "aarch64", ..Machine::under(root.path()) }
    }

    #[test]
    fn boards_are_known_by_their_device_tree() {
        for (model, board) in [
            ("Raspberry Pi 5 Model B Rev 1.0\0", "raspberry-pi-5"),
            ("Raspberry Pi 4 Model B Rev 1.4\0", "raspberry-pi-4"),
            ("Raspberry Pi Compute Module 4 Rev 1.0\0", "raspberry-pi-4"),
            ("NVIDIA Jetson Nano Developer Kit\0", "jetson-nano"),
            ("NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super\0", "jetson-orin-nano"),
            ("NVIDIA Jetson AGX Orin Developer Kit\0", "jetson-agx-orin"),
            ("Radxa ROCK 5B\0", "desk"),
        ] {
            let machine = machine(&[("proc/device-tree/model", model)]);
            assert_eq!(Board::detect(&machine).unwrap().name, board, "{model}");
        }
        let intel = [("proc/cpuinfo", "processor\t: 0\nvendor_id\t: GenuineIntel\n")];
        let pc = Machine { arch: "x86_64", ..machine(&intel) };
        assert_eq!(Board::detect(&pc).unwrap().name, "x86-openvino");
        assert_eq!(Board::detect(&Machine::default()).unwrap().name, "desk");
    }

    #[test]
    fn any_other_computer_is_proven_by_its_processor() {
        let desk = Board::find("desk").unwrap();
        for (arch, seen) in [("x86_64", Proven::Hardware), ("aarch64", Proven::Emulated), ("riscv64", Proven::Untried)]
        {
            assert_eq!(desk.proven(&Machine { arch, ..Machine::default() }), seen, "{arch}");
        }
    }

    #[test]
    fn a_machine_tells_what_it_is_made_of() {
        let jetson = machine(&[
            ("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic\n# more\n"),
            ("dev/accel/accel0", ""),
            ("dev/apex_0", ""),
            ("sys/class/dmi/id/sys_vendor", "LENOVO\n"),
            ("sys/class/dmi/id/product_name", "20X\n"),
        ]);
        assert_eq!(jetson.jetpack.as_deref(), Some("R36 (release), REVISION: 4.3, GCID: 1, BOARD: generic"));
        assert_eq!(jetson.accelerators, ["/dev/accel/accel0", "/dev/apex_0"]);
        assert_eq!(jetson.model.as_deref(), Some("LENOVO 20X"));
    }

    #[test]
    fn the_hottest_zone_counts_and_the_firmware_tells_what_holds_it_back() {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("sys/class/thermal/thermal_zone0/temp", "61250\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone1/temp", "-256000\n"),
            ("sys/class/thermal/thermal_zone2/temp", "72500\n"),
            ("sys/class/thermal/thermal_zone2/type", "gpu-thermal\n"),
            ("sys/class/thermal/cooling_device0/temp", "99000\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1500000\n"),
            ("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "2400000\n"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
        ] {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let told = Thermometer::new(root.path()).read();
        assert_eq!((told.celsius, told.zone.as_deref()), (Some(72.5), Some("gpu-thermal")));
        assert_eq!(told.megahertz, Some([1500, 2400]));
        assert_eq!(told.held_back, ["under-voltage", "throttled"]);
        assert_eq!(Thermometer::new(root.path().join("nothing")).read(), Condition::default());
    }

    #[test]
    fn a_wrong_file_is_told_by_file_and_field() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.toml");
        for (text, words) in [
            ("title = 'x'\nproven = 'untried'\ncolour = 1\n", "colour"),
            ("title = 'x'\n", "proven"),
            ("title = 'x'\nproven = 'sure'\n", "sure"),
            ("title = 'x'\nproven = 'untried'\nthreads = 0\n", "`threads` is 1 to 256"),
            ("title = 'x'\nproven = 'untried'\nprecision = 'int7'\n", "int7"),
            ("title = 'x'\nproven = 'untried'\n[thermal]\nwarm = 95.0\n", "warm <= hot"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Board::find(path.to_str().unwrap()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.message().contains("mine.toml") && error.message().contains(words), "{}", error.message());
        }
        let error = Board::find("nowhere").unwrap_err();
        assert!(error.message().contains("raspberry-pi-5"), "{}", error.message());
    }
}
