"""The short way answers what the routes would, and hands on whatever it does not plainly understand."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

import httpx
import pyarrow as pa
import pytest
from pydantic import ValidationError

from models.deciding.record import digest
from serving.api.documents import decision_request
from serving.api.event_documents import event_table
from serving.api.events import EventIn, EventsIn
from serving.api.hot import Hot
from serving.api.schemas import RefundDecisionIn
from serving.app import create_app
from serving.service import DecisionService
from serving.settings import Settings
from tests.serving.conftest import Add, client_of
from tests.serving.scenes import BASE, NOW, FakeModels, as_json, good_history, request, table

DECISIONS = "/v1/refund-decisions"
VALUES: list[Any] = [
    *("", "x", "x" * 128, "x" * 129, "é" * 128, "😀" * 128, "a\0b", "\u2028", "\ud83d", " ", "refund_only"),
    *("return_and_refund", "physical", "virtual", "unshipped", "partially_shipped", "r" * 1000, "r" * 1001),
    *(
        0,
        1,
        -1,
        10**12,
        10**12 + 1,
        2**63,
        10**40,
        1.0,
        0.5,
        True,
        False,
        None,
        [],
        {},
        [1],
        {"order_id": "x"},
    ),
    *("2026-03-01T12:00:00Z", "2026-03-01 12:00:00+08:00", "2026-03-01t12:00:00.123456789Z", "2026-03-01T12"),
    *(
        "2026-03-01T12:00:00",
        "2026-03-01",
        "2026-W09-7T12:00:00Z",
        "1999-12-31T23:59:59Z",
        "20260301T120000Z",
    ),
    *("2099-12-31T23:59:59-14:00", "2000-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00", "1700000000"),
    *("2026-03-01T24:00:00Z", "2026-02-30T00:00:00Z", "2026-03-01T12:00:00+25:00", "2026-03-01T12:00:00z"),
]
SPELT = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"{}",
    b'{"a": 01}',
    b"\xff",
    b'{"buyer_id": "\\ud800"}',
    b"{} {}",
    b"[" * 9000,
    b"\xef\xbb\xbf{}",
    b'{"refund_amount_fen": NaN}',
    b"\x0b{}",
]


def changed(draw: random.Random) -> bytes:
    """Change a request in one to three places, then perhaps its spelling."""
    body = request()
    for _ in range(draw.randrange(1, 4)):
        target = body if draw.random() < 0.6 else body["order"]
        if not isinstance(target, dict):
            break
        name = draw.choice([*BASE, *BASE["order"], "colour"])
        if draw.random() < 0.2:
            target.pop(name, None)
        else:
            target[name] = draw.choice(VALUES)
        if not isinstance(body.get("order"), dict):
            break
    text = json.dumps(body, ensure_ascii=draw.random() < 0.5, indent=draw.choice((None, 1)))
    if draw.random() < 0.1:
        text = text.replace(": ", draw.choice((":\t", ":\r\n ", ":\x0b")), 1)
    if draw.random() < 0.1:
        text = text.replace('{"after', '{"buyer_id": "twice", "after', 1)
    return text.encode("utf-8", "surrogatepass")


def by_schema(body: bytes) -> tuple[dict[str, Any], bytes] | None:
    try:
        sent = RefundDecisionIn.model_validate_json(body)
    except ValidationError:
        return None
    asked = sent.request(NOW)
    return asdict(asked), sent.digest(asked)


def test_what_the_short_way_takes_the_schema_takes_and_reads_alike() -> None:
    draw, taken, passed_on = random.Random(5), 0, 0
    bodies = [*SPELT, *(changed(draw) for _ in range(6000)), json.dumps(request()).encode()]
    bodies += [json.dumps(request(**{name: value})).encode() for name in BASE for value in VALUES]
    bodies += [json.dumps(request(**{name: value})).encode() for name in BASE["order"] for value in VALUES]
    for body in bodies:
        quick, slow = decision_request(body, NOW), by_schema(body)
        if quick is not None:
            assert (asdict(quick.request), quick.digest) == slow, body
            taken += 1
        else:
            passed_on += slow is not None
    assert taken > 500
    assert passed_on < 20  # the doubtful: twice the same field, an escaped backslash before u0000


def changed_event(draw: random.Random) -> bytes:
    body: dict[str, Any] = as_json(good_history()[0])
    for _ in range(draw.randrange(3)):
        name = draw.choice([*EventIn.model_fields, "colour"])
        body[name] = draw.choice([*VALUES, -1, -(2**31), 2**31])
    return json.dumps({"events": [body]}, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def events_by_schema(body: bytes) -> pa.Table | None:
    try:
        events = EventsIn.model_validate_json(body).events
        return table([EventIn.model_validate(event).model_dump() for event in events])
    except ValidationError:
        return None


def test_a_batch_of_events_is_read_alike() -> None:
    draw, taken, passed_on = random.Random(6), 0, 0
    for body in [*SPELT, b'{"events": []}', b'{"events": [1]}', *(changed_event(draw) for _ in range(3000))]:
        quick, slow = event_table(body), events_by_schema(body)
        if quick is not None:
            assert quick.equals(slow), body
            taken += 1
        else:
            passed_on += slow is not None
    assert taken > 1000
    assert passed_on < 20


async def test_a_batch_with_a_bad_event_is_stored_but_for_that(twice: Any) -> None:
    quick, _ = twice
    good = [as_json(row) for row in good_history("new")]
    answers = []
    for batch in (good[:3], [*good, good[0], {"event_id": "bad"}], good, [good[0] | {"amount_fen": 1}]):
        sent = await quick.post("/v1/events", json={"events": batch})
        answers.append([result["status"][0] for result in sent.json()["results"]])
    assert answers == [list("aaa"), list("dddaaaaadr"), list("dddddddd"), ["r"]]


def test_a_digest_is_what_it_was_when_decisions_were_first_stored() -> None:
    asked = RefundDecisionIn.model_validate_json(json.dumps(request())).request(NOW)
    kept = "a833f1bc435e2a98f265a7dcb464a448"
    assert digest(asked, dated=True).hex()[:32] == kept


@pytest.fixture
async def twice(settings: Settings, url: str, headers: dict[str, str], add: Add) -> AsyncIterator[Any]:
    """One service with the short way and one that never remembers a key, so that it has only the routes."""
    await add(good_history())
    clients = []
    for seconds in (60.0, 0.0):
        own = settings.model_copy(update={"key_cache_seconds": seconds})
        clients.append(create_app(own, database_url=url, models=FakeModels(), clock=lambda: NOW))
    async with client_of(clients[0], headers) as quick, client_of(clients[1], headers) as slow:
        await quick.get("/v1/buyers/good/score")  # the key is remembered from here on
        yield quick, slow


def told(answer: httpx.Response) -> tuple[Any, ...]:
    body = {name: value for name, value in answer.json().items() if name not in ("request_id", "decision_id")}
    kept = {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "location")}
    return answer.status_code, body | {"after_sale_id": ""}, kept | {"content-length": ""}


@pytest.mark.parametrize(
    "body",
    [
        *(
            request(),
            request(requested_at=None),
            request(refund_type="return_and_refund"),
            request(buyer_id=""),
        ),
        *(request(refund_amount_fen=12901), request(paid_at="yesterday"), [], request() | {"colour": 1}),
    ],
)
async def test_both_ways_answer_alike(twice: Any, body: Any) -> None:
    first = request(after_sale_id="AS-before")
    await twice[0].post(DECISIONS, json=first | {"order": first["order"] | {"order_id": "O-before"}})
    answers = []
    for n, client in enumerate(twice):
        own = body | {"after_sale_id": f"AS-{n}"} if isinstance(body, dict) else body
        if isinstance(own, dict):
            own = own | {"order": own["order"] | {"order_id": f"O-{n}"}}
        answers.append([told(await client.post(DECISIONS, json=own)) for _ in range(2)])
    assert answers[0] == answers[1]


async def test_a_conflict_and_a_score_are_told_alike(twice: Any) -> None:
    quick, slow = twice
    await quick.post(DECISIONS, json=request())
    other = request(refund_amount_fen=1)
    assert told(await quick.post(DECISIONS, json=other)) == told(await slow.post(DECISIONS, json=other))
    for path in (
        "/v1/buyers/good/score",
        "/v1/buyers/nobody/score",
        "/v1/buyers/a%2Fb/score",
        "/v1/buyers//score",
    ):
        assert told(await quick.get(path)) == told(await slow.get(path))


async def test_what_is_plain_does_go_the_short_way(twice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = twice

    taken, answer = [], Hot._answer

    async def noted(self: Hot, *args: Any, **named: Any) -> None:
        taken.append(named["route"])
        await answer(self, *args, **named)

    monkeypatch.setattr(Hot, "_answer", noted)
    assert (await slow.post(DECISIONS, json=request())).status_code == 201
    assert (await slow.get("/v1/buyers/good/score")).status_code == 200
    assert not taken
    assert (await quick.post(DECISIONS, json=request())).status_code == 200
    assert (await quick.get("/v1/buyers/good/score")).status_code == 200
    assert taken == [DECISIONS, "/v1/buyers/{buyer_id}/score"]


async def test_a_failure_on_the_short_way_is_logged_and_answered_500(
    twice: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = "buyer B-1"

    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError(named)

    monkeypatch.setattr(DecisionService, "decide", broken)
    answer = await twice[0].post(DECISIONS, json=request())
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:buyer-tier:problem:internal-error")
    logged = capsys.readouterr().out
    assert answer.headers["x-request-id"] in logged
    assert '"failed"' in logged
    assert "B-1" not in logged
