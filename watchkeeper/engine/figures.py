"""What the engine counts about itself, in Prometheus's terms. Nothing here is touched once for each sample."""

import platform
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

_LAG_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_WRITE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15)

# A series for when each counter began: nobody asks, and there are many.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own oversight


class Figures:
    """The daemon's own metrics, in a registry of their own."""

    def __init__(self, version: str) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        info = Gauge("watchkeeper_build_info", "Always 1; the labels say what runs", ("version", "python"), registry=registry)  # fmt: skip  # noqa: E501
        info.labels(version, platform.python_version()).set(1)
        self.reload_successful = Gauge(
            "watchkeeper_config_last_reload_successful",
            "1 if the configuration was accepted when it was read last, else 0",
            registry=registry,
        )
        self.reload_success_time = Gauge(
            "watchkeeper_config_last_reload_success_timestamp_seconds",
            "When a configuration was accepted last",
            registry=registry,
        )
        self.scheduler_lag = Histogram(
            "watchkeeper_scheduler_lag_seconds",
            "How late a slot of probes was started",
            registry=registry,
            buckets=_LAG_BUCKETS,
        )
        self.incidents_opened = Counter(
            "watchkeeper_incidents_opened_total",
            "Incidents opened since the start",
            ("service", "severity"),
            registry=registry,
        )
        self.incidents_resolved = Counter(
            "watchkeeper_incidents_resolved_total",
            "Incidents resolved since the start",
            ("service", "severity"),
            registry=registry,
        )
        self.deliveries = Counter(
            "watchkeeper_delivery_attempts_total",
            "Ticket commands tried at a backend, by what came of it",
            ("backend", "outcome"),
            registry=registry,
        )
        self.store_writes = Histogram(
            "watchkeeper_store_write_seconds",
            "Time to commit a batch of effects",
            registry=registry,
            buckets=_WRITE_BUCKETS,
        )
        self.store_errors = Counter(
            "watchkeeper_store_errors_total",
            "Times that the database did not take a batch; it is tried again",
            registry=registry,
        )
