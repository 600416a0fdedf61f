from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from serving.store.ids import first_id, new_id

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def test_ids_sort_by_time_to_the_microsecond_and_are_not_below_the_first_of_their_millisecond() -> None:
    times = [AT + n * MICROSECOND for n in (0, 1, 2, 500, 998, 999, 1000, 1001)]
    ids = [new_id(at) for at in times]
    assert ids == sorted(ids)
    assert all(first_id(at) <= made for at, made in zip(times, ids, strict=True))


def test_ids_of_one_instant_differ_and_are_of_version_7() -> None:
    ids = {new_id(AT) for _ in range(1000)}
    assert len(ids) == 1000
    assert {UUID(made).version for made in ids} == {7}
