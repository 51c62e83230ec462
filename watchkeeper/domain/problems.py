"""Following incidents: when their repeats are a problem, and what becomes of it.

For each fingerprint there is at most one problem that is not resolved. Every incident belongs to one problem at most.
Only people resolve problems; what they write and set in a problem's ticket is heard of and never changed.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo

from watchkeeper.domain import problem_tickets as tickets
from watchkeeper.domain.briefing import one_line
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged, ProblemChanged, ProblemHappening
from watchkeeper.domain.evidence import PastChange
from watchkeeper.domain.owner import problem_number
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.problem import Lasted, Moved, Problem, ProblemState, Recurred, Reopened, step
from watchkeeper.domain.problem_case import Case, Searches, gather, new_findings, unsearched
from watchkeeper.domain.problem_phrases import problem_phrases_in
from watchkeeper.domain.problem_register import Register
from watchkeeper.domain.problem_texts import Writer
from watchkeeper.domain.recurrence import LONGEST_MS, Occurrence, Recurrence, Thresholds, occurrence
from watchkeeper.domain.storm import STORM_KEY
from watchkeeper.domain.ticket import Command, ProblemSeen, TicketChange, TicketState


class Problems:
    """All problems that are not resolved, and those that may recur.

    Args:
        plan: what is watched, see `revise`.
        known: problems, the oldest first. Of one fingerprint at most one is not resolved.
        past: incidents that are remembered, the oldest first.
        next_id: the first number to give.
        changes: which changes are known, when evidence is gathered.
        zone_of: the time zone of a service, by its id.
    """

    def __init__(
        self,
        plan: Plan,
        known: Iterable[Problem] = (),
        past: Iterable[Occurrence] = (),
        next_id: int = 1,
        changes: Callable[[], Iterable[PastChange]] = tuple,
        zone_of: Callable[[str], tzinfo] = lambda _: UTC,
    ) -> None:
        self._plan = plan
        self._next_id = next_id
        self._changes = changes
        self._zone_of = zone_of
        self._recurrence = Recurrence(past)
        self._searches = Searches()
        self._register = Register(known)

    @property
    def open(self) -> list[Problem]:
        """Those that are not resolved."""
        return [problem for problem in self._register if not problem.is_resolved]

    def revise(self, plan: Plan) -> None:
        """Takes on another plan. What it says of problems counts from the next incident on."""
        self._plan = plan

    def case(self, problem: Problem, now_ms: int) -> Case:
        """The evidence for a problem, as far as it was known at a time."""
        zone = self._zone_of(problem.service)
        return gather(problem.fingerprint, self._recurrence, self._changes(), now_ms, zone)

    def following(self, effects: Iterable[Effect]) -> list[Effect]:
        """What follows of several effects: to be added behind all of them, as tickets are created before they are
        linked."""
        return [more for effect in effects if isinstance(effect, IncidentChanged) for more in self.follow(effect)]

    def follow(self, changed: IncidentChanged) -> list[Effect]:
        """What follows from what happened to an incident."""
        incident, happening = changed.incident, changed.happening
        if incident.key == STORM_KEY:
            return []  # it gathers what has nothing else in common
        if happening is Happening.OPENED:
            return self._opened(changed)
        one = self._recurrence.note(
            incident.id,
            resolved_ms=incident.resolved_ms,
            flapped=happening is Happening.FLAPPING,
            ticket_number=incident.ticket_number,
        )
        if one is None:
            return []
        if happening is Happening.MERGED and one.problem_id is None:
            self._recurrence.forget(one.id)  # it was part of another trouble
            return []
        if one.problem_id is None:
            is_counted = happening in (Happening.RESOLVED, Happening.FLAPPING)
            return self._count(one, changed.at_ms) if is_counted else []
        return self._lasted(one, changed.at_ms) if happening in (Happening.RESOLVED, Happening.MERGED) else []

    def seen(self, seen: ProblemSeen) -> list[Effect]:
        """What follows from what is seen of a problem's ticket. Nothing of it is ever changed by watchkeeper."""
        before = self._register.get(seen.problem_id)
        if before is None:
            return []
        state = TicketState.CANCELLED if seen.is_gone else seen.state
        after = step(before, Moved(state, seen.number, seen.findings, seen.at_ms))
        if after is before:
            return []
        newest = self._register.newest(before.fingerprint)
        if not after.is_resolved and newest is not None and newest.id != before.id:
            after = replace(after, state=before.state, resolved_ms=before.resolved_ms)  # another one has its place
        self._register.keep(after)
        happening = _what_people_did(before, after)
        phrases = self._writer(after).phrases
        said = {
            ProblemHappening.RESOLVED: phrases.deleted if seen.is_gone else phrases.resolved,
            ProblemHappening.REOPENED: phrases.moved,
            ProblemHappening.KNOWN_ERROR: phrases.known,
            ProblemHappening.NOTED: phrases.noted if after.findings != before.findings else "",
        }
        return [ProblemChanged(after, happening, seen.at_ms, said[happening].format(ticket=seen.number))]

    def refused(self, problem_id: int, detail: str, at_ms: int) -> list[Effect]:
        """What follows when the ticket of a problem that recurred can not be opened again: another one takes its
        place."""
        problem = self._register.get(problem_id)
        if problem is None or problem.is_resolved:
            return []
        found = self._recurrence.of(problem.fingerprint)
        if not found:
            return []
        phrases = self._writer(problem).phrases
        text = phrases.refused.format(number=problem_number(self._next_id), detail=one_line(detail))
        return self._succeed(problem, text, found[-1], at_ms)

    def _opened(self, changed: IncidentChanged) -> list[Effect]:
        incident, at_ms = changed.incident, changed.at_ms
        follows = self._recurrence.before(incident.key, incident.started_ms)
        one = self._recurrence.add(occurrence(incident, changed.text, self._plan.service_of(incident.service).ci))
        if follows is not None:
            return self._take_place(one, follows, at_ms)
        if self._thresholds(one) is None:
            return []
        last = self._register.newest(one.fingerprint)
        if last is None or last.ticket_state is TicketState.CANCELLED:
            return self._count(one, at_ms)  # people may have said that it is none
        if not last.is_resolved:
            return self._recur(last, one, changed.text, at_ms)
        if at_ms - last.ended_ms > self._plan.problems.reopen_within_ms:
            return self._count(one, at_ms)
        if last.ticket_state is TicketState.RESOLVED:
            return self._reopen(last, one, changed.text, at_ms)
        writer = self._writer(one)
        number = problem_number(self._next_id)
        text = writer.about(writer.phrases.succeeded, one, changed.text, number=number)
        return self._succeed(last, text, one, at_ms)

    def _count(self, one: Occurrence, at_ms: int) -> list[Effect]:
        """Opens a problem where enough incidents belong to none."""
        thresholds, last = self._thresholds(one), self._register.newest(one.fingerprint)
        if thresholds is None or not (last is None or last.is_resolved):
            return []
        why = self._recurrence.due(one.fingerprint, thresholds, at_ms)
        if why is None:
            return []
        counted = self._recurrence.unexplained(one.fingerprint, thresholds.within_ms, at_ms)
        text = self._writer(one).why(why, counted, thresholds, at_ms)
        found = self._recurrence.unexplained(one.fingerprint, LONGEST_MS, at_ms)
        return self._open(one, found, text, last, at_ms)

    def _open(
        self, one: Occurrence, found: Sequence[Occurrence], why: str, before: Problem | None, at_ms: int
    ) -> list[Effect]:
        """Opens a problem for the incidents that were found, of which one is the reason."""
        service = self._plan.service_of(one.service)
        writer = self._writer(one)
        problem = Problem(
            id=self._next_id,
            fingerprint=one.fingerprint,
            title=writer.title(service, one.rule_id, one.failure),
            rule_id=one.rule_id,
            service=one.service,
            ci=service.ci,
            failure=one.failure,
            backend=one.backend,
            opened_ms=at_ms,
            updated_ms=at_ms,
            recurrences=sum(each.is_repeat for each in found),
            downtime_ms=sum(each.lasted_ms for each in found),
            successor_of=None if before is None else before.id,
        )
        self._next_id += 1
        self._register.keep(problem)
        found_so_far = self._recurrence.of(problem.fingerprint)
        case = self.case(problem, at_ms) if self._searches.may_begin(at_ms) else unsearched(found_so_far, at_ms)
        text = writer.description(problem, case, why, service, before, self._plan.url)
        return [
            ProblemChanged(problem, ProblemHappening.OPENED, at_ms, why, tuple(each.id for each in found)),
            tickets.create(problem, text, one, at_ms),
            *self._link(problem, found, at_ms),
        ]

    def _recur(self, problem: Problem, one: Occurrence, message: str, at_ms: int) -> list[Effect]:
        """One more incident of a problem."""
        after = step(problem, Recurred(at_ms, one.is_repeat))
        self._register.keep(after)
        writer = self._writer(problem)
        pattern = writer.phrases.recurred if one.is_repeat else writer.phrases.elsewhere
        text = writer.about(pattern, one, message, count=after.recurrences)
        change = TicketChange(self._with_new_findings(text, after, one))
        return self._tell(after, ProblemHappening.RECURRED, one, change, at_ms)

    def _reopen(self, problem: Problem, one: Occurrence, message: str, at_ms: int) -> list[Effect]:
        """It recurs soon after people have resolved it."""
        after = step(step(problem, Reopened(at_ms)), Recurred(at_ms, one.is_repeat))
        self._register.keep(after)
        writer = self._writer(problem)
        elapsed = writer.words.elapsed(at_ms - problem.ended_ms)
        text = writer.about(writer.phrases.reopened, one, message, elapsed=elapsed)
        change = TicketChange(self._with_new_findings(text, after, one), TicketState.OPEN)
        return self._tell(after, ProblemHappening.REOPENED, one, change, at_ms)

    def _succeed(self, problem: Problem, text: str, one: Occurrence, at_ms: int) -> list[Effect]:
        """Opens another problem in the place of one whose ticket stays closed."""
        resolved_ms = at_ms if problem.resolved_ms is None else problem.resolved_ms
        ended = replace(problem, state=ProblemState.RESOLVED, resolved_ms=resolved_ms, updated_ms=at_ms)
        self._register.keep(ended)
        found = [one] if one.problem_id is None else []
        opened = self._open(one, found, text, ended, at_ms)
        return [ProblemChanged(ended, ProblemHappening.SUCCEEDED, at_ms, text), *opened]

    def _take_place(self, one: Occurrence, follows: Occurrence, at_ms: int) -> list[Effect]:
        """An incident that goes on as another one belongs to the same problem."""
        problem = self._register.get(follows.problem_id)
        if problem is None:
            return []
        after = step(problem, Recurred(at_ms, is_repeat=False))
        self._register.keep(after)
        pattern = self._writer(problem).phrases.takes_place
        change = TicketChange(pattern.format(incident=one.number, before=follows.number))
        return self._tell(after, ProblemHappening.RECURRED, one, change, at_ms)

    def _lasted(self, one: Occurrence, at_ms: int) -> list[Effect]:
        problem = self._register.get(one.problem_id)
        if problem is None:
            return []
        after = step(problem, Lasted(at_ms, one.lasted_ms))
        self._register.keep(after)
        return [ProblemChanged(after, ProblemHappening.LASTED, at_ms, "")]

    def _tell(
        self, problem: Problem, happening: ProblemHappening, one: Occurrence, change: TicketChange, at_ms: int
    ) -> list[Effect]:
        """What an incident makes of a problem, told to the tickets of both."""
        return [
            ProblemChanged(problem, happening, at_ms, change.note.partition("\n")[0], (one.id,)),
            tickets.change(problem, change, at_ms),
            *self._link(problem, [one], at_ms),
        ]

    def _link(self, problem: Problem, found: Sequence[Occurrence], at_ms: int) -> list[Command]:
        for one in found:
            self._recurrence.note(one.id, problem_id=problem.id)
        phrases = self._writer(problem).phrases
        note = phrases.linked.format(problem=problem.number, title=problem.title)
        return tickets.link(problem, found, note, at_ms)

    def _with_new_findings(self, text: str, problem: Problem, one: Occurrence) -> str:
        """A note, and what is striking since this time that was not when the ticket was told last."""
        if not one.is_repeat or not self._searches.may_begin(one.opened_ms):
            return text
        case = self.case(problem, one.opened_ms)
        if not case.findings:
            return text
        times = [each.opened_ms for each in case.occurrences if each.is_repeat and each.id != one.id]
        told_ms = min(max([*times, problem.opened_ms]), one.opened_ms - 1)
        found = new_findings(case, self.case(problem, told_ms))
        if not found:
            return text
        writer = self._writer(problem)
        return "\n".join([text, writer.phrases.new_findings, *writer.listed(found), writer.phrases.caution])

    def _thresholds(self, one: Occurrence) -> Thresholds | None:
        return self._plan.problems.thresholds_of(one.rule_id, one.service)

    def _writer(self, of: Problem | Occurrence) -> Writer:
        language = self._plan.policy_of(of.backend).language
        return Writer(self._plan.words_of(of.backend), problem_phrases_in(language), self._zone_of(of.service))


def _what_people_did(before: Problem, after: Problem) -> ProblemHappening:
    if after.state is before.state:
        return ProblemHappening.NOTED
    if after.is_resolved:
        return ProblemHappening.RESOLVED
    if before.is_resolved:
        return ProblemHappening.REOPENED
    return ProblemHappening.KNOWN_ERROR if after.state is ProblemState.KNOWN_ERROR else ProblemHappening.NOTED
