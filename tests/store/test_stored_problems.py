"""Problems are written with what decided them, and remembered as they were."""

from collections.abc import Sequence

from sqlalchemy import delete, select, update

from tests.domain.repeats import BEGIN, DAY, HOUR, MINUTE, Desk
from watchkeeper.domain.effect import Effect, Happening, IncidentChanged, ProblemChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.problem import Problem, ProblemState
from watchkeeper.domain.problems import Problems
from watchkeeper.domain.ticket import Command, CommandKind, ProblemFindings, TicketState
from watchkeeper.store import tables
from watchkeeper.store.database import Database
from watchkeeper.store.effect_json import from_json, to_json
from watchkeeper.store.problems import case_of, list_problems, remember_problems, show_problem
from watchkeeper.store.record import record

NOW = BEGIN + 20 * DAY


class Stored(Desk):
    """A desk of which everything is written."""

    def __init__(self, database: Database) -> None:
        self.database = database
        super().__init__()

    def restart(self) -> None:
        found = remember_problems(self.database, NOW, lambda service: self.plan.service_of(service).ci)
        self.problems = Problems(self.plan, found.problems, found.past, found.next_id)

    def _follow(self, incident: Incident, happening: Happening, at_ms: int, text: str) -> None:
        changed = IncidentChanged(incident, happening, at_ms, incident.affected[0], text)
        more = self.problems.following([changed])
        record(self.database, [changed, *more])
        self._keep(more)

    def write(self, effects: Sequence[Effect]) -> None:
        record(self.database, effects)


def three_times(database: Database) -> tuple[Stored, Problem]:
    desk = Stored(database)
    for day in range(3):
        desk.happens(BEGIN + day * DAY)
    return desk, desk.only()


def test_a_problem_is_remembered_as_it_was(database: Database) -> None:
    desk, problem = three_times(database)
    found = remember_problems(database, NOW, lambda _: "")
    assert found.problems == (problem,)
    assert found.next_id == 2
    assert [(one.id, one.problem_id, one.fingerprint) for one in found.past] == [
        (number, 1, problem.fingerprint) for number in (1, 2, 3)
    ]
    said = ProblemFindings("restart it", "a leak", "KE 7", "patched", is_known_error=True)
    desk.write(desk.people(problem, TicketState.IN_PROGRESS, NOW, said))
    assert remember_problems(database, NOW, lambda _: "").problems == (desk.only(),)
    assert desk.only().state is ProblemState.KNOWN_ERROR


def test_after_a_restart_it_goes_on_where_it_was(database: Database) -> None:
    desk = Stored(database)
    desk.happens(BEGIN)
    desk.restart()
    flapping = desk.opens(BEGIN + DAY)
    desk.flaps(flapping, BEGIN + DAY + HOUR)
    desk.restart()
    assert [one.flapped for one in remember_problems(database, NOW, lambda _: "").past] == [False, True]
    going_on = desk.succeeds(flapping, BEGIN + DAY + 2 * HOUR)
    desk.restart()
    desk.resolves(going_on, BEGIN + DAY + 3 * HOUR)
    assert desk.stored == {}
    desk.happens(BEGIN + 2 * DAY, key="down/probe=b")
    assert desk.only().recurrences == 3
    desk.restart()
    desk.happens(BEGIN + 3 * DAY)
    assert desk.only().recurrences == 4
    with database.read() as connection:
        linked = connection.execute(select(tables.problem_incidents.c.incident_id)).scalars().all()
    assert sorted(linked) == [1, 2, 3, 4, 5]


def test_the_ticket_of_a_problem_waits_in_the_outbox_before_what_links_to_it(database: Database) -> None:
    three_times(database)
    outbox = tables.outbox.c
    with database.read() as connection:
        rows = connection.execute(
            select(outbox.kind, outbox.problem_id, outbox.incident_id).order_by(outbox.id)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("create", 1, None),
        ("update", None, 1),
        ("update", None, 2),
        ("update", None, 3),
    ]


def test_a_successor_is_written_after_the_one_it_follows(database: Database) -> None:
    desk, problem = three_times(database)
    desk.write(desk.people(problem, TicketState.CLOSED, BEGIN + 4 * DAY))
    desk.happens(BEGIN + 5 * DAY)
    assert [(one.problem.id, one.problem.state) for one in list_problems(database)] == [
        (2, ProblemState.OPEN),
        (1, ProblemState.RESOLVED),
    ]
    assert [one.problem.id for one in list_problems(database, state=ProblemState.RESOLVED)] == [1]
    assert list_problems(database, service="mail") == []
    found = show_problem(database, 2)
    assert found is not None
    assert found.problem.successor_of == 1
    assert show_problem(database, 3) is None


def test_an_incident_that_was_part_of_another_or_is_forgotten_does_not_count(database: Database) -> None:
    desk = Stored(database)
    for day in range(2):
        desk.happens(BEGIN + day * DAY)
    with database.write() as connection:
        connection.execute(update(tables.incidents).where(tables.incidents.c.id == 1).values(merged_into=2))
    assert [one.id for one in remember_problems(database, NOW, lambda _: "").past] == [2]
    assert remember_problems(database, NOW + 100 * DAY, lambda _: "").past == ()


def test_links_to_incidents_that_are_kept_no_longer_hold_nothing_up(database: Database) -> None:
    desk = Stored(database)
    desk.happens(BEGIN)
    desk.happens(BEGIN + DAY)
    with database.write() as connection:
        connection.execute(delete(tables.incidents).where(tables.incidents.c.id == 1))
    desk.happens(BEGIN + 2 * DAY)
    with database.read() as connection:
        assert sorted(connection.execute(select(tables.problem_incidents.c.incident_id)).scalars()) == [2, 3]


def test_a_problem_that_is_kept_no_longer_holds_nothing_up(database: Database) -> None:
    desk, problem = three_times(database)
    desk.write(desk.people(problem, TicketState.CLOSED, BEGIN + 4 * DAY))
    with database.write() as connection:
        connection.execute(delete(tables.problems))
    desk.happens(BEGIN + 60 * DAY)
    desk.happens(BEGIN + 61 * DAY)
    desk.happens(BEGIN + 62 * DAY)
    [row] = list_problems(database)
    assert (row.problem.id, row.problem.successor_of) == (2, None)


def test_the_evidence_can_be_looked_at(database: Database) -> None:
    desk, problem = three_times(database)
    desk.happens(BEGIN + 3 * DAY + 5 * MINUTE)
    case = case_of(database, desk.only(), NOW)
    assert case.repeats == 4
    assert {one.kind.value for one in case.findings} == {"hour", "interval"}
    assert [one.problem_id for one in case.occurrences] == [problem.id] * 4


def test_what_is_refused_shows(database: Database) -> None:
    _, problem = three_times(database)
    with database.write() as connection:
        chosen = tables.outbox.c.kind == CommandKind.CREATE.value
        connection.execute(update(tables.outbox).where(chosen).values(state="rejected", last_error="no such queue"))
    [row] = list_problems(database)
    assert (row.problem, row.ticket_number, row.rejection) == (problem, None, "no such queue")


def test_effects_of_problems_can_wait_in_the_journal() -> None:
    desk = Desk()
    for day in range(4):
        desk.happens(BEGIN + day * DAY)
    assert any(isinstance(one, ProblemChanged) for one in desk.effects)
    assert any(isinstance(one, Command) and one.problem_id for one in desk.effects)
    assert [from_json(to_json(one)) for one in desk.effects] == desk.effects
