"""What abusers have felt of the platform's answers, account by account.

Only refunds of their scripted orders before shipment teach them. One at once: amounts up to this one pass.
One by hand, above all that passed: the amount was too high, so they stay below it from then on. One by hand
although as much had passed before: they were too quick, so they halve their pace. As many by hand in a row
as their patience bears: they halve their pace, too; after twice as many, or when they learn with any answer
that the account's eligibility is taken away, they give it up.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from .draws import Bools, Ints
from .plan import Cases
from .vocabulary import STAGE

NO_LIMIT: Final = np.iinfo(np.int64).max


class Minds:
    """Arrays over accounts; what is new since ``forget`` stands in ``moved``, ``slower`` and ``leaves``.

    Attributes
    ----------
    limit
        Lowest amount in fen that was too high; inherited by accounts opened in place of others.
    moved, slower, leaves
        The limit fell, the pace is halved, the account is given up.
    """

    def __init__(self, is_abuser: Bools, patience: Ints) -> None:
        n = len(patience)
        self._is_abuser, self._patience = is_abuser, patience
        self._passed, self._in_a_row = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._gone = np.zeros(n, np.bool_)
        self.limit = np.full(n, NO_LIMIT)
        self.forget()

    def forget(self) -> None:
        """Be done with what is new."""
        self.moved, self.slower, self.leaves = (np.zeros(len(self._gone), np.bool_) for _ in range(3))

    def feel(self, cases: Cases, *, auto: Bools, revoked: Bools) -> None:
        """Learn from the answers to cases of which no two are of one account."""
        who = cases.buyer
        self.leaves[who] |= revoked & self._is_abuser[who] & ~self._gone[who]
        own = cases.scripted & (cases.stage == STAGE["before_shipment"]) & ~self._gone[who]
        at_once, by_hand = own & auto, own & ~auto
        self._passed[who[at_once]] = np.maximum(self._passed[who[at_once]], cases.paid_fen[at_once])
        self._in_a_row[who[at_once]] = 0
        self._feel_by_hand(who[by_hand], cases.paid_fen[by_hand])

    def _feel_by_hand(self, who: Ints, fen: Ints) -> None:
        self._in_a_row[who] += 1
        dear = fen > self._passed[who]
        self.moved[who] |= dear & (fen < self.limit[who])
        self.limit[who] = np.where(dear, np.minimum(self.limit[who], fen), self.limit[who])
        self.slower[who] |= ~dear | (self._in_a_row[who] == self._patience[who])
        self.leaves[who] |= self._in_a_row[who] >= 2 * self._patience[who]

    def give_up(self, accounts: Ints) -> None:
        """Learn nothing more with these accounts."""
        self._gone[accounts] = True

    def grow(self, parents: Ints) -> None:
        """Add accounts of those who gave up others."""
        new = np.zeros(len(parents), np.int64)
        self._is_abuser = np.append(self._is_abuser, np.ones(len(parents), np.bool_))
        self._patience = np.append(self._patience, self._patience[parents])
        self._passed, self._in_a_row = np.append(self._passed, new), np.append(self._in_a_row, new)
        self._gone = np.append(self._gone, new.astype(np.bool_))
        self.limit = np.append(self.limit, self.limit[parents])
        self.forget()
