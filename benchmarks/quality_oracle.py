"""A predictor that knows who is who: the product's score with the hidden truth's history so far as columns.

What it knows of a buyer at an instant, beside our features: the archetype; whether the abuse has begun and
ended, and since when; how many accounts of the household, farm or service abuse by then. What lies ahead
(when a dormant abuser will begin, when an active one will stop) it does not know. `begun` keeps to what has
happened: an abuser who has not begun is an ordinary buyer to it, since no deed tells them apart yet.

The best that anybody could do with this knowledge ranks by the true probability of the label and is an upper
bound, in expectation, of everyone who knows less. This predictor estimates that probability from the same
training rows as ours does, so with few positives it lies below the bound, and by chance even below ours.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.quality_data import Trial
from training.dataset import Dataset
from training.fit import fit_score, new_score
from training.log import DAY_US

HIDDEN: Final = "hidden_"


def oracle(trial: Trial, *, begun: bool = False, seed: int = 0) -> NDArray[np.float64]:
    """Learn from the training rows and what was hidden by them; score the later rows."""
    train, test = (with_hidden(trial, rows, begun=begun) for rows in (trial.train, trial.test))
    score = fit_score(new_score(seed=seed), train, maturity=trial.maturity)
    return np.asarray(score.predict_proba(test.X)[:, 1])


def with_hidden(trial: Trial, rows: Dataset, *, begun: bool = False) -> Dataset:
    """Put the hidden columns beside our features."""
    if trial.truth is None:
        raise ValueError(f"{trial.dataset} has no hidden truth")
    ids = trial.log.buyer_ids.take(pa.array(rows.buyer)).to_pylist()
    hidden = hidden_so_far(trial.truth, ids, rows.as_of, begun=begun)
    return Dataset(pd.concat([rows.X, hidden], axis=1), rows.y, rows.buyer, rows.as_of)


def hidden_so_far(
    truth: pa.Table, buyer_ids: list[str], as_of: NDArray[np.int64], *, begun: bool = False
) -> pd.DataFrame:
    """Tell what the truth holds of each (buyer, instant) that has happened before it.

    Parameters
    ----------
    begun : bool
        Tell nothing of abusers who have not begun, not even that they are.

    Returns
    -------
    DataFrame of shape (n, 4 + states)
        A column for each honest archetype and for each abuser's in each phase. Days are NaN where a thing
        has not happened by `as_of`.
    """
    everyone = truth.to_pandas().set_index("buyer_id")
    known = everyone.loc[buyer_ids].reset_index()
    since, over = _since(known["abuse_starts_at"], as_of), _since(known["abuse_ends_at"], as_of)
    state = _state(known, since, over, begun=begun)
    columns = {f"{HIDDEN}{name}": (state == name).astype(float) for name in _states(everyone)}
    columns |= {
        f"{HIDDEN}is_active": (~np.isnan(since) & np.isnan(over)).astype(float),
        f"{HIDDEN}days_since_start": since,
        f"{HIDDEN}days_since_end": over,
        f"{HIDDEN}group_active": _group_active(everyone, known, as_of),
    }
    return pd.DataFrame(columns)


def _state(
    known: pd.DataFrame, since: NDArray[np.float64], over: NDArray[np.float64], *, begun: bool
) -> NDArray[np.object_]:
    phase = np.select([~np.isnan(over), ~np.isnan(since)], ["over", "active"], "dormant")
    name = known["archetype"].to_numpy(dtype=object)
    abuses = known["is_abuser"].to_numpy(dtype=bool)
    dormant = "ordinary" if begun else name + " dormant"
    return np.where(abuses, np.where(phase == "dormant", dormant, name + " " + phase), name)


def _states(everyone: pd.DataFrame) -> list[str]:
    phases = [f"{name} {phase}" for name in _names(everyone, True) for phase in ("dormant", "active", "over")]
    return [*_names(everyone, False), *phases]


def _names(everyone: pd.DataFrame, is_abuser: bool) -> list[str]:
    return sorted(everyone.loc[everyone["is_abuser"] == is_abuser, "archetype"].unique())


def _since(at: pd.Series, as_of: NDArray[np.int64]) -> NDArray[np.float64]:
    """Days since each instant, NaN where there is none or it lies ahead."""
    micros = at.dt.as_unit("us").astype("int64").to_numpy()
    passed = at.notna().to_numpy() & (micros < as_of)
    return np.where(passed, (as_of - micros) / DAY_US, np.nan)


def _group_active(
    everyone: pd.DataFrame, known: pd.DataFrame, as_of: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Count the accounts of a buyer's group, itself included, whose abuse has begun and not ended."""
    counts = np.zeros(len(known))
    for at in np.unique(as_of):
        then = np.full(len(everyone), at)
        began, ended = _since(everyone["abuse_starts_at"], then), _since(everyone["abuse_ends_at"], then)
        active = everyone.loc[~np.isnan(began) & np.isnan(ended), "group_id"].value_counts()
        here = as_of == at
        counts[here] = known.loc[here, "group_id"].map(active).fillna(0).to_numpy(dtype=float)
    return counts
