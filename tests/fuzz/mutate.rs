//! Seeds → inputs: bytes flipped, set, removed, doubled and put in from other seeds, most of them near the beginning, where
//! heads are; of text also numbers and lines.

/// Changes seeds at random, the same way for the same number.
pub struct Mutator {
    state: u64,
    is_text: bool,
}

/// Where counts and lengths turn.
const NUMBERS: [u64; 27] = [
    0,
    1,
    2,
    4,
    8,
    16,
    32,
    64,
    100,
    127,
    128,
    255,
    256,
    512,
    1000,
    1024,
    4096,
    32767,
    32768,
    65535,
    65536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    u64::MAX,
];

/// What stands in the place of a value.
const WORDS: [&str; 26] = [
    "-1",
    "0",
    "1e308",
    "nan",
    "inf",
    "-inf",
    "9223372036854775807",
    "18446744073709551615",
    "1e-320",
    "[]",
    "{}",
    "\"\"",
    "true",
    "[[a]]",
    "\0",
    "不",
    "../../x",
    "/etc/passwd",
    "4294967295",
    "65536",
    "\"a\"",
    "1.5",
    "[0,0]",
    "[1,2,3,4,5]",
    "null",
    "1979-05-27",
];

impl Mutator {
    pub fn new(seed: u64, is_text: bool) -> Self {
        // Xorshift stays at nought.
        Self { state: seed ^ 0x1234_5678_9abc_def1 | 1, is_text }
    }

    /// One of the seeds, changed in 1 to 32 places.
    pub fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut data = seeds[self.below(seeds.len())].clone();
        for _ in 0..1 << self.below(6) {
            if data.is_empty() {
                data.push(self.next() as u8);
            }
            let span = if self.below(2) == 0 { data.len().min(128) } else { data.len() };
            let at = self.below(span);
            match self.below(if self.is_text { 14 } else { 11 }) {
                0 => data[at] ^= 1 << self.below(8),
                1 => data[at] = self.next() as u8,
                2 => data[at] = NUMBERS[self.below(NUMBERS.len())] as u8,
                3 => self.set_number(&mut data, at),
                4 => data[at] = data[at].wrapping_add(self.below(35) as u8),
                5 => data[at] = data[at].wrapping_sub(self.below(35) as u8),
                6 => drop(data.drain(at..(at + 1 + self.below(16)).min(data.len()))),
                7 => {
                    let from = self.below(data.len());
                    let again = data[from..(from + 1 + self.below(16)).min(data.len())].to_vec();
                    data.splice(at..at, again);
                }
                8 if self.below(6) == 0 => data.truncate(1 + self.below(data.len())),
                8 => {}
                9 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len());
                    let end = (from + 1 + self.below(64)).min(other.len());
                    data.splice(at..at, other[from..end].iter().copied());
                }
                10 => {
                    let (end, value) = ((at + 1 + self.below(8)).min(data.len()), self.next() as u8);
                    data[at..end].fill(value);
                }
                11 => drop(data.splice(at..at, self.word())),
                12 => self.set_digits(&mut data, at),
                _ => self.line(&mut data, at),
            }
        }
        data
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state
    }

    /// A number under `n`, or nought.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn word(&mut self) -> impl Iterator<Item = u8> + use<> {
        WORDS[self.below(WORDS.len())].bytes()
    }

    /// Sets 2, 4 or 8 bytes, in either order, to a number where counts turn.
    fn set_number(&mut self, data: &mut [u8], at: usize) {
        let (size, number) = ([2, 4, 8][self.below(3)], NUMBERS[self.below(NUMBERS.len())]);
        let mut bytes = number.to_le_bytes()[..size].to_vec();
        if self.below(2) == 0 {
            bytes.reverse();
        }
        data[at..].iter_mut().zip(bytes).for_each(|(byte, new)| *byte = new);
    }

    /// The next number that is written in digits becomes a word.
    fn set_digits(&mut self, data: &mut Vec<u8>, at: usize) {
        let Some(from) = data[at..].iter().position(u8::is_ascii_digit).map(|from| at + from) else { return };
        let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
        let end = data[from..].iter().position(|byte| !is_number(byte)).map_or(data.len(), |end| from + end);
        drop(data.splice(from..end, self.word()));
    }

    /// A line goes, or comes twice.
    fn line(&mut self, data: &mut Vec<u8>, at: usize) {
        let from = data[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |from| from + 1);
        let end = data[at..].iter().position(|byte| *byte == b'\n').map_or(data.len(), |end| at + end + 1);
        let line = if self.below(2) == 0 { Vec::new() } else { data[from..end].repeat(2) };
        data.splice(from..end, line);
    }
}
