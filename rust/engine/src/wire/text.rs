//! Texts of clients, truncated before they are kept or reported.

use std::borrow::Cow;

/// Maximum bytes of a text of a client, in UTF-8.
pub const MAX_TEXT: usize = 512;

const ELLIPSIS: &str = "…";

/// A truncated text keeps its beginning and its end: Envoy's NACKs quote the resource before the reason.
const HEAD: usize = (MAX_TEXT - ELLIPSIS.len()) / 2;
const TAIL: usize = MAX_TEXT - ELLIPSIS.len() - HEAD;

/// The text in [`MAX_TEXT`] bytes at most, truncated between characters; an ellipsis replaces the middle.
pub fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT { Cow::Borrowed(text) } else { Cow::Owned(ends(text, text)) }
}

/// Bytes of a client as such a text. Bytes that are not UTF-8 are replaced.
pub(crate) fn bounded_lossy(bytes: &[u8]) -> String {
    if bytes.len() <= MAX_TEXT {
        return bounded(&String::from_utf8_lossy(bytes)).into_owned();
    }
    // The slices are longer than what is kept, so that no character at their edges is.
    let [first, last] = [&bytes[..HEAD + 4], &bytes[bytes.len() - TAIL - 4..]].map(String::from_utf8_lossy);
    ends(&first, &last)
}

/// The beginning of one text and the end of another.
fn ends(first: &str, last: &str) -> String {
    let (mut head, mut tail) = (HEAD.min(first.len()), last.len().saturating_sub(TAIL));
    while !first.is_char_boundary(head) {
        head -= 1;
    }
    while !last.is_char_boundary(tail) {
        tail += 1;
    }
    format!("{}{ELLIPSIS}{}", &first[..head], &last[tail..])
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
            assert_eq!((cut.len(), cut.contains(ELLIPSIS)), (size, text.len() > MAX_TEXT), "{cut}");
            assert_eq!(bounded_lossy(text.as_bytes()), cut);
        }
    }

    #[test]
    fn the_beginning_and_the_end_are_kept() {
        let text = format!("a cluster: {}: the reason", "é".repeat(3000));
        let cut = bounded(&text);
        assert!(cut.starts_with("a cluster: éé") && cut.ends_with("é: the reason"), "{cut}");
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        for bytes in [&[0xffu8; 9000][..], &[0xff; 400], "€".repeat(3000).as_bytes(), b"good"] {
            assert!(bounded_lossy(bytes).len() <= MAX_TEXT);
        }
        assert_eq!(bounded_lossy(b"good\xff"), "good\u{fffd}");
    }
}
