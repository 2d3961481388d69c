//! Texts of clients, cut before they are kept or reported.

use std::borrow::Cow;

/// Bytes of a text of a client, in UTF-8.
pub const MAX_TEXT: usize = 512;

const ELLIPSIS: &str = "…";

/// The text in [`MAX_TEXT`] bytes at the most, cut between characters; an ellipsis stands for the rest.
pub fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT {
        return Cow::Borrowed(text);
    }
    let mut end = MAX_TEXT - ELLIPSIS.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}{ELLIPSIS}", &text[..end]))
}

/// Bytes of a client as such a text. What is not UTF-8 is replaced.
pub(crate) fn bounded_lossy(bytes: &[u8]) -> String {
    // More bytes than a text may have, so that one that is cut is known to be.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT + 4)]);
    bounded(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, size) in
            [("a".repeat(512), 512), ("a".repeat(9000), 512), ("ä".repeat(9000), 511), ("€".repeat(171), 510)]
        {
            let cut = bounded(&text);
            assert_eq!((cut.len(), cut.ends_with(ELLIPSIS)), (size, text.len() > MAX_TEXT), "{cut}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        for bytes in [&[0xffu8; 9000][..], &[0xff; 400], "€".repeat(3000).as_bytes(), b"good"] {
            assert!(bounded_lossy(bytes).len() <= MAX_TEXT);
        }
        assert_eq!(bounded_lossy(b"good\xff"), "good\u{fffd}");
    }
}
