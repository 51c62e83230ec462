"""The last quarter of a year at a company: three faults that come back, among much that they have no part in."""

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.domain.made import is_down, plan, probe, rule, sample
from watchkeeper.domain.effect import Effect, ProblemChanged
from watchkeeper.domain.evidence import Finding, Kind, PastChange
from watchkeeper.domain.fingerprint import failure_class
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Status
from watchkeeper.domain.problem import Problem
from watchkeeper.domain.problems import Problems
from watchkeeper.domain.recurrence import Override, ProblemPolicy
from watchkeeper.domain.rule import Match
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import Command, TicketChange, TicketDraft, TicketKind
from watchkeeper.domain.watch import Watch

BERLIN = ZoneInfo("Europe/Berlin")
MINUTE, DAY = 60_000, 86_400_000
BEGIN = datetime(2026, 10, 3, tzinfo=BERLIN)
DAYS = 90

SERVICES = [
    Service("backup", "Backup"),
    Service("erp-db", "ERP database", owner="team-db", ci="SRV-DB-01"),
    Service("erp-app", "ERP application"),
    Service("web-shop", "Web shop", owner="team-web"),
    Service("print", "Printing", owner="team-office"),
    *(
        Service(name, name.title())
        for name in ("mail", "intranet", "vpn", "wiki", "files", "chat", "phone", "scanner")
    ),
]
RULES = ["backup-long", "query-slow", "sessions-high", "shop-errors", "printer-down", "is-down"]
NOISE = ["no answer within 10 s", "answered 500 in 0.2 s", "connection refused", "SERVFAIL", "answered 502 in 3.1 s"]


def planned() -> Plan:
    # Two rules watch for load: what they find is no failure of its own, but may be behind others.
    policy = ProblemPolicy(
        rules={"backup-long": None, "sessions-high": None, "printer-down": Override(within_ms=30 * DAY)}
    )
    where = dict(zip(RULES, ("backup", "erp-db", "erp-app", "web-shop", "print"), strict=False))
    probes = [
        probe(f"{name}-{service.id}", service.id) for service in SERVICES for name in _rules_of(service.id, where)
    ]
    rules = [rule(name, is_down, match=Match(probe=f"{name}-*")) for name in RULES]
    return replace(plan(*SERVICES, *probes, *rules), problems=policy)


def _rules_of(service: str, where: dict[str, str]) -> list[str]:
    return ["is-down", *(name for name, other in where.items() if other == service)]


@dataclass
class Quarter:
    """What happens, as it was drawn."""

    dice: random.Random
    troubles: list[tuple[int, int, str, str]] = field(default_factory=list)  # from, to, probe, message
    changes: list[PastChange] = field(default_factory=list)

    def fails(self, at: datetime, lasts_minutes: float, name: str, message: str) -> None:
        begins = int(at.timestamp() * 1000)
        self.troubles.append((begins, begins + int(lasts_minutes * MINUTE), name, message))

    def draw(self) -> None:
        for number in range(DAYS):
            day = BEGIN + timedelta(days=number)
            self._night(day)
            self._month_end(day)
            if day.weekday() == 1:
                self._patch(day, number)
            if number % 2 == 0:
                self._change(f"STD{number:04}", "Rotate logs", "intranet", day + timedelta(hours=5), 15)
        self._noise()
        self.troubles.sort()

    def _night(self, day: datetime) -> None:
        """Some nights the backup takes long, and then queries wait."""
        if self.dice.random() < 0.35:
            begins = day + timedelta(hours=1, minutes=self.dice.uniform(5, 40))
            self.fails(begins, 90, "backup-long-backup", f"the backup runs for {self.dice.randint(60, 140)}m")
            if self.dice.random() < 0.85:
                begins += timedelta(minutes=self.dice.uniform(2, 8))
                text = f"a query took {self.dice.uniform(8, 30):.1f} s at 10.3.0.{self.dice.randint(2, 9)}:1521"
                self.fails(begins, self.dice.uniform(20, 70), "query-slow-erp-db", text)

    def _month_end(self, day: datetime) -> None:
        """At the end of a month many people work; more of them from month to month, until the pool has none left."""
        if (day + timedelta(days=3)).month != day.month:
            for _ in range(1 + (day.month - 10)):
                begins = day + timedelta(hours=self.dice.uniform(8.5, 17.5))
                self.fails(begins, 45, "sessions-high-erp-app", f"{self.dice.randint(900, 1400)} sessions")
                begins += timedelta(minutes=self.dice.uniform(1, 9))
                text = f"answered 503, expected 200: pool of 50 exhausted after {self.dice.uniform(0.1, 5):.3f} s"
                self.fails(begins, self.dice.uniform(5, 35), "shop-errors-web-shop", text)

    def _patch(self, day: datetime, number: int) -> None:
        """On Tuesdays servers are patched, after which the spooler often does not come up."""
        begins = day + timedelta(hours=20)
        self._change(f"CHG{number:04}", f"Patch print servers, week {day.isocalendar().week}", "print", begins, 60)
        if self.dice.random() < 0.7:
            begins += timedelta(minutes=self.dice.uniform(20, 55))
            text = f"printer-{self.dice.randint(1, 9)}: port 9100: connection refused"
            self.fails(begins, self.dice.uniform(30, 180), "printer-down-print", text)

    def _change(self, number: str, title: str, service: str, begins: datetime, minutes: int) -> None:
        at_ms = int(begins.timestamp() * 1000)
        self.changes.append(PastChange(number, title, service, at_ms, at_ms + minutes * MINUTE))

    def _noise(self) -> None:
        """Whatever else fails, none of it three times within a fortnight."""
        seen: Counter[tuple[str, str]] = Counter()
        for _ in range(90):
            begins = BEGIN + timedelta(minutes=self.dice.uniform(0, DAYS * 1440))
            service, message = self.dice.choice(SERVICES).id, self.dice.choice(NOISE)
            seen[service, message] += 1
            if seen[service, message] < 3:
                self.fails(begins, self.dice.uniform(2, 240), f"is-down-{service}", message)


@dataclass
class Replayed:
    end_ms: int
    problems: Problems
    effects: list[Effect]

    def records(self) -> list[TicketDraft]:
        drafts = [one.payload for one in self.effects if isinstance(one, Command)]
        return [one for one in drafts if isinstance(one, TicketDraft) and one.kind is TicketKind.PROBLEM]

    def problem(self, rule_id: str) -> Problem:
        return next(one for one in self.problems.open if one.rule_id == rule_id)

    def told(self, rule_id: str) -> str:
        """Everything that its ticket says."""
        wanted = self.problem(rule_id).id
        own = [one.payload for one in self.effects if isinstance(one, Command) and one.problem_id == wanted]
        return "\n".join(one.note if isinstance(one, TicketChange) else one.description for one in own)

    def findings(self, rule_id: str) -> dict[Kind, list[Finding]]:
        found: dict[Kind, list[Finding]] = {}
        for one in self.problems.case(self.problem(rule_id), self.end_ms).findings:
            found.setdefault(one.kind, []).append(one)
        return found


def replay(seed: int) -> Replayed:
    """Through the watch, as the daemon does it: samples go in, and what follows of incidents is followed."""
    quarter = Quarter(random.Random(seed))
    quarter.draw()
    the_plan = planned()
    watch = Watch(the_plan)
    problems = Problems(the_plan, changes=lambda: quarter.changes, zone_of=lambda _: BERLIN)
    begin_ms = int(BEGIN.timestamp() * 1000)
    watch.revise(the_plan, begin_ms)
    samples = [sample(begin_ms, Status.UP, name) for name in the_plan.probes]
    for begins, ends, name, message in quarter.troubles:
        samples += [sample(begins, Status.DOWN, name, message), sample(ends, Status.UP, name)]
    effects: list[Effect] = []
    for one in sorted(samples, key=lambda one: one.at_ms):
        decided = watch.observe(one)
        effects += [*decided, *problems.following(decided)]
    return Replayed(begin_ms + DAYS * DAY, problems, effects)


@pytest.mark.parametrize("seed", range(5))
def test_a_quarter_with_three_recurring_faults_ends_in_three_problems_with_their_causes(seed: int) -> None:
    done = replay(seed)
    assert sorted(draft.title for draft in done.records()) == [
        "Recurring: ERP database: a query took … at …",
        "Recurring: Printing: printer-…: port …: connection refused",
        "Recurring: Web shop: answered 503, expected 200: pool of … exhausted after …",
    ]

    slow = done.findings("query-slow")
    [before] = slow[Kind.BEFORE]
    assert (before.name, before.service) == ("backup-long", "backup")
    assert slow[Kind.HOUR][0].name[:2] in ("00", "01")
    assert "backup-long of backup began within 10m before" in done.told("query-slow")

    pool = done.findings("shop-errors")
    [before] = pool[Kind.BEFORE]
    assert (before.name, before.service) == ("sessions-high", "erp-app")
    assert [one.name for one in pool[Kind.MONTH]] == ["end"]
    assert "the last three days of the month" in done.told("shop-errors")
    assert "sessions-high of erp-app began within 10m before" in done.told("shop-errors")

    broken = done.findings("printer-down")
    [change] = broken[Kind.CHANGE]
    assert failure_class(change.name) == "patch print servers, week #"
    assert broken[Kind.WEEKDAY][0].name == "1"
    assert Kind.BEFORE not in broken
    assert "Patch print servers" in done.told("printer-down")


def test_every_incident_of_a_fault_belongs_to_its_problem() -> None:
    done = replay(0)
    linked = Counter(
        one.problem.rule_id for one in done.effects if isinstance(one, ProblemChanged) for _ in one.linked
    )
    for rule_id in ("query-slow", "shop-errors", "printer-down"):
        assert linked[rule_id] >= done.problem(rule_id).recurrences
