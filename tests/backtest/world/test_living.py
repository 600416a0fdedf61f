from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from backtest.history import read_history
from backtest.marketplace import simulate
from backtest.nights import Scorer
from backtest.outcomes import outcomes_of
from backtest.parts import read_decisions, read_moves
from backtest.replay import Fixed, Run, compute_features, replay
from backtest.walk_forward import WalkForward
from backtest.world.figures import Worlds
from backtest.world.living import Lived, World, lived
from decisions.policy import NOTICE
from features.errors import BadInput
from features.scan import open_log
from models.deciding import record
from tests.backtest.scenes import small_model
from tests.backtest.test_replay import EVERYBODY, NOBODY, Interrupted
from tests.backtest.world.conftest import GUARDED, MARKET, POLICIES, files_of


def decisions(one: Lived, *columns: str) -> pd.DataFrame:
    months = [month.name for month in one.run.months]
    return read_decisions(one.run.folder(one.policy), months, columns).to_pandas()


def events(world: World, one: Lived) -> pd.DataFrame:
    return pq.read_table(world.folder(one.policy) / "events.parquet").to_pandas()


@pytest.mark.parametrize("version", POLICIES)
def test_a_replay_of_the_history_that_a_policy_made_decides_as_it_did_to_the_byte(
    world: World, lives: dict[str, Lived], version: str, tmp_path: Path
) -> None:
    one, log = lives[version], open_log(world.folder(POLICIES[version]) / "events.parquet")
    again = Run(tmp_path, read_history(log), [POLICIES[version]])
    compute_features(log, again.history, again.out)
    replay(again, Fixed(small_model()))

    found, expected = (files_of(run.folder(POLICIES[version])) for run in (one.run, again))
    parts = [name for name in expected if name.endswith(".parquet")]
    assert len(parts) == 2 * len(again.months) + 1
    for name in parts:
        assert found[name] == expected[name], name


def test_a_budget_opened_its_breaker_in_the_guarded_world(lives: dict[str, Lived]) -> None:
    failed = {
        verdict.code
        for answer in decisions(lives["guarded"], "answer")["answer"]
        for verdict in record.rules_of(answer)
        if not verdict.passed
    }
    assert {"budget", "caps"} <= failed, "otherwise the byte-equal replay says nothing about them"


def test_in_the_swept_world_shops_were_measured_and_nights_moved_standings(lives: dict[str, Lived]) -> None:
    one = lives["swept"]
    measured = {record.shop_of(found) for found in decisions(one, "record")["record"]}
    assert len(measured) > 4, "otherwise the byte-equal replay says nothing about them"
    months = [month.name for month in one.run.months]
    moves = read_moves(one.run.folder(one.policy), months, ["event"])["event"].to_pylist()
    told = [json.loads(event) for event in moves]
    assert {"linked_abuse", "scored", "abuse_confirmed"} <= {event["kind"] for event in told}
    assert any(str(event["signal_id"]).startswith("swept:") for event in told)


def test_a_policy_that_refunds_nobody_pays_nothing_unseen(world: World, lives: dict[str, Lived]) -> None:
    one = lives[NOBODY.version]
    assert set(decisions(one, "outcome")["outcome"]) == {"manual_review"}
    granted = events(world, one).query("kind == 'refund_granted'")
    assert len(granted) > 100
    assert "auto" not in set(granted["actor"])


def test_a_policy_that_refunds_everybody_pays_whatever_is_asked_before_shipment(
    world: World, lives: dict[str, Lived]
) -> None:
    one = lives[EVERYBODY.version]
    outcomes = outcomes_of(one.run.history)
    rows = decisions(one, "outcome", "answer", "standing")
    agrees = [
        next(v.passed for v in record.rules_of(answer) if v.code == "agrees_with_history")
        for answer in rows["answer"]
    ]
    due = outcomes.before & pd.Series(agrees).to_numpy() & (rows["standing"] != "revoked").to_numpy()
    auto = (rows["outcome"] == "auto_refund").to_numpy()
    assert (auto == due).all()
    assert (outcomes.auto == auto)[~_open(one)].all(), "the market pays what was decided"
    assert auto.sum() > 0.8 * outcomes.before.sum()


def _open(one: Lived) -> pd.Series:
    """Requests whose answer the log does not reach any more."""
    return outcomes_of(one.run.history).answered_us < 0


def test_who_learns_of_the_revocation_asks_no_more_and_may_come_back_with_a_linked_account(
    world: World, lives: dict[str, Lived]
) -> None:
    learned = came_back = 0
    for one in lives.values():
        truth = pq.read_table(world.folder(one.policy) / "truth.parquet").to_pandas().set_index("buyer_id")
        rows = decisions(one, "buyer_id", "standing", "requested_at")
        told = rows[rows["standing"] == "revoked"].groupby("buyer_id")["requested_at"].min()
        told = told[truth["is_abuser"][told.index].to_numpy()]
        ends = truth["abuse_ends_at"][told.index].dropna()
        assert (ends <= told[ends.index].dt.ceil("D")).all()

        back = truth[(truth["person_id"] != truth.index) & truth["person_id"].isin(told.index)]
        assert (back["signed_up_at"].to_numpy() > told[back["person_id"]].to_numpy()).all()
        shown = events(world, one).query("kind == 'identity_linked'")
        links = shown.groupby("buyer_id")["link_value"].agg(set)
        for account, person in back["person_id"].items():
            family = truth.index[(truth["person_id"] == person) & (truth.index != account)]
            assert any(links[account] & links[other] for other in family), account
        learned, came_back = learned + len(told), came_back + len(back)
    assert learned >= 5
    assert came_back >= 2


def test_abusers_whom_nobody_refunds_at_once_ask_for_less_and_less_often(
    world: World, lives: dict[str, Lived]
) -> None:
    found = []
    for version in (NOBODY.version, EVERYBODY.version):
        one = lives[version]
        asked = one.run.history.requests.to_pandas()
        abusers = one.truth.buyer_ids.filter(pa.array(one.truth.is_abuser)).to_pylist()
        mine = asked[asked["buyer_id"].isin(abusers) & (asked["refund_type"] == "refund_only")]
        late = mine[mine["requested_at"] > mine["requested_at"].quantile(0.5)]
        found.append((late["paid_amount_fen"].median(), len(mine)))
    refused, served = found
    assert refused[0] < 0.9 * served[0], "they ask for less"
    assert refused[1] < 0.9 * served[1], "and less often"


def test_figures_of_worlds_whose_results_are_known_are_those(lives: dict[str, Lived]) -> None:
    worlds = Worlds.of([lives[NOBODY.version], lives[EVERYBODY.version]])
    nobody, everybody = worlds.figures(0), worlds.figures(1)
    for name in ("auto", "auto_fen", "abuser_auto_fen", "loss_auto_fen", "new_auto_fen"):
        assert nobody[name].value == 0, name
    assert nobody["reviews"].value == nobody["before"].value
    history = lives[NOBODY.version].run.history
    outcomes = outcomes_of(history)
    hours = outcomes.answered_us[outcomes.before & (outcomes.answered_us >= 0)].sum() / 3.6e9
    assert nobody["hours_waited"].value == pytest.approx(hours)
    assert everybody["good_served"].value is not None
    assert everybody["good_served"].value > 0.8
    assert (everybody["hours_waited"].value or 0) < 0.2 * hours
    gap = worlds.gaps(1)["hours_waited"]
    assert gap.high is not None
    assert gap.high < 0


def test_money_and_accounts_of_one_person_are_counted_together(lives: dict[str, Lived]) -> None:
    one = lives[NOBODY.version]
    worlds = Worlds.of([one])
    figures, people = worlds.figures(0), worlds.people[0]
    opened = pc.not_equal(one.truth.buyer_ids, one.truth.person_ids)
    assert figures["new_accounts"].value == pc.sum(opened).as_py() > 2
    assert people.count == MARKET.buyers
    assert (figures["people"].value or 0) < (figures["abusers"].value or 0)
    assert 0 < (figures["people_back"].value or 0) <= (figures["new_accounts"].value or 0)


def test_a_run_that_was_interrupted_goes_on_and_ends_with_the_same_bytes(
    world: World, lives: dict[str, Lived], tmp_path: Path
) -> None:
    again, done = replace(world, out=tmp_path), list[tuple[str, int]]()
    months = [month.name for month in lives["guarded"].run.months]

    def interrupt(version: str, month: str, _: int) -> None:
        if month == months[2]:
            raise Interrupted

    with pytest.raises(Interrupted):
        lived(again, GUARDED, on_month=interrupt)
    lived(again, GUARDED, on_month=lambda _, month, n: done.append((month, n)))
    assert [month for month, _ in done] == months[3:], "what was finished is not decided again"
    assert files_of(again.folder(GUARDED)) == files_of(world.folder(GUARDED))
    lived(again, GUARDED, on_month=lambda *_: pytest.fail("what is whole is not lived again"))


def test_what_another_market_was_answered_is_refused(world: World, tmp_path: Path) -> None:
    again = replace(world, out=tmp_path)

    def interrupt(version: str, month: str, _: int) -> None:
        raise Interrupted

    with pytest.raises(Interrupted):
        lived(again, NOTICE, on_month=interrupt)
    with pytest.raises(BadInput, match="holds decisions of another market"):
        lived(replace(again, market=replace(MARKET, seed=5)), NOTICE)


@dataclass(frozen=True)
class From:
    """A model that is there from a month on."""

    month: str
    model: Scorer

    def of(self, month: str) -> Scorer | None:
        return self.model if month >= self.month else None


def test_until_there_is_a_model_the_market_is_the_open_one_and_nobody_learns(
    world: World, tmp_path: Path
) -> None:
    later = replace(world, out=tmp_path, models=From("2025-08", small_model()))  # type: ignore[arg-type]
    one = lived(later, EVERYBODY)
    assert one.run.months[0].name == "2025-08"
    begins = pd.Timestamp("2025-08-01", tz="UTC")
    names = [name for name in simulate(MARKET).events.column_names if name != "event_id"]
    before = [
        t.filter(pc.less(t["recorded_at"], begins)).select(names).sort_by([(n, "ascending") for n in names])
        for t in (pq.read_table(later.folder(EVERYBODY) / "events.parquet"), simulate(MARKET).events)
    ]
    assert before[0].equals(before[1])
    moves = read_moves(one.run.folder(EVERYBODY), [m.name for m in one.run.months], ["to_state", "at"])
    assert "revoked" in moves["to_state"].to_pylist(), "what was confirmed before is heard"


@pytest.mark.slow
def test_models_learn_from_the_market_that_the_policy_made(tmp_path: Path) -> None:
    market = replace(MARKET, buyers=1500, days=320, abuse_rate=0.05, seed=3)
    trained: list[str] = []
    world = World(market=market, out=tmp_path / "run")
    one = lived(world, NOTICE, on_model=trained.append)
    months = [month.name for month in one.run.months]
    assert trained[-len(months) :] == months
    log = open_log(world.folder(NOTICE) / "events.parquet")
    again = Run(tmp_path / "again", one.run.history, [NOTICE])
    compute_features(log, again.history, again.out)
    replay(again, WalkForward(log, again.out))
    found, expected = (files_of(run.folder(NOTICE)) for run in (one.run, again))
    for name in [name for name in expected if name.endswith(".parquet")]:
        assert found[name] == expected[name], name


def test_a_market_too_short_to_learn_from_is_refused_in_one_line(world: World, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no month of this market can be decided by a model") as refused:
        lived(replace(world, out=tmp_path, models=None, market=replace(MARKET, days=40)), NOTICE)
    assert "\n" not in str(refused.value)
