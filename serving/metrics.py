"""What the service counts and times; never who."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from decisions.standing import Transition

from .service import Decided
from .store.skew_checks import SkewCheck

MANY: Final = 1024
SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The metrics of one service; each has its own registry, so that two can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "buyer_tier_requests",
            "Requests by route and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._latency = Histogram(
            "buyer_tier_request_seconds",
            "Time to answer, by route.",
            ("method", "route"),
            registry=self.registry,
            buckets=SECONDS,
        )
        self._decisions = Counter(
            "buyer_tier_decisions",
            "New decisions by outcome and first rule that failed.",
            ("outcome", "first_failed_rule"),
            registry=self.registry,
        )
        self._stages = Histogram(
            "buyer_tier_decision_stage_seconds",
            "Time of each stage of a group of decisions; `wait` is each request's, for its group.",
            ("stage",),
            registry=self.registry,
            buckets=SECONDS,
        )
        self._events = Counter(
            "buyer_tier_events", "Events sent, by what became of them.", ("status",), registry=self.registry
        )
        self._failed = Counter(
            "buyer_tier_rules_failed",
            "New decisions by each rule failed; `caps`, `open_case`, `credit_line`, `budget` are limits hit.",
            ("rule",),
            registry=self.registry,
        )
        self._standings = Counter(
            "buyer_tier_standing_changes",
            "Changes of standings by this service, by state before and after and by rule.",
            ("from_state", "to_state", "rule"),
            registry=self.registry,
        )
        self._model = Gauge(
            "buyer_tier_model_registered_timestamp_seconds",
            "When the model in charge was registered; now less this is its age.",
            ("version",),
            registry=self.registry,
        )
        self._arrived = Gauge(
            "buyer_tier_history_last_arrival_timestamp_seconds",
            "When the event log last grew.",
            registry=self.registry,
        )
        self._lag = Gauge(
            "buyer_tier_history_lag_seconds",
            "How long after being recorded by the platform the newest events came in, their median.",
            registry=self.registry,
        )
        self.history(None, None)
        # finding a child takes longer than counting on it; the label values are few
        self._request = lru_cache(MANY)(self._requests.labels)
        self._request_seconds = lru_cache(MANY)(self._latency.labels)
        self._decision = lru_cache(MANY)(self._decisions.labels)
        self._stage = lru_cache(MANY)(self._stages.labels)
        self._skew = _Skew()
        self.registry.register(self._skew)

    def answered(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._request(method, route, str(status)).inc()
        self._request_seconds(method, route).observe(seconds)

    def decided(self, decided: Decided) -> None:
        """Count a new decision and every rule that it failed."""
        self._decision(decided.row.outcome, decided.failed_rule or "none").inc()
        for rule in decided.failed_rules:
            self._failed.labels(rule).inc()

    def moved(self, changed: Transition) -> None:
        """Count a change of a standing."""
        self._standings.labels(changed.from_state, changed.to_state, changed.rule).inc()

    def stage(self, name: str, seconds: float) -> None:
        """Time a stage of a decision."""
        self._stage(name).observe(seconds)

    def events(self, status: str, count: int) -> None:
        """Count events."""
        self._events.labels(status).inc(count)

    def skew(self, check: SkewCheck | None) -> None:
        """Export this verification of the features, in place of the one before."""
        self._skew.check = check

    def model(self, version: str, registered_at: float | None) -> None:
        """Export which model is in charge and since when it exists, in place of the one before."""
        self._model.clear()
        if registered_at is not None:
            self._model.labels(version).set(registered_at)

    def history(self, arrived: float | None, lag: float | None) -> None:
        """Export how fresh the event log is; not a number while it is empty."""
        self._arrived.set(math.nan if arrived is None else arrived)
        self._lag.set(math.nan if lag is None else lag)

    def text(self) -> bytes:
        """Write Prometheus' text format."""
        return generate_latest(self.registry)


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
