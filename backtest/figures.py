"""The figures of a backtest: per policy, with intervals over buyers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from . import again
from .again import Again
from .bootstrap import Figure, Floats, Sums, median_of
from .columns import micros_of
from .history import History
from .judged import Buyers, Judged
from .outcomes import BEARERS, HOUR_US, Outcomes
from .taken import DAY_US

TOTALS: Final = (
    *("requests", "before", "auto", "reviews_saved", "hours_saved", "disputes_avoided", "reviews_added"),
    *(
        "differs",
        "contradicted",
        "not_asked",
        "unknown",
        "loss_fen",
        "worst_fen",
        *(f"loss_{bearer}_fen" for bearer in BEARERS),
    ),
    *("auto_fen", "loss_auto_fen", "worst_auto_fen", "revoked", "revoked_by_rules"),
)
RATIOS: Final = {
    "auto_share": ("auto", "requests"),
    "auto_share_in_scope": ("auto", "before"),
    "loss_rate": ("loss_auto_fen", "auto_fen"),
    "worst_loss_rate": ("worst_auto_fen", "auto_fen"),
}
"""Part and whole."""
TOTALS_OF_TRUTH: Final = (
    *("abuser_auto_fen", "abusers", "caught", "caught_by_rules", "caught_by_log", "unseen_abusers"),
    *("revoked_abusers", "revoked_abusers_by_rules", "good_restricted", "good_restricted_by_rules"),
    "good_days",
)
RATIOS_OF_TRUTH: Final = {
    "good_served": ("good_auto", "good_before"),
    "abuser_served": ("abuser_auto", "abuser_before"),
    "caught_share": ("caught", "abusers"),
    "caught_by_rules_share": ("caught_by_rules", "abusers"),
    "revocation_precision": ("revoked_abusers", "revoked"),
    "revocation_precision_by_rules": ("revoked_abusers_by_rules", "revoked_by_rules"),
}
"""These are told only where it is known who abuses."""


@dataclass(frozen=True)
class Scene:
    """A history with all policies' decisions on it, and the sums that the figures are made of."""

    history: History
    outcomes: Outcomes
    buyers: Buyers
    judged: Sequence[Judged]
    sums: Sums
    outcome: Again | None = None

    @classmethod
    def of(
        cls,
        history: History,
        outcomes: Outcomes,
        buyers: Buyers,
        judged: Sequence[Judged],
        *,
        outcome: Again | None = None,
        seed: int = 0,
    ) -> Scene:
        """Add everything up by buyer; ``outcome`` where that is who cancels again."""
        columns = {
            f"{n}/{name}": values
            for n, one in enumerate(judged)
            for name, values in columns_of(outcomes, buyers, one, outcome).items()
        }
        return cls(history, outcomes, buyers, judged, Sums(columns, seed=seed), outcome)

    @property
    def served(self) -> str:
        """Which ratio says whom a policy serves: the honest, where it is known who they are."""
        if self.outcome is not None:
            return "not_again_served"
        return "auto_share_in_scope" if self.buyers.truth is None else "good_served"

    @property
    def cost(self) -> str:
        """Which ratio says what that costs."""
        return "worst_loss_rate" if self.outcome is None else "again_of_auto"

    def figures(self, n: int) -> dict[str, Figure]:
        """Give the figures of the n-th policy."""
        told = self.buyers.truth is not None
        totals = (*TOTALS, *(TOTALS_OF_TRUTH if told else ()), *(again.TOTALS if self.outcome else ()))
        found = {name: self.sums.total(f"{n}/{name}") for name in totals}
        found |= {name: self.sums.ratio(f"{n}/{a}", f"{n}/{b}") for name, (a, b) in self.ratios.items()}
        if not self.outcomes.knows_waiting:
            found["hours_saved"] = Figure(None)
        return found | (medians(self, n) if told else {})

    def gaps(self, n: int) -> dict[str, Figure]:
        """Give how much the n-th policy's ratios exceed the first's, on the same buyers."""
        return {
            name: self.sums.gap((f"{n}/{a}", f"{n}/{b}"), (f"0/{a}", f"0/{b}"))
            for name, (a, b) in self.ratios.items()
        }

    @property
    def ratios(self) -> dict[str, tuple[str, str]]:
        """The ratios that can be told here: name, part and whole."""
        of_truth = RATIOS_OF_TRUTH if self.buyers.truth is not None else {}
        return RATIOS | of_truth | (again.RATIOS if self.outcome else {})


def columns_of(
    outcomes: Outcomes, buyers: Buyers, one: Judged, outcome: Again | None = None
) -> dict[str, Floats]:
    """Add up by buyer what the figures of a policy are made of."""
    parts = (
        *_by_request(outcomes, buyers, one),
        *_by_buyer(buyers, one),
        *_by_outcome(outcomes, buyers, one, outcome),
    )
    return dict(parts)


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
    yield "contradicted", add(o.before & o.contradicted(auto))
    yield "not_asked", add(o.before & o.not_asked(auto))
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


def _by_outcome(
    o: Outcomes, buyers: Buyers, one: Judged, found: Again | None
) -> Iterator[tuple[str, Floats]]:
    if found is not None:
        yield from ((name, buyers.summed(of)) for name, of in found.counted(o.before, one.auto))


def _by_buyer(buyers: Buyers, one: Judged) -> Iterator[tuple[str, Floats]]:
    bad, good, taken = buyers.abuser, buyers.honest, one.taken
    own, revoked, own_revoked = (
        taken.ever & ~taken.by_log,
        taken.revoked,
        taken.revoked & ~taken.revoked_by_log,
    )
    counted = {
        "abusers": bad,
        "caught": bad & taken.ever,
        "caught_by_rules": bad & own,
        "caught_by_log": bad & taken.ever & taken.by_log,
        "unseen_abusers": bad & ~taken.ever & (buyers.summed(one.auto) > 0),
        "revoked": revoked,
        "revoked_by_rules": own_revoked,
        "revoked_abusers": revoked & buyers.ever_abuser,
        "revoked_abusers_by_rules": own_revoked & buyers.ever_abuser,
        "good_restricted": good & taken.ever,
        "good_restricted_by_rules": good & own,
    }
    yield from ((name, who.astype(float)) for name, who in counted.items())
    yield "good_days", np.where(good, taken.days, 0.0)


def medians(scene: Scene, n: int) -> dict[str, Figure]:
    """Days and yuan from an abuser's first abuse until the revocation, of those that came meanwhile.

    What was refunded before the abuse, or on probation after it, is not in the yuan.
    """
    buyers, taken = scene.buyers, scene.judged[n].taken
    who = buyers.abuser & taken.revoked & (buyers.since <= taken.revoked_at)
    own = who & ~taken.revoked_by_log
    days = np.maximum(taken.revoked_at - buyers.starts, 0) / DAY_US
    asked, of = micros_of(scene.history.requests["requested_at"]), buyers.of_request
    meanwhile = (buyers.starts[of] <= asked) & (asked <= taken.revoked_at[of])
    paid = buyers.summed(np.where(scene.judged[n].auto & meanwhile, scene.outcomes.fen, 0))
    return {
        "days_until_revoked": median_of(days[who]),
        "days_until_revoked_by_rules": median_of(days[own]),
        "fen_until_revoked": median_of(paid[who]),
        "good_days_each": median_of(taken.days[buyers.honest & taken.ever]),
    }
