"""Approved changes of a ServiceNow instance, by its own definition of a change window."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.itsm import servicenow_backend
from tests.itsm.servicenow_changes import HOUR, WEEK, plan
from tests.simulators import faults as f
from tests.simulators import servicenow
from tests.simulators.http import Fault, Response
from tests.simulators.servicenow import INTEGRATION, Instance
from tests.simulators.servicenow_times import raw_time
from watchkeeper.domain.announced import Announced
from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.maintenance import Span
from watchkeeper.itsm._servicenow_changes import PAGE
from watchkeeper.itsm.base import Outcome, PlansChanges, Rejected

SAYS_401 = f.says(
    "says 401", Response(401, f.JSON, b'{"error": {"message": "User Not Authenticated"}}'), commits=False
)


@pytest.fixture
def instance() -> Iterator[Instance]:
    with servicenow.running() as running:
        yield running


@pytest.fixture
def backend(instance: Instance, tmp_path: Path) -> Iterator[PlansChanges]:
    with servicenow_backend.made(instance, tmp_path) as made:
        assert isinstance(made, PlansChanges)
        yield made


def read(instance: Instance, backend: PlansChanges) -> list[Announced]:
    now = instance.clock()
    return [one for page in backend.planned_changes(now - WEEK, now + WEEK) for one in page]


def titles(instance: Instance, backend: PlansChanges) -> list[str]:
    return sorted(one.title for one in read(instance, backend))


def test_an_approved_change_is_read_with_its_window_and_all_that_it_is_about(
    instance: Instance, backend: PlansChanges
) -> None:
    now = instance.clock()
    row = plan(instance, "Patch the shop", more=["db01"], services=["Web shop"])

    shop = instance.id_of("cmdb_ci_service", "Web shop")
    ids = {instance.id_of("cmdb_ci", name) for name in ("web01", "db01")}
    assert read(instance, backend) == [
        Announced(
            ref=row["sys_id"],
            number=row["number"],
            title="Patch the shop",
            spans=(Span(now + HOUR, now + 2 * HOUR),),
            state=ChangeState.APPROVED,
            cis=frozenset({*ids, "web01", "db01", shop, "Web shop"}),
            services=frozenset({shop, "Web shop"}),
        )
    ]


def test_only_states_approval_and_hold_of_the_definition_count(instance: Instance, backend: PlansChanges) -> None:
    for state in ("-5", "-4", "-3", "-2", "-1", "1", "2", "0", "3", "4"):
        plan(instance, f"state {state}", hours=(-2, 2), state=state)
    plan(instance, "requested", approval="requested")
    plan(instance, "not requested", approval="not requested")
    plan(instance, "on hold", on_hold="true")

    found = {one.title: one.state for one in read(instance, backend)}

    approved, under_way = ChangeState.APPROVED, ChangeState.UNDER_WAY
    done = {title: state for title, state in found.items() if state is ChangeState.DONE}
    assert {**found, **done} == {
        "state -2": approved,
        "state 1": approved,
        "state -1": under_way,
        "state 2": under_way,
        "state 0": ChangeState.DONE,
        "state 3": ChangeState.DONE,
    }
    now = instance.clock()
    assert all(span.to_ms <= now for one in read(instance, backend) if one.title in done for span in one.spans)


def test_the_times_of_work_are_a_window_as_well(instance: Instance, backend: PlansChanges) -> None:
    now = instance.clock()
    plan(instance, "late", hours=(-40, -30), worked=(-3, 2), state="-1")
    plan(instance, "at once", hours=None, worked=(-1, 1), state="-1")

    spans = {one.title: one.spans for one in read(instance, backend)}

    assert spans == {
        "late": (Span(now - 40 * HOUR, now - 30 * HOUR), Span(now - 3 * HOUR, now + 2 * HOUR)),
        "at once": (Span(now - HOUR, now + HOUR),),
    }


def test_a_change_whose_work_has_no_end_yet_counts_as_planned(instance: Instance, backend: PlansChanges) -> None:
    now = instance.clock()
    row = plan(instance, hours=(-1, 1), state="-1")
    instance.person().change(row["sys_id"], work_start=row["start_date"])

    assert [one.spans for one in read(instance, backend)] == [(Span(now - HOUR, now + HOUR),)]


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("successful", ChangeOutcome.SUCCESSFUL),
        ("successful_issues", ChangeOutcome.WITH_ISSUES),
        ("unsuccessful", ChangeOutcome.FAILED),
        ("", ChangeOutcome.UNKNOWN),
        ("their own", ChangeOutcome.UNKNOWN),
    ],
)
def test_a_closed_change_tells_what_came_of_it(
    instance: Instance, backend: PlansChanges, code: str, outcome: ChangeOutcome
) -> None:
    plan(instance, hours=(-3, -2), state="3", close_code=code)

    assert [(one.state, one.outcome) for one in read(instance, backend)] == [(ChangeState.DONE, outcome)]


def test_a_change_that_is_put_on_hold_cancelled_or_moved_is_seen_so(
    instance: Instance, backend: PlansChanges
) -> None:
    row = plan(instance, hours=(-1, 1))
    person = instance.person()
    person.change(row["sys_id"], on_hold="true")
    assert read(instance, backend) == []

    person.change(row["sys_id"], on_hold="false", end_date=row["start_date"].replace("20", "21", 1))
    [one] = read(instance, backend)
    assert one.spans[0].to_ms - one.spans[0].from_ms > 50 * WEEK  # whoever makes windows leaves it out

    person.change(row["sys_id"], end_date=row["end_date"], state="4")
    assert read(instance, backend) == []


def test_a_change_that_is_done_early_is_over_then_whatever_is_written_later(
    instance: Instance, backend: PlansChanges
) -> None:
    began = instance.clock()
    row = plan(instance, hours=(0, 4), state="-1")
    instance.clock.advance(1800)
    instance.person().change(row["sys_id"], state="0")
    assert [one.spans for one in read(instance, backend)] == [(Span(began, began + HOUR // 2),)]

    instance.clock.advance(600)
    instance.person().change(row["sys_id"], state="3", close_code="successful", work_notes="reviewed")
    [one] = read(instance, backend)
    assert all(span.to_ms <= instance.clock() for span in one.spans)


def test_a_change_that_was_done_before_it_was_to_begin_holds_nothing_back(
    instance: Instance, backend: PlansChanges
) -> None:
    plan(instance, hours=(5, 6), state="3", close_code="successful")

    assert [one.spans for one in read(instance, backend)] == [()]


def test_changes_of_other_weeks_are_not_read(instance: Instance, backend: PlansChanges) -> None:
    plan(instance, "old", hours=(-400, -200))
    plan(instance, "far", hours=(200, 400))
    plan(instance, "now", hours=(-1, 1))

    assert titles(instance, backend) == ["now"]


def test_what_came_of_a_change_is_read_when_it_is_closed_however_long_that_takes(
    instance: Instance, backend: PlansChanges
) -> None:
    row = plan(instance, hours=(-400, -399), state="0")
    assert read(instance, backend) == []

    closed_at = raw_time(instance.clock() - HOUR)
    instance.person().change(row["sys_id"], state="3", close_code="unsuccessful", closed_at=closed_at)

    now = instance.clock()
    [one] = read(instance, backend)
    assert (one.outcome, one.spans) == (ChangeOutcome.FAILED, (Span(now - 400 * HOUR, now - 399 * HOUR),))


def test_a_condition_that_the_instance_drops_lets_nothing_in(instance: Instance, backend: PlansChanges) -> None:
    plan(instance, "on hold", on_hold="true")
    plan(instance, "new", state="-5")
    plan(instance, "refused", approval="rejected")
    plan(instance, "old", hours=(-400, -200))
    plan(instance, "right")
    instance.properties.ignores.update({"state", "approval", "on_hold", "start_date", "end_date"})

    assert titles(instance, backend) == ["right"]


def test_rows_of_other_tasks_say_nothing_of_a_change(instance: Instance, backend: PlansChanges) -> None:
    plan(instance, "mine", ci="")
    plan(instance, "other", ci="", approval="requested", more=["db01"])
    instance.properties.ignores.add("task")

    assert [(one.title, one.cis) for one in read(instance, backend)] == [("mine", frozenset())]


@pytest.mark.parametrize("name", ["state", "approval", "on_hold", "start_date", "work_end"])
def test_a_field_that_may_not_be_read_is_told_and_nothing_is_believed(
    instance: Instance, backend: PlansChanges, name: str
) -> None:
    plan(instance)
    instance.acl.unreadable.add(("change_request", name))

    with pytest.raises(Rejected, match=f"change_request.{name} does not exist, or watchkeeper may not read it"):
        read(instance, backend)


def test_the_time_zone_and_format_of_whoever_asks_do_not_matter(instance: Instance, backend: PlansChanges) -> None:
    now = instance.clock()
    user = instance.auth.users[INTEGRATION[0]]
    user.time_zone, user.date_format = "Asia/Shanghai", "%d.%m.%Y %H:%M:%S"
    plan(instance, hours=(1, 2))

    assert [one.spans for one in read(instance, backend)] == [(Span(now + HOUR, now + 2 * HOUR),)]


def test_a_table_of_affected_things_that_may_not_be_read_is_told_and_the_rest_is_believed(
    instance: Instance, backend: PlansChanges
) -> None:
    plan(instance, ci="web01", more=["db01"])
    instance.acl.closed.add("task_ci")

    with capture_logs() as logs:
        [one] = read(instance, backend)
        read(instance, backend)

    assert "web01" in one.cis
    assert "db01" not in one.cis
    [told] = [each for each in logs if each["event"] == "changes_incomplete"]
    assert told["text"].startswith("task_ci can not be read, which says what changes are about: ")


def test_a_login_that_ends_meanwhile_fails_the_whole_reading(instance: Instance, backend: PlansChanges) -> None:
    plan(instance, more=["db01"])
    instance.faults.always(SAYS_401, when=lambda _: bool(instance.requests("GET", "/api/now/table/task_ci")))

    with pytest.raises(Outcome):
        read(instance, backend)


def test_many_changes_are_read_page_by_page_each_once(instance: Instance, backend: PlansChanges) -> None:
    for number in range(2 * PAGE + 5):
        plan(instance, f"change {number}", more=["db01"])

    found = read(instance, backend)

    assert len(found) == len({one.ref for one in found}) == 2 * PAGE + 5
    assert all("db01" in one.cis for one in found)
    assert len(instance.requests("GET")) == 3 * 3 + 2


def test_nothing_is_asked_for_before_it_is_wanted(instance: Instance, backend: PlansChanges) -> None:
    plan(instance)
    pages = backend.planned_changes(0, instance.clock() + WEEK)
    assert instance.requests() == []
    next(pages)
    assert len(instance.requests()) == 1


@pytest.mark.parametrize("fault", [f.SAYS_503, f.RESETS, f.THROTTLES])
def test_an_instance_that_fails_tells_no_changes(instance: Instance, backend: PlansChanges, fault: Fault) -> None:
    plan(instance)
    instance.faults.always(fault)

    with pytest.raises(Outcome):
        read(instance, backend)


def test_changes_that_are_hidden_are_told(instance: Instance, backend: PlansChanges) -> None:
    hidden, _ = plan(instance, "hidden"), plan(instance, "shown")
    instance.acl.hidden.add(hidden["sys_id"])

    with capture_logs() as logs:
        assert titles(instance, backend) == ["shown"]

    [told] = [each for each in logs if each["event"] == "changes_incomplete"]
    assert told["text"].startswith("some approved changes are not shown to watchkeeper")


def test_the_self_test_says_what_may_not_be_read(instance: Instance, backend: PlansChanges) -> None:
    plan(instance, more=["db01"], services=["Web shop"])
    assert backend.check_changes() == []

    instance.acl.unreadable |= {("change_request", "on_hold"), ("task_ci", "ci_item")}
    instance.acl.closed.add("task_cmdb_ci_service")
    texts = [finding.message for finding in backend.check_changes()]
    assert texts[:2] == [
        "change_request.on_hold, by which changes are read, does not exist, or watchkeeper may not read it",
        "task_ci.ci_item, by which changes are read, does not exist, or watchkeeper may not read it",
    ]
    assert texts[2].startswith("task_cmdb_ci_service, by which changes are read, can not be read: ")

    instance.auth.users[INTEGRATION[0]].roles.clear()
    [first, *_] = [finding.message for finding in backend.check_changes()]
    assert (
        first == "no change_request is shown to watchkeeper, by which changes are read: its user needs the role itil"
    )

    instance.faults.always(f.SAYS_503)
    [only] = [finding.message for finding in backend.check_changes()]
    assert only.startswith("changes can not be read: ")


hours = st.floats(-300, 300).map(lambda hour: round(hour, 1))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(
            st.sampled_from(("-5", "-4", "-3", "-2", "-1", "0", "1", "2", "3", "4")),
            st.sampled_from(("approved", "requested")),
            st.sampled_from(("true", "false")),
            st.none() | st.tuples(hours, hours),
            st.none() | st.tuples(hours, hours),
        ),
        max_size=4,
    )
)
def test_at_any_time_those_changes_hold_back_that_the_definition_names(
    instance: Instance,
    backend: PlansChanges,
    changes: list[tuple[str, str, str, tuple[float, float] | None, tuple[float, float] | None]],
) -> None:
    with instance.lock:
        for row in list(instance.store.rows("change_request")):
            instance.store.remove("change_request", row["sys_id"])
    for number, (state, approval, hold, planned, worked) in enumerate(changes):
        plan(instance, f"{number}", state=state, approval=approval, on_hold=hold, hours=planned, worked=worked)
    now = instance.clock()

    found = read(instance, backend)

    for at in (-24.05, 0.05, 24.05, 160.05):

        def covers(span: tuple[float, float] | None, at: float = at) -> bool:
            return span is not None and span[0] < at < span[1]

        expected = {
            f"{number}"
            for number, (state, approval, hold, planned, worked) in enumerate(changes)
            if state in ("-2", "-1", "1", "2") and approval == "approved" and hold == "false"
            and (covers(planned) or covers(worked))
        }  # fmt: skip
        at_ms = now + round(at * HOUR)
        holding = {
            one.title for one in found if at >= 0 or one.state is not ChangeState.DONE
            for span in one.spans if span.from_ms <= at_ms < span.to_ms
        }  # fmt: skip
        assert holding == expected
