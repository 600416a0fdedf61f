"""Six pictures of the simulated marketplace beside what was measured on real data."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .facts import FACTS, RETAIL, SELLER, TMALL
from .figures import ADDRESS, MIND, ORDER, Likeness

OURS, REAL = "#2f6f9f", "#d1622b"
BANDS: Final = (0, 50, 100, 200, 300)
RETAIL_LAGS: Final = {1: 10.5, 2: 13.0, 7: 35.0, 14: 55.0, 60: 84.0}
"""Days from order to cancellation and how many percent of the cancelled lines had come by then."""


def draw(ours: Likeness, retail: Likeness | None, path: Path) -> None:
    """Write the pictures; ``retail`` is Online Retail II, where it is at hand."""
    figure = Figure(figsize=(13.5, 7.6), layout="constrained")
    axes = figure.subplots(2, 3).ravel()
    _amounts(axes[0], ours)
    _lags(axes[1], ours)
    _rates(axes[2], ours)
    _reasons(axes[3], ours)
    _orders(axes[4], ours, retail)
    _refund_lags(axes[5], ours)
    for one in axes:
        one.spines[["top", "right"]].set_visible(False)
        one.grid(alpha=0.2)
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _fact(figure: str) -> float:
    return next(fact.real for fact in FACTS if fact.figure == figure)


def _title(axes: Axes, title: str, x: str, y: str) -> None:
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def _cumulative(axes: Axes, values: pd.Series, **look: object) -> None:
    quantiles = np.linspace(0.001, 0.999, 999)
    axes.plot(np.quantile(values, quantiles), 100 * quantiles, **look)  # type: ignore[arg-type]


def _amounts(axes: Axes, ours: Likeness) -> None:
    _title(axes, "Amounts of orders", "yuan", "% of orders up to it")
    _cumulative(axes, ours.orders["fen"] / 100, color=OURS, label="simulated")
    levels = (10, 50, 90, 99)
    axes.plot([_fact(f"amount p{q}, yuan") for q in levels], levels, "o", color=REAL, label=TMALL)
    axes.plot([300], [_fact("orders under 300 yuan, %")], "o", color=REAL, fillstyle="none")
    axes.set_xscale("log")
    axes.legend(frameon=False)


def _lags(axes: Axes, ours: Likeness) -> None:
    _title(axes, "Time from step to step", "hours", "% of orders up to it")
    steps: Sequence[tuple[str, str, float, tuple[int, ...]]] = (
        ("placed to paid", "s", 3_600.0, (50, 90)),
        ("paid to shipped", "h", 1.0, (10, 50, 90)),
        ("shipped to completed", "h", 1.0, (10, 50, 90)),
    )
    for (name, unit, per_hour, levels), line in zip(steps, (":", "-", "--"), strict=True):
        _cumulative(axes, ours.lags[name], color=OURS, linestyle=line, label=f"{name}, simulated")
        facts = [_fact(f"{name} p{q}, {unit}") / per_hour for q in levels]
        axes.plot(facts, levels, "o", color=REAL)
    axes.plot([], [], "o", color=REAL, label=f"{TMALL} (payment), {SELLER}")
    axes.set_xscale("log")
    axes.set_xlim(5e-4, 1e3)
    axes.set_ylim(-4, 150)
    axes.set_yticks(range(0, 101, 20))
    axes.legend(frameon=False, fontsize=8, loc="upper left")


def _rates(axes: Axes, ours: Likeness) -> None:
    _title(axes, "Refund requests by amount", "yuan paid", "% of paid orders")
    names = [*(f"{a}–{b}" for a, b in pairwise(BANDS)), "300+"]
    rates = [100 * ours.refund_rate(a, b) for a, b in zip(BANDS, [*BANDS[1:], np.inf], strict=True)]
    axes.bar(names, rates, color=OURS, width=0.6, label="simulated")
    axes.plot([0, 4], [22.7, 27.5], "o", color=REAL, label=f"{TMALL}: all refunds")
    seller = 9.2 + 0.9 + 0.75
    axes.axhline(seller, color=REAL, linestyle="--", label=f"{SELLER}: cancelled and returned, all amounts")
    axes.set_ylim(0, 34)
    axes.legend(frameon=False, fontsize=8)


def _reasons(axes: Axes, ours: Likeness) -> None:
    _title(axes, "Why buyers cancel", "% of cancellations before shipment", "")
    reasons = ours.paid.loc[ours.cancelled, "reason"].value_counts(normalize=True) * 100
    real = {MIND: 35, ORDER: 35, ADDRESS: 20, "voucher_forgotten": 2, "payment_trouble": 2,
            "seller_unresponsive": 2, "found_cheaper": 1}  # fmt: skip
    place = np.arange(len(real))[::-1]
    axes.barh(place + 0.2, [reasons.get(word, 0.0) for word in real], 0.4, color=OURS, label="simulated")
    axes.barh(place - 0.2, list(real.values()), 0.4, color=REAL, label=SELLER)
    axes.set_yticks(place, [word.replace("_", " ") for word in real], fontsize=8)
    axes.legend(frameon=False)


def _orders(axes: Axes, ours: Likeness, retail: Likeness | None) -> None:
    _title(axes, "Paid orders of a buyer in eighteen months", "orders over the mean", "% of buyers above it")
    for likeness, color, name in ((ours, OURS, "simulated"), (retail, REAL, RETAIL)):
        if likeness is not None:
            orders = likeness.orders_by_buyer
            label = f"{name} (mean {orders.mean():.1f})"
            rank = 100 * (np.arange(len(orders)) + 1) / len(orders)
            axes.step(orders / orders.mean(), rank, color=color, label=label)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(frameon=False)


def _refund_lags(axes: Axes, ours: Likeness) -> None:
    _title(axes, "Order to refund request", "days", "% of requests up to it")
    days = ours.lags["paid to refund request"] / 24
    _cumulative(axes, days, color=OURS, label="simulated, all")
    after = ours.paid["stage"] == "after_shipment"
    late = (ours.paid["requested"] - ours.paid["paid"])[after].dt.total_seconds() / 86_400
    _cumulative(axes, late, color=OURS, linestyle="--", label="simulated, after shipment")
    axes.plot(list(RETAIL_LAGS), list(RETAIL_LAGS.values()), "o", color=REAL, label=f"{RETAIL} (wholesale)")
    axes.set_xscale("log")
    axes.legend(frameon=False, fontsize=8)
