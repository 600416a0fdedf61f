"""A policy of one market fitted to a log of another: money to its orders, points to its base rate.

Where a log knows of no abuse, who cancels stands in for it, and that is no rare event: cut-offs that are
probabilities of abuse would let nobody pass, as would a cap below nearly every order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from decisions.policy import NOTICE, Policy
from decisions.policy_file import difference
from decisions.policy_settings import Path, Value, declared, value_at
from features.scan import Log, batches
from models.scale import HIGHEST, LOWEST, points_of

from .columns import Ints
from .teaching import Task

ABUSE_KINDS: Final = ("abuse_confirmed", "dispute_closed", "refund_found_shipped")
"""What tells of abuse; a log with none of them is asked who cancels."""
NOTICE_SHARE: Final = 0.971
"""Share of orders below the notice's 300 yuan on the market that it is for (Tmall, 2020-02)."""
FITS: Final = 0.5
"""A policy whose cap lets so large a share of orders pass is taken as written for the log."""
POINTS: Final = {"quality_score_min", "low_score_max", "watch_below_score"}
WHOLE_FEN: Final = 100
MARK: Final = "~fitted"
"""Ends the version of a policy that is not replayed as its file says; no file may have it."""


@dataclass(frozen=True)
class LogFacts:
    """What a log says of itself before its requests.

    Attributes
    ----------
    kinds : set of str
        Of its events.
    states_goods : bool
        Some event says what kind of goods it is about.
    fen : int64 (n_orders,)
        Amounts paid, of orders known before `known_by`; of all where there is none.
    """

    kinds: frozenset[str]
    states_goods: bool
    fen: Ints

    @property
    def task(self) -> Task:
        """What can be learned from it."""
        return "abuse" if self.kinds & set(ABUSE_KINDS) else "cancellation"


def facts_of(log: Log, *, known_by: datetime | None = None) -> LogFacts:
    """Read what a log says of itself."""
    kinds: set[str] = set()
    goods, paid = False, []
    for batch in batches(log, ["kind", "goods_type", "amount_fen", "recorded_at"]):
        table = pa.Table.from_batches([batch])
        kinds |= set(table["kind"].unique().to_pylist())
        goods = goods or table["goods_type"].null_count < len(table)
        paid.append(table.filter(pc.equal(table["kind"], "order_paid")).select(["amount_fen", "recorded_at"]))
    orders = pa.concat_tables(paid).drop_null()
    early = orders if known_by is None else orders.filter(pc.less(orders["recorded_at"], pa.scalar(known_by)))
    return LogFacts(frozenset(kinds), goods, (early if len(early) else orders)["amount_fen"].to_numpy())


@dataclass(frozen=True)
class Fit:
    """What policies are fitted to: a log as it was when the replay begins.

    Attributes
    ----------
    files : sequence of Policy
        As they are written.
    facts : LogFacts
    base_rate : float
        Of cancellation, among the rows that the first month's model learned from.
    """

    files: Sequence[Policy]
    facts: LogFacts
    base_rate: float

    @property
    def times(self) -> float:
        """By how much amounts are multiplied."""
        return float(np.quantile(self.facts.fen, NOTICE_SHARE)) / NOTICE.cap_fen

    @property
    def moved(self) -> int:
        """By how many points cut-offs are moved."""
        assert NOTICE.quality_score_min is not None
        return round(float(points_of(self.base_rate)) - NOTICE.quality_score_min)

    @property
    def policies(self) -> list[Policy]:
        """The policies, fitted."""
        return [self._fitted(policy) for policy in self.files]

    def _fitted(self, policy: Policy) -> Policy:
        """Fit a policy to the log, unless its cap says that it is written for it.

        Every amount is multiplied alike, so that as many orders lie below the notice's cap as on its market;
        every cut-off is moved alike, so that the notice's quality begins at the base rate. A log without
        completed orders cannot ask for any.
        """
        if not len(self.facts.fen) or np.mean(self.facts.fen < policy.cap_fen) >= FITS:
            return policy
        found = replace(policy, version=f"{policy.version}{MARK}")
        for path, setting in declared().items():
            value: Any = value_at(policy, path)
            if value is None:
                continue
            if setting.kind == "whole number" and "fen" in path[-1].split("_"):
                found = _with(found, path, round(value * self.times / WHOLE_FEN) * WHOLE_FEN)
            elif path[-1] in POINTS:
                found = _with(found, path, min(max(value + self.moved, LOWEST), HIGHEST))
        if "order_completed" not in self.facts.kinds:
            found = replace(found, min_completed_orders=0)
        return found

    def said(self, replayed: Sequence[Policy]) -> dict[str, Any]:
        """Tell what was set otherwise than the files say, and by what."""
        return {
            "base_rate": self.base_rate,
            "times": self.times if len(self.facts.fen) else None,
            "moved": self.moved,
            "policies": [
                {
                    "file": old.version,
                    "replayed": new.version,
                    "changes": [asdict(d) for d in difference(old, new) if d.setting != "version"],
                }
                for old, new in zip(self.files, replayed, strict=True)
            ],
        }


def _with(part: Any, path: Path, value: Value) -> Any:
    if len(path) > 1:
        value = _with(getattr(part, path[0]), path[1:], value)
    return replace(part, **{path[0]: value})
