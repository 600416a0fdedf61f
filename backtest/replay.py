"""Replay a history under policies: month by month, each policy with a state of its own, resumable."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import pyarrow as pa

from decisions.policy import Policy
from features.scan import Log
from features.stream import feature_files, give_back, least_memory

from .book import Book, read_book, write_book
from .deciding import Loop
from .happenings import Happenings
from .history import History
from .instants import micros
from .months import Month, Vectors, turns_of
from .nights import Moves, Nights, Scorer
from .parts import END, as_table, write_moves, write_part

FEATURES: Final = "features.parquet"
OnMonth = Callable[[str, str, int], None]


class Models(Protocol):
    """Which model is in charge in a month."""

    def of(self, month: str) -> Scorer:
        """Give the model of a month such as 2026-03."""


@dataclass(frozen=True)
class Fixed:
    """One model for all months."""

    model: Scorer

    def of(self, month: str) -> Scorer:
        """Give it."""
        return self.model


@dataclass(frozen=True)
class Run:
    """Where a replay writes, and what it replays; ``name`` is the folder of its policies in ``out``."""

    out: Path
    history: History
    policies: Sequence[Policy]
    name: str = "policies"

    def folder(self, policy: Policy) -> Path:
        """Give the folder of a policy."""
        return self.out / self.name / policy.version

    @property
    def months(self) -> list[Month]:
        """The months in which something was asked."""
        return list(self.history.months)


def compute_features(log: Path | Log, history: History, out: Path, *, memory: int | None = None) -> Path:
    """Compute the vector of every request into the run's folder, once; buyers group by group.

    Parameters
    ----------
    memory : int, optional
        Bytes, by default the least that `features.stream` takes for the log.
    """
    path = out / FEATURES
    if not path.exists():
        spine = history.asked(["buyer_id", "requested_at"]).rename_columns(["buyer_id", "as_of"])
        feature_files(log, spine, path, memory=memory or least_memory(history.events))
        give_back()
    return path


def replay(run: Run, models: Models, *, on_month: OnMonth = lambda *_: None) -> None:
    """Decide every request under every policy; what an earlier run finished is kept.

    The features must be there (`compute_features`).
    """
    happenings = Happenings(run.history)
    vectors = Vectors(run.out / FEATURES)
    loops = {p.version: Loop(p, happenings, read_book(run.folder(p) / "state.msgpack")) for p in run.policies}
    months = run.months
    for loop in loops.values():
        if months and not loop.book.after:
            loop.tell_rest(happenings.facts_between(0, micros(months[0].begins), {}))
    ends = [*(micros(month.begins) for month in months[1:]), micros(run.history.last) + 1]
    for month, end in zip(months, ends, strict=True):
        open_ = [p for p in run.policies if loops[p.version].book.after < month.name]
        if not open_:
            continue
        model = models.of(month.name)
        rows: list[list[pa.Table]] = [[] for _ in open_]
        moves: list[Moves] = [[] for _ in open_]
        with _without_collecting():
            for turns in turns_of(run.history.requests_of(month.name), vectors, month, score=model.score):
                for policy, decided, made in zip(open_, rows, moves, strict=True):
                    decided.append(as_table(loops[policy.version].decide(turns, model, made)))
        for policy, decided, made in zip(open_, rows, moves, strict=True):
            loop = loops[policy.version]
            loop.pass_nights(end, model, made)
            loop.tell_rest(happenings.facts_between(micros(month.begins), end, loop.book.told))
            book = loops[policy.version].book
            decisions = pa.concat_tables(decided)
            write_part(run.folder(policy), month.name, decisions, made)
            book.after = month.name
            write_book(book, run.folder(policy) / "state.msgpack")
            on_month(policy.version, month.name, len(decisions))
    for policy in run.policies:
        finish(run, policy, happenings, loops[policy.version].book)


def finish(run: Run, policy: Policy, happenings: Happenings, book: Book) -> None:
    """Move the standings on to the history's end, once."""
    if book.after != END:
        made: Moves = []
        Nights(policy, happenings, book).sweep(micros(run.history.last) + 1, made)
        write_moves(run.folder(policy), END, made)
        book.after = END
        write_book(book, run.folder(policy) / "state.msgpack")


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Let Python not look for cycles meanwhile: there are none, and looking takes a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
