"""The figures of policies that each lived in a market of their own, with intervals over the same people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ..bootstrap import Figure, Sums
from ..figures import RATIOS, RATIOS_OF_TRUTH, TOTALS, TOTALS_OF_TRUTH, Scene, columns_of, medians
from ..judged import Buyers, judge
from ..outcomes import HOUR_US, outcomes_of
from ..slices import over_time
from .living import Lived
from .people import People, columns_of_people, medians_of_people

OWN: Final = (
    *("reviews", "hours_waited", "disputes", "people", "people_revoked", "people_back"),
    *("new_accounts", "new_before", "new_auto_fen", "abuser_before"),
)
"""What only a lived market tells."""
ABSENT: Final = (
    *("reviews_saved", "hours_saved", "reviews_added", "disputes_avoided", "differs"),
    *("contradicted", "not_asked"),
)
"""What compares with another history: there is none."""
_TOTALS: Final = tuple(name for name in (*TOTALS, *TOTALS_OF_TRUTH, *OWN) if name not in ABSENT)


@dataclass(frozen=True)
class Worlds:
    """What came of each policy in its world; the people are the same in all, so one draw serves all."""

    lives: Sequence[Lived]
    scenes: Sequence[Scene]
    people: Sequence[People]
    sums: Sums

    @classmethod
    def of(cls, lives: Sequence[Lived], *, seed: int = 0) -> Worlds:
        """Judge every world and add everything up by person."""
        scenes, people, columns = [], [], {}
        for n, one in enumerate(lives):
            outcomes, buyers = outcomes_of(one.run.history), Buyers.of(one.run.history, one.truth)
            judged = judge(one.run, one.policy, outcomes, buyers)
            found = columns_of(outcomes, buyers, judged)
            behind = People.behind(one.truth.buyer_ids, one.truth.person_ids)
            scene = Scene(one.run.history, outcomes, buyers, [judged], _NO_SUMS)
            for name, values in columns_of_people(scene, behind, found).items():
                columns[f"{n}/{name}"] = values
            scenes.append(scene)
            people.append(behind)
        return cls(lives, scenes, people, Sums(columns, seed=seed))

    def figures(self, n: int) -> dict[str, Figure]:
        """Give the figures of the n-th world."""
        scene = self.scenes[n]
        found = {name: self.sums.total(f"{n}/{name}") for name in _TOTALS}
        found |= {name: self.sums.ratio(f"{n}/{a}", f"{n}/{b}") for name, (a, b) in _ratios().items()}
        found |= medians(scene, 0)
        return found | medians_of_people(scene, self.people[n])

    def gaps(self, n: int) -> dict[str, Figure]:
        """Give how much the n-th world's totals and ratios exceed the first's, on the same people."""
        found = {
            name: self.sums.figure(lambda sums, name=name: sums(f"{n}/{name}") - sums(f"0/{name}"))  # type: ignore[misc]
            for name in _TOTALS
        }
        return found | {
            name: self.sums.gap((f"{n}/{a}", f"{n}/{b}"), (f"0/{a}", f"0/{b}"))
            for name, (a, b) in _ratios().items()
        }

    def over_time(self, n: int) -> list[dict[str, Any]]:
        """Give the figures of every month, those of abusers and of waiting among them."""
        scene = self.scenes[n]
        o, one, buyers = scene.outcomes, scene.judged[0], scene.buyers
        requests = scene.history.requests
        months = requests["requested_at"].to_numpy().astype("datetime64[M]").astype(str)
        bad = o.before & buyers.abuser[buyers.of_request]
        paid = requests["paid_amount_fen"].to_numpy()
        rows = []
        for row in over_time(scene, 0):
            of = months == row["month"]
            rows.append(
                {name: value for name, value in row.items() if name != "hours_saved"}
                | {
                    "hours_waited": float((o.answered_us[of & o.before & o.by_person] / HOUR_US).sum()),
                    "abuser_before": int((of & bad).sum()),
                    "abuser_auto_fen": int(o.fen[of & bad & one.auto].sum()),
                    "abuser_median_fen": float(np.median(paid[of & bad])) if (of & bad).any() else None,
                }
            )
        return rows


def _ratios() -> dict[str, tuple[str, str]]:
    return RATIOS | RATIOS_OF_TRUTH


_NO_SUMS: Final = Sums({"none": np.zeros(1)}, draws=1)
