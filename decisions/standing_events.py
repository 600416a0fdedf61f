"""Transitions as events, and the standing built again from them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from .message import Message
from .shanghai import written
from .standing import APPEAL_KINDS, FRESH, OPERATOR_KINDS, Place, Standing, Strike, Transition
from .standing_policy import STRIKE_MEMORY_DAYS

_MEMORY: Final = timedelta(days=STRIKE_MEMORY_DAYS)
_AS_THEY_ARE: Final = frozenset((str, int, float, bool, type(None)))
_ACTIONS: Final = frozenset((*OPERATOR_KINDS, *APPEAL_KINDS))


def folded(standing: Standing, transition: Transition) -> Standing:
    """Apply one transition, the only way in which a standing changes.

    Raises
    ------
    ValueError
        It is not the next one.
    """
    if transition.version != standing.version + 1:
        raise ValueError(f"transition {transition.version} does not follow {standing.version}")
    moved = transition.to_state != standing.state
    decisive = moved or transition.abuse is not None or transition.until != standing.until
    held, held_until = _held(standing, transition)
    return Standing(
        state=transition.to_state,
        since=transition.at if moved else standing.since,
        until=transition.until,
        rule=transition.rule if decisive else standing.rule,
        strikes=_strikes(standing, transition),
        warned_at=_warned_at(standing, transition),
        low_score=_or(transition.low_score, standing.low_score),
        enough_history=_or(transition.enough_history, standing.enough_history),
        abuse=_or(transition.abuse, standing.abuse),
        verdict=transition.place if _is_verdict(transition) else standing.verdict,
        reading=transition.place if transition.kind == "scored" else standing.reading,
        held=held,
        held_until=held_until,
        appeal=None if transition.appeal_closed else transition.appeal or standing.appeal,
        acted=_acted(standing, transition),
        forgiven=transition.place if transition.forgives else standing.forgiven,
        changed_at=transition.at,
        latest=transition.place if standing.latest is None else max(transition.place, standing.latest),
        version=transition.version,
    )


def _is_verdict(transition: Transition) -> bool:
    return transition.kind in ("abuse_confirmed", "abuse_cleared") or transition.label is not None


def _or(said: bool | None, known: bool) -> bool:
    return known if said is None else said


def _held(standing: Standing, transition: Transition) -> tuple[Any, datetime | None]:
    if transition.abuse is False:
        return None, None
    if transition.held is not None:
        return transition.held, transition.held_until
    return standing.held, standing.held_until


def _strikes(standing: Standing, transition: Transition) -> tuple[Strike, ...]:
    if transition.forgives:
        return ()
    before = standing.strikes
    if transition.lifted is not None:
        until = transition.place[0]
        before = tuple(s for s in before if s.at > until or not is_link_to(s, transition.lifted))
    added = () if transition.strike is None else (transition.strike,)
    kept = (s for s in before + added if transition.at - s.at < _MEMORY)
    return tuple(sorted(kept, key=lambda s: (s.at, s.signal_id)))


def is_link_to(strike: Strike, account: str | None) -> bool:
    """Tell whether a strike came through a link to an account."""
    return strike.kind == "linked_abuse" and strike.reference == account


def _warned_at(standing: Standing, transition: Transition) -> datetime | None:
    if transition.to_state != "watch":
        return None
    return standing.warned_at if standing.state == "watch" else transition.at


def _acted(standing: Standing, transition: Transition) -> tuple[str, ...]:
    if transition.signal_id is None or transition.kind not in _ACTIONS:
        return standing.acted
    return (*standing.acted, transition.signal_id)


def rebuild(events: Iterable[dict[str, Any]]) -> Standing:
    """Build a standing from its events, ordered by version: the same record to the byte.

    Raises
    ------
    ValueError
        An event is missing, comes twice or out of order.
    """
    standing = FRESH
    for event in events:
        standing = folded(standing, from_event(event))
    return standing


def as_event(transition: Transition) -> dict[str, Any]:
    """Write a transition as a JSON object: plain values, instants in ISO 8601 and UTC, evidence an object."""
    return {**_plain(transition), "evidence": dict(transition.evidence)}


def as_record(standing: Standing) -> dict[str, Any]:
    """Write a standing as a JSON object; equal standings give equal objects, keys in the same order."""
    written: dict[str, Any] = _plain(standing)
    return written


def _plain(value: Any) -> Any:
    kind: Any = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, datetime):
        return written(value.astimezone(UTC), timespec="microseconds")
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return {name: _plain(getattr(value, name)) for name in _names(kind)}


@lru_cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


_TIMES: Final = ("at", "until", "since", "warned_at", "changed_at", "held_until")

_PLACES: Final = ("place", "verdict", "reading", "forgiven", "latest")


def from_event(event: dict[str, Any]) -> Transition:
    """Read what `as_event` wrote."""
    strike = event["strike"]
    return Transition(
        **{
            **_with_times(event),
            "evidence": tuple(event["evidence"].items()),
            "way_back": Message(**event["way_back"]),
            "strike": None if strike is None else Strike(**_with_times(strike)),
        }
    )


def from_record(record: dict[str, Any]) -> Standing:
    """Read what `as_record` wrote."""
    strikes = tuple(Strike(**_with_times(s)) for s in record["strikes"])
    return Standing(**{**_with_times(record), "strikes": strikes, "acted": tuple(record["acted"])})


def _with_times(plain: dict[str, Any]) -> dict[str, Any]:
    read = dict(plain)
    read.update({name: _time(plain[name]) for name in _TIMES if name in plain})
    read.update({name: _place(plain[name]) for name in _PLACES if name in plain})
    return read


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _place(plain: list[str] | None) -> Place | None:
    if plain is None:
        return None
    at, occurred_at, signal_id = plain
    return datetime.fromisoformat(at), datetime.fromisoformat(occurred_at), signal_id
