"""One policy's life in a market of its own, from its seed to its log, truth and decisions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from decisions.policy import Policy
from decisions.shanghai import DAY_US
from features.files import replacing
from features.log import write_table
from features.parts import EVENTS_FILE, TRUTH_FILE
from features.scan import open_log
from models.deciding.sweeping import night_until

from ..book import read_book
from ..happenings import Happenings
from ..history import History, read_history
from ..instants import micros
from ..marketplace import Market, MarketConfig, live
from ..parts import END, months_in, read_decisions
from ..replay import Models, Run, finish
from ..truth import Truth, read_truth
from .archive import Archive
from .lessons import Lessons
from .platform import STATE, Platform

WORLDS: Final = "worlds"
OnMonth = Callable[[str, str, int], None]


@dataclass(frozen=True, kw_only=True)
class World:
    """A market to be lived in, once under each policy.

    Attributes
    ----------
    market : MarketConfig
    out : Path
        The run's folder; each policy's world has one of its own in it.
    models : Models or None
        In charge from the first day on; None trains monthly, and the first month that can be learned for is
        the first that is decided.
    seed : int
        Of training.
    proves : bool
        Whether a policy asks for the cut-off that each model proves.
    reacts : bool
        Whether abusers react.
    """

    market: MarketConfig
    out: Path
    models: Models | None = None
    seed: int = 0
    proves: bool = False
    reacts: bool = True

    def folder(self, policy: Policy) -> Path:
        """Give the folder of a policy's world."""
        return self.out / WORLDS / policy.version


@dataclass(frozen=True)
class Lived:
    """What came of one policy: its run over the history that it made itself, and who the people are."""

    run: Run
    truth: Truth

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.run.policies[0]


def lived(
    world: World,
    policy: Policy,
    *,
    on_day: Callable[[float], None] = lambda _: None,
    on_month: OnMonth = lambda *_: None,
    on_model: Callable[[str], None] = lambda _: None,
) -> Lived:
    """Let a policy live in the market, or go on where an earlier run was interrupted, or read what it wrote.

    What an earlier run decided is answered again: the market, which is made anew, asks the same.

    Raises
    ------
    BadInput
        No month can be decided by a model of its own time.
    """
    folder = world.folder(policy)
    decided = folder / "policies" / policy.version
    if read_book(decided / STATE).after != END:
        _live(world, policy, folder, decided, on_day=on_day, on_month=on_month, on_model=on_model)
    run = Run(folder, _history(world, folder, decided), [policy])
    finish(run, policy, Happenings(run.history), read_book(decided / STATE))
    return Lived(run, read_truth(folder / TRUTH_FILE))


def _live(
    world: World,
    policy: Policy,
    folder: Path,
    decided: Path,
    *,
    on_day: Callable[[float], None],
    on_month: OnMonth,
    on_model: Callable[[str], None],
) -> None:
    archive = Archive()
    lessons = Lessons(
        lambda: archive.events,
        common=world.out,
        own=folder,
        first=next(iter(months_in(decided)), None),
        seed=world.seed,
        proves=world.proves,
        on_model=on_model,
    )
    platform = Platform(
        policy,
        decided,
        model_of=lessons.of if world.models is None else world.models.of,
        archive=archive,
        on_month=lambda month, n: on_month(policy.version, month, n),
    )
    market = live(
        world.market, platform.answer, reacts=world.reacts, progress=on_day, night_s=_night_s(world.market)
    )
    platform.end()
    if not platform.book.after:
        raise lessons.refusal()
    _write(market, folder)


def _night_s(market: MarketConfig) -> float:
    """Tell how many seconds after the market's days begin the platform sweeps."""
    begin = micros(market.start)
    return (night_until(begin) - begin) % DAY_US / 1e6


def _write(market: Market, folder: Path) -> None:
    for table, name in ((market.truth, TRUTH_FILE), (market.events, EVENTS_FILE)):
        with replacing(folder / name) as temporary:
            write_table(table, temporary, kind=".parquet")


def _history(world: World, folder: Path, decided: Path) -> History:
    """Read the history that the decisions made, and see that it asks what was decided."""
    months = months_in(decided)
    begins = datetime.fromisoformat(f"{months[0]}-01").replace(tzinfo=UTC)
    since = begins if begins > world.market.start else None
    history = read_history(open_log(folder / EVENTS_FILE), since=since)
    cases = read_decisions(decided, months, ["after_sale_id"])["after_sale_id"]
    if not cases.equals(history.requests["after_sale_id"]):
        raise RuntimeError(f"{folder}: the log asks otherwise than was decided")
    return history
