"""On Spark the same kernel gives the same bytes, from parts to parts, and refuses the same input."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.batch import feature_table, spine_of
from features.catalog import CATALOG
from features.errors import BadInput
from features.events import SCHEMA, TIMESTAMP
from features.links import MAX_ACCOUNTS_PER_LINK, Link, PeerEvent, Verdict, peer_events
from features.log import write_log
from features.needs import needs_of
from features.spark import feature_files_spark
from features.spark_links import peer_frame
from features.spark_partition import ASK, LOGGED, ORIGIN, OfPartition
from features.spark_session import SparkFailed, working_settings
from tests.features.log_rows import event, with_column
from tests.features.log_rows import table as log_of
from tests.features.spark_answers import (
    AS_OF,
    assert_same_bytes,
    in_parts,
    market,
    meshed,
    read_parts,
    spine_in_parts,
)
from tests.features.spark_cluster import local_spark, needs_spark

pytestmark = needs_spark
ASKED = pa.schema([("buyer_id", pa.string()), ("recorded_at", TIMESTAMP), (ORIGIN, pa.int8())])
NAIVE = pa.timestamp("us")
SOUND = log_of(event("e1", "order_placed"), event("e2"))


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with local_spark(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def log() -> pa.Table:
    return market()


@pytest.fixture(scope="module")
def features(log: pa.Table) -> pa.Table:
    return feature_table(log, spine_of(log["buyer_id"].unique(), AS_OF))


@pytest.mark.slow
def test_every_buyer_of_a_log_in_parts_gets_the_local_engines_bytes_in_parts(
    spark: Any, log: pa.Table, features: pa.Table, tmp_path: Path
) -> None:
    count = feature_files_spark(in_parts(log, tmp_path / "log"), tmp_path / "out", as_of=AS_OF, tasks=3)
    assert count == len(features)
    assert len(list((tmp_path / "out").glob("part-*.parquet"))) > 1
    assert (tmp_path / "out" / "_SUCCESS").exists()
    assert_same_bytes(read_parts(tmp_path / "out"), features)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log", "out"]


def test_files_beside_and_below_folders_by_day_are_all_read(
    spark: Any, log: pa.Table, features: pa.Table, tmp_path: Path
) -> None:
    for number, name in enumerate(("a.parquet", "day=1/b.parquet", "day=2/c.parquet", "2026/01/d.parquet")):
        file = tmp_path / "log" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(log.take(pa.array(range(number, len(log), 4))), file)
    feature_files_spark(tmp_path / "log", tmp_path / "out", as_of=AS_OF, tasks=2)
    assert_same_bytes(read_parts(tmp_path / "out"), features)


def test_a_column_may_be_the_name_of_folders_but_not_beside_files_without_it(
    spark: Any, log: pa.Table, features: pa.Table, tmp_path: Path
) -> None:
    for kind in log["kind"].unique().to_pylist():
        folder = tmp_path / "log" / f"kind={kind}"
        folder.mkdir(parents=True)
        rows = log.filter(pc.equal(log["kind"], kind)).drop_columns(["kind"])
        pq.write_table(rows, folder / "part.parquet")
    feature_files_spark(tmp_path / "log", tmp_path / "out", as_of=AS_OF, tasks=2)
    assert_same_bytes(read_parts(tmp_path / "out"), features)
    pq.write_table(log.slice(0, 9).drop_columns(["kind"]), tmp_path / "log" / "bare.parquet")
    with pytest.raises(BadInput, match="has files beside folders such as kind="):
        feature_files_spark(tmp_path / "log", tmp_path / "other", as_of=AS_OF, tasks=2)


def test_chosen_pairs_of_accounts_that_meet_on_crowded_links_get_the_same_bytes(
    spark: Any, tmp_path: Path
) -> None:
    log, spine = meshed()
    write_log(log, tmp_path)
    asked = spine_in_parts(spine, tmp_path / "spine")
    feature_files_spark(tmp_path, tmp_path / "out", spine=asked, ids=False, tasks=3)
    assert_same_bytes(read_parts(tmp_path / "out"), feature_table(log, spine))


def test_peers_on_a_crowded_link_are_its_first_accounts_whatever_machine_held_them(
    spark: Any, tmp_path: Path
) -> None:
    crowd = [
        Link("address", "dormitory", i // 3, f"b{i * 7 % 100:03}") for i in range(MAX_ACCOUNTS_PER_LINK + 36)
    ]
    links = [
        *crowd,
        Link("address", "dormitory", 0, "b099"),
        Link("payer", "p", 90, "b000"),
        Link("payer", "p", 2, "b007"),
    ]
    verdicts = [
        Verdict(when, when - i % 2 * len(kind), f"{kind} {when} {i}", f"b{i:03}", f"abuse_{kind}")
        for i in range(0, 100, 3)
        for when, kind in ((i, "confirmed"), (i, "cleared"), (i // 2, "confirmed"), (95, "cleared"))
    ]  # fmt: skip
    found = _told(spark, links, verdicts, tmp_path / "peers")
    wanted = set(peer_events(links, verdicts))
    assert len(wanted) > MAX_ACCOUNTS_PER_LINK * (MAX_ACCOUNTS_PER_LINK - 1)
    assert len(found) == len(set(found))
    assert set(found) == wanted


def _told(spark: Any, links: list[Link], verdicts: list[Verdict], out: Path) -> list[PeerEvent]:
    schema = "buyer_id string, kind string, recorded_us long, link_type string, link_value string"
    schema += ", occurred_us long, event_id string"
    seen = [(x.buyer_id, "identity_linked", x.recorded_at, *x[:2], None, None) for x in links]
    judged = [(v.buyer_id, v.kind, v.recorded_at, None, None, v.occurred_at, v.event_id) for v in verdicts]
    rows = spark.createDataFrame(seen + judged, schema)
    times = (f"timestamp_micros({name}_us) AS {name}_at" for name in ("recorded", "occurred"))
    peers = peer_frame(rows.selectExpr("*", *times))
    fields = ("buyer_id", "unix_micros(recorded_at) AS us", "kind", "link_type", "shop_id")
    peers.selectExpr(*fields).write.parquet(str(out))
    rows = pq.read_table(out).to_pylist()
    return [PeerEvent(r["buyer_id"], r["us"], r["kind"], r["link_type"], r["shop_id"]) for r in rows]


def test_a_partition_that_no_buyer_fell_into_gives_nothing() -> None:
    assert list(_work()(iter(()))) == []


def test_an_executor_with_other_code_than_the_drivers_computes_nothing() -> None:
    with pytest.raises(BadInput, match="differs from the features of the driver"):
        list(_work(code="another")(iter(_rows(SOUND))))


def _written(folder: Path, table: pa.Table) -> Path:
    folder.mkdir()
    pq.write_table(table, folder / "events.parquet")
    return folder


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (SOUND.drop_columns(["amount_fen"]), "no column amount_fen"),
        (with_column(SOUND, "occurred_at", SOUND["occurred_at"].cast(NAIVE)), "occurred_at of the events"),
        (
            with_column(SOUND, "amount_fen", SOUND["amount_fen"].cast(pa.float64())),
            "amount_fen of the events",
        ),
        (log_of(event("e1", buyer_id=None)), "1 nulls in buyer_id"),
    ],
)
def test_a_log_that_cannot_be_meant_is_refused_in_one_line_and_leaves_nothing(
    spark: Any, broken: pa.Table, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        feature_files_spark(_written(tmp_path / "log", broken), tmp_path / "out", as_of=AS_OF)
    assert "\n" not in str(refused.value)
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


HUGE = [event(f"e{i}", order_id=f"o{i}", amount_fen=2**62) for i in range(2)]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (log_of(event("e1"), event("e1")), "1 events repeat an event_id"),
        (log_of(event("e1", "order_paidd")), "with the kind order_paidd, which the contract lacks"),
        (log_of(event("e1", None)), "1 nulls in kind"),
        (log_of(event("e1", amount_fen=-1)), "a negative amount_fen"),
        (log_of(event("e1", occurred_at=AS_OF, recorded_at=None)), "1 nulls in recorded_at"),
        (log_of(event("e1", buyer_id="")), "1 events have no buyer_id"),
        (log_of(*HUGE), "amounts of buyer b1 add up to 2\\^63"),
    ],
)
def test_an_executor_refuses_the_rows_that_one_machine_refuses(broken: pa.Table, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        list(_work(ids=True)(iter(_rows(broken))))


@pytest.mark.parametrize(
    ("missing", "said"), [("buyer_id", "nulls in buyer_id"), ("as_of", "1 nulls in as_of")]
)
def test_an_executor_refuses_a_spine_with_nulls(missing: str, said: str) -> None:
    asked = {"buyer_id": "b1", "recorded_at": AS_OF, ORIGIN: ASK}
    asked["recorded_at" if missing == "as_of" else missing] = None
    rows = pa.Table.from_batches(_rows(SOUND))
    rows = pa.concat_tables([rows, pa.Table.from_pylist([asked]).cast(ASKED)], promote_options="default")
    with pytest.raises(BadInput, match=said):
        list(_work(as_of=None)(iter(rows.to_batches())))


def test_parts_that_disagree_on_a_type_or_cannot_be_read_are_named(spark: Any, tmp_path: Path) -> None:
    log = _written(tmp_path / "log", SOUND)
    other = with_column(SOUND, "amount_fen", SOUND["amount_fen"].cast(pa.int32()))
    pq.write_table(other, tmp_path / "log" / "more.parquet")
    (tmp_path / "log" / "events.parquet").rename(tmp_path / "log" / "part.parquet")
    with pytest.raises(BadInput, match=r"disagree on the type of amount_fen: (INT|BIGINT) and (INT|BIGINT)"):
        feature_files_spark(log, tmp_path / "out", as_of=AS_OF)
    (tmp_path / "log" / "more.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(BadInput, match="CANNOT_READ_FILE_FOOTER"):
        feature_files_spark(log, tmp_path / "out", as_of=AS_OF)


def test_a_part_without_a_column_that_others_have_or_without_a_byte_is_named(
    spark: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "log"
    folder.mkdir()
    pq.write_table(SOUND, folder / "a.parquet")
    pq.write_table(SOUND.drop_columns(["amount_fen"]), folder / "b.parquet")
    with pytest.raises(BadInput, match=r"b\.parquet: has no column amount_fen"):
        feature_files_spark(folder, tmp_path / "out", as_of=AS_OF)
    (folder / "b.parquet").write_bytes(b"")
    with pytest.raises(BadInput, match=r"b\.parquet: cannot be read as Parquet"):
        feature_files_spark(folder, tmp_path / "out", as_of=AS_OF)
    assert not (tmp_path / "out").exists()


def test_what_fails_for_no_fault_of_the_input_is_said_in_one_line(spark: Any, tmp_path: Path) -> None:
    class Failing:
        schema = CATALOG.schema

        def __call__(self, features: pa.Table) -> pa.Table:
            raise MemoryError("no room")

    with pytest.raises(SparkFailed) as failed:
        feature_files_spark(
            _written(tmp_path / "log", SOUND), tmp_path / "out", as_of=AS_OF, then=Failing(), tasks=1
        )
    assert "\n" not in str(failed.value)
    assert [p.name for p in tmp_path.iterdir()] == ["log"]


@pytest.mark.parametrize(
    ("spine", "said"),
    [
        (pa.table({"buyer": ["b1"], "as_of": pa.array([AS_OF], TIMESTAMP)}), "no column buyer_id"),
        (pa.table({"buyer_id": ["b1"], "as_of": pa.array([0], NAIVE)}), "a timestamp with a time zone"),
    ],
)
def test_a_spine_that_cannot_be_meant_is_refused(
    spark: Any, spine: pa.Table, said: str, tmp_path: Path
) -> None:
    pq.write_table(spine, tmp_path / "spine.parquet")
    with pytest.raises(BadInput, match=said):
        feature_files_spark(
            _written(tmp_path / "log", SOUND), tmp_path / "out", spine=tmp_path / "spine.parquet"
        )
    assert not (tmp_path / "out").exists()


def test_what_is_not_there_is_in_the_way_or_is_no_parquet_is_named(spark: Any, tmp_path: Path) -> None:
    log = _written(tmp_path / "log", SOUND)
    (tmp_path / "events.csv").write_text("event_id\n")
    for events, out, said in (
        (tmp_path / "nothing", tmp_path / "out", "nothing: no such file"),
        (tmp_path / "events.csv", tmp_path / "out", "import events"),
        (log, log, "log: exists"),
    ):
        with pytest.raises(BadInput, match=said):
            feature_files_spark(events, out, as_of=AS_OF)
    with pytest.raises(BadInput, match="either as_of"):
        feature_files_spark(log, tmp_path / "out")


def test_a_log_without_events_gives_a_table_without_rows(spark: Any, tmp_path: Path) -> None:
    assert (
        feature_files_spark(_written(tmp_path / "log", SCHEMA.empty_table()), tmp_path / "out", as_of=AS_OF)
        == 0
    )


def test_the_callers_settings_come_back(spark: Any) -> None:
    spark.conf.set("spark.sql.session.timeZone", "Asia/Shanghai")
    with working_settings(spark):
        assert spark.conf.get("spark.sql.session.timeZone") == "UTC"
    assert spark.conf.get("spark.sql.session.timeZone") == "Asia/Shanghai"
    spark.conf.unset("spark.sql.session.timeZone")


def test_a_buyer_with_a_fifth_of_all_events_costs_a_task_in_proportion() -> None:
    work, small, large = _work(), _one_buyer(30_000), _one_buyer(90_000)
    list(work(iter(small)))
    assert _seconds(work, large) < 5 * _seconds(work, small)  # a quadratic sweep would take 9 times


def _work(*, ids: bool = False, **given: Any) -> OfPartition:
    given = {"as_of": datetime(2027, 1, 1, tzinfo=UTC)} | given
    return OfPartition(catalog=CATALOG, needs=needs_of(CATALOG.plan), ids=ids, then=None, **given)


def _rows(log: pa.Table) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = log.append_column(
        ORIGIN, pa.repeat(pa.scalar(LOGGED, pa.int8()), len(log))
    ).to_batches()
    return batches


def _one_buyer(size: int) -> list[pa.RecordBatch]:
    draw = np.random.default_rng(3)
    kinds = np.array(["order_placed", "order_paid", "order_completed", "refund_requested"])
    when = pa.array(np.sort(draw.integers(1.75e15, 1.78e15, size))).cast(TIMESTAMP)
    columns = {
        "event_id": pa.array([f"e{i}" for i in range(size)]),
        "buyer_id": pa.repeat("heavy", size),
        "kind": pa.array(kinds[draw.integers(0, 4, size)]),
        "occurred_at": when,
        "recorded_at": when,
        "order_id": pa.array([f"o{i // 4}" for i in range(size)]),
        "shop_id": pa.array([f"s{i}" for i in draw.integers(0, 500, size)]),
        "amount_fen": pa.array(draw.integers(1, 50_000, size)),
        "stage": pa.repeat("before_shipment", size),
    }
    rows = pa.table({f.name: columns.get(f.name, pa.nulls(size, f.type)) for f in SCHEMA}, schema=SCHEMA)
    return _rows(rows)


def _seconds(work: OfPartition, batches: list[pa.RecordBatch]) -> float:
    times = []
    for _ in range(3):
        start = time.process_time()
        list(work(iter(batches)))
        times.append(time.process_time() - start)
    return min(times)
