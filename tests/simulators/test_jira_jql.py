"""JQL as Jira takes it, and finds with it."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulators.clock import HandClock
from tests.simulators.jira_jql import AllOf, AnyOf, Clause, JqlError, Not, parse
from tests.simulators.jira_model import Issue
from tests.simulators.jira_search import Search
from tests.simulators.jira_site import made_site
from tests.simulators.jira_tracker import Tracker


@pytest.fixture
def tracker() -> Tracker:
    """Three issues: OPS-1 is done, OPS-2 is urgent and nobody's, ITSM-1 is a problem."""
    tracker = Tracker(made_site("cloud"), HandClock())
    site = tracker.site
    done = tracker.add("bot", site.projects["OPS"], {"summary": "Web shop is down", "labels": ["wk-1", "Web"]})
    tracker.pass_through("alice", done, site.projects["OPS"].workflow.transitions[2], {"assignee": "alice"})
    tracker.add("bob", site.projects["OPS"], {"summary": "Web-02: disk full", "priority": "1"})
    tracker.add("bot", site.projects["ITSM"], {"summary": "The cause", "issuetype": "10021", "labels": ["wk-2"]})
    return tracker


def find(tracker: Tracker, jql: str, user: str = "bot") -> list[str]:
    search, query = Search(tracker, tracker.site.users[user]), parse(jql)
    search.check(query)
    return [issue.key for issue in search.run(query, tracker.issues.values())]


def wrong(tracker: Tracker, jql: str) -> str:
    with pytest.raises(JqlError) as error:
        find(tracker, jql)
    return " ".join(error.value.messages)


def quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@given(st.text())
def test_whatever_is_quoted_and_escaped_is_one_value(text: str) -> None:
    assert parse(f"labels = {quoted(text)}").where == Clause("labels", "=", (text,))


@given(st.text())
def test_any_text_is_a_query_or_an_error(text: str) -> None:
    with suppress(JqlError):
        parse(text)


def test_and_binds_more_than_or_and_not_more_than_both() -> None:
    a, b, c = (Clause(name, "=", ("1",)) for name in "abc")

    assert parse("a = 1 OR b = 1 and not c=1").where == AnyOf((a, AllOf((b, Not(c)))))
    assert parse("(a = 1 || b = 1) && !c = 1").where == AllOf((AnyOf((a, b)), Not(c)))


@pytest.mark.parametrize(
    ("jql", "said"),
    [
        ("labels = wk@1", "'@' is a reserved JQL character"),
        ("labels = wk{1}", "'{' is a reserved JQL character"),
        ('labels = "wk-1', "The quoted string 'wk-1' has not been completed"),
        (r'labels = "a\qb"', "illegal JQL escape sequence"),
        ("labels = update", "'update' is a reserved JQL word"),
        ("labels", "Expecting operator but got nothing"),
        ("labels like x", "Expecting operator but got 'like'"),
        ("labels = a b", "Expecting either 'OR' or 'AND' but got 'b'. (line 1, character 12)"),
        ("labels in (a, b", "Expecting ')' but got the end of the query"),
        ("labels =", "before the end of the query"),
        ("labels in ()", "but got ')'"),
        ("labels is x", "expects the value EMPTY"),
        ("order by", "Expecting a field name"),
        ("order labels", "Expecting 'by'"),
        ("(" * 200 + "labels = a" + ")" * 200, "nested too deeply"),
    ],
)
def test_a_query_that_is_none_is_refused_in_jiras_words(tracker: Tracker, jql: str, said: str) -> None:
    assert said in wrong(tracker, jql)


@pytest.mark.parametrize(
    ("jql", "said"),
    [
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status = Gone", "The value 'Gone' does not exist for the field 'status'."),
        ("issuetype in (Task, Epic)", "The value 'Epic' does not exist for the field 'issuetype'."),
        ("wrong = 1", "Field 'wrong' does not exist or you do not have permission to view it."),
        ("key = OPS-99", "An issue with key 'OPS-99' does not exist for field 'key'."),
        ("key in (OPS-1, OPS-99)", "An issue with key 'OPS-99' does not exist for field 'key'."),
        ("id = 99999", "A value with ID '99999' does not exist for the field 'id'."),
        ("key = '0.0'", "The issue key '0.0' for field 'key' is invalid."),
        ("labels ~ wk", "The operator '~' is not supported by the 'labels' field."),
        ("summary = x", "The operator '=' is not supported by the 'summary' field."),
        ("'Dedupe key' = x", "The operator '=' is not supported by the 'Dedupe key' field."),
        ("updated > '2026-11-24 11:38:00'", "Valid formats include: 'yyyy/MM/dd HH:mm'"),
        ("assignee = membersOf('x')", "Unable to find JQL function 'membersof()'."),
        ("order by wrong", "Field 'wrong' does not exist"),
        ("project = A and project = B", "'A' does not exist for the field 'project'. The value 'B'"),
    ],
)
def test_a_query_for_what_does_not_exist_is_refused(tracker: Tracker, jql: str, said: str) -> None:
    assert said in wrong(tracker, jql)


@pytest.mark.parametrize(
    ("jql", "keys"),
    [
        ("project = OPS", ["OPS-2", "OPS-1"]),
        ("project = 'IT Service Management' or project = 10000 order by key", ["ITSM-1", "OPS-1", "OPS-2"]),
        ("labels = wk-1", ["OPS-1"]),
        ("labels = WK-1", ["OPS-1"]),
        ("labels in (wk-2, web)", ["ITSM-1", "OPS-1"]),
        ("labels != wk-2", ["OPS-1"]),
        ("labels is EMPTY", ["OPS-2"]),
        ("not labels = wk-2", ["OPS-2", "OPS-1"]),
        ("statusCategory = Done", ["OPS-1"]),
        ("statusCategory != done order by key desc", ["OPS-2", "ITSM-1"]),
        ("statusCategory in ('To Do', indeterminate)", ["ITSM-1", "OPS-2"]),
        ("resolution is empty and project = OPS", ["OPS-2"]),
        ("resolution = Unresolved", ["ITSM-1", "OPS-2"]),
        ("resolution = Done", ["OPS-1"]),
        ("priority > Medium", ["OPS-2"]),
        ("project = OPS order by priority desc", ["OPS-2", "OPS-1"]),
        ("issuetype = '[System] Problem'", ["ITSM-1"]),
        ("key in (ops-1, 10101)", ["OPS-2", "OPS-1"]),
        ("reporter = currentUser()", ["ITSM-1", "OPS-1"]),
        ("assignee = 'alice@example.com'", ["OPS-1"]),
        ("assignee is not EMPTY", ["OPS-1"]),
        ("summary ~ 'web'", ["OPS-2", "OPS-1"]),
        ("summary ~ 'shop web'", ["OPS-1"]),
        ("summary ~ 'sho*'", ["OPS-1"]),
        ("summary ~ 'sho'", []),
        ("summary ~ 'the'", ["ITSM-1", "OPS-2", "OPS-1"]),
        ("text ~ '02'", ["OPS-2"]),
        ("updated >= -1m", ["ITSM-1", "OPS-2", "OPS-1"]),
        ("created < -1m", []),
        ("created <= now() and created > '2026-11-24 11:37'", ["ITSM-1", "OPS-2", "OPS-1"]),
        ("created >= 1795520280000", ["ITSM-1", "OPS-2", "OPS-1"]),
    ],
)
def test_a_query_finds_what_it_says(tracker: Tracker, jql: str, keys: list[str]) -> None:
    assert find(tracker, jql) == keys


def test_a_query_by_an_apps_property_needs_an_app_that_declares_it(tracker: Tracker) -> None:
    issue = tracker.issues["10100"]
    issue.properties["watchkeeper"] = {"key": "wk-1"}
    assert "does not exist" in wrong(tracker, "issue.property[watchkeeper].key = wk-1")

    tracker.site.indexed_properties.add("watchkeeper.key")

    assert find(tracker, "issue.property[watchkeeper].key = 'wk-1'") == ["OPS-1"]


def test_a_text_field_finds_words_and_no_whole_values(tracker: Tracker) -> None:
    tracker.set("bot", tracker.issues["10100"], {"customfield_10041": "wk-abc-1"})
    tracker.set("bot", tracker.issues["10101"], {"customfield_10041": "abc of wk, number 1"})

    assert find(tracker, 'cf[10041] ~ "wk-abc-1"') == ["OPS-2", "OPS-1"]


def test_times_are_in_the_time_zone_of_who_asks(tracker: Tracker) -> None:
    assert find(tracker, "created > '2026-11-24 20:37'", user="bob") == ["ITSM-1", "OPS-2", "OPS-1"]
    assert find(tracker, "created > '2026-11-24 20:37'", user="bot") == []


def test_nobody_finds_what_is_hidden_from_them(tracker: Tracker) -> None:
    tracker.site.deny("bot", "ITSM", "BROWSE_PROJECTS")
    tracker.issues["10101"].hidden_from.add("bot")

    assert find(tracker, "created <= now()") == ["OPS-1"]
    assert "'ITSM' does not exist" in wrong(tracker, "project = ITSM")
    assert "'OPS-2' does not exist" in wrong(tracker, "key = OPS-2")


@given(st.lists(st.sampled_from(["wk-1", "wk-2", "Web"]), unique=True), st.sampled_from(["wk-1", "WK-2", "web", "x"]))
def test_a_label_is_found_where_it_is_whatever_its_case(labels: list[str], wanted: str) -> None:
    tracker = Tracker(made_site("server"), HandClock())
    issue: Issue = tracker.add("bot", tracker.site.projects["OPS"], {"summary": "x", "labels": labels})

    found = find(tracker, f"labels = {quoted(wanted)}")

    assert (found == [issue.key]) == (wanted.lower() in [label.lower() for label in labels])


def test_an_old_key_still_finds_an_issue_and_its_old_project_does_not(tracker: Tracker) -> None:
    tracker.move("alice", tracker.issues["10100"], tracker.site.projects["ITSM"])

    assert find(tracker, "key = OPS-1") == find(tracker, "labels = wk-1") == ["ITSM-2"]
    assert find(tracker, "project = OPS") == ["OPS-2"]


def test_an_anonymous_search_sees_nothing(tracker: Tracker) -> None:
    search, query = Search(tracker, None), parse("labels = wk-1")
    search.check(query)

    assert search.run(query, tracker.issues.values()) == []
