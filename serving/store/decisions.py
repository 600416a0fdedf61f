"""The record of decisions: added to, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from decisions.tiers import Tier

from .ids import MILLISECOND, first_id

if TYPE_CHECKING:
    from .database import Connection


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionRow:
    """One decision as it is stored; the fields are the table's columns."""

    decision_id: str
    after_sale_id: str
    request_digest: bytes
    buyer_id: str
    order_id: str
    shop_id: str
    outcome: str
    refund_amount_fen: int
    score: float
    p_abuse: float
    tier: str
    standing: str
    model_version: str
    catalog_version: str
    policy_version: str
    propensity: float
    vector: bytes
    record: bytes
    answer: bytes
    requested_at: datetime
    decided_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Which decisions to list: made in ``[since, until)``; ``before`` is the last id of the page before."""

    buyer_id: str | None = None
    shop_id: str | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: str | None = None
    limit: int = 50


NAMES: Final = tuple(field.name for field in fields(DecisionRow))
COLUMNS: Final = ", ".join(NAMES)
SELECT: Final = f"SELECT {COLUMNS} FROM decisions"
INSERT: Final = f"""
INSERT INTO decisions ({COLUMNS}) VALUES ({", ".join(f"${i}" for i in range(1, len(NAMES) + 1))})
ON CONFLICT (after_sale_id) DO NOTHING
"""
LATEST_TIER: Final = "SELECT tier FROM decisions WHERE buyer_id = $1 ORDER BY decision_id DESC LIMIT 1"
TIERS_BEFORE: Final = """
SELECT asked.buyer_id, latest.tier FROM unnest($1::text[]) AS asked (buyer_id) CROSS JOIN LATERAL (
    SELECT d.tier FROM decisions AS d
    WHERE d.buyer_id = asked.buyer_id AND d.decision_id < $2 AND d.decided_at < $3
    ORDER BY d.decision_id DESC LIMIT 1
) AS latest
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(1, hashtext($1)), pg_advisory_xact_lock(2, hashtext($2))"
GRANTED: Final = """
SELECT coalesce(sum(greatest(d.refund_amount_fen - heard.granted_fen, 0)), 0)::bigint AS unheard_fen,
    min((convert_from(d.record, 'UTF8')::json #>> '{request,order,paid_amount_fen}')::bigint)
        AS paid_amount_fen
FROM decisions AS d CROSS JOIN LATERAL (
    SELECT coalesce(sum(e.amount_fen) FILTER (
            WHERE e.kind = 'refund_granted' AND e.buyer_id = $2 AND e.order_id = $1
        ), 0) AS granted_fen,
        coalesce(bool_or(e.kind <> 'refund_granted'), false) AS undone
    FROM events AS e WHERE e.buyer_id = d.buyer_id AND e.after_sale_id = d.after_sale_id
    AND e.kind IN ('refund_granted', 'refund_rejected', 'refund_withdrawn') AND e.recorded_at < $3
) AS heard
WHERE d.order_id = $1 AND d.outcome = 'auto_refund' AND NOT heard.undone
"""


@dataclass(frozen=True, slots=True)
class Granted:
    """What earlier decisions refunded of an order.

    Attributes
    ----------
    unheard_fen : int
        The part that the buyer's events do not tell of: not yet, by a smaller amount or none, or because
        it went to another buyer.
    paid_amount_fen : int or None
        What was paid for the order by the requests that were granted; None without any.
    """

    unheard_fen: int
    paid_amount_fen: int | None


async def take_turn(connection: Connection, *, buyer_id: str, order_id: str) -> None:
    """Wait until no other transaction decides for this buyer or this order, and hold both to the end.

    The order of the two locks is always the same, so that nobody waits in a circle.
    """
    await connection.execute(LOCK, buyer_id, order_id)


async def add(connection: Connection, row: DecisionRow) -> bool:
    """Store a decision; False if its after-sale id has one already."""
    return str(await connection.execute(INSERT, *astuple(row))) == "INSERT 0 1"


async def of_after_sale(connection: Connection, after_sale_id: str) -> DecisionRow | None:
    """Find the decision of an after-sale."""
    return _row(await connection.fetchrow(f"{SELECT} WHERE after_sale_id = $1", after_sale_id))


async def by_id(connection: Connection, decision_id: str) -> DecisionRow | None:
    """Find a decision."""
    return _row(await connection.fetchrow(f"{SELECT} WHERE decision_id = $1", decision_id))


async def granted(connection: Connection, *, order_id: str, buyer_id: str, as_of: datetime) -> Granted:
    """Find what earlier decisions refunded of an order, beyond what the buyer's events before ``as_of`` tell.

    A refund that the log has as rejected or withdrawn was not paid and does not count.
    """
    row = await connection.fetchrow(GRANTED, order_id, buyer_id, as_of)
    return Granted(row["unheard_fen"], row["paid_amount_fen"])


async def latest_tier(connection: Connection, buyer_id: str) -> Tier | None:
    """Find the tier of the buyer's newest decision; ids sort by the time of the decision."""
    found: Tier | None = await connection.fetchval(LATEST_TIER, buyer_id)
    return found


async def tiers_before(connection: Connection, buyer_ids: Sequence[str], as_of: datetime) -> dict[str, Tier]:
    """Find, by buyer, the tier of the newest decision made before ``as_of``, if there is one."""
    rows = await connection.fetch(TIERS_BEFORE, list(buyer_ids), first_id(as_of + MILLISECOND), as_of)
    return {row["buyer_id"]: row["tier"] for row in rows}


async def listed(connection: Connection, page: Page) -> list[DecisionRow]:
    """List decisions, newest first, one more than the limit if there is more."""
    given = [(text, value) for text, value in _conditions(page) if value is not None]
    where = " AND ".join(f"{text} ${i}" for i, (text, _) in enumerate(given, 1)) or "true"
    query = f"{SELECT} WHERE {where} ORDER BY decision_id DESC LIMIT ${len(given) + 1}"
    found = await connection.fetch(query, *(value for _, value in given), page.limit + 1)
    return [DecisionRow(**row) for row in found]


def _conditions(page: Page) -> list[tuple[str, Any]]:
    """Bound the time twice: exactly, and by the ids' milliseconds, for which there is an index."""
    return [
        ("buyer_id =", page.buyer_id),
        ("shop_id =", page.shop_id),
        ("outcome =", page.outcome),
        ("decided_at >=", page.since),
        ("decision_id >=", page.since and first_id(page.since)),
        ("decided_at <", page.until),
        ("decision_id <", page.until and first_id(page.until + MILLISECOND)),
        ("decision_id <", page.before),
    ]


def _row(found: Any) -> DecisionRow | None:
    return None if found is None else DecisionRow(**found)
