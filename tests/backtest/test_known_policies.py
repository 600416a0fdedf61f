"""Policies whose true results are known, against pandas: one refunds nobody, one everybody, one by lot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtest.backtest import Order, backtest
from backtest.marketplace import Market
from backtest.replay import Fixed
from backtest.run_record import inputs_of
from backtest.truth import read_truth
from decisions.policy_file import parse
from features.scan import open_log
from models.registry import LoadedModel

WIDE = """quality_score_min = 300.0
low_score_max = 300.0
tier_hysteresis_points = 0.0
min_completed_orders = 0
min_tenure_days = 0.0
cap_fen = 1_000_000_000
excluded_goods_types = []
"""
TEXTS = {
    "nobody": "stopped = true",
    "everybody": WIDE,
    "random": f"{WIDE}[exploration]\nreview_share = 0.4\nseed = 7",
}
SHARE = 0.4
SETTLED = pd.Timedelta(days=30)


@pytest.fixture(scope="module")
def found(log: Path, model: LoadedModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    policies = [parse(f'version = "{name}"\n{text}', source=name) for name, text in TEXTS.items()]
    opened, out = open_log(log), tmp_path_factory.mktemp("run") / "out"
    order = Order(log=opened, out=out, policies=policies, truth=read_truth(log / "truth.parquet"))
    inputs = inputs_of(opened, policies, models="test", since=None, until=None)
    return backtest(order, Fixed(model), inputs), out


@pytest.fixture(scope="module")
def cases(market: Market) -> pd.DataFrame:
    """A row a request, in the order in which they came, with what pandas reads of it in the log."""
    events = market.events.to_pandas().sort_values("recorded_at", kind="stable")

    def first(kinds: list[str], by: str, column: str) -> pd.Series:
        rows = events[events["kind"].isin(kinds)].dropna(subset=[by])
        return rows.drop_duplicates(by).set_index(by)[column]

    def happened(kind: str, **where: str) -> set[str]:
        rows = events[events["kind"] == kind]
        for column, value in where.items():
            rows = rows[rows[column] == value]
        return set(rows["after_sale_id"])

    asked = events[events["kind"] == "refund_requested"].reset_index(drop=True)
    answers, case = ["refund_granted", "refund_rejected", "refund_withdrawn"], asked["after_sale_id"]
    asked["answer"] = case.map(first(answers, "after_sale_id", "kind")).fillna("")
    asked["answered"] = case.map(first(answers, "after_sale_id", "recorded_at"))
    asked["auto"] = (asked["answer"] == "refund_granted") & (
        case.map(first(answers, "after_sale_id", "actor")) == "auto"
    )
    asked["found"] = case.isin(happened("refund_found_shipped"))
    asked["disputed"] = case.isin(happened("dispute_opened"))
    asked["lost"] = case.isin(happened("dispute_closed", outcome="merchant"))
    asked["left"] = asked["order_id"].map(first(["order_shipped"], "order_id", "occurred_at"))
    asked["before"] = asked["stage"] == "before_shipment"
    asked["settled"] = asked["recorded_at"] + SETTLED < events["recorded_at"].max()
    asked["revoked"] = [
        _revoked(events, buyer, at) for buyer, at in zip(asked["buyer_id"], asked["recorded_at"], strict=True)
    ]
    truth = market.truth.to_pandas().set_index("buyer_id")
    asked["honest"] = ~asked["buyer_id"].map(truth["is_abuser"]).astype(bool)
    return asked


def _revoked(events: pd.DataFrame, buyer: str, at: pd.Timestamp) -> bool:
    own = events[(events["buyer_id"] == buyer) & (events["recorded_at"] < at)]
    verdicts = own.loc[own["kind"].isin(["abuse_confirmed", "abuse_cleared"]), "kind"]
    return bool(len(verdicts) and verdicts.iloc[-1] == "abuse_confirmed")


def _lot(case: str) -> bool:
    """Tell whether the lot leaves the request to a person."""
    return int.from_bytes(hashlib.sha256(f"7:{case}".encode()).digest(), "big") < SHARE * 2**256


DECIDED: dict[str, Callable[[pd.DataFrame], pd.Series]] = {
    "nobody": lambda cases: pd.Series(False, index=cases.index),
    "everybody": lambda cases: cases["before"] & ~cases["revoked"],
    "random": lambda cases: cases["before"] & ~cases["revoked"] & ~cases["after_sale_id"].map(_lot),
}


def fate(case: Any, *, refunded: bool) -> str:
    """Say who bears the refund, `nobody`, or that it is unknown, as docs/backtest.md puts it."""
    granted, had_left = case.answer == "refund_granted", case.left < case.recorded_at
    if not case.before:
        return "nobody"
    if refunded != case.auto:
        if refunded and had_left:
            return "race"
        harmless = granted and not (had_left or case.found or case.lost)
        return "nobody" if harmless else "unknown"
    if granted and (case.found or had_left):
        return "race"
    if granted and case.lost:
        return "platform" if refunded else "merchant"
    if granted or case.answer == "refund_withdrawn" or not pd.isna(case.left):
        return "nobody"
    return "buyer" if case.settled else "unknown"


@pytest.mark.parametrize("name", TEXTS)
def test_the_report_of_a_policy_whose_results_are_known_is_what_pandas_counts(
    name: str, found: tuple[Any, Path], cases: pd.DataFrame
) -> None:
    report, _ = found
    (policy,) = (p for p in report["policies"] if p["version"] == name)
    refunded, fen = DECIDED[name](cases), cases["amount_fen"]
    fates = pd.Series([fate(c, refunded=r) for c, r in zip(cases.itertuples(), refunded, strict=True)])
    by_person = (cases["answer"] != "") & ~cases["auto"]
    waited = (cases["answered"] - cases["recorded_at"]).dt.total_seconds() / 3600
    good = cases["before"] & cases["honest"]
    true = {
        "requests": len(cases),
        "before": cases["before"].sum(),
        "auto": refunded.sum(),
        "auto_fen": fen[refunded].sum(),
        "reviews_saved": (refunded & by_person).sum(),
        "reviews_added": (~refunded & cases["auto"]).sum(),
        "hours_saved": waited[refunded & by_person].sum(),
        "disputes_avoided": (refunded & by_person & cases["disputed"] & ~cases["found"]).sum(),
        "differs": (cases["before"] & (refunded != cases["auto"])).sum(),
        "unknown": (fates == "unknown").sum(),
        **{f"loss_{who}_fen": fen[fates == who].sum() for who in ("race", "platform", "merchant", "buyer")},
        "loss_fen": fen[~fates.isin(["nobody", "unknown"])].sum(),
        "worst_fen": fen[fates != "nobody"].sum(),
        "good_served": (refunded & good).sum() / good.sum(),
    }
    figures = {key: policy["figures"][key]["value"] for key in true}
    assert figures == pytest.approx({key: float(value) for key, value in true.items()}, rel=1e-9)


def test_the_log_that_the_policies_are_told_on_has_all_that_can_happen(cases: pd.DataFrame) -> None:
    everybody, nobody = (DECIDED[name](cases) for name in ("everybody", "nobody"))
    for refunded in (everybody, nobody):
        fates = {fate(c, refunded=r) for c, r in zip(cases.itertuples(), refunded, strict=True)}
        assert {"race", "nobody", "unknown"} <= fates
    assert cases["revoked"].any()


def test_a_random_policy_keeps_the_probability_of_each_decision(
    found: tuple[Any, Path], cases: pd.DataFrame
) -> None:
    _, out = found
    parts = sorted((out / "policies" / "random" / "decisions").glob("*.parquet"))
    made = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    allowed, refunded = DECIDED["everybody"](cases), DECIDED["random"](cases)
    expected = np.select([refunded, allowed], [1 - SHARE, SHARE], 1.0)
    assert made["propensity"].tolist() == pytest.approx(expected.tolist())
    assert ((made["outcome"] == "auto_refund") == refunded.to_numpy()).all()


def test_weighed_by_their_probabilities_random_refunds_estimate_those_of_everybody(
    found: tuple[Any, Path], cases: pd.DataFrame
) -> None:
    _, out = found
    parts = sorted((out / "policies" / "random" / "decisions").glob("*.parquet"))
    made = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    weights = (made["outcome"] == "auto_refund") / made["propensity"]
    allowed = int(DECIDED["everybody"](cases).sum())
    deviation = np.sqrt(allowed * SHARE / (1 - SHARE))
    assert abs(weights.sum() - allowed) < 3 * deviation
