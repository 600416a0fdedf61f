"""Find the purchase that a cancelled line takes back."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(slots=True)
class _Purchase:
    at: int
    line: int
    price_fen: int
    left: int


def match_cancellations(purchases: pd.DataFrame, cancellations: pd.DataFrame) -> pd.Series:
    """Match each cancelled line to an earlier purchase of the same buyer and item.

    Cancellations are taken in the order of their time. Among the purchases made before one that still
    have pieces left, the latest whose pieces left and price are exactly those cancelled wins, or else the
    latest of any. The pieces cancelled are then gone from that purchase, so no purchase is cancelled
    twice over; a cancellation of more pieces than are left takes what is left and stays one line.

    Parameters
    ----------
    purchases, cancellations
        Parsed lines with ``buyer``, ``stock_code``, ``quantity``, ``price_fen`` and ``at``.

    Returns
    -------
    pandas.Series
        By index of the cancelled line: the index of its purchase, or -1.
    """
    stock = _stock(purchases, cancellations)
    found = {}
    for line, item, at, price_fen, quantity in _rows(cancellations.sort_values("at", kind="stable")):
        chosen = _choose(stock[item], at, price_fen, -quantity)
        found[line] = -1 if chosen is None else chosen.line
        if chosen is not None:
            chosen.left -= min(chosen.left, -quantity)
    return pd.Series(found, dtype=np.int64).reindex(cancellations.index)


def _stock(purchases: pd.DataFrame, cancellations: pd.DataFrame) -> dict[tuple[str, str], list[_Purchase]]:
    """List, latest first, the purchases of every (buyer, item) that is ever cancelled."""
    key = ["buyer", "stock_code"]
    cancelled = pd.MultiIndex.from_frame(cancellations[key])
    relevant = purchases[pd.MultiIndex.from_frame(purchases[key]).isin(cancelled)]
    stock: dict[tuple[str, str], list[_Purchase]] = defaultdict(list)
    for line, item, at, price_fen, quantity in _rows(relevant.sort_values("at", kind="stable")[::-1]):
        stock[item].append(_Purchase(at, line, price_fen, quantity))
    return stock


def _rows(lines: pd.DataFrame) -> Iterator[tuple[int, tuple[str, str], int, int, int]]:
    """Give index, (buyer, item), time, price and quantity of each line."""
    items = zip(lines["buyer"], lines["stock_code"], strict=True)
    times = lines["at"].astype("int64")
    return zip(lines.index, items, times, lines["price_fen"], lines["quantity"], strict=True)


def _choose(latest_first: list[_Purchase], at: int, price_fen: int, quantity: int) -> _Purchase | None:
    open_before = [p for p in latest_first if p.at < at and p.left]
    exact = (p for p in open_before if p.left == quantity and p.price_fen == price_fen)
    return next(exact, open_before[0] if open_before else None)
