"""The platform in a market that goes on: it hears every event and answers every request under one policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from decisions.policy import Policy
from features.errors import BadInput
from models.deciding.row import DecisionRow

from ..book import Book, read_book, write_book
from ..deciding import Loop
from ..instants import micros
from ..marketplace import Replies, Step, stated_answer
from ..months import begin_of
from ..nights import Moves, Scorer
from ..parts import as_table, months_in, read_decisions, write_part
from .archive import Archive
from .asking import turns_of
from .hearing import Hearing

ModelOf = Callable[[str], Scorer | None]
OnMonth = Callable[[str, int], None]
STATE: Final = "state.msgpack"


class Platform:
    """Answers the market's requests under a policy, in the order in which they come.

    Months before the first that has a model are answered as the open loop's history was made, and nobody
    learns from that. What an earlier run decided is answered again from what it wrote.

    Parameters
    ----------
    policy : Policy
    folder : Path
        Where its decisions go.
    model_of : callable
        Gives the model of a month such as 2026-03; None if nothing can be learned by then.
    archive : Archive
        Filled with what becomes known; models may learn from it.
    on_month : callable
        Is told the month and how many requests were decided in it.
    """

    def __init__(
        self,
        policy: Policy,
        folder: Path,
        *,
        model_of: ModelOf,
        archive: Archive,
        on_month: OnMonth = lambda *_: None,
    ) -> None:
        self._folder, self._model_of, self._archive, self._on_month = folder, model_of, archive, on_month
        self.book = read_book(folder / STATE)
        self._hearing = Hearing(archive, of_shops=policy.needs_shop)
        self._loop = Loop(policy, self._hearing, self.book)
        self._stored = _Stored(folder, self.book)
        self._month = ""
        self._model: Scorer | None = None
        self._rows: list[DecisionRow] = []
        self._moves: Moves = []

    def answer(self, step: Step) -> Replies:
        """Answer a step's requests.

        Raises
        ------
        BadInput
            An earlier run decided other requests.
        """
        self._archive.add(step.events)
        self._hearing.add(step.events)
        if not len(step.requests):
            return Replies(auto=np.zeros(0, np.bool_), revoked=np.zeros(0, np.bool_))
        month = f"{step.requests['requested_at'][0].as_py():%Y-%m}"
        if month <= self.book.after:
            return self._stored.answer(step, month)
        if month != self._month:
            self._end_month(until=micros(begin_of(month)))
            self._month, self._model = month, self._model_of(month)
        if self._model is None:
            return replace(stated_answer(step), felt=False)
        return self._decided(step, self._model)

    def _decided(self, step: Step, model: Scorer) -> Replies:
        order = _as_in_the_log(step)
        turns = turns_of(step.requests.take(pa.array(order)), self._archive, score=model.score)
        rows = self._loop.decide(turns, model, self._moves)
        self._rows += rows
        back = np.argsort(order)
        return Replies(
            auto=np.array([row.outcome == "auto_refund" for row in rows])[back],
            revoked=np.array([row.standing == "revoked" for row in rows])[back],
        )

    def end(self) -> None:
        """Pass the nights that are left, and write the last month."""
        self._end_month(until=self._archive.last + 1)

    def _end_month(self, *, until: int) -> None:
        """Write the month's decisions and the state after it, if any was decided."""
        if self._rows and self._model is not None:
            self._loop.pass_nights(until, self._model, self._moves)
            write_part(self._folder, self._month, as_table(self._rows), self._moves)
            self.book.after = self._month
            write_book(self.book, self._folder / STATE)
            self._on_month(self._month, len(self._rows))
        self._rows, self._moves = [], []


def _as_in_the_log(step: Step) -> npt.NDArray[np.int64]:
    """Order requests by when they came, those of one instant by their events: as a replay does."""
    asking = step.events.filter(pc.equal(step.events["kind"], "refund_requested"))
    at = pc.index_in(step.requests["after_sale_id"], value_set=asking["after_sale_id"])
    event = asking["event_id"].take(at.combine_chunks())
    rows = pa.table({"at": step.requests["requested_at"], "event": event})
    found = pc.sort_indices(rows, [("at", "ascending"), ("event", "ascending")])
    return np.asarray(found.to_numpy()).astype(np.int64)


class _Stored:
    """The answers of an earlier run, by month."""

    def __init__(self, folder: Path, book: Book) -> None:
        self._months = [month for month in months_in(folder) if month <= book.after]
        names = ["after_sale_id", "outcome", "standing"]
        self._table = read_decisions(folder, self._months, names)
        self._folder = folder

    def answer(self, step: Step, month: str) -> Replies:
        """Give them once more, or those of the history before."""
        if month not in self._months:
            return replace(stated_answer(step), felt=False)
        place = pc.index_in(step.requests["after_sale_id"], value_set=self._table["after_sale_id"])
        if place.null_count:
            raise BadInput(f"{self._folder}: holds decisions of another market; name another folder")
        found = self._table.take(place.combine_chunks())
        auto, revoked = (
            pc.equal(found[name], value).combine_chunks().to_numpy(zero_copy_only=False)
            for name, value in (("outcome", "auto_refund"), ("standing", "revoked"))
        )
        return Replies(auto=auto, revoked=revoked)
