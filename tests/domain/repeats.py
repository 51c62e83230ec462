"""Incidents that repeat, in tests of problems: what follows, and what a database would keep of it."""

from dataclasses import dataclass, field, replace

from tests.domain.made import plan
from watchkeeper.domain.alert import AlertRef
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged, ProblemChanged
from watchkeeper.domain.evidence import PastChange
from watchkeeper.domain.incident import Incident, IncidentState
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.problem import Problem
from watchkeeper.domain.problems import Problems
from watchkeeper.domain.recurrence import ProblemPolicy, occurrence
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import (
    Command,
    CommandKind,
    Language,
    ProblemFindings,
    ProblemSeen,
    TicketChange,
    TicketDraft,
    TicketPolicy,
    TicketState,
)

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
BEGIN = 1_790_000_000_000
REFUSED = "10.0.0.7:443: connection refused"
USUAL = ProblemPolicy()
NOTHING = ProblemFindings()


def with_problems(policy: ProblemPolicy = USUAL, *parts: Service, language: Language = Language.ENGLISH) -> Plan:
    return replace(plan(*parts), problems=policy, policies={"desk": TicketPolicy(language=language)})


@dataclass
class Desk:
    """Incidents that happen, and what follows for problems. Remembers what a database would."""

    plan: Plan = field(default_factory=with_problems)
    changes: list[PastChange] = field(default_factory=list)
    next_id: int = 1
    incidents: dict[int, tuple[Incident, str]] = field(default_factory=dict)
    flapped: set[int] = field(default_factory=set)
    stored: dict[int, Problem] = field(default_factory=dict)
    linked: dict[int, int] = field(default_factory=dict)
    effects: list[Effect] = field(default_factory=list)
    problems: Problems = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Begins anew, from what is stored."""
        past = [
            replace(
                occurrence(incident, text, self.plan.service_of(incident.service).ci),
                resolved_ms=incident.resolved_ms,
                flapped=incident.id in self.flapped,
                problem_id=self.linked.get(incident.id),
            )
            for incident, text in self.incidents.values()
        ]
        following = max(self.stored, default=0) + 1
        self.problems = Problems(self.plan, self.stored.values(), past, following, lambda: self.changes)

    def opens(
        self,
        at_ms: int,
        message: str = REFUSED,
        *,
        key: str = "down/probe=a",
        service: str = "shop",
        rule_id: str = "down",
    ) -> Incident:
        ref = AlertRef(rule_id, key.rpartition("=")[2])
        incident = Incident(
            id=self.next_id,
            key=key,
            rule_id=rule_id,
            service=service,
            title=f"{service} is down",
            severity=Severity.MAJOR,
            impact=Level.MEDIUM,
            urgency=Level.HIGH,
            backend="desk",
            started_ms=at_ms,
            opened_ms=at_ms,
            firing=frozenset({ref}),
            affected=(ref,),
        )
        self.next_id += 1
        self.incidents[incident.id] = incident, message
        self._follow(incident, Happening.OPENED, at_ms, message)
        return incident

    def resolves(self, incident: Incident, at_ms: int, happening: Happening = Happening.RESOLVED) -> None:
        ended = replace(incident, state=IncidentState.RESOLVED, resolved_ms=at_ms, firing=frozenset())
        self.incidents[incident.id] = ended, self.incidents[incident.id][1]
        self._follow(ended, happening, at_ms, "it is up")

    def flaps(self, incident: Incident, at_ms: int) -> None:
        self.flapped.add(incident.id)
        self._follow(self.incidents[incident.id][0], Happening.FLAPPING, at_ms, "comes and goes")

    def succeeds(self, incident: Incident, at_ms: int) -> Incident:
        """Its ticket was closed, and trouble goes on."""
        self.resolves(incident, at_ms)
        new = replace(incident, id=self.next_id, opened_ms=at_ms)
        self.next_id += 1
        self.incidents[new.id] = new, "follows another one"
        self._follow(new, Happening.OPENED, at_ms, "follows another one")
        return new

    def happens(
        self, at_ms: int, message: str = REFUSED, lasts_ms: int = 5 * MINUTE, key: str = "down/probe=a"
    ) -> Incident:
        incident = self.opens(at_ms, message, key=key)
        self.resolves(incident, at_ms + lasts_ms)
        return incident

    def people(
        self,
        problem: Problem,
        state: TicketState,
        at_ms: int,
        findings: ProblemFindings = NOTHING,
        *,
        gone: bool = False,
    ) -> list[Effect]:
        seen = ProblemSeen(problem.id, f"DESK-{problem.id}", state, "ann", at_ms, gone, findings)
        return self._keep(self.problems.seen(seen))

    def refuses(self, problem: Problem, at_ms: int) -> list[Effect]:
        return self._keep(self.problems.refused(problem.id, "it is closed", at_ms))

    def _follow(self, incident: Incident, happening: Happening, at_ms: int, text: str) -> None:
        changed = IncidentChanged(incident, happening, at_ms, incident.affected[0], text)
        self._keep(self.problems.following([changed]))

    def _keep(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        for effect in effects:
            if isinstance(effect, ProblemChanged):
                self.stored[effect.problem.id] = effect.problem
                unresolved = [one.fingerprint for one in self.stored.values() if not one.is_resolved]
                assert len(unresolved) == len(set(unresolved)), "the database refuses this"
                for incident_id in effect.linked:
                    assert incident_id not in self.linked, "linked twice"
                    self.linked[incident_id] = effect.problem.id
        return effects

    def commands(self, kind: CommandKind | None = None) -> list[Command]:
        return [one for one in self.effects if isinstance(one, Command) and kind in (None, one.kind)]

    def happened(self) -> list[str]:
        return [one.happening.value for one in self.effects if isinstance(one, ProblemChanged)]

    def only(self) -> Problem:
        [problem] = self.stored.values()
        return problem


def created(command: Command) -> TicketDraft:
    assert isinstance(command.payload, TicketDraft)
    return command.payload


def changed(command: Command) -> TicketChange:
    assert isinstance(command.payload, TicketChange)
    return command.payload
