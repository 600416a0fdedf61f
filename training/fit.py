"""Fit the score of a catalog on rows of the past."""

from __future__ import annotations

from copy import copy
from datetime import timedelta
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from features.catalog import CATALOG, REASONS
from features.compile import Catalog
from features.errors import BadInput
from models.buyer_score import BuyerScore
from models.calibration import BaseRateShift, shift_of_base_rate, shifted, unshifted

from .dataset import Dataset, Newer, joined
from .splits import inner_folds

MICROSECOND: Final = timedelta(microseconds=1)
PRIOR_EVENTS: Final = 5.0


class OneClassOnly(BadInput):
    """Rows that hold one class only teach nothing; says how many there are of which."""


def require_both_classes(rows: Dataset, *, purpose: str) -> None:
    """Raise OneClassOnly unless there are at least two rows of each class."""
    positive = int(rows.y.sum())
    negative = len(rows) - positive
    if min(positive, negative) < 2:
        raise OneClassOnly(
            f"the rows to {purpose} hold {positive} positive and {negative} negative labels, at least 2 "
            "of each are needed: give a longer history, or one in which the outcome happens"
        )


def new_score(
    *, catalog: Catalog = CATALOG, seed: int = 0, constrained: bool = True, **params: Any
) -> BuyerScore:
    """Make an unfitted score whose columns, directions and reasons are the catalog's.

    Parameters
    ----------
    constrained : bool
        Whether the catalog's directions, which are about abuse, hold for the outcome to be learned.
    params : Any
        Further parameters of `BuyerScore`.
    """
    directions = dict(zip(catalog.names, catalog.monotone, strict=True))
    return BuyerScore(
        monotone={name: sign for name, sign in directions.items() if sign and constrained},
        reason_codes=dict(zip(catalog.names, catalog.reason_codes, strict=True)),
        reason_texts={
            code: {"zh": REASONS[code].zh, "en": REASONS[code].en} for code in catalog.reason_codes
        },
        catalog_version=catalog.version,
        random_state=seed,
        **params,
    )


def fit_score(score: BuyerScore, rows: Dataset, *, maturity: timedelta) -> BuyerScore:
    """Fit on rows whose labels are complete, validated forward in time, or by buyer if time is too short.

    Each snapshot's base rate is given to the trees beforehand, so that they learn who differs from the others
    of one day, not which day it is; calibration adds the base rate of the snapshots validated on. Rows of
    shorter windows (`rows.newer`) are learned from, never validated on.

    Raises
    ------
    OneClassOnly
        Fewer than two rows of a class.
    """
    require_both_classes(rows, purpose="learn from")
    parts = [Newer(rows, maturity), *rows.newer]
    together = joined([part.rows for part in parts])
    wait = np.repeat([part.maturity // MICROSECOND for part in parts], [len(part.rows) for part in parts])
    judged = np.arange(len(together)) < len(rows)
    folds = inner_folds(
        together.as_of,
        together.y,
        complete_at=together.as_of + wait,
        judged=judged,
        n_folds=score.n_folds,
    )
    offset = np.concatenate([base_rate_by_snapshot(part.rows) for part in parts])
    return score.fit(together.X, together.y, folds=folds, groups=together.buyer, offset=offset, judged=judged)


def base_rate_by_snapshot(rows: Dataset) -> NDArray[np.float64]:
    """Log-odds of the label among each row's snapshot, shrunk to all rows' by `PRIOR_EVENTS` events.

    Returns
    -------
    ndarray of shape (n,)
    """
    overall = (rows.y.sum() + 1.0) / (len(rows) + 2.0)
    _, at = np.unique(rows.as_of, return_inverse=True)
    events, size = np.bincount(at, weights=rows.y), np.bincount(at)
    rate = (events + PRIOR_EVENTS) / (size + PRIOR_EVENTS / overall)
    return np.asarray(logit(rate)[at])


def recalibrate(score: BuyerScore, rows: Dataset) -> tuple[BuyerScore, BaseRateShift]:
    """Move a fitted score to a new base rate by newer rows, one per buyer; trees and ranking stay.

    Without evidence of a move, or with few events, the score comes back as it was.
    """
    found = shift_of_base_rate(score.calibrator_, score.raw_margin(rows.X), rows.y)
    moved = copy(score)
    moved.calibrator_ = shifted(score.calibrator_, found)
    return moved, found


def as_fitted(score: BuyerScore) -> BuyerScore:
    """Give a score as it was before newer rows moved it."""
    before = copy(score)
    before.calibrator_ = unshifted(score.calibrator_)
    return before
