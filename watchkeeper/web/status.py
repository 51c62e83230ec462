"""What watchkeeper says of itself, for programs. It costs the same however much is watched, and asks nobody."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from watchkeeper.domain.units import utc
from watchkeeper.domain.watch import Watch
from watchkeeper.store.outbox import OutboxDepth, OutboxState
from watchkeeper.web.exposition import Reading

_TO_BE_DONE = frozenset((OutboxState.WAITING, OutboxState.IN_FLIGHT))


@dataclass(frozen=True, slots=True)
class Condition:
    """What the daemon knows of itself beside the reading for its metrics.

    `not_ready`: what keeps it from doing its work, in words. `outbox_ms`: when the reading's outbox was so.
    `last_outcomes`: of each backend, what came of the last command that was tried there; empty before the first.
    """

    version: str
    started_ms: int
    uptime_s: float
    not_ready: Sequence[str]
    missed_runs: int
    scheduler_lag_s: float
    database_failing_s: float
    database_silent_s: float
    reload_successful: bool
    outbox_ms: int
    last_outcomes: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class BackendStatus:
    """`refusing`: it did not answer as it should when it was asked last, and `reason` says why. A command that it
    rejects for what it says is an answer."""

    name: str
    waiting: int
    rejected: int
    refusing: bool
    reason: str | None
    last_outcome: str | None


def status(reading: Reading, condition: Condition, watch: Watch) -> dict[str, Any]:
    """The answer of `/api/v1/status`, of what JSON knows."""
    to_be_done = [found for found in reading.outbox if found.state in _TO_BE_DONE]
    oldest_ms = min((found.oldest_ms for found in to_be_done), default=condition.outbox_ms)
    return {
        "version": condition.version,
        "started": f"{utc(condition.started_ms):%Y-%m-%dT%H:%M:%SZ}",
        "uptime_seconds": round(condition.uptime_s, 3),
        "not_ready": list(condition.not_ready),
        "probes": len(watch.plan.probes),
        "rules": len(watch.plan.rules),
        "open_incidents": len(watch.incidents),
        "alerts_held_back": sum(1 for _ in watch.correlator.held_back()),
        "storm": watch.correlator.is_storm,
        "samples_total": sum(reading.samples.values()),
        "missed_runs_total": condition.missed_runs,
        "unanswered_evaluations_total": watch.unanswered_total,
        "scheduler_lag_seconds": round(condition.scheduler_lag_s, 3),
        "runs_in_flight": reading.runs_in_flight,
        "runs_waiting": reading.runs_waiting,
        "effects_waiting": reading.effects_waiting,
        "decisions_journaled": reading.decisions_journaled,
        "database_failing_seconds": round(condition.database_failing_s, 3),
        "database_silent_seconds": round(condition.database_silent_s, 3),
        "rollups_waiting": reading.rollups_waiting,
        "rollup_samples_dropped": reading.rollup_samples_dropped,
        "config_reload_successful": condition.reload_successful,
        "commands_waiting": sum(found.count for found in to_be_done),
        "oldest_command_seconds": max(0.0, round((condition.outbox_ms - oldest_ms) / 1000, 3)),
        "commands_rejected": _rejected(reading.outbox),
        "backends": [asdict(backend) for backend in _backends(reading, condition.last_outcomes)],
    }


def _backends(reading: Reading, last_outcomes: Mapping[str, str]) -> Sequence[BackendStatus]:
    """Those of the configuration, and those that are in it no more, but something waits for."""
    names = sorted({*reading.backends, *(found.backend for found in reading.outbox)})
    return [_backend(name, reading, last_outcomes.get(name)) for name in names]


def _backend(name: str, reading: Reading, last_outcome: str | None) -> BackendStatus:
    its = [found for found in reading.outbox if found.backend == name]
    return BackendStatus(
        name,
        waiting=sum(found.count for found in its if found.state in _TO_BE_DONE),
        rejected=_rejected(its),
        refusing=name in reading.refusing,
        reason=reading.refusing.get(name),
        last_outcome=last_outcome or None,
    )


def _rejected(outbox: Sequence[OutboxDepth]) -> int:
    return sum(found.count for found in outbox if found.state is OutboxState.REJECTED)
