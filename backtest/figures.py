"""The figures of a backtest: per policy, with intervals over buyers, over time, by slice and by archetype."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from .bootstrap import Figure, Floats, Sums, divided, median_of
from .history import History
from .judged import DAY_US, Buyers, Judged
from .outcomes import BEARERS, HOUR_US, Outcomes

BANDS_FEN: Final = (0, 10_000, 20_000, 30_000)
MOST_SLICES: Final = 12
TOTALS: Final = (
    *("requests", "auto", "reviews_saved", "hours_saved", "disputes_avoided", "reviews_added"),
    *("differs", "unknown", "loss_fen", "worst_fen", *(f"loss_{bearer}_fen" for bearer in BEARERS)),
    *("auto_fen", "abuser_auto_fen", "abusers", "caught", "revoked", "revoked_abusers", "good_restricted"),
    *("good_days", "unseen_abusers"),
)
RATIOS: Final = {
    "auto_share": ("auto", "requests"),
    "auto_share_in_scope": ("auto", "before"),
    "good_served": ("good_auto", "good_before"),
    "abuser_served": ("abuser_auto", "abuser_before"),
    "loss_rate": ("loss_auto_fen", "auto_fen"),
    "worst_loss_rate": ("worst_auto_fen", "auto_fen"),
    "caught_share": ("caught", "abusers"),
    "revocation_precision": ("revoked_abusers", "revoked"),
}
"""Part and whole."""


@dataclass(frozen=True)
class Scene:
    """A history with all policies' decisions on it, and the sums that the figures are made of."""

    history: History
    outcomes: Outcomes
    buyers: Buyers
    judged: Sequence[Judged]
    sums: Sums

    @classmethod
    def of(
        cls, history: History, outcomes: Outcomes, buyers: Buyers, judged: Sequence[Judged], *, seed: int = 0
    ) -> Scene:
        """Add everything up by buyer."""
        columns = {
            f"{n}/{name}": values
            for n, one in enumerate(judged)
            for name, values in (*_by_request(outcomes, buyers, one), *_by_buyer(buyers, one))
        }
        return cls(history, outcomes, buyers, judged, Sums(columns, seed=seed))

    @property
    def served(self) -> str:
        """Which ratio says whom a policy serves: the honest, where it is known who they are."""
        return "auto_share_in_scope" if self.buyers.truth is None else "good_served"

    def figures(self, n: int) -> dict[str, Figure]:
        """Give the figures of the n-th policy."""
        found = {name: self.sums.total(f"{n}/{name}") for name in TOTALS}
        found |= {name: self.sums.ratio(f"{n}/{a}", f"{n}/{b}") for name, (a, b) in RATIOS.items()}
        return found | _until_revoked(self.buyers, self.judged[n], self.outcomes)

    def gaps(self, n: int) -> dict[str, Figure]:
        """Give how much the n-th policy's ratios exceed the first's, on the same buyers."""
        return {
            name: self.sums.gap((f"{n}/{a}", f"{n}/{b}"), (f"0/{a}", f"0/{b}"))
            for name, (a, b) in RATIOS.items()
        }


def _by_request(o: Outcomes, buyers: Buyers, one: Judged) -> Iterator[tuple[str, Floats]]:
    auto, fen, add = one.auto, o.fen, buyers.summed
    saved, good = auto & o.by_person, buyers.honest[buyers.of_request]
    bad = buyers.abuser[buyers.of_request]
    yield "requests", add(np.ones(len(auto)))
    yield "before", add(o.before)
    yield "auto", add(auto)
    yield "auto_fen", add(np.where(auto, fen, 0))
    yield "reviews_saved", add(saved)
    yield "reviews_added", add(~auto & o.auto)
    yield "hours_saved", add(np.where(saved, o.answered_us / HOUR_US, 0.0))
    yield "disputes_avoided", add(saved & o.disputed & ~o.found_shipped)
    yield "differs", add(o.before & (auto != o.auto))
    yield "unknown", add(one.losses.unknown)
    yield "loss_fen", add(one.losses.total)
    yield "worst_fen", add(one.losses.total + one.losses.worst)
    yield "loss_auto_fen", add(np.where(auto, one.losses.total, 0))
    yield "worst_auto_fen", add(np.where(auto, one.losses.total + one.losses.worst, 0))
    for bearer in BEARERS:
        yield f"loss_{bearer}_fen", add(one.losses.known[bearer])
    yield "good_before", add(o.before & good)
    yield "good_auto", add(auto & good)
    yield "abuser_before", add(o.before & bad)
    yield "abuser_auto", add(auto & bad)
    yield "abuser_auto_fen", add(np.where(auto & bad, fen, 0))


def _by_buyer(buyers: Buyers, one: Judged) -> Iterator[tuple[str, Floats]]:
    until, bad, good = buyers.until, buyers.abuser, buyers.honest
    revoked = one.revoked_at < until
    taken = one.taken_at < until
    served = buyers.summed(one.auto) > 0
    yield "abusers", bad.astype(float)
    yield "caught", (bad & taken).astype(float)
    yield "unseen_abusers", (bad & ~taken & served).astype(float)
    yield "revoked", revoked.astype(float)
    yield "revoked_abusers", (revoked & ~good).astype(float)
    yield "good_restricted", (good & taken).astype(float)
    yield "good_days", np.where(good, one.taken_days, 0.0)


def _until_revoked(buyers: Buyers, one: Judged, o: Outcomes) -> dict[str, Figure]:
    """Days and yuan from an abuser's first abuse until the revocation, of those that came meanwhile."""
    who = buyers.abuser & (buyers.since <= one.revoked_at) & (one.revoked_at < buyers.until)
    days = np.maximum(one.revoked_at - buyers.starts, 0)[who] / DAY_US
    paid = np.where(one.auto, o.fen, 0)
    return {
        "days_until_revoked": median_of(days),
        "fen_until_revoked": median_of(buyers.summed(paid)[who]),
        "good_days_each": median_of(one.taken_days[buyers.honest & (one.taken_at < buyers.until)]),
    }


def by_archetype(scene: Scene, n: int) -> list[dict[str, Any]]:
    """Count what became of the abusers of each kind, and of the honest kinds that must not be punished."""
    buyers, one = scene.buyers, scene.judged[n]
    if buyers.truth is None:
        return []
    kinds = np.array(buyers.truth.archetype, dtype=object)
    seen = len(kinds)
    asked = buyers.summed(scene.outcomes.before)[:seen]
    auto = buyers.summed(one.auto)[:seen]
    fen = buyers.summed(np.where(one.auto, scene.outcomes.fen, 0))[:seen]
    rows = []
    for kind in sorted(set(kinds.tolist())):
        of = kinds == kind
        who = of & (buyers.abuser[:seen] | ~buyers.truth.is_abuser)
        revoked = who & (one.revoked_at[:seen] < buyers.until)
        timed = revoked & (one.revoked_at[:seen] >= buyers.since)
        days = np.maximum(one.revoked_at - buyers.starts, 0)[:seen][timed] / DAY_US
        abuses = bool(buyers.truth.is_abuser[of].any())
        rows.append(
            {
                "archetype": kind,
                "abuses": abuses,
                "buyers": int(who.sum()),
                "caught": int((who & (one.taken_at[:seen] < buyers.until)).sum()),
                "days_until_revoked": float(np.median(days)) if abuses and len(days) else None,
                "requests": int(asked[who].sum()),
                "auto": int(auto[who].sum()),
                "auto_fen": int(fen[who].sum()),
            }
        )
    return sorted(rows, key=lambda row: (not row["abuses"], -row["auto_fen"]))


def over_time(scene: Scene, n: int) -> list[dict[str, Any]]:
    """Give the figures of every month."""
    names = scene.history.requests["requested_at"].to_numpy().astype("datetime64[M]").astype(str)
    revoked = scene.judged[n].revoked_at
    days = revoked[revoked < scene.buyers.until].astype("datetime64[us]")
    months = days.astype("datetime64[M]").astype(str)
    rows = _groups(scene, n, names, "month")
    return [row | {"revoked": int((months == row["month"]).sum())} for row in rows]


def by_slice(scene: Scene, n: int) -> dict[str, list[dict[str, Any]]]:
    """Give the figures of requests alike: by amount, category, goods, tier."""
    requests = scene.history.requests
    band = np.searchsorted(BANDS_FEN, requests["paid_amount_fen"].to_numpy(), side="right") - 1
    words = [f"{a // 100}–{b // 100} yuan" for a, b in pairwise(BANDS_FEN)]
    bands = np.array([*words, f"{BANDS_FEN[-1] // 100} yuan and more"], dtype=object)[band]
    columns = {
        "amount": bands,
        "category": pc.fill_null(requests["category_id"], "none").to_numpy(zero_copy_only=False),
        "goods": requests["goods_type"].to_numpy(zero_copy_only=False),
        "tier": scene.judged[n].tier,
    }
    return {name: _groups(scene, n, values, name)[:MOST_SLICES] for name, values in columns.items()}


def _groups(scene: Scene, n: int, keys: npt.NDArray[Any], name: str) -> list[dict[str, Any]]:
    one, o = scene.judged[n], scene.outcomes
    found, group = np.unique(keys.astype(str), return_inverse=True)
    columns = {
        "requests": np.ones(len(group)),
        "auto": one.auto,
        "auto_fen": np.where(one.auto, o.fen, 0),
        "loss_fen": one.losses.total,
        "worst_fen": one.losses.total + one.losses.worst,
        "unknown": one.losses.unknown,
        "hours_saved": np.where(one.auto & o.by_person, o.answered_us / HOUR_US, 0.0),
    }
    sums: dict[str, Floats] = {
        k: np.bincount(group, weights=v.astype(float)).astype(np.float64) for k, v in columns.items()
    }
    share = divided(sums["auto"], sums["requests"])
    rows = [
        {name: str(key), "auto_share": float(share[g])}
        | {k: float(v[g]) if k == "hours_saved" else int(v[g]) for k, v in sums.items()}
        for g, key in enumerate(found)
    ]
    return rows if name == "month" else sorted(rows, key=lambda row: -int(row["requests"]))
