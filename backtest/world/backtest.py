"""A backtest in the closed loop, from a market's description and some policies to the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow.parquet as pq

from decisions.policy import Policy
from features.parts import EVENTS_FILE
from features.scan import open_log

from ..backtest import write_report
from ..nights import Scorer
from ..replay import OnMonth, compute_features
from ..run_record import Inputs, recorded
from .across import across, in_other_worlds
from .figures import Worlds
from .foretold import foretold
from .lessons import Lessons
from .living import Lived, World, lived
from .page import page_of
from .report import report_of

OnStep = Callable[[str], None]


def backtest(
    world: World,
    policies: Sequence[Policy],
    inputs: Inputs,
    *,
    models: str,
    seeds: int = 1,
    caveats: Sequence[str] = (),
    on_step: OnStep = lambda _: None,
    on_month: OnMonth = lambda *_: None,
) -> dict[str, Any]:
    """Let each policy live, judge, and write the report into the run's folder; give it as plain values.

    A run that was interrupted goes on where it stopped and ends with the same bytes.

    Parameters
    ----------
    policies : sequence of Policy
        The first is what the others are compared with.
    models : str
        How the scores come about, in words.
    seeds : int
        In how many worlds the policies live: that of the seed, and those of the next ones, of which the
        report tells how far their figures differ.

    Raises
    ------
    BadInput
        As `living.lived` and `run_record.recorded`.
    """
    live = partial(_lived, on_step=on_step, on_month=on_month)
    with recorded(world.out, inputs):
        lives = [live(world, policy) for policy in policies]
        report = _judged(world, lives, inputs=inputs, models=models, on_step=on_step, on_month=on_month)
        others = in_other_worlds(world, policies, seeds=seeds, live=live)
        report["across"] = across([report["policies"], *others]) if seeds > 1 else []
        report["seeds"] = [world.market.seed + n for n in range(seeds)]
        report["caveats"] += caveats
        on_step("writing the report")
        write_report(report, page_of(report), world.out)
    return report


def _judged(
    world: World,
    lives: Sequence[Lived],
    *,
    inputs: Inputs,
    models: str,
    on_step: OnStep,
    on_month: OnMonth,
) -> dict[str, Any]:
    on_step("judging")
    worlds = Worlds.of(lives, seed=world.seed)
    on_step(f"replaying the history of {lives[0].policy.version} under the others")
    learned = world.models or _Kept(_lessons(world, lives[0]))
    told = foretold(worlds, learned, seed=world.seed, on_month=on_month)
    return report_of(world, worlds, inputs=asdict(inputs), foretold=told, models=models)


def _lived(world: World, policy: Policy, *, on_step: OnStep, on_month: OnMonth) -> Lived:
    name = f"seed {world.market.seed}, {policy.version}"

    def on_day(done: float) -> None:
        on_step(f"{name}: {done:.0%} of the days lived")

    one = lived(
        world,
        policy,
        on_day=on_day,
        on_month=on_month,
        on_model=lambda month: on_step(f"{name}: training on what was known by {month}"),
    )
    on_step(f"{name}: computing the features of every request")
    compute_features(open_log(world.folder(policy) / EVENTS_FILE), one.run.history, one.run.out)
    return one


@dataclass(frozen=True)
class _Kept:
    """The models of a world that was lived."""

    lessons: Lessons

    def of(self, month: str) -> Scorer:
        return self.lessons.kept(month)


def _lessons(world: World, one: Lived) -> Lessons:
    folder = world.folder(one.policy)
    return Lessons(
        lambda: pq.read_table(folder / EVENTS_FILE),
        common=world.out,
        own=folder,
        first=one.run.months[0].name,
        seed=world.seed,
        proves=world.proves,
    )
