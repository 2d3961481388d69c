//! Names of the form `xdstp://AUTHORITY/TYPE/ID?CONTEXT` (xRFC TP1, gRFC A47).
//!
//! Two spellings of one name are one name: context parameters have no order, and escapes that need not be are not. A name
//! whose last path segment is `*` is a glob collection: it stands for all names that differ from it in that segment only.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

/// The name that stands for a wildcard subscription, in requests, in [`Interest`] and in [`Demand`].
pub const WILDCARD: &str = "*";

/// [`WILDCARD`] as a shared string, made once.
pub fn wildcard_name() -> &'static Arc<str> {
    static NAME: LazyLock<Arc<str>> = LazyLock::new(|| WILDCARD.into());
    &NAME
}

const SCHEME: &str = "xdstp://";

/// The one spelling under which a name is known; any other name is its own.
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

/// The glob collection that a name belongs to; `None` when it can belong to none.
pub(crate) fn collection_of(name: &str) -> Option<String> {
    let (start, end) = last_segment(name)?;
    Some([&name[..start], "*", &name[end..]].concat())
}

/// Whether a name is that of a glob collection.
pub fn is_collection(name: &str) -> bool {
    last_segment(name).is_some_and(|(start, end)| &name[start..end] == "*")
}

/// Where the last segment of the path lies, behind authority and type.
fn last_segment(name: &str) -> Option<(usize, usize)> {
    let rest = name.strip_prefix(SCHEME)?;
    let end = SCHEME.len() + rest.find('?').unwrap_or(rest.len());
    let path = &name[SCHEME.len()..end];
    if path.bytes().filter(|byte| *byte == b'/').count() < 2 {
        return None;
    }
    Some((SCHEME.len() + path.rfind('/')? + 1, end))
}

/// `text` with no more escapes than RFC 3986 asks for, each in capitals.
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
    fn spellings_of_one_name() {
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
    fn a_name_belongs_to_the_collection_beside_it() {
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
        fn a_canonical_name_is_its_own(name in "xdstp://a/T/[a%2fF*/?&=é]{0,20}") {
            let canonical = canonical_name(&name).into_owned();
            prop_assert_eq!(canonical_name(&canonical), canonical.as_str());
        }
    }
}
