"""The CA changes so that no workload meets a certificate whose root it does not trust."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from steerway.certificate.pair import Pair, new_authority, parsed
from steerway.signer.authority.rotation import MARGIN, Periods, advanced
from steerway.signer.authority.state import Authority, CaState

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PERIODS = Periods(leaf=DAY, intermediate=30 * DAY, root=365 * DAY, propagation=HOUR)


def pem(state: CaState) -> frozenset[bytes]:
    return frozenset(state.trusted)


def first(now: datetime = START, periods: Periods = PERIODS) -> CaState:
    return advanced(None, now, periods, frozenset())


def test_the_first_ca_is_in_use_at_once() -> None:
    state = first()
    authority = state.authority
    root, issuer = parsed(authority.root), authority.issuer.x509
    issuer.verify_directly_issued_by(root)
    root.verify_directly_issued_by(root)
    assert authority.chain == (authority.issuer.certificate,)
    assert state.trusted == (authority.root,)
    assert state.upcoming is None
    assert advanced(state, START + HOUR, PERIODS, pem(state)) == state


def test_a_new_intermediate_is_below_the_same_root() -> None:
    state = first()
    later = advanced(state, START + 25 * DAY, PERIODS, pem(state))
    assert later.authority.root == state.authority.root
    assert later.authority.issuer != state.authority.issuer
    assert later.trusted == state.trusted


def test_a_new_root_is_used_after_it_was_published_for_a_while() -> None:
    old = first()
    now = START + 300 * DAY
    prepared = advanced(old, now, PERIODS, pem(old))
    assert prepared.upcoming is not None
    assert prepared.authority.root == old.authority.root
    unpublished = advanced(prepared, now + 10 * DAY, PERIODS, pem(old))
    assert unpublished.published is None
    assert unpublished.authority.root == old.authority.root
    published = advanced(unpublished, now + 10 * DAY, PERIODS, pem(prepared))
    early = advanced(published, now + 10 * DAY + HOUR - timedelta(seconds=1), PERIODS, pem(prepared))
    assert early.authority.root == old.authority.root
    switched = advanced(early, now + 10 * DAY + HOUR, PERIODS, pem(prepared))
    assert switched.authority.root == prepared.upcoming.root
    assert switched.trusted == (prepared.upcoming.root, old.authority.root)
    ends = now + 10 * DAY + HOUR + DAY + MARGIN
    assert len(advanced(switched, ends - HOUR, PERIODS, pem(switched)).trusted) == 2
    assert advanced(switched, ends, PERIODS, pem(switched)).trusted == (prepared.upcoming.root,)


def test_a_root_that_leaves_the_bundle_waits_anew() -> None:
    old = first()
    prepared = advanced(old, START + DAY, PERIODS, pem(old), request="again")
    published = advanced(prepared, START + DAY, PERIODS, pem(prepared), request="again")
    assert published.published == START + DAY
    removed = advanced(published, START + DAY + HOUR, PERIODS, pem(old), request="again")
    assert (removed.published, removed.authority) == (None, old.authority)


def test_a_request_is_one_rotation() -> None:
    state = first()
    requested = advanced(state, START + DAY, PERIODS, pem(state), request="one")
    assert requested.upcoming is not None
    assert advanced(requested, START + DAY, PERIODS, pem(state), request="one") == requested


def test_a_longer_lifetime_of_certificates_keeps_the_former_root_for_longer() -> None:
    """Also after the setting is smaller again."""
    state = first()
    longer = advanced(state, START + DAY, replace(PERIODS, leaf=7 * DAY), pem(state))
    again = advanced(longer, START + 2 * DAY, PERIODS, pem(longer), request="now")
    published = advanced(again, START + 2 * DAY, PERIODS, pem(again), request="now")
    switched = advanced(published, START + 2 * DAY + HOUR, PERIODS, pem(again), request="now")
    (retired,) = switched.retired
    assert retired.until == START + 2 * DAY + HOUR + 7 * DAY + MARGIN
    assert switched.longest == DAY


def test_a_lost_secret_keeps_published_roots() -> None:
    lost = first()
    state = advanced(None, START + DAY, PERIODS, pem(lost))
    assert state.authority.root != lost.authority.root
    assert set(state.trusted) == {state.authority.root, lost.authority.root}


def test_an_expired_ca_is_replaced_at_once() -> None:
    state = first()
    now = START + 400 * DAY
    replaced = advanced(state, now, PERIODS, pem(state))
    assert replaced.authority.expires > now
    assert replaced.trusted == (replaced.authority.root,)


def test_an_expired_intermediate_is_replaced_below_its_root() -> None:
    """Also when the root is due at the same time."""
    state = first()
    for now in (START + 40 * DAY, START + 300 * DAY):
        replaced = advanced(state, now, PERIODS, pem(state))
        assert replaced.authority.root == state.authority.root
        assert replaced.authority.expires > now


def brought_ca(now: datetime = START) -> Authority:
    root = new_authority("company root", now, 3650 * DAY, path_length=1)
    return Authority(root.certificate, new_authority("company mesh", now, 90 * DAY, issuer=root))


def test_a_brought_ca_is_used_and_followed() -> None:
    former, other_ca = brought_ca(), brought_ca()
    state = advanced(None, START, PERIODS, frozenset(), former)
    assert state.authority == former
    renewed = replace(former, issuer=other_ca.issuer)
    assert advanced(state, START, PERIODS, pem(state), renewed).authority == renewed
    other = advanced(state, START + DAY, PERIODS, pem(state), other_ca)
    assert (other.authority, other.upcoming) == (former, other_ca)
    published = advanced(other, START + DAY, PERIODS, pem(other), other_ca)
    assert advanced(published, START + DAY + HOUR, PERIODS, pem(other), other_ca).authority == other_ca


def test_a_ca_of_its_own_replaces_one_that_is_no_longer_brought() -> None:
    state = advanced(None, START, PERIODS, frozenset(), brought_ca())
    own = advanced(state, START, PERIODS, pem(state))
    assert own.authority == state.authority
    assert own.upcoming is not None
    assert own.upcoming.root_key


@dataclass
class World:
    """A signer, its bundle, and the certificates that workloads have. Roots have been published since `since`."""

    now: datetime = START
    state: CaState | None = None
    since: dict[bytes, datetime] = field(default_factory=dict)
    leaves: list[tuple[bytes, datetime]] = field(default_factory=list)

    def look(self, periods: Periods, request: str, *, writes_secret: bool, writes_bundle: bool) -> None:
        wanted = advanced(self.state, self.now, periods, frozenset(self.since), request=request)
        if not writes_secret and wanted != self.state:
            return
        self.state = CaState.decode(wanted.encode())
        assert self.state == wanted
        if set(wanted.trusted) != set(self.since):
            if not writes_bundle:
                return
            self.since = {root: self.since.get(root, self.now) for root in wanted.trusted}
        self.issue(periods)

    def issue(self, periods: Periods) -> None:
        """A certificate, with the root of which each workload has read the bundle."""
        assert self.state is not None
        authority = self.state.authority
        first_root = not self.leaves or self.since[authority.root] == min(self.since.values())
        assert first_root or self.since[authority.root] + periods.propagation <= self.now
        assert authority.expires > self.now
        assert authority.expires <= parsed(authority.root).not_valid_after_utc
        Pair(authority.root, authority.root_key).x509.verify_directly_issued_by(parsed(authority.root))
        self.leaves.append((authority.root, min(self.now + periods.leaf, authority.expires)))

    def check(self) -> None:
        """Workloads trust each certificate until it expires."""
        self.leaves = [leaf for leaf in self.leaves if leaf[1] > self.now]
        assert {root for root, _ in self.leaves} <= set(self.since)


STEPS = st.lists(
    st.tuples(
        st.sampled_from([timedelta(minutes=1), HOUR, 3 * HOUR, 10 * HOUR]),
        st.booleans(),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([True, True, True, False]),
        st.sampled_from([HOUR, 4 * HOUR, 12 * HOUR]),
    ),
    max_size=60,
)


@settings(deadline=None, max_examples=60)
@given(STEPS, st.sampled_from([timedelta(0), HOUR, 5 * HOUR]))
def test_every_certificate_is_trusted_until_it_expires(
    steps: Sequence[tuple[timedelta, bool, bool, bool, timedelta]], propagation: timedelta
) -> None:
    """Whatever is requested, changed, or could not be written, and when."""
    world, requests = World(), 0
    for step, requested, writes_secret, writes_bundle, leaf in steps:
        world.now += step
        requests += requested
        periods = Periods(leaf, 3 * DAY, 12 * DAY, propagation)
        request = str(requests) if requests else ""
        world.look(periods, request, writes_secret=writes_secret, writes_bundle=writes_bundle)
        world.check()
    if world.state is not None:
        assert len(world.state.trusted) <= len(steps) + 1
        for _ in range(100):
            world.now += HOUR
            world.look(periods, request, writes_secret=True, writes_bundle=True)
            world.check()
            if len(world.since) == 1:
                return
        raise AssertionError("former roots are never removed")
