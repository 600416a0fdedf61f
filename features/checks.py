"""Check events on their way into the log, with Pandera, and divide them into accepted and rejected."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

with warnings.catch_warnings():  # pandera imports PySpark where it is installed, which warns of pandas 3
    warnings.simplefilter("ignore")
    import pandera.pyarrow as pandera
    from pandera.constants import CHECK_OUTPUT_KEY
    from pandera.errors import SchemaError, SchemaErrorReason, SchemaErrors

from features.check_report import CheckReport, broken_rows, report_on
from features.event_rules import LOG_RULES, ROW_RULES, Flags, Rule
from features.typed import Mask, Typed, typed


def _schema(rules: Iterable[Rule]) -> pandera.DataFrameSchema:
    # No column is declared: ``typed`` has made the types, and asking again doubles a small batch's time.
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
    return pandera.DataFrameSchema(checks=checks)


_ROW_SCHEMA: Final = _schema(ROW_RULES)
_LOG_SCHEMA: Final = _schema(LOG_RULES)


def check_events(table: pa.Table) -> CheckReport:
    """Check events on their own, as they come in one by one or in batches.

    A refund must name an order, but that order's own events may still be on their way.

    Raises
    ------
    BadInput
        A column is missing or of a type that can hold no value of the contract.
    """
    read = typed(table)
    return report_on(table, read.table, _failures(_ROW_SCHEMA, ROW_RULES, read))


def split(table: pa.Table) -> CheckReport:
    """Check a complete log: every row rule, and that each refund's order is in the log.

    Raises
    ------
    BadInput
        A column is missing or of a type that can hold no value of the contract.
    """
    read = typed(table)
    failures = _failures(_ROW_SCHEMA, ROW_RULES, read)
    sound = np.flatnonzero(~broken_rows(failures, table.num_rows))
    rest = read.table if len(sound) == table.num_rows else read.table.take(sound)
    for code, mask in _failures(_LOG_SCHEMA, LOG_RULES, Typed(rest, {})).items():
        failures[code] = np.zeros(table.num_rows, dtype=bool)
        failures[code][sound[mask]] = True
    return report_on(table, read.table, failures)


def _failures(schema: pandera.DataFrameSchema, rules: Iterable[Rule], read: Typed) -> dict[str, Mask]:
    """Give the rows that break each broken rule, in the rules' order."""
    table = read.table
    for code, mask in read.faults.items():
        table = table.append_column(f"!{code}", pa.array(mask))
    if all(_holds(rule.passes(table)) for rule in rules):
        return {}  # most batches are sound, and Pandera takes milliseconds to say so
    try:
        schema.validate(table, lazy=True)
    except SchemaErrors as errors:
        return dict(_failure(error) for error in errors.schema_errors)
    return {}


def _holds(flags: Flags) -> bool:
    """Tell whether a rule is broken nowhere; null says that it does not apply."""
    return flags if isinstance(flags, bool) else pc.all(flags).as_py() is not False


def _failure(error: SchemaError) -> tuple[str, Mask]:
    if error.reason_code is not SchemaErrorReason.DATAFRAME_CHECK:
        raise RuntimeError(f"a check of the event log could not run: {error}")
    flags = error.check_output.to_native()[CHECK_OUTPUT_KEY]
    mask: Mask = ~flags.fill_null(True).to_numpy()
    return error.check.name, mask
