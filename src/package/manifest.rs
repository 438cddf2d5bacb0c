//! `models/<name>/model.toml`: the contents of a model package, as written and as checked. `backend` and `encode` run
//! the files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};
use crate::installed;
pub use crate::sample::Sense;
pub use crate::tensor::Precision;

/// The file that makes a folder a package.
const CARD: &str = "model.toml";

/// Whether a text can be a package's name and is no path.
fn is_name(text: &str) -> bool {
    Path::new(text).file_name().is_some_and(|name| name == text)
}

/// A file of the package in `dir`, without following links out of it.
///
/// # Errors
/// [`ErrorKind::Integrity`] when a link leads out of the package, or it is not a plain file. A pipe, for example, never
/// ends.
fn inside(dir: &Path, path: &Path) -> Result<PathBuf> {
    let failed = |error| Error::io("read", path, error);
    let wrong = |what: &str| Error::new(ErrorKind::Integrity, format!("{}: {what}", path.display()));
    let whole = path.canonicalize().map_err(failed)?;
    if !whole.starts_with(dir.canonicalize().map_err(failed)?) {
        return Err(wrong("leads out of the model package"));
    }
    if !whole.metadata().map_err(failed)?.is_file() {
        return Err(wrong("is no file"));
    }
    Ok(whole)
}

/// The newest supported manifest format.
const FORMAT: u32 = 1;

/// File format of a variant, which decides the runtime.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// ONNX.
    Onnx,
    /// TensorFlow Lite: a file that ends in `.tflite`.
    Tflite,
}

/// A checked model package. Digests of files are checked when a file is loaded, or by [`Manifest::verify`].
#[derive(Debug, Clone)]
pub struct Manifest {
    dir: PathBuf,
    /// Package name.
    pub name: String,
    /// Package version.
    pub version: String,
    /// One-line description.
    pub summary: String,
    /// SPDX licence of the weights.
    pub licence: String,
    /// Who trained it on what, and the origin of the weights.
    pub origin: String,
    /// The image encoder, if the package has one.
    pub image_encoder: Option<EncoderSpec>,
    /// The sound encoder, if the package has one.
    pub audio_encoder: Option<EncoderSpec>,
    /// The clip encoder, if the package has one.
    pub clip_encoder: Option<EncoderSpec>,
    language: Option<LanguageSpec>,
    digests: BTreeMap<String, String>,
    digest: String,
}

/// How a sound becomes the image for an encoder: see `prepare::spectrogram`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpectrogramSpec {
    /// Samples per second.
    pub rate: u32,
    /// Samples per frame.
    pub window: usize,
    /// Samples from one frame to the next.
    pub hop: usize,
    /// Number of mel bands.
    pub bands: usize,
    /// Lower end of the lowest band, in Hz.
    pub low_hz: f64,
    /// Upper end of the highest band, in Hz.
    pub high_hz: f64,
    /// Decibels from mid-grey, a band's own median, to white or black.
    pub range_db: f32,
    /// Pixels of the encoder's input per band, and per hop.
    pub pixels: usize,
}

/// How a clip becomes the image for an encoder: see `prepare::clip`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipSpec {
    /// Rows and columns of tiles; their product is the number of steps in time.
    pub tiles: usize,
    /// Side of a tile in pixels.
    pub side: usize,
    /// Difference between a step's end and its start, in grey levels, that maps from mid-grey to white or black.
    pub change: f32,
    /// Total change within a step, in grey levels, that maps from black to white.
    pub motion: f32,
}

/// The part of a package that turns an image, or the image of a sound or a clip, into feature maps.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EncoderSpec {
    /// How a sound becomes an image; required for a sound encoder, absent in others.
    pub spectrogram: Option<SpectrogramSpec>,
    /// How a clip becomes an image; required for a clip encoder, absent in others.
    pub clip: Option<ClipSpec>,
    /// Name of the input, `f32[1, 3, height, width]`, RGB.
    pub input: String,
    /// Per channel: model value = (byte - mean) / scale.
    pub mean: [f32; 3],
    /// See `mean`.
    pub scale: [f32; 3],
    /// Height and width must be multiples of this.
    pub multiple_of: usize,
    /// Height of the model's input in pixels.
    pub height: usize,
    /// Width of the model's input in pixels.
    pub width: usize,
    /// Feature maps, finest first.
    pub outputs: Vec<MapSpec>,
    /// The same network in several precisions.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
    /// A recorded input with the reference's outputs.
    pub golden: Golden,
}

/// One feature map: `f32[1, channels, height / stride, width / stride]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapSpec {
    /// Name of the output in the graph.
    pub name: String,
    /// Input pixels per patch.
    pub stride: usize,
    /// Channels.
    pub channels: usize,
    /// Whether its single channel already is an anomaly map: zero is good.
    #[serde(default)]
    pub distance: bool,
}

/// One file of a part.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Its precision.
    pub precision: Precision,
    /// File name inside the package.
    pub file: String,
}

impl Variant {
    /// The file format, from the extension.
    pub fn format(&self) -> Format {
        match Path::new(&self.file).extension() {
            Some(ending) if ending == "tflite" => Format::Tflite,
            _ => Format::Onnx,
        }
    }

    /// Its precision, and its format if that is not the usual one: `int8`, `int8 tflite`.
    pub fn label(&self) -> String {
        label(self.precision, self.format())
    }
}

fn label(precision: Precision, format: Format) -> String {
    match format {
        Format::Onnx => precision.to_string(),
        Format::Tflite => format!("{precision} tflite"),
    }
}

/// The variant of this precision and format.
fn find_variant(variants: &[Variant], precision: Precision, format: Format) -> Option<&Variant> {
    variants.iter().find(|variant| (variant.precision, variant.format()) == (precision, format))
}

fn labels(variants: &[Variant]) -> String {
    variants.iter().map(Variant::label).collect::<Vec<_>>().join(", ")
}

/// The parts of a package that describe findings in words.
#[derive(Debug, Clone)]
pub struct LanguageSpec {
    /// A prompt → tokens.
    pub text_encoder: TextSpec,
    /// Evidence and a prompt → latents.
    pub fusion: FusionSpec,
    /// Latents → text.
    pub decoder: DecoderSpec,
    /// The vocabulary and the sentences.
    pub tokenizer: TokenizerSpec,
}

/// The part that reads questions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSpec {
    /// The topics of a question, in the graph's order: `about` in the words.
    pub sorts: Vec<String>,
    /// The same graph in several precisions.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// The part that fuses the senses.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FusionSpec {
    /// Kinds of defects, in the graph's order.
    pub kinds: Vec<String>,
    /// The package whose image encoder made its training evidence: name and version.
    pub image: String,
    /// The same of the sound encoder.
    pub audio: String,
    /// The same of the clip encoder.
    pub clip: String,
    /// Recorded evidence of each sense, such as `image_shapes`, `image_cells` and `image_quality`, with a prompt,
    /// `text` and `text_mask`, and the reference's results: `latents`, and the decoder's first `logits`.
    pub golden: Golden,
    /// The same graph in several precisions.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// The decoder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecoderSpec {
    /// safetensors file with `embedding`, `f16[vocabulary, width]` or `f32`.
    pub embedding: String,
    /// The same graph in several precisions.
    #[serde(rename = "variant")]
    pub variants: Vec<Variant>,
}

/// What is read and written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerSpec {
    /// JSON file with the vocabulary.
    pub file: String,
    /// TOML file with the sentences of each language.
    pub words: String,
}

/// The file of one precision and format.
///
/// # Errors
/// [`ErrorKind::Unavailable`] listing the available ones.
fn file_of<'a>(variants: &'a [Variant], precision: Precision, format: Format, part: &str) -> Result<&'a str> {
    find_variant(variants, precision, format).map(|variant| variant.file.as_str()).ok_or_else(|| {
        let what = format!("no {part} in {}; there is {}", label(precision, format), labels(variants));
        Error::new(ErrorKind::Unavailable, what)
    })
}

macro_rules! has_variants {
    ($($part:ty),*) => {$(
        impl $part {
            /// The file of one precision and format; `part` names it in messages.
            ///
            /// # Errors
            /// [`ErrorKind::Unavailable`] listing the available ones.
            pub fn file(&self, precision: Precision, format: Format, part: &str) -> Result<&str> {
                file_of(&self.variants, precision, format, part)
            }
        }
    )*};
}
has_variants!(TextSpec, FusionSpec, DecoderSpec);

/// Files that show whether a variant still matches the reference.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Golden {
    /// safetensors file with the input tensor.
    pub input: String,
    /// safetensors file with one tensor per output.
    pub output: String,
    /// Lowest cosine similarity per output, for each precision.
    pub tolerance: BTreeMap<Precision, f32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    name: String,
    version: String,
    summary: String,
    licence: String,
    origin: String,
    image_encoder: Option<EncoderSpec>,
    audio_encoder: Option<EncoderSpec>,
    clip_encoder: Option<EncoderSpec>,
    text_encoder: Option<TextSpec>,
    fusion: Option<FusionSpec>,
    decoder: Option<DecoderSpec>,
    tokenizer: Option<TokenizerSpec>,
    sha256: BTreeMap<String, String>,
}

impl Manifest {
    /// Reads and checks `dir/model.toml`.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when there is no package, [`ErrorKind::Config`] naming the field that is wrong.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(CARD);
        if matches!(path.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound) {
            let what = format!("no model package in {} (no {CARD})", dir.display());
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        let inside = inside(dir, &path)?;
        let text = fs::read_to_string(inside).map_err(|error| Error::io("read", &path, error))?;
        let wrong = |what: String| Error::new(ErrorKind::Config, format!("{}: {what}", path.display()));
        let written: Written = toml::from_str(&text).map_err(|error| wrong(wrong_at(&text, &error)))?;
        if written.format != FORMAT {
            return Err(wrong(format!("`format` is {}, this build reads {FORMAT}", written.format)));
        }
        if !is_name(&written.name) && !written.name.trim().is_empty() {
            return Err(wrong(format!("`name` must be a plain name, got `{}`", written.name)));
        }
        for (field, value) in [("name", &written.name), ("version", &written.version), ("licence", &written.licence)] {
            if value.trim().is_empty() {
                return Err(wrong(format!("`{field}` must not be empty")));
            }
        }
        let language = match (written.text_encoder, written.fusion, written.decoder, written.tokenizer) {
            (Some(text_encoder), Some(fusion), Some(decoder), Some(tokenizer)) => {
                Some(LanguageSpec { text_encoder, fusion, decoder, tokenizer })
            }
            (None, None, None, None) => None,
            _ => return Err(wrong("`text_encoder`, `fusion`, `decoder` and `tokenizer` go together".into())),
        };
        let manifest = Self {
            dir: dir.to_path_buf(),
            name: written.name,
            version: written.version,
            summary: written.summary,
            licence: written.licence,
            origin: written.origin,
            image_encoder: written.image_encoder,
            audio_encoder: written.audio_encoder,
            clip_encoder: written.clip_encoder,
            language,
            digests: written.sha256,
            digest: hex(&Sha256::digest(text.as_bytes())),
        };
        manifest.check().map_err(wrong)?;
        Ok(manifest)
    }

    /// Finds the package that a user names: a path, or a name as in [`Manifest::named`]. If no package of that name is
    /// installed, a folder of that name in the current folder is used.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] listing the searched places; else as [`Manifest::read`].
    pub fn find(name_or_path: &str) -> Result<Self> {
        let direct = Path::new(name_or_path);
        if !is_name(name_or_path) {
            return Self::read(direct);
        }
        match Self::named(name_or_path) {
            Err(error) if error.kind() == ErrorKind::Unavailable && direct.join(CARD).is_file() => Self::read(direct),
            found => found,
        }
    }

    /// Finds a package by its name alone, in the folders of [`installed::models`], never in the current folder.
    ///
    /// # Errors
    /// As [`Manifest::find`].
    pub fn named(name: &str) -> Result<Self> {
        let folders = Self::folders();
        match folders.iter().find_map(|folder| Self::in_folder(folder, name)) {
            Some(package) => package,
            None => {
                let places: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
                let looked = match places[..] {
                    [] => {
                        "there is no folder `models` beside the executable or in the folders of user and system; set \
                         EYEAR_MODELS to one"
                            .into()
                    }
                    _ => format!("looked in {}", places.join(", ")),
                };
                Err(Error::new(ErrorKind::Unavailable, format!("no model package `{name}`; {looked}")))
            }
        }
    }

    /// The package of this name in a folder, if there is one.
    pub fn in_folder(folder: &Path, name: &str) -> Option<Result<Self>> {
        let dir = folder.join(name);
        (is_name(name) && dir.join(CARD).is_file()).then(|| Self::read(&dir))
    }

    /// The package of this digest in a folder, whatever its name, if there is one.
    pub fn with_digest(folder: &Path, digest: &str) -> Option<Result<Self>> {
        let dirs = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let is_it = |dir: &PathBuf| {
            let card = inside(dir, &dir.join(CARD)).ok().and_then(|card| fs::read(card).ok());
            card.is_some_and(|card| hex(&Sha256::digest(card)) == digest)
        };
        dirs.filter(is_it).map(|dir| Self::read(&dir)).next()
    }

    /// The existing folders that are searched for packages, first match first.
    pub fn folders() -> Vec<PathBuf> {
        installed::models().into_iter().map(|(folder, _)| folder).filter(|folder| folder.is_dir()).collect()
    }

    /// Every package in [`Manifest::folders`], by folder name; of two with one name, the one that [`Manifest::find`]
    /// returns. A package that cannot be read is listed with its error.
    pub fn all() -> Vec<(PathBuf, Result<Self>)> {
        let entries = Self::folders().into_iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten().flatten();
        let dirs = entries.map(|entry| entry.path()).filter(|dir| dir.join(CARD).is_file());
        let mut found = BTreeMap::new();
        for dir in dirs {
            found.entry(dir.file_name().map(ToOwned::to_owned)).or_insert(dir);
        }
        found.into_values().map(|dir| (dir.clone(), Self::read(&dir))).collect()
    }

    /// The package's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// sha256 of `model.toml` in hexadecimal. It covers the digests of all files, so it names the package.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The encoder of a sense.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the package has none.
    pub fn encoder(&self, sense: Sense) -> Result<&EncoderSpec> {
        self.encoders().find(|(of, _)| *of == sense).map(|(_, encoder)| encoder).ok_or_else(|| {
            let (name, table, samples) = (&self.name, sense.table(), sense.samples());
            let what = format!("model package `{name}` has no {table}: it cannot judge {samples}");
            Error::new(ErrorKind::Unavailable, what)
        })
    }

    /// Every graph of the package in every precision.
    pub fn variants(&self) -> impl Iterator<Item = &Variant> {
        let encoders = self.encoders().flat_map(|(_, encoder)| &encoder.variants);
        let language = self.language.iter().flat_map(|language| {
            let LanguageSpec { text_encoder, fusion, decoder, .. } = language;
            text_encoder.variants.iter().chain(&fusion.variants).chain(&decoder.variants)
        });
        encoders.chain(language)
    }

    /// The parts that describe findings in words.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when the package has none.
    pub fn language(&self) -> Result<&LanguageSpec> {
        self.language.as_ref().ok_or_else(|| {
            let what = format!("model package `{}` has no decoder: it cannot write a report", self.name);
            Error::new(ErrorKind::Unavailable, what)
        })
    }

    /// The encoders that the package has.
    pub fn encoders(&self) -> impl Iterator<Item = (Sense, &EncoderSpec)> {
        let of = [
            (Sense::Image, &self.image_encoder),
            (Sense::Sound, &self.audio_encoder),
            (Sense::Clip, &self.clip_encoder),
        ];
        of.into_iter().filter_map(|(sense, encoder)| Some((sense, encoder.as_ref()?)))
    }

    /// Reads a file of the package and checks its digest.
    ///
    /// # Errors
    /// [`ErrorKind::Integrity`] on a wrong digest, [`ErrorKind::Io`] when it cannot be read.
    pub fn load(&self, file: &str) -> Result<Vec<u8>> {
        let path = self.dir.join(file);
        let bytes = fs::read(inside(&self.dir, &path)?).map_err(|error| Error::io("read", &path, error))?;
        let found = hex(&Sha256::digest(&bytes));
        match self.digests.get(file) {
            Some(expected) if *expected == found => Ok(bytes),
            expected => {
                let expected = expected.map_or("none", String::as_str);
                let known =
                    crate::package::onnx::other::known(&bytes).map_or(String::new(), |known| format!("; {known}"));
                let what = format!("{}: sha256 is {found}, model.toml promises {expected}{known}", path.display());
                Err(Error::new(ErrorKind::Integrity, what))
            }
        }
    }

    /// Checks the digest of every file of the package.
    ///
    /// # Errors
    /// The first file that is missing or changed, as [`Manifest::load`].
    pub fn verify(&self) -> Result<()> {
        self.digests.keys().try_for_each(|file| self.load(file).map(drop))
    }

    /// The files of the package and their sizes in bytes (0 when missing).
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.digests.keys().map(|file| (file.as_str(), fs::metadata(self.dir.join(file)).map_or(0, |meta| meta.len())))
    }

    /// The first fault of the fields, as a sentence.
    fn check(&self) -> Result<(), String> {
        for (file, digest) in &self.digests {
            let plain = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
            if !plain || file.is_empty() {
                return Err(format!("`sha256.\"{file}\"` must be a path inside the package"));
            }
            if digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
                return Err(format!("`sha256.\"{file}\"` must be 64 lower-case hexadecimal digits, got `{digest}`"));
            }
        }
        if let Some(LanguageSpec { text_encoder, fusion, decoder, tokenizer }) = &self.language {
            for part in [&text_encoder.variants, &fusion.variants, &decoder.variants] {
                if part.is_empty() {
                    return Err("each of `text_encoder`, `fusion` and `decoder` needs a variant".into());
                }
            }
            let files = self.variants().map(|variant| &variant.file);
            let Golden { input, output, .. } = &fusion.golden;
            for file in files.chain([&decoder.embedding, &tokenizer.file, &tokenizer.words, input, output]) {
                if !self.digests.contains_key(file) {
                    return Err(format!("`{file}` has no digest in [sha256]"));
                }
            }
        }
        self.encoders().try_for_each(|(sense, encoder)| self.check_encoder(sense, encoder))
    }

    fn check_encoder(&self, sense: Sense, encoder: &EncoderSpec) -> Result<(), String> {
        let table = sense.table();
        let named = |field: String, file: &str| match self.digests.contains_key(file) {
            true => Ok(()),
            false => Err(format!("`{table}.{field}` names `{file}`, which has no digest in [sha256]")),
        };
        match (sense, &encoder.clip) {
            (Sense::Image | Sense::Sound, None) => {}
            (Sense::Image | Sense::Sound, Some(_)) => return Err(format!("`{table}.clip` is for clips")),
            (Sense::Clip, None) => return Err(format!("`{table}.clip` is missing")),
            (Sense::Clip, Some(clip)) => {
                let ClipSpec { tiles, side, change, motion } = *clip;
                for (field, range) in [("change", change), ("motion", motion)] {
                    if !(range > 0.0 && range.is_finite()) {
                        return Err(format!("`{table}.clip.{field}` must be positive, got {range}"));
                    }
                }
                let whole = tiles.checked_mul(side);
                for (field, is) in [("height", encoder.height), ("width", encoder.width)] {
                    if tiles == 0 || whole != Some(is) {
                        return Err(format!("`{table}.{field}` must be tiles x side, {tiles} x {side}, got {is}"));
                    }
                }
            }
        }
        match (sense, &encoder.spectrogram) {
            (Sense::Image | Sense::Clip, None) => {}
            (Sense::Image | Sense::Clip, Some(_)) => return Err(format!("`{table}.spectrogram` is for sounds")),
            (Sense::Sound, None) => return Err(format!("`{table}.spectrogram` is missing")),
            (Sense::Sound, Some(spectrogram)) => {
                let SpectrogramSpec { bands, range_db, pixels, .. } = *spectrogram;
                if !(range_db > 0.0 && range_db.is_finite()) {
                    return Err(format!("`{table}.spectrogram.range_db` must be positive, got {range_db}"));
                }
                if bands.checked_mul(pixels) != Some(encoder.height) {
                    let height = encoder.height;
                    return Err(format!("`{table}.height` must be bands x pixels, {bands} x {pixels}, got {height}"));
                }
            }
        }
        if encoder.multiple_of == 0 {
            return Err(format!("`{table}.multiple_of` must be at least 1"));
        }
        for (field, side) in [("height", encoder.height), ("width", encoder.width)] {
            if side == 0 || side % encoder.multiple_of != 0 || side > 4096 {
                let step = encoder.multiple_of;
                return Err(format!("`{table}.{field}` must be a multiple of {step} up to 4096, got {side}"));
            }
        }
        if encoder.scale.iter().any(|s| !(s.is_finite() && *s != 0.0)) {
            return Err(format!("`{table}.scale` must not hold zero, got {:?}", encoder.scale));
        }
        if encoder.outputs.is_empty() {
            return Err(format!("`{table}.outputs` must name at least one feature map"));
        }
        for map in &encoder.outputs {
            let fits = map.stride > 0 && encoder.multiple_of.is_multiple_of(map.stride);
            if !fits || map.channels == 0 || map.channels > 65_536 {
                return Err(format!(
                    "`{table}.outputs.{}`: stride must divide multiple_of and channels be positive, got stride {} and {} channels",
                    map.name, map.stride, map.channels
                ));
            }
        }
        if let Some(map) = encoder.outputs.iter().find(|map| map.distance && map.channels != 1) {
            let (name, channels) = (&map.name, map.channels);
            return Err(format!("`{table}.outputs.{name}`: a distance has one channel, got {channels}"));
        }
        if encoder.variants.is_empty() {
            return Err(format!("`{table}.variant` must name at least one file"));
        }
        for (i, variant) in encoder.variants.iter().enumerate() {
            named(format!("variant.{}", variant.label()), &variant.file)?;
            if find_variant(&encoder.variants[..i], variant.precision, variant.format()).is_some() {
                return Err(format!("`{table}.variant` has {} twice", variant.label()));
            }
            if !encoder.golden.tolerance.contains_key(&variant.precision) {
                return Err(format!("`{table}.golden.tolerance` has no {}", variant.precision));
            }
        }
        named("golden.input".into(), &encoder.golden.input)?;
        named("golden.output".into(), &encoder.golden.output)
    }
}

impl EncoderSpec {
    /// The default precision: int8, or the first if there is no int8.
    pub fn usual(&self) -> Precision {
        match (&self.variants[..], self.variants.iter().any(|variant| variant.precision == Precision::Int8)) {
            ([first, ..], false) => first.precision,
            _ => Precision::Int8,
        }
    }

    /// The variant of this precision and format.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] listing the available variants.
    pub fn variant(&self, precision: Precision, format: Format) -> Result<&Variant> {
        find_variant(&self.variants, precision, format).ok_or_else(|| {
            let (wanted, has) = (label(precision, format), labels(&self.variants));
            Error::new(ErrorKind::Unavailable, format!("the encoder has no {wanted} variant; it has {has}"))
        })
    }
}

/// Fault of a TOML text, with its position: "line 7, `kind`: unknown variant ...".
pub(crate) fn wrong_at(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let row = before.matches('\n').count();
    let key = text.lines().nth(row).and_then(|line| line.split_once('=')).map(|(key, _)| key.trim());
    let field = key.filter(|key| !key.is_empty()).map_or(String::new(), |key| format!(", `{key}`"));
    format!("line {}{field}: {}", row + 1, error.message().replace('\n', " "))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(change: impl Fn(String) -> String) -> (tempfile::TempDir, Result<Manifest>) {
        let dir = tempfile::tempdir().unwrap();
        let digest = hex(&Sha256::digest(b"weights"));
        for file in ["net.onnx", "in.safetensors", "out.safetensors"] {
            fs::write(dir.path().join(file), b"weights").unwrap();
        }
        let text = format!(
            "format = 1\nname = \"m\"\nversion = \"1\"\nsummary = \"s\"\nlicence = \"Apache-2.0\"\norigin = \"o\"\n\
             [image_encoder]\ninput = \"pixels\"\nmean = [1.0, 1.0, 1.0]\nscale = [2.0, 2.0, 2.0]\nmultiple_of = 32\n\
             height = 64\nwidth = 96\noutputs = [{{ name = \"a\", stride = 8, channels = 4 }}]\n\
             [[image_encoder.variant]]\nprecision = \"int8\"\nfile = \"net.onnx\"\n\
             [image_encoder.golden]\ninput = \"in.safetensors\"\noutput = \"out.safetensors\"\n\
             tolerance = {{ int8 = 0.9 }}\n\
             [sha256]\n\"net.onnx\" = \"{digest}\"\n\"in.safetensors\" = \"{digest}\"\n\"out.safetensors\" = \"{digest}\"\n"
        );
        fs::write(dir.path().join("model.toml"), change(text)).unwrap();
        let manifest = Manifest::read(dir.path());
        (dir, manifest)
    }

    #[test]
    fn a_sound_package_is_read_and_verified() {
        let (_dir, manifest) = package(|text| text);
        let manifest = manifest.unwrap();
        manifest.verify().unwrap();
        assert_eq!(manifest.digest().len(), 64);
        let error = manifest.encoder(Sense::Image).unwrap().variant(Precision::Fp32, Format::Onnx).unwrap_err();
        assert_eq!(error.message(), "the encoder has no fp32 variant; it has int8");
    }

    #[test]
    fn a_precision_may_stand_once_in_each_format() {
        let second = |file: &'static str| {
            move |text: String| {
                let variant = format!("[[image_encoder.variant]]\nprecision = \"int8\"\nfile = \"{file}\"\n");
                let digests = "\n\"net.tflite\" = ";
                text.replace("[image_encoder.golden]", &format!("{variant}[image_encoder.golden]")).replace(
                    "\n\"in.safetensors\" = ",
                    &format!("{digests}\"{}\"\n\"in.safetensors\" = ", "0".repeat(64)),
                )
            }
        };
        let (_dir, manifest) = package(second("net.tflite"));
        let manifest = manifest.unwrap();
        let encoder = manifest.encoder(Sense::Image).unwrap();
        for (format, file) in [(Format::Onnx, "net.onnx"), (Format::Tflite, "net.tflite")] {
            assert_eq!(encoder.variant(Precision::Int8, format).unwrap().file, file);
        }
        let error = encoder.variant(Precision::Fp32, Format::Tflite).unwrap_err();
        assert_eq!(error.message(), "the encoder has no fp32 tflite variant; it has int8, int8 tflite");
        let (_dir, manifest) = package(second("net.onnx"));
        assert!(manifest.unwrap_err().message().contains("`image_encoder.variant` has int8 twice"));
    }

    #[test]
    fn each_wrong_field_is_named() {
        let cases = [
            ("format = 1", "format = 9", "`format` is 9, this build reads 1"),
            ("licence = \"Apache-2.0\"", "licence = \" \"", "`licence` must not be empty"),
            ("licence = \"Apache-2.0\"\n", "", "missing field `licence`"),
            ("origin", "orgin", "unknown field `orgin`"),
            ("height = 64", "height = 65", "`image_encoder.height` must be a multiple of 32"),
            ("scale = [2.0", "scale = [0.0", "`image_encoder.scale`"),
            ("stride = 8", "stride = 7", "`image_encoder.outputs.a`"),
            ("channels = 4", "channels = 4, distance = true", "`image_encoder.outputs.a`: a distance has one channel"),
            ("file = \"net.onnx\"", "file = \"other.onnx\"", "`image_encoder.variant.int8` names `other.onnx`"),
            ("file = \"net.onnx\"", "file = \"../net.onnx\"", "`../net.onnx`, which has no digest"),
            ("\"net.onnx\" = ", "\"../net.onnx\" = ", "must be a path inside the package"),
            ("\"net.onnx\" = \"", "\"net.onnx\" = \"x", "must be 64 lower-case hexadecimal digits"),
            ("{ int8 = 0.9 }", "{ fp32 = 0.9 }", "`image_encoder.golden.tolerance` has no int8"),
            ("precision = \"int8\"", "precision = \"int9\"", "int9"),
        ];
        for (from, to, expected) in cases {
            let (_dir, manifest) = package(|text| text.replacen(from, to, 1));
            let error = manifest.expect_err(expected);
            assert!(error.message().contains(expected), "{expected}: {}", error.message());
            assert!(error.message().contains("model.toml"), "{}", error.message());
        }
    }

    #[test]
    fn a_changed_file_is_refused() {
        let (dir, manifest) = package(|text| text);
        fs::write(dir.path().join("net.onnx"), b"other").unwrap();
        let error = manifest.unwrap().verify().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity);
        assert!(error.message().contains("net.onnx: sha256 is "), "{}", error.message());
    }

    #[test]
    #[cfg(unix)]
    fn a_link_out_of_the_package_is_refused() {
        let (dir, manifest) = package(|text| text);
        let outside = tempfile::NamedTempFile::new().unwrap();
        fs::write(outside.path(), b"weights").unwrap();
        fs::remove_file(dir.path().join("net.onnx")).unwrap();
        std::os::unix::fs::symlink(outside.path(), dir.path().join("net.onnx")).unwrap();
        assert_eq!(manifest.unwrap().load("net.onnx").unwrap_err().kind(), ErrorKind::Integrity);
    }

    #[test]
    fn a_missing_package_says_where_it_looked() {
        let error = Manifest::find("no-such-model").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().starts_with("no model package `no-such-model`; looked in "), "{}", error.message());
    }

    #[test]
    fn a_sound_encoder_says_how_a_sound_becomes_its_picture() {
        let spectrogram = "[audio_encoder.spectrogram]\nrate = 16000\nwindow = 768\nhop = 160\nbands = 32\nlow_hz = 0.0\n\
                           high_hz = 8000.0\nrange_db = 16.0\npixels = 2\n";
        let audio = |text: String| text.replace("image_encoder", "audio_encoder");
        let (_dir, manifest) = package(|text| audio(text).replace("[sha256]", &format!("{spectrogram}[sha256]")));
        let manifest = manifest.unwrap();
        assert_eq!(manifest.encoder(Sense::Sound).unwrap().spectrogram.unwrap().bands, 32);
        let error = manifest.encoder(Sense::Image).unwrap_err();
        assert!(error.message().contains("`m` has no image_encoder: it cannot judge pictures"), "{error}");
        let wrong = |change: &dyn Fn(String) -> String| package(change).1.unwrap_err().chain();
        let with = |of: &str, to: &str| {
            let spectrogram = spectrogram.replace(of, to);
            wrong(&|text| audio(text).replace("[sha256]", &format!("{spectrogram}[sha256]")))
        };
        let cases = [
            (wrong(&audio), "`audio_encoder.spectrogram` is missing"),
            (with("pixels = 2", "pixels = 3"), "`audio_encoder.height` must be bands x pixels, 32 x 3, got 64"),
            (with("range_db = 16.0", "range_db = 0.0"), "`audio_encoder.spectrogram.range_db` must be positive, got 0"),
            (
                wrong(&|text| text.replace("[sha256]", &format!("{}[sha256]", spectrogram.replace("audio", "image")))),
                "`image_encoder.spectrogram` is for sounds",
            ),
        ];
        for (told, expected) in cases {
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }

    #[test]
    fn a_clip_encoder_says_how_a_clip_becomes_its_picture() {
        let clip = "[clip_encoder.clip]\ntiles = 2\nside = 32\nchange = 96.0\nmotion = 120.0\n";
        let encoder = |text: String| text.replace("image_encoder", "clip_encoder").replace("width = 96", "width = 64");
        let told = |change: &dyn Fn(String) -> String| package(change).1.map_err(|error| error.chain());
        let with = |of: &str, to: &str| {
            let clip = clip.replace(of, to);
            told(&|text| encoder(text).replace("[sha256]", &format!("{clip}[sha256]")))
        };
        let manifest = with("tiles = 2", "tiles = 2").unwrap();
        assert_eq!(manifest.encoder(Sense::Clip).unwrap().clip.unwrap().side, 32);
        let on_picture = told(&|text| {
            text.replace("[sha256]", &format!("{}[sha256]", clip.replace("clip_encoder", "image_encoder")))
        });
        let cases = [
            (told(&encoder), "`clip_encoder.clip` is missing"),
            (with("side = 32", "side = 33"), "`clip_encoder.height` must be tiles x side, 2 x 33, got 64"),
            (with("tiles = 2", "tiles = 0"), "`clip_encoder.height` must be tiles x side, 0 x 32, got 64"),
            (with("motion = 120.0", "motion = 0.0"), "`clip_encoder.clip.motion` must be positive, got 0"),
            (with("change = 96.0", "change = nan"), "`clip_encoder.clip.change` must be positive, got NaN"),
            (on_picture, "`image_encoder.clip` is for clips"),
        ];
        for (told, expected) in cases {
            let told = told.unwrap_err();
            assert!(told.contains(expected), "{expected}: {told}");
        }
    }
}
