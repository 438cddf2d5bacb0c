//! Protocol Buffers as they lie in a file: a message is a row of fields, each a number and a value. What a number means
//! is left to the parent, and so is every field that it does not know: one that is copied is copied as it stands.

use crate::error::{Error, ErrorKind, Result};

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// Its number.
    pub number: u64,
    /// Its value.
    pub value: Value<'a>,
    /// All its bytes, number and length among them.
    pub whole: &'a [u8],
}

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub enum Value<'a> {
    /// A whole number.
    Number(u64),
    /// Text, bytes or a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes of a float, which nothing here asks for.
    Fixed,
}

impl<'a> Field<'a> {
    /// The bytes; none where it holds a number.
    pub fn bytes(&self) -> &'a [u8] {
        match self.value {
            Value::Bytes(bytes) => bytes,
            Value::Number(_) | Value::Fixed => &[],
        }
    }

    /// The number; 0 where it holds something else.
    pub fn number_held(&self) -> u64 {
        match self.value {
            Value::Number(number) => number,
            Value::Bytes(_) | Value::Fixed => 0,
        }
    }

    /// The bytes as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes()).into_owned()
    }

    /// The whole numbers that it holds: one, or several packed together.
    pub fn numbers(&self) -> Result<Vec<u64>> {
        let Value::Bytes(mut rest) = self.value else { return Ok(vec![self.number_held()]) };
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            numbers.push(varint(&mut rest)?);
        }
        Ok(numbers)
    }
}

/// The fields of `message`, one after the other, without a copy. The first that cannot be read is the last.
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<Field<'_>>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        let at = rest;
        (!rest.is_empty()).then(|| next(at, &mut rest).inspect_err(|_| rest = &[]))
    })
}

fn next<'a>(at: &'a [u8], rest: &mut &'a [u8]) -> Result<Field<'a>> {
    let key = varint(rest)?;
    let value = match key & 7 {
        0 => Value::Number(varint(rest)?),
        1 => take(rest, 8).map(|_| Value::Fixed)?,
        2 => {
            let length = varint(rest)?;
            Value::Bytes(take(rest, length)?)
        }
        5 => take(rest, 4).map(|_| Value::Fixed)?,
        other => return Err(wrong(format!("a field of unknown wire type {other}"))),
    };
    match key >> 3 {
        0 => Err(wrong("a field with the number 0".into())),
        number => Ok(Field { number, value, whole: &at[..at.len() - rest.len()] }),
    }
}

fn take<'a>(rest: &mut &'a [u8], length: u64) -> Result<&'a [u8]> {
    let taken = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (taken, after) = taken
        .ok_or_else(|| wrong(format!("a field of {length} bytes where {} are left: it was cut short", rest.len())))?;
    *rest = after;
    Ok(taken)
}

fn varint(rest: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some((&byte, after)) = rest.split_first() else { return Err(wrong("a number that was cut short".into())) };
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(wrong("a number of more than 64 bits".into()))
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Input, format!("it has {what}"))
}

/// Writes a field that holds a number.
pub fn put_number(into: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(into, field << 3);
    put_varint(into, number);
}

/// Writes a field that holds text, bytes or a message.
pub fn put_bytes(into: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(into, field << 3 | 2);
    put_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn put_varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut message = Vec::new();
        put_number(&mut message, 1, 300);
        put_bytes(&mut message, 21, b"name");
        put_bytes(&mut message, 3, &[1, 0xac, 0x02]);
        let fields = fields(&message).collect::<Result<Vec<_>>>().unwrap();
        assert_eq!(fields.iter().map(|field| field.number).collect::<Vec<_>>(), [1, 21, 3]);
        assert_eq!((fields[0].number_held(), fields[1].text().as_str()), (300, "name"));
        assert_eq!(fields[2].numbers().unwrap(), [1, 300]);
        assert_eq!(fields.iter().flat_map(|field| field.whole).copied().collect::<Vec<_>>(), message);
    }

    #[test]
    fn what_cannot_be_read_ends_with_a_reason() {
        let told = |bytes: &[u8]| fields(bytes).last().unwrap().unwrap_err().to_string();
        assert!(told(&[0x0a, 5, b'a']).contains("5 bytes where 1 are left"));
        assert!(told(&[0x0a]).contains("cut short"));
        assert!(told(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).contains("cut short"));
        assert!(told(&[0xff; 11]).contains("more than 64 bits"));
        assert!(told(&[0x0f]).contains("unknown wire type 7"));
        assert!(told(&[0x00, 1]).contains("number 0"));
    }
}
