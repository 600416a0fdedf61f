"""When people buy: hours of the day, weekends, festivals, and the backlog that festivals leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from .draws import DAY, HOUR, Floats, Rng, chance

SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
FESTIVALS: Final = {
    (6, 16): 1.8, (6, 17): 2.0, (6, 18): 5.0, (6, 19): 1.5,
    (11, 9): 1.6, (11, 10): 2.2, (11, 11): 6.0, (11, 12): 1.8,
    (12, 11): 1.4, (12, 12): 2.5,
}  # fmt: skip
"""(month, day) in Shanghai and how many times an ordinary day's orders are placed: 6.18, 11.11, 12.12."""
SPRING_LULL: Final = 0.6
HOURS: Final = (5, 3, 2, 1, 1, 2, 4, 7, 11, 14, 16, 15, 15, 14, 14, 14, 14, 13, 13, 15, 18, 20, 17, 10)
"""Orders by hour of the day in Shanghai, as weights."""


@dataclass(frozen=True)
class Season:
    """Intensity of buying over the horizon, for everyone and for those who wait for festivals.

    Attributes
    ----------
    end
        Seconds from the first to the last instant of the log.
    everyday, festive
        Cumulative intensity at each full hour, in ordinary days, shape (24 * days + 1,).
    delay
        Factor on a shop's time to ship, by day, shape (days + 1,).
    """

    end: float
    everyday: Floats
    festive: Floats
    delay: Floats

    def mass(self, low: Floats, high: Floats) -> Floats:
        """Measure the ordinary days' worth of buying between two instants (seconds from the start)."""
        return np.maximum(self._at(self.everyday, high) - self._at(self.everyday, low), 0.0)

    def times(self, rng: Rng, low: Floats, high: Floats, *, festive: Floats | float = 0.0) -> Floats:
        """Draw one instant between each ``low`` and ``high``; a share ``festive`` waits for a festival.

        Where no festival lies between them, those who wait buy as everybody does.
        """
        waits = chance(rng, festive, len(low))
        share = rng.random(len(low))
        calm = self._invert(self.everyday, share, low, high)
        return np.where(waits, self._invert(self.festive, share, low, high), calm)

    def backlog(self, at: Floats) -> Floats:
        """Look up how much slower shops ship what was paid ``at`` these instants."""
        day = np.clip(at // DAY, 0, len(self.delay) - 1).astype(np.int64)
        return np.asarray(self.delay[day])

    def _at(self, cumulative: Floats, at: Floats) -> Floats:
        return np.asarray(np.interp(at, np.arange(len(cumulative)) * HOUR, cumulative))

    def _invert(self, cumulative: Floats, share: Floats, low: Floats, high: Floats) -> Floats:
        first, last = self._at(cumulative, low), self._at(cumulative, high)
        target = first + share * (last - first)
        return np.asarray(np.interp(target, cumulative, np.arange(len(cumulative)) * HOUR))


def make_season(start: datetime, days: int) -> Season:
    """Lay out the season from ``start`` for ``days`` days."""
    origin = start.astimezone(UTC)
    hours = [origin + timedelta(hours=i) for i in range(24 * days)]
    local = [hour.astimezone(SHANGHAI) for hour in hours]
    by_hour = np.array([HOURS[t.hour] for t in local]) / sum(HOURS)
    level = np.array([_level(t) for t in local])
    peaks = np.maximum(level - 1.3, 0.0) + 0.02
    return Season(
        end=days * DAY,
        everyday=_cumulate(by_hour * level),
        festive=_cumulate(by_hour * peaks),
        delay=_backlog(level[::24]),
    )


def _level(local: datetime) -> float:
    weekend = 1.12 if local.weekday() >= 5 else 1.0
    lull = SPRING_LULL if local.month == 2 and local.day <= 12 else 1.0
    return FESTIVALS.get((local.month, local.day), weekend * lull)


def _cumulate(intensity: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(intensity)])


def _backlog(level: Floats) -> Floats:
    excess = np.maximum(level - 1.2, 0.0)
    padded = np.concatenate([[0.0, 0.0], excess])
    return 1.0 + 0.25 * (padded[2:] + 0.6 * padded[1:-1] + 0.3 * padded[:-2])
