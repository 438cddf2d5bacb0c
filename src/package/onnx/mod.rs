//! What an ONNX file says of itself, read without running it; and copies of it that stand in one file, with other
//! outputs. Whether it runs is left to `backend`, what it can serve as to `encode`.
//!
//! Only what is asked for is read, at the field numbers of `onnx.proto`; a copy keeps every other byte. That takes two
//! pages, where bindings to the whole format would drop the fields of a newer one when they write it again.

pub mod other;
mod wire;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use self::wire::{Field, fields, put_bytes, put_number};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of a file, data beside it among them, at most: Protocol Buffers hold no more in one message.
const LARGEST: u64 = i32::MAX as u64;
/// Characters of an open size's name, at most, where it is shown.
const LONGEST_NAME: usize = 24;
/// Graphs within graphs, at most.
const DEPTH: usize = 32;

/// An ONNX file and what it says of itself.
#[derive(Debug)]
pub struct Onnx {
    path: PathBuf,
    bytes: Vec<u8>,
    facts: Facts,
}

/// What an ONNX file says of itself.
#[derive(Debug, Default)]
pub struct Facts {
    /// The program that wrote it, and its version.
    pub producer: String,
    /// Version of the format.
    pub ir: u64,
    /// Domain and version of each set of operators; ONNX's own domain is empty.
    pub opsets: Vec<(String, u64)>,
    /// What it takes, its weights left out.
    pub inputs: Vec<Value>,
    /// What it gives.
    pub outputs: Vec<Value>,
    /// Operators and how many nodes of each there are, graphs within graphs among them; those of another domain than
    /// ONNX's own with it, `com.microsoft.MatMulNBits`.
    pub operators: BTreeMap<String, usize>,
    /// Bits of the weights that nodes of ONNX Runtime's own hold packed, the fewest.
    pub bits: Option<u64>,
    /// Bytes of the weights by the type of their elements.
    pub weights: BTreeMap<&'static str, u64>,
    /// Files beside this one that hold weights.
    pub beside: Vec<String>,
}

/// A tensor that a graph takes or gives.
#[derive(Debug, Clone)]
pub struct Value {
    /// Its name.
    pub name: String,
    /// Type of its elements, such as `f32`; what it is, where that is no tensor.
    pub dtype: &'static str,
    /// Its sizes.
    pub shape: Vec<Size>,
}

/// A size of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Size {
    /// It is always this.
    Fixed(usize),
    /// It is decided when the model is run; the name may be empty.
    Dynamic(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = |size: &Size| match size {
            Size::Fixed(size) => size.to_string(),
            // What PyTorch derives from other sizes may go on for a page.
            Size::Dynamic(name) if name.is_empty() || name.chars().count() > LONGEST_NAME => "?".into(),
            Size::Dynamic(name) => name.clone(),
        };
        write!(f, "{}[{}]", self.dtype, self.shape.iter().map(size).collect::<Vec<_>>().join(", "))
    }
}

/// The type of elements by its number in the format, and its bits.
fn dtype(number: u64) -> (&'static str, u64) {
    match number {
        1 => ("f32", 32),
        2 => ("u8", 8),
        3 => ("i8", 8),
        4 => ("u16", 16),
        5 => ("i16", 16),
        6 => ("i32", 32),
        7 => ("i64", 64),
        8 => ("text", 8),
        9 => ("bool", 8),
        10 => ("f16", 16),
        11 => ("f64", 64),
        12 => ("u32", 32),
        13 => ("u64", 64),
        14 => ("complex64", 64),
        15 => ("complex128", 128),
        16 => ("bf16", 16),
        17..=20 => ("f8", 8),
        21 => ("u4", 4),
        22 => ("i4", 4),
        23 => ("f4", 4),
        _ => ("unknown", 8),
    }
}

impl Onnx {
    /// Reads a file; data beside it is named, not read.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] when it cannot be read; [`ErrorKind::Input`] when it is no ONNX file, was cut short, or is too
    /// large.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |error| Error::io("read", path, error);
        let mut file = fs::File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        let no_model = |why: String| Error::new(ErrorKind::Input, format!("{}: no ONNX model: {why}", path.display()));
        match about.len() {
            _ if about.is_dir() => return Err(no_model("it is a folder".into())),
            0 if about.is_file() => return Err(no_model("the file is empty".into())),
            length if length > LARGEST => {
                return Err(no_model(format!("it has {length} bytes, the format holds 2 GiB")));
            }
            _ => {}
        }
        let mut bytes = Vec::new();
        file.by_ref().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > LARGEST {
            return Err(no_model("it goes on beyond 2 GiB".into()));
        }
        let read = Facts::read(&bytes);
        let facts = read.map_err(|error| no_model(other::known(&bytes).map_or_else(|| error.chain(), Into::into)))?;
        Ok(Self { path: path.to_path_buf(), bytes, facts })
    }

    /// What it says of itself.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Where it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file with the data beside it brought in.
    ///
    /// # Errors
    /// [`ErrorKind::Input`] when a file beside it is missing, too short or named by a path that leads elsewhere, or when
    /// all together exceed what the format holds.
    pub fn whole(&self) -> Result<Cow<'_, [u8]>> {
        if self.facts.beside.is_empty() {
            return Ok(Cow::Borrowed(&self.bytes));
        }
        let mut files = Beside { of: &self.path, open: BTreeMap::new(), room: LARGEST - self.bytes.len() as u64 };
        let graph = |graph: &[u8]| {
            rewrite(graph, |field| match field.number {
                5 => {
                    let mut initializer = Vec::new();
                    put_bytes(&mut initializer, 5, &files.bring_in(field.bytes())?);
                    Ok(Some(initializer))
                }
                _ => Ok(Some(field.whole.to_vec())),
            })
        };
        let bytes = with_graph(&self.bytes, graph)?;
        if !Facts::read(&bytes)?.beside.is_empty() {
            let path = self.path.display();
            let what = format!("{path}: constants within nodes lie in other files: save it again with all data inside");
            return Err(Error::new(ErrorKind::Input, what));
        }
        Ok(Cow::Owned(bytes))
    }
}

/// A copy of a file with these of its outputs only.
///
/// # Errors
/// [`ErrorKind::Input`] when it cannot be read.
pub fn with_outputs(bytes: &[u8], kept: &[&str]) -> Result<Vec<u8>> {
    let graph = |graph: &[u8]| {
        rewrite(graph, |field| {
            let keeps = field.number != 12 || kept.contains(&name_of(field.bytes())?.as_str());
            Ok(keeps.then(|| field.whole.to_vec()))
        })
    };
    with_graph(bytes, graph)
}

/// A copy of a file with one more output: the greatest of each `side` x `side` cells of the map `of`,
/// `f32[1, channels, h, w]` → `f32[1, channels, h / side, w / side]`.
///
/// # Errors
/// [`ErrorKind::Input`] when it cannot be read.
pub fn with_pooled(bytes: &[u8], of: &str, name: &str, side: usize) -> Result<Vec<u8>> {
    // A node `MaxPool` whose attributes are lists of whole numbers, the format's kind 7.
    let mut node = Vec::new();
    put_bytes(&mut node, 1, of.as_bytes());
    put_bytes(&mut node, 2, name.as_bytes());
    put_bytes(&mut node, 3, name.as_bytes());
    put_bytes(&mut node, 4, b"MaxPool");
    for attribute in ["kernel_shape", "strides"] {
        let mut list = Vec::new();
        put_bytes(&mut list, 1, attribute.as_bytes());
        put_number(&mut list, 8, side as u64);
        put_number(&mut list, 8, side as u64);
        put_number(&mut list, 20, 7);
        put_bytes(&mut node, 5, &list);
    }
    // An output whose type is a tensor of f32; the runtime finds its sizes.
    let (mut tensor, mut kind, mut output) = (Vec::new(), Vec::new(), Vec::new());
    put_number(&mut tensor, 1, 1);
    put_bytes(&mut kind, 1, &tensor);
    put_bytes(&mut output, 1, name.as_bytes());
    put_bytes(&mut output, 2, &kind);
    with_graph(bytes, |graph| {
        let mut graph = graph.to_vec();
        put_bytes(&mut graph, 1, &node);
        put_bytes(&mut graph, 12, &output);
        Ok(graph)
    })
}

/// A copy of a message, field by field, each as it is told; `None` leaves one out.
fn rewrite(message: &[u8], mut each: impl FnMut(Field) -> Result<Option<Vec<u8>>>) -> Result<Vec<u8>> {
    let mut copy = Vec::with_capacity(message.len());
    for field in fields(message) {
        copy.extend(each(field?)?.into_iter().flatten());
    }
    Ok(copy)
}

/// A copy of a file with another graph.
fn with_graph(bytes: &[u8], mut graph: impl FnMut(&[u8]) -> Result<Vec<u8>>) -> Result<Vec<u8>> {
    rewrite(bytes, |field| {
        if field.number != 7 {
            return Ok(Some(field.whole.to_vec()));
        }
        let mut copy = Vec::new();
        put_bytes(&mut copy, 7, &graph(field.bytes())?);
        Ok(Some(copy))
    })
}

fn name_of(value: &[u8]) -> Result<String> {
    let mut name = String::new();
    for field in fields(value) {
        let field = field?;
        if field.number == 1 {
            name = field.text();
        }
    }
    Ok(name)
}

/// The files beside a model that hold its weights.
struct Beside<'a> {
    of: &'a Path,
    open: BTreeMap<String, fs::File>,
    /// Bytes that may still be brought in.
    room: u64,
}

impl Beside<'_> {
    /// A tensor with its data inside.
    fn bring_in(&mut self, tensor: &[u8]) -> Result<Vec<u8>> {
        let Some(Place { file, offset, length }) = Place::of(tensor)? else { return Ok(tensor.to_vec()) };
        let path = self.of.with_file_name(&file);
        let wrong = |what: String| Error::new(ErrorKind::Input, format!("{}: {what}", path.display()));
        if !Path::new(&file).components().all(|part| matches!(part, Component::Normal(_))) || file.is_empty() {
            let of = self.of.display();
            return Err(Error::new(
                ErrorKind::Input,
                format!("{of}: its data would lie in `{file}`, out of its folder"),
            ));
        }
        let failed = |error| Error::io("read", &path, error);
        if !self.open.contains_key(&file) {
            self.open.insert(file.clone(), open_inside(self.of, &path)?);
        }
        let Some(open) = self.open.get_mut(&file) else { return Ok(tensor.to_vec()) };
        let held = open.metadata().map_err(failed)?.len();
        let length = length.unwrap_or(held.saturating_sub(offset));
        if offset.checked_add(length).is_none_or(|end| end > held) {
            return Err(wrong(format!(
                "has {held} bytes, {length} from byte {offset} on are wanted: it was cut short"
            )));
        }
        self.room = self
            .room
            .checked_sub(length)
            .ok_or_else(|| wrong("model and data together exceed the 2 GiB that one file holds".into()))?;
        let mut data = vec![0; length as usize];
        open.seek(SeekFrom::Start(offset)).map_err(failed)?;
        open.read_exact(&mut data).map_err(failed)?;
        // Where the data lies, its raw form and its place are said anew.
        let mut copy =
            rewrite(tensor, |field| Ok((!matches!(field.number, 9 | 13 | 14)).then(|| field.whole.to_vec())))?;
        put_bytes(&mut copy, 9, &data);
        Ok(copy)
    }
}

/// Opens the data beside the model `of`. What is no plain file, such as a pipe, would never end; a link that leads out of the
/// model's folder would read what nobody gave.
fn open_inside(of: &Path, path: &Path) -> Result<fs::File> {
    let failed = |error| Error::io("read", path, error);
    let wrong = |what: &str| Error::new(ErrorKind::Input, format!("{}: {what}", path.display()));
    let folder = of.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = path.canonicalize().map_err(failed)?;
    if !whole.starts_with(folder.canonicalize().map_err(failed)?) {
        return Err(wrong("leads out of the model's folder"));
    }
    if !whole.metadata().map_err(failed)?.is_file() {
        return Err(wrong("is no file"));
    }
    fs::File::open(whole).map_err(failed)
}

/// The files beside a model that hold its weights: of what stands in one file, none.
///
/// # Errors
/// [`ErrorKind::Input`] when the bytes are no ONNX file, or one that was cut short.
pub fn beside(bytes: &[u8]) -> Result<Vec<String>> {
    let (facts, has_graph) = Facts::told(bytes)?;
    if !has_graph {
        return Err(Error::new(ErrorKind::Input, "it holds no graph"));
    }
    Ok(facts.beside)
}

/// Where the data of a tensor lies.
struct Place {
    file: String,
    offset: u64,
    length: Option<u64>,
}

impl Place {
    /// `None` where it lies inside.
    fn of(tensor: &[u8]) -> Result<Option<Self>> {
        let (mut outside, mut place) = (false, Self { file: String::new(), offset: 0, length: None });
        for field in fields(tensor) {
            let field = field?;
            match field.number {
                // As the runtime's reader takes it: 32 bits of it.
                14 => outside = field.number_held() as u32 == 1,
                13 => {
                    let pair = fields(field.bytes()).collect::<Result<Vec<_>>>()?;
                    let of = |number| pair.iter().find(|field| field.number == number).map(Field::text);
                    let (key, value) = (of(1).unwrap_or_default(), of(2).unwrap_or_default());
                    let number = || value.parse().map_err(|_| unreadable(&format!("`{key}` of its data, `{value}`")));
                    match key.as_str() {
                        "location" => place.file = value,
                        "offset" => place.offset = number()?,
                        "length" => place.length = Some(number()?),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Ok(outside.then_some(place))
    }
}

fn unreadable(what: &str) -> Error {
    Error::new(ErrorKind::Input, format!("{what} cannot be read"))
}

impl Facts {
    fn read(bytes: &[u8]) -> Result<Self> {
        let (facts, has_graph) = Self::told(bytes)?;
        if !has_graph || facts.ir == 0 || facts.operators.is_empty() {
            return Err(Error::new(ErrorKind::Input, "it holds no graph with nodes"));
        }
        Ok(facts)
    }

    /// What it says, and whether it holds a graph.
    fn told(bytes: &[u8]) -> Result<(Self, bool)> {
        let mut facts = Self::default();
        let mut has_graph = false;
        let mut version = String::new();
        for field in fields(bytes) {
            let field = field?;
            match field.number {
                1 => facts.ir = field.number_held(),
                2 => facts.producer = field.text(),
                3 => version = field.text(),
                7 => {
                    has_graph = true;
                    facts.read_graph(field.bytes(), 0)?;
                }
                8 => {
                    let set = fields(field.bytes()).collect::<Result<Vec<_>>>()?;
                    let of = |number| set.iter().find(|field| field.number == number);
                    let domain = of(1).map(Field::text).unwrap_or_default();
                    facts.opsets.push((domain, of(2).map_or(1, Field::number_held)));
                }
                // Training, whose two graphs a runtime reads too, and functions, which are nodes with a name.
                20 => facts.read_parts(field.bytes(), &[1, 2], &mut |facts, graph| facts.read_graph(graph, 1))?,
                25 => {
                    facts.read_parts(field.bytes(), &[7], &mut |facts, node| facts.read_node(node, 1))?;
                    facts.read_parts(field.bytes(), &[11], &mut |facts, held| facts.read_attribute(held, 1))?;
                }
                _ => {}
            }
        }
        if !version.is_empty() {
            facts.producer += &format!(" {version}");
        }
        Ok((facts, has_graph))
    }

    /// Reads those fields of a message that have one of these numbers.
    fn read_parts(
        &mut self,
        message: &[u8],
        numbers: &[u64],
        read: &mut dyn FnMut(&mut Self, &[u8]) -> Result<()>,
    ) -> Result<()> {
        for field in fields(message) {
            let field = field?;
            if numbers.contains(&field.number) {
                read(self, field.bytes())?;
            }
        }
        Ok(())
    }

    /// Counts a sparse weight, whose values and places are tensors, and tells its name.
    fn read_sparse(&mut self, sparse: &[u8]) -> Result<String> {
        let mut name = String::new();
        self.read_parts(sparse, &[1, 2], &mut |facts, tensor| {
            let own = facts.read_tensor(tensor)?;
            if name.is_empty() {
                name = own;
            }
            Ok(())
        })?;
        Ok(name)
    }

    fn read_graph(&mut self, graph: &[u8], depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(Error::new(
                ErrorKind::Input,
                format!("its graphs lie within each other, more than {DEPTH} deep"),
            ));
        }
        let (mut inputs, mut held) = (Vec::new(), Vec::new());
        for field in fields(graph) {
            let field = field?;
            match field.number {
                1 => self.read_node(field.bytes(), depth)?,
                5 => held.push(self.read_tensor(field.bytes())?),
                15 => held.push(self.read_sparse(field.bytes())?),
                11 if depth == 0 => inputs.push(value(field.bytes())?),
                12 if depth == 0 => self.outputs.push(value(field.bytes())?),
                _ => {}
            }
        }
        // Old files name each weight as an input too.
        inputs.retain(|input: &Value| !held.contains(&input.name));
        self.inputs.append(&mut inputs);
        Ok(())
    }

    fn read_node(&mut self, node: &[u8], depth: usize) -> Result<()> {
        let (mut operator, mut domain, mut bits) = (String::new(), String::new(), None);
        for field in fields(node) {
            let field = field?;
            match field.number {
                4 => operator = field.text(),
                7 => domain = field.text(),
                5 => {
                    if name_of(field.bytes())? == "bits" {
                        let numbers = fields(field.bytes()).collect::<Result<Vec<_>>>()?;
                        bits = numbers.iter().rfind(|part| part.number == 3).map(Field::number_held).or(bits);
                    }
                    self.read_attribute(field.bytes(), depth)?;
                }
                _ => {}
            }
        }
        if !matches!(domain.as_str(), "" | "ai.onnx") {
            operator = format!("{domain}.{operator}");
            self.bits = self.bits.into_iter().chain(bits).min();
        }
        *self.operators.entry(operator).or_default() += 1;
        Ok(())
    }

    /// Counts the weights that an attribute holds, and those of its graphs.
    fn read_attribute(&mut self, attribute: &[u8], depth: usize) -> Result<()> {
        for part in fields(attribute) {
            let part = part?;
            match part.number {
                5 | 10 => drop(self.read_tensor(part.bytes())?),
                6 | 11 => self.read_graph(part.bytes(), depth + 1)?,
                22 | 23 => drop(self.read_sparse(part.bytes())?),
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts a weight and tells its name.
    fn read_tensor(&mut self, tensor: &[u8]) -> Result<String> {
        let (mut name, mut kind, mut count) = (String::new(), 0, 1u64);
        for field in fields(tensor) {
            let field = field?;
            match field.number {
                1 => count = field.numbers()?.into_iter().fold(count, u64::saturating_mul),
                2 => kind = field.number_held(),
                8 => name = field.text(),
                _ => {}
            }
        }
        let (dtype, bits) = dtype(kind);
        let bytes = self.weights.entry(dtype).or_default();
        *bytes = bytes.saturating_add(count.saturating_mul(bits).div_ceil(8));
        if let Some(Place { file, .. }) = Place::of(tensor)?
            && !self.beside.contains(&file)
        {
            self.beside.push(file);
        }
        Ok(name)
    }
}

/// Name, type and sizes of what a graph takes or gives.
fn value(value: &[u8]) -> Result<Value> {
    let mut found = Value { name: name_of(value)?, dtype: "nothing", shape: Vec::new() };
    let kinds = fields(value).collect::<Result<Vec<_>>>()?;
    for kind in kinds.iter().filter(|field| field.number == 2).flat_map(|field| fields(field.bytes())) {
        let kind = kind?;
        found.dtype = match kind.number {
            1 => found.dtype,
            4 => "sequence",
            5 => "table",
            8 => "sparse tensor",
            9 => "option",
            _ => continue,
        };
        for part in fields(kind.bytes()).filter(|_| kind.number == 1) {
            let part = part?;
            match part.number {
                1 => found.dtype = dtype(part.number_held()).0,
                2 => {
                    for size in fields(part.bytes()) {
                        found.shape.push(read_size(size?.bytes())?);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

fn read_size(size: &[u8]) -> Result<Size> {
    let mut found = Size::Dynamic(String::new());
    for field in fields(size) {
        let field = field?;
        match (field.number, usize::try_from(field.number_held() as i64)) {
            (1, Ok(size)) => found = Size::Fixed(size),
            (2, _) => found = Size::Dynamic(field.text()),
            _ => {}
        }
    }
    Ok(found)
}
