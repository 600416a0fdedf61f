from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.buyer_score import BuyerScore
from models.mlflow_store import RegistryUnavailable, experiment_id, tracking
from models.registry import CUT_OFF_TAG, ModelDamaged, Registry, cut_off_as_tag
from models.succession import promote
from models.travelling_code import MODULES, package_name
from tests.forked import forkserver

from .conftest import rows

import mlflow  # isort: skip


REPOSITORY = str(Path(__file__).parents[2])


def uri_of(home: Path) -> str:
    return f"sqlite:///{home / 'mlflow.db'}"


def register(score: BuyerScore, uri: str) -> str:
    """Log, register and promote, as a training does."""
    registry = Registry(uri)
    example = rows(3)[0]
    with tracking(uri):
        where = experiment_id(registry.client, "buyer-tier/abuse", tracking_uri=uri)
        with mlflow.start_run(experiment_id=where):
            mlflow.log_metric("roc_auc", 0.9)
            version = registry.log(score, example=example, tags={"catalog_version": "c1"})
        promote(registry, version, reason="a test")
    return version


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, fitted: BuyerScore) -> str:
    uri = uri_of(tmp_path_factory.mktemp("registry"))
    register(fitted, uri)
    return uri


def test_a_registry_that_was_never_written_has_no_champion_and_is_not_created(tmp_path: Path) -> None:
    registry = Registry(uri_of(tmp_path))
    assert (registry.champion(), registry.champion_version(), registry.versions()) == (None, None, [])
    assert list(tmp_path.iterdir()) == []


def test_the_champion_loads_natively_and_answers_with_the_same_bytes(store: str, fitted: BuyerScore) -> None:
    champion = Registry(store).champion()
    assert champion is not None
    assert (champion.version, champion.catalog_version) == ("1", "c1")
    X, _ = rows(seed=5)
    assert champion.score.predict_proba(X).tobytes() == fitted.predict_proba(X).tobytes()
    assert Registry(store).load("1").run_id == champion.run_id
    assert Registry(store).champion_version() == "1"


@pytest.mark.parametrize(
    ("said", "cut_off"), [("725.0", 725.0), ("none", None), ("300", 300.0), ("900", 900.0)]
)
def test_a_version_brings_its_guaranteed_cut_off(store: str, said: str, cut_off: float | None) -> None:
    registry = Registry(store)
    assert registry.load("1").guaranteed_cut_off is None  # nobody has asked for one
    registry.tag(CUT_OFF_TAG, said, version="1")
    try:
        assert registry.load("1").guaranteed_cut_off == cut_off
    finally:
        registry.client.delete_model_version_tag(registry.name, "1", CUT_OFF_TAG)


@pytest.mark.parametrize("cut_off", [725.0, 712.3456789012345, None])
def test_a_cut_off_is_written_to_the_last_digit(cut_off: float | None) -> None:
    said = cut_off_as_tag(cut_off)
    assert (None if said == "none" else float(said)) == cut_off


@pytest.mark.parametrize("said", ["many", "nan", "-inf", "299.9", "900.1", ""])
def test_a_cut_off_that_is_no_points_is_refused_like_a_damaged_model(store: str, said: str) -> None:
    registry = Registry(store)
    registry.tag(CUT_OFF_TAG, said, version="1")
    try:
        with pytest.raises(ModelDamaged, match=f"tag guaranteed_cut_off '{said}': give points from 300"):
            registry.load("1")
    finally:
        registry.client.delete_model_version_tag(registry.name, "1", CUT_OFF_TAG)


def test_versions_are_listed_with_alias_catalog_and_metrics(store: str) -> None:
    (line,) = Registry(store).versions()
    assert (line.version, line.aliases, line.catalog_version) == ("1", ("champion",), "c1")
    assert line.metrics == {"roc_auc": 0.9}
    assert line.created_at.tzinfo is not None


def test_artifacts_lie_beside_the_store_by_absolute_path(store: str) -> None:
    home = Path(store.removeprefix("sqlite:///")).parent
    assert list(home.glob("mlartifacts/models/*/artifacts/data/buyer_score/trees.txt"))


def test_a_version_that_is_not_there_is_named(store: str) -> None:
    with pytest.raises(LookupError, match="no version 9"):
        Registry(store).load("9")


def test_another_models_name_has_no_champion(store: str) -> None:
    assert Registry(store, name="buyer-score-cancellation").champion() is None


def test_a_store_that_is_no_store_is_reported_as_unavailable(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("not a database, and long enough to be looked at as one" * 40)
    with pytest.raises(RegistryUnavailable, match=r"mlflow\.db"):
        Registry(uri_of(tmp_path)).champion()


def test_pointing_mlflow_at_a_store_is_undone(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    path = list(sys.path)
    with tracking(store):
        assert mlflow.get_tracking_uri() == store
    assert (os.environ["MLFLOW_TRACKING_URI"], sys.path) == ("sqlite:///elsewhere.db", path)


def test_the_travelling_code_has_a_name_of_its_own_and_needs_nothing_else_of_ours() -> None:
    from models import travelling_code

    text = "".join((travelling_code.HERE / f"{m}.py").read_text() for m in MODULES)
    assert package_name().startswith("buyer_score_")
    ours = ("features", "mlflow", "models", "decisions")
    assert not any(f"{verb} {name}" in text for verb in ("import", "from") for name in ours)


CLEAN_PROCESS = """
import json, sys
sys.modules["numba"] = None
sys.path[:] = [p for p in sys.path if p != sys.argv[3]]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in repr(f)]
import mlflow.pyfunc, mlflow.models, pandas as pd
import models
assert models.DECOY
mlflow.set_tracking_uri(sys.argv[1])
X = pd.read_json(sys.argv[2], orient="split").astype(float)
model = mlflow.pyfunc.load_model("models:/buyer-score@champion")
plain = model.predict(X)
told = model.predict(X, params={"reasons": True, "limit": 2})
judged = mlflow.models.evaluate(
    "models:/buyer-score@champion", X.assign(y=[0, 1] * (len(X) // 2)),
    targets="y", predictions="p_abuse", model_type="regressor", evaluator_config={"log_explainer": False},
)
assert not hasattr(models, "buyer_score")
print(json.dumps({"p": plain["p_abuse"].tolist(), "columns": list(plain), "reasons": told["reasons"].tolist(),
                  "error": judged.metrics["mean_squared_error"], "path": sys.path}))
"""


def test_pyfunc_works_without_this_repository_and_beside_another_package_called_models(
    store: str, fitted: BuyerScore, tmp_path: Path
) -> None:
    (tmp_path / "decoy" / "models").mkdir(parents=True)
    (tmp_path / "decoy" / "models" / "__init__.py").write_text("DECOY = True\n")
    X = rows(40, seed=6)[0].fillna(0.5)
    X.to_json(tmp_path / "X.json", orient="split", double_precision=15)
    X = pd.read_json(tmp_path / "X.json", orient="split").astype(float)
    environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "MLFLOW_TRACKING_URI"}}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CLEAN_PROCESS, store, str(tmp_path / "X.json"), REPOSITORY],
        cwd=tmp_path / "decoy",
        env=environment | {"MLFLOW_DISABLE_TELEMETRY": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert REPOSITORY not in answer["path"]
    assert answer["p"] == fitted.predict_proba(X)[:, 1].tolist()
    assert answer["columns"] == ["p_abuse", "score"]
    assert all(0 < len(json.loads(row)) <= 2 for row in answer["reasons"])
    assert json.loads(answer["reasons"][0])[0].keys() == {"code", "text", "contribution"}
    assert np.isfinite(answer["error"])


def _register_saved(home: str, directory: str) -> None:
    register(BuyerScore.load(Path(directory)), uri_of(Path(home)))


def test_two_processes_that_register_first_at_once_leave_one_sound_registry(
    fitted: BuyerScore, tmp_path: Path
) -> None:
    fitted.save(tmp_path / "score")
    home = tmp_path / "home"
    given = (str(home), str(tmp_path / "score"))
    both = [forkserver.Process(target=_register_saved, args=given) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(600)
    assert [process.exitcode for process in both] == [0, 0]
    registry = Registry(uri_of(home))
    assert [line.version for line in registry.versions()] == ["2", "1"]
    assert registry.champion_version() == "2"
    assert all(registry.load(v).score.n_trees_ == fitted.n_trees_ for v in ("1", "2"))


@pytest.mark.parametrize("environment", [None, "sqlite:///of-the-shell.db"])
def test_what_was_set_before_is_set_after_also_for_processes_started_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: str | None
) -> None:
    before = mlflow.get_tracking_uri() if mlflow.is_tracking_uri_set() else None
    try:
        mlflow.set_tracking_uri(uri_of(tmp_path / "earlier"))
        monkeypatch.delenv("MLFLOW_TRACKING_URI")
        if environment is not None:
            monkeypatch.setenv("MLFLOW_TRACKING_URI", environment)
        with tracking(uri_of(tmp_path)):
            assert os.environ["MLFLOW_TRACKING_URI"] == uri_of(tmp_path)
        assert os.environ.get("MLFLOW_TRACKING_URI") == environment
        assert mlflow.get_tracking_uri() in (uri_of(tmp_path / "earlier"), environment)
    finally:
        mlflow.set_tracking_uri(before)
