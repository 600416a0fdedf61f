"""The record of decisions: added to, never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from decisions.request import OrderEvidence
from decisions.tiers import Given
from models.deciding.row import DecisionRow

from . import chains, profiles, standings
from .chains import Lane
from .ids import MILLISECOND, first_id
from .one_row import apart, together
from .profiles import Found
from .standings import Heard

if TYPE_CHECKING:
    from .database import Connection


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
STORED: Final = (*NAMES, *chains.LINK)
_values: Final = attrgetter(*NAMES)
SELECT: Final = f"SELECT {COLUMNS} FROM decisions"
TIER_BEFORE: Final = """
(
    SELECT d.tier || ' ' || d.policy_version FROM decisions AS d
    WHERE d.buyer_id = asked.buyer_id AND d.decision_id < asked.before AND d.decided_at < asked.as_of
    ORDER BY d.decision_id DESC LIMIT 1
) AS tier
"""
ASKED: Final = """
unnest($1::text[], $2::text[], $3::timestamptz[]) WITH ORDINALITY AS asked (buyer_id, before, as_of, n)
"""
TIERS_BEFORE: Final = f"SELECT {TIER_BEFORE} FROM {ASKED} ORDER BY asked.n"
LOOK: Final = together(
    f"""
SELECT {TIER_BEFORE}, pg_current_snapshot()::text AS seen, {profiles.PARTS}
FROM {ASKED} LEFT JOIN buyer_profiles AS p ON p.buyer_id = asked.buyer_id ORDER BY asked.n
""",
    "tier seen packed tail changed",
)
"""What a score is made from."""
LOCK: Final = """
SELECT pg_advisory_xact_lock(what, which) FROM (
    SELECT DISTINCT what, hashtext(name) AS which
    FROM unnest($1::int[], $2::text[]) AS named (what, name) ORDER BY 1, 2
) AS sorted
"""
"""Sorted, so that two groups never wait in a circle."""
GRANTED: Final = """
SELECT coalesce(sum(greatest(d.refund_amount_fen - heard.granted_fen, 0)), 0)::bigint AS unheard_fen,
    min((convert_from(d.record, 'UTF8')::json #>> '{request,order,paid_amount_fen}')::bigint)
        AS paid_amount_fen
FROM decisions AS d CROSS JOIN LATERAL (
    SELECT coalesce(sum(e.amount_fen) FILTER (
            WHERE e.kind = 'refund_granted' AND e.buyer_id = asked.buyer_id AND e.order_id = asked.order_id
        ), 0) AS granted_fen,
        coalesce(bool_or(e.kind <> 'refund_granted'), false) AS undone
    FROM events AS e WHERE e.buyer_id = d.buyer_id AND e.after_sale_id = d.after_sale_id
    AND e.kind IN ('refund_granted', 'refund_rejected', 'refund_withdrawn')
) AS heard
WHERE d.order_id = asked.order_id AND d.outcome = 'auto_refund' AND NOT heard.undone
"""
"""What earlier decisions refunded of the order, beyond what the buyer's events tell. A refund that the log
has as rejected or withdrawn was not paid and does not count."""
HEARD: Final = """
SELECT bool_or(e.buyer_id <> asked.buyer_id) AS foreign_buyer,
    bool_or(e.kind = 'order_shipped' AND e.buyer_id = asked.buyer_id) AS shipped,
    sum(e.amount_fen) FILTER (
        WHERE e.kind = 'refund_granted' AND e.buyer_id = asked.buyer_id
    ) AS refunded_fen,
    (array_agg(e.amount_fen ORDER BY e.recorded_at, e.occurred_at, e.event_id)
        FILTER (WHERE e.kind = 'order_paid' AND e.buyer_id = asked.buyer_id))[1] AS paid_amount_fen
FROM events AS e WHERE e.order_id = asked.order_id
"""
"""What the log tells of the order: `models.evidence.order_evidence`, and whether it is another buyer's. All
that is known when the decision is made: a request dated back must not hide that the parcel has left."""
READ: Final = together(
    f"""
WITH lane AS MATERIALIZED ({chains.FREE} AND EXISTS (
    SELECT FROM unnest($1::text[]) AS new (after_sale_id)
    WHERE (SELECT k.decision_id FROM decisions AS k WHERE k.after_sale_id = new.after_sale_id) IS NULL
) {chains.LOCKED})
SELECT lane.chain, lane.place, lane.hash, pg_current_snapshot()::text AS seen, {profiles.PARTS},
    EXISTS (SELECT FROM decisions AS k WHERE k.after_sale_id = asked.after_sale_id) AS known,
    (SELECT d.tier || ' ' || d.policy_version FROM decisions AS d WHERE d.buyer_id = asked.buyer_id
        ORDER BY d.decision_id DESC LIMIT 1),
    heard.*, granted.*, (SELECT max(activation_id) FROM policy_activations) AS policy_epoch,
    {standings.PARTS}
FROM unnest($1::text[], $2::text[], $3::text[])
    WITH ORDINALITY AS asked (after_sale_id, buyer_id, order_id, n)
LEFT JOIN buyer_profiles AS p ON p.buyer_id = asked.buyer_id {standings.JOIN}
CROSS JOIN LATERAL ({HEARD}) AS heard CROSS JOIN LATERAL ({GRANTED}) AS granted
LEFT JOIN lane ON asked.n = 1 ORDER BY asked.n
""",
    "chain place hash seen packed tail changed known tier foreign_buyer shipped refunded_fen paid_fen "
    "unheard_fen paid_before_fen policy_epoch standing signals",
)
"""All that the decisions of a group are made from, but for what only some policies need (`usage`), and the
chain that new ones will extend."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What to read for one request."""

    after_sale_id: str
    buyer_id: str
    order_id: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Read:
    """What the store has for one request.

    Attributes
    ----------
    profile : Found
    known : bool
        The after-sale has its decision.
    latest_tier : Given or None
        By the buyer's newest decision; ids sort by the time of the decision.
    order : OrderEvidence
        What the log and earlier decisions say of the order; of what was paid, the log's word goes first.
    policy_epoch : int or None
        The newest act on policies.
    heard : Heard
        The buyer's standing.
    """

    profile: Found
    known: bool
    latest_tier: Given | None
    order: OrderEvidence
    policy_epoch: int | None
    heard: Heard


async def take_turns(connection: Connection, asked: Sequence[Asked]) -> None:
    """Wait until no other transaction decides for these buyers, orders or after-sales, and hold them."""
    names = ([a.buyer_id for a in asked], [a.order_id for a in asked], [a.after_sale_id for a in asked])
    what = [kind for kind in (1, 2, 3) for _ in asked]
    await connection.execute(LOCK, what, [name for kind in names for name in kind])


async def take_turn(connection: Connection, buyer_ids: Sequence[str]) -> None:
    """Wait until no other transaction decides for these buyers, and hold them."""
    await connection.execute(LOCK, [1] * len(buyer_ids), buyer_ids)


async def read(connection: Connection, asked: Sequence[Asked]) -> tuple[list[Read], Lane | None]:
    """Read what the decisions of a group need, all of one instant, in the order of the requests.

    The chain is None if no request is new, or none was free.
    """
    columns = zip(*((a.after_sale_id, a.buyer_id, a.order_id) for a in asked), strict=True)
    rows = apart(await connection.fetchrow(READ, *columns))
    chain, place, head, *_ = rows[0]
    return [_read(row) for row in rows], None if chain is None else Lane(chain, place, head)


def _read(row: Any) -> Read:
    (
        _,
        _,
        _,
        seen,
        packed,
        tail,
        changed,
        known,
        tier,
        foreign,
        shipped,
        refunded,
        paid,
        unheard,
        paid_before,
        epoch,
        *standing,
    ) = row
    order = OrderEvidence(
        shipped=bool(shipped),
        refunded_fen=int(refunded or 0) + unheard,
        paid_amount_fen=paid_before if paid is None else paid,
        of_another_buyer=bool(foreign),
    )
    return Read(Found(seen, packed, tail, changed), known, _given(tier), order, epoch, Heard(seen, *standing))


async def add(connection: Connection, rows: Sequence[DecisionRow], lane: Lane) -> None:
    """Store decisions, chained; fails as a whole if an after-sale has one already.

    By COPY: as arrays of an INSERT they take several times as long to encode.
    """
    if rows:
        chained = [lane.chained("decisions", _values(row)) for row in rows]
        await connection.copy_records_to_table("decisions", records=chained, columns=STORED)


async def find(connection: Connection, name: str) -> DecisionRow | None:
    """Look a decision up by its id or by its after-sale's; None if there is none."""
    return await by_id(connection, name) or (await of_after_sales(connection, [name])).get(name)


def no_such(name: str) -> str:
    """Say that there is no decision of a name."""
    return f"there is no decision with the id {name!r}, nor one of such an after-sale"


async def of_after_sales(connection: Connection, after_sale_ids: Sequence[str]) -> dict[str, DecisionRow]:
    """Find the decisions of after-sales."""
    if not after_sale_ids:
        return {}
    found = await connection.fetch(f"{SELECT} WHERE after_sale_id = ANY($1)", after_sale_ids)
    return {row["after_sale_id"]: DecisionRow(**row) for row in found}


async def by_id(connection: Connection, decision_id: str) -> DecisionRow | None:
    """Find a decision."""
    return _row(await connection.fetchrow(f"{SELECT} WHERE decision_id = $1", decision_id))


async def tiers_before(
    connection: Connection, buyer_ids: Sequence[str], as_of: Sequence[datetime]
) -> list[Given | None]:
    """Find the tier that each buyer's newest decision before an instant gave; None without one."""
    found = await connection.fetch(TIERS_BEFORE, buyer_ids, _ids_before(as_of), as_of)
    return [_given(tier) for (tier,) in found]


async def look(
    connection: Connection, buyer_ids: Sequence[str], as_of: Sequence[datetime]
) -> list[tuple[Given | None, Found]]:
    """Read the tier before, as `tiers_before`, and the profile of each buyer, all of one instant."""
    found = apart(await connection.fetchrow(LOOK, buyer_ids, _ids_before(as_of), as_of))
    return [(_given(tier), Found(*profile)) for tier, *profile in found]


def _ids_before(as_of: Sequence[datetime]) -> list[str]:
    return [first_id(at + MILLISECOND) for at in as_of]


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


def _given(told: str | None) -> Given | None:
    """Read what the queries put together: no tier has a space in it."""
    if told is None:
        return None
    tier, version = told.split(" ", 1)
    return Given(tier, version)  # type: ignore[arg-type]


def _row(found: Any) -> DecisionRow | None:
    return None if found is None else DecisionRow(**found)
