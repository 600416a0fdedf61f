from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from serving.store.policies import Activation
from serving.timeline import in_force


def act(
    n: int, action: str, version: str | None = None, starts: int | None = None, made: int | None = None
) -> Activation:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Activation(
        activation_id=n,
        action=action,  # type: ignore[arg-type]
        version=version,
        starts_at=None if starts is None else at + timedelta(minutes=starts),
        made_by="k",
        maker="m",
        made_at=at + timedelta(minutes=n if made is None else made),
        reason="r",
    )


@pytest.mark.parametrize(
    ("acts", "version", "stopped"),
    [
        ([], None, False),
        ([act(1, "activate", "a")], "a", False),
        ([act(1, "activate", "a"), act(2, "activate", "b"), act(3, "rollback")], "a", False),
        ([act(n, "activate", v) for n, v in ((1, "a"), (2, "b"))] + [act(3, "rollback"), act(4, "rollback")],
         None, False),
        ([act(1, "activate", "a", starts=50), act(2, "activate", "b")], "a", False),
        ([act(1, "activate", "a", starts=101), act(2, "activate", "b")], "b", False),
        ([act(1, "activate", "a"), act(2, "activate", None)], None, False),
        ([act(200, "stop")], None, True),
        ([act(1, "stop"), act(2, "resume"), act(3, "activate", "a")], "a", False),
        ([act(1, "stop"), act(2, "resume"), act(3, "stop", made=0)], None, True),
        ([act(1, "activate", "a", made=9), act(2, "activate", "b", made=0)], "b", False),
        ([act(1, "rollback"), act(2, "activate", "a"), act(3, "activate", "a"), act(4, "rollback")], None,
         False),
    ],
)  # fmt: skip
def test_what_is_in_force_follows_from_the_acts(
    acts: list[Activation], version: str | None, stopped: bool
) -> None:
    found = in_force(acts, datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=100))
    assert (found.version, found.stopped) == (version, stopped)
