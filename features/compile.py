"""From declarations to a catalog: names, schema, constraints, version, and the tables the kernel reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final

import pyarrow as pa

from .declaration_rules import faults_of
from .declare import BASKET_GAP, Family, Window, Windowed, features_of
from .links import MAX_ACCOUNTS_PER_LINK
from .plan import Plan, build_plan

_RULES: Final = {
    "meaning": 2,  # raised when the same declaration comes to mean something else
    "basket_seconds": BASKET_GAP.total_seconds(),
    "accounts_per_link": MAX_ACCOUNTS_PER_LINK,
}
"""What every declaration relies on and none says itself."""


@dataclass(frozen=True, kw_only=True)
class ReasonText:
    """What a reason code says, in Chinese and English."""

    zh: str
    en: str


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One column: its family, its window, and the name that follows from both."""

    name: str
    family: Family
    window: Window

    @property
    def direction(self) -> int:
        """+1 when more is worse (raises ``p_abuse``), -1 when less is worse, 0 when the data decides."""
        return {"more": 1, "less": -1, None: 0}[self.family.worse]

    @property
    def title(self) -> ReasonText:
        """The feature's name for people."""
        zh, en = self.family.zh, self.family.en
        if not isinstance(self.family, Windowed):
            return ReasonText(zh=zh, en=en)
        if self.window is None:
            return ReasonText(zh=f"累计{zh}", en=f"{en}, ever")
        return ReasonText(zh=f"近{self.window}天{zh}", en=f"{en}, last {self.window} days")


class Catalog:
    """An ordered set of features, immutable once made.

    Parameters
    ----------
    families : sequence of Family
    reasons : mapping of str to ReasonText
        Text of every reason code that a family names.

    Raises
    ------
    ValueError
        When a declaration is wrong, two features share a name or a family names an unknown reason.
    """

    def __init__(self, families: Sequence[Family], *, reasons: Mapping[str, ReasonText]) -> None:
        self.families = tuple(families)
        self.reasons = dict(reasons)
        self.features = tuple(
            Feature(name=name, family=family, window=window)
            for family in self.families
            for name, window in features_of(family)
        )
        self.names = tuple(f.name for f in self.features)
        self.index = {name: i for i, name in enumerate(self.names)}
        self._check()

    def _check(self) -> None:
        for family in self.families:
            if faults := "; ".join(dict.fromkeys(faults_of(family))):
                raise ValueError(f"{type(family).__name__} {family.name!r}: {faults}")
        if len(self.index) != len(self.names):
            twice = sorted({n for n in self.names if self.names.count(n) > 1})
            raise ValueError(f"features declared twice: {', '.join(twice)}")
        unknown = sorted({f.reason for f in self.families} - self.reasons.keys())
        if unknown:
            raise ValueError(f"reasons without a text: {', '.join(unknown)}")

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.names)

    @cached_property
    def monotone(self) -> tuple[int, ...]:
        """Direction of each column, see `Feature.direction`."""
        return tuple(f.direction for f in self.features)

    @cached_property
    def reason_codes(self) -> tuple[str, ...]:
        """Reason code of each column."""
        return tuple(f.family.reason for f in self.features)

    @cached_property
    def version(self) -> str:
        """Hash of what the features mean; texts do not count."""
        meaning = [_meaning(family) for family in self.families]
        text = json.dumps([_RULES, meaning], sort_keys=True, default=_plain)
        return "c" + hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def schema(self) -> pa.Schema:
        """Columns of a feature table: the key, then one double per feature."""
        key = [("buyer_id", pa.string()), ("as_of", pa.timestamp("us", tz="UTC"))]
        return pa.schema(key + [(name, pa.float64()) for name in self.names])

    @cached_property
    def plan(self) -> Plan:
        """The tables that the kernel reads."""
        return build_plan(self.features)


def _meaning(family: Family) -> dict[str, object]:
    said = asdict(family)
    for text in ("zh", "en", "reason"):
        said.pop(text)
    return {"family": type(family).__name__, **said}


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"a declaration holds a {type(value).__name__}, which has no stable text")
