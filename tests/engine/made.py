"""Values for the engine's tests: of everything one, as simple as it can be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.correlation import ticket_key
from watchkeeper.domain.effect import Happening, IncidentChanged, StatusChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Category, Cron, Every, Probe, Sample, Status
from watchkeeper.domain.rule import GroupBy, Hold, IncidentPolicy, Level, Match, Rule, Scope, Severity
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import Command, CommandKind, TicketChange, TicketDraft, TicketKind, TicketState
from watchkeeper.domain.watch import Plan

NOW_MS = 1_800_000_000_000


def probe(
    probe_id: str = "web",
    *,
    every_ms: int = 60_000,
    cron: Cron | None = None,
    timeout_ms: int = 5_000,
    service: str = "shop",
    options: object = None,
) -> Probe:
    schedule = Every(every_ms) if cron is None else cron
    return Probe(probe_id, "fake", service, Category.HEALTH, schedule, timeout_ms, options)


def probes(*some: Probe) -> dict[str, Probe]:
    return {one.id: one for one in some}


def sample(probe_id: str = "web", status: Status = Status.UP, at_ms: int = NOW_MS) -> Sample:
    return Sample(probe_id, at_ms, status, 0.25, {"connect_seconds": 0.125}, message=f"{probe_id} is {status}")


@dataclass(frozen=True, slots=True)
class IsDown:
    spans_ms: Mapping[str, int] = field(default_factory=dict)
    asks_missed: bool = False

    def __call__(self, scope: Scope) -> bool:
        return scope.sample.status is Status.DOWN

    def explain(self, _scope: Scope) -> list[tuple[str, str]]:
        return []


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    spans_ms: Mapping[str, int] = field(default_factory=dict)

    def __call__(self, scope: Scope) -> str:
        return self.text


def rule(*, for_ms: int = 0, keep_firing_for_ms: int = 0, severity: Severity = Severity.MAJOR) -> Rule:
    return Rule(
        id="down",
        title=Text("The shop is down"),
        match=Match(),
        when="status == 'down'",
        conditions={"fake": IsDown()},
        severity=severity,
        incident=IncidentPolicy(Level.MEDIUM, Level.HIGH, (GroupBy.SERVICE,)),
        hold=Hold(for_ms, keep_firing_for_ms),
    )


def plan(some: Iterable[Probe], *rules: Rule) -> Plan:
    watched = {one.id: one for one in some}
    services = {one.service: Service(one.service, one.service.title()) for one in watched.values()}
    return Plan(services, watched, {one.id: one for one in rules}, "desk")


def incident(number: int = 1, backend: str = "desk") -> Incident:
    alert = AlertRef("down", f"p{number}")
    return Incident(
        id=number,
        key=f"down/probe=p{number}",
        rule_id="down",
        service="shop",
        title=f"Trouble {number}",
        severity=Severity.MAJOR,
        impact=Level.MEDIUM,
        urgency=Level.HIGH,
        backend=backend,
        started_ms=NOW_MS,
        opened_ms=NOW_MS,
        firing=frozenset({alert}),
        affected=(alert,),
    )


def opened(what: Incident) -> IncidentChanged:
    return IncidentChanged(what, Happening.OPENED, what.opened_ms, what.affected[0], "connection refused")


def create(what: Incident) -> Command:
    key = ticket_key(what.key, what.opened_ms)
    draft = TicketDraft(
        key, TicketKind.INCIDENT, what.key, what.title, "Soon.", what.service, what.impact, what.urgency
    )
    return Command(what.id, what.backend, key, CommandKind.CREATE, draft, what.opened_ms)


def note(what: Incident, text: str) -> Command:
    key = ticket_key(what.key, what.opened_ms)
    return Command(what.id, what.backend, key, CommandKind.UPDATE, TicketChange(text), what.opened_ms)


def resolve(what: Incident, text: str = "over") -> Command:
    key = ticket_key(what.key, what.opened_ms)
    change = TicketChange(text, TicketState.RESOLVED)
    return Command(what.id, what.backend, key, CommandKind.RESOLVE, change, what.opened_ms)


def reopen(what: Incident) -> Command:
    key = ticket_key(what.key, what.opened_ms)
    change = TicketChange("it goes on", TicketState.OPEN)
    return Command(what.id, what.backend, key, CommandKind.REOPEN, change, what.opened_ms)


def status(probe_id: str, now: Status = Status.DOWN, at_ms: int = NOW_MS) -> StatusChanged:
    return StatusChanged(probe_id, "shop", now, at_ms, f"{probe_id} is {now}")
