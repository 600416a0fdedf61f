"""Parse raw lines and give each one that cannot become part of an event its reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from features.errors import BadInput

FEN_PER_POUND: Final = 1000
"""A pound is 10 yuan here: 300 yuan is about 30 GBP, and every published price is a whole number of fen."""

NOT_GOODS: Final = re.compile(
    r"POST|DOT|M|m|D|S|B|CRUK|C2|C3|BANK CHARGES|AMAZONFEE|PADS|(ADJUST|TEST|SP|DCGS|gift|GIFT).*"
)
"""Stock codes of postage, fees, samples, corrections and vouchers."""

REASONS: Final[Mapping[str, str]] = {
    "repeated_in_later_sheet": "the same line stands in an earlier sheet (the sheets overlap)",
    "unreadable": "invoice, stock code, quantity, date or price is missing or cannot be read",
    "adjustment": "an A invoice adjusts bad debt",
    "no_customer": "the line names no customer",
    "several_customers": "the invoice names more than one customer",
    "not_goods": "the stock code is no goods (postage, fee, correction, voucher, sample)",
    "zero_quantity": "the quantity is zero",
    "negative_quantity": "the quantity is negative but the invoice is no cancellation",
    "positive_cancellation": "the invoice is a cancellation but the quantity is positive",
    "no_price": "the price is zero or negative",
    "no_earlier_purchase": "a cancellation whose buyer has no earlier purchase of the item left to cancel",
}
"""Why a line is not mapped, in the order in which reasons are looked for."""


def parse_lines(raw: pd.DataFrame) -> pd.DataFrame:
    """Parse the lines of :func:`~features.sources.online_retail_ii.reading.read_lines`.

    Returns
    -------
    pandas.DataFrame
        In the raw lines' order: ``invoice``, ``stock_code``, ``buyer`` (categories of text), ``quantity``
        (int64), ``price_fen`` (int64 per piece), ``at`` (the invoice's first minute in UTC, as pandas
        keeps a time without zone), ``cancels`` (a ``C`` invoice) and ``reason`` (null when the line can be
        mapped).
    """
    lines = pd.DataFrame(
        {
            "invoice": _texts(raw["invoice"]),
            "stock_code": _texts(raw["stock_code"]),
            "buyer": _texts(raw["customer_id"]),
            "quantity": pd.to_numeric(raw["quantity"], errors="coerce").astype("float64"),
            "price_fen": pd.to_numeric(raw["unit_price"], errors="coerce").astype("float64") * FEN_PER_POUND,
            "local": _local_times(raw["invoice_date"]),
        }
    )
    lines["cancels"] = _starts(lines["invoice"], "C")
    lines["reason"] = _reasons(lines, raw["sheet"])
    lines["at"] = _utc(lines.groupby("invoice", observed=True)["local"].transform("min"))
    whole = lines[["quantity", "price_fen"]].where(lines["reason"].isna(), 0).round().astype("int64")
    return lines.assign(quantity=whole["quantity"], price_fen=whole["price_fen"]).drop(columns="local")


def _reasons(lines: pd.DataFrame, sheet: pd.Series) -> pd.Series:
    quantity, price, cancels = lines["quantity"], lines["price_fen"], lines["cancels"]
    buyers = lines.groupby("invoice", observed=True)["buyer"].transform("nunique")
    tests = {
        "repeated_in_later_sheet": _repeated(lines, sheet),
        "unreadable": _unreadable(lines),
        "adjustment": _starts(lines["invoice"], "A"),
        "no_customer": lines["buyer"].isna(),
        "several_customers": buyers > 1,
        "not_goods": _matches(lines["stock_code"], NOT_GOODS),
        "zero_quantity": quantity == 0,
        "negative_quantity": (quantity < 0) & ~cancels,
        "positive_cancellation": (quantity > 0) & cancels,
        "no_price": price <= 0,
    }
    found = np.select([np.asarray(test, dtype=bool) for test in tests.values()], range(len(tests)), -1)
    return pd.Series(pd.Categorical.from_codes(found, categories=pd.Index(REASONS)), index=lines.index)


def _unreadable(lines: pd.DataFrame) -> pd.Series:
    quantity, price = lines["quantity"], lines["price_fen"]
    # A price of 6.95 is 6949.999… thousandths in binary: near a whole number is whole.
    exact = np.isclose(price, price.round(), rtol=1e-12, atol=1e-6) & (quantity % 1 == 0)
    small = (quantity.abs() < 2**31) & (price.abs() < 2**31)
    absent = lines[["invoice", "stock_code", "local"]].isna().any(axis=1)
    return absent | ~exact | ~small


def _repeated(lines: pd.DataFrame, sheet: pd.Series) -> pd.Series:
    """Mark, in an invoice that two sheets hold, the lines that an earlier sheet has as many times."""
    if sheet.nunique() < 2:
        return pd.Series(False, index=lines.index)
    sheets = sheet.groupby(lines["invoice"], observed=True).transform("nunique")
    in_several = sheets > 1
    shared = lines[in_several].drop(columns="cancels")
    keys = list(shared.columns)
    shared = shared.assign(sheet=sheet[in_several])
    nth = shared.groupby([*keys, "sheet"], observed=True, dropna=False).cumcount()
    repeated = shared.assign(nth=nth).duplicated([*keys, "nth"])
    return repeated.reindex(lines.index, fill_value=False)


def _texts(column: pd.Series) -> pd.Series:
    """Give text categories; a number read from a cell loses its ``.0``."""
    codes, values = pd.factorize(column)
    texts = np.array([*(cell_text(value) for value in np.asarray(values, dtype=object)), None], dtype=object)
    again, categories = pd.factorize(texts)
    return pd.Series(
        pd.Categorical.from_codes(again[codes], categories=pd.Index(categories)), index=column.index
    )


def cell_text(value: Any) -> str | None:
    """Write a cell's value as a person reads it: a whole number without ``.0``, nothing for blanks."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return re.sub(r"^(\d+)\.0$", r"\1", str(value).strip()) or None


def _local_times(column: pd.Series) -> pd.Series:
    """Parse times of the shop's clock; what is neither a date cell nor ISO 8601 text becomes null."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        raise BadInput("invoice_date has a zone; the published form holds local times of London")
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.astype("datetime64[us]")
    codes, values = pd.factorize(column)
    dates = [v if isinstance(v, date | str) else None for v in np.asarray(values, dtype=object)]
    parsed = pd.to_datetime(pd.Series([*dates, None], dtype=object), format="ISO8601", errors="coerce")
    return pd.Series(parsed.astype("datetime64[us]").to_numpy()[codes], index=column.index)


def _utc(local: pd.Series) -> pd.Series:
    """Read London's clock: an hour told twice is the later one, a skipped time is the gap's end."""
    codes, values = pd.factorize(local)
    times = pd.DatetimeIndex([*values, pd.NaT]).tz_localize(
        "Europe/London", ambiguous=np.zeros(len(values) + 1, dtype=bool), nonexistent="shift_forward"
    )
    return pd.Series(times.tz_convert(None).as_unit("us")[codes], index=local.index)


def _starts(column: pd.Series, prefix: str) -> pd.Series:
    return _matches(column, re.compile(f"{prefix}.*"))


def _matches(column: pd.Series, pattern: re.Pattern[str]) -> pd.Series:
    """Match the whole of each category once, then spread the answer over the lines."""
    hits = np.array([*(bool(pattern.fullmatch(text)) for text in column.cat.categories), False])
    return pd.Series(hits[column.cat.codes], index=column.index)
