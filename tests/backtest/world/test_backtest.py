from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backtest.marketplace import MarketConfig
from backtest.replay import Fixed
from backtest.run_record import Inputs, policies_of
from backtest.teaching import TEACH, Taught
from backtest.world.backtest import backtest
from backtest.world.foretold import SHOWN
from backtest.world.living import World
from decisions.policy import Policy
from features.errors import BadInput
from tests.backtest.scenes import small_model, small_score
from tests.backtest.test_replay import EVERYBODY, NOBODY
from tests.backtest.world.conftest import GUARDED, MARKET, files_of
from training.fit import OneClassOnly


def inputs_of(*policies: Policy) -> Inputs:
    return Inputs(
        log="a market", policies=policies_of(policies), models="test", since=None, until=None, goods=None
    )


def reported(world: World, *policies: Policy) -> dict[str, Any]:
    return backtest(world, policies, inputs_of(*policies), models="test")


def value(policy: dict[str, Any], name: str) -> float:
    found: float = policy["figures"][name]["value"]
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> World:
    market = replace(MARKET, days=120)
    return World(market=market, out=tmp_path_factory.mktemp("run"), models=Fixed(small_model()))


@pytest.fixture(scope="module")
def report(run: World) -> dict[str, Any]:
    return reported(run, GUARDED, replace(GUARDED, version="twin"), EVERYBODY)


@pytest.mark.slow
def test_a_policy_and_its_twin_live_the_same_life_and_the_replay_foretells_it(report: dict[str, Any]) -> None:
    one, twin, _ = report["policies"]
    assert one["figures"] == twin["figures"]
    assert {gap["value"] for gap in twin["gaps"].values()} <= {0.0, None}
    assert {gap["high"] for gap in twin["gaps"].values()} <= {0.0, None}, "drawn on the same people"
    told = report["foretold"][0]
    for name, _, _ in SHOWN:
        assert told["replayed"][name]["value"] == told["lived"][name]["value"], name


def test_what_a_replay_foretells_of_a_policy_that_decides_otherwise_is_not_what_is_lived(
    report: dict[str, Any],
) -> None:
    told = report["foretold"][1]
    assert told["version"] == EVERYBODY.version
    assert told["replayed_unknown"] > 10
    assert told["replayed"]["before"]["value"] != told["lived"]["before"]["value"]
    assert value(report["policies"][2], "unknown") < 0.2 * told["replayed_unknown"]


def test_the_page_holds_everything_and_the_file_says_the_same(report: dict[str, Any], run: World) -> None:
    page = (run.out / "report.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    for said in ("foretold and lived", "in a market that lives with the answers", "quality_score_min"):
        assert said in page
    assert json.loads((run.out / "report.json").read_text()) == report


def test_a_run_that_is_started_again_changes_no_byte(report: dict[str, Any], run: World) -> None:
    before = files_of(run.out)
    again = reported(run, GUARDED, replace(GUARDED, version="twin"), EVERYBODY)
    assert again == report
    assert files_of(run.out) == before


def test_a_market_with_a_basket_asked_back_at_one_instant_is_decided_as_its_replay(tmp_path: Path) -> None:
    """A buyer asks for two orders at once: the second is decided with what the first used up."""
    market = MarketConfig(buyers=2000, days=60, abuse_rate=0.03, seed=1)
    report = reported(
        World(market=market, out=tmp_path, models=Fixed(small_model())),
        EVERYBODY,
        replace(EVERYBODY, version="twin"),
    )
    worlds = tmp_path / "worlds"
    lived, replayed = (
        files_of(worlds / of / "policies" / "twin" / "decisions") for of in ("twin", EVERYBODY.version)
    )
    assert lived == replayed
    assert report["policies"][0]["figures"]["requests"]["value"] > 200


def test_a_market_too_short_to_learn_from_leaves_nothing_behind(tmp_path: Path) -> None:
    world = World(market=MarketConfig(buyers=50, days=40), out=tmp_path / "run")
    with pytest.raises(BadInput, match="no month of this market"):
        reported(world, NOBODY)
    assert not world.out.exists()


def test_the_page_names_the_months_of_each_world_that_went_on_with_an_older_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can learn for July; in the world of instant refunds not for August either."""
    score, decided_from = small_score(), datetime(2025, 6, 1, tzinfo=UTC)

    def teach(events: pa.Table, *, until: datetime, seed: int, proves: bool) -> Taught:
        granted = events.filter(pc.equal(events["kind"], "refund_granted"))
        lately = granted.filter(
            pc.greater_equal(granted["recorded_at"], pa.scalar(until - timedelta(days=28)))
        )
        paid_at_once = "auto" in lately["actor"].to_pylist()
        month = f"{until:%Y-%m}"
        if until < decided_from or month == "2025-07" or (month == "2025-08" and paid_at_once):
            raise OneClassOnly("nobody abuses")
        return Taught(score=score, guaranteed_cut_off=None, known_until=until, base_rate=0.1)

    monkeypatch.setitem(TEACH, "abuse", teach)
    report = reported(World(market=replace(MARKET, buyers=100), out=tmp_path), NOBODY, EVERYBODY)
    assert report["world"]["decided_from"] == "2025-06"
    said = [text for text in report["caveats"] if "nothing could be learned" in text]
    assert said == [
        f"{NOBODY.version}: nothing could be learned in its market for 2025-07, decided by the model before.",
        f"{EVERYBODY.version}: nothing could be learned in its market for 2025-07, 2025-08, "
        "decided by the model before.",
    ]
    page = (tmp_path / "report.html").read_text()
    assert all(text in page for text in said)


def test_with_more_seeds_the_page_tells_how_far_figures_differ_from_market_to_market(tmp_path: Path) -> None:
    market = replace(MARKET, buyers=100, days=90)
    world = World(market=market, out=tmp_path / "both", models=Fixed(small_model()))
    policies = [NOBODY, EVERYBODY]

    def lived() -> dict[str, Any]:
        return backtest(world, policies, inputs_of(*policies), models="test", seeds=2)

    report = lived()
    assert report["seeds"] == [MARKET.seed, MARKET.seed + 1]
    next_market, seed = replace(market, seed=MARKET.seed + 1), MARKET.seed + 1
    alone = reported(replace(world, market=next_market, seed=seed, out=tmp_path / "alone"), *policies)
    for n, found in enumerate(report["across"]):
        for kind in ("figures", "gaps"):
            for name, told in found[kind].items():
                both = [one["policies"][n][kind][name]["value"] for one in (report, alone)]
                assert told["values"] == both, name
                known = [value for value in both if value is not None]
                assert (told["low"], told["high"]) == ((min(known), max(known)) if known else (None, None))
    asked = report["across"][1]["figures"]["before"]
    assert asked["low"] < asked["value"] < asked["high"]
    page = (world.out / "report.html").read_text()
    assert "In 2 markets" in page
    before = files_of(world.out)
    assert lived() == report
    assert files_of(world.out) == before


def test_a_run_of_one_seed_tells_of_no_other(report: dict[str, Any], run: World) -> None:
    assert (report["across"], report["seeds"]) == ([], [MARKET.seed])
    assert "markets</h2>" not in (run.out / "report.html").read_text()
