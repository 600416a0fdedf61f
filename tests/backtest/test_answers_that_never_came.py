"""A merchant's answer to a request that a policy refunds at once never reached him: it did not happen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backtest.figures import Scene
from backtest.history import History, read_history
from backtest.judged import Buyers, judge
from backtest.outcomes import outcomes_of
from backtest.parts import read_decisions, read_moves
from backtest.replay import Fixed, Run, compute_features, replay
from decisions.policy import Policy
from decisions.policy_file import parse
from features.log import write_log
from models.deciding import record
from models.registry import LoadedModel
from tests.backtest.scenes import DAY, END, HOUR, START, case, event, table
from tests.backtest.test_replay import EVERYBODY, NOBODY

STRIKES = parse(
    """
    version = "x"
    [standing]
    watch_points = 1
    strike_expires_days = 90
    points = {dispute_lost = 1}
    """,
    source="test",
).standing
PAYS = replace(EVERYBODY, standing=STRIKES)
PAYS_NOT = replace(NOBODY, standing=STRIKES)
REFUSED = ("refund_rejected", {"actor": "merchant"})
WITHDRAWN = ("refund_withdrawn", {"actor": "buyer"})
GRANTED = ("refund_granted", {"actor": "merchant"})
DISPUTE = (("dispute_opened", {}), ("dispute_closed", {"outcome": "merchant", "fault": "buyer"}))


def asked_again(number: int, *, fen: int = 10_000) -> list[dict[str, Any]]:
    """Five days later for the same order, granted by the merchant an hour after."""
    at, own = START + number * HOUR + 6 * DAY, {"buyer_id": f"b{number}", "order_id": f"o{number}"}
    own |= {"after_sale_id": f"again{number}", "stage": "before_shipment", "amount_fen": fen}
    return [
        event(f"{number}-again", "refund_requested", at, **own),
        event(f"{number}-then", "refund_granted", at + HOUR, actor="merchant", **own),
    ]


LOG = [
    *case(0, REFUSED, *DISPUTE),
    *asked_again(0),
    *case(1, WITHDRAWN),
    *asked_again(1),
    *case(2, GRANTED, *DISPUTE),
    *case(3, REFUSED),
    *case(4, GRANTED),
    *asked_again(4),
]


@pytest.fixture
def run(tmp_path: Path, model: LoadedModel) -> Run:
    write_log(table(LOG + END), tmp_path / "log")
    history: History = read_history(tmp_path / "log")
    compute_features(tmp_path / "log", history, tmp_path)
    run = Run(tmp_path, history, [PAYS, PAYS_NOT])
    replay(run, Fixed(model))
    return run


def outcome(run: Run, policy: Policy) -> dict[str, tuple[str, bool]]:
    """By after-sale: what was decided, and whether the request agreed with what was known of its order."""
    rows = read_decisions(run.folder(policy), [m.name for m in run.months], ["answer", "outcome", "record"])
    return {
        record.request_of(row["record"]).after_sale_id: (
            row["outcome"],
            {v.code: v.passed for v in record.rules_of(row["answer"])}["agrees_with_history"],
        )
        for row in rows.to_pylist()
    }


def test_an_order_refunded_at_once_is_not_paid_again_because_history_refused(run: Run) -> None:
    paid = outcome(run, PAYS)
    assert {c: paid[c] for c in ("a0", "a1", "a4")} == dict.fromkeys(
        ("a0", "a1", "a4"), ("auto_refund", True)
    )
    for again in ("again0", "again1", "again4"):
        assert paid[again] == ("manual_review", False), again


def test_where_the_policy_left_it_to_the_merchant_his_refusal_stands(run: Run) -> None:
    asked = outcome(run, PAYS_NOT)
    assert asked["again0"] == asked["again1"] == ("manual_review", True)
    assert asked["again4"] == ("manual_review", False), "that order history had paid back"


def test_a_dispute_about_a_refusal_that_never_came_is_no_strike(run: Run) -> None:
    months = [m.name for m in run.months]
    struck = {
        policy.version: {
            (row["buyer_id"], row["to_state"])
            for row in read_moves(run.folder(policy), months, ["buyer_id", "to_state"]).to_pylist()
        }
        for policy in run.policies
    }
    assert struck[NOBODY.version] == {("b0", "watch"), ("b2", "watch")}
    assert struck[EVERYBODY.version] == {("b2", "watch")}, (
        "of what the merchant paid, too, a dispute may come"
    )


def test_what_history_so_contradicts_is_counted_and_its_loss_not_known(run: Run) -> None:
    outcomes, buyers = outcomes_of(run.history), Buyers.of(run.history, None)
    judged = [judge(run, policy, outcomes, buyers) for policy in run.policies]
    scene = Scene.of(run.history, outcomes, buyers, judged)
    counted = [{name: scene.figures(n)[name].value for name in ("contradicted", "not_asked")} for n in (0, 1)]
    assert counted == [{"contradicted": 3, "not_asked": 2}, {"contradicted": 0, "not_asked": 0}]
    cases = run.history.requests["after_sale_id"].to_pylist()
    unknown = {c for c, is_unknown in zip(cases, judged[0].losses.unknown, strict=True) if is_unknown}
    assert {"a0", "a1", "a3", "again0", "again1"} <= unknown
