//! The little protobuf that the fleet needs: walk the fields of a message, append fields to one.
//!
//! Hand-written because the fleet compares most messages byte by byte and decodes few; it knows no schema.

/// One field of a message. Fixed-width fields are skipped over by `Fields` as nothing here has any.
pub enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
}

/// Iterates over (field number, value); stops with an error at the first malformed field.
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    #[must_use]
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.rest.split_first().ok_or("truncated varint")?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("varint of more than ten bytes".into())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("truncated field")?;
        self.rest = rest;
        Ok(taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), String> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Bytes(self.take(8)?),
            2 => {
                let count = usize::try_from(self.varint()?).map_err(|_| "field too long")?;
                Value::Bytes(self.take(count)?)
            }
            5 => Value::Bytes(self.take(4)?),
            other => return Err(format!("wire type {other}")),
        };
        Ok((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

/// Call `visit` with each length-delimited field `number` of `message`.
pub fn fields<'a>(
    message: &'a [u8],
    number: u64,
    mut visit: impl FnMut(&'a [u8]) -> Result<(), String>,
) -> Result<(), String> {
    for field in Fields::new(message) {
        if let (key, Value::Bytes(bytes)) = field?
            && key == number
        {
            visit(bytes)?;
        }
    }
    Ok(())
}

/// The last length-delimited field `number`, or nothing: protobuf's rule for a singular field.
pub fn last(message: &[u8], number: u64) -> Result<&[u8], String> {
    let mut key: &[u8] = &[];
    fields(message, number, |bytes| {
        key = bytes;
        Ok(())
    })?;
    Ok(key)
}

fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Append a length-delimited field; as in proto3, an empty one is left out.
pub fn put(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    if !bytes.is_empty() {
        out.push(number << 3 | 2);
        put_varint(out, bytes.len());
        out.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_wrote() {
        let mut message = Vec::new();
        put(&mut message, 1, b"first");
        put(&mut message, 2, &[7; 300]);
        put(&mut message, 1, b"last");
        put(&mut message, 3, b"");
        assert_eq!(last(&message, 1), Ok(&b"last"[..]));
        assert_eq!(last(&message, 2).map(<[u8]>::len), Ok(300));
        assert_eq!(last(&message, 3), Ok(&b""[..]));
    }

    #[test]
    fn a_truncated_message_is_an_error() {
        let mut message = Vec::new();
        put(&mut message, 1, b"some bytes");
        assert!(last(&message[..5], 1).is_err());
    }
}
