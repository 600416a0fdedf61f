"""What is selected of a log gives its buyers the features of the whole log."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from features.batch import feature_table, spine_of
from features.log import write_log
from features.sources.selection import events_about
from tests.features.streams import BASE, table

NONE = pa.array([], pa.string())


def link(event_id: str, buyer: str, value: str) -> dict[str, object]:
    return {"event_id": event_id, "buyer_id": buyer, "kind": "identity_linked", "occurred_at": BASE,
            "recorded_at": BASE, "link_type": "device", "link_value": value}  # fmt: skip


def plain(event_id: str, buyer: str, kind: str) -> dict[str, object]:
    return {"event_id": event_id, "buyer_id": buyer, "kind": kind, "occurred_at": BASE, "recorded_at": BASE,
            "order_id": None if kind.startswith("abuse") else f"o{event_id}", "reason": "x"}  # fmt: skip


ROWS = [
    *(link(f"l{n}", f"b{n}", "home") for n in range(3)),
    link("l9", "b9", "elsewhere"),
    plain("a1", "b1", "abuse_confirmed"),
    plain("a9", "b9", "abuse_confirmed"),
    *(plain(f"p{n}", f"b{n}", "order_paid") for n in (0, 1, 9)),
]


@pytest.fixture(params=["one file", "parts", "csv"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    events = table(ROWS)
    if request.param == "one file":
        write_log(events, tmp_path)
    elif request.param == "parts":
        for n in range(3):
            pq.write_table(events.slice(3 * n, 3), tmp_path / f"{n}.parquet")
    else:
        pacsv.write_csv(events, tmp_path / "log.csv")
    return tmp_path


def test_own_events_sights_on_their_links_and_verdicts_are_read(log: Path) -> None:
    found = events_about(log, pa.array(["b0"]), also=NONE)["event_id"].to_pylist()
    assert found == ["l0", "l1", "l2", "a1", "p0"]


@pytest.mark.parametrize("buyers", [["b0"], ["b1", "b9"], ["nobody"], ["b0", "b1", "b2", "b9"]])
def test_the_selection_gives_the_features_of_the_whole(log: Path, buyers: list[str]) -> None:
    spine = spine_of(pa.array(buyers), BASE.replace(year=BASE.year + 1))
    part = events_about(log, pa.array(buyers), also=NONE)
    whole = feature_table(table(ROWS), spine).to_pandas()
    assert feature_table(part, spine).to_pandas().equals(whole)


def test_events_asked_for_by_id_are_read_whoever_has_them(log: Path) -> None:
    found = events_about(log, pa.array(["nobody"]), also=pa.array(["p9", "unknown"]))
    assert found["event_id"].to_pylist() == ["p9"]
