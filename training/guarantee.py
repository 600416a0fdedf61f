"""The most generous cut-off whose risks stay within a budget, with a finite-sample guarantee.

Learn-then-Test (Angelopoulos, Bates, Candès, Jordan & Lei 2021, arXiv:2110.01052): every candidate cut-off
is a null hypothesis "its risk is above the budget". Each gets a p-value that is valid for any number of
rows, and candidates are tested from the strictest to the most generous until the first that cannot be
rejected: fixed sequence testing with several starts, each with its part of ``delta`` (their Algorithm 1),
which keeps the chance of a single false rejection below ``delta``. Whichever rejected candidate is then
chosen is safe (their Theorem 1). Where two risks have budgets, a candidate's p-value is the larger of both,
since the null is that either is too high. Several starts, because among few strictly approved buyers nothing
can be proven, and a single sequence would end there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, binom

from features.errors import BadInput

Floats = NDArray[np.float64]

GRID: Final = tuple(float(points) for points in range(895, 600, -5))
"""Cut-offs that may be chosen, strictest first; fixed before any data is seen."""
STARTS: Final = (0.25, 0.5, 0.75, 0.95)
"""A sequence starts at the first candidate that lets through so large a share of the eligible."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What may go wrong among the approved.

    Attributes
    ----------
    abuser_rate : float
        Share of abusers among the approved buyers.
    loss_per_yuan : float
        Lost yuan per refunded yuan of the approved buyers.
    confidence : float
        Chance, over histories like this one, that the chosen cut-off keeps both.
    buyer_limit_fen : int
        A buyer counts with at most so much refunded value, the notice's cap for one order: amounts beyond
        are scaled down, loss and refund alike. Only a bounded loss can be guaranteed.
    """

    abuser_rate: float = 0.01
    loss_per_yuan: float = 0.05
    confidence: float = 0.95
    buyer_limit_fen: int = 30_000

    def __post_init__(self) -> None:
        rates = {"abuser_rate": self.abuser_rate, "loss_per_yuan": self.loss_per_yuan}
        for name, value in (rates | {"confidence": self.confidence}).items():
            if not 0.0 < value < 1.0:
                raise BadInput(f"the budget's {name} is {value}: give a number between 0 and 1")
        if self.buyer_limit_fen <= 0:
            raise BadInput(f"the budget's buyer_limit_fen is {self.buyer_limit_fen}: give more than 0 fen")

    @property
    def delta(self) -> float:
        """Chance of a wrong promise."""
        return 1.0 - self.confidence


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """What came of buyers after they were scored, one row per buyer: buyers are what is exchangeable.

    Attributes
    ----------
    points : ndarray of shape (n,)
        Score at the snapshot.
    eligible : ndarray of shape (n,), bool
        Enough history and no standing confirmation: who could be a quality user at all.
    abuser : ndarray of shape (n,), bool
    refunded_fen, lost_fen : ndarray of shape (n,)
        Refunds that the policy would have granted unseen, and what of it was lost; lost ≤ refunded.
    """

    points: Floats
    eligible: NDArray[np.bool_]
    abuser: NDArray[np.bool_]
    refunded_fen: Floats
    lost_fen: Floats


@dataclass(frozen=True, kw_only=True)
class Tested:
    """One candidate: who would have been approved, what came of it, and the test.

    `abuser_rate_high` and `p_value` are one-sided at the budget's confidence.
    """

    cut_off: float
    approved: int
    abusers: int
    abuser_rate_high: float
    refunders: int
    loss_per_yuan: float | None
    p_abusers: float
    p_loss: float

    @property
    def p_value(self) -> float:
        """Of the null that either risk is above its budget (intersection-union test)."""
        return max(self.p_abusers, self.p_loss)


@dataclass(frozen=True, kw_only=True)
class Guarantee:
    """The cut-off that keeps the budget, or None: approve nobody.

    Attributes
    ----------
    tested : tuple of Tested
        Every candidate that was tested, strictest first.
    n : int
        Eligible buyers that it rests on.
    words : str
        The result as a sentence.
    """

    budget: Budget
    cut_off: float | None
    n: int
    tested: tuple[Tested, ...]
    words: str


def guaranteed_cut_off(
    outcomes: Outcomes,
    *,
    budget: Budget,
    shares: Sequence[float],
    candidates: Sequence[float] = GRID,
    places: Sequence[float] | None = None,
) -> Guarantee:
    """Choose the most generous cut-off that the outcomes prove to be within the budget.

    Parameters
    ----------
    outcomes : Outcomes
        Buyers drawn like those to come, not used to fit the score.
    shares : sequence of float, one per candidate
        Share of eligible buyers at or above each candidate, *on other rows than these*: they decide where
        the sequence starts, and a start must not depend on the data tested.
    candidates : sequence of float
        Cut-offs in points, falling.
    places : sequence of float, one per candidate, optional
        What the candidates are told as, where they lie elsewhere on the scale that is used afterwards.
    """
    n, level = int(outcomes.eligible.sum()), budget.delta / len(STARTS)
    tested: dict[int, Tested] = {}
    kept: set[int] = set()
    for start in _starts(shares):
        for i in range(start, len(candidates)):
            tested[i] = tested.get(i) or _test(outcomes, candidates[i], budget=budget)
            if tested[i].p_value > level:
                break
            kept.add(i)
    told = {i: replace(tested[i], cut_off=(places or candidates)[i]) for i in sorted(tested)}
    lines, found = tuple(told.values()), told[max(kept)] if kept else None
    return Guarantee(
        budget=budget,
        cut_off=found.cut_off if found else None,
        n=n,
        tested=lines,
        words=_words(found, lines, n=n, budget=budget),
    )


def fewest_rows(budget: Budget) -> int:
    """Count the approved buyers without a single abuser that prove the rate: ln δ / ln(1 − α)."""
    return int(np.ceil(np.log(budget.delta / len(STARTS)) / np.log1p(-budget.abuser_rate)))


def binomial_p_value(hits: int, n: int, *, budget: float) -> float:
    """P(Binomial(n, budget) ≤ hits): valid for the mean of 0/1 losses.

    The Hoeffding–Bentkus p-value (Angelopoulos et al. 2021, section 2) is min(exp(−n h₁(R̂ ∧ α, α)),
    e · P(Binomial(n, α) ≤ ⌈n R̂⌉)). Losses that are 0 or 1 need neither the first term nor the factor e.
    """
    return float(binom.cdf(hits, n, budget)) if n else 1.0


def betting_p_value(losses: Floats, *, mean: float, delta: float) -> float:
    """Test "the mean of losses in [0, 1] is at least `mean`" by betting against it.

    A bettor puts a stake λ_i, chosen from earlier rows alone, on each loss being small: the capital
    Π (1 − λ_i (x_i − mean)) is a supermartingale under the null, so one over its largest value is a p-value
    (Ville). The capital process and the stakes √(2 ln(1/δ) / (n σ̂²)) are those of Waudby-Smith & Ramdas
    (2024, section 4, "Estimating means of bounded random variables by betting"). It uses how little the
    losses vary, which Hoeffding–Bentkus cannot, and so needs far fewer rows.

    Parameters
    ----------
    losses : ndarray of shape (n,)
        In an order that does not depend on their values.
    """
    n = len(losses)
    if n == 0:
        return 1.0
    counts = np.arange(1, n + 1)
    means = (0.5 + np.cumsum(losses)) / (counts + 1)
    spread = (0.25 + np.cumsum((losses - means) ** 2)) / (counts + 1)
    before = np.append(0.25, spread[:-1])
    stakes = np.minimum(np.sqrt(2 * np.log(1 / delta) / (n * before)), 0.9 / (1 - mean))
    capital = np.cumsum(np.log1p(-stakes * (losses - mean)))
    return float(min(1.0, np.exp(-capital.max())))


def _starts(shares: Sequence[float]) -> list[int]:
    """Find, for each start, the first candidate that lets enough through; none where no candidate does."""
    found = [next((i for i, share in enumerate(shares) if share >= start), None) for start in STARTS]
    return sorted({i for i in found if i is not None})


def _test(outcomes: Outcomes, cut_off: float, *, budget: Budget) -> Tested:
    approved = outcomes.eligible & (outcomes.points >= cut_off)
    n, abusers = int(approved.sum()), int(outcomes.abuser[approved].sum())
    spent = approved & (outcomes.refunded_fen > 0)
    refunded, lost = outcomes.refunded_fen[spent], outcomes.lost_fen[spent]
    scale = np.minimum(1.0, budget.buyer_limit_fen / refunded) / budget.buyer_limit_fen
    refunded, lost = refunded * scale, lost * scale
    beta_ = budget.loss_per_yuan
    # lost - budget * refunded lies in [-budget, 1 - budget]; moved to [0, 1] its mean must be below `budget`
    return Tested(
        cut_off=cut_off,
        approved=n,
        abusers=abusers,
        abuser_rate_high=float(beta.ppf(1 - budget.delta, abusers + 1, n - abusers)) if abusers < n else 1.0,
        refunders=int(spent.sum()),
        loss_per_yuan=float(lost.sum() / refunded.sum()) if len(lost) else None,
        p_abusers=binomial_p_value(abusers, n, budget=budget.abuser_rate),
        p_loss=betting_p_value(lost - beta_ * refunded + beta_, mean=beta_, delta=budget.delta),
    )


def _words(found: Tested | None, tested: Sequence[Tested], *, n: int, budget: Budget) -> str:
    promise = (
        f"at most {budget.abuser_rate:.2%} abusers among the approved and {budget.loss_per_yuan:.2%} lost "
        f"per refunded yuan, at {budget.confidence:.0%} confidence"
    )
    if found:
        return (
            f"quality from {found.cut_off:.4g} points keeps {promise}: {found.approved} of {n} buyers with "
            f"enough history approved, {found.abusers} abusers among them"
        )
    if n < fewest_rows(budget):
        why = f"{n} buyers with enough history are too few, {fewest_rows(budget)} approved ones are needed"
    elif not tested:
        why = "the rows learned from hold nobody with enough history"
    else:
        at = min(tested, key=lambda t: t.p_value)
        why = (
            f"at {at.cut_off:.0f} points, which comes nearest, {at.abusers} of {at.approved} approved are "
            f"abusers (p = {at.p_abusers:.3f}) and {at.loss_per_yuan or 0:.2%} of {at.refunders} buyers' "
            f"refunds are lost (p = {at.p_loss:.3f}); each p must be at most {budget.delta / len(STARTS):.4f}"
        )
    return f"no cut-off proves {promise}: approve nobody; {why}"
