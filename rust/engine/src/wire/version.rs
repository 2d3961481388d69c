//! Versions and nonces as text.

use xxhash_rust::xxh3::xxh3_64;

/// Digits of a version in hexadecimal.
pub(crate) const VERSION_DIGITS: usize = 16;

/// Digits of a nonce in hexadecimal.
pub(crate) const NONCE_DIGITS: usize = 12;

/// A version as text, as in `version_info`.
pub(crate) fn version_text(version: u64) -> String {
    String::from_utf8_lossy(&hex::<16>(version)).into_owned()
}

/// The inverse of [`version_text`]; `None` for other texts.
pub(crate) fn parse_version(text: &[u8]) -> Option<u64> {
    parse_hex::<16>(text)
}

/// The version of a fingerprint: the inverse of [`fingerprint`].
pub(crate) fn version_of(name: &str, fingerprint: u64) -> u64 {
    // Each step undone, last first: multipliers by their inverses modulo 2^64.
    let mut mixed = fingerprint ^ (fingerprint >> 31) ^ (fingerprint >> 62);
    mixed = mixed.wrapping_mul(0x3196_42b2_d24d_8ec3);
    mixed = (mixed ^ (mixed >> 27) ^ (mixed >> 54)).wrapping_mul(0x96de_1b17_3f11_9089);
    mixed ^ (mixed >> 30) ^ (mixed >> 60) ^ xxh3_64(name.as_bytes())
}

/// A hash of name and version: sums of fingerprints distinguish sets of (name, version). For one name it is a bijection
/// of the version: fingerprints are equal exactly when versions are.
pub(crate) fn fingerprint(name: &str, version: u64) -> u64 {
    // The finaliser of SplitMix64.
    let mut mixed = version ^ xxh3_64(name.as_bytes());
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// The number of a nonce of this server; `None` for other texts.
pub(crate) fn parse_nonce(text: &[u8]) -> Option<u64> {
    parse_hex::<NONCE_DIGITS>(text)
}

/// The lowest `DIGITS` hexadecimal digits of a number.
pub(crate) fn hex<const DIGITS: usize>(value: u64) -> [u8; DIGITS] {
    std::array::from_fn(|index| b"0123456789abcdef"[(value >> (4 * (DIGITS - 1 - index))) as usize & 0xf])
}

/// The inverse of [`hex`]; `None` for other texts.
pub(crate) fn parse_hex<const DIGITS: usize>(text: &[u8]) -> Option<u64> {
    let digits: &[u8; DIGITS] = text.try_into().ok()?;
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Some(value << 4 | u64::from(digit - b'0')),
        b'a'..=b'f' => Some(value << 4 | u64::from(digit - b'a' + 10)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_gives_its_version() {
        for version in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX - 1, u64::MAX] {
            for name in ["", "a", "backend.shop:8080"] {
                assert_eq!(version_of(name, fingerprint(name, version)), version, "{name}");
            }
        }
    }

    #[test]
    fn fingerprints_distinguish_names() {
        let swapped = fingerprint("a", 2).wrapping_add(fingerprint("b", 1));
        assert_ne!(fingerprint("a", 1).wrapping_add(fingerprint("b", 2)), swapped);
    }

    #[test]
    fn numbers_are_parsed_back() {
        assert_eq!(parse_nonce(&hex::<12>(0x1234)), Some(0x1234));
        assert_eq!(parse_hex::<16>(&hex::<16>(u64::MAX)), Some(u64::MAX));
        for text in ["", "00000000000G", "00000000000A", "0000000000001"] {
            assert_eq!(parse_nonce(text.as_bytes()), None, "{text}");
        }
    }
}
