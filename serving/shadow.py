"""The challenger in the champion's shadow: scored on a share of traffic, logged, never answered."""

from __future__ import annotations

import queue
import threading
import zlib
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import structlog

from models.registry import LoadedModel

WAITING: Final = 1000
"""Vectors that may wait; more are dropped and counted, so that a decision never waits for a shadow."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the champion saw and said of one case."""

    key: str
    vector: npt.NDArray[np.float64]
    points: float
    champion: str


class Shadow:
    """Scores a share of cases by the challenger, in a thread of its own.

    Parameters
    ----------
    share : float
        Part of the cases, 0 to 1; the same case is always in or always out.
    """

    def __init__(self, *, share: float) -> None:
        self._threshold = round(share * 2**32)
        self._queue: queue.Queue[Seen | None] = queue.Queue(WAITING)
        self._challenger: LoadedModel | None = None
        self._thread: threading.Thread | None = None
        self.dropped = 0

    @property
    def challenger_version(self) -> str | None:
        """Which version is scored in the shadow."""
        return None if self._challenger is None else self._challenger.version

    def follow(self, challenger: LoadedModel | None) -> None:
        """Take another challenger, or none."""
        self._challenger = challenger
        if challenger is not None and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="shadow", daemon=True)
            self._thread.start()

    def saw(self, key: str, vector: npt.NDArray[np.float64], *, points: float, champion: str) -> None:
        """Take note of a case, in a microsecond or two; it is scored later, or not at all."""
        if self._challenger is None or zlib.crc32(key.encode()) >= self._threshold:
            return
        try:
            self._queue.put_nowait(Seen(key, vector, points, champion))
        except queue.Full:
            self.dropped += 1

    def close(self) -> None:
        """Score what waits, then end the thread."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (seen := self._queue.get()) is not None:
            challenger = self._challenger
            if challenger is not None:
                self._score(challenger, seen)

    def _score(self, challenger: LoadedModel, seen: Seen) -> None:
        try:
            points = challenger.score.assess(seen.vector).points
        except Exception as error:  # a shadow that fails is logged like one that answers
            log.warning("shadow_failed", challenger=challenger.version, reason=str(error))
            return
        log.info(
            "shadow_score",
            case=seen.key,
            champion=seen.champion,
            champion_points=round(seen.points, 2),
            challenger=challenger.version,
            challenger_points=round(points, 2),
            dropped=self.dropped,
        )
