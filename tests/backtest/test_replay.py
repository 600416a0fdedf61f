from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from backtest.history import History, read_history
from backtest.instants import micros
from backtest.outcomes import outcomes_of
from backtest.parts import read_decisions, read_moves
from backtest.replay import Fixed, Run, compute_features, replay
from decisions.policy import NOTICE, Policy
from decisions.policy_file import parse
from models.deciding import record
from models.registry import LoadedModel

NOBODY = parse('version = "nobody"\nstopped = true', source="test")
EVERYBODY = parse(
    """
    version = "everybody"
    cap_fen = 1_000_000_000
    excluded_goods_types = []
    quality_score_min = 300
    low_score_max = 300
    tier_hysteresis_points = 0
    min_completed_orders = 0
    min_tenure_days = 0
    """,
    source="test",
)
CAPPED = parse('version = "capped"\nquality_score_min = 700\ncaps.refunds_per_30_days = 1', source="test")


class Interrupted(Exception):  # noqa: N818 - it names what happened
    pass


@pytest.fixture(scope="module")
def history(log: Path) -> History:
    return read_history(log)


@pytest.fixture
def run(log: Path, history: History, tmp_path: Path) -> Run:
    compute_features(log, history, tmp_path)
    return Run(tmp_path, history, [NOTICE, NOBODY, EVERYBODY, CAPPED])


def decisions(run: Run, policy: Policy, *columns: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = read_decisions(
        run.folder(policy), [month.name for month in run.months], columns
    ).to_pylist()
    return found


def test_policies_whose_results_are_known_have_them(run: Run, model: LoadedModel) -> None:
    replay(run, Fixed(model))
    outcomes = outcomes_of(run.history)
    assert {row["outcome"] for row in decisions(run, NOBODY, "outcome")} == {"manual_review"}
    rows = decisions(run, EVERYBODY, "outcome", "answer", "standing")
    asked = outcomes.before & pc.equal(run.history.requests["shipping_status"], "unshipped").to_numpy()
    for row, in_question in zip(rows, asked, strict=True):
        agrees = {v.code: v.passed for v in record.rules_of(row["answer"])}["agrees_with_history"]
        had = row["outcome"] == "auto_refund"
        assert had == (in_question and agrees and row["standing"] != "revoked")
    refunded = sum(row["outcome"] == "auto_refund" for row in rows)
    assert refunded > 0.9 * asked.sum()


def test_a_cap_of_one_refund_in_thirty_days_is_kept_by_every_buyer(run: Run, model: LoadedModel) -> None:
    replay(run, Fixed(model))
    last: dict[object, int] = {}
    kept = Counter()
    for row in decisions(run, CAPPED, "buyer_id", "outcome", "decided_at"):
        if row["outcome"] == "auto_refund":
            at = micros(row["decided_at"])
            assert at - last.get(row["buyer_id"], 0) > 30 * 86_400_000_000
            last[row["buyer_id"]] = at
            kept["granted"] += 1
    without = Run(run.out, run.history, [parse('version = "u"\nquality_score_min = 700', source="t")])
    replay(without, Fixed(model))
    free = Counter(row["outcome"] for row in decisions(without, without.policies[0], "outcome"))
    assert 10 < kept["granted"] < free["auto_refund"]


def test_a_run_that_was_interrupted_goes_on_and_ends_with_the_same_bytes(
    run: Run, log: Path, history: History, model: LoadedModel, tmp_path: Path
) -> None:
    def interrupt(version: str, month: str, _: int) -> None:
        if (version, month) == (EVERYBODY.version, run.months[3].name):
            raise Interrupted

    with pytest.raises(Interrupted):
        replay(run, Fixed(model), on_month=interrupt)
    done: list[tuple[str, str]] = []
    replay(run, Fixed(model), on_month=lambda version, month, _: done.append((version, month)))
    assert done[0] == (CAPPED.version, run.months[3].name), "what was finished is not done again"
    whole = Run(tmp_path / "whole", history, run.policies)
    compute_features(log, history, whole.out)
    replay(whole, Fixed(model))
    files = sorted(path.relative_to(whole.out) for path in whole.out.rglob("*") if path.is_file())
    assert len(files) > 4 * 2 * len(run.months)
    for file in files:
        assert (run.out / file).read_bytes() == (whole.out / file).read_bytes(), file


def test_who_never_asks_again_is_moved_on_at_the_end(run: Run, model: LoadedModel) -> None:
    replay(run, Fixed(model))
    moves = read_moves(run.folder(NOTICE), [m.name for m in run.months], ["buyer_id", "to_state"]).to_pylist()
    revoked = {row["buyer_id"] for row in moves if row["to_state"] == "revoked"}
    facts = pa.concat_tables(run.history.facts())
    confirmed = facts.filter(pc.equal(facts["kind"], "abuse_confirmed"))
    assert revoked == set(confirmed["buyer_id"].to_pylist())
    assert len(revoked) > 3
