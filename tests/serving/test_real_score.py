from __future__ import annotations

import httpx
import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI

from features.catalog import CATALOG, REASONS
from features.online import buyer_vector
from models.buyer_score import BuyerScore
from models.registry import LoadedModel
from serving.app import create_app
from serving.settings import Settings
from tests.serving.scenes import NOW, FakeModels, good_history, request, table


@pytest.fixture(scope="module")
def score() -> BuyerScore:
    """A score fitted on made-up rows: cancellations make the abuser."""
    random = np.random.default_rng(0)
    rows = pd.DataFrame(
        random.poisson(1.0, (600, CATALOG.n_features)).astype(float), columns=list(CATALOG.names)
    )
    chance = 1 / (1 + np.exp(3 - 1.5 * rows["cancellations_count_life"]))
    return BuyerScore(
        reason_codes=dict(zip(CATALOG.names, CATALOG.reason_codes, strict=True)),
        reason_texts={code: {"zh": text.zh, "en": text.en} for code, text in REASONS.items()},
        catalog_version=CATALOG.version,
        max_trees=30,
    ).fit(rows, (random.random(600) < chance).astype(int))


class Fitted(FakeModels):
    def __init__(self, score: BuyerScore) -> None:
        super().__init__()
        self.score = score

    def load(self, version: str) -> LoadedModel:
        return LoadedModel(self.score, "buyer-score", version, "run", CATALOG.version)


@pytest.fixture
def app(settings: Settings, url: str, score: BuyerScore) -> FastAPI:
    return create_app(settings, database_url=url, models=Fitted(score), clock=lambda: NOW)


async def test_all_answers_carry_the_score_and_reasons_of_the_vector(
    client: httpx.AsyncClient, score: BuyerScore
) -> None:
    vector = buyer_vector(table(good_history()), buyer_id="good", as_of=NOW)
    expected, reasons = score.assess(vector), score.explain(vector)
    decided = (await client.post("/v1/refund-decisions?explain=true", json=request())).json()
    one = (await client.get("/v1/buyers/good/score")).json()
    many = (await client.post("/v1/scores?explain=true", json={"buyer_ids": ["x", "good"]})).json()["items"][
        1
    ]
    assert many == one
    assert (one["score"], one["p_abuse"]) == (expected.points, expected.p_abuse)
    assert (
        decided["buyer"]["score"]
        == score.assess(
            buyer_vector(table(good_history()), buyer_id="good", as_of=NOW.replace(second=0))
        ).points
    )
    assert [reason["code"] for reason in one["reasons"]] == [reason.code for reason in reasons]
    assert one["reasons"][0]["contribution"] == reasons[0].contribution
    assert one["reasons"][0]["text"]["zh"] == REASONS[reasons[0].code].zh
    assert {reason["code"] for reason in decided["buyer"]["reasons"]} <= set(REASONS)
