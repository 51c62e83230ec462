"""The models of what others report."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from watchkeeper.domain.rule import Severity
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import PositiveDurationMs, SecretRef
from watchkeeper.schema.names import Identifier

SourceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
"""Without a slash: it begins the ids of the source's alerts."""

SourceLabel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=100)]

USUAL_SEVERITIES: Final = {
    "critical": Severity.CRITICAL,
    "emergency": Severity.CRITICAL,
    "page": Severity.CRITICAL,
    "major": Severity.MAJOR,
    "error": Severity.MAJOR,
    "high": Severity.MAJOR,
    "minor": Severity.MINOR,
    "warning": Severity.MINOR,
    "warn": Severity.MINOR,
    "low": Severity.MINOR,
    "info": Severity.INFO,
    "none": Severity.INFO,
}
"""What senders call severities, where the configuration does not say more."""


class SourceType(StrEnum):
    ALERTMANAGER = "alertmanager"
    PASSIVE = "passive"
    EVENTS = "events"


class SourceModel(Model):
    type: SourceType
    """What it sends: `alertmanager` notifications of Prometheus's Alertmanager, `passive` results of Nagios-like
    checks, `events` in watchkeeper's own JSON."""
    token: SecretRef
    """What it must send: `Authorization: Bearer TOKEN`. Each source has its own."""
    service: Identifier
    """The service of alerts that name none, or one that is not in the catalogue."""
    service_label: SourceLabel = "service"
    """The label that names the service. Passive results have the labels `host` and `check`."""
    severity_label: SourceLabel = "severity"
    """The label that names the severity. Passive results tell it by their code instead: 1 `warning`, 2 `critical`,
    3 `unknown`."""
    severities: dict[Annotated[str, StringConstraints(max_length=100)], Severity] = Field(default_factory=dict)
    """What its names of severities mean here: `{page: critical, ticket: minor}`. watchkeeper's own are known, and
    `emergency`, `page`, `error`, `high`, `warning`, `warn`, `low` and `none`."""
    severity: Severity = Severity.MAJOR
    """That of alerts which name none, or one that means nothing here."""
    group_by: tuple[SourceLabel, ...] = ()
    """Names of labels that alerts of one incident have in common, or `service`; `groupKey` is Alertmanager's own
    group. Each alert is an incident of its own if this is not set."""
    backend: Identifier | None = None
    """The ticket backend; the default one if this is not set."""
    expire: PositiveDurationMs | None = None
    """After what time an alert is over that is not sent again. If this is not set, 25h for Alertmanager (longer than
    its `repeat_interval` it must be) and 1h for passive results; events stay until they are said to be over."""
