"""What the service counts and times; never who."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter as Counts
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from decisions.standing import Transition

from .champion import Champion
from .errors import Unavailable
from .service import Decided
from .store.skew_checks import SkewCheck
from .store.sweeps import Sweeps
from .together import Shared
from .workers import Worker

SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_EDGES: Final = (*map(str, SECONDS), "+Inf")
_REQUEST: Final = ("method", "route", "status")
_CHANGE: Final = ("from_state", "to_state", "rule")


class Metrics:
    """The metrics of one service; each has its own registries, so that two can live in one process.

    ``registry`` is what this process counts, and the model it has in charge. What the database tells is
    looked up when asked for, the same by every worker, and so kept apart.
    """

    def __init__(self) -> None:
        self.registry, self._stored = CollectorRegistry(), CollectorRegistry()
        self._requests = _Counted("buyer_tier_requests", "Requests by route and status.", _REQUEST)
        self._latency = _Timed("buyer_tier_request_seconds", "Time to answer, by route.", _REQUEST[:2])
        self._decisions = _Counted(
            "buyer_tier_decisions",
            "New decisions by outcome and first rule that failed.",
            ("outcome", "first_failed_rule"),
        )
        self._failed = _Counted(
            "buyer_tier_rules_failed",
            "New decisions by each rule failed; `caps`, `open_case`, `credit_line`, `budget` are limits hit.",
            ("rule",),
        )
        self._stages = _Timed(
            "buyer_tier_decision_stage_seconds",
            "Time of each stage of a group of decisions; `wait` is each request's, for its group.",
            ("stage",),
        )
        self._events = _Counted("buyer_tier_events", "Events sent, by what became of them.", ("status",))
        self._standings = _Counted(
            "buyer_tier_standing_changes",
            "Changes of standings by this service, by state before and after and by rule.",
            _CHANGE,
        )
        for collector in (
            self._requests,
            self._latency,
            self._decisions,
            self._failed,
            self._stages,
            self._events,
            self._standings,
        ):
            self.registry.register(collector)
        self._shared: Shared | None = None
        self._model = Gauge(
            "buyer_tier_model_registered_timestamp_seconds",
            "When the model in charge was registered; now less this is its age.",
            ("version",),
            registry=self.registry,
        )
        self._arrived = Gauge(
            "buyer_tier_history_last_arrival_timestamp_seconds",
            "When the event log last grew.",
            registry=self._stored,
        )
        self._lag = Gauge(
            "buyer_tier_history_lag_seconds",
            "How long after being recorded by the platform the newest events came in, their median.",
            registry=self._stored,
        )
        self.history(None, None)
        self._skew = _Skew()
        self._swept = _Swept()
        for stored in (self._skew, self._swept):
            self._stored.register(stored)

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.found[method, route, str(status)] += 1
        self._latency.observe((method, route), seconds)

    def decided(self, decided: Decided) -> None:
        """Count a new decision and every rule that it failed."""
        self._decisions.found[decided.row.outcome, decided.failed_rule or "none"] += 1
        for rule in decided.failed_rules:
            self._failed.found[(rule,)] += 1

    def moved(self, changed: Transition) -> None:
        """Count a change of a standing."""
        self._standings.found[changed.from_state, changed.to_state, changed.rule] += 1

    def stage(self, name: str, seconds: float) -> None:
        """Time a stage of a decision."""
        self._stages.observe((name,), seconds)

    def events(self, status: str, count: int) -> None:
        """Count events."""
        self._events.found[(status,)] += count

    def skew(self, check: SkewCheck | None) -> None:
        """Export this verification of the features, in place of the one before."""
        self._skew.check = check

    def swept(self, sweeps: Sweeps) -> None:
        """Export what sweeps have done, in place of what was known before."""
        self._swept.sweeps = sweeps

    def model(self, champion: Champion) -> None:
        """Export which model is in charge and since when it exists, in place of the one before."""
        with suppress(Unavailable):  # then the one before is told
            model = champion.current()
            self._model.clear()
            if model.registered_at is not None:
                self._model.labels(model.version).set(model.registered_at)

    def history(self, arrived: float | None, lag: float | None) -> None:
        """Export how fresh the event log is; not a number while it is empty."""
        self._arrived.set(math.nan if arrived is None else arrived)
        self._lag.set(math.nan if lag is None else lag)

    def share(self, worker: Worker) -> None:
        """Be one of several workers: whichever is asked tells what all have counted together."""
        self._shared = Shared(worker, self.registry)

    def leave(self) -> None:
        """Leave what this worker has counted for the others, if there are any."""
        if self._shared is not None:
            self._shared.leave()

    def text(self) -> bytes:
        """Write Prometheus' text format; with several workers the sums of all."""
        counted = generate_latest(self.registry) if self._shared is None else self._shared.text()
        return counted + generate_latest(self._stored)


class _Counted(Collector):
    """A counter that only the event loop counts on: a dictionary, without the library's lock for each."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self.found: Counts[tuple[str, ...]] = Counts()

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for values, count in self.found.items():
            family.add_metric(values, count)
        yield family


class _Timed(Collector):
    """A histogram that only the event loop observes."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...]) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._found: dict[tuple[str, ...], list[int]] = {}
        self._sums: defaultdict[tuple[str, ...], float] = defaultdict(float)

    def observe(self, values: tuple[str, ...], seconds: float) -> None:
        buckets = self._found.get(values)
        if buckets is None:
            buckets = self._found[values] = [0] * (len(SECONDS) + 1)
        buckets[bisect_left(SECONDS, seconds)] += 1
        self._sums[values] += seconds

    def collect(self) -> Iterator[Metric]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        for values, buckets in self._found.items():
            up_to = zip(_EDGES, accumulate(buckets), strict=True)
            family.add_metric(values, list(up_to), self._sums[values])
        yield family


class _Skew(Collector):
    """Gauges of the newest verification; there are none before the first, so that its absence shows."""

    def __init__(self) -> None:
        self.check: SkewCheck | None = None

    def collect(self) -> Iterator[Metric]:
        if self.check is None:
            return
        name, summary = "buyer_tier_feature_skew", self.check.summary
        yield GaugeMetricFamily(
            f"{name}_checked_decisions",
            "Stored decisions whose vectors the newest verification recomputed.",
            value=summary["compared"],
        )
        found = GaugeMetricFamily(
            f"{name}_differing_decisions", "Of these, by what explains a difference.", labels=["cause"]
        )
        for cause, decisions in summary["by_cause"].items():
            found.add_metric([cause], decisions)
        yield found
        yield GaugeMetricFamily(
            f"{name}_check_timestamp_seconds",
            "When the newest verification was made.",
            value=self.check.checked_at.timestamp(),
        )


class _Swept(Collector):
    """What sweeps have done; there is nothing before the first, so that its absence shows."""

    def __init__(self) -> None:
        self.sweeps = Sweeps()

    def collect(self) -> Iterator[Metric]:
        changes = CounterMetricFamily(
            "buyer_tier_sweep_standing_changes",
            "Changes of standings by sweeps, by state before and after and by rule.",
            labels=_CHANGE,
        )
        for change, count in self.sweeps.changes.items():
            changes.add_metric(change, count)
        yield changes
        if self.sweeps.finished_at is not None:
            yield GaugeMetricFamily(
                "buyer_tier_sweep_finished_timestamp_seconds",
                "When the newest sweep came to its end.",
                value=self.sweeps.finished_at.timestamp(),
            )
