"""Requests that wait go together, and one that fails takes no other with it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from serving.app import create_app
from serving.errors import Overloaded, Unavailable
from serving.gathering import Gathering
from serving.settings import Settings
from tests.serving.conftest import Add, client_of
from tests.serving.scenes import NOW, FakeModels, good_history, request


class Work:
    """Doubles numbers, one group after the other; fails for what it is told to fail for."""

    def __init__(self, *, fails: Exception | None = None, on: int = -1) -> None:
        self.groups: list[list[int]] = []
        self.fails, self.on = fails, on
        self.go = asyncio.Event()

    async def __call__(self, asks: Sequence[int]) -> list[int | Exception]:
        self.groups.append(list(asks))
        await self.go.wait()
        if self.fails is not None and self.on in asks:
            raise self.fails
        return [ValueError("odd one") if ask == 13 else 2 * ask for ask in asks]


async def together(
    gathering: Gathering[int, int], work: Work, asks: Sequence[int]
) -> list[int | BaseException]:
    tasks = [asyncio.create_task(gathering.ask(ask)) for ask in asks]
    await asyncio.sleep(0)
    work.go.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_comes_at_once_goes_together_and_each_gets_its_own_answer() -> None:
    work = Work()
    gathering = Gathering[int, int](work, most=5)
    assert await together(gathering, work, range(12)) == [2 * n for n in range(12)]
    assert work.groups == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]


async def test_an_answer_that_is_an_error_is_one_askers_own() -> None:
    work = Work()
    answers = await together(Gathering[int, int](work), work, [1, 13, 2])
    assert (answers[0], str(answers[1]), answers[2]) == (2, "odd one", 4)


async def test_a_group_that_fails_is_served_one_by_one() -> None:
    work = Work(fails=RuntimeError("broken"), on=2)
    answers = await together(Gathering[int, int](work), work, [1, 2, 3])
    assert (answers[0], str(answers[1]), answers[2]) == (2, "broken", 6)
    assert work.groups == [[1, 2, 3], [1], [2], [3]]


async def test_what_is_away_for_all_is_not_tried_one_by_one() -> None:
    work = Work(fails=Unavailable("database", "gone"), on=2)
    answers = await together(Gathering[int, int](work), work, [1, 2, 3])
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert len(work.groups) == 1


async def test_those_that_share_a_key_are_never_under_way_together() -> None:
    work = Work()
    gathering = Gathering[int, int](work, apart=lambda ask: (ask % 2,))
    assert await together(gathering, work, [1, 2, 3, 4, 5]) == [2, 4, 6, 8, 10]
    assert work.groups == [[1, 2], [3, 4], [5]]


async def test_too_many_waiting_are_told_at_once() -> None:
    work = Work()
    gathering = Gathering[int, int](work, limit=3)
    answers = await together(gathering, work, range(5))
    assert [isinstance(answer, Overloaded) for answer in answers] == [False, False, False, True, True]


async def test_closing_waits_for_what_was_asked() -> None:
    work = Work()
    gathering = Gathering[int, int](work, most=1, at_once=1)
    tasks = [asyncio.create_task(gathering.ask(ask)) for ask in range(3)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(gathering.close())
    await asyncio.sleep(0)
    assert not closing.done()
    work.go.set()
    await closing
    assert [task.result() for task in tasks] == [0, 2, 4]


async def test_more_requests_than_may_wait_are_answered_503_and_to_come_again(
    settings: Settings, url: str, headers: dict[str, str], add: Add
) -> None:
    await add(good_history())
    tight = settings.model_copy(update={"waiting_limit": 1, "key_cache_seconds": 60})
    app = create_app(tight, database_url=url, models=FakeModels(), clock=lambda: NOW)
    async with client_of(app, headers) as client:
        await client.get("/v1/buyers/good/score")
        bodies = [request(after_sale_id=f"AS-{n}", order_id=f"O-{n}") for n in range(30)]

        async def sent(body: dict[str, object]) -> httpx.Response:
            return await client.post("/v1/refund-decisions", json=body)

        answers = await asyncio.gather(*map(sent, bodies))
        refused = [answer for answer in answers if answer.status_code == 503]
        assert refused
        assert all(answer.headers["retry-after"] == "1" for answer in refused)
        assert {answer.status_code for answer in answers} == {201, 503}
        again = [await sent(body) for body in bodies]
    assert {answer.status_code for answer in again} <= {200, 201}


@pytest.mark.parametrize("fails", [ConnectionError("x")])
async def test_whoever_has_gone_is_not_answered(fails: Exception) -> None:
    work = Work(fails=fails, on=1)
    gathering = Gathering[int, int](work)
    leaving = asyncio.create_task(gathering.ask(1))
    staying = asyncio.create_task(gathering.ask(2))
    await asyncio.sleep(0.01)
    leaving.cancel()
    work.go.set()
    assert await staying == 4
