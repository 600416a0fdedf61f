"""A model as files: LightGBM's text beside JSON, readable by people and by other languages; no pickle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import lightgbm as lgb
import numpy as np

from .calibration import PlattCalibrator

if TYPE_CHECKING:
    from .buyer_score import BuyerScore

    Score = TypeVar("Score", bound=BuyerScore)

TREES: Final = "trees.txt"
REST: Final = "buyer_score.json"
FORMAT: Final = 1


def write(score: BuyerScore, directory: Path) -> None:
    """Write a fitted score into a directory, made if absent."""
    directory.mkdir(parents=True, exist_ok=True)
    rest = {
        "format": FORMAT,
        "params": score.get_params(deep=False),
        "feature_names": list(score.get_feature_names_out()),
        "named": hasattr(score, "feature_names_in_"),
        "classes": score.classes_.tolist(),
        "n_trees": score.n_trees_,
        "calibration": _calibration(score.calibrator_),
    }
    (directory / TREES).write_text(score.booster_.model_to_string(), encoding="utf-8")
    text = json.dumps(rest, ensure_ascii=False, indent=1, sort_keys=True)
    (directory / REST).write_text(text, encoding="utf-8")


def _calibration(fitted: PlattCalibrator) -> dict[str, float]:
    """Leave out a shift that there is none of: what nothing moved is the same bytes as ever."""
    line = {"slope": fitted.slope, "intercept": fitted.intercept}
    return line | ({"shift": fitted.shift} if fitted.shift else {})


def read(kind: type[Score], directory: Path) -> Score:
    """Read a fitted score; raise ValueError for another format."""
    rest: dict[str, Any] = json.loads((directory / REST).read_text(encoding="utf-8"))
    if rest["format"] != FORMAT:
        raise ValueError(
            f"{directory / REST}: format {rest['format']} is not {FORMAT}, which this code reads"
        )
    score = kind(**rest["params"])
    score.n_features_in_ = len(rest["feature_names"])
    if rest["named"]:
        score.feature_names_in_ = np.asarray(rest["feature_names"], dtype=object)
    score.classes_ = np.asarray(rest["classes"])
    score.n_trees_ = rest["n_trees"]
    score.calibrator_ = PlattCalibrator(**rest["calibration"])
    score.booster_ = lgb.Booster(model_str=(directory / TREES).read_text(encoding="utf-8"))
    return score
