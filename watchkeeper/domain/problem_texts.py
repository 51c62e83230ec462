"""What the ticket of a problem says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from watchkeeper.domain.briefing import bounded, one_line
from watchkeeper.domain.columns import columns
from watchkeeper.domain.evidence import AFTERMATH_MS, BEFORE_MS, Finding, Kind
from watchkeeper.domain.phrases import Phrases
from watchkeeper.domain.problem import Problem
from watchkeeper.domain.problem_case import Case
from watchkeeper.domain.problem_phrases import ProblemPhrases
from watchkeeper.domain.recurrence import Occurrence, Thresholds, Why, downtime_ms
from watchkeeper.domain.service import Service
from watchkeeper.domain.units import format_number, format_time

MOST_INCIDENTS: Final = 20
MOST_FINDINGS: Final = 10

_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Writer:
    """Says things about problems in one language, with times of day in one zone."""

    words: Phrases
    phrases: ProblemPhrases
    zone: tzinfo

    def title(self, service: Service, rule_id: str, failure: str) -> str:
        """Of a problem: which service, and what happens again and again."""
        what = f"{one_line(service.title)}: {shown(failure) or rule_id}"
        return self.phrases.title.format(title=what)

    def description(
        self, problem: Problem, case: Case, why: str, service: Service, before: Problem | None, url: str = ""
    ) -> str:
        """The whole text of a new problem.

        Args:
            why: that it is one.
            before: the one that was resolved before.
        """
        parts = [
            f"{problem.title}\n{why}",
            self._head(problem, service, before, url),
            self.findings(case),
            self._preceding(case),
            self._incidents(case),
            *self._knowledge(before),
            self.phrases.signature.format(number=problem.number, key=problem.fingerprint),
        ]
        return bounded("\n\n".join(part for part in parts if part))

    def about(self, pattern: str, one: Occurrence, message: str, **more: object) -> str:
        """A sentence that names an incident, when it began, and what the probe said."""
        since = format_time(one.started_ms)
        return pattern.format(incident=one.number, time=since, message=one_line(message), **more).rstrip()

    def why(self, why: Why, found: Sequence[Occurrence], thresholds: Thresholds, now_ms: int) -> str:
        """That repeats are a problem."""
        counted = [one.flapped for one in found] if why is Why.FLAPPING else [one.is_repeat for one in found]
        down = downtime_ms(found, now_ms - thresholds.within_ms)
        elapsed = self.words.elapsed
        within = elapsed(thresholds.within_ms)
        return self.phrases.why[why].format(count=sum(counted), within=within, downtime=elapsed(down))

    def findings(self, case: Case) -> str:
        """All that is striking, and what that means."""
        if not case.was_searched:
            return self.phrases.not_searched
        if not case.findings:
            return self.phrases.nothing_found
        head = self.phrases.findings.format(count=case.repeats, time=format_time(case.since_ms))
        return "\n".join([head, *self.listed(case.findings), self.phrases.caution])

    def listed(self, findings: Sequence[Finding]) -> list[str]:
        """A line for each."""
        return [f"  {self.finding(one)}" for one in findings[:MOST_FINDINGS]]

    def finding(self, found: Finding) -> str:
        """One thing that is striking, with its numbers."""
        chance = self.phrases.chance.format(odds=_odds(found.chance))
        text, phrases = self._claim(found), self.phrases
        if found.kind is Kind.INTERVAL:
            return phrases.all_of_them.format(text=text, of=found.of, chance=chance)
        expected = format_number(float(f"{found.expected:.2g}"))
        return phrases.numbers.format(text=text, count=found.count, of=found.of, expected=expected, chance=chance)

    def _claim(self, found: Finding) -> str:
        phrases, zone = self.phrases, str(self.zone)
        if found.kind is Kind.HOUR:
            begin, _, end = found.name.partition("-")
            return phrases.hour.format(begin=begin, end=end, zone=zone)
        if found.kind is Kind.WEEKDAY:
            return phrases.weekday.format(weekday=phrases.weekdays[int(found.name)], zone=zone)
        if found.kind is Kind.MONTH:
            return (phrases.end_of_month if found.name == "end" else phrases.begin_of_month).format(zone=zone)
        if found.kind is Kind.BEFORE:
            elapsed = self.words.elapsed(BEFORE_MS)
            return phrases.before.format(rule=found.name, service=found.service, elapsed=elapsed)
        if found.kind is Kind.CHANGE:
            elapsed = self.words.elapsed(AFTERMATH_MS)
            return phrases.change.format(title=one_line(found.name), service=found.service, elapsed=elapsed)
        if found.period_ms < _DAY_MS:
            return phrases.every.format(elapsed=self.words.elapsed(found.period_ms))
        if found.period_ms == _DAY_MS:
            return phrases.every_day.format(time=found.name, zone=zone)
        weekday, _, time = found.name.partition(" ")
        return phrases.every_week.format(weekday=phrases.weekdays[int(weekday)], time=time, zone=zone)

    def _head(self, problem: Problem, service: Service, before: Problem | None, url: str) -> str:
        words, phrases = self.words, self.phrases
        failure = shown(problem.failure)
        failed = phrases.failed.format(failure=failure) if failure != problem.failure else failure
        is_titled = service.title != service.id
        title = words.service_text.format(title=one_line(service.title), id=service.id) if is_titled else service.id
        follows = ""
        if before is not None:
            number = f"{before.number} {before.ticket_number}".rstrip()
            over = format_time(before.ended_ms)
            follows = phrases.follows_one.format(number=number, time=over, count=before.recurrences)
        lines = (
            (phrases.failure, failed),
            (phrases.rule, problem.rule_id),
            (phrases.service, title),
            (phrases.owner, one_line(service.owner)),
            (phrases.ci, problem.ci),
            (phrases.follows, follows),
            (phrases.problem, f"{problem.number} {url}/problems/{problem.number}" if url else problem.number),
        )
        rows = [(words.label.format(name=name), text) for name, text in lines if text]
        return "\n".join(columns(rows, gap=""))

    def _incidents(self, case: Case) -> str:
        newest = case.occurrences[-MOST_INCIDENTS:]
        lines = [f"  {self._incident(one)}" for one in newest]
        if left := len(case.occurrences) - len(newest):
            lines.insert(0, f"  {self.phrases.earlier_ones.format(count=left)}")
        return "\n".join([self.phrases.incidents, *lines]) if lines else ""

    def _incident(self, one: Occurrence) -> str:
        phrases = self.phrases
        lasted = phrases.goes_on
        if one.resolved_ms is not None:
            lasted = phrases.lasted.format(elapsed=self.words.elapsed(one.resolved_ms - one.started_ms))
        text = phrases.incident.format(number=one.number, time=format_time(one.started_ms), lasted=lasted)
        return phrases.ticket.format(text=text, ticket=one.ticket_number) if one.ticket_number else text

    def _preceding(self, case: Case) -> str:
        lines = [
            self.phrases.change_one.format(
                change=change.number,
                title=one_line(change.title),
                service=change.service,
                time=format_time(change.ended_ms),
                elapsed=self.words.elapsed(one.started_ms - change.ended_ms),
                incident=one.number,
            )
            for change, one in case.preceding
        ]
        head = self.phrases.changes.format(elapsed=self.words.elapsed(AFTERMATH_MS))
        return "\n".join([head, *(f"  {line}" for line in lines)]) if lines else ""

    def _knowledge(self, before: Problem | None) -> Iterator[str]:
        """What people wrote about the one before."""
        if before is None:
            return
        said = before.findings
        number = before.ticket_number or before.number
        for name, text in (
            (self.phrases.root_cause, said.root_cause),
            (self.phrases.known_error, said.known_error),
            (self.phrases.workaround, said.workaround),
            (self.phrases.resolution, said.resolution),
        ):
            if text:
                yield f"{self.words.label.format(name=name.format(number=number))}{text}"


def shown(failure: str) -> str:
    """A class of failures, for people."""
    return failure.replace("#", "…")


def _odds(chance: float) -> str:
    """`1200` of 0.00083: to two digits, as it is no more exact."""
    if chance < 1e-9:
        return "1000000000"
    odds = round(1 / chance)
    digits = 10 ** max(0, len(str(odds)) - 2)
    return str(odds // digits * digits)
