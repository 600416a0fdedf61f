from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backtest.history import History, read_history
from backtest.marketplace import Market
from backtest.order_evidence import as_evidences
from backtest.requests import as_requests, refund_requests
from features.errors import BadInput
from features.log import write_log
from models.evidence import order_evidence
from tests.backtest.scenes import DAY, END, START, case, event, table


def read(rows: list[dict[str, Any]], folder: Path) -> History:
    write_log(table(rows), folder)
    return read_history(folder)


def test_what_was_known_of_every_order_is_what_the_service_would_read_one_at_a_time(
    market: Market, log: Path
) -> None:
    history = read_history(log)
    of_buyer = defaultdict(list)
    for row in market.events.to_pylist():
        of_buyer[row["buyer_id"]].append(row)
    for request, found in zip(as_requests(history.requests), as_evidences(history.requests), strict=True):
        rows = of_buyer[request.buyer_id]
        expected = order_evidence(
            rows,
            buyer_id=request.buyer_id,
            order_id=request.order.order_id,
            as_of=request.requested_at,
        )
        assert found == expected
    assert len(history.requests) > 400


def test_an_order_that_another_buyer_has_too_is_seen_as_such(tmp_path: Path) -> None:
    other = event("other", "order_paid", START, buyer_id="other", order_id="o1")
    history = read([*case(1), *case(2), other, *END], tmp_path)
    assert [e.of_another_buyer for e in as_evidences(history.requests)] == [True, False]


def test_the_order_of_the_files_rows_changes_nothing(log: Path, shuffled: Path) -> None:
    assert read_history(log).requests.equals(read_history(shuffled).requests)


def test_a_history_gives_the_requests_that_the_after_sale_system_would_send(
    market: Market, log: Path
) -> None:
    history = read_history(log)
    sent = refund_requests(market.events, since=history.first, until=history.last + DAY)
    assert tuple(as_requests(history.requests)) == sent.items


def test_an_after_sale_that_is_asked_twice_is_decided_once(tmp_path: Path) -> None:
    again = case(1)[1] | {"event_id": "again", "recorded_at": START + 2 * DAY}
    history = read([*case(1), again, *END], tmp_path)
    assert (len(history.requests), history.repeated, history.incomplete) == (1, 1, 0)


Asking = tuple[int, bool]
"""On which day, and whether it says all that a decision needs."""


def asked(number: int, *askings: Asking) -> list[dict[str, Any]]:
    """An order and what asks for its after-sale, a day after the other, whole or without its amount."""
    paid, first = case(number)
    again = (
        {"event_id": f"{number}-{n}", "recorded_at": START + day * DAY} for n, (day, _) in enumerate(askings)
    )
    whole = (first["amount_fen"] if is_whole else None for _, is_whole in askings)
    paid["occurred_at"] = paid["recorded_at"] = first["occurred_at"] = START
    return [paid, *(first | new | {"amount_fen": fen} for new, fen in zip(again, whole, strict=True))]


def sent_to_the_service(
    askings: list[tuple[str, Asking]], *, since: int
) -> tuple[list[tuple[str, int]], int]:
    """Send all of a history in time: what is not whole is refused unread, what is known is answered again."""
    decided: dict[str, int] = {}
    repeated = 0
    for name, (day, is_whole) in sorted(askings, key=lambda asking: asking[1][0]):
        if is_whole:
            repeated += name in decided and day >= since
            decided.setdefault(name, day)
    return sorted((name, day) for name, day in decided.items() if day >= since), repeated


@settings(max_examples=25, deadline=None)
@given(
    days=st.lists(st.integers(1, 50), min_size=1, max_size=6, unique=True),
    of=st.lists(st.tuples(st.integers(1, 2), st.booleans()), min_size=6, max_size=6),
    since=st.integers(0, 50),
)
@example(days=[5, 9], of=[(1, False), (1, True)] * 3, since=0)
@example(days=[5, 40], of=[(1, False), (1, True)] * 3, since=0)
@example(days=[5, 40], of=[(1, True), (1, True)] * 3, since=6)
@example(days=[5, 40], of=[(1, True), (1, True)] * 3, since=5)
@example(days=[5, 40, 41], of=[(1, False), (1, True)] * 3, since=40)
def test_the_first_whole_asking_is_decided_as_the_service_would(
    days: list[int], of: list[tuple[int, bool]], since: int
) -> None:
    askings = [(number, (day, is_whole)) for day, (number, is_whole) in zip(days, of, strict=False)]
    rows = [row for n in (1, 2) for row in asked(n, *(a for number, a in askings if number == n))]
    with tempfile.TemporaryDirectory() as folder:
        write_log(table([*rows, *END]), Path(folder))
        history = read_history(Path(folder), since=START + since * DAY)
    found = history.requests
    at = [(when - START) // DAY for when in found["requested_at"].to_pylist()]
    named = [(f"a{number}", asking) for number, asking in askings]
    decided, repeated = sent_to_the_service(named, since=since)
    assert sorted(zip(found["after_sale_id"].to_pylist(), at, strict=True)) == decided
    assert history.repeated == repeated
    assert history.incomplete == sum(day >= since and not whole for _, (day, whole) in askings)
    sent = refund_requests(table(rows), since=START + since * DAY, until=END[0]["recorded_at"])
    assert tuple(as_requests(found)) == sent.items


def test_a_request_whose_order_was_never_paid_is_counted_as_incomplete(tmp_path: Path) -> None:
    rows = [row for row in case(1) if row["kind"] != "order_paid"]
    history = read([*rows, *case(2), *END], tmp_path)
    assert (len(history.requests), history.incomplete) == (1, 1)


def test_a_history_that_starts_after_the_first_decision_asked_for_is_refused(tmp_path: Path) -> None:
    write_log(table([*case(1), *END]), tmp_path)
    with pytest.raises(BadInput, match="begins 2026-01-01T01:00:00"):
        read_history(tmp_path, since=START)
    assert len(read_history(tmp_path, since=START + timedelta(hours=1)).requests) == 1


def test_a_history_that_ends_before_the_first_decision_asked_for_is_refused(tmp_path: Path) -> None:
    write_log(table([*case(1), *END]), tmp_path)
    last = END[0]["recorded_at"]
    with pytest.raises(BadInput, match="ends 2026-03-02T00:00:00"):
        read_history(tmp_path, since=last + timedelta(microseconds=1))
    assert len(read_history(tmp_path, since=last).requests) == 0


def test_an_answer_before_its_question_is_refused(tmp_path: Path) -> None:
    early = {"recorded_at": START + DAY, "occurred_at": START}
    rows = case(1, ("refund_granted", early))
    with pytest.raises(BadInput, match=r"out of order: 1 answers became known before .* a1"):
        read([*rows, *END], tmp_path)


def test_an_empty_log_is_refused(tmp_path: Path) -> None:
    write_log(table([]), tmp_path)
    with pytest.raises(BadInput, match="no events"):
        read_history(tmp_path)


def test_goods_that_the_log_does_not_name_are_those_that_the_user_states(tmp_path: Path) -> None:
    rows = [row | {"goods_type": None} for row in [*case(1), *END]]
    write_log(table(rows), tmp_path)
    assert read_history(tmp_path).incomplete == 1
    found = read_history(tmp_path, goods="physical").requests
    assert found["goods_type"].to_pylist() == ["physical"]
    assert isinstance(found, pa.Table)


def test_what_a_killed_run_laid_down_goes_with_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    write_log(table([*case(1), *END]), tmp_path / "log")
    run = "import sys, os, signal; from pathlib import Path; from backtest.history import read_history; "
    run += "read = read_history(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    killed = subprocess.run([sys.executable, "-c", run, tmp_path / "log"], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.glob("buyer-tier-*")
    history = read_history(tmp_path / "log")
    assert list(tmp_path.glob("buyer-tier-*")) == [history.laid_down.folder.path] != [left]
