"""What several workers have counted, as one service would have counted it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from .workers import Worker

_Key = tuple[Any, ...]


class Shared:
    """One worker's counts in a folder of all: left there for the others, and theirs found there.

    A worker that is started again goes on from what the one before it left, so no count ever falls.

    Parameters
    ----------
    worker : Worker
    own : CollectorRegistry
        What this worker counts.
    """

    def __init__(self, worker: Worker, own: CollectorRegistry) -> None:
        self._folder, self._own = worker.folder, own
        self._file = worker.folder / f"worker-{worker.number}.prom"
        self._before = [f for f in _families(self._file) if f.type != "gauge"] if self._file.exists() else []

    def leave(self) -> None:
        """Leave what this worker has counted."""
        counted = generate_latest(_Summed(self._before, self._own.collect()) if self._before else self._own)
        with suppress(OSError):  # no room: the others tell what was left before
            new = self._file.with_suffix(".new")
            new.write_bytes(counted)
            new.replace(self._file)

    def text(self) -> bytes:
        """Write what all have counted: counters and histograms added up, of gauges the greatest.

        All of it is read from the folder, this worker's own, too: what one has told, no other tells less of.
        """
        self.leave()
        return generate_latest(_Summed(*map(_families, sorted(self._folder.glob("worker-*.prom")))))


class _Summed(Collector):
    def __init__(self, *parts: Iterable[Metric]) -> None:
        self._parts = parts

    def collect(self) -> Iterator[Metric]:
        """Give each family once, its samples in the order in which they first came."""
        found: dict[str, Metric] = {}
        samples: dict[str, dict[_Key, Sample]] = defaultdict(dict)
        for family in (family for part in self._parts for family in part):
            found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                key, kept = (sample.name, *sorted(sample.labels.items())), samples[family.name]
                kept[key] = _together(family.type, kept[key], sample) if key in kept else sample
        for name, family in found.items():
            family.samples = list(samples[name].values())
            yield family


def _together(kind: str, one: Sample, other: Sample) -> Sample:
    if kind == "gauge":
        return max(one, other, key=lambda sample: sample.value)
    return one._replace(value=one.value + other.value)


def _families(file: Path) -> list[Metric]:
    return list(text_string_to_metric_families(file.read_text("utf-8")))
