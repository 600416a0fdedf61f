"""What every backtest does around its run: the model asked for, the folder's name, what is shown."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backtest.replay import Models
    from backtest.run_record import Inputs


def name_of(inputs: Inputs) -> str:
    """Name a run's folder by what goes into it."""
    return hashlib.sha256(json.dumps(asdict(inputs), sort_keys=True).encode()).hexdigest()[:12]


def model_named(model: str | None, tracking_uri: str) -> tuple[Models | None, str, list[str]]:
    """Load the model that was asked for; None if models are to be trained."""
    from backtest.replay import Fixed
    from features.errors import BadInput
    from models.registry import CHAMPION, Registry
    from training.publish import learned_until

    if model is None:
        return None, "trained monthly", []
    registry = Registry(tracking_uri)
    try:
        loaded = registry.champion() if model == CHAMPION else registry.load(model)
    except LookupError as error:
        raise BadInput(str(error)) from error
    if loaded is None:
        raise BadInput(f"--model champion: {tracking_uri} has no champion; run `buyer-tier train` first")
    known = (learned_until(registry, loaded) or "an unknown day")[:10]
    said = (
        f"Model version {loaded.version} had learned from outcomes known by {known}: on earlier months it is "
        "better than it could have been then. Monthly training avoids this."
    )
    return Fixed(loaded), f"version {loaded.version}", [said]


def _logged(report: dict[str, Any], folder: Path, tracking_uri: str) -> str:
    from backtest.backtest import JSON, PAGE
    from training.logged import log_report

    metrics = {
        f"{policy['version']}/{name}".replace("~", "_").replace("+", "_"): figure["value"]
        for policy in report["policies"]
        for name, figure in policy["figures"].items()
        if figure["value"] is not None
    }
    inputs = report["inputs"]
    params = {
        "log": inputs["log"],
        "models": inputs["models"],
        "since": inputs["since"],
        "until": inputs["until"],
        "policies": " ".join(inputs["policies"]),
    }
    return log_report(
        tracking_uri,
        experiment="buyer-tier/backtest",
        name=f"backtest of {', '.join(inputs['policies'])}",
        params=params,
        metrics=metrics,
        files=[folder / PAGE, folder / JSON],
    )


def shown(
    report: dict[str, Any],
    folder: Path,
    *,
    rows: Sequence[tuple[str, str, str]],
    names: Sequence[str],
    tracking_uri: str,
    as_json: bool,
) -> None:
    """Log a report to MLflow and show it in the terminal.

    Parameters
    ----------
    rows : sequence of (name, words, unit)
        The figures that it has.
    names : sequence of str
        Those that the terminal shows.
    """
    from backtest.backtest import JSON, PAGE
    from buyer_tier.backtest_shown import lines_of, tables_of
    from buyer_tier.console import emit, out

    report["run_id"] = _logged(report, folder, tracking_uri)
    if as_json:
        emit(report | {"page": str(folder / PAGE), "json": str(folder / JSON)})
        return
    for table in tables_of(report, rows, names):
        out.print(table)
    for line in lines_of(report):
        out.print(line, soft_wrap=True)
    out.print(f"{folder / PAGE}", soft_wrap=True)
