"""Fitted models on this disk until the registry has them: what a killed retraining goes on from."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from models.buyer_score import BuyerScore
from models.self_check import SelfCheckFailed, load_checked, save_checked

PART: Final = ".part-"


@dataclass(frozen=True)
class KeptModels:
    """One folder per training, under its key; whole or not there."""

    home: Path

    def path(self, key: str) -> Path:
        """Where the model of a key lies."""
        return self.home / key

    def keep(self, key: str, score: BuyerScore, *, example: pd.DataFrame) -> Path:
        """Write a model beside and put it in place by one renaming."""
        part = self.home / f"{PART}{key}"
        shutil.rmtree(part, ignore_errors=True)
        save_checked(score, part, example=example)
        self.forget(key)
        os.replace(part, self.path(key))
        return self.path(key)

    def find(self, key: str) -> BuyerScore | None:
        """Load a model that was kept; one that is damaged is thrown away."""
        if not self.path(key).is_dir():
            return None
        try:
            return load_checked(self.path(key))
        except (SelfCheckFailed, OSError):
            self.forget(key)
            return None

    def forget(self, key: str) -> None:
        """Remove a model, if it is there."""
        shutil.rmtree(self.path(key), ignore_errors=True)
