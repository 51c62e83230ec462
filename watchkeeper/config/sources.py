"""The sources of reports, from what the daemon's file says of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from watchkeeper.config.document import Document
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.sourcemodels import USUAL_SEVERITIES, SourceModel, SourceType
from watchkeeper.domain.report import GROUP_LABEL, SourcePolicy
from watchkeeper.domain.rule import Severity
from watchkeeper.schema.fields import Secret

_HOUR_MS: Final = 3_600_000
_EXPIRE_MS: Final = {
    SourceType.ALERTMANAGER: 25 * _HOUR_MS,  # who repeats daily has an hour more
    SourceType.PASSIVE: _HOUR_MS,
    SourceType.EVENTS: None,
}
# An alert of Alertmanager's says since when it fires, not when that was seen: what is older than the last end may
# have been on its way meanwhile, and soon is news. The others say when.
_LATE_MS: Final = {
    SourceType.ALERTMANAGER: 120_000,
    SourceType.PASSIVE: 24 * _HOUR_MS,
    SourceType.EVENTS: 24 * _HOUR_MS,
}


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody who sends reports. `expire_ms`: for how long they are true, `None` for ever."""

    name: str
    type: SourceType
    token: Secret
    service_label: str
    severity_label: str
    severities: Mapping[str, Severity]
    severity: Severity
    expire_ms: int | None
    policy: SourcePolicy

    def severity_of(self, name: str) -> Severity:
        """What a name of a severity means."""
        return self.severities.get(name) or self.severities.get(name.lower()) or self.severity


def read_sources(
    document: Document,
    models: Mapping[str, SourceModel],
    services: Collection[str] | None,
    backends: Collection[str] | None,
    problems: list[Problem],
) -> dict[str, Source]:
    """The sources by their names. What is wrong with them is added to the problems.

    Args:
        services, backends: those that there are, `None` where some could not be read.
    """
    found: dict[str, Source] = {}
    tokens: dict[Secret, str] = {}
    for name, model in models.items():
        for place, message in _mistakes(model, services, backends):
            problems.append(document.problem(("sources", name, place), message))
        if (other := tokens.setdefault(model.token, name)) != name:
            message = f"is that of {other!r} as well: each source has a token of its own"
            problems.append(document.problem(("sources", name, "token"), message))
        found[name] = source_of(name, model)
    return found


def _mistakes(
    model: SourceModel, services: Collection[str] | None, backends: Collection[str] | None
) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if services is not None and model.service not in services:
        hint = suggest(model.service, services)
        found.append(("service", f"there is no service {model.service!r}{hint}; there is {listing(services)}"))
    if backends is not None and model.backend is not None and model.backend not in backends:
        hint = suggest(model.backend, backends)
        found.append(("backend", f"there is no backend {model.backend!r}{hint}; there is {listing(backends)}"))
    if GROUP_LABEL in model.group_by and model.type is not SourceType.ALERTMANAGER:
        found.append(("group_by", f"{GROUP_LABEL} is what Alertmanager sends: name labels, or service"))
    return found + [
        ("group_by", f"{name} is not known of what others report: name labels, or service")
        for name in ("rule", "probe")
        if name in model.group_by
    ]


def source_of(name: str, model: SourceModel) -> Source:
    """The source that a model describes."""
    return Source(
        name=name,
        type=model.type,
        token=model.token,
        service_label=model.service_label,
        severity_label=model.severity_label,
        severities={**USUAL_SEVERITIES, **model.severities},
        severity=model.severity,
        expire_ms=_EXPIRE_MS[model.type] if model.expire is None else model.expire,
        policy=SourcePolicy(
            kind=model.type.value,
            service=model.service,
            group_by=model.group_by,
            backend=model.backend,
            late_ms=_LATE_MS[model.type],
        ),
    )
