"""The verb `backtest` on the real retailer's log."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from buyer_tier.cli import app
from features.log import write_log
from features.sources.online_retail_ii import import_online_retail_ii

SHARED = Path(os.environ.get("BUYER_TIER_SHARED", Path(__file__).resolve().parents[3] / "shared"))
RETAIL = SHARED / "data" / "online_retail_ii" / "online_retail_ii_to_2011_05.parquet"


@pytest.mark.slow
def test_the_real_retailer_is_asked_who_cancels_by_policies_fitted_to_its_orders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not RETAIL.exists():
        assert os.environ.get("CI") != "true", f"{RETAIL} is missing"
        pytest.skip(f"{RETAIL} is not here; set BUYER_TIER_SHARED to the folder that holds data/")
    monkeypatch.setenv("BUYER_TIER_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    write_log(import_online_retail_ii(RETAIL).events, tmp_path / "retail")
    words = ["--since", "2010-10-01", "--until", "2010-12-01", "--out", str(tmp_path / "out"), "--json"]
    said = CliRunner().invoke(
        app, ["backtest", "--events", str(tmp_path / "retail"), *words], catch_exceptions=False
    )
    report = json.loads(said.stdout)
    fitted, (policy,) = report["fitted"], report["policies"]
    paid = pd.read_parquet(tmp_path / "retail", filters=[("kind", "==", "order_paid")])
    early = paid.loc[paid["recorded_at"] < "2010-10-01", "amount_fen"]
    cap = next(int(d["after"]) for d in fitted["policies"][0]["changes"] if d["setting"] == "cap_fen")
    assert (early < cap).mean() == pytest.approx(0.971, abs=0.001)
    assert 0.25 < fitted["base_rate"] < 0.45
    figures = {name: figure["value"] for name, figure in policy["figures"].items()}
    assert figures["told"] > 50
    assert figures["again_of_auto"] < figures["again_of_review"], "the score tells who cancels again"
    assert figures["worst_loss_rate"] == 1.0, "nothing tells what a refund loses here"
    assert (figures["loss_fen"], figures["hours_saved"]) == (0, None)
    assert "caught" not in figures
    page = (tmp_path / "out" / "report.html").read_text()
    for caveat in ("no shipments", "no disputes", "confirms no abuse", "all count as physical"):
        assert caveat in page
    assert "Fitted to this log." in page
    assert "The cut-off stays there, though the rate does not" in page
    models = [json.loads(path.read_text()) for path in (tmp_path / "out" / "models").glob("*/about.json")]
    assert sorted(model["known_until"][:7] for model in models) == ["2010-10", "2010-11"]
