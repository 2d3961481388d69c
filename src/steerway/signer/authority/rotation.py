"""How the CA changes in time: a pure function of its state, the time, and the roots that are published.

::

    root in use ──due, or requested──▶ the next CA is made, and its root is published beside the others
                ──published for the time that workloads need to read it──▶ it is in use, the former root is retired
                ──the last certificate below the former root has expired──▶ that root is no longer published

The intermediate needs no such order, since each certificate has it in its chain.
"""

import secrets
from collections.abc import Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from steerway.certificate.pair import Pair, new_authority, parsed
from steerway.signer.authority.state import Authority, CaState, Retired

MARGIN = timedelta(hours=1)
"""How much longer than necessary a former root is trusted: for clocks that are behind, and a write that was late."""


@dataclass(frozen=True)
class Periods:
    """Lifetimes, and the time that workloads need to read a root that was published."""

    leaf: timedelta
    intermediate: timedelta
    root: timedelta
    propagation: timedelta


def advanced(
    present: CaState | None,
    now: datetime,
    periods: Periods,
    published: Set[bytes],
    brought: Authority | None = None,
    request: str = "",
) -> CaState:
    """What is to be in the Secret; equal to `present` when nothing is due.

    `published`: the roots that workloads can read. `brought`: the CA of another issuer, which precedes one made here.
    `request`: a value that differs from the last one requests a new root.
    """
    if present is None:
        return _first(now, periods, published, brought, request)
    state = replace(
        present,
        retired=tuple(old for old in present.retired if now < old.until),
        longest=max(present.longest, periods.leaf),
    )
    if brought is None:
        state = _prepared(state, now, periods, request)
    else:
        state = _followed(replace(state, rotated=request), brought)
    if state.upcoming is None:
        return state
    if state.upcoming.root not in published:
        state = replace(state, published=None)
    elif state.published is None:
        state = replace(state, published=now)
    waited = state.published is not None and now >= state.published + periods.propagation
    return _switched(state, now, periods) if waited or state.authority.expires <= now else state


def _first(
    now: datetime, periods: Periods, published: Set[bytes], brought: Authority | None, request: str
) -> CaState:
    """The first CA, or one after the Secret was lost: roots that are published stay trusted for the certificates that
    are in use."""
    authority = brought or _new_authority(now, periods)
    state = CaState(authority, periods.leaf, rotated=request)
    lost = sorted(root for root in published if root != authority.root)
    return replace(state, retired=tuple(_retired(root, now, periods.leaf) for root in lost))


def _prepared(state: CaState, now: datetime, periods: Periods, request: str) -> CaState:
    """With a new intermediate and a next root made here, where they are due."""
    authority, upcoming = state.authority, state.upcoming
    made = bool(authority.root_key)  # else the CA was brought, and is no longer
    if made and authority.issuer.is_due(now) and not _root(authority).has_expired(now):
        state = replace(state, authority=_reissued(authority, now, periods))
    requested = request not in ("", state.rotated)
    if upcoming is None:
        due = requested or not made or _root(authority).is_due(now)
    else:
        due = requested or not upcoming.root_key or upcoming.expires <= now
    if due:
        return replace(state, upcoming=_new_authority(now, periods), published=None, rotated=request)
    return state


def _followed(state: CaState, brought: Authority) -> CaState:
    """With a brought CA: at once where its root is in use already, else as the next one."""
    if brought.root == state.authority.root:
        return replace(state, authority=brought, upcoming=None, published=None)
    if state.upcoming is not None and state.upcoming.root == brought.root:
        return replace(state, upcoming=brought)
    return replace(state, upcoming=brought, published=None)


def _switched(state: CaState, now: datetime, periods: Periods) -> CaState:
    """The next CA is in use."""
    assert state.upcoming is not None
    former = _retired(state.authority.root, now, state.longest)
    # A root that is in use again is not retired.
    others = tuple(old for old in state.retired if old.root not in (state.upcoming.root, former.root))
    retired = (former, *others) if now < former.until else others
    return CaState(state.upcoming, periods.leaf, None, None, retired, state.rotated)


def _retired(root: bytes, now: datetime, longest: timedelta) -> Retired:
    return Retired(root, min(now + longest + MARGIN, parsed(root).not_valid_after_utc))


def _new_authority(now: datetime, periods: Periods) -> Authority:
    # Names differ, because some libraries look for an issuer by its name alone.
    root = new_authority(f"steerway root {secrets.token_hex(8)}", now, periods.root, path_length=1)
    return _reissued(Authority(root.certificate, root, root.key), now, periods)


def _reissued(authority: Authority, now: datetime, periods: Periods) -> Authority:
    """With a new intermediate below the same root."""
    name = f"steerway intermediate {secrets.token_hex(8)}"
    issuer = new_authority(name, now, periods.intermediate, issuer=_root(authority))
    return replace(authority, issuer=issuer)


def _root(authority: Authority) -> Pair:
    return Pair(authority.root, authority.root_key)
