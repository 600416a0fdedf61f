from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest

from features.catalog import CATALOG, REASONS
from models.buyer_score import BuyerScore
from models.mlflow_store import RegistryUnavailable, experiment_id, tracking
from models.registry import LoadedModel, ModelDamaged, Registry
from models.succession import promote, rollback
from serving.app import create_app
from serving.champion import Champion
from serving.settings import Settings
from serving.shadow import Shadow
from tests.serving.conftest import Add, live
from tests.serving.scenes import NOW, FakeModels, FakeScore, good_history, request

import mlflow  # isort: skip

VECTOR = np.zeros(CATALOG.n_features)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """Three versions of a little model; nobody is champion."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('following') / 'mlflow.db'}"
    registry = Registry(uri)
    random = np.random.default_rng(0)
    names = list(CATALOG.names)
    rows = pd.DataFrame(random.poisson(1.0, (400, len(names))).astype(float), columns=names)
    y = (random.random(400) < 1 / (1 + np.exp(3 - 1.5 * rows["cancellations_count_life"]))).astype(int)
    with tracking(uri):
        where = experiment_id(registry.client, "t", tracking_uri=uri)
        for seed in range(3):
            score = BuyerScore(
                reason_codes=dict(zip(names, CATALOG.reason_codes, strict=True)),
                reason_texts={code: {"zh": text.zh, "en": text.en} for code, text in REASONS.items()},
                catalog_version=CATALOG.version,
                max_trees=10,
                random_state=seed,
            ).fit(rows, y)
            with mlflow.start_run(experiment_id=where):
                registry.log(score, example=rows.head(4), tags={"catalog_version": CATALOG.version})
    return registry


async def test_a_promotion_under_load_is_followed_within_seconds_and_drops_no_request(
    registry: Registry, settings: Settings, url: str, add: Add, headers: dict[str, str]
) -> None:
    promote(registry, "1", reason="first")
    await add(good_history())
    settings = settings.model_copy(update={"model_poll_seconds": 0.2})
    app = create_app(settings, database_url=url, models=registry, clock=lambda: NOW)
    seen: list[tuple[int, str]] = []
    stop = asyncio.Event()

    async def load(client: httpx.AsyncClient, worker: int) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            body = request(after_sale_id=f"AS-{worker}-{n}", order_id=f"O-{worker}-{n}")
            answer = await client.post("/v1/refund-decisions", json=body)
            seen.append((answer.status_code, answer.json().get("model_version", "")))

    async def until_seen(version: str) -> None:
        async with asyncio.timeout(20):
            while not seen or seen[-1][1] != version:
                await asyncio.sleep(0.02)

    with live(app, settings) as address:
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30) as client:
            workers = [asyncio.create_task(load(client, n)) for n in range(3)]
            await until_seen("1")
            await asyncio.to_thread(promote, registry, "2", reason="second")
            await until_seen("2")
            damage(registry, "3")
            await asyncio.to_thread(registry.point, "champion", "3")
            before = len(seen)
            await asyncio.sleep(1.0)
            after = {version for _, version in seen[before + 3 :]}
            ready = await client.get("/readyz")
            stop.set()
            await asyncio.gather(*workers)
    assert {status for status, _ in seen} == {201}
    assert after == {"2"}
    assert (ready.status_code, ready.json()["model_version"]) == (200, "2")
    changed = [a for (_, a), (_, b) in pairwise(seen) if (a, b) == ("2", "1")]
    assert len(changed) <= 3  # answers of what was under way when the alias moved


def damage(registry: Registry, version: str) -> None:
    """Flip one digit in the stored trees."""
    found = registry.client.get_model_version(registry.name, version)
    home = Path(registry.tracking_uri.removeprefix("sqlite:///")).parent / "mlartifacts" / "models"
    trees = home / found.source.rsplit("/", 1)[-1] / "artifacts" / "data" / "buyer_score" / "trees.txt"
    trees.write_text(trees.read_text().replace("leaf_value=", "leaf_value=1", 1))


def test_a_damaged_version_neither_loads_nor_can_be_promoted(registry: Registry) -> None:
    found = registry.client.get_model_version(registry.name, "3")
    assert found.version in (3, "3")
    damage(registry, "3")
    with pytest.raises(ModelDamaged, match=r"version 3 of buyer-score is damaged: its files"):
        registry.load("3")
    with pytest.raises(ModelDamaged):
        promote(registry, "3", reason="in spite of all")


class Broken(FakeModels):
    """Raises what no one expects."""

    def load(self, version: str) -> LoadedModel:
        if version == "2":
            raise KeyError("n_trees")
        return super().load(version)


def test_a_model_that_breaks_in_an_unexpected_way_leaves_the_last_good_one() -> None:
    models = Broken("1")
    champion = Champion(models, poll_seconds=1)
    champion.refresh()
    models.version = "2"
    champion.refresh()
    assert champion.current().version == "1"
    models.version = "3"
    champion.refresh()
    assert champion.current().version == "3"


@pytest.fixture
def followed() -> Iterator[tuple[FakeModels, Champion]]:
    models = FakeModels("1")
    champion = Champion(models, poll_seconds=1, shadow_share=1.0)
    yield models, champion
    champion.shadow.close()


def lines(text: str) -> list[dict[str, object]]:
    """Lines of the log about shadows."""
    return [row for line in text.splitlines() if (row := json.loads(line))["event"].startswith("shadow")]


def test_the_challenger_is_scored_beside_the_champion_and_only_logged(
    followed: tuple[FakeModels, Champion], capsys: pytest.CaptureFixture[str]
) -> None:
    models, champion = followed
    models.challenger = "2"
    champion.refresh()
    champion.saw("AS-1", VECTOR, points=812.5, version="1")
    champion.shadow.close()
    (line,) = lines(capsys.readouterr().out)
    assert line["case"] == "AS-1"
    assert (line["champion"], line["champion_points"]) == ("1", 812.5)
    assert (line["challenger"], line["challenger_points"]) == ("2", 800.0)
    assert champion.current().version == "1"


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.25, 150, 350), (1.0, 1000, 1000)])
def test_the_share_of_traffic_is_kept_and_a_case_is_always_in_or_always_out(
    share: float, least: int, most: int, capsys: pytest.CaptureFixture[str]
) -> None:
    scored = []
    for _ in range(2):
        shadow = Shadow(share=share)
        shadow.follow(FakeModels().load("2"))
        for n in range(1000):
            shadow.saw(f"AS-{n}", VECTOR, points=1.0, champion="1")
        shadow.close()
        scored.append([line["case"] for line in lines(capsys.readouterr().out)])
        assert least <= len(scored[-1]) + shadow.dropped <= most
    assert set(scored[0]) == set(scored[1])


class Slow(FakeScore):
    """Answers when it may."""

    def __init__(self) -> None:
        self.may = threading.Event()

    def assess(self, vector: np.ndarray):  # type: ignore[no-untyped-def]
        self.may.wait(10)
        return super().assess(vector)


def test_a_slow_challenger_makes_nobody_wait_and_what_it_missed_is_counted() -> None:
    slow = Slow()
    shadow = Shadow(share=1.0)
    shadow.follow(LoadedModel(slow, "buyer-score", "2", "run", CATALOG.version))  # type: ignore[arg-type]
    for n in range(1500):
        shadow.saw(f"AS-{n}", VECTOR, points=1.0, champion="1")
    assert shadow.dropped >= 499
    slow.may.set()
    shadow.close()


def test_a_challenger_that_does_not_load_leaves_the_champion_alone(
    followed: tuple[FakeModels, Champion], capsys: pytest.CaptureFixture[str]
) -> None:
    models, champion = followed
    models.challenger, models.catalog_version = "2", "c0"
    champion.refresh()
    champion.refresh()
    assert champion.shadow.challenger_version is None
    assert capsys.readouterr().out.count("challenger_not_loaded") == 1


class Away(FakeModels):
    """Cannot give one version for a while."""

    away: str | None = None

    def load(self, version: str) -> LoadedModel:
        if version == self.away:
            raise RegistryUnavailable(f"MLflow is away for {version}")
        return super().load(version)


def test_a_challenger_that_could_not_be_fetched_is_tried_again_and_trouble_is_said_once_each_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    models = Away("1")
    champion = Champion(models, poll_seconds=1, shadow_share=1.0)
    for _ in range(2):
        models.challenger = models.away = "2"
        for _ in range(3):
            champion.refresh()
        assert champion.shadow.challenger_version is None
        models.away = None
        champion.refresh()
        assert champion.shadow.challenger_version == "2"
        models.challenger = None
        champion.refresh()
        champion._loaded.clear()
    champion.shadow.close()
    assert capsys.readouterr().out.count("challenger_not_loaded") == 2


def test_trouble_that_comes_back_is_said_again(capsys: pytest.CaptureFixture[str]) -> None:
    models = Away("1")
    champion = Champion(models, poll_seconds=1)
    champion.refresh()
    for version in ("2", "1", "2"):
        models.version = models.away = version
        champion.refresh()
        champion.refresh()
    assert champion.current().version == "1"
    assert capsys.readouterr().out.count("model_not_loaded") == 2


def test_a_rollback_is_followed_too(registry: Registry) -> None:
    registry.point("champion", "1")
    promote(registry, "2", reason="second again")
    champion = Champion(registry, poll_seconds=1)
    champion.refresh()
    assert champion.current().version == "2"
    rollback(registry, reason="complaints")
    champion.refresh()
    assert champion.current().version == "1"


def test_once_a_model_is_in_charge_nothing_is_left_to_compile() -> None:
    code = """
from features import fold
from serving.champion import Champion
from tests.serving.scenes import FakeModels
Champion(FakeModels(), poll_seconds=60).refresh()
print(*(len(part.signatures) for part in (fold.absorb, fold.fold, fold.read_vector)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 1 1"
