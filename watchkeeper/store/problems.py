"""Problems as they are stored: written with what decided them, remembered at the start, and shown to people."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from sqlalchemy import Connection, Select, and_, exists, func, insert, or_, select

from watchkeeper.domain.effect import Happening, ProblemChanged
from watchkeeper.domain.evidence import MOST_CHANGES, PastChange
from watchkeeper.domain.fingerprint import fingerprint
from watchkeeper.domain.incident import IncidentState
from watchkeeper.domain.problem import Problem, ProblemState
from watchkeeper.domain.problem_case import Case, gather, past_change
from watchkeeper.domain.problem_register import MOST_KNOWN
from watchkeeper.domain.recurrence import LONGEST_MS, MOST_INCIDENTS, Occurrence, Recurrence
from watchkeeper.domain.rule import Level, Severity
from watchkeeper.domain.storm import STORM_KEY
from watchkeeper.domain.ticket import ProblemFindings, TicketState
from watchkeeper.store import tables
from watchkeeper.store.changes import list_changes
from watchkeeper.store.database import Database, upsert

_problems, _links = tables.problems, tables.problem_incidents
_incidents, _events, _tickets = tables.incidents, tables.incident_events, tables.tickets
_CHANGING: Final = (
    "state",
    "updated_ms",
    "resolved_ms",
    "recurrences",
    "downtime_ms",
    "workaround",
    "root_cause",
    "known_error",
    "resolution",
    "is_known_error",
    "seen_state",
    "seen_number",
)


def write(connection: Connection, effects: Sequence[ProblemChanged]) -> set[int]:
    """Writes problems as they are now, and which incidents belong to them, in the transaction of what decided it.

    Returns:
        The incidents that are kept no longer: they are not linked.
    """
    if not effects:
        return set()
    # In the order of their first effects: one that ends is written before the next one of its fingerprint.
    last = {effect.problem.id: effect.problem for effect in effects}
    before = {problem.successor_of for problem in last.values() if problem.successor_of is not None}
    there = set(connection.execute(select(_problems.c.id).where(_problems.c.id.in_(before))).scalars()) | last.keys()
    rows = [_row(problem, there) for problem in last.values()]
    connection.execute(upsert(connection, _problems, _CHANGING), rows)
    linked = [(effect.problem.id, one, effect.at_ms) for effect in effects for one in effect.linked]
    named = {incident_id for _, incident_id, _ in linked}
    kept = set(connection.execute(select(_incidents.c.id).where(_incidents.c.id.in_(named))).scalars())
    links = [
        {"problem_id": problem_id, "incident_id": incident_id, "at_ms": at_ms}
        for problem_id, incident_id, at_ms in linked
        if incident_id in kept
    ]
    if links:
        connection.execute(insert(_links), links)
    return named - kept


def _row(problem: Problem, there: Container[int]) -> dict[str, Any]:
    """`there`: the ids of problems that are kept still."""
    return {
        "id": problem.id,
        "fingerprint": problem.fingerprint,
        "title": problem.title,
        "rule_id": problem.rule_id,
        "service": problem.service,
        "ci": problem.ci,
        "failure": problem.failure,
        "backend": problem.backend,
        "state": problem.state.value,
        "opened_ms": problem.opened_ms,
        "updated_ms": problem.updated_ms,
        "resolved_ms": problem.resolved_ms,
        "recurrences": problem.recurrences,
        "downtime_ms": problem.downtime_ms,
        "workaround": problem.findings.workaround,
        "root_cause": problem.findings.root_cause,
        "known_error": problem.findings.known_error,
        "resolution": problem.findings.resolution,
        "is_known_error": problem.findings.is_known_error,
        "successor_of": problem.successor_of if problem.successor_of in there else None,
        "seen_state": None if problem.ticket_state is None else problem.ticket_state.value,
        "seen_number": problem.ticket_number,
    }


@dataclass(frozen=True, slots=True)
class ProblemMemory:
    """What `Problems` begins with: problems and incidents, the oldest first."""

    problems: tuple[Problem, ...]
    past: tuple[Occurrence, ...]
    next_id: int


def remember_problems(database: Database, now_ms: int, ci_of: Callable[[str], str]) -> ProblemMemory:
    """The problems that are not resolved and the newest others, and the incidents of the last ninety days.

    Args:
        ci_of: the configuration item of a service, by its id.

    Raises:
        StoreError: the database does not answer.
    """
    with database.read() as connection:
        is_open = _problems.c.state != ProblemState.RESOLVED.value
        newest = select(_problems.c.id).order_by(_problems.c.id.desc()).limit(MOST_KNOWN)
        query = select(_problems).where(or_(is_open, _problems.c.id.in_(newest))).order_by(_problems.c.id)
        problems = tuple(_problem(row) for row in connection.execute(query))
        last = connection.execute(select(func.max(_problems.c.id))).scalar()
        return ProblemMemory(problems, tuple(_past(connection, now_ms, ci_of)), (last or 0) + 1)


def _past(connection: Connection, now_ms: int, ci_of: Callable[[str], str]) -> Iterable[Occurrence]:
    """Incidents that can be counted. One that was part of another is none, nor is what gathers a storm."""
    text = (
        select(_events.c.text)
        .where(_events.c.incident_id == _incidents.c.id, _events.c.happening == Happening.OPENED.value)
        .order_by(_events.c.id)
        .limit(1)
        .scalar_subquery()
    )
    flapped = exists().where(
        _events.c.incident_id == _incidents.c.id, _events.c.happening == Happening.FLAPPING.value
    )
    is_recent = or_(_incidents.c.resolved_ms > now_ms - LONGEST_MS, _incidents.c.state == IncidentState.OPEN.value)
    query = (
        select(
            _incidents,
            text.label("text"),
            flapped.label("flapped"),
            func.coalesce(_tickets.c.number, _incidents.c.seen_number).label("ticket_number"),
            _problems.c.id.label("problem_id"),
            _problems.c.fingerprint,
            _problems.c.failure,
        )
        .outerjoin_from(_incidents, _tickets, _tickets.c.incident_id == _incidents.c.id)
        .outerjoin(_links, _links.c.incident_id == _incidents.c.id)
        .outerjoin(_problems, _problems.c.id == _links.c.problem_id)
        .where(and_(is_recent, _incidents.c.merged_into.is_(None), _incidents.c.key != STORM_KEY))
        .order_by(_incidents.c.id.desc())
        .limit(MOST_INCIDENTS)
    )
    for row in reversed(connection.execute(query).all()):
        yield _occurrence(row, ci_of)


def _occurrence(row: Any, ci_of: Callable[[str], str]) -> Occurrence:
    """What belongs to a problem keeps its fingerprint, whatever the configuration says by now."""
    found = fingerprint(row.rule_id, row.service, ci_of(row.service), row.text or "")
    return Occurrence(
        id=row.id,
        key=row.key,
        backend=row.backend,
        fingerprint=row.fingerprint or found.key,
        rule_id=row.rule_id,
        service=row.service,
        failure=row.failure or found.failure,
        severity=Severity(row.severity),
        impact=Level(row.impact),
        urgency=Level(row.urgency),
        started_ms=row.started_ms,
        opened_ms=row.opened_ms,
        resolved_ms=row.resolved_ms,
        flapped=bool(row.flapped),
        problem_id=row.problem_id,
        ticket_number=row.ticket_number or "",
    )


def _problem(row: Any) -> Problem:
    return Problem(
        id=row.id,
        fingerprint=row.fingerprint,
        title=row.title,
        rule_id=row.rule_id,
        service=row.service,
        ci=row.ci,
        failure=row.failure,
        backend=row.backend,
        opened_ms=row.opened_ms,
        updated_ms=row.updated_ms,
        state=ProblemState(row.state),
        resolved_ms=row.resolved_ms,
        recurrences=row.recurrences,
        downtime_ms=row.downtime_ms,
        successor_of=row.successor_of,
        ticket_state=None if row.seen_state is None else TicketState(row.seen_state),
        ticket_number=row.seen_number,
        findings=ProblemFindings(
            workaround=row.workaround,
            root_cause=row.root_cause,
            known_error=row.known_error,
            resolution=row.resolution,
            is_known_error=row.is_known_error,
        ),
    )


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A problem, and its ticket as its backend last told; `None` as long as that has not made it.

    `rejection`: why the backend refuses a command of its ticket, if it does."""

    problem: Problem
    ticket_number: str | None
    ticket_url: str | None
    rejection: str | None


def list_problems(
    database: Database, *, state: ProblemState | None = None, service: str | None = None, limit: int = 50
) -> list[ProblemRow]:
    """The newest problems first; `None` filters nothing.

    Raises:
        StoreError: the database does not answer.
    """
    query = _listed().order_by(_problems.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(_problems.c.state == state.value)
    if service is not None:
        query = query.where(_problems.c.service == service)
    with database.read() as connection:
        return [_problem_row(row) for row in connection.execute(query)]


def show_problem(database: Database, problem_id: int) -> ProblemRow | None:
    """One problem; `None` when there is none of this id.

    Raises:
        StoreError: the database does not answer.
    """
    with database.read() as connection:
        row = connection.execute(_listed().where(_problems.c.id == problem_id)).first()
        return None if row is None else _problem_row(row)


def case_of(database: Database, problem: Problem, now_ms: int) -> Case:
    """The evidence for a problem, as far as it is stored: times of day and weekdays in UTC.

    Raises:
        StoreError: the database does not answer.
    """
    with database.read() as connection:
        past = Recurrence(_past(connection, now_ms, lambda service: problem.ci if service == problem.service else ""))
    return gather(problem.fingerprint, past, past_changes(database, now_ms), now_ms, UTC)


def past_changes(database: Database, now_ms: int) -> list[PastChange]:
    """The changes of the days in which it is looked for evidence.

    Raises:
        StoreError: the database does not answer.
    """
    told = list_changes(database, from_ms=now_ms - LONGEST_MS, to_ms=now_ms, limit=MOST_CHANGES)
    return [past_change(one.window) for one in told]


def _listed() -> Select[Any]:
    outbox = tables.outbox
    rejection = (
        select(outbox.c.last_error)
        .where(outbox.c.problem_id == _problems.c.id, outbox.c.state == "rejected")
        .order_by(outbox.c.id)
        .limit(1)
        .scalar_subquery()
    )
    return select(_problems, _tickets.c.number, _tickets.c.url, rejection.label("rejection")).outerjoin_from(
        _problems, _tickets, _tickets.c.problem_id == _problems.c.id
    )


def _problem_row(row: Any) -> ProblemRow:
    return ProblemRow(_problem(row), row.number, row.url, row.rejection)
