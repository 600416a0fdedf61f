"""The lot: a stated share of what would be refunded at once goes to a person, with a known probability.

It only ever withholds a refund, it never makes one, so whoever passes by it passed every other rule. What
people find in the requests that it holds tells what the others would have shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from .case import Case, Verdict

CODE: Final = "exploration"
_BITS: Final = 53


def drawn(seed: int, after_sale_id: str) -> float:
    """Draw from [0, 1), always the same for a seed and an after-sale: of their SHA-256 the first 53 bits."""
    digest = hashlib.sha256(f"{seed}:{after_sale_id}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / 2.0**_BITS


def exploration(case: Case) -> Verdict:
    """Whom the lot meets goes to a person."""
    share, seed = case.policy.exploration.review_share or 0.0, case.policy.exploration.seed or 0
    lot = drawn(seed, case.request.after_sale_id)
    return Verdict(CODE, lot >= share, f"drew {lot:.6f} by seed {seed}, below {share:g} a person looks")


def propensity(failed: Sequence[Verdict], review_share: float) -> float:
    """Give the probability of the outcome: the lot decides only where every other rule passed."""
    if any(verdict.code != CODE for verdict in failed):
        return 1.0
    return review_share if failed else 1.0 - review_share
