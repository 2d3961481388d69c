//! Names of the form `xdstp://AUTHORITY/TYPE/ID?CONTEXT` (xRFC TP1, gRFC A47).
//!
//! Names are compared in canonical form: context parameters sorted, no unnecessary escapes. A name with the last path
//! segment `*` is a glob collection: it covers all names that differ from it in that segment only.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// The name that stands for a wildcard subscription, in requests, in [`Interest`] and in [`Demand`].
pub const WILDCARD: &str = "*";

/// [`WILDCARD`] as a shared string.
pub fn wildcard_name() -> &'static Arc<str> {
    static NAME: LazyLock<Arc<str>> = LazyLock::new(|| WILDCARD.into());
    &NAME
}

const SCHEME: &str = "xdstp://";

/// The canonical form of a name; names of other schemes are returned as they are.
pub fn canonical_name(name: &str) -> Cow<'_, str> {
    let Some(rest) = name.strip_prefix(SCHEME) else { return Cow::Borrowed(name) };
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let mut out = String::with_capacity(name.len());
    out.push_str(SCHEME);
    out.push_str(&unescape(path));
    let parameters = query.into_iter().flat_map(|query| query.split('&'));
    let mut parameters: Vec<String> = parameters.filter(|text| !text.is_empty()).map(unescape).collect();
    parameters.sort_unstable();
    for (index, parameter) in parameters.into_iter().enumerate() {
        out.push(if index == 0 { '?' } else { '&' });
        out.push_str(&parameter);
    }
    if out == name { Cow::Borrowed(name) } else { Cow::Owned(out) }
}

/// The glob collection that covers a name; `None`: none can.
pub(crate) fn collection_of(name: &str) -> Option<String> {
    let (start, end) = last_segment(name)?;
    Some([&name[..start], "*", &name[end..]].concat())
}

/// Whether a name is a glob collection.
pub fn is_collection(name: &str) -> bool {
    last_segment(name).is_some_and(|(start, end)| &name[start..end] == "*")
}

/// The range of the last segment of the path, after authority and type.
fn last_segment(name: &str) -> Option<(usize, usize)> {
    let rest = name.strip_prefix(SCHEME)?;
    let end = SCHEME.len() + rest.find('?').unwrap_or(rest.len());
    let path = &name[SCHEME.len()..end];
    if path.bytes().filter(|byte| *byte == b'/').count() < 2 {
        return None;
    }
    Some((SCHEME.len() + path.rfind('/')? + 1, end))
}

/// `text` with the escapes that RFC 3986 requires, in capitals.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let Some(digits) = digits else {
            out.push('%');
            rest = after;
            continue;
        };
        match u8::from_str_radix(digits, 16) {
            Ok(byte) if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => out.push(byte.into()),
            _ => {
                out.push('%');
                out.push_str(&digits.to_ascii_uppercase());
            }
        }
        rest = &after[2..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_one_canonical_form() {
        let table = [
            ("xdstp://a/T/x?b=2&a=1", "xdstp://a/T/x?a=1&b=2"),
            ("xdstp://a/T/%78%2f%2F", "xdstp://a/T/x%2F%2F"),
            ("xdstp://a/T/x?", "xdstp://a/T/x"),
            ("xdstp://a/T/100%", "xdstp://a/T/100%"),
            ("xdstp://a/T/%é", "xdstp://a/T/%é"),
            ("backend?b=2&a=1", "backend?b=2&a=1"),
        ];
        for (name, canonical) in table {
            assert_eq!(canonical_name(name), canonical);
        }
    }

    #[test]
    fn a_collection_covers_the_names_beside_it() {
        let table = [
            ("xdstp://a/T/x", Some("xdstp://a/T/*")),
            ("xdstp://a/T/x/y?k=v", Some("xdstp://a/T/x/*?k=v")),
            ("xdstp://a/T", None),
            ("x/y", None),
        ];
        for (name, collection) in table {
            assert_eq!(collection_of(name).as_deref(), collection, "{name}");
            assert!(collection.is_none_or(is_collection), "{name}");
        }
        for name in ["*", "x/*", "xdstp://a/*", "xdstp://a/T/x*", "xdstp://a/T/*/x"] {
            assert!(!is_collection(name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn canonical_form_is_idempotent(name in "xdstp://a/T/[a%2fF*/?&=é]{0,20}") {
            let canonical = canonical_name(&name).into_owned();
            prop_assert_eq!(canonical_name(&canonical), canonical.as_str());
        }
    }
}
