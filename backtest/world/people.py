"""The people behind the accounts: who gave one account up and opened another is one person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..bootstrap import Figure, Floats, median_of
from ..columns import Ints, places_of
from ..figures import Scene
from ..outcomes import HOUR_US
from ..taken import DAY_US

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class People:
    """Whose each account is.

    Attributes
    ----------
    of : int64 (n_accounts,)
        The person, numbered by first accounts: they are the same in all worlds of a seed.
    count : int
        How many people there are.
    opened : bool (n_accounts,)
        Opened in place of another.
    """

    of: Ints
    count: int
    opened: Bools

    @classmethod
    def behind(cls, buyer_ids: pa.Array, person_ids: pa.Array) -> People:
        """Take the truth's accounts and the first account of the person behind each."""
        first = pc.equal(buyer_ids, person_ids).to_numpy(zero_copy_only=False)
        own = buyer_ids.filter(pa.array(first))
        return cls(places_of(person_ids, own), len(own), ~first)

    def summed(self, values: npt.NDArray[np.generic]) -> Floats:
        """Add a value of accounts up by person."""
        weights = values.astype(np.float64)
        return np.bincount(self.of, weights=weights, minlength=self.count).astype(np.float64)

    def earliest(self, values: Ints, who: Bools) -> Ints:
        """Take the least value of each person's accounts among ``who``; the largest number without any."""
        found = np.full(self.count, np.iinfo(np.int64).max)
        np.minimum.at(found, self.of[who], values[who])
        return found

    def latest(self, values: Ints, who: Bools) -> Ints:
        """Take the greatest value of each person's accounts among ``who``; -1 without any."""
        found = np.full(self.count, -1, np.int64)
        np.maximum.at(found, self.of[who], values[who])
        return found


def columns_of_people(scene: Scene, people: People, columns: dict[str, Floats]) -> dict[str, Floats]:
    """Add everything up by person: the columns of accounts, and what only a lived market tells.

    Parameters
    ----------
    columns : dict
        Of `figures.columns_of`.
    """
    o, one, buyers = scene.outcomes, scene.judged[0], scene.buyers
    new = people.opened[buyers.of_request]
    own = {
        "reviews": buyers.summed(o.before & ~one.auto),
        "hours_waited": buyers.summed(np.where(o.before & o.by_person, o.answered_us / HOUR_US, 0.0)),
        "disputes": buyers.summed(o.before & o.disputed),
        "new_accounts": people.opened.astype(float),
        "new_before": buyers.summed(o.before & new),
        "new_auto_fen": buyers.summed(np.where(one.auto & new, o.fen, 0)),
    }
    found = {name: people.summed(values) for name, values in (columns | own).items()}
    abuse = found["abusers"] > 0
    who = {
        "people": abuse,
        "people_revoked": abuse & (found["revoked"] > 0),
        "people_back": abuse & (found["new_accounts"] > 0),
    }
    return found | {name: values.astype(float) for name, values in who.items()}


def medians_of_people(scene: Scene, people: People) -> dict[str, Figure]:
    """Yuan and days that the people revoked with any account cost in all, whatever account they used."""
    buyers, one, o = scene.buyers, scene.judged[0], scene.outcomes
    revoked = buyers.abuser & one.taken.revoked & (buyers.since <= one.taken.revoked_at)
    who = people.summed(revoked) > 0
    began = people.earliest(buyers.starts, buyers.abuser)
    asked = scene.history.requests["requested_at"].cast(pa.int64()).to_numpy()
    abusing = one.auto & buyers.abuser[buyers.of_request] & (asked >= buyers.starts[buyers.of_request])
    last = np.full(len(buyers.ids), -1, np.int64)
    np.maximum.at(last, buyers.of_request[abusing], asked[abusing])
    ended = people.latest(last, buyers.abuser)
    fen = people.summed(buyers.summed(np.where(abusing, o.fen, 0)))
    paid = who & (ended >= 0)
    return {
        "person_fen": median_of(fen[who]),
        "person_days": median_of((ended - began)[paid] / DAY_US),
    }
