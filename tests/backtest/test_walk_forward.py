from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from backtest.marketplace import MarketConfig, simulate
from backtest.walk_forward import WalkForward, months_between
from features.errors import BadInput
from features.log import write_log
from features.scan import open_log
from models.deciding.many import buyer_evidences
from tests.backtest.test_replay import Interrupted


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


def test_a_history_too_short_to_learn_from_is_refused(log: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no month can be decided by a model of its own time"):
        WalkForward(open_log(log), tmp_path).first(["2025-06"])
