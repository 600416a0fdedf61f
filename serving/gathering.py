"""Requests that wait share one piece of work: what is waiting when a place becomes free goes together.

As databases do with group commit: alone, a request is served at once; under load, groups grow by themselves,
and each pays one set of round trips and one flush of the disk.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .errors import Overloaded, Unavailable

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
Run = Callable[[Sequence[Ask]], Awaitable[Sequence[Any]]]
Apart = Callable[[Ask], Iterable[Hashable]]

MOST = 64
AT_ONCE = 2
"""While one group waits for the disk, another is computed."""
WAITING = 1000


@dataclass(slots=True)
class _Waiting(Generic[Ask]):
    ask: Ask
    answer: asyncio.Future[Any]
    keys: tuple[Hashable, ...]
    since: float = field(default_factory=time.perf_counter)


class Gathering(Generic[Ask, Answer]):
    """Collects what is asked and runs it in groups.

    Parameters
    ----------
    run : callable
        Serves a group; gives one answer or exception for each. If it fails as a whole, each is run alone, so
        that one cannot take others with it; but what is away for all (`Unavailable`) fails for all.
    apart : callable, optional
        Keys of an ask: no two under way at one time, in one group or in two, share one. The later waits.
    most : int
        Largest group.
    at_once : int
        Groups under way at one time.
    limit : int
        How many may wait; above, `Overloaded` is raised at once.
    waited : callable
        Told how many seconds each waited for its group.
    """

    def __init__(
        self,
        run: Run[Ask],
        *,
        apart: Apart[Ask] = lambda _ask: (),
        most: int = MOST,
        at_once: int = AT_ONCE,
        limit: int = WAITING,
        waited: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._run, self._apart, self._waited = run, apart, waited
        self._most, self._at_once, self._limit = most, at_once, limit
        self._waiting: deque[_Waiting[Ask]] = deque()
        self._held: set[Hashable] = set()
        self._running: set[asyncio.Task[None]] = set()
        self._called = False

    def __len__(self) -> int:
        """Tell how many wait."""
        return len(self._waiting)

    async def ask(self, ask: Ask) -> Answer:
        """Have it served with others.

        Raises
        ------
        Overloaded
            Too many wait already.
        """
        if len(self._waiting) >= self._limit:
            raise Overloaded(len(self._waiting))
        loop = asyncio.get_running_loop()
        one = _Waiting(ask, loop.create_future(), tuple(self._apart(ask)))
        self._waiting.append(one)
        if not self._called and len(self._running) < self._at_once:
            self._called = True
            loop.call_soon(self._start)  # once all that have come in with this one wait, too
        answer: Answer = await one.answer
        return answer

    async def close(self) -> None:
        """Wait until nothing is under way and nothing waits."""
        while self._running or self._waiting:
            self._start()
            await asyncio.wait(self._running)

    def _start(self) -> None:
        self._called = False
        while len(self._running) < self._at_once and (group := self._next()):
            task = asyncio.create_task(self._serve(group))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting:
            self._start()

    def _next(self) -> list[_Waiting[Ask]]:
        """Take the longest waiting that share nothing with what is under way, and leave the rest in place."""
        group: list[_Waiting[Ask]] = []
        later: list[_Waiting[Ask]] = []
        while self._waiting and len(group) < self._most:
            one = self._waiting.popleft()
            if self._held.isdisjoint(one.keys):
                self._held.update(one.keys)
                group.append(one)
            else:
                later.append(one)
        self._waiting.extendleft(reversed(later))
        return group

    async def _serve(self, group: list[_Waiting[Ask]]) -> None:
        now = time.perf_counter()
        for one in group:
            self._waited(now - one.since)
        try:
            for one, answer in zip(group, await self._answers([one.ask for one in group]), strict=True):
                _give(one.answer, answer)
        except BaseException as error:
            for one in group:
                _give(one.answer, error)
            if not isinstance(error, Exception):
                raise
        finally:
            for one in group:
                self._held.difference_update(one.keys)

    async def _answers(self, asks: list[Ask]) -> Sequence[Any]:
        try:
            return await self._run(asks)
        except Unavailable:
            raise
        except Exception:
            if len(asks) == 1:
                raise
        return [await self._alone(ask) for ask in asks]

    async def _alone(self, ask: Ask) -> Any:
        try:
            return (await self._run([ask]))[0]
        except Exception as error:
            return error


def _give(future: asyncio.Future[Any], answer: Any) -> None:
    if future.done():  # whoever asked has gone
        return
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
