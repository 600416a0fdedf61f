"""The closed loop of ``buyer-tier backtest``: ``--world``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from decisions.policy import Policy
    from serving.settings import Settings

MOST_SEEDS: Final = 2**32
DEFAULTS: Final = {"buyers": 5_000, "days": 540, "abuse_rate": 0.01}
NOT_OF_WORLDS: Final = {
    "--events": "a world makes its own history; give one or the other",
    "--since": "a world is decided from its first model on; say how long it lasts with --days",
    "--until": "a world is decided to its end; say how long it lasts with --days",
    "--truth": "a world knows who abuses",
    "--goods": "a world knows what its orders hold",
    "--task": "a world confirms abuse, and that is what its models learn",
    "--loss-budget": "each change would need a world of its own; give the changes as policies (--policy)",
}


def refuse_mixture(*, world: bool, of_histories: Mapping[str, Any], of_worlds: Mapping[str, Any]) -> None:
    """Refuse options of a history with ``--world`` and of a world without.

    Raises
    ------
    BadInput
    """
    from features.errors import BadInput

    if not world and of_histories["--events"] is None:
        raise BadInput("nothing to decide: give a history (--events FOLDER) or a simulated market (--world)")
    for option, value in (of_histories if world else of_worlds).items():
        if value is not None:
            why = NOT_OF_WORLDS.get(option, "it describes a simulated market; add it to --world")
            raise BadInput(f"{option} does not go {'with' if world else 'without'} --world: {why}")


def live(
    given: Mapping[str, Any],
    policies: Sequence[Policy],
    out_dir: Path | None,
    *,
    model: str | None,
    seed: int,
    seeds: int,
    settings: Settings,
    as_json: bool,
) -> None:
    """Let each policy live in a market of its own and show what came of it."""
    from backtest.marketplace import MarketConfig
    from backtest.run_record import Inputs, leaves_cut_off, policies_of
    from backtest.world.backtest import backtest
    from backtest.world.living import World
    from backtest.world.page import TERMINAL, rows
    from buyer_tier.backtest_run import model_named, name_of, shown
    from buyer_tier.console import err
    from features.errors import BadInput

    if seed + seeds > MOST_SEEDS:
        raise BadInput(f"--seeds {seeds}: there is no seed after {MOST_SEEDS - 1}; give a lesser --seed")
    market = MarketConfig(**(DEFAULTS | {k: v for k, v in given.items() if v is not None}), seed=seed)
    models, name, caveats = model_named(model, settings.tracking_uri)
    inputs = Inputs(
        log=f"simulated market of {market.buyers} buyers, {market.days} days, {market.abuse_rate:g} of them "
        f"abusers, {_said(seed, seeds)}, from {market.start:%Y-%m-%d}",
        policies=policies_of(policies),
        models=f"{name}, seed {seed}",
        since=None,
        until=None,
        goods=None,
    )
    folder = out_dir or settings.home / "backtests" / name_of(inputs)
    world = World(
        market=market,
        out=folder,
        models=models,
        seed=seed,
        proves=leaves_cut_off(policies),
    )
    with err.status("living") as status:
        report = backtest(
            world,
            policies,
            inputs,
            models=name,
            seeds=seeds,
            caveats=caveats,
            on_step=status.update,
            on_month=lambda version, month, n: status.update(f"{version}: {n:,} decisions of {month}"),
        )
    shown(
        report,
        folder,
        rows=rows(),
        names=TERMINAL,
        tracking_uri=settings.tracking_uri,
        as_json=as_json,
    )


def _said(seed: int, seeds: int) -> str:
    return f"seed {seed}" if seeds == 1 else f"seeds {seed} to {seed + seeds - 1}"
