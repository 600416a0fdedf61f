"""Packed bytes against the log: the same features, however the events came in."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import packed as packed_module
from features.catalog import CATALOG, FAMILIES, REASONS
from features.compile import Catalog
from features.declare import LIFE, Median, Where
from features.events import SCHEMA
from features.fold import FOLDED, HEAD
from features.links import Link, Verdict, peer_events
from features.online import rows_vector
from features.packed import (
    AskedTooEarly,
    OtherLayout,
    OutOfOrder,
    append_rows,
    pack_rows,
    packed_vector,
)
from features.rows import in_order, peer_row
from tests.features.oracle import features_at
from tests.features.streams import BASE, BUYERS, dense_stream, stream

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
LATE = BASE + timedelta(days=2000)
PLAIN: dict[str, Any] = {**dict.fromkeys(SCHEMA.names), "buyer_id": "ann", "kind": "order_paid"}
NOTHING = pack_rows([], buyer_id="ann")


def paid(event_id: str, when: datetime, **said: Any) -> dict[str, Any]:
    return {**PLAIN, "event_id": event_id, "occurred_at": when, "recorded_at": when, **said}


def folded(packed: bytes) -> int:
    return int(np.frombuffer(packed, np.int64, HEAD)[FOLDED])


def assert_is(packed: bytes, events: list[dict[str, Any]], as_of: datetime, *, buyer: str = "ann") -> None:
    found = packed_vector(packed, as_of=as_of)
    wanted = rows_vector(events, buyer_id=buyer, as_of=as_of)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    wrong = [f"{CATALOG.names[i]}: {found[i]}, not {wanted[i]}" for i in np.flatnonzero(~same)]
    assert not wrong, "\n".join(wrong)
    assert found.tobytes() == wanted.tobytes()


def life(seed: int, *, size: int, days: int) -> list[dict[str, Any]]:
    """Give one buyer's dense events over years, so that most of them leave every window."""
    pick, found = Random(seed), []
    for event in dense_stream(seed, size=size):
        when = BASE + timedelta(days=pick.choice(range(days)), minutes=pick.choice((0, 5, 10)))
        late = pick.choice((timedelta(0), timedelta(0), timedelta(days=3), timedelta(days=500)))
        found.append({**event, "buyer_id": "ann", "occurred_at": when, "recorded_at": when + late})
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(events=stream(), after=st.sampled_from((1, 86_400_000_000, 365 * 86_400_000_000)))
def test_a_packed_history_equals_the_definition(events: list[dict[str, Any]], after: int) -> None:
    last = max((e["recorded_at"] for e in events), default=BASE)
    as_of = last + timedelta(microseconds=after)
    for buyer in BUYERS:
        found = packed_vector(pack_rows(events, buyer_id=buyer), as_of=as_of)
        wanted = np.array(features_at(events, buyer, as_of, CATALOG.families))
        assert found.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("seed", range(12))
def test_folded_and_appended_one_by_one_equals_the_whole_log_at_every_step(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packed_module, "FOLD_AT_LEAST", 1)
    events = [e for e in life(seed, size=90, days=1500) if not e["kind"].startswith("identity")]
    packed, ordered = NOTHING, [p.row for p in in_order(events)]
    for i, event in enumerate(ordered):
        packed = append_rows(packed, [event])
        for after in (timedelta(microseconds=1), timedelta(days=30), timedelta(days=365)):
            assert_is(packed, ordered[: i + 1], event["recorded_at"] + after)
    assert folded(packed) > 20


@pytest.mark.parametrize("seed", range(6))
def test_it_does_not_matter_in_how_many_parts_a_history_was_appended(seed: int) -> None:
    events = [e for e in life(seed, size=400, days=1500) if not e["kind"].startswith("identity")]
    ordered = [p.row for p in in_order(events)]
    packed, cuts = NOTHING, sorted(Random(seed).sample(range(400), 5))
    for start, end in zip([0, *cuts], [*cuts, 400], strict=True):
        packed = append_rows(packed, ordered[start:end])
    assert folded(packed) > 0
    assert_is(packed, events, LATE)
    assert_is(packed, events, ordered[-1]["recorded_at"] + timedelta(microseconds=1))


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(data=st.data(), stretch=st.sampled_from((1, 4)))
def test_late_events_and_replays_in_any_batches_change_nothing(data: st.DataObject, stretch: int) -> None:
    drawn = [e for e in data.draw(stream()) if e["kind"] != "identity_linked"]
    ordered = [p.row for p in in_order(stretched(e, stretch) for e in drawn)]
    packed, done = NOTHING, 0
    while done < len(ordered):
        size = data.draw(st.integers(1, 8))
        replayed = data.draw(st.lists(st.sampled_from(ordered[: done + 1]), max_size=3))
        with patch.object(packed_module, "FOLD_AT_LEAST", 1):
            packed = appended(packed, ordered[done : done + size], replayed)
        done += size
        for after in (timedelta(microseconds=1), timedelta(days=90)):
            assert_is(packed, ordered[:done], ordered[:done][-1]["recorded_at"] + after)


def stretched(event: dict[str, Any], by: int) -> dict[str, Any]:
    """Move an event away from the base, so that others leave every window; its delay stays."""
    moved = (event["occurred_at"] - BASE) * (by - 1)
    times = {name: event[name] + moved for name in ("occurred_at", "recorded_at")}
    return {**event, **times, "buyer_id": "ann"}


def appended(packed: bytes, new: list[dict[str, Any]], replayed: list[dict[str, Any]]) -> bytes:
    """Append with repeats; where one was folded, that is said, and the repeats are left out."""
    try:
        return append_rows(packed, [*replayed, *new])
    except OutOfOrder:
        assert folded(packed) > 0
        return append_rows(packed, new)


@pytest.mark.parametrize(("age", "gone"), [(0, 1), (1, 0)])
def test_an_event_is_folded_exactly_when_no_window_can_hold_it_again(age: int, gone: int) -> None:
    late = BASE + timedelta(days=365)
    rows = [paid("old", BASE + timedelta(microseconds=age)), paid("new", late)]
    packed = pack_rows(rows, buyer_id="ann")
    assert folded(packed) == gone
    assert_is(packed, rows, late + timedelta(microseconds=1))


def test_a_folded_order_is_still_known_when_its_refund_comes_years_later() -> None:
    years = BASE + timedelta(days=900)
    said = {"order_id": "o", "shop_id": "s", "amount_fen": 500}
    rows = [paid("p", BASE, **said), paid("q", years, order_id="other")]
    refund = paid("r", years, **said) | {"kind": "refund_requested", "stage": "before_shipment"}
    packed = append_rows(pack_rows(rows, buyer_id="ann"), [refund])
    assert folded(packed) == 1
    found = packed_vector(packed, as_of=years + timedelta(days=1))
    assert found[CATALOG.index["cancel_minutes_median_life"]] == 900 * 24 * 60
    assert_is(packed, [*rows, refund], years + timedelta(days=1))


def test_an_event_that_occurred_long_ago_and_is_recorded_now_is_in_order() -> None:
    rows = [paid("a", BASE, order_id="o"), paid("b", BASE + timedelta(days=10), order_id="o")]
    late = paid("c", BASE + timedelta(days=20)) | {"occurred_at": BASE + timedelta(days=1), "order_id": "o"}
    assert_is(append_rows(pack_rows(rows, buyer_id="ann"), [late]), [*rows, late], LATE)


def test_the_same_event_twice_changes_not_a_byte() -> None:
    rows = [paid(f"e{i}", BASE + timedelta(days=i), order_id=f"o{i}", amount_fen=i) for i in range(5)]
    once = append_rows(NOTHING, rows)
    assert append_rows(once, rows) == once
    assert append_rows(once, [rows[2]]) == once
    assert append_rows(NOTHING, [rows[0], rows[0], *rows[1:], rows[1]]) == once
    assert append_rows(append_rows(NOTHING, rows[:3]), rows) == once


@pytest.mark.parametrize(
    "early",
    [
        paid("e", BASE - timedelta(microseconds=1)),
        paid("e", BASE) | {"occurred_at": BASE - timedelta(microseconds=1)},
        paid("a", BASE),
    ],
)
def test_an_event_recorded_before_the_last_asks_for_a_rebuild(early: dict[str, Any]) -> None:
    packed = pack_rows([paid("b", BASE)], buyer_id="ann")
    with pytest.raises(OutOfOrder, match="not newer than the last: rebuild from the log"):
        append_rows(packed, [early])


def test_a_folded_event_that_comes_again_asks_for_a_rebuild_and_never_counts_twice() -> None:
    rows = [paid("old", BASE), paid("new", LATE)]
    with pytest.raises(OutOfOrder):
        append_rows(pack_rows(rows, buyer_id="ann"), [rows[0]])


def test_an_instant_before_the_last_event_is_left_to_the_log() -> None:
    packed = pack_rows([paid("a", BASE)], buyer_id="ann")
    with pytest.raises(AskedTooEarly):
        packed_vector(packed, as_of=BASE)
    assert_is(packed, [paid("a", BASE)], BASE + timedelta(microseconds=1))


def test_bytes_of_another_catalog_are_refused() -> None:
    other = Catalog(FAMILIES[:5], reasons=REASONS)
    packed = pack_rows([paid("a", BASE)], buyer_id="ann", catalog=other)
    with pytest.raises(OtherLayout):
        packed_vector(packed, as_of=LATE)
    with pytest.raises(OtherLayout):
        append_rows(packed, [paid("b", LATE)])
    wanted = rows_vector([paid("a", BASE)], buyer_id="ann", as_of=LATE, catalog=other)
    assert packed_vector(packed, as_of=LATE, catalog=other).tobytes() == wanted.tobytes()


def test_a_catalog_without_finite_windows_folds_everything() -> None:
    said = {"zh": "中位数", "en": "median", "reason": "activity"}
    families = [
        *[f for f in FAMILIES if getattr(f, "windows", ()) == (LIFE,)],
        Median(name="m", where=Where(kinds=("order_paid",)), value="amount_fen", windows=(LIFE,), **said),
    ]
    only = Catalog(families, reasons=REASONS)
    rows = [paid(f"e{i}", BASE + timedelta(days=i), amount_fen=i * i) for i in range(6)]
    packed = pack_rows(rows, buyer_id="ann", catalog=only)
    assert folded(packed) == 6
    with pytest.raises(OutOfOrder):
        append_rows(packed, rows[-1:], catalog=only)
    found = packed_vector(packed, as_of=LATE, catalog=only)
    assert found[only.index["m_median_life"]] == 6.5
    assert found.tobytes() == rows_vector(rows, buyer_id="ann", as_of=LATE, catalog=only).tobytes()


def test_what_links_tell_is_appended_as_rows() -> None:
    hour = timedelta(hours=1)
    link = {"link_type": "device", "link_value": "x"}
    own = paid("l", BASE, **link) | {"kind": "identity_linked"}
    others = [
        paid("k", BASE - hour, **link) | {"kind": "identity_linked", "buyer_id": "bob"},
        paid("c", BASE + hour) | {"kind": "abuse_confirmed", "buyer_id": "bob"},
        paid("d", BASE + 2 * hour) | {"kind": "abuse_cleared", "buyer_id": "bob"},
        paid("f", BASE + 3 * hour) | {"kind": "abuse_confirmed", "buyer_id": "bob"},
    ]
    moment = [round(e["recorded_at"].timestamp() * 1e6) for e in (own, *others)]
    links = [Link("device", "x", moment[0], "ann"), Link("device", "x", moment[1], "bob")]
    verdicts = [
        Verdict(t, t, e["event_id"], "bob", e["kind"]) for t, e in zip(moment[2:], others[1:], strict=True)
    ]
    told = [peer_row(e) for e in peer_events(links, verdicts, of="ann")]
    packed = append_rows(append_rows(NOTHING, [own]), told)
    assert append_rows(packed, told) == packed
    assert packed_vector(packed, as_of=LATE)[CATALOG.index["abusive_peers_distinct_life"]] == 1
    assert_is(packed, [own, *others], LATE)


def test_a_heavy_buyer_takes_far_fewer_bytes_than_the_log_once_it_is_old() -> None:
    rows = [
        paid(f"e{i}", BASE + timedelta(hours=i), order_id=f"o{i // 4}", shop_id=f"s{i % 50}", amount_fen=i)
        for i in range(40_000)
    ]
    packed = pack_rows(rows, buyer_id="ann")
    assert folded(packed) == 40_000 - 365 * 24
    assert len(packed) < 40_000 * 48 / 2
    assert_is(packed, rows, rows[-1]["recorded_at"] + timedelta(microseconds=1))
