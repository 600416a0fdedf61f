"""What a search over learners and their settings finds in a given time: FLAML, on one thread."""

from __future__ import annotations

import json
import logging
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest import mock

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold
from threadpoolctl import threadpool_limits

from training.splits import Fold

N_FOLDS: Final = 5


class NothingFoundError(Exception):
    """The time did not do for a single model."""


class BuyerFolds:
    """Folds drawn once, which hold a buyer's rows together and spread the positives evenly.

    FLAML's own grouped folds ignore the labels, so that a fold may be without a positive; it takes any
    object with these two methods and leaves the rows in their order then.
    """

    shuffle = False

    def __init__(self, y: NDArray[np.int64], buyer: NDArray[np.int64], *, seed: int) -> None:
        n = int(min(N_FOLDS, y.sum(), len(np.unique(buyer))))
        drawn = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
        self.folds: list[Fold] = list(drawn.split(y, y, buyer))

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[Fold]:
        """Give the folds."""
        return iter(self.folds)

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Count the folds."""
        return len(self.folds)


def automl(
    X: pd.DataFrame,
    y: NDArray[np.int64],
    buyer: NDArray[np.int64],
    later: pd.DataFrame,
    *,
    metric: str,
    minutes: float,
    threads: int,
    seed: int,
) -> tuple[NDArray[np.float64], Mapping[str, Any]]:
    """Search for so many minutes, refit the best on all rows, and score the later rows.

    Parameters
    ----------
    metric : str
        What the search maximises on its folds: `roc_auc` or `ap`.
    minutes : float
        Of the processor, not by the clock, so that a busy machine does not shorten the search.

    Raises
    ------
    NothingFoundError
        Not one model was ready in time.
    """
    with warnings.catch_warnings(), threadpool_limits(threads), processor_time(threads):
        warnings.simplefilter("ignore")
        logging.getLogger("flaml").setLevel(logging.ERROR)
        from flaml import AutoML

        search = AutoML()
        search.fit(
            X,
            y,
            task="classification",
            metric=metric,
            time_budget=60 * minutes,
            eval_method="cv",
            split_type=BuyerFolds(y, buyer, seed=seed),
            n_jobs=threads,
            seed=seed,
            verbose=0,
            mlflow_logging=False,
        )
        if search.model is None:
            raise NothingFoundError(f"{minutes} minutes did not do for one model of {len(y):,} rows")
        p = np.asarray(search.predict_proba(later), dtype=np.float64)[:, 1]
    return p, _notes(search, metric)


@contextmanager
def processor_time(threads: int) -> Iterator[None]:
    """Let a clock that is asked with `time.time` count what this process works, divided by its threads."""
    began = time.time()

    def clock() -> float:
        return began + time.process_time() / threads

    with mock.patch("time.time", clock):
        yield


def _notes(search: Any, metric: str) -> Mapping[str, Any]:
    losses = search.best_loss_per_estimator
    found = {
        "metric": metric,
        "learner": search.best_estimator,
        "config": search.best_config,
        "folds": 1 - search.best_loss,
        "folds_by_learner": {name: 1 - loss for name, loss in losses.items() if np.isfinite(loss)},
        "config_by_learner": search.best_config_per_estimator,
        "seconds_to_best": search.time_to_find_best_model,
    }
    plain: Mapping[str, Any] = json.loads(json.dumps(found, default=_plain))
    return plain


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else str(value)
