"""The methods side by side. Ours is the product's own training; nothing of it is repeated here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier

import training
from benchmarks.quality_automl import N_FOLDS, automl
from benchmarks.quality_cells import Answer
from benchmarks.quality_data import Trial
from benchmarks.quality_oracle import oracle
from features.catalog import CATALOG
from models.buyer_score import BuyerScore
from training.baselines import Baseline, logistic_on_logs, order_size, past_cancelled_rate
from training.cancellation import cancellation_score
from training.dataset import Dataset
from training.fit import fit_score, new_score
from training.labels import CancellationLabel
from training.scorecard import scorecard_log_odds
from training.window import code_version

OURS: Final = "ours"
ORACLE: Final = "oracle"
BEGUN: Final = "oracle-begun"
PLAIN: Final = (
    "orders_paid_count_30d",
    "orders_paid_count_90d",
    "orders_paid_count_365d",
    "orders_paid_count_life",
    "paid_amount_sum_90d",
    "paid_amount_sum_life",
    "order_amount_median_365d",
    "order_lines_ratio_life",
    "days_since_last_order_paid",
    "days_since_first_order_paid",
    "cancellations_count_30d",
    "cancellations_count_90d",
    "cancellations_count_life",
    "refunds_granted_count_90d",
    "refunds_granted_count_life",
)
"""What one writes in SQL in an afternoon: counts, sums and recencies of orders, cancellations, refunds."""


@dataclass(frozen=True)
class Budget:
    """What the search of AutoML may use."""

    minutes: float = 10.0
    threads: int = 1
    seed: int = 0

    @property
    def settings(self) -> Mapping[str, Any]:
        """Say it for a cell's key, with the releases that search."""
        found = {name: version(name) for name in ("flaml", "lightgbm", "xgboost", "scikit-learn")}
        asked = {"minutes": self.minutes, "threads": self.threads, "seed": self.seed}
        return found | asked | {"clock": "processor", "folds": N_FOLDS}


@dataclass(frozen=True)
class Method:
    """One way to rank buyers, the columns that it reads, and what its answer follows from beside the rows."""

    name: str
    answer: Callable[[Trial], Answer]
    settings: Callable[[], Mapping[str, Any]]
    columns: Sequence[str] = CATALOG.names
    real_only: bool = False
    market_only: bool = False

    def suits(self, trial: Trial) -> bool:
        """Tell whether the method can answer there."""
        return not (self.real_only and not trial.is_real) and not (self.market_only and trial.is_real)


def methods(budget: Budget) -> list[Method]:
    """List the methods, the quick ones first."""
    lightgbm, code = {"lightgbm": version("lightgbm")}, {"code": product_code()}
    return [
        Method(OURS, lambda trial: (ours(trial), {}), lambda: code),
        Method("rate", partial(_baseline, past_cancelled_rate), partial(_source, "baselines.py")),
        Method(
            "order-size", partial(_baseline, order_size), partial(_source, "baselines.py"), real_only=True
        ),
        Method("logistic", _plain_logistic, partial(_source, "baselines.py"), PLAIN),
        Method("logistic-ours", partial(_baseline, logistic_on_logs), partial(_source, "baselines.py")),
        Method("lightgbm", _default_lightgbm, lambda: lightgbm, PLAIN),
        Method("scorecard", _scorecard, partial(_source, "scorecard.py")),
        Method(ORACLE, lambda trial: (oracle(trial), {}), lambda: code, market_only=True),
        Method(BEGUN, lambda trial: (oracle(trial, begun=True), {}), lambda: code, market_only=True),
        Method("automl-ours", partial(_automl, CATALOG.names, budget), lambda: budget.settings),
        Method("automl-plain", partial(_automl, PLAIN, budget), lambda: budget.settings, PLAIN),
    ]


@cache
def product_code() -> str:
    """Hash the product's code as it was when first asked: files may change under a run of hours."""
    return code_version()


def ours(trial: Trial, *, train: Dataset | None = None, seed: int = 0) -> np.ndarray[Any, Any]:
    """Fit as the product fits, on the trial's rows or on some of them, and score the later rows."""
    return fitted(trial, train or trial.train, seed=seed).predict_proba(trial.test.X)[:, 1]


def fitted(trial: Trial, rows: Dataset, *, seed: int) -> BuyerScore:
    """Call the product's own training for the trial's task."""
    if isinstance(trial.label, CancellationLabel):
        return cancellation_score(rows, label=trial.label, seed=seed)
    return fit_score(new_score(seed=seed), rows, maturity=trial.maturity)


def _baseline(method: Baseline, trial: Trial) -> Answer:
    return method(trial.log, trial.train, trial.test), {}


def _plain_logistic(trial: Trial) -> Answer:
    train, test = (replace(rows, X=_of(rows, PLAIN)) for rows in (trial.train, trial.test))
    return logistic_on_logs(trial.log, train, test), {}


def _scorecard(trial: Trial) -> Answer:
    return scorecard_log_odds(trial.train, trial.test), {}


def _default_lightgbm(trial: Trial) -> Answer:
    model = LGBMClassifier(n_jobs=1, random_state=0, verbose=-1)
    model.fit(_of(trial.train, PLAIN), trial.train.y)
    return model.predict_proba(_of(trial.test, PLAIN))[:, 1], {}


def _automl(columns: Sequence[str], budget: Budget, trial: Trial) -> Answer:
    return automl(
        _of(trial.train, columns),
        trial.train.y,
        trial.train.buyer,
        _of(trial.test, columns),
        metric="roc_auc" if trial.is_real else "ap",
        minutes=budget.minutes,
        threads=budget.threads,
        seed=budget.seed,
    )


def _of(rows: Dataset, columns: Sequence[str]) -> pd.DataFrame:
    return rows.X[list(columns)]


def _source(name: str) -> Mapping[str, Any]:
    text = (Path(str(training.__file__)).parent / name).read_bytes()
    return {"code": hashlib.sha256(text).hexdigest()[:16]}
