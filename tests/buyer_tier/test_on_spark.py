"""The verbs that run on Spark write what the local engine writes, and refuse in one line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from buyer_tier.cli import app
from features.batch import feature_table, spine_of
from features.catalog import CATALOG
from features.errors import BadInput
from features.log import write_log
from models.buyer_score import BuyerScore
from models.registry import LoadedModel, Registry
from models.scale import points_of
from models.spark_scoring import Scored
from tests.features.spark_answers import AS_OF, assert_same_bytes, market, read_parts
from tests.features.spark_cluster import local_spark, needs_spark

AT = ["--as-of", AS_OF.isoformat()]
SPARK = ["--engine", "spark", "--spark-tasks", "3"]


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with local_spark(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def features() -> pa.Table:
    log = market()
    return feature_table(log, spine_of(log["buyer_id"].unique(), AS_OF))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    write_log(market(), folder)
    return folder


@pytest.fixture(scope="module")
def score(features: pa.Table) -> BuyerScore:
    X = features.select(CATALOG.names).to_pandas()
    y = np.random.default_rng(1).random(len(X)) < 0.2 + 0.6 * (X["cancellation_rate_ratio_life"] > 0.12)
    return BuyerScore(catalog_version=CATALOG.version, max_trees=40).fit(X, y)


@pytest.fixture
def champion(score: BuyerScore, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = LoadedModel(score, "buyer-score", "7", "run", CATALOG.version)
    monkeypatch.setattr(Registry, "champion", lambda _: loaded)


def run(*command: object) -> Result:
    return CliRunner().invoke(app, list(map(str, command)))


def test_a_score_of_every_buyer_is_that_of_the_model_alone(
    champion: None, score: BuyerScore, features: pa.Table, folder: Path, tmp_path: Path
) -> None:
    done = run("score", "--all", "--events", folder, *AT, "--out", tmp_path / "scores.parquet", "--json")
    assert json.loads(done.stdout)["rows"] == len(features)
    p = score.predict_proba(features.select(CATALOG.names).to_pandas())[:, 1]
    wanted = features.select(["buyer_id", "as_of"])
    for name, values in (
        ("p_abuse", pa.array(p)),
        ("score", pa.array(points_of(p))),
        ("model_version", pa.repeat("7", len(p))),
        ("catalog_version", pa.repeat(CATALOG.version, len(p))),
    ):
        wanted = wanted.append_column(name, values)
    assert len(wanted["score"].unique()) > 20
    assert_same_bytes(pq.read_table(tmp_path / "scores.parquet"), wanted)


@needs_spark
def test_scores_of_every_buyer_on_spark_are_the_local_bytes(
    spark: Any, champion: None, folder: Path, tmp_path: Path
) -> None:
    command = ("score", "--all", "--events", folder, *AT, "--out")
    assert run(*command, tmp_path / "one.parquet").exit_code == 0
    assert run(*command, tmp_path / "many", *SPARK).exit_code == 0
    assert_same_bytes(read_parts(tmp_path / "many"), pq.read_table(tmp_path / "one.parquet"))


@needs_spark
def test_features_on_spark_are_the_local_bytes_and_never_overwrite(
    spark: Any, features: pa.Table, folder: Path, tmp_path: Path
) -> None:
    command = ("features", "--events", folder, *AT, "--out", tmp_path / "out", *SPARK)
    done = run(*command, "--json")
    assert json.loads(done.stdout)["rows"] == len(features)
    assert_same_bytes(read_parts(tmp_path / "out"), features)
    again = run(*command)
    assert isinstance(again.exception, BadInput)
    assert "out: exists" in str(again.exception)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("features", *AT, "--spark-tasks", 3), "--spark-tasks needs --engine spark"),
        (("features", *AT, *SPARK, "--memory", "4GiB"), "belong to the local engine"),
        (("score", "--all", *AT, "--spark-master", "local"), "--spark-master needs --engine spark"),
        (("score", "b1", *AT), "belong to --all"),
        (("score", "--all", "b1", *AT), "--all takes no BUYER"),
        (("score", "--all"), "--as-of TIME"),
    ],
)
def test_options_that_do_not_fit_together_are_refused(command: tuple[object, ...], said: str) -> None:
    refused = run(*command, "--events", "log", "--out", "out")
    assert isinstance(refused.exception, BadInput)
    assert said in str(refused.exception)


def test_to_score_nobody_is_refused_and_says_how() -> None:
    assert "name buyers, or give --all" in str(run("score").exception)


def test_what_is_there_is_not_overwritten_by_scores(champion: None, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    refused = run("score", "--all", "--events", folder, *AT, "--out", tmp_path / "kept")
    assert "kept: exists" in str(refused.exception)
    assert (tmp_path / "kept").read_text() == "mine"


def test_a_model_of_another_catalog_scores_nobody() -> None:
    with pytest.raises(BadInput, match="trained on catalog c1"):
        Scored(BuyerScore(catalog_version="c1"), "1")


@needs_spark
def test_a_mistake_is_one_line_on_standard_error_and_spark_itself_is_silent(tmp_path: Path) -> None:
    command = ["features", "--events", "nothing", *AT, "--out", "out", "--engine", "spark"]
    found = subprocess.run(
        [sys.executable, "-m", "buyer_tier", *command],
        cwd=tmp_path, env=_environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.strip() == "error: nothing: no such file or folder"
    assert (tmp_path / "home" / "spark.log").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["home"]


def _environment(home: Path) -> dict[str, str]:

    root = str(Path(__file__).parents[2])
    return os.environ | {"BUYER_TIER_HOME": str(home / "home"), "PYTHONPATH": root, "COLUMNS": "200"}
