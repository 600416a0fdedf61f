from __future__ import annotations

import numpy as np
import pandas as pd

from decisions.policy import NOTICE
from features.catalog import CATALOG
from models.calibration import points_after
from training.cut_off import cut_off_of, enough_history, exposure, latest_rows
from training.dataset import Dataset
from training.labels import AbuseLabel
from training.log import micros, training_log

from .events import cancelled, day, event, order, table


def rows_at(*at: float, buyer: int = 0) -> Dataset:
    X = pd.DataFrame(np.zeros((len(at), CATALOG.n_features)), columns=list(CATALOG.names))
    who = np.full(len(at), buyer, dtype=np.int64)
    return Dataset(X, np.zeros(len(at), dtype=np.int64), who, np.array([micros(day(t)) for t in at]))


def test_only_refunds_that_the_hard_rules_let_through_in_the_window_count() -> None:
    kept = {"amount_fen": 29_999, "goods_type": "physical"}
    log = training_log(
        table(
            [
                *order("b", 1, "in", **kept), *cancelled("b", 2, "in"),
                *order("b", 1, "cap", **kept | {"amount_fen": 30_000}), *cancelled("b", 2, "cap"),
                *order("b", 1, "virtual", **kept | {"goods_type": "virtual"}), *cancelled("b", 2, "virtual"),
                *order("b", 1, "returned", **kept), *cancelled("b", 2, "returned", stage="after_shipment"),
                *order("b", 1, "last day", amount_fen=100), *cancelled("b", 89.9, "last day"),
                *order("b", 1, "too late", **kept), *cancelled("b", 90, "too late"),
                *order("c", 1, "of another", **kept), *cancelled("c", 2, "of another"),
            ]
        )
    )  # fmt: skip
    refunded, lost = exposure(log, rows_at(0), label=AbuseLabel(), policy=NOTICE)
    assert (refunded.tolist(), lost.tolist()) == ([30_099.0], [0.0])


def test_lost_is_what_was_found_shipped_by_the_end_of_the_delay() -> None:
    def found(name: str, known: float) -> dict[str, object]:
        return event("refund_found_shipped", "b", 3, known=known, order_id=name)

    log = training_log(
        table(
            [
                *order("b", 1, "x", amount_fen=100), *cancelled("b", 2, "x"), found("x", 119.9),
                *order("b", 1, "y", amount_fen=10), *cancelled("b", 2, "y"), found("y", 120),
            ]
        )
    )  # fmt: skip
    refunded, lost = exposure(log, rows_at(0), label=AbuseLabel(), policy=NOTICE)
    assert (refunded.tolist(), lost.tolist()) == ([110.0], [100.0])


def test_a_buyer_counts_once_with_the_latest_row() -> None:
    rows = rows_at(0, 30, 60)
    rows = Dataset(rows.X, rows.y, np.array([1, 2, 1]), rows.as_of)
    kept = latest_rows(rows)
    assert dict(zip(kept.buyer.tolist(), kept.as_of.tolist(), strict=True)) == {
        1: micros(day(60)),
        2: micros(day(30)),
    }


def test_enough_history_turns_at_the_policys_numbers() -> None:
    X = pd.DataFrame(
        {
            "orders_completed_count_life": [3, 2, 3, 3, 3],
            "days_since_first_order_paid": [30.0, 30.0, 29.9, np.nan, 30.0],
            "abuse_standing_distinct_life": [0, 0, 0, 0, 1],
        }
    )
    assert enough_history(X, NOTICE).tolist() == [True, False, False, False, False]


class PointsByOrders:
    """A score that gives as many points as the buyer has paid orders."""

    def points(self, X: pd.DataFrame) -> np.ndarray:
        return X["orders_paid_count_life"].to_numpy()


def test_however_few_the_abusers_a_cut_off_is_never_proposed_below_the_low_tiers_edge() -> None:
    n = 5_000
    rows = rows_at(*[0.0] * n)
    rows.X["orders_paid_count_life"] = np.linspace(610, 800, n)
    rows.X["orders_completed_count_life"], rows.X["days_since_first_order_paid"] = 5, 90.0
    rows = Dataset(rows.X, rows.y, np.arange(n), rows.as_of)
    bought = [e for b in range(n) for e in (*order(f"b{b}", 1, f"o{b}"), *cancelled(f"b{b}", 2, f"o{b}"))]
    log = training_log(table(bought))
    found = cut_off_of(log, score=PointsByOrders(), train=rows, test=rows, label=AbuseLabel())  # type: ignore[arg-type]
    assert found.cut_off == NOTICE.low_score_max
    for shift, raw in (
        (0.5, 700.0),
        (-0.5, 665.0),
    ):  # the odds rose, points fell: 695 lies below the edge now
        moved = cut_off_of(
            log,
            score=PointsByOrders(),
            train=rows,
            test=rows,
            label=AbuseLabel(),
            shift=shift,  # type: ignore[arg-type]
        )
        assert moved.cut_off == points_after(raw, shift=shift) >= NOTICE.low_score_max
        assert points_after(raw - 5.0, shift=shift) < NOTICE.low_score_max
        assert moved.tested[-1].approved == (rows.X["orders_paid_count_life"] >= raw).sum()
