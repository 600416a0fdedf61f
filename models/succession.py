"""Who has been champion, when, by whom and why: kept on the registered model, walked back on request.

An entry is written before the alias moves. Whoever dies in between leaves an entry that the next one, or the
alias itself, shows not to have happened.
"""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from features.errors import BadInput

from .mlflow_store import store_lock
from .registry import CHALLENGER, CHAMPION, Registry

PREFIX: Final = "audit."
SETTLED: Final = "settled"
"""Tag of a version whose case has been decided; a retraining never takes it up again."""
Action = Literal["promote", "rollback"]


@dataclass(frozen=True)
class Change:
    """One change of champion.

    Attributes
    ----------
    version, replaced : str
        Who came, and who was there before (empty for the first).
    at : str
        ISO 8601, UTC.
    """

    action: Action
    version: str
    replaced: str
    at: str
    by: str
    reason: str


def changes(registry: Registry) -> list[Change]:
    """List the changes that took place, oldest first.

    One did not if what it was to replace is still there; a third version means that somebody moved the alias
    by other means since.
    """
    written = _written(registry)
    replaced = [*(change.replaced for change in written), registry.champion_version() or ""]
    both = zip(written, replaced[1:], strict=True)
    return [change for change, after in both if after == change.version or after != change.replaced]


def promote(
    registry: Registry, version: str, *, reason: str, by: str = "", at: datetime | None = None
) -> Change:
    """Make a version the champion, once it has loaded and passed its self-check.

    Raises
    ------
    BadInput
        No reason, no such version, or it is the champion already.
    ModelDamaged
        Its files are not what was saved.
    """
    if not reason.strip():
        raise BadInput("a promotion needs a reason: it is kept for whoever asks later")
    _loads(registry, version)
    if registry.champion_version() == version:
        raise BadInput(f"version {version} of {registry.name} is the champion already")
    return _move(registry, "promote", version, reason=reason, by=by, at=at)


def rollback(registry: Registry, *, reason: str, by: str = "", at: datetime | None = None) -> Change:
    """Give the alias back to the champion before this one.

    Raises
    ------
    BadInput
        There is no earlier champion.
    """
    held = _line_of_champions(changes(registry))
    current = registry.champion_version()
    if not held or held[-1] != current:
        held.append(current or "")
    if len(held) < 2 or not held[-2]:
        before = f"before version {current}" if current else "yet"
        raise BadInput(f"{registry.name} has no champion {before}: nothing to roll back to")
    _loads(registry, held[-2])
    change = _move(registry, "rollback", held[-2], reason=reason, by=by, at=at)
    registry.tag(SETTLED, f"rolled back at {change.at}", version=change.replaced)
    return change


def settle_by_hand(registry: Registry, change: Change) -> None:
    """Note that a person has decided about a version, so that no retraining does it again."""
    registry.tag(SETTLED, f"promoted by {change.by} at {change.at}", version=change.version)


def challenge(registry: Registry, version: str) -> None:
    """Let a version be scored in the shadow of the champion."""
    registry.point(CHALLENGER, version)


def _move(
    registry: Registry, action: Action, version: str, *, reason: str, by: str, at: datetime | None
) -> Change:
    when = (at or datetime.now(UTC)).isoformat(timespec="seconds")
    with store_lock(registry.tracking_uri):
        change = Change(
            action, version, registry.champion_version() or "", when, by or _whoever(), reason.strip()
        )
        number = 1 + max((int(key.removeprefix(PREFIX)) for key in _keys(registry)), default=0)
        registry.tag(f"{PREFIX}{number:06d}", json.dumps(asdict(change), ensure_ascii=False))
        registry.point(CHAMPION, version)
        if registry.challenger_version() == version:
            registry.point(CHALLENGER, None)
    return change


def _line_of_champions(done: Sequence[Change]) -> list[str]:
    """Replay the changes: a promotion adds a champion, a rollback takes the last one away."""
    held: list[str] = []
    for change in done:
        if change.replaced and (not held or held[-1] != change.replaced):
            held.append(change.replaced)  # somebody moved the alias by other means
        if change.action == "rollback" and held[-2:-1] == [change.version]:
            held.pop()
        else:
            held.append(change.version)
    return held


def _written(registry: Registry) -> list[Change]:
    tags = registry.tags()
    return [Change(**json.loads(tags[key])) for key in _keys(registry)]


def _keys(registry: Registry) -> list[str]:
    return sorted(key for key in registry.tags() if key.startswith(PREFIX))


def _loads(registry: Registry, version: str) -> None:
    try:
        registry.load(version)
    except LookupError as error:
        raise BadInput(f"{error.args[0]}; see: buyer-tier models list") from error


def _whoever() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
