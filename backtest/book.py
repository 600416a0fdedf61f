"""What a replay remembers under one policy: of buyers, of shops, of orders asked about more than once.

It holds what the service would read from its database before a decision, and is as large as the buyers are
many. It is written after every month, so that a run goes on where it was interrupted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from decisions.caps import DayLosses, Ledger
from decisions.standing import FRESH, Signal, Standing
from decisions.tiers import Tier
from decisions.value import value
from features.errors import BadInput
from features.files import replacing


@dataclass(slots=True)
class Grant:
    """An automatic refund of an order that is asked about more than once."""

    after_sale_id: str
    buyer_id: str
    fen: int
    paid_amount_fen: int


@dataclass(slots=True)
class Book:
    """The state of a replay.

    Attributes
    ----------
    after : str
        The last month that is in it, as 2026-03.
    tiers : dict
        Of each buyer's newest decision.
    ledgers, told : dict
        By buyer: the ledger, and how much it was told in this month.
    standings, heard : dict
        By buyer: the standing, and how much it has heard.
    swept : int
        When all standings were last moved on, in microseconds; 0 before the first sweep.
    shops, platform : DayLosses
        What automatic refunds have lost; ``lost`` is how many finds they know of.
    grants : dict
        By order, of those that are asked about more than once.
    refunded : dict
        By after-sale that is to be found shipped: its shop and fen, once refunded automatically.
    undisputed : dict
        After-sales refunded automatically of which history has a refusal and a dispute: neither came. Keys
        alone: a set would be written in another order by every process.
    """

    after: str = ""
    tiers: dict[str, Tier] = field(default_factory=dict)
    ledgers: dict[str, Ledger] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    standings: dict[str, Standing] = field(default_factory=dict)
    heard: dict[str, int] = field(default_factory=dict)
    swept: int = 0
    shops: dict[str, DayLosses] = field(default_factory=dict)
    platform: DayLosses = field(default_factory=DayLosses)
    lost: int = 0
    grants: dict[str, list[Grant]] = field(default_factory=dict)
    refunded: dict[str, tuple[str, int]] = field(default_factory=dict)
    undisputed: dict[str, None] = field(default_factory=dict)


_encode: Final = msgspec.msgpack.Encoder().encode


def write_book(book: Book, path: Path) -> None:
    """Keep the state, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(_encode(book))


def read_book(path: Path) -> Book:
    """Read what `write_book` wrote; an empty one where there is nothing."""
    if not path.exists():
        return Book()
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Book)
    except (msgspec.MsgspecError, OSError) as error:
        raise BadInput(f"{path}: is not a kept state of a replay ({error}); remove the folder") from None


@value()
class Heard:
    """A standing in memory with what it has not heard of, see `models.deciding.moving.Heard`."""

    record: Standing | None
    signals: Sequence[Signal | None] | None
    seen: str = ""

    @property
    def is_quiet(self) -> bool:
        """Tell whether nothing is against the buyer and nothing is new."""
        return not self.signals and (self.record is None or self.record.state in ("new", "eligible"))

    def standing(self) -> Standing:
        """Give the record."""
        return self.record or FRESH

    def told(self, now: datetime) -> list[Signal]:
        """Give the signals; a replay hears of none before its time."""
        return [signal for signal in self.signals or () if signal is not None]


NOTHING_HEARD: Final = Heard(None, None)
