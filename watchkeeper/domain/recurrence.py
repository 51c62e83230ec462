"""How often the same failure came back: incidents of the past, counted by their fingerprint."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from watchkeeper.domain.fingerprint import fingerprint
from watchkeeper.domain.incident import Incident, incident_number
from watchkeeper.domain.rule import Level, Severity

MOST_INCIDENTS: Final = 20_000
"""How many are remembered, of all fingerprints together: the oldest are forgotten."""

APART_MS: Final = 600_000
"""What begins elsewhere within this time of the first incident is the same time that it happened."""

LONGEST_MS: Final = 90 * 86_400_000
"""How far back anything is counted, or looked for."""


class Why(StrEnum):
    """Which count says that incidents have one cause."""

    REPEATS = "repeats"
    DOWNTIME = "downtime"
    FLAPPING = "flapping"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When repeats are a problem: so many times, so much downtime, or so many incidents that flapped, within a time.
    `None`: that is not counted."""

    after: int | None = 3
    within_ms: int = 14 * 86_400_000
    downtime_ms: int | None = None
    flapping: int | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """What a rule or a service has instead. `None`: nothing else."""

    after: int | None = None
    within_ms: int | None = None
    downtime_ms: int | None = None
    flapping: int | None = None

    def over(self, usual: Thresholds) -> Thresholds:
        """The thresholds with this instead."""
        return Thresholds(
            usual.after if self.after is None else self.after,
            usual.within_ms if self.within_ms is None else self.within_ms,
            usual.downtime_ms if self.downtime_ms is None else self.downtime_ms,
            usual.flapping if self.flapping is None else self.flapping,
        )


@dataclass(frozen=True, slots=True)
class ProblemPolicy:
    """When problems are opened. `is_on`: whether any are, where nothing else is said. `reopen_within_ms`: for how
    long after people have resolved one it is opened again when it recurs; later, it is counted anew.

    `rules`, `services`: what is said of one, by its id; `None`: no problems there. A rule goes before its service.
    """

    thresholds: Thresholds = Thresholds()
    is_on: bool = True
    reopen_within_ms: int = 30 * 86_400_000
    rules: Mapping[str, Override | None] = field(default_factory=dict)
    services: Mapping[str, Override | None] = field(default_factory=dict)

    def thresholds_of(self, rule_id: str, service: str) -> Thresholds | None:
        """When incidents of a rule in a service are a problem; `None`: never."""
        found = self.thresholds if self.is_on else None
        for known, name in ((self.services, service), (self.rules, rule_id)):
            if name in known:
                own = known[name]
                found = None if own is None else own.over(found or self.thresholds)
        return found


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An incident, as it is counted.

    `failure`: the class of what the probe said. `is_repeat`: whether it is another time that it happened; not, where
    one like it had just begun elsewhere, or where it only takes the place of another one (`takes_place`).
    `problem_id`: the problem that it is linked to. `ticket_number`: empty where it is not known."""

    id: int
    key: str
    backend: str
    fingerprint: str
    rule_id: str
    service: str
    failure: str
    severity: Severity
    impact: Level
    urgency: Level
    started_ms: int
    opened_ms: int
    resolved_ms: int | None = None
    flapped: bool = False
    problem_id: int | None = None
    ticket_number: str = ""
    is_repeat: bool = True
    takes_place: bool = False

    @property
    def number(self) -> str:
        """What people call it: `INC-12`."""
        return incident_number(self.id)

    @property
    def lasted_ms(self) -> int:
        """How long it lasted, if it is over. What went on in the place of another one counts from there."""
        if self.resolved_ms is None:
            return 0
        return self.resolved_ms - (self.opened_ms if self.takes_place else self.started_ms)


def occurrence(incident: Incident, message: str, ci: str) -> Occurrence:
    """An incident that is opened, as it is counted.

    Args:
        message: what the probe said when it opened.
        ci: the service's configuration item.
    """
    found = fingerprint(incident.rule_id, incident.service, ci, message)
    return Occurrence(
        id=incident.id,
        key=incident.key,
        backend=incident.backend,
        fingerprint=found.key,
        rule_id=incident.rule_id,
        service=incident.service,
        failure=found.failure,
        severity=incident.severity,
        impact=incident.impact,
        urgency=incident.urgency,
        started_ms=incident.started_ms,
        opened_ms=incident.opened_ms,
        ticket_number=incident.ticket_number,
    )


class Recurrence:
    """The incidents of the last time, at most `MOST_INCIDENTS`.

    Args:
        past: those that are remembered, in the order in which they were opened. Which are repeats is told anew.
    """

    def __init__(self, past: Iterable[Occurrence] = ()) -> None:
        self._known: dict[int, Occurrence] = {}
        self._of: dict[str, dict[int, None]] = {}
        self._newest: dict[str, int] = {}
        for one in past:
            self.add(one)

    def __iter__(self) -> Iterator[Occurrence]:
        """All of them, the oldest first."""
        return iter(self._known.values())

    def get(self, incident_id: int) -> Occurrence | None:
        """One of them; `None` where it is forgotten."""
        return self._known.get(incident_id)

    def of(self, fingerprint: str) -> list[Occurrence]:
        """Those of a fingerprint, the oldest first."""
        return [self._known[one] for one in self._of.get(fingerprint, ())]

    def before(self, key: str, started_ms: int) -> Occurrence | None:
        """The incident whose place another one takes: that has the same key and began at the same time."""
        found = self._known.get(self._newest.get(key, 0))
        return found if found is not None and found.started_ms == started_ms else None

    def add(self, one: Occurrence) -> Occurrence:
        """Takes in an incident that is opened. Returns it as it is counted."""
        follows = self.before(one.key, one.started_ms)
        if follows is not None and follows.id != one.id:
            one = replace(one, fingerprint=follows.fingerprint, failure=follows.failure)
            one = replace(one, is_repeat=False, takes_place=True)
        else:
            one = replace(one, is_repeat=not self._is_part(one))
        self._known[one.id] = one
        self._of.setdefault(one.fingerprint, {})[one.id] = None
        self._newest[one.key] = one.id
        while len(self._known) > MOST_INCIDENTS:
            self.forget(next(iter(self._known)))
        return one

    def note(
        self,
        incident_id: int,
        *,
        resolved_ms: int | None = None,
        flapped: bool = False,
        problem_id: int | None = None,
        ticket_number: str = "",
    ) -> Occurrence | None:
        """Adds to what is known of an incident: the incident; `None` where it is forgotten."""
        one = self._known.get(incident_id)
        if one is None:
            return None
        self._known[incident_id] = one = replace(
            one,
            resolved_ms=one.resolved_ms if resolved_ms is None else resolved_ms,
            flapped=one.flapped or flapped,
            problem_id=one.problem_id if problem_id is None else problem_id,
            ticket_number=ticket_number or one.ticket_number,
        )
        return one

    def unexplained(self, fingerprint: str, within_ms: int, now_ms: int) -> list[Occurrence]:
        """Those of a fingerprint that belong to no problem, and were opened or over within the last so long."""
        since = now_ms - within_ms
        return [
            one
            for one in self.of(fingerprint)
            if one.problem_id is None and (one.opened_ms > since or (one.resolved_ms or 0) > since)
        ]

    def due(self, fingerprint: str, thresholds: Thresholds, now_ms: int) -> Why | None:
        """Whether what belongs to no problem yet is one, and why."""
        found = self.unexplained(fingerprint, thresholds.within_ms, now_ms)
        new = [one for one in found if one.opened_ms > now_ms - thresholds.within_ms]
        if thresholds.after is not None and sum(one.is_repeat for one in new) >= thresholds.after:
            return Why.REPEATS
        if thresholds.flapping is not None and sum(one.flapped for one in new) >= thresholds.flapping:
            return Why.FLAPPING
        least_ms = thresholds.downtime_ms
        if least_ms is not None and downtime_ms(found, now_ms - thresholds.within_ms) >= least_ms:
            return Why.DOWNTIME
        return None

    def _is_part(self, one: Occurrence) -> bool:
        """Whether it belongs to the time before. The same trouble that is back is another time, however soon."""
        for incident_id in reversed(self._of.get(one.fingerprint, {})):
            other = self._known[incident_id]
            if other.key == one.key or one.opened_ms - other.opened_ms >= APART_MS:
                return False
            if other.is_repeat:
                return True
        return False

    def forget(self, incident_id: int) -> None:
        """Of an incident that was none."""
        if (one := self._known.pop(incident_id, None)) is None:
            return
        of_it = self._of[one.fingerprint]
        del of_it[incident_id]
        if not of_it:
            del self._of[one.fingerprint]
        if self._newest.get(one.key) == incident_id:
            del self._newest[one.key]


def downtime_ms(occurrences: Sequence[Occurrence], since_ms: int = 0) -> int:
    """For how long any of the incidents that are over lasted, after a time. What overlaps counts once."""
    total, until = 0, since_ms
    for one in sorted(occurrences, key=lambda one: one.started_ms):
        if one.resolved_ms is not None and one.resolved_ms > until:
            total += one.resolved_ms - max(until, one.started_ms)
            until = one.resolved_ms
    return total
