"""The guaranteed cut-off of a fitted score: what came of the buyers of the rows it is judged on."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from decisions.policy import NOTICE, Policy
from models.buyer_score import BuyerScore
from models.calibration import points_after

from .dataset import Dataset
from .guarantee import GRID, Budget, Guarantee, Outcomes, guaranteed_cut_off
from .labels import AbuseLabel
from .log import DAY_US, TrainingLog
from .swap import not_new


def cut_off_of(
    log: TrainingLog,
    *,
    score: BuyerScore,
    train: Dataset,
    test: Dataset,
    label: AbuseLabel,
    budget: Budget | None = None,
    policy: Policy = NOTICE,
    shift: float = 0.0,
) -> Guarantee:
    """Choose the quality tier's cut-off on rows that came after those the score has learned from.

    Never below the low tier's edge: the budget bounds the average of the approved, and where abusers are few
    that average would leave room for the worst of all.

    Candidates are fixed in the points of the score as it was fitted and tested in them, before the rows have
    moved it. Every candidate is then told by its place on the moved scale: that approves the same buyers
    (`models.calibration.points_after`), so what was proven stays proven. The low tier's edge is one of the
    moved scale and leaves out the candidates whose place is below it. It only ends the sequences sooner, so
    whatever is chosen is still one of the candidates that would have been rejected without it; to raise a
    proven cut-off to the edge instead would choose one that nobody has tested.

    Parameters
    ----------
    score : BuyerScore
        As it was fitted.
    train, test : Dataset
        The latest snapshot of `train` says where to start; each buyer's latest row of `test` is tested.
    policy : Policy
        Whose hard rules say which refunds would be automatic and how much history is enough.
    shift : float
        By how much the log-odds of the score have been moved since.
    """
    judged, seen = latest_rows(test), train.as_of == train.as_of.max()
    before, allowed = train.X[seen], enough_history(train.X[seen], policy)
    points = score.points(before)[allowed]
    places = points_after(GRID, shift=shift)
    candidates = [
        cut_off for cut_off, place in zip(GRID, places, strict=True) if place >= policy.low_score_max
    ]
    shares = [float(np.mean(points >= cut_off)) if len(points) else 0.0 for cut_off in candidates]
    refunded, lost = exposure(log, judged, label=label, policy=policy)
    outcomes = Outcomes(
        points=score.points(judged.X),
        eligible=enough_history(judged.X, policy),
        abuser=judged.y == 1,
        refunded_fen=refunded,
        lost_fen=lost,
    )
    return guaranteed_cut_off(
        outcomes,
        budget=budget or Budget(),
        shares=shares,
        candidates=candidates,
        places=places[: len(candidates)].tolist(),
    )


def latest_rows(rows: Dataset) -> Dataset:
    """Keep each buyer's latest row, since rows of one buyer are not independent; in a fixed random order."""
    order = np.lexsort((rows.as_of, rows.buyer))
    last = order[np.append(np.diff(rows.buyer[order]) != 0, True)] if len(order) else order
    drawn = np.random.default_rng(0).permutation(last)
    return Dataset(
        rows.X.iloc[drawn].reset_index(drop=True), rows.y[drawn], rows.buyer[drawn], rows.as_of[drawn]
    )


def enough_history(X: pd.DataFrame, policy: Policy) -> NDArray[np.bool_]:
    """Tell who could be a quality user at all: enough history, and no standing confirmation of abuse."""
    standing = X["abuse_standing_distinct_life"].to_numpy()
    return np.asarray(not_new(X, policy=policy) & (standing == 0))


def exposure(
    log: TrainingLog, rows: Dataset, *, label: AbuseLabel, policy: Policy
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Add up, per row, what the policy's hard rules would refund in the label's window, and what was lost.

    Refunds requested before shipment of orders below the cap whose goods are not excluded. Lost is what was
    found shipped, as known by the end of the label's delay.

    Returns
    -------
    refunded_fen, lost_fen : ndarray of shape (n,)
    """
    refunds = _first_requests(log, policy)
    pairs = pd.DataFrame({"row": np.arange(len(rows)), "buyer": rows.buyer, "at": rows.as_of}).merge(
        refunds, on="buyer"
    )
    window = timedelta(days=label.window_days) // timedelta(microseconds=1)
    pairs = pairs[pairs["occurred"].between(pairs["at"], pairs["at"] + window, inclusive="left")]
    known = pairs["found"] < pairs["at"] + window + label.delay_days * DAY_US
    row, fen = pairs["row"].to_numpy(), pairs["fen"].to_numpy(dtype=np.float64)
    refunded, lost = np.zeros(len(rows)), np.zeros(len(rows))
    np.add.at(refunded, row, fen)
    np.add.at(lost, row, fen * known.to_numpy())
    return refunded, lost


def _first_requests(log: TrainingLog, policy: Policy) -> pd.DataFrame:
    """One row per order: buyer, when its refund was asked for, its fen, when it was found shipped."""
    asked, paid = log.of("refund_requested"), log.of("order_paid").drop_duplicates("order")
    asked = asked[asked["stage"] == "before_shipment"].sort_values("occurred").drop_duplicates("order")
    orders = paid[["order", "amount_fen", "goods_type"]].rename(columns={"amount_fen": "fen"})
    both = asked[["buyer", "order", "occurred"]].merge(orders, on="order")
    inside = (both["fen"] < policy.cap_fen) & ~both["goods_type"].isin(policy.excluded_goods_types)
    found = log.of("refund_found_shipped").groupby("order")["recorded"].min().rename("found")
    return both[inside & (both["order"] >= 0)].merge(found, on="order", how="left")
