from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from serving.app import create_app
from serving.champion import Champion
from serving.errors import Unavailable
from serving.settings import Settings
from serving.store import embedded
from serving.store.migrate import migrate
from tests.serving.conftest import client_of
from tests.serving.scenes import NOW, FakeModels, request

DECISIONS = "/v1/refund-decisions"


async def test_ready_when_database_and_model_are_there(client: httpx.AsyncClient) -> None:
    assert (await client.get("/healthz")).status_code == 200
    ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["model_version"]) == (200, "7")


@pytest.mark.parametrize(
    ("models", "said"),
    [
        (FakeModels(version=None), "no model is registered as champion yet"),
        (FakeModels(catalog_version="c0"), "version 7 was trained on catalog c0"),
    ],
)
async def test_without_a_usable_model_nothing_is_decided(
    settings: Settings, url: str, headers: dict[str, str], models: FakeModels, said: str
) -> None:
    app = create_app(settings, database_url=url, models=models, clock=lambda: NOW)
    async with client_of(app, headers) as client:
        answers = [
            await client.get("/readyz"),
            await client.post(DECISIONS, json=request()),
            await client.get("/v1/buyers/good/score"),
            await client.post("/v1/scores", json={"buyer_ids": ["good"]}),
        ]
        alive = await client.get("/healthz")
    assert alive.status_code == 200
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert said in answer.json()["detail"]


def test_the_champion_is_followed_and_the_last_good_one_kept() -> None:
    models = FakeModels("1")
    champion = Champion(models, poll_seconds=1)
    with pytest.raises(Unavailable):
        champion.current()
    seen = []
    for version, catalog in (("1", None), ("2", None), ("3", "c0"), (None, None), ("4", None)):
        models.version = version
        models.catalog_version = catalog or FakeModels().catalog_version
        champion.refresh()
        seen.append(champion.current().version)
    assert seen == ["1", "2", "2", "2", "4"]


@pytest.fixture
def away(home: Path) -> Iterator[tuple[str, object]]:
    """A database of its own, which the test may stop and start."""
    directory = embedded._usable(home / "postgres")
    server = embedded._started(directory)
    migrate(embedded._url(server))
    yield embedded._url(server), server
    server.stop()


async def test_a_stopped_database_is_a_prompt_503_and_comes_back_by_itself(
    settings: Settings, away: tuple[str, object]
) -> None:
    from serving.store import keys

    url, server = away
    app = create_app(settings, database_url=url, models=FakeModels(), clock=lambda: NOW)
    async with client_of(app, {}) as client:
        async with app.state.database.connection() as connection:
            key, _ = await keys.create(connection, name="t", scopes=keys.SCOPES, now=NOW, expires_at=None)
        client.headers["Authorization"] = f"Bearer {key}"
        before = await client.post(DECISIONS, json=request())
        server.stop()  # type: ignore[attr-defined]
        async with asyncio.timeout(15):
            down = [
                await client.post(DECISIONS, json=request()),
                await client.get("/readyz"),
                await client.get("/v1/buyers/good/score"),
                await client.post("/v1/events", json={"events": []}),
            ]
            alive = await client.get("/healthz")
        server.start()  # type: ignore[attr-defined]
        again = await client.post(DECISIONS, json=request())
        ready = await client.get("/readyz")
    assert before.status_code == 201
    assert [answer.status_code for answer in down] == [503] * 4
    assert "database" in down[1].json()["detail"]
    assert all("retry-after" in answer.headers for answer in down)
    assert alive.status_code == 200
    assert (again.status_code, again.content) == (200, before.content)
    assert ready.status_code == 200


async def test_a_database_without_our_tables_is_not_ready(tmp_path: Path, server_url: str) -> None:
    bare = server_url.replace("/postgres?", "/template1?")
    app = create_app(Settings(home=tmp_path), database_url=bare, models=FakeModels())
    async with client_of(app, {}) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert "its tables are missing" in answer.json()["detail"]


async def test_metrics_count_decisions_by_first_failed_rule_and_name_nobody(
    client: httpx.AsyncClient,
) -> None:
    await client.post(DECISIONS, json=request())
    await client.post(DECISIONS, json=request())
    await client.post(
        DECISIONS, json=request(after_sale_id="AS-2", buyer_id="secret-buyer", shipping_status="shipped")
    )
    await client.get("/v1/buyers/secret-buyer/score")
    text = (await client.get("/metrics")).text
    assert 'buyer_tier_decisions_total{first_failed_rule="none",outcome="auto_refund"} 1.0' in text
    assert 'buyer_tier_decisions_total{first_failed_rule="unshipped",outcome="manual_review"} 1.0' in text
    assert 'buyer_tier_rules_failed_total{rule="unshipped"} 1.0' in text
    assert 'buyer_tier_rules_failed_total{rule="quality_user"} 1.0' in text
    assert 'buyer_tier_model_registered_timestamp_seconds{version="7"} 1.7e+09' in text
    arrived = re.search(r"\nbuyer_tier_history_last_arrival_timestamp_seconds (\S+)", text)
    lag = re.search(r"\nbuyer_tier_history_lag_seconds (\S+)", text)
    assert arrived
    assert abs(float(arrived[1]) - time.time()) < 3600
    assert lag
    assert float(lag[1]) > 0
    assert 'buyer_tier_requests_total{method="POST",route="/v1/refund-decisions",status="200"} 1.0' in text
    assert 'route="/v1/buyers/{buyer_id}/score"' in text
    assert "secret-buyer" not in text


async def test_metrics_count_changes_of_standings(client: httpx.AsyncClient) -> None:
    await client.post("/v1/buyers/good/standing/revocations", json={"reason": "a test"})
    text = (await client.get("/metrics")).text
    changed = 'buyer_tier_standing_changes_total{from_state="new",rule="operator",to_state="revoked"} 1.0'
    assert changed in text


async def test_the_log_names_routes_and_not_buyers(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await client.get("/v1/buyers/secret-buyer/score", headers={"X-Request-ID": "id-1"})
    logged = capsys.readouterr()
    assert "id-1" in logged.out
    assert "/v1/buyers/{buyer_id}/score" in logged.out
    assert "secret-buyer" not in logged.out + logged.err


async def test_a_fault_of_ours_is_a_problem_document_and_not_a_broken_connection(
    client: httpx.AsyncClient, app: object, capsys: pytest.CaptureFixture[str]
) -> None:
    app.state.service.champion = None  # type: ignore[attr-defined]
    answer = await client.post(DECISIONS, json=request())
    assert answer.status_code == 500
    assert answer.json()["type"] == "urn:buyer-tier:problem:internal-error"
    assert answer.json()["request_id"] in capsys.readouterr().out


async def test_the_log_of_a_fault_has_its_place_and_type_but_not_its_text(
    client: httpx.AsyncClient,
    app: object,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    buyer_id = "secret-buyer"

    async def fail(*_: object, **__: object) -> None:
        try:
            raise KeyError(buyer_id)
        except KeyError as error:
            raise RuntimeError(buyer_id) from error

    monkeypatch.setattr(app.state.service, "decide", fail)  # type: ignore[attr-defined]
    assert (await client.post(DECISIONS, json=request())).status_code == 500
    logged = capsys.readouterr()
    assert "RuntimeError" in logged.out
    assert "KeyError" in logged.out
    assert "in fail" in logged.out
    assert "secret-buyer" not in logged.out + logged.err


async def test_not_ready_while_the_database_is_read_only(
    client: httpx.AsyncClient, app: object, url: str
) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("ALTER DATABASE postgres SET default_transaction_read_only = on")
    try:
        await app.state.database._pool.expire_connections()  # type: ignore[attr-defined]
        ready = await client.get("/readyz")
        decided = await client.post(DECISIONS, json=request())
    finally:
        await connection.execute("SET default_transaction_read_only = off")
        await connection.execute("ALTER DATABASE postgres RESET default_transaction_read_only")
        await connection.close()
    assert (ready.status_code, decided.status_code) == (503, 503)
    assert "read-only" in ready.json()["detail"]
