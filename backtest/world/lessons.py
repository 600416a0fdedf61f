"""Models of a market that goes on: one a month, learned from what that market had brought by then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from features.errors import BadInput
from training.fit import OneClassOnly
from training.splits import NoMatureSnapshot

from ..nights import Scorer
from ..walk_forward import WalkForward


class Lessons:
    """Gives the model of a month; the first month that has one is the first that is decided.

    The history before is every policy's, so its model is trained once for all. A later month
    that teaches nothing goes on with the model of the month before, as a service does.

    Parameters
    ----------
    known : callable
        Gives the events so far.
    common, own : Path
        Folders for the first model and for the later ones.
    first : str, optional
        The first month decided, where an earlier run knows it.
    """

    def __init__(
        self,
        known: Callable[[], pa.Table],
        *,
        common: Path,
        own: Path,
        first: str | None = None,
        seed: int = 0,
        proves: bool = False,
        on_model: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._common, self._own = (
            WalkForward(known, folder, seed=seed, proves=proves, on_model=on_model)
            for folder in (common, own)
        )
        self.first = first
        self._lacking: BadInput | None = None

    def of(self, month: str) -> Scorer | None:
        """Give the model of a month; None before the first."""
        if self.first is None or month <= self.first:
            return self._begin(month)
        try:
            return self._own.of(month)
        except (NoMatureSnapshot, OneClassOnly):
            return self.of(str(np.datetime64(month) - 1))

    def _begin(self, month: str) -> Scorer | None:
        try:
            model = self._common.of(month)
        except (NoMatureSnapshot, OneClassOnly) as error:
            self._lacking = error
            return None
        self.first = month
        return model

    def kept(self, month: str) -> Scorer:
        """Give the model of a month that was decided."""
        found = self.of(month)
        if found is None:
            raise LookupError(f"{month} was decided without a model")
        return found

    def refusal(self) -> BadInput:
        """Say why no month could be decided."""
        why = self._lacking or "nobody asked for a refund"
        said = f"no month of this market can be decided by a model of its own time: {why}"
        return BadInput(f"{said}; let it last longer (--days)")
