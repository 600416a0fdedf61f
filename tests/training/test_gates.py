from __future__ import annotations

import numpy as np
import pytest

from training.clean_process import Tried
from training.evaluate import Interval, with_intervals
from training.gates import (
    Calibration,
    Gate,
    Verdict,
    Views,
    calibration_gates,
    chance_gate,
    clean_process_gate,
    drift_gate,
    information_gate,
    money_gate,
    ranking_gates,
    same_features_gate,
    swap_gate,
    unseen_gate,
)
from training.limits import Limits
from training.slice_gates import approvals_beyond, slice_gates
from training.swap import SwapSet

LIMITS = Limits()
PASS, FAIL, ASK, OPEN = Verdict.passed, Verdict.failed, Verdict.ask, Verdict.open
NONE = Interval(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("low", "verdict"), [(-0.0200, PASS), (-0.0201, FAIL), (0.1, PASS), (float("nan"), FAIL)]
)
def test_ranking_may_be_worse_by_the_margin_and_no_more(low: float, verdict: Verdict) -> None:
    gaps = {"roc_auc": Interval(0.0, low, 0.2), "average_precision": Interval(0.0, 0.0, 0.0)}
    auc, precision = ranking_gates(gaps, LIMITS)
    assert (auc.verdict, precision.verdict) == (verdict, PASS)


@pytest.mark.parametrize(("low", "verdict"), [(0.5, FAIL), (0.501, PASS)])
def test_a_first_model_must_rank_better_than_chance(low: float, verdict: Verdict) -> None:
    assert chance_gate(Interval(0.7, low, 0.9)).verdict is verdict


@pytest.mark.parametrize(("high", "verdict"), [(0.0100, PASS), (0.0101, FAIL), (-0.5, PASS)])
def test_more_money_to_abusers_is_judged_by_the_upper_end(high: float, verdict: Verdict) -> None:
    assert money_gate({"loss_share": Interval(0.0, -0.6, high)}, LIMITS).verdict is verdict


def test_without_a_champion_nothing_is_compared_and_nothing_holds() -> None:
    gates = [*ranking_gates(None, LIMITS), money_gate(None, LIMITS), swap_gate(None, LIMITS)]
    gates += [same_features_gate(["a"], None, versions=""), unseen_gate("2026-01-01", None)]
    assert {gate.verdict for gate in gates} == {OPEN}
    assert {gate.figure for gate in gates} == {"no model is in charge to compare with"}
    assert not any(gate.holds for gate in gates)


def calibration(error: float, low: float, value: float, high: float) -> Calibration:
    return Calibration(Interval(error, 0.0, 1.0), Interval(value, low, high))


@pytest.mark.parametrize(
    ("ours", "serving", "verdicts"),
    [
        (calibration(0.05, 0.9, 1.0, 1.1), None, [PASS, PASS]),
        (calibration(0.051, 0.9, 1.0, 1.1), None, [FAIL, PASS]),
        (calibration(0.01, 1.5, 1.8, 2.0), None, [PASS, PASS]),
        (calibration(0.01, 1.51, 1.8, 2.0), None, [PASS, FAIL]),
        (calibration(0.01, 0.3, 0.4, 0.66), None, [PASS, FAIL]),
        (calibration(0.06, 1.6, 2.6, 4.0), calibration(0.07, 2.0, 4.1, 6.0), [PASS, PASS]),
        (calibration(0.06, 1.6, 2.6, 4.0), calibration(0.05, 0.9, 1.0, 1.1), [FAIL, FAIL]),
    ],
)
def test_calibration_holds_what_is_off_unless_the_champion_is_off_further(
    ours: Calibration, serving: Calibration | None, verdicts: list[Verdict]
) -> None:
    assert [gate.verdict for gate in calibration_gates(ours, serving, LIMITS)] == verdicts


def slice_gate(
    rows: np.ndarray,
    champion: Views,
    challenger: Views,
    *,
    y: np.ndarray | None = None,
    gap: Interval = NONE,
) -> Gate:
    """Judge one group; ``gap`` is that of ROC-AUC, which needs more rows than a test has."""

    def beyond_of(who: np.ndarray, kept: float) -> Interval:
        measure = approvals_beyond(champion.quality[who], challenger.quality[who], kept=kept)
        return with_intervals({"": measure}, groups=np.flatnonzero(who), seed=1, n_draws=500)[""]

    (gate,) = slice_gates(
        {"new": rows},
        y=np.zeros(len(rows), dtype=np.int64) if y is None else y,
        champion=champion,
        challenger=challenger,
        gap_of=lambda _: gap,
        beyond_of=beyond_of,
        limits=LIMITS,
    )
    return gate


def views(approved: int, n: int = 200) -> Views:
    return Views(np.zeros(n), np.arange(n) < approved)


@pytest.mark.parametrize(
    ("approved", "gap", "verdict"),
    [
        (100, Interval(-0.01, -0.05, 0.02), PASS),
        (90, Interval(0.0, 0.0, 0.0), PASS),
        (89, Interval(0.0, 0.0, 0.0), FAIL),
        (100, Interval(-0.05, -0.08, -0.01), FAIL),
        (100, Interval(-0.05, -0.12, 0.01), PASS),
    ],
)
def test_a_slice_is_hurt_by_a_lost_ranking_beyond_chance_or_by_lost_approvals(
    approved: int, gap: Interval, verdict: Verdict
) -> None:
    y = np.zeros(420, dtype=np.int64)
    y[200:220] = 1
    others = np.arange(420) >= 220
    champion = Views(np.zeros(420), np.arange(420) < 100)
    challenger = Views(np.zeros(420), (np.arange(420) < approved) | others)
    assert slice_gate(~others, champion, challenger, y=y, gap=gap).verdict is verdict


def test_a_small_group_of_which_some_gain_and_some_lose_is_not_hurt_by_chance() -> None:
    who = np.arange(660)  # 60 in the group, 600 others who keep the tier
    group, others = who < 60, who >= 60

    def gate(quality: np.ndarray) -> Verdict:
        champion = Views(np.zeros(660), (who < 40) | others)
        return slice_gate(group, champion, Views(np.zeros(660), quality | others)).verdict

    assert gate(who < 34) is FAIL
    assert gate((who >= 20) & (who < 54)) is PASS  # 20 lose it, 14 gain it


@pytest.mark.parametrize(("others_lost", "verdict"), [(60, PASS), (39, PASS), (20, FAIL)])
def test_where_all_honest_buyers_lose_the_tier_a_slice_is_hurt_by_what_it_loses_beyond_them(
    others_lost: int, verdict: Verdict
) -> None:
    here = np.arange(400) < 200
    challenger = np.ones(400, dtype=bool)
    challenger[:60] = challenger[200 : 200 + others_lost] = False
    champion = Views(np.zeros(400), np.ones(400, dtype=bool))
    assert slice_gate(here, champion, Views(np.zeros(400), challenger)).verdict is verdict


def test_a_group_in_which_all_have_the_tier_is_not_hurt_by_its_share_of_what_all_lose() -> None:
    n, all_have = 1000, np.arange(1000) < 400
    champion = Views(np.zeros(n), all_have | (np.arange(n) % 10 == 0))  # 400 of 400, and 60 of 600
    fewer = Views(np.zeros(n), champion.quality & (np.arange(n) % 5 != 1) & (np.arange(n) % 50 != 0))

    def gate(challenger: Views) -> Verdict:
        return slice_gate(all_have, champion, challenger).verdict

    assert gate(fewer) is PASS  # 22% of the group, of all honest buyers about a tenth
    assert gate(Views(np.zeros(n), champion.quality & ~(all_have & (np.arange(n) % 5 < 3)))) is FAIL


def test_where_the_serving_model_approves_nobody_a_person_decides_about_money() -> None:
    gaps = {"loss_share": Interval(0.06, 0.01, 0.13)}
    assert money_gate(gaps, LIMITS).verdict is FAIL
    gate = money_gate(gaps, LIMITS, approves=False)
    assert (gate.verdict, gate.figure.endswith("the serving model approves nobody")) == (ASK, True)
    assert money_gate({"loss_share": Interval(0.0, 0.0, 0.0)}, LIMITS, approves=False).verdict is PASS
    assert swap_gate(SwapSet(0, 7, 0, 500, 0, 0, 0), LIMITS).figure.startswith("the serving model approves")


def test_a_slice_too_small_to_judge_says_so() -> None:
    few = np.arange(200) < 49
    gate = slice_gate(few, views(100), views(0))
    assert (gate.verdict, gate.figure) == (OPEN, "too few to judge (49 rows)")


@pytest.mark.parametrize(
    ("gained", "lost", "verdict"), [(10, 10, PASS), (11, 10, ASK), (0, 100, ASK), (0, 0, PASS)]
)
def test_a_swap_set_beyond_its_limit_asks_for_a_person(gained: int, lost: int, verdict: Verdict) -> None:
    swapped = SwapSet(100 - lost, gained, lost, 0, 0, 0, 0)
    assert swap_gate(swapped, LIMITS).verdict is verdict


def test_a_swap_set_says_how_many_and_how_many_yuan() -> None:
    figure = swap_gate(SwapSet(90, 5, 10, 123_400, 5_600, 1, 2), LIMITS).figure
    assert figure == "15.0% of 100: 5 gain (1,234 yuan), 10 lose (56 yuan)"


@pytest.mark.parametrize(
    ("names", "versions", "verdict", "said"),
    [
        (["a", "b"], "", PASS, "the same 2"),
        (["a", "b", "c"], "", FAIL, "added c"),
        (["a"], "", FAIL, "missing b"),
        (["b", "a"], "", FAIL, "the same in another order"),
        (["a", "b"], "catalog 1 then, 2 now", FAIL, "defined otherwise: catalog 1 then, 2 now"),
    ],
)
def test_a_feature_list_that_differs_from_the_serving_models_is_named(
    names: list[str], versions: str, verdict: Verdict, said: str
) -> None:
    gate = same_features_gate(names, ["a", "b"], versions=versions)
    assert (gate.verdict, gate.figure) == (verdict, said)


def test_a_silent_feature_holds_only_if_the_champion_knew_it_otherwise() -> None:
    silent = {"amount": "constant", "rare": "all missing"}
    held = information_gate(silent, known={"amount", "orders"})
    assert (held.verdict, held.figure) == (FAIL, "1: amount constant")
    assert information_gate(silent, known={"orders"}).verdict is PASS
    assert information_gate(silent, known=None).verdict is OPEN
    assert information_gate({}, known=None).verdict is PASS


@pytest.mark.parametrize(("psi", "verdict"), [(0.25, PASS), (0.2501, FAIL)])
def test_a_drifted_feature_is_named(psi: float, verdict: Verdict) -> None:
    gate = drift_gate(0.9, {"orders_30d": psi, "calm_30d": 0.1}, LIMITS)
    assert gate.verdict is verdict
    assert "orders_30d" in gate.figure


def test_a_champion_that_has_seen_the_outcome_of_the_rows_is_no_fair_comparison() -> None:
    assert unseen_gate("2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00").verdict is PASS
    assert unseen_gate("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00").verdict is FAIL


@pytest.mark.parametrize(
    ("tried", "verdict"),
    [
        (Tried(20.0, 0.05, 0.0), PASS),
        (Tried(20.1, 0.05, 0.0), FAIL),
        (Tried(1.0, 0.051, 0.0), FAIL),
        (Tried(1.0, 0.01, 1e-8), FAIL),
        (Tried(problem="KeyError: 'n_trees'"), FAIL),
    ],
)
def test_a_model_must_load_and_answer_alike_within_its_budget(tried: Tried, verdict: Verdict) -> None:
    assert clean_process_gate(tried, LIMITS).verdict is verdict
