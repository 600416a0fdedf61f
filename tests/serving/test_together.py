from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from serving.together import Shared
from serving.workers import Worker


class Counting:
    """One worker's counts."""

    def __init__(self, number: int, folder: Path) -> None:
        own = CollectorRegistry()
        self.cases = Counter("cases", "Cases.", ("outcome",), registry=own)
        self.seconds = Histogram("seconds", "Seconds.", buckets=(1.0, 2.0), registry=own)
        self.since = Gauge("since", "Since when.", ("version",), registry=own)
        self.shared = Shared(Worker(number, folder), own)

    def told(self) -> dict[str, float]:
        found = text_string_to_metric_families(self.shared.text().decode())
        samples = (sample for family in found for sample in family.samples)
        return {
            " ".join([s.name, *s.labels.values()]): s.value
            for s in samples
            if not s.name.endswith("_created")
        }


def test_counts_are_added_up_and_of_gauges_the_greatest_is_told_by_whoever_is_asked(tmp_path: Path) -> None:
    one, two = Counting(0, tmp_path), Counting(1, tmp_path)
    one.cases.labels("auto").inc(2)
    two.cases.labels("auto").inc(3)
    two.cases.labels("manual").inc()
    one.seconds.observe(0.5)
    two.seconds.observe(1.5)
    one.since.labels("7").set(10)
    two.since.labels("7").set(10)
    two.since.labels("8").set(20)
    one.shared.leave()
    two.shared.leave()
    assert one.told() == two.told()
    assert one.told() == {
        "cases_total auto": 5,
        "cases_total manual": 1,
        "seconds_bucket 1.0": 1,
        "seconds_bucket 2.0": 2,
        "seconds_bucket +Inf": 2,
        "seconds_count": 2,
        "seconds_sum": 2,
        "since 7": 10,
        "since 8": 20,
    }


def test_a_worker_that_is_started_again_goes_on_from_what_the_one_before_it_counted(tmp_path: Path) -> None:
    lasting, ended = Counting(0, tmp_path), Counting(1, tmp_path)
    lasting.cases.labels("auto").inc(2)
    ended.cases.labels("auto").inc(3)
    ended.since.labels("7").set(10)
    ended.shared.leave()
    for count in (6, 7):
        again = Counting(1, tmp_path)
        assert lasting.told()["cases_total auto"] == count - 1
        again.cases.labels("auto").inc()
        again.since.labels("8").set(20)
        assert again.told()["cases_total auto"] == count
        assert "since 7" not in again.told(), "a model that is no longer in charge"
