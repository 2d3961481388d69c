"""Cached authentication results: expiry, and separate bounds for accepted and refused tokens."""

from steerway.access.identity import of_service_account
from steerway.access.result import refused
from steerway.access.token.result_cache import ResultCache

WEB = of_service_account("shop", "web")
BAD = refused("it is bad")


def test_an_accepted_result_is_fresh_then_stale_then_expired() -> None:
    """Stale results serve while the API server is unreachable."""
    cache = ResultCache()
    key = cache.key("token")
    cache.accept(key, WEB, fresh=10.0, expires=20.0)
    assert [(cache.fresh(key, now), cache.stale(key, now)) for now in (9.9, 10.0, 19.9, 20.0)] == [
        (WEB, WEB),
        (None, WEB),
        (None, WEB),
        (None, None),
    ]


def test_a_token_is_not_fresh_after_its_own_expiry() -> None:
    """Whatever the cache's lifetime is."""
    cache = ResultCache()
    key = cache.key("token")
    cache.accept(key, WEB, fresh=100.0, expires=20.0)
    assert cache.fresh(key, 20.0) is None


def test_the_newest_result_replaces_the_older() -> None:
    """A refusal replaces an accepted result, and vice versa."""
    cache = ResultCache()
    key = cache.key("token")
    cache.accept(key, WEB, fresh=10.0, expires=20.0)
    cache.refuse(key, BAD, expires=5.0)
    assert (cache.fresh(key, 1.0), cache.stale(key, 1.0)) == (BAD, None)
    assert cache.fresh(key, 5.0) is None
    cache.accept(key, WEB, fresh=10.0, expires=20.0)
    assert cache.fresh(key, 1.0) == WEB


def test_a_flood_of_refused_tokens_evicts_no_accepted_one() -> None:
    """Both parts are bounded; the least recently used accepted token is evicted first."""
    cache = ResultCache(max_results=2)
    first, second, third = (cache.key(name) for name in ("first", "second", "third"))
    cache.accept(first, WEB, 10.0, 10.0)
    cache.accept(second, WEB, 10.0, 10.0)
    for number in range(100):
        cache.refuse(cache.key(str(number)), BAD, 10.0)
    assert len(cache) == 4
    assert cache.fresh(first, 0.0) == WEB
    cache.accept(third, WEB, 10.0, 10.0)
    assert [cache.fresh(key, 0.0) for key in (first, second, third)] == [WEB, None, WEB]


def test_a_new_identity_evicts_the_least_recently_used_token() -> None:
    """To make room for an identity that has no token."""
    cache = ResultCache(max_results=2)
    keys = [cache.key(name) for name in ("a", "b", "c")]
    identities = [of_service_account("shop", name) for name in ("a", "b", "c")]
    for key, identity in list(zip(keys, identities, strict=True))[:2]:
        cache.accept(key, identity, 10.0, 10.0)
    assert cache.fresh(keys[0], 0.0) == identities[0]
    cache.accept(keys[2], identities[2], 10.0, 10.0)
    assert [cache.fresh(key, 0.0) for key in keys] == [identities[0], None, identities[2]]


def test_the_oldest_refusal_is_evicted_first() -> None:
    """A repeated refusal counts as new."""
    cache = ResultCache(max_results=2)
    first, second, third = (cache.key(name) for name in ("first", "second", "third"))
    for key in (first, second, first, third):
        cache.refuse(key, BAD, 10.0)
    assert [cache.fresh(key, 0.0) for key in (first, second, third)] == [BAD, None, BAD]


def test_an_identity_with_many_tokens_evicts_its_own() -> None:
    """A workload that requests many tokens of its account does not evict those of others."""
    cache = ResultCache(max_results=10)
    others = [of_service_account("shop", f"a{number}") for number in range(4)]
    for other in others:
        cache.accept(cache.key(str(other)), other, 10.0, 10.0)
    for number in range(100):
        cache.accept(cache.key(str(number)), WEB, 10.0, 10.0)
    assert len(cache) == 10
    assert [cache.fresh(cache.key(str(other)), 0.0) for other in others] == others
    assert cache.fresh(cache.key("99"), 0.0) == WEB
    assert cache.fresh(cache.key("93"), 0.0) is None


def test_the_cache_key_of_a_token_differs_between_processes() -> None:
    """The hash is keyed: two caches share no key, and no key is the token."""
    result_cache, other = ResultCache(), ResultCache()
    assert result_cache.key("token") == result_cache.key("token")
    assert result_cache.key("token") != other.key("token")
    assert b"token" not in result_cache.key("token")
