"""Make a marketplace: people, their orders, what shops and reviewers do with them, and the log of it all.

The open loop: the history is written under the policy of ``review``. Each block of buyers goes through
five steps, and only ``review`` knows who is refunded: people settle, order, shops fulfil, buyers ask,
reviewers answer and the rest follows. ``live`` is the closed loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from features.events import SCHEMA

from .config import MarketConfig
from .course import asked, intended, lived
from .draws import Ints
from .encode import BLOCK_NUMBERS, encode
from .journal import NIL, Rows, finding_rows, gathered, link_rows
from .links import link
from .orders import stacked
from .people import People, settle
from .review import stated_policy
from .truth import truth_of
from .world import World, make_world, stream


@dataclass(frozen=True)
class Market:
    """A marketplace's log and the hidden truth about its buyers.

    Attributes
    ----------
    events
        Exactly the columns of ``features.events.SCHEMA``, sorted by ``recorded_at``.
    truth
        One row per buyer with the columns of ``TRUTH_SCHEMA``. For reports only.
    """

    events: pa.Table
    truth: pa.Table


def simulate(config: MarketConfig) -> Market:
    """Simulate a marketplace; the same config gives the same bytes.

    Parameters
    ----------
    config
        Size, length, share of abusers, seed and start.

    Returns
    -------
    Market
        The event log and the truth table.
    """
    world = make_world(config)
    parts = [make_part(config, world, block) for block in range(config.blocks)]
    return _market(config, parts)


def blocks(config: MarketConfig) -> Iterator[Market]:
    """Simulate block by block of buyers, in memory bounded by one block: the parts of ``simulate``.

    Yields
    ------
    Market
        The events of up to 10,000 buyers, sorted by ``recorded_at``, and the truth about them.
    """
    world = make_world(config)
    for block in range(config.blocks):
        yield _market(config, [make_part(config, world, block)])


@dataclass(frozen=True)
class Part:
    """One block of buyers: its people, its events and their numbers in the whole market."""

    people: People
    events: Rows
    number: Ints


def _market(config: MarketConfig, parts: list[Part]) -> Market:
    events, number = stacked([p.events for p in parts]), np.concatenate([p.number for p in parts])
    if len(parts) > 1:
        by_time = np.lexsort((number, events.recorded))
        events, number = events.pick(by_time), number[by_time]
    truth = pa.concat_tables([truth_of(config, part.people) for part in parts])
    table = encode(events, number, start=config.start, seed=config.seed)
    return Market(table.cast(SCHEMA), truth.combine_chunks())


def make_part(config: MarketConfig, world: World, block: int) -> Part:
    """Make the events of one block of buyers, in the order in which they became known."""
    rng = stream(config, 1, block)
    people = settle(config, world, rng, block)
    orders, findings = intended(people, world, rng)
    case = asked(world, rng, orders, people.habits)
    rows = lived(world, rng, case, auto=stated_policy(world, orders, case.parcels, case.requests))
    rows += finding_rows(findings) + link_rows(link(people, rng, block=block, end=world.end))
    events = gathered(rows, world.end)
    offset = block * BLOCK_NUMBERS
    placed = replace(
        events,
        buyer=events.buyer + people.first,
        order=np.where(events.order < 0, NIL, events.order + offset),
        case=np.where(events.case < 0, NIL, events.case + offset),
    )
    return Part(people, placed, offset + np.arange(len(events)))
