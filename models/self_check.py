"""Known answers that travel with a model: whoever loads it asks them first."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from .buyer_score import BuyerScore
from .saved import REST, TREES

FILE: Final = "self_check.json"
TOLERANCE: Final = 1e-9
"""Largest difference of a log-odds: other processors may round the last bits otherwise."""


class SelfCheckFailed(ValueError):  # noqa: N818 - it names what happened
    """The files are not those that were saved, or the model answers otherwise than when it was saved."""


def save_checked(score: BuyerScore, directory: Path, *, example: pd.DataFrame) -> None:
    """Save a score with its answers to some rows and to a row of which nothing is known.

    Parameters
    ----------
    example : DataFrame of shape (n, n_features)
        Rows as the score takes them.
    """
    score.save(directory)
    unknown = np.full((1, example.shape[1]), np.nan)
    asked = np.vstack([example.to_numpy(dtype=np.float64), unknown])
    answers = score.decision_function(pd.DataFrame(asked, columns=example.columns))
    kept = {
        "digest": digest(directory),
        "vectors": [[None if np.isnan(x) else x for x in row] for row in asked.tolist()],
        "log_odds": answers.tolist(),
    }
    (directory / FILE).write_text(json.dumps(kept), encoding="utf-8")


def digest(directory: Path) -> str:
    """Hash a saved model's files: equal bytes, equal digest."""
    found = hashlib.sha256()
    for name in (TREES, REST):
        found.update((directory / name).read_bytes() + b"\0")
    return found.hexdigest()


def load_checked(directory: Path) -> BuyerScore:
    """Load a score and ask it what it answered when it was saved; one saved without answers is not asked.

    Raises
    ------
    SelfCheckFailed
        Says what differs.
    """
    if not (directory / FILE).exists():
        return BuyerScore.load(directory)
    kept = _kept(directory / FILE)
    if digest(directory) != kept["digest"]:
        raise SelfCheckFailed("its files are not the ones that were saved")
    score = BuyerScore.load(directory)
    asked = np.array(kept["vectors"], dtype=np.float64)
    names = score.get_feature_names_out()
    gap = np.abs(score.decision_function(pd.DataFrame(asked, columns=names)) - np.array(kept["log_odds"]))
    if not gap.max() <= TOLERANCE:
        raise SelfCheckFailed(
            f"{int((gap > TOLERANCE).sum())} of {len(gap)} known answers differ, by up to {gap.max():.3g}"
        )
    return score


def _kept(path: Path) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(kept, dict) or kept.keys() != {"digest", "vectors", "log_odds"}:
            raise ValueError("other names than expected")
    except ValueError as error:
        raise SelfCheckFailed(f"its known answers cannot be read ({error})") from error
    return kept
