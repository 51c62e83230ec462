"""The probes and services of a rule test file: as much of them as rules ask about."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from watchkeeper.config.document import Document, Path_
from watchkeeper.config.load import Catalogue, service_of
from watchkeeper.config.models import ServiceModel
from watchkeeper.config.probes import DEFAULT_EVERY_MS, DEFAULT_TIMEOUT_MS
from watchkeeper.config.problems import Problem, listing, suggest
from watchkeeper.config.ruletestmodels import RuleTestProbe
from watchkeeper.config.validation import validate
from watchkeeper.config.vocabulary import ProberKind
from watchkeeper.domain.probe import NOTHING, Cron, Every, Probe
from watchkeeper.domain.service import Service
from watchkeeper.schema.kinds import Broken

NAMELESS: Final = "test"  # the service of probes that name none

_COMMON: Final = frozenset(RuleTestProbe.model_fields)


def read_services(models: Mapping[str, ServiceModel] | None, probes: list[dict[str, Any]]) -> dict[str, Service]:
    """The services of a file. Where it describes none, those that its probes name."""
    if models is not None:
        return {name: service_of(name, model) for name, model in models.items()}
    named = [str(probe.get("service", NAMELESS)) for probe in probes]
    return {name: Service(name, name) for name in named or [NAMELESS]}


class ProbesUnderTest:
    """Reads the probes of a file.

    Args:
        services: those that there are.
    """

    def __init__(self, catalogue: Catalogue, services: Mapping[str, Service], problems: list[Problem]) -> None:
        self._catalogue = catalogue
        self._services = services
        self._problems = problems
        self.probes: dict[str, Probe] = {}

    def read(self, document: Document, raws: list[dict[str, Any]]) -> None:
        for index, raw in enumerate(raws):
            self._read_one(document, ("probes", index), raw)

    def _read_one(self, document: Document, path: Path_, raw: dict[str, Any]) -> None:
        kind = self._kind(document, path, raw.get("prober"))
        own = raw.keys() - _COMMON
        for name in sorted(own) if kind is not None else ():
            known = [field.alias or name for name, field in kind.options.model_fields.items()] if kind else []
            if name not in known:
                accepted = sorted({*known, *_COMMON})
                message = f"unknown key{suggest(name, accepted)}; accepted: {listing(accepted, 40)}"
                self._problems.append(document.problem((*path, name), message, key=True))
        common = {key: value for key, value in raw.items() if key in _COMMON}
        model = validate(RuleTestProbe, common, document, path, problems=self._problems)
        if model is None:
            return
        service = self._service(document, path, model.service)
        if model.id in self.probes:
            self._problems.append(document.problem((*path, "id"), f"the id {model.id!r} is taken by another probe"))
        elif kind is not None and service is not None:
            self.probes[model.id] = _probe(model, kind, service)

    def _kind(self, document: Document, path: Path_, name: object) -> ProberKind | None:
        if not isinstance(name, str):
            return None  # missing or no text: said by the model
        try:
            return self._catalogue.find_prober(name)
        except Broken as broken:
            self._problems.append(document.problem((*path, "prober"), broken.why))
            return None
        except KeyError:
            known = self._catalogue.prober_names
            message = f"there is no prober {name!r}{suggest(name, known)}; accepted: {listing(known, 40)}"
            self._problems.append(document.problem((*path, "prober"), message))
            return None

    def _service(self, document: Document, path: Path_, name: str | None) -> str | None:
        """The service of a probe. It goes without saying where there is one only."""
        known = self._services
        if name is None:
            if len(known) == 1:
                return next(iter(known))
            if NAMELESS in known:
                return NAMELESS
            self._problems.append(document.problem(path, f"service is required: one of {listing(known)}"))
            return None
        if name not in known:
            message = f"there is no service {name!r}{suggest(name, known)}; there is {listing(known)}"
            self._problems.append(document.problem((*path, "service"), message))
            return None
        return name


def _probe(model: RuleTestProbe, kind: ProberKind, service: str) -> Probe:
    every_ms = DEFAULT_EVERY_MS if model.every is None else model.every
    schedule: Every | Cron = Every(every_ms)
    timeout_ms = min(DEFAULT_TIMEOUT_MS, every_ms) if model.timeout is None else model.timeout
    if model.cron is not None:
        schedule = Cron(model.cron, model.timezone or "UTC")
    return Probe(
        id=model.id,
        prober=kind.name,
        service=service,
        category=model.category or kind.category,
        schedule=schedule,
        timeout_ms=timeout_ms,
        options=None,
        labels=model.labels or NOTHING,
    )


def running_every(probe: Probe, interval_ms: int) -> Probe:
    """The probe as a test makes it run. What has no interval keeps its schedule: when it is silent nobody can say."""
    if isinstance(probe.schedule, Cron):
        return probe
    return replace(probe, schedule=Every(interval_ms), timeout_ms=min(probe.timeout_ms, interval_ms))
