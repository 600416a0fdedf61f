from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from decisions.rules import RULES
from tests.serving.conftest import Add
from tests.serving.scenes import ASKED_AT, event, good_history, paying, request

DECISIONS = "/v1/refund-decisions"
Q5 = "该用户为平台优质用户且订单满足极速退款条件,平台已自动审核通过卖家发货前仅退款申请"


def failed(answer: dict[str, Any]) -> list[str]:
    return [rule["code"] for rule in answer["rules"] if not rule["passed"]]


async def test_a_quality_user_is_refunded_with_the_exact_text_of_the_notice(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post(DECISIONS, json=request())
    answer = response.json()
    assert response.status_code == 201
    assert response.headers["location"] == f"{DECISIONS}/{answer['decision_id']}"
    assert answer["outcome"] == "auto_refund"
    assert answer["message"]["zh"] == Q5
    assert [rule["code"] for rule in answer["rules"]] == list(RULES)
    assert answer["buyer"] == {"score": 800.0, "tier": "quality", "standing": "eligible", "reasons": None}
    assert (answer["model_version"], answer["policy_version"]) == ("7", "notice-2023-09-06")
    assert answer["decided_at"] == "2026-03-01T12:00:01Z"


@pytest.mark.parametrize(
    ("body", "rules"),
    [
        (paying(29_999), []),
        (paying(30_000), ["amount_below_cap"]),
        (request(refund_type="return_and_refund"), ["refund_only"]),
        (request(goods_type="virtual"), ["goods_type"]),
        (request(goods_type="customized"), ["goods_type"]),
        (request(shipping_status="partially_shipped"), ["unshipped"]),
        (request(shipping_status="shipped"), ["unshipped"]),
        (request(order_id="good-O0"), ["agrees_with_history"]),
        (request(order_id="good-O0", paid_amount_fen=5000, refund_amount_fen=5000), []),
        (request(paid_at="2026-03-01T12:00:00.000001Z"), ["request_time"]),
        (request(requested_at="2026-03-01T12:05:01Z"), []),
        (request(requested_at="2026-03-01T12:05:01.000001Z"), ["request_time"]),
        (request(buyer_id="nobody"), ["quality_user"]),
        (
            paying(30_000, goods_type="virtual", buyer_id="nobody"),
            ["goods_type", "amount_below_cap", "quality_user"],
        ),
    ],
)
async def test_each_rule_sends_the_request_to_a_person_by_its_own_code(
    client: httpx.AsyncClient, body: dict[str, Any], rules: list[str]
) -> None:
    answer = (await client.post(DECISIONS, json=body)).json()
    assert failed(answer) == rules
    assert answer["outcome"] == ("manual_review" if rules else "auto_refund")


async def test_a_cancellation_known_before_the_request_lowers_the_score(
    client: httpx.AsyncClient, add: Add
) -> None:
    columns = {"order_id": "good-O3", "stage": "before_shipment", "fault": "buyer", "amount_fen": 100}
    await add([event("x", "good", "refund_requested", ASKED_AT - timedelta(days=9), **columns)])
    await add([event("y", "good", "refund_requested", ASKED_AT, **columns)])
    answer = (await client.post(DECISIONS, json=request())).json()
    assert answer["buyer"]["score"] == 700.0
    assert failed(answer) == ["quality_user"]


async def test_a_confirmed_abuser_is_not_refunded_until_cleared(client: httpx.AsyncClient, add: Add) -> None:
    await add([event("x", "good", "abuse_confirmed", ASKED_AT - timedelta(days=2), reason="stock")])
    first = (await client.post(DECISIONS, json=request())).json()
    await add([event("y", "good", "abuse_cleared", ASKED_AT - timedelta(days=1))])
    second = (await client.post(DECISIONS, json=request(after_sale_id="AS-2"))).json()
    assert (first["buyer"]["standing"], second["buyer"]["standing"]) == ("revoked", "eligible")
    assert failed(first) == ["standing"]
    assert second["outcome"] == "auto_refund"


async def test_an_order_that_the_log_has_as_shipped_goes_to_a_person(
    client: httpx.AsyncClient, add: Add
) -> None:
    await add([event("x", "good", "order_shipped", ASKED_AT - timedelta(minutes=5), order_id="O-now")])
    assert failed((await client.post(DECISIONS, json=request())).json()) == ["agrees_with_history"]


async def test_an_order_that_the_log_has_under_another_buyer_goes_to_a_person(
    client: httpx.AsyncClient, add: Add
) -> None:
    await add([event("x", "somebody else", "order_paid", ASKED_AT - timedelta(hours=1), order_id="O-now")])
    assert failed((await client.post(DECISIONS, json=request())).json()) == ["agrees_with_history"]


async def test_an_order_is_not_refunded_twice_under_two_after_sale_ids(client: httpx.AsyncClient) -> None:
    first = (await client.post(DECISIONS, json=request())).json()
    second = (await client.post(DECISIONS, json=request(after_sale_id="AS-2"))).json()
    assert first["outcome"] == "auto_refund"
    assert failed(second) == ["agrees_with_history"]


@pytest.mark.parametrize(
    ("kind", "outcome"), [("refund_granted", "manual_review"), ("refund_withdrawn", "auto_refund")]
)
async def test_what_became_of_our_refund_counts_once_the_log_has_heard_of_it(
    client: httpx.AsyncClient, add: Add, kind: str, outcome: str
) -> None:
    await client.post(DECISIONS, json=request())
    heard = {"order_id": "O-now", "after_sale_id": "AS-1", "amount_fen": 12900, "actor": "auto"}
    await add([event("x", "good", kind, ASKED_AT + timedelta(minutes=1), **heard)])
    later = request(after_sale_id="AS-2", requested_at="2026-03-01T12:02:00Z")
    answer = (await client.post(DECISIONS, json=later)).json()
    assert answer["outcome"] == outcome
    if kind == "refund_granted":
        assert "12900 fen are known to be refunded" in str(answer["rules"])


@pytest.mark.parametrize(
    "heard",
    [
        {"order_id": "O-now", "amount_fen": 12900},
        {"order_id": "O-now", "amount_fen": None},
        {"order_id": "O-now", "amount_fen": 100},
        {"order_id": "O-other", "amount_fen": 12900},
    ],
)
@pytest.mark.parametrize("buyer", ["good", "second"])
async def test_however_the_log_tells_of_our_refund_the_order_is_not_refunded_again(
    client: httpx.AsyncClient, add: Add, heard: dict[str, Any], buyer: str
) -> None:
    await add(good_history("second"))
    await client.post(DECISIONS, json=request())
    told = {"after_sale_id": "AS-1", "actor": "auto", **heard}
    await add([event("x", "good", "refund_granted", ASKED_AT + timedelta(minutes=1), **told)])
    again = request(after_sale_id="AS-2", buyer_id=buyer, requested_at="2026-03-01T12:02:00Z")
    answer = (await client.post(DECISIONS, json=again)).json()
    assert failed(answer) == ["agrees_with_history"]
    assert "12900 fen are known to be refunded" in str(answer["rules"])


async def test_a_higher_paid_amount_in_a_later_request_gives_no_more_of_the_order(
    client: httpx.AsyncClient,
) -> None:
    first = request(paid_amount_fen=10_000, refund_amount_fen=4_000)
    same = request(paid_amount_fen=10_000, refund_amount_fen=4_000, after_sale_id="AS-2")
    more = request(paid_amount_fen=29_000, refund_amount_fen=4_000, after_sale_id="AS-3")
    answers = [(await client.post(DECISIONS, json=body)).json() for body in (first, same, more)]
    assert [failed(answer) for answer in answers] == [[], [], ["agrees_with_history"]]


@pytest.mark.parametrize(
    ("kind", "said"),
    [("order_shipped", "as shipped"), ("refund_granted", "12900 fen are known to be refunded")],
)
async def test_a_request_dated_back_does_not_hide_what_is_known_of_the_order_now(
    client: httpx.AsyncClient, add: Add, kind: str, said: str
) -> None:
    order = {"order_id": "O-now", "after_sale_id": "AS-0", "amount_fen": 12900}
    await add([event("x", "good", kind, ASKED_AT + timedelta(minutes=1), **order)])
    answer = (await client.post(DECISIONS, json=request())).json()
    assert failed(answer) == ["agrees_with_history"]
    assert said in str(answer["rules"])


async def test_reasons_come_when_asked_for_and_always_when_read(client: httpx.AsyncClient) -> None:
    plain = await client.post(DECISIONS, json=request())
    asked = await client.post(f"{DECISIONS}?explain=true", json=request())
    read = await client.get(plain.headers["location"])
    assert plain.json()["buyer"]["reasons"] is None
    reasons = [{"code": "cancellation", "text": {"zh": "取消", "en": "cancellations"}, "contribution": 0.0}]
    assert read.json()["buyer"]["reasons"] == reasons
    assert read.content == asked.content


async def test_a_decision_that_does_not_exist_is_not_found(client: httpx.AsyncClient) -> None:
    response = await client.get(f"{DECISIONS}/nothing")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:buyer-tier:problem:not-found"


async def test_without_a_date_the_request_is_dated_by_the_service(client: httpx.AsyncClient) -> None:
    body = request()
    del body["requested_at"]
    answer = (await client.post(DECISIONS, json=body)).json()
    assert "requested at 2026-03-01T12:00:01+00:00" in str(answer["rules"])


async def test_the_buyer_at_the_edge_of_enough_history(client: httpx.AsyncClient, add: Add) -> None:
    await add(good_history("two", orders=2) + good_history("three", orders=3))
    two = (await client.post(DECISIONS, json=request(buyer_id="two", after_sale_id="a", order_id="a"))).json()
    three = (
        await client.post(DECISIONS, json=request(buyer_id="three", after_sale_id="b", order_id="b"))
    ).json()
    assert (two["buyer"]["tier"], three["buyer"]["tier"]) == ("new", "quality")
