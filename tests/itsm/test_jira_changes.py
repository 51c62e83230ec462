"""Changes of a Jira: which count, when they are, and what they are about."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.itsm import jira_backend
from tests.simulators import faults as f
from tests.simulators import jira as simulator
from tests.simulators.http import Fault
from tests.simulators.jira import Jira
from tests.simulators.jira_changes import END, SERVICES, START, furnish, plan
from tests.simulators.jira_model import Field, Kind
from watchkeeper.domain.announced import Announced
from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.maintenance import Span
from watchkeeper.itsm.base import Denied, Outcome, PlansChanges, Rejected

HOUR = 3_600_000
WEEK = 7 * 24 * HOUR


@pytest.fixture(params=["cloud", "server"])
def jira(request: pytest.FixtureRequest) -> Iterator[Jira]:
    with simulator.running(request.param) as running:
        furnish(running)
        yield running


class Reader:
    """A backend that reads the changes of a Jira."""

    def __init__(self, jira: Jira, folder: Path, stack: ExitStack) -> None:
        self.jira, self.folder, self._stack = jira, folder, stack
        self.backend = self.made()

    def made(self, **given: Any) -> PlansChanges:
        options = {"project": "CHG", **given}
        made = self._stack.enter_context(jira_backend.made(self.jira, self.folder, changes=options))
        assert isinstance(made, PlansChanges)
        self.backend = made
        return made

    def read(self) -> list[Announced]:
        now = self.jira.clock()
        return [one for page in self.backend.planned_changes(now - WEEK, now + WEEK) for one in page]

    def states(self) -> dict[str, tuple[str, str]]:
        return {one.title: (one.state.value, one.outcome.value) for one in self.read()}

    def findings(self) -> list[str]:
        return [finding.message for finding in self.backend.check_changes()]


@pytest.fixture
def reader(jira: Jira, tmp_path: Path) -> Iterator[Reader]:
    with ExitStack() as stack:
        yield Reader(jira, tmp_path, stack)


def test_an_approved_change_is_read_with_its_window_and_what_it_is_about(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    things = [{"id": "ari:cloud:1", "name": "Web shop"}]
    given: dict[str, Any] = {SERVICES: things, "components": ["db"], "labels": ["web01"]}
    issue = plan(jira, "Patch  the shop", now + HOUR, now + 2 * HOUR, **given)

    [change] = reader.read()

    names = frozenset({"ari:cloud:1", "Web shop", "10", "db", "web01"})
    assert change == Announced(
        issue.id, "CHG-1", "Patch the shop", (Span(now + HOUR, now + 2 * HOUR),), ChangeState.APPROVED, cis=names,
        services=names,
    )  # fmt: skip


def test_the_status_says_whether_a_change_counts_and_what_came_of_it(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    for status in ("Planning", "Awaiting CAB approval", "Awaiting implementation", "Implementing", "Completed",
                   "Failed", "Canceled"):  # fmt: skip
        plan(jira, status, now - HOUR, now + HOUR, status)

    assert reader.states() == {
        "Awaiting implementation": ("approved", "unknown"),
        "Implementing": ("under_way", "unknown"),
        "Completed": ("done", "successful"),
        "Failed": ("done", "failed"),
    }


def test_a_change_that_is_done_early_is_over_then(jira: Jira, reader: Reader) -> None:
    began = jira.clock()
    issue = plan(jira, "Quick", began, began + 4 * HOUR, "Implementing")
    jira.clock.advance(1800)
    jira.person().transitions(issue.key, "Completed")
    jira.clock.advance(60)
    jira.person().edits(issue.key, labels=["looked-at"])

    [change] = reader.read()

    assert (change.spans, change.state) == ((Span(began, began + HOUR // 2),), ChangeState.DONE)


def test_a_change_that_is_moved_cancelled_or_opened_again_is_seen_so(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    issue = plan(jira, "Move", now, now + HOUR)
    jira.person().edits(issue.key, **{START: now + HOUR, END: now + 3 * HOUR})
    assert [one.spans for one in reader.read()] == [(Span(now + HOUR, now + 3 * HOUR),)]

    jira.person().transitions(issue.key, "Canceled")
    assert reader.read() == []

    jira.person().transitions(issue.key, "Awaiting implementation")
    assert reader.states() == {"Move": ("approved", "unknown")}


def test_the_index_names_a_change_late_but_its_state_is_of_now(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    issue = plan(jira, "Late", now, now + HOUR)
    jira.tracker.index.lag_ms = 60_000
    jira.person().transitions(issue.key, "Canceled")
    plan(jira, "New", now, now + HOUR)

    assert reader.read() == []

    jira.clock.advance(61)
    assert list(reader.states()) == ["New"]


def test_changes_of_other_weeks_days_without_a_time_and_issues_without_dates_are_none(
    jira: Jira, reader: Reader
) -> None:
    now = jira.clock()
    plan(jira, "old", now - 3 * WEEK, now - 2 * WEEK)
    plan(jira, "far", now + 2 * WEEK, now + 3 * WEEK)
    jira.person().creates("CHG", "no dates")
    jira.person().creates("OPS", "no change")
    plan(jira, "now", now, now + HOUR)

    assert list(reader.states()) == ["now"]


def test_the_time_zone_of_whoever_asks_does_not_matter(jira: Jira, reader: Reader) -> None:
    jira.site.users["bot"] = jira.site.users["bob"].__class__(
        **{**{name: getattr(jira.site.users["bot"], name) for name in jira.site.users["bot"].__slots__},
           "timezone": "Pacific/Kiritimati"}
    )  # fmt: skip
    now = jira.clock()
    plan(jira, "edge", now - WEEK - HOUR, now - WEEK + HOUR)

    assert list(reader.states()) == ["edge"]


def test_many_changes_are_read_page_by_page(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    for number in range(120):
        plan(jira, f"change {number}", now, now + HOUR)

    assert len(reader.states()) == 120
    calls = len(jira.requests())
    assert calls <= 30

    reader.read()
    assert len(jira.requests()) - calls <= 20  # what the site is like is known


def test_fields_are_found_by_their_names_or_as_they_are_configured(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    jira.site.fields[START] = Field(START, "Begins", Kind.TIME)
    plan(jira, "x", now, now + HOUR)
    with pytest.raises(Rejected, match=r"there is no field 'Planned start' or .*: name it in `changes: start_field`"):
        reader.read()

    reader.made(start_field="begins")
    assert list(reader.states()) == ["x"]
    reader.made(start_field=START, end_field=END)
    assert list(reader.states()) == ["x"]


def test_names_of_statuses_are_configured(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    plan(jira, "x", now, now + HOUR, "Awaiting CAB approval")
    plan(jira, "y", now, now + HOUR, "Completed")
    reader.made(approved=["awaiting cab approval"], with_issues=["completed"])

    assert reader.states() == {"x": ("approved", "unknown"), "y": ("done", "with_issues")}


def test_a_project_that_is_hidden_is_no_project_without_changes(jira: Jira, reader: Reader) -> None:
    plan(jira, "x", jira.clock(), jira.clock() + HOUR)
    reader.read()
    jira.site.deny("bot", "CHG", "BROWSE_PROJECTS")

    with pytest.raises((Denied, Rejected)):
        reader.read()


@pytest.mark.parametrize("fault", [f.SAYS_503, f.RESETS])
def test_a_jira_that_fails_tells_no_changes(jira: Jira, reader: Reader, fault: Fault) -> None:
    plan(jira, "x", jira.clock(), jira.clock() + HOUR)
    jira.faults.always(fault)

    with pytest.raises(Outcome):
        reader.read()


def test_the_self_test_says_what_changes_lack(jira: Jira, reader: Reader) -> None:
    assert reader.findings() == []

    reader.made(approved=["Blessed"])
    [text] = reader.findings()
    assert text.startswith("changes in CHG have no status 'Blessed', so that none is approved before it begins")
    reader.made(issue_type="Normal change")
    assert reader.findings() == [
        "changes can not be read: CHG has no issue type 'Normal change': it has [System] Change"
    ]
    reader.made(end_field="Ends")
    assert reader.findings() == ["changes can not be read: there is no field 'Ends': name it in `changes: end_field`"]
    reader.made(project="NONE")
    [text] = reader.findings()
    assert text.startswith("changes can not be read: there is no project NONE, or it is hidden from watchkeeper")


def test_an_outcome_is_known_only_of_what_is_done(jira: Jira, reader: Reader) -> None:
    now = jira.clock()
    issue = plan(jira, "again", now, now + HOUR, "Failed")
    jira.person().transitions(issue.key, "Implementing")  # the resolution stays

    assert [one.outcome for one in reader.read()] == [ChangeOutcome.UNKNOWN]
