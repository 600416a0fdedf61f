from __future__ import annotations

from pathlib import Path

import pytest

from backtest.calibration.facts import FACTS, Fact
from backtest.calibration.figures import Likeness, orders_of
from backtest.calibration.page import likeness, people, put
from backtest.calibration.pictures import draw
from backtest.marketplace import MIXTURE, MarketConfig, simulate

PAGE = Path(__file__).parents[3] / "docs" / "marketplace.md"


@pytest.fixture(scope="module")
def ours() -> Likeness:
    """The market that ``buyer-tier simulate`` writes when it is told nothing."""
    return Likeness(orders_of(simulate(MarketConfig()).events))


@pytest.fixture(scope="module")
def figures(ours: Likeness) -> dict[str, float]:
    return ours.figures()


@pytest.mark.parametrize("fact", [f for f in FACTS if f.within is not None], ids=lambda fact: fact.figure)
def test_the_market_keeps_near_the_facts(figures: dict[str, float], fact: Fact) -> None:
    assert figures[fact.figure] == pytest.approx(fact.real, rel=fact.within)


def test_a_fact_that_is_not_aimed_at_says_why() -> None:
    assert all(fact.why for fact in FACTS if fact.within is None)
    assert sum(fact.within is None for fact in FACTS) <= 5


def test_the_page_says_what_the_default_market_shows(figures: dict[str, float]) -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert put(page, figures) == page


def test_a_line_sets_real_beside_simulated() -> None:
    figures = {fact.figure: 2 * fact.real for fact in FACTS}

    assert "| amount p50, yuan | 75 | 150 | +100 % | 12 % | Tmall 2020 |" in likeness(figures)


@pytest.mark.parametrize("part", ["people", "likeness"])
def test_a_page_without_its_marks_is_refused(part: str) -> None:
    figures = {fact.figure: 1.0 for fact in FACTS}
    page = PAGE.read_text(encoding="utf-8").replace(f"<!-- end of {part} -->", "")

    with pytest.raises(ValueError, match=f"end of {part}"):
        put(page, figures)


def test_every_archetype_has_a_line() -> None:
    lines = people().splitlines()[2:]

    assert [line.split("`")[1] for line in lines] == list(MIXTURE)
    assert all(len(line) > 80 for line in lines)


def test_the_pictures_are_drawn_with_and_without_the_retail_data(tmp_path: Path) -> None:
    ours = Likeness(orders_of(simulate(MarketConfig(buyers=500, days=90)).events))
    for name, retail in (("alone", None), ("both", ours)):
        draw(ours, retail, tmp_path / f"{name}.png")

    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert min(sizes.values()) > 50_000
    assert (tmp_path / "alone.png").read_bytes() != (tmp_path / "both.png").read_bytes()
