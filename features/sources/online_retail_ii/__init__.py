"""Import *Online Retail II* (Chen 2019, UCI Machine Learning Repository, CC BY 4.0) into the event log.

A UK gift retailer's invoices, 2009-12 to 2011-12. See Chen, Sain & Guo (2012), doi:10.1057/dbm.2012.17.

A goods invoice of a known customer is an order, placed and paid at the invoice's first minute. The goods
lines of a ``C`` invoice are matched to earlier purchases (see ``matching``); those of one order are one
refund, requested and granted at the cancellation's minute, before shipment up to two days after the order.
A pound counts as 1,000 fen, exactly; London's clock becomes UTC. Shipment, completion, disputes, reasons
and devices are not in the source and are not invented; what is inferred is named in ``imputed``. A line
that two sheets hold counts once. Every other line is rejected with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from features.check_report import SHOWN_ROWS
from features.sources.online_retail_ii.lines import FEN_PER_POUND, REASONS, cell_text, parse_lines
from features.sources.online_retail_ii.mapping import SHOP, events_of
from features.sources.online_retail_ii.matching import match_cancellations
from features.sources.online_retail_ii.reading import read_lines

__all__ = ["FEN_PER_POUND", "REASONS", "SHOP", "RetailImport", "import_online_retail_ii"]


@dataclass(frozen=True)
class RetailImport:
    """What became of the file's lines; accepted and rejected add up to read.

    Attributes
    ----------
    events
        The contract's columns: two events per order and two per refund.
    rejected
        The other lines: ``sheet``, ``row`` (1-based data row of its sheet), ``reason``, ``explanation``,
        then the file's columns as text.
    counts
        Rejected lines by reason, and ``first_rows`` their first places (``sheet!row`` in a workbook).
    customers
        Distinct customers on any line; ``buyers`` those with a goods order.
    lag_days
        Days from order to cancellation of each matched cancelled line.
    """

    events: pa.Table
    rejected: pa.Table
    read: int
    counts: Mapping[str, int]
    first_rows: Mapping[str, tuple[str, ...]]
    customers: int
    buyers: int
    orders: int
    refunds: int
    lag_days: np.ndarray[tuple[int], np.dtype[np.float64]]

    @property
    def accepted(self) -> int:
        """Number of lines that became part of an event."""
        return self.read - int(self.rejected.num_rows)

    @property
    def cancelled_lines(self) -> int:
        """Number of cancelled goods lines of known customers, matched or not."""
        return len(self.lag_days) + self.counts.get("no_earlier_purchase", 0)

    @property
    def match_rate(self) -> float | None:
        """Share of the cancelled lines whose purchase was found; null without cancellations."""
        return len(self.lag_days) / self.cancelled_lines if self.cancelled_lines else None

    @property
    def median_lag_days(self) -> float | None:
        """Median days from order to cancellation over the matched lines; null without any."""
        return float(np.median(self.lag_days)) if len(self.lag_days) else None


def import_online_retail_ii(path: Path) -> RetailImport:
    """Map the file at ``path``, in a published form, to events.

    Raises
    ------
    BadInput
        The file is missing, unreadable, or lacks columns.
    """
    raw = read_lines(path)
    lines = parse_lines(raw)
    goods = lines[lines["reason"].isna()]
    purchases, cancellations = goods[~goods["cancels"]], goods[goods["cancels"]]
    found = match_cancellations(purchases, cancellations)
    lines.loc[found.index[found < 0], "reason"] = "no_earlier_purchase"
    matched = cancellations[found >= 0]
    origin = purchases.loc[found[found >= 0]]
    matched = matched.assign(order_id=origin["invoice"].to_numpy(), ordered_at=origin["at"].to_numpy())
    return _result(raw, lines, purchases, matched)


def _result(
    raw: pd.DataFrame, lines: pd.DataFrame, purchases: pd.DataFrame, matched: pd.DataFrame
) -> RetailImport:
    refused = lines["reason"].notna()
    reasons = lines.loc[refused, "reason"]
    counts = reasons.value_counts(sort=False)
    return RetailImport(
        events=events_of(purchases, matched),
        rejected=_rejected(raw[refused], reasons),
        read=len(raw),
        counts={str(reason): int(n) for reason, n in counts.items() if n},
        first_rows={r: _places(raw.loc[reasons.index[reasons == r][:SHOWN_ROWS]]) for r in reasons.unique()},
        customers=lines["buyer"].nunique(),
        buyers=purchases["buyer"].nunique(),
        orders=purchases["invoice"].nunique(),
        refunds=matched[["invoice", "order_id"]].drop_duplicates().shape[0],
        lag_days=(matched["at"] - matched["ordered_at"]).dt.total_seconds().to_numpy() / 86_400,
    )


def _places(raw: pd.DataFrame) -> tuple[str, ...]:
    return tuple(
        str(row) if pd.isna(sheet) else f"{sheet}!{row}"
        for sheet, row in zip(raw["sheet_name"], raw["row"], strict=True)
    )


def _rejected(raw: pd.DataFrame, reasons: pd.Series) -> pa.Table:
    names = [name for name in raw.columns if name not in ("sheet", "sheet_name", "row")]
    columns = {
        "sheet": pa.Array.from_pandas(raw["sheet_name"].astype(object), type=pa.string()),
        "row": pa.array(raw["row"].to_numpy()),
        "reason": pa.Array.from_pandas(reasons.astype(object), type=pa.string()),
        "explanation": pa.Array.from_pandas(reasons.astype(object).map(REASONS), type=pa.string()),
    }
    return pa.table(columns | {name: _as_text(raw[name]) for name in names})


def _as_text(column: pd.Series) -> pa.Array:
    """Give cells as text, since a workbook's column may hold numbers, dates and words together."""
    codes, values = pd.factorize(column)
    texts = pa.array([*(cell_text(value) for value in np.asarray(values, dtype=object)), None], pa.string())
    return texts.take(pa.array(np.where(codes < 0, len(values), codes)))
