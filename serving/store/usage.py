"""What buyers have used of caps and what was lost of budgets, read off decisions and the log.

Nothing is counted on the side: counters would have to be right after every crash, late event and erasure; the
rows are, and a buyer has a few dozen of them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from decisions.caps import FACTS_OF_EVENTS, KEPT_DAYS, KEPT_OPEN_DAYS, CaseUse, DayLosses, Ledger

from .ids import first_id

if TYPE_CHECKING:
    from .database import Connection


def _kinds(fact: str) -> str:
    return ", ".join(f"'{kind}'" for kind, told in FACTS_OF_EVENTS.items() if told == fact)


def _us(expression: str) -> str:
    return f"(extract(epoch FROM {expression}) * 1000000)::bigint"


CASES: Final = f"""
SELECT f.buyer_id, f.after_sale_id, {_us("min(f.opened)")}, {_us("min(f.granted)")},
    coalesce(min(f.fen), 0), {_us("min(f.closed)")}
FROM (
    SELECT d.buyer_id, d.after_sale_id, d.decided_at AS opened, NULL::timestamptz AS closed,
        CASE WHEN d.outcome = 'auto_refund' THEN d.decided_at END AS granted,
        CASE WHEN d.outcome = 'auto_refund' THEN d.refund_amount_fen END AS fen
    FROM decisions AS d WHERE d.buyer_id = ANY($1) AND d.decision_id >= $2
    UNION ALL
    SELECT e.buyer_id, e.after_sale_id, CASE WHEN e.kind IN ({_kinds("opened")}) THEN e.occurred_at END,
        CASE WHEN e.kind IN ({_kinds("closed")}) THEN e.occurred_at END, NULL, NULL
    FROM events AS e WHERE e.buyer_id = ANY($1) AND e.after_sale_id IS NOT NULL
    AND e.kind IN ({_kinds("opened")}, {_kinds("closed")})
) AS f GROUP BY f.buyer_id, f.after_sale_id ORDER BY f.buyer_id, f.after_sale_id
"""
"""One row an after-sale, as `caps.Ledger` keeps them. A decision opens it too: it was asked for."""
LOSSES: Final = """
SELECT CASE WHEN d.shop_id = ANY($2) THEN d.shop_id END,
    (floor(extract(epoch FROM lost.known_at)) + 28800)::bigint / 86400 AS day,
    sum(d.refund_amount_fen)::bigint
FROM (
    SELECT e.buyer_id, e.after_sale_id, min(e.recorded_at) AS known_at FROM events AS e
    WHERE e.kind = 'refund_found_shipped' AND e.recorded_at >= $1 GROUP BY 1, 2
) AS lost
JOIN decisions AS d USING (after_sale_id, buyer_id) WHERE d.outcome = 'auto_refund' GROUP BY 1, 2
"""
"""What was refunded here and found shipped, by the day of Shanghai on which it became known; the shop is null
where nobody asks for it. An after-sale is lost once, however often it is told."""


async def ledgers(connection: Connection, buyer_ids: Collection[str], at: datetime) -> dict[str, Ledger]:
    """Read buyers' ledgers, all that windows which end at an instant or later can hold."""
    since = first_id(at - timedelta(days=KEPT_OPEN_DAYS))
    cases: defaultdict[str, list[CaseUse]] = defaultdict(list)
    for buyer_id, after_sale_id, opened, granted, fen, closed in await connection.fetch(
        CASES, list(buyer_ids), since
    ):
        cases[buyer_id].append(
            CaseUse(
                after_sale_id=after_sale_id,
                opened_us=opened,
                granted_us=granted,
                granted_fen=fen,
                closed_us=closed,
            )
        )
    return {buyer_id: Ledger(cases=tuple(found)) for buyer_id, found in cases.items()}


async def losses(
    connection: Connection, shop_ids: Collection[str], at: datetime
) -> tuple[dict[str, DayLosses], DayLosses]:
    """Read what shops and the platform lost on the days that windows which end at an instant can hold."""
    since = at - timedelta(days=KEPT_DAYS)
    shops: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    platform: defaultdict[int, int] = defaultdict(int)
    for shop_id, day, fen in await connection.fetch(LOSSES, since, list(shop_ids)):
        platform[day] += fen
        if shop_id is not None:
            shops[shop_id].append((day, fen))
    of_shops = {shop_id: DayLosses(tuple(sorted(days))) for shop_id, days in shops.items()}
    return of_shops, DayLosses(tuple(sorted(platform.items())))
