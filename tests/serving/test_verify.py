"""Stored vectors are what the log gives, to the bit; where they are not, the cause is named."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from backtest.marketplace import MarketConfig, simulate
from backtest.requests import refund_requests
from decisions.request import Order, RefundRequest
from features.catalog import CATALOG
from features.log import write_log
from features.skew import ALTERED, LATE, LOST, UNEXPLAINED
from serving.store import events as event_store
from serving.verify import Skew, verify
from tests.serving.deciding import decided, run
from tests.serving.scenes import ASKED_AT, event, good_history, request, table
from tests.serving.store.test_history import neighbourhood

PAID = "orders_paid_count_life"
DAY = timedelta(days=1)


def asked(after_sale_id: str = "AS-1", buyer_id: str = "good") -> RefundRequest:
    body = request(after_sale_id=after_sale_id, buyer_id=buyer_id) | {"requested_at": ASKED_AT}
    order = Order(**body.pop("order") | {"paid_at": ASKED_AT - timedelta(hours=2)})
    return RefundRequest(**body, order=order)


def paid(event_id: str, buyer_id: str = "good", **columns: Any) -> dict[str, Any]:
    order = {"order_id": f"O-{event_id}", "shop_id": "S-1", "amount_fen": 700}
    return event(event_id, buyer_id, "order_paid", ASKED_AT - 3 * DAY, **order | columns)


def append(url: str, rows: list[dict[str, Any]]) -> None:
    async def add() -> None:
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await event_store.append(connection, table(rows))
        await connection.close()

    asyncio.run(add())


def log_of(rows: list[dict[str, Any]], tmp_path: Path) -> Path:
    write_log(table(rows), tmp_path / "log")
    return tmp_path / "log"


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def served(url: str, now: datetime) -> str:
    """A service that has decided for a good buyer among neighbours, whose links reach far."""
    decided(url, [asked()], log=table(neighbourhood()), at=now)
    return url


def causes(skew: Skew) -> dict[str, int]:
    return {cause: n for cause, n in skew.by_cause.items() if n}


def test_a_simulated_market_decided_online_is_recomputed_to_the_bit(
    url: str, tmp_path: Path, now: datetime
) -> None:
    config = MarketConfig(buyers=1500, days=300, abuse_rate=0.05, seed=3)
    market = simulate(config)
    requests = refund_requests(market.events, since=config.end - 60 * DAY, until=config.end)
    made = decided(url, requests.items[:400], log=market.events, at=now)
    assert made > 200
    write_log(market.events, tmp_path / "log")
    for log in (None, tmp_path / "log"):
        skew = verify(url, sample=None, log=log)
        assert (skew.decisions, skew.compared, skew.differing, causes(skew)) == (made, made, 0, {})


def test_what_the_service_did_not_have_yet_is_late_ingestion(served: str, tmp_path: Path) -> None:
    append(served, [paid("late")])
    skew = verify(served, sample=10)
    assert causes(skew) == {LATE: 1}
    assert skew.by_feature[PAID, LATE] == 1
    example = skew.examples[PAID, LATE]
    assert example.offline == example.stored + 1
    assert causes(verify(served, sample=10, log=log_of([*neighbourhood(), paid("late")], tmp_path))) == {
        LATE: 1
    }


def test_a_verdict_on_a_linked_account_that_comes_late_is_late_ingestion(served: str) -> None:
    append(served, [event("a3", "wife", "abuse_confirmed", ASKED_AT - 3 * DAY)])
    skew = verify(served, sample=10)
    assert causes(skew) == {LATE: 1}
    assert all("link" in name or "peer" in name for name, _ in skew.by_feature)


def test_an_event_that_the_offline_log_lacks_is_a_lost_event(served: str, tmp_path: Path) -> None:
    rows = [row for row in neighbourhood() if row["event_id"] != "good-p1"]
    skew = verify(served, sample=10, log=log_of(rows, tmp_path))
    assert causes(skew) == {LOST: 1}
    example = skew.examples[PAID, LOST]
    assert example.offline == example.stored - 1


def test_an_event_with_other_content_in_the_offline_log_is_an_altered_event(
    served: str, tmp_path: Path
) -> None:
    rows = neighbourhood()
    rows[0]["amount_fen"] = 29_000
    skew = verify(served, sample=10, log=log_of(rows, tmp_path))
    assert causes(skew) == {ALTERED: 1}
    assert ("paid_amount_sum_life", ALTERED) in skew.by_feature


def test_an_event_that_the_offline_log_gives_to_another_buyer_is_an_altered_event(
    served: str, tmp_path: Path
) -> None:
    rows = neighbourhood()
    rows[0]["buyer_id"] = "somebody"
    assert causes(verify(served, sample=10, log=log_of(rows, tmp_path))) == {ALTERED: 1}


def test_an_event_of_another_buyer_that_the_offline_log_gives_to_this_one_is_an_altered_event(
    served: str, tmp_path: Path
) -> None:
    append(served, [paid("theirs", "somebody")])
    log = log_of([*neighbourhood(), paid("theirs")], tmp_path)
    assert causes(verify(served, sample=10, log=log)) == {ALTERED: 1}


def test_an_event_that_the_service_never_got_is_late(served: str, tmp_path: Path) -> None:
    log = log_of([*neighbourhood(), paid("never")], tmp_path)
    assert causes(verify(served, sample=10, log=log)) == {LATE: 1}


def test_causes_that_meet_in_one_decision_are_told_apart(served: str, tmp_path: Path) -> None:
    append(served, [paid("late", amount_fen=0)])
    rows = [row for row in neighbourhood() if row["event_id"] != "good-c1"]
    rows[0]["category_id"] = "elsewhere"
    skew = verify(served, sample=10, log=log_of([*rows, paid("late", amount_fen=0)], tmp_path))
    assert causes(skew) == {LATE: 1, LOST: 1, ALTERED: 1}
    assert skew.by_feature["orders_completed_count_life", LOST] == 1
    assert (PAID, LOST) not in skew.by_feature


def test_what_came_late_and_is_lost_offline_too_explains_nothing(served: str, tmp_path: Path) -> None:
    append(served, [paid("late"), paid("later")])
    skew = verify(served, sample=10, log=log_of([*neighbourhood(), paid("late")], tmp_path))
    assert causes(skew) == {LATE: 1}


def test_an_event_committed_while_a_decision_was_under_way_is_late(url: str, now: datetime) -> None:
    decided(url, [asked()], log=table(good_history()), at=now)
    append(url, [paid("meanwhile")])
    run(url, "UPDATE decisions SET seen = pg_current_snapshot()::text")
    assert causes(verify(url, sample=10)) == {LATE: 1}
    run(url, "UPDATE decisions SET decided_at = decided_at + interval '5 minutes'")
    assert causes(verify(url, sample=10)) == {UNEXPLAINED: 1}


def test_decisions_and_events_from_before_arrivals_were_kept_are_verified(url: str, now: datetime) -> None:
    decided(url, [asked()], log=table(good_history()), at=now)
    run(url, "UPDATE events SET arrival = NULL, ingested_at = now() - interval '1 day'")
    run(url, "UPDATE decisions SET arrival = NULL, seen = NULL")
    assert causes(verify(url, sample=10)) == {}
    append(url, [paid("late")])
    assert causes(verify(url, sample=10)) == {LATE: 1}


@pytest.mark.parametrize("feature", [0, 75, CATALOG.n_features - 1])
def test_one_bit_that_nothing_explains_is_found(served: str, feature: int) -> None:
    last = 8 * feature
    run(served, f"UPDATE decisions SET vector = set_byte(vector, {last}, get_byte(vector, {last}) # 1)")
    skew = verify(served, sample=10)
    assert causes(skew) == {UNEXPLAINED: 1}
    assert list(skew.by_feature) == [(CATALOG.names[feature], UNEXPLAINED)]
    assert skew.unexplained == 1


def test_an_event_gone_from_the_service_is_unexplained_there_and_equal_offline(
    served: str, tmp_path: Path
) -> None:
    run(served, "DELETE FROM events WHERE event_id = 'good-p1'")
    assert causes(verify(served, sample=10)) == {UNEXPLAINED: 1}
    assert causes(verify(served, sample=10, log=log_of(neighbourhood(), tmp_path))) == {}


def test_decisions_of_another_catalog_are_compared_in_what_both_mean_alike(served: str) -> None:
    known = json.loads(run(served, "SELECT features::text FROM catalogs")[0][0])
    older = [["gone_from_it", "c0"], [known[1][0], "another meaning"], known[2], known[0]]
    run(served, "INSERT INTO catalogs VALUES ('cold', $1::json)", json.dumps(older))
    stored = run(served, "SELECT vector FROM decisions")[0][0]
    vector = b"".join((stored[:8], stored[:8], stored[16:24], stored[:8]))
    run(served, "UPDATE decisions SET catalog_version = 'cold', vector = $1", vector)
    skew = verify(served, sample=10)
    assert (dict(skew.other_catalogs), skew.not_compared) == ({"cold": 1}, {"cold": CATALOG.n_features - 2})
    assert causes(skew) == {}
    append(served, [event("late", "good", "order_placed", ASKED_AT - DAY, order_id="x")])
    assert {name for name, _ in verify(served, sample=10).by_feature} <= {known[0][0], known[2][0]}
    run(served, "DELETE FROM catalogs WHERE catalog_version = 'cold'")
    forgotten = verify(served, sample=10)
    assert forgotten.not_compared == {"cold": CATALOG.n_features}
    assert (forgotten.decisions, forgotten.compared, forgotten.differing) == (1, 0, 0)


def test_a_sample_is_drawn_by_its_seed_among_decisions_since_a_time(url: str, now: datetime) -> None:
    log = table([row for n in range(12) for row in good_history(f"b{n}")])
    decided(url, [asked(f"AS-{n}", f"b{n}") for n in range(12)], log=log, at=now - DAY)
    decided(url, [asked("AS-new", "b0")], at=now)

    def drawn(**options: Any) -> list[str]:
        run(url, "UPDATE decisions SET vector = set_byte(vector, 0, 255)")
        skew = verify(url, **options)
        assert skew.decisions == skew.differing
        return sorted({example.decision_id for example in skew.examples.values()})

    assert drawn(sample=3, seed=1) == drawn(sample=3, seed=1)
    assert len({drawn(sample=1, seed=seed)[0] for seed in range(8)}) > 2
    assert verify(url, sample=5).decisions == 5
    assert verify(url, sample=None).decisions == 13
    assert verify(url, sample=99, since=now - timedelta(hours=1)).decisions == 1


def test_nothing_decided_is_nothing_to_verify(url: str) -> None:
    assert verify(url, sample=10) == Skew()
