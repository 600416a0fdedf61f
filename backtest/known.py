"""What a loop of decisions is told between them, by whoever knows: a history, or a market that goes on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from decisions.caps import Fact
from decisions.request import BuyerEvidence, OrderEvidence, RefundRequest, ShopEvidence
from decisions.standing import Signal
from models.buyer_score import BuyerScore
from models.deciding.sweeping import PeerVerdict

from .night_scores import Reads

Answered: TypeAlias = tuple[int, str, int, str | None]
"""When an answer became known, its kind, its fen and the order that it names."""


@dataclass(slots=True)
class Turn:
    """One request with what is known when it comes; ``place`` is its row among the history's requests."""

    place: int
    request: RefundRequest
    order: OrderEvidence
    buyer: BuyerEvidence


class Known(Protocol):
    """What becomes known between requests, told to a loop in order; what was told before is counted."""

    def signals_before(self, turn: Turn, heard: int) -> Sequence[Signal | None]:
        """Give what a standing hears before a request, after the first ``heard``."""

    def heard_between(self, since: int, until: int) -> Iterable[str]:
        """Name the buyers of whom a standing hears something recorded in ``[since, until)``."""

    def signals_until(self, buyer_id: str, heard: int, until: int) -> Sequence[Signal | None]:
        """Give what a standing hears that was recorded before ``until``, after the first ``heard``."""

    def linked(self, until: int) -> Mapping[str, Sequence[PeerVerdict]]:
        """Give, by buyer, the verdicts by then on accounts that share a link."""

    def shops(self, at: int) -> Mapping[str, ShopEvidence]:
        """Give what is measured of shops at an instant."""

    def scores(self, at: int, score: BuyerScore) -> Reads:
        """Read everybody's score at an instant."""

    def facts_before(self, turn: Turn, told: int) -> Sequence[Fact]:
        """Give what a ledger is told before a request, after the first ``told`` of its month."""

    def losses_before(self, until: int, lost: int) -> Sequence[tuple[int, str]]:
        """Give when after-sales were found shipped before ``until``, after the first ``lost``."""

    def found_at(self, case: str) -> int | None:
        """Tell when an after-sale is found shipped, as far as is known: None if never."""

    def refused_and_disputed(self, case: str) -> bool:
        """Tell whether history refused an after-sale, or it was withdrawn, and a dispute followed."""

    def asked_again(self, order: str) -> bool:
        """Tell whether an order may be asked about more than once."""

    def answers(self, buyer_id: str, case: str) -> Sequence[Answered]:
        """Give the answers to a request about such an order."""
