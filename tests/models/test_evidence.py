"""What a decision reads of an order: only what was known by then, of this buyer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from decisions.request import OrderEvidence
from models.evidence import order_evidence

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
LINK = {"event_id": "l", "buyer_id": "bob", "kind": "identity_linked", "recorded_at": AT - HOUR}


def said(event_id: str, kind: str, *, hours: float = 1, **columns: Any) -> dict[str, Any]:
    when = AT - hours * HOUR
    plain = {"buyer_id": "ann", "order_id": "o", "amount_fen": None, "occurred_at": when, "recorded_at": when}
    return {"event_id": event_id, "kind": kind, **plain, **columns}


def heard(*rows: dict[str, Any]) -> OrderEvidence:
    return order_evidence([LINK, *rows], buyer_id="ann", order_id="o", as_of=AT)


def test_nothing_is_known_of_an_order_that_nobody_spoke_of() -> None:
    others = [said("a", "order_paid", order_id="p", amount_fen=5), said("b", "order_shipped", buyer_id="bob")]
    assert heard(*others) == OrderEvidence(shipped=False, refunded_fen=0, paid_amount_fen=None)


def test_grants_add_up_and_one_without_an_amount_adds_nothing() -> None:
    rows = [said("a", "refund_granted", amount_fen=300), said("b", "refund_granted")]
    assert heard(*rows, said("c", "refund_granted", amount_fen=50)).refunded_fen == 350


def test_the_first_payment_that_became_known_is_what_was_paid_in_whatever_order_rows_come() -> None:
    rows = [said("b", "order_paid", amount_fen=900), said("a", "order_paid", hours=2, amount_fen=700)]
    assert heard(*rows).paid_amount_fen == heard(*reversed(rows)).paid_amount_fen == 700


def test_what_is_recorded_at_the_instant_itself_is_not_known_yet() -> None:
    shipped = said("a", "order_shipped", hours=0)
    assert not heard(shipped).shipped
    assert heard(shipped | {"recorded_at": AT - timedelta(microseconds=1)}).shipped
