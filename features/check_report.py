"""What a check of events found: the accepted rows, the rejected ones, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from features.errors import BadInput
from features.event_rules import LOG_RULES, ROW_RULES
from features.events import SCHEMA
from features.typed import Mask

SHOWN_ROWS: Final = 5
_TEXTS: Final = {rule.code: rule.text for rule in ROW_RULES + LOG_RULES}

Rows = np.ndarray[tuple[int], np.dtype[np.intp]]
Texts = np.ndarray[tuple[int], np.dtype[np.object_]]


class BadEvents(BadInput):
    """Events that the log refuses; ``report`` says which and why."""

    def __init__(self, source: str, report: CheckReport) -> None:
        super().__init__(f"{source}: {report.summary()}")
        self.report = report


@dataclass(frozen=True)
class CheckReport:
    """How a table divides into accepted and rejected rows.

    Attributes
    ----------
    accepted
        The rows that pass, in the contract's columns and types and in their order.
    rejected
        The other rows with their columns as they came, after ``row`` (1-based data row), ``rule`` (the
        first one broken) and ``explanation`` (all that is wrong). Accepted and rejected add up to read.
    counts
        Rejected rows by their first broken rule; the counts add up to the rejected rows.
    first_rows
        By rule, the numbers of the first rejected rows.
    ignored_columns
        Columns the contract does not know.
    """

    accepted: pa.Table
    rejected: pa.Table
    counts: Mapping[str, int]
    first_rows: Mapping[str, tuple[int, ...]]
    ignored_columns: tuple[str, ...]

    @property
    def read(self) -> int:
        """Number of rows looked at."""
        return int(self.accepted.num_rows + self.rejected.num_rows)

    def summary(self) -> str:
        """Say in one line how many rows were refused, by rule, with the first of them."""
        parts = [f"{n:,} {rule} ({_rows(self.first_rows[rule], n)})" for rule, n in self.counts.items()]
        head = f"{self.rejected.num_rows:,} of {self.read:,} rows refused"
        return f"{head}: {'; '.join(parts)}" if parts else head


def _rows(first: tuple[int, ...], count: int) -> str:
    listed = ", ".join(map(str, first)) + (", …" if count > len(first) else "")
    return f"row{'s' if count > 1 else ''} {listed}"


def report_on(raw: pa.Table, typed: pa.Table, failures: Mapping[str, Mask]) -> CheckReport:
    """Divide a table by the rows that break each rule.

    Parameters
    ----------
    raw, typed
        The rows as they came, and in the contract's types.
    failures
        By rule, in the order in which a row's first broken rule is named, the rows that break it.
    """
    refused = broken_rows(failures, raw.num_rows)
    rows = np.flatnonzero(refused)
    first, explanations = _verdicts(rows, failures)
    counts = {code: int((first == code).sum()) for code in failures}
    return CheckReport(
        accepted=_accepted(typed, refused),
        rejected=_rejected(raw, refused, first, explanations),
        counts={code: count for code, count in counts.items() if count},
        first_rows={
            code: tuple((rows[first == code][:SHOWN_ROWS] + 1).tolist())
            for code, count in counts.items()
            if count
        },
        ignored_columns=tuple(name for name in raw.column_names if name not in SCHEMA.names),
    )


def _accepted(table: pa.Table, refused: Mask) -> pa.Table:
    kept = table.filter(pa.array(~refused)) if refused.any() else table
    return pa.Table.from_arrays(kept.columns, schema=SCHEMA)


def _rejected(raw: pa.Table, refused: Mask, first: Texts, explanations: Texts) -> pa.Table:
    verdicts = {
        "row": pa.array(np.flatnonzero(refused) + 1, pa.int64()),
        "rule": pa.array(first, pa.string()),
        "explanation": pa.array(explanations, pa.string()),
    }
    original = raw.filter(pa.array(refused))
    return pa.Table.from_arrays(
        [*verdicts.values(), *original.columns], names=[*verdicts, *original.column_names]
    )


def _verdicts(rows: Rows, failures: Mapping[str, Mask]) -> tuple[Texts, Texts]:
    """Give each refused row its first broken rule and the texts of all it breaks."""
    if not len(rows):
        return np.array([], dtype=object), np.array([], dtype=object)
    codes = list(failures)
    broken = np.array([failures[code][rows] for code in codes])
    first = np.array(codes, dtype=object)[broken.argmax(axis=0)]
    bits = (broken * (1 << np.arange(len(codes)))[:, None]).sum(axis=0)
    patterns, which = np.unique(bits, return_inverse=True)
    texts = ["; ".join(_TEXTS[c] for i, c in enumerate(codes) if pattern >> i & 1) for pattern in patterns]
    return first, np.array(texts, dtype=object)[which]


def broken_rows(failures: Mapping[str, Mask], n_rows: int) -> Mask:
    """Mark the rows that break any rule."""
    union: Mask = np.logical_or.reduce([np.zeros(n_rows, dtype=bool), *failures.values()])
    return union
