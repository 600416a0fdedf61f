"""From what the store has of a buyer to the feature vector: packed bytes where they serve, else the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import numpy.typing as npt

from features.errors import BadInput
from features.online import rows_vector
from features.packed import append_rows, pack_rows, packed_vector
from features.rows import Row, microseconds

from .store import events as event_store
from .store import profiles
from .store.events import Told
from .store.profiles import Found, Packed

if TYPE_CHECKING:
    from .store.database import Connection

Vector = npt.NDArray[np.float64]
_rows: Final = msgspec.json.Decoder(list[dict[str, str | int | None]]).decode


@dataclass(frozen=True, slots=True)
class Known:
    """A buyer's vector at an instant, and the history to keep if it is newer than what is kept."""

    vector: Vector
    keep: Packed | None


def from_profile(found: Found, buyer_id: str, as_of: datetime) -> Known | None:
    """Compute the vector from the packed history and what arrived since; None where only the log tells.

    That is: nothing is packed yet, or of another catalog; links have changed; an event came out of order; or
    the request looks at a time before the last event.
    """
    if found.packed is None or found.changed:
        return None
    try:
        if found.tail is None:
            return Known(packed_vector(found.packed, as_of=as_of), None)
        tail, moment = _rows(found.tail), microseconds(as_of)
        known = [row for row in tail if row["recorded_at"] < moment]  # type: ignore[operator]
        packed = append_rows(found.packed, known) if known else found.packed
        keep = Packed(buyer_id, packed, found.seen) if len(known) == len(tail) else None
        return Known(packed_vector(packed, as_of=as_of), keep)
    except BadInput:
        return None


def from_log(told: Told, buyer_id: str, as_of: datetime, *, seen: str) -> Known:
    """Compute the vector from the log's rows; the history is kept if all of them count.

    Parameters
    ----------
    seen : str
        A snapshot not later than that in which the rows were read.
    """
    moment = microseconds(as_of)
    rows: Sequence[Row] = [row for row in told.rows if microseconds(row["recorded_at"]) < moment]
    if len(rows) < len(told.rows):
        return Known(rows_vector(rows, buyer_id=buyer_id, as_of=as_of), None)
    packed = pack_rows(rows, buyer_id=buyer_id)
    keep = Packed(buyer_id, packed, seen, told.links, told.peers)
    return Known(packed_vector(packed, as_of=as_of), keep)


async def known_of(
    connection: Connection, asked: Sequence[tuple[str, datetime]], found: Sequence[Found]
) -> list[Known | BadInput]:
    """Compute the vectors of buyers, each at its instant; read the log where a profile is not enough.

    Parameters
    ----------
    asked : sequence of (buyer_id, as_of)
    found : sequence of Found
        What the store has of each.

    Returns
    -------
    list of Known or BadInput
        A history that no vector can be made of gives its error; the others are not touched by it.
    """
    known = [from_profile(one, *ask) for ask, one in zip(asked, found, strict=True)]
    missing = {buyer_id for (buyer_id, _), one in zip(asked, known, strict=True) if one is None}
    if not missing:
        return known  # type: ignore[return-value]
    told = await event_store.told_of(connection, missing)
    return [
        _from_log(told[buyer_id], buyer_id, as_of, seen=one.seen) if ready is None else ready
        for (buyer_id, as_of), one, ready in zip(asked, found, known, strict=True)
    ]


def _from_log(told: Told, buyer_id: str, as_of: datetime, *, seen: str) -> Known | BadInput:
    try:
        return from_log(told, buyer_id, as_of, seen=seen)
    except BadInput as error:
        return error


async def pack_all(connection: Connection, buyer_ids: Sequence[str], as_of: datetime) -> None:
    """Pack the histories of buyers who have none that is complete, ahead of the first request."""
    found = await profiles.read(connection, buyer_ids)
    known = await known_of(connection, [(buyer_id, as_of) for buyer_id in buyer_ids], found)
    await profiles.save(connection, [one.keep for one in known if isinstance(one, Known) and one.keep])
