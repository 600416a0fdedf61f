"""A backtest from its files to its report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from decisions.policy import Policy
from decisions.request import GoodsType
from features.files import replacing
from features.scan import Log

from .again import again_of
from .budget import FOLDER, changes, verdict
from .caveats import caveats_of
from .figures import Scene
from .fitting import Fit
from .history import read_history
from .judged import Buyers, judge
from .outcomes import outcomes_of
from .page import page_of
from .replay import Models, OnMonth, Run, compute_features, replay
from .report import plain, report_of
from .run_record import Inputs, recorded
from .teaching import Task
from .truth import Truth
from .walk_forward import base_rates, taught_nothing

PAGE: Final = "report.html"
JSON: Final = "report.json"
OnStep = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a backtest is asked.

    Attributes
    ----------
    log : Log
    out : Path
        The run's folder.
    policies : sequence of Policy
        The first is what the others are compared with.
    truth : Truth or None
    since, until : datetime, optional
        Which requests, by when they became known.
    budget : float, optional
        Find the cheapest change to the first policy that loses at most so much of a refunded yuan.
    goods : str, optional
        What orders hold of which the log does not say it.
    seed : int
        Of the intervals.
    task : str
        What the models learned. After `cancellation` a request's outcome is whether its buyer cancels again.
    fit : Fit, optional
        How `policies` were fitted to the log.
    """

    log: Log
    out: Path
    policies: Sequence[Policy]
    truth: Truth | None = None
    since: datetime | None = None
    until: datetime | None = None
    budget: float | None = None
    goods: GoodsType | None = None
    seed: int = 0
    task: Task = "abuse"
    fit: Fit | None = None
    memory: int | None = None


def backtest(
    order: Order,
    models: Models,
    inputs: Inputs,
    *,
    caveats: Sequence[str] = (),
    on_step: OnStep = lambda _: None,
    on_month: OnMonth = lambda *_: None,
) -> dict[str, Any]:
    """Replay, judge, and write the report into the run's folder; give it as plain values.

    A run that was interrupted goes on where it stopped and ends with the same bytes.

    Raises
    ------
    BadInput
        As `history.read_history` and `run_record.recorded`.
    """
    with recorded(order.out, inputs):
        on_step("reading the history")
        history = read_history(order.log, since=order.since, until=order.until, goods=order.goods)
        on_step("computing the features of every request")
        compute_features(order.log, history, order.out, memory=order.memory)
        run = Run(order.out, history, order.policies)
        on_step("deciding")
        replay(run, models, on_month=on_month)
        on_step("judging")
        scene = _scene(run, order)
        months = [month.name for month in run.months]
        said = [*caveats, *caveats_of(history, scene.outcomes, order.policies, assumed_goods=order.goods)]
        if idle := taught_nothing(months, order.out):
            said.append(f"Nothing could be learned for {', '.join(idle)}: decided by the model before.")
        report = report_of(run, scene, inputs=asdict(inputs), caveats=said)
        if order.fit is not None:
            report["fitted"] = order.fit.said(order.policies) | {"base_rates": base_rates(order.out, months)}
        if order.budget is not None:
            on_step("looking for the cheapest change")
            report["budget"] = _cheapest(run, scene, models, order, on_month)
        on_step("writing the report")
        write_report(report, page_of(report), order.out)
    return report


def _scene(run: Run, order: Order) -> Scene:
    outcomes = outcomes_of(run.history)
    buyers = Buyers.of(run.history, order.truth)
    judged = [judge(run, policy, outcomes, buyers) for policy in run.policies]
    again = again_of(order.log, run.history) if order.task == "cancellation" else None
    return Scene.of(run.history, outcomes, buyers, judged, outcome=again, seed=order.seed)


def _cheapest(run: Run, scene: Scene, models: Models, order: Order, on_month: OnMonth) -> dict[str, Any]:
    assert order.budget is not None
    tried = list(changes(run.policies[0]))
    with_changes = replace(run, policies=[c.policy for c in tried], name=FOLDER)
    replay(with_changes, models, on_month=on_month)
    outcomes, buyers = scene.outcomes, scene.buyers
    judged = [scene.judged[0], *(judge(with_changes, c.policy, outcomes, buyers) for c in tried)]
    beside = Scene.of(run.history, outcomes, buyers, judged, outcome=scene.outcome, seed=order.seed)
    found: dict[str, Any] = plain(verdict(beside, tried, budget=order.budget))
    return found


def write_report(report: dict[str, Any], page: str, out: Path) -> None:
    """Write a report into the run's folder, as values and as a page."""
    for name, text in ((JSON, json.dumps(report, ensure_ascii=False, indent=1)), (PAGE, page)):
        with replacing(out / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
