"""Kept verdicts: their two ends, and that neither sort pushes out the other."""

from steerway.access.identity import of_service_account
from steerway.access.result import refused
from steerway.access.token.result_cache import ResultCache

WEB = of_service_account("shop", "web")
BAD = refused("it is bad")


def test_a_good_verdict_is_fresh_then_stale_then_gone() -> None:
    """Stale ones are for when nobody can be asked."""
    cache = ResultCache()
    key = cache.key("token")
    cache.accept(key, WEB, fresh=10.0, expires=20.0)
    assert [(cache.fresh(key, now), cache.stale(key, now)) for now in (9.9, 10.0, 19.9, 20.0)] == [
        (WEB, WEB),
        (None, WEB),
        (None, WEB),
        (None, None),
    ]


def test_a_token_is_never_fresh_beyond_its_own_end() -> None:
    """Whatever the cache's time is."""
    cache = ResultCache()
    key = cache.key("token")
    cache.accept(key, WEB, fresh=100.0, expires=20.0)
    assert cache.fresh(key, 20.0) is None


def test_the_newest_verdict_counts() -> None:
    """A token that was good and is refused now is not good any more, and the other way round."""
    cache = ResultCache()
    key = cache.key("token")
    cache.accept(key, WEB, fresh=10.0, expires=20.0)
    cache.refuse(key, BAD, expires=5.0)
    assert (cache.fresh(key, 1.0), cache.stale(key, 1.0)) == (BAD, None)
    assert cache.fresh(key, 5.0) is None
    cache.accept(key, WEB, fresh=10.0, expires=20.0)
    assert cache.fresh(key, 1.0) == WEB


def test_a_flood_of_bad_tokens_pushes_out_no_good_one() -> None:
    """Both rooms are bounded; the good one that was used last stays longest."""
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


def test_of_several_identities_the_token_that_was_used_longest_ago_goes_first() -> None:
    """To make room for one of an identity without any."""
    cache = ResultCache(max_results=2)
    keys = [cache.key(name) for name in ("a", "b", "c")]
    identities = [of_service_account("shop", name) for name in ("a", "b", "c")]
    for key, identity in list(zip(keys, identities, strict=True))[:2]:
        cache.accept(key, identity, 10.0, 10.0)
    assert cache.fresh(keys[0], 0.0) == identities[0]
    cache.accept(keys[2], identities[2], 10.0, 10.0)
    assert [cache.fresh(key, 0.0) for key in keys] == [identities[0], None, identities[2]]


def test_of_refusals_the_oldest_goes_first() -> None:
    """One that comes again is a new one."""
    cache = ResultCache(max_results=2)
    first, second, third = (cache.key(name) for name in ("first", "second", "third"))
    for key in (first, second, first, third):
        cache.refuse(key, BAD, 10.0)
    assert [cache.fresh(key, 0.0) for key in (first, second, third)] == [BAD, None, BAD]


def test_an_identity_with_many_tokens_pushes_out_its_own() -> None:
    """Whoever may have tokens made has them made for one account; others are still let in without a question."""
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


def test_what_stands_for_a_token_differs_between_processes() -> None:
    """It is keyed: two caches have nothing in common, and neither key is the token."""
    result_cache, other = ResultCache(), ResultCache()
    assert result_cache.key("token") == result_cache.key("token")
    assert result_cache.key("token") != other.key("token")
    assert b"token" not in result_cache.key("token")
