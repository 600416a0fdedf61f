"""The hidden truth about the buyers: for reports only, nothing that scores or decides may read it."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa

from features.events import TIMESTAMP

from .archetypes import ARCHETYPES
from .config import MarketConfig
from .draws import DAY
from .encode import instants, numbered
from .journal import NIL
from .people import People

TRUTH_SCHEMA: Final = pa.schema(
    [
        ("buyer_id", pa.string()),
        ("archetype", pa.string()),
        ("is_abuser", pa.bool_()),
        ("signed_up_at", TIMESTAMP),
        ("abuse_starts_at", TIMESTAMP),
        ("abuse_ends_at", TIMESTAMP),
        ("group_id", pa.string()),
        ("person_id", pa.string()),
    ]
)
"""``abuse_starts_at`` and ``abuse_ends_at`` are null for the honest and where abuse starts after the log;
``group_id`` is a household, farm or service, null for who belongs to none; ``person_id`` is the
first account of the person behind this one, the account itself unless it was opened in place of another."""


def truth_of(config: MarketConfig, people: People) -> pa.Table:
    """Write the truth about the people of one block."""
    n, end = len(people), config.days * DAY
    starts = np.where(people.starts < end, people.starts, np.inf)
    grouped = np.array([a.group_size[1] > 1 for a in ARCHETYPES])[people.code]
    group = np.where(grouped, people.first + people.group, NIL)
    columns = {
        "buyer_id": numbered("b", people.first + np.arange(n), digits=7),
        "archetype": pa.array([a.name for a in ARCHETYPES]).take(pa.array(people.code)),
        "is_abuser": pa.array(people.is_abuser),
        "signed_up_at": instants(people.joined, config.start),
        "abuse_starts_at": instants(starts, config.start),
        "abuse_ends_at": instants(np.where(np.isfinite(starts), people.stops, np.inf), config.start),
        "group_id": numbered("g", group, digits=7),
        "person_id": numbered("b", people.person, digits=7),
    }
    return pa.table(columns, schema=TRUTH_SCHEMA)
