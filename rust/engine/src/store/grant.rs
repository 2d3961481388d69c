//! Authorization of one client: patterns over the scopes of resources.

use std::sync::LazyLock;

use super::table::Reason;

/// The resources that a stream may see, by their scope ([`crate::Resource::scope`]).
///
/// A scope is `NAMESPACE/NAME`, or "" for public resources. A resource is visible when any pattern matches its scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant(Option<Box<[Pattern]>>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    /// `*`
    Everything,
    /// `NAMESPACE/*`, kept as `NAMESPACE/`.
    Namespace(Box<str>),
    /// `NAMESPACE/NAME`, or "" for public resources.
    Scope(Box<str>),
}

impl Pattern {
    fn parse(text: &str) -> Pattern {
        match text.strip_suffix('*') {
            Some("") => Pattern::Everything,
            Some(namespace) if namespace.ends_with('/') => Pattern::Namespace(namespace.into()),
            _ => Pattern::Scope(text.into()),
        }
    }

    fn matches(&self, scope: &str) -> bool {
        match self {
            Pattern::Everything => true,
            Pattern::Namespace(namespace) => scope.starts_with(&**namespace),
            Pattern::Scope(exact) => scope == &**exact,
        }
    }
}

impl Grant {
    /// No restriction.
    pub const EVERYTHING: Grant = Grant(None);

    /// The resources that any of the patterns matches: `*`, `NAMESPACE/*`, `NAMESPACE/NAME`, or "" for public
    /// resources.
    pub fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Grant {
        let patterns: Box<[Pattern]> = patterns.into_iter().map(Pattern::parse).collect();
        Grant(Some(patterns).filter(|patterns| !patterns.contains(&Pattern::Everything)))
    }

    pub(crate) fn is_everything(&self) -> bool {
        self.0.is_none()
    }

    /// Whether a resource of this scope is visible.
    pub fn admits(&self, scope: &str) -> bool {
        match &self.0 {
            None => true,
            Some(patterns) => patterns.iter().any(|pattern| pattern.matches(scope)),
        }
    }
}

/// Why a resource outside of the grant is absent, for operators. The client must not learn that it exists.
pub(crate) fn withheld() -> &'static Reason {
    static REASON: LazyLock<Reason> = LazyLock::new(|| Reason {
        text: "authorization does not permit this client to see it".into(),
        denied: true,
    });
    &REASON
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_scopes() {
        let table = [
            (&["*"][..], &["", "shop/cart", "bank/vault"][..], &[][..]),
            (&[""], &[""], &["shop/cart"]),
            (&["", "shop/*"], &["", "shop/cart"], &["shopping/cart", "bank/vault"]),
            (&["shop/cart"], &["shop/cart"], &["", "shop/carts", "shop/car"]),
            (&["shop/c*"], &["shop/c*"], &["shop/cart"]),
            (&[], &[], &["", "shop/cart"]),
        ];
        for (patterns, seen, unseen) in table {
            let grant = Grant::of(patterns.iter().copied());
            assert!(seen.iter().all(|scope| grant.admits(scope)), "{patterns:?}");
            assert!(!unseen.iter().any(|scope| grant.admits(scope)), "{patterns:?}");
        }
        assert_eq!(Grant::of(["shop/*", "*"]), Grant::EVERYTHING);
    }
}
