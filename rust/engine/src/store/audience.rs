//! Audiences: parts joined by `/`, widest first. "" is every audience.

/// Whether a stream of audience `stream` sees entries of audience `entry`: the same one, or a wider one.
pub(crate) fn sees(stream: &str, entry: &str) -> bool {
    match stream.strip_prefix(entry) {
        Some(rest) => rest.is_empty() || entry.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// The audience itself, then each wider one down to "".
pub(crate) fn widening(audience: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(audience), |narrower| match narrower.rfind('/') {
        Some(end) => Some(&narrower[..end]),
        None if narrower.is_empty() => None,
        None => Some(""),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_sees_itself_and_wider_ones() {
        for wider in ["grpc/core/shop", "grpc/core", "grpc", ""] {
            assert!(sees("grpc/core/shop", wider), "{wider}");
        }
        for other in ["grpc/core/shop/7", "grpc/co", "envoy", "grpc/core/other", "/"] {
            assert!(!sees("grpc/core/shop", other), "{other}");
        }
        assert!(sees("", "") && !sees("", "grpc"));
    }

    #[test]
    fn widening_ends_with_everybody() {
        assert_eq!(
            widening("grpc/core/shop").collect::<Vec<_>>(),
            ["grpc/core/shop", "grpc/core", "grpc", ""]
        );
        assert_eq!(widening("").collect::<Vec<_>>(), [""]);
    }
}
