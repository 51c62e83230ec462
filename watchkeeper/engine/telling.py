"""What follows from decisions, told in the log: one event for each change that an operator would want to know of."""

import structlog

from watchkeeper.domain.alert import AlertState
from watchkeeper.domain.effect import (
    AlertChanged,
    Effect,
    Happening,
    IncidentChanged,
    ProblemChanged,
    ProblemHappening,
    StatusChanged,
)
from watchkeeper.domain.probe import Status

_log = structlog.get_logger("watch")

_ALERT_EVENTS = {
    AlertState.PENDING: "alert_pending",
    AlertState.FIRING: "alert_firing",
    AlertState.INACTIVE: "alert_over",
}

_LEVELS = {
    Happening.OPENED: "warning",
    Happening.ESCALATED: "warning",
    Happening.FLAPPING: "warning",
    Happening.RETURNED: "debug",
}


_GRAVE = (ProblemHappening.OPENED, ProblemHappening.REOPENED)


def tell(effect: Effect) -> None:
    """Tells of an effect, if anybody wants to know."""
    if isinstance(effect, StatusChanged):
        first_good = effect.before is None and effect.status is Status.UP
        say = _log.info if effect.status is Status.UP else _log.warning
        (_log.debug if first_good else say)(
            "probe_status_changed",
            probe=effect.probe_id,
            service=effect.service,
            status=effect.status.value,
            before=None if effect.before is None else effect.before.value,
            message=effect.message,
        )
    elif isinstance(effect, AlertChanged):
        if effect.before.state is not effect.after.state:
            rule, probe = effect.after.ref
            _log.info(_ALERT_EVENTS[effect.after.state], rule=rule, probe=probe, reason=effect.reason)
    elif isinstance(effect, IncidentChanged):
        incident = effect.incident
        say = getattr(_log, _LEVELS.get(effect.happening, "info"))
        say(
            f"incident_{effect.happening}",
            incident=incident.number,
            service=incident.service,
            severity=incident.severity.value,
            title=incident.title,
            text=effect.text,
        )
    elif isinstance(effect, ProblemChanged) and effect.happening is not ProblemHappening.LASTED:
        problem = effect.problem
        say = _log.warning if effect.happening in _GRAVE else _log.info
        say(
            f"problem_{effect.happening}",
            problem=problem.number,
            service=problem.service,
            recurrences=problem.recurrences,
            title=problem.title,
            text=effect.text.partition("\n")[0],
        )
