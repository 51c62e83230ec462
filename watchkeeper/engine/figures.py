"""What the engine counts about itself, in Prometheus's terms. Nothing here is touched once for each sample."""

import platform
from contextlib import suppress
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
_ANSWER_BUCKETS: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400)
_BETWEEN_BUCKETS: Final = (3600, 21_600, 86_400, 259_200, 604_800, 1_209_600, 2_592_000, 7_776_000)
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
        self.acknowledge = Histogram(
            "watchkeeper_incident_acknowledge_seconds",
            "From the opening of an incident until somebody took its ticket up: those taken up since the start",
            ("service", "severity"),
            registry=registry,
            buckets=_ANSWER_BUCKETS,
        )
        self.resolve = Histogram(
            "watchkeeper_incident_resolve_seconds",
            "From the opening of an incident until it was resolved: those resolved since the start",
            ("service", "severity"),
            registry=registry,
            buckets=_ANSWER_BUCKETS,
        )
        self.between_failures = Histogram(
            "watchkeeper_between_failures_seconds",
            "From the beginning of a service's incident to that of its next one: those since the start",
            ("service",),
            registry=registry,
            buckets=_BETWEEN_BUCKETS,
        )
        self.incidents_repeated = Counter(
            "watchkeeper_incidents_repeated_total",
            "Incidents since the start of a key that had one within seven days before",
            ("service", "severity"),
            registry=registry,
        )
        self.problems_opened = Counter(
            "watchkeeper_problems_opened_total",
            "Problems opened since the start",
            ("service",),
            registry=registry,
        )
        self.problems_recurred = Counter(
            "watchkeeper_problems_recurred_total",
            "Incidents since the start that were one more of a problem that was known",
            ("service",),
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
        self.reports_received = Counter(
            "watchkeeper_reports_received_total",
            "Reports of other systems that were taken in, by whether they were news",
            ("source", "outcome"),
            registry=registry,
        )
        self.reports_refused = Counter(
            "watchkeeper_report_requests_refused_total",
            "Requests with reports that were not taken in; of senders that are not known the source is empty",
            ("source", "reason"),
            registry=registry,
        )
        self.reports_unknown_service = Counter(
            "watchkeeper_reports_unknown_service_total",
            "Reports that name a service which is not in the catalogue",
            ("source",),
            registry=registry,
        )
        self.reports_left_out = Counter(
            "watchkeeper_reports_left_out_total",
            "Alerts that a source says it has left out of what it sent",
            ("source",),
            registry=registry,
        )
        self.windows = Gauge(
            "watchkeeper_windows",
            "Windows in which trouble is expected now, by why: silence, maintenance, change",
            ("because",),
            registry=registry,
        )
        self.window_source_stale = Gauge(
            "watchkeeper_window_source_stale",
            "1 if a calendar or source of changes could not be read last time: what it told is valid until it ends",
            ("source",),
            registry=registry,
        )
        self.window_source_read = Gauge(
            "watchkeeper_window_source_last_read_timestamp_seconds",
            "When a calendar or source of changes was read last; 0 for never",
            ("source",),
            registry=registry,
        )

        self.changes = Gauge(
            "watchkeeper_changes",
            "Changes that ended in the last 30 days, by what came of them; one that caused an incident has failed",
            ("outcome",),
            registry=registry,
        )
        self.change_failure_ratio = Gauge(
            "watchkeeper_change_failure_ratio",
            "Of the changes that ended in the last 30 days the share that has failed; NaN if there is none",
            registry=registry,
        )
        self.change_success_ratio = Gauge(
            "watchkeeper_change_success_ratio",
            "Of those of them whose outcome was told the share that was successful; NaN if there is none",
            registry=registry,
        )

    def forget_window_source(self, name: str) -> None:
        """Of a source that is no more."""
        for gauge in (self.window_source_stale, self.window_source_read):
            with suppress(KeyError):  # it was never read
                gauge.remove(name)
