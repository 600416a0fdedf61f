"""Check events on their way into the log, with Pandera, and divide them into accepted and rejected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandera.pyarrow as pandera
import pyarrow as pa
from pandera.constants import CHECK_OUTPUT_KEY
from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from features.errors import BadInput
from features.event_rules import LOG_RULES, ROW_RULES, Rule
from features.events import SCHEMA
from features.typed import SCHEMA_OF_ANY, Mask, Typed, typed

SHOWN_ROWS: Final = 5

Rows = np.ndarray[tuple[int], np.dtype[np.intp]]
Texts = np.ndarray[tuple[int], np.dtype[np.object_]]


def _schema(rules: Iterable[Rule]) -> pandera.DataFrameSchema:
    # Failure cases are capped because Pandera renders each as JSON; check_output still holds every row.
    checks = [
        pandera.Check(
            lambda data, rule=rule: rule.passes(data.table),
            name=rule.code,
            error=rule.text,
            native=True,
            n_failure_cases=1,
        )
        for rule in rules
    ]
    columns = {field.name: pandera.Column(field.type, nullable=True) for field in SCHEMA_OF_ANY}
    return pandera.DataFrameSchema(columns, checks=checks)


_ROW_SCHEMA: Final = _schema(ROW_RULES)
_LOG_SCHEMA: Final = _schema(LOG_RULES)
_TEXTS: Final = {rule.code: rule.text for rule in ROW_RULES + LOG_RULES}


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
        return self.accepted.num_rows + self.rejected.num_rows

    def summary(self) -> str:
        """Say in one line how many rows were refused, by rule, with the first of them."""
        parts = [f"{n:,} {rule} ({_rows(self.first_rows[rule], n)})" for rule, n in self.counts.items()]
        head = f"{self.rejected.num_rows:,} of {self.read:,} rows refused"
        return f"{head}: {'; '.join(parts)}" if parts else head


def _rows(first: tuple[int, ...], count: int) -> str:
    listed = ", ".join(map(str, first)) + (", …" if count > len(first) else "")
    return f"row{'s' if count > 1 else ''} {listed}"


def check_events(table: pa.Table) -> CheckReport:
    """Check events on their own, as they come in one by one or in batches.

    A refund must name an order, but that order's own events may still be on their way.

    Raises
    ------
    BadInput
        A column is missing or of a type that can hold no value of the contract.
    """
    read = typed(table)
    return _report(table, read, _failures(_ROW_SCHEMA, read))


def split(table: pa.Table) -> CheckReport:
    """Check a complete log: every row rule, and that each refund's order is in the log.

    Raises
    ------
    BadInput
        A column is missing or of a type that can hold no value of the contract.
    """
    read = typed(table)
    failures = _failures(_ROW_SCHEMA, read)
    sound = np.flatnonzero(~_any(failures, table.num_rows))
    rest = read.table if len(sound) == table.num_rows else read.table.take(sound)
    for code, mask in _failures(_LOG_SCHEMA, Typed(rest, {})).items():
        failures[code] = np.zeros(table.num_rows, dtype=bool)
        failures[code][sound[mask]] = True
    return _report(table, read, failures)


def _failures(schema: pandera.DataFrameSchema, read: Typed) -> dict[str, Mask]:
    """Give the rows that break each broken rule, in the rules' order."""
    table = read.table
    for code, mask in read.faults.items():
        table = table.append_column(f"!{code}", pa.array(mask))
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        return dict(_failure(error) for error in errors.schema_errors)
    return {}


def _failure(error: SchemaError) -> tuple[str, Mask]:
    if error.reason_code is not SchemaErrorReason.DATAFRAME_CHECK:
        raise RuntimeError(f"a check of the event log could not run: {error}")
    flags = error.check_output.to_native()[CHECK_OUTPUT_KEY]
    mask: Mask = ~flags.fill_null(True).to_numpy()
    return error.check.name, mask


def _any(failures: Mapping[str, Mask], n_rows: int) -> Mask:
    return np.logical_or.reduce([np.zeros(n_rows, dtype=bool), *failures.values()])


def _report(raw: pa.Table, read: Typed, failures: Mapping[str, Mask]) -> CheckReport:
    refused = _any(failures, raw.num_rows)
    rows = np.flatnonzero(refused)
    first, explanations = _verdicts(rows, failures)
    counts = {code: int((first == code).sum()) for code in failures}
    return CheckReport(
        accepted=_accepted(read.table, refused),
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
