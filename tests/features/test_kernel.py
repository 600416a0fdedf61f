"""The kernel against the definition, in batch and for one buyer."""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.batch import feature_table
from features.catalog import CATALOG
from features.online import buyer_vector
from tests.features.oracle import features_at
from tests.features.streams import BUYERS, INSTANTS, dense_stream, instants_to_ask, stream, table

SPINE = pa.schema([("buyer_id", pa.string()), ("as_of", pa.timestamp("us", tz="UTC"))])
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def matrix(found: pa.Table) -> np.ndarray:
    return np.column_stack([found[name].to_numpy() for name in CATALOG.names])


def assert_same(found: np.ndarray, wanted: list[float]) -> None:
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    wrong = [f"{CATALOG.names[i]}: kernel {found[i]}, definition {wanted[i]}" for i in np.flatnonzero(~same)]
    assert not wrong, "\n".join(wrong)


@settings(max_examples=60, deadline=None, suppress_health_check=QUIET)
@given(seed=st.integers(0, 2**32))
def test_a_long_dense_history_asked_again_and_again_equals_the_definition(seed: int) -> None:
    events = dense_stream(seed)
    when = Random(seed).choices(INSTANTS, k=8)
    asked = [(buyer, t) for t in when for buyer in BUYERS]
    spine = pa.Table.from_pylist([{"buyer_id": b, "as_of": t} for b, t in asked], schema=SPINE)
    for row, (buyer, as_of) in zip(matrix(feature_table(table(events), spine)), asked, strict=True):
        assert_same(row, features_at(events, buyer, as_of, CATALOG.families))


@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
@given(st.data())
def test_a_batch_of_many_buyers_and_instants_equals_the_definition(data: st.DataObject) -> None:
    events = data.draw(stream())
    pairs = st.tuples(st.sampled_from((*BUYERS, "nobody")), instants_to_ask(events))
    asked = data.draw(st.lists(pairs, min_size=1, max_size=12))
    spine = pa.Table.from_pylist([{"buyer_id": b, "as_of": t} for b, t in asked], schema=SPINE)
    found = feature_table(table(events), spine)
    assert found.select(["buyer_id", "as_of"]).equals(spine)
    for row, (buyer, as_of) in zip(matrix(found), asked, strict=True):
        assert_same(row, features_at(events, buyer, as_of, CATALOG.families))


@settings(max_examples=40, deadline=None, suppress_health_check=QUIET)
@given(st.data())
def test_one_buyer_online_is_the_same_bytes_as_in_batch(data: st.DataObject) -> None:
    events = data.draw(stream())
    as_of = data.draw(instants_to_ask(events))
    spine = pa.Table.from_pylist([{"buyer_id": b, "as_of": as_of} for b in BUYERS], schema=SPINE)
    batch = matrix(feature_table(table(events), spine))
    for i, buyer in enumerate(BUYERS):
        seen = [e for e in events if e["buyer_id"] == buyer or e["kind"].startswith(("identity", "abuse"))]
        online = buyer_vector(table(seen), buyer_id=buyer, as_of=as_of)
        assert online.tobytes() == batch[i].tobytes()


@settings(max_examples=40, deadline=None, suppress_health_check=QUIET)
@given(st.data())
def test_what_becomes_known_later_changes_nothing_earlier(data: st.DataObject) -> None:
    events = data.draw(stream())
    as_of = data.draw(instants_to_ask(events))
    known = [e for e in events if e["recorded_at"] < as_of]
    for buyer in BUYERS:
        with_future = buyer_vector(table(events), buyer_id=buyer, as_of=as_of)
        without = buyer_vector(table(known), buyer_id=buyer, as_of=as_of)
        assert with_future.tobytes() == without.tobytes()
