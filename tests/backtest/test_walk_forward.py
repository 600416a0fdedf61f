from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from backtest.marketplace import MarketConfig, simulate
from backtest.teaching import TEACH, Taught
from backtest.walk_forward import WalkForward, base_rates, months_between, taught_nothing
from features.errors import BadInput
from features.log import write_log
from features.scan import open_log
from models.deciding.many import buyer_evidences
from tests.backtest.scenes import small_score
from tests.backtest.test_replay import Interrupted
from training.fit import OneClassOnly


@pytest.mark.slow
def test_a_month_is_decided_by_a_model_that_learned_only_what_was_known_on_its_first_day(
    tmp_path: Path,
) -> None:
    market = simulate(MarketConfig(buyers=1500, days=330, abuse_rate=0.05, seed=3))
    write_log(market.events, tmp_path / "whole")
    whole = open_log(tmp_path / "whole")
    months = months_between(whole, None, None)
    models = WalkForward(whole, tmp_path / "run")
    first = models.first(months)
    assert months.index(first) >= 6, "the first window needs its history and its labels' maturity"
    trained = models.of(first)
    begins = datetime.fromisoformat(f"{first}-01").replace(tzinfo=UTC)
    assert datetime.fromisoformat(trained.known_until) <= begins

    known = market.events.filter([at < begins for at in market.events["recorded_at"].to_pylist()])
    write_log(known, tmp_path / "cut")
    of_then = WalkForward(open_log(tmp_path / "cut"), tmp_path / "other").of(first)
    rows = trained.score.booster_.num_feature()
    vectors = np.random.default_rng(0).poisson(2.0, (50, rows)).astype(float)
    assert buyer_evidences(vectors, score=trained.score) == buyer_evidences(vectors, score=of_then.score)

    def refuse(month: str) -> None:
        raise Interrupted(month)

    again = WalkForward(whole, tmp_path / "run", on_model=refuse)
    assert again.of(first).version == f"walk-{first}"


def test_a_later_month_that_teaches_nothing_goes_on_with_the_model_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: Path
) -> None:
    taught: list[str] = []

    def teach(events: pa.Table, *, until: datetime, seed: int, proves: bool) -> Taught:
        taught.append(month := f"{until:%Y-%m}")
        if month in ("2026-01", "2026-03", "2026-04"):
            raise OneClassOnly("nobody abuses")
        return Taught(score=small_score(), guaranteed_cut_off=None, known_until=until, base_rate=0.1)

    monkeypatch.setitem(TEACH, "abuse", teach)
    models = WalkForward(open_log(log), tmp_path)
    assert models.first(["2026-01", "2026-02", "2026-03"]) == "2026-02"
    months = [f"2026-0{n}" for n in range(2, 6)]
    assert [models.of(month).version for month in months] == [
        f"walk-{month}" for month in ("2026-02", "2026-02", "2026-02", "2026-05")
    ]
    assert taught_nothing(months, tmp_path) == ["2026-03", "2026-04"]
    assert list(base_rates(tmp_path, months)) == ["2026-02", "2026-05"]
    with pytest.raises(OneClassOnly):
        models.of("2026-01")
    assert taught_nothing(months, tmp_path / "fixed") == [], "a run with one model has trained none"


def test_a_history_too_short_to_learn_from_is_refused(log: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no month can be decided by a model of its own time"):
        WalkForward(open_log(log), tmp_path).first(["2025-06"])
