//! The protobuf wire format, as far as discovery messages need it.
//!
//! Requests are read in place: no message is built and no string copied, as a generated parser would. Unknown fields
//! are skipped; a field of another wire type than expected counts as unknown, as in protobuf's own parsers.

use smallvec::SmallVec;

/// Groups nest at most this deep (they are only ever skipped).
const MAX_GROUP_DEPTH: usize = 32;

/// Longest encoding of a 64-bit varint.
const MAX_VARINT: usize = 10;

/// The bytes are not a protobuf message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The value of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A fixed-size number or a group: not used by discovery messages.
    Other,
}

/// One field of a message and the range of its encoding, tag included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Field<'a> {
    pub(crate) number: u32,
    pub(crate) value: Value<'a>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

/// Reads the fields of one message in order.
pub(crate) struct Fields<'a> {
    message: &'a [u8],
    position: usize,
}

impl<'a> Fields<'a> {
    pub(crate) fn new(message: &'a [u8]) -> Fields<'a> {
        Fields { message, position: 0 }
    }

    /// The next field; `None` at the end of the message.
    pub(crate) fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.position == self.message.len() {
            return Ok(None);
        }
        let start = self.position;
        let (number, wire_type) = self.tag()?;
        let value = match wire_type {
            0 => Value::Varint(self.varint()?),
            2 => {
                let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                Value::Bytes(self.take(len)?)
            }
            3 => {
                self.skip_group(number)?;
                Value::Other
            }
            fixed => {
                self.skip_fixed(fixed)?;
                Value::Other
            }
        };
        Ok(Some(Field { number, value, start, end: self.position }))
    }

    fn tag(&mut self) -> Result<(u32, u8), Malformed> {
        let tag = u32::try_from(self.varint()?).map_err(|_| Malformed)?;
        match tag >> 3 {
            0 => Err(Malformed),
            number => Ok((number, (tag & 7) as u8)),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Malformed> {
        // All tags of discovery messages and most lengths.
        if let Some(&byte @ 0..0x80) = self.message.get(self.position) {
            self.position += 1;
            return Ok(byte.into());
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for (index, byte) in self.message[self.position..].iter().take(MAX_VARINT).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.position += index + 1;
                // The tenth byte holds the last bit.
                return if index == MAX_VARINT - 1 && *byte > 1 { Err(Malformed) } else { Ok(value) };
            }
        }
        Err(Malformed)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let bytes = self.message[self.position..].get(..len).ok_or(Malformed)?;
        self.position += len;
        Ok(bytes)
    }

    fn skip_fixed(&mut self, wire_type: u8) -> Result<(), Malformed> {
        match wire_type {
            1 => self.take(8).map(drop),
            5 => self.take(4).map(drop),
            _ => Err(Malformed),
        }
    }

    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open: SmallVec<[u32; 4]> = SmallVec::from_slice(&[number]);
        while let Some(&innermost) = open.last() {
            match self.tag()? {
                (_, 0) => drop(self.varint()?),
                (_, 2) => {
                    let len = usize::try_from(self.varint()?).map_err(|_| Malformed)?;
                    self.take(len)?;
                }
                (number, 3) if open.len() < MAX_GROUP_DEPTH => open.push(number),
                (number, 4) if number == innermost => drop(open.pop()),
                (_, wire_type) => self.skip_fixed(wire_type)?,
            }
        }
        Ok(())
    }
}

/// The values of one string or message field, in order.
pub(crate) fn repeated(message: &[u8], number: u32) -> impl Iterator<Item = Result<&[u8], Malformed>> {
    let mut fields = Fields::new(message);
    std::iter::from_fn(move || {
        loop {
            match fields.next() {
                Ok(Some(Field { number: n, value: Value::Bytes(bytes), .. })) if n == number => {
                    return Some(Ok(bytes));
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(malformed) => {
                    fields.position = fields.message.len();
                    return Some(Err(malformed));
                }
            }
        }
    })
}

/// A singular string or message field: the last value. `None` when it is missing.
pub(crate) fn singular(message: &[u8], number: u32) -> Result<Option<&[u8]>, Malformed> {
    repeated(message, number).try_fold(None, |_, value| value.map(Some))
}

/// The text of a string field.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}

/// The tag of a length-delimited field below 16: one byte.
pub(crate) const fn bytes_tag(number: u8) -> u8 {
    (number << 3) | 2
}

/// The tag of a varint field below 16: one byte.
pub(crate) const fn varint_tag(number: u8) -> u8 {
    number << 3
}

/// Bytes of a varint.
pub(crate) const fn varint_len(value: usize) -> usize {
    let bits = usize::BITS - (value | 1).leading_zeros();
    (bits as usize).div_ceil(7)
}

/// Append a varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Append a length-delimited field below 16.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u8, value: &[u8]) {
    out.push(bytes_tag(number));
    put_varint(out, value.len());
    out.extend_from_slice(value);
}

/// Bytes of a length-delimited field below 16.
pub(crate) const fn bytes_len(value_len: usize) -> usize {
    1 + varint_len(value_len) + value_len
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbers(message: &[u8]) -> Result<Vec<u32>, Malformed> {
        let mut fields = Fields::new(message);
        let mut seen = Vec::new();
        while let Some(field) = fields.next()? {
            seen.push(field.number);
        }
        Ok(seen)
    }

    #[test]
    fn unknown_fields_of_every_wire_type_are_skipped() {
        let mut message = vec![0x08, 0x96, 0x01]; // 1: varint 150
        message.extend([0x11, 1, 2, 3, 4, 5, 6, 7, 8]); // 2: fixed64
        message.extend([0x1d, 1, 2, 3, 4]); // 3: fixed32
        message.extend([0x23, 0x08, 0x01, 0x2b, 0x2c, 0x32, 0x01, b'x', 0x24]); // 4: group with a group inside
        put_bytes(&mut message, 5, b"text");
        assert_eq!(numbers(&message), Ok(vec![1, 2, 3, 4, 5]));
        assert_eq!(singular(&message, 5), Ok(Some(b"text".as_slice())));
        assert_eq!(singular(&message, 4), Ok(None), "a group is not a string");
    }

    #[test]
    fn malformed_messages_are_rejected() {
        let broken: [&[u8]; 9] = [
            &[0x0a],                                                             // a length is missing
            &[0x0a, 5, 1],                                                       // cut short
            &[0x08, 0x80],                                                       // a varint without end
            &[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2],             // more than 64 bits
            &[0x00, 0x00],                                                       // field number 0
            &[0x0c],       // end of a group that never began
            &[0x0b, 0x14], // end of another group
            &[0x0f],       // wire type 7
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], // an absurd length
        ];
        for message in broken {
            assert_eq!(numbers(message), Err(Malformed), "{message:?}");
        }
    }

    #[test]
    fn a_singular_field_has_the_last_value() {
        let mut message = Vec::new();
        put_bytes(&mut message, 1, b"first");
        put_bytes(&mut message, 1, b"last");
        assert_eq!(singular(&message, 1), Ok(Some(b"last".as_slice())));
        assert_eq!(repeated(&message, 1).count(), 2);
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic_and_end(message: Vec<u8>) {
            let _ = numbers(&message);
            prop_assert!(repeated(&message, 1).count() <= message.len());
        }

        #[test]
        fn a_written_field_is_read_back(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut message = Vec::new();
            put_bytes(&mut message, 7, &value);
            prop_assert_eq!(message.len(), bytes_len(value.len()));
            prop_assert_eq!(singular(&message, 7), Ok(Some(value.as_slice())));
        }
    }
}
