"""Change issues, as Jira Service Management has them: a project CHG, added to a site."""

from typing import Any

from tests.simulators.jira import Jira
from tests.simulators.jira_model import Field, Issue, Kind, Named, Project, Screen
from tests.simulators.jira_workflow import Status, Transition, Workflow

START, END, SERVICES = "customfield_10060", "customfield_10061", "customfield_10062"
CHANGE = Named("10030", "[System] Change")

WORKFLOW = Workflow(
    "ITSM: Change Management workflow",
    (
        Status("11000", "Planning", "new"),
        Status("11001", "Awaiting CAB approval", "indeterminate"),
        Status("11002", "Awaiting implementation", "indeterminate"),
        Status("11003", "Implementing", "indeterminate"),
        Status("11004", "Completed", "done"),
        Status("11005", "Failed", "done"),
        Status("11006", "Canceled", "done"),
    ),
    (
        Transition("801", "Plan", "11000", resolution=""),
        Transition("811", "Request approval", "11001"),
        Transition("821", "Approve", "11002", resolution=""),
        Transition("831", "Implement", "11003"),
        Transition("841", "Complete", "11004", resolution="10000"),
        Transition("851", "Fail", "11005", resolution="10000"),
        Transition("861", "Cancel", "11006", resolution="10001"),
    ),
)


def furnish(jira: Jira) -> None:
    """Adds what changes need: the project, its type, its workflow and its fields."""
    site = jira.site
    for field in (
        Field(START, "Planned start", Kind.TIME),
        Field(END, "Planned end", Kind.TIME),
        Field(SERVICES, "Affected services", Kind.THINGS),
        Field("components", "Components", Kind.COMPONENTS),
    ):
        site.fields[field.id] = field
    project = Project("10002", "CHG", "Changes", WORKFLOW, (CHANGE,), ("3", "1", "2", "4", "5"), service_desk=True)
    fields = ["summary", "issuetype", "labels", "components", START, END, SERVICES]
    project.create[CHANGE.id] = Screen([*fields, "issuelinks"])
    project.edit[CHANGE.id] = Screen([*fields, "issuelinks", "comment"])
    site.projects["CHG"] = project


def plan(
    jira: Jira, summary: str, from_ms: int, to_ms: int, status: str = "Awaiting implementation", **given: Any
) -> Issue:
    """A change that somebody planned, in a status."""
    issue = jira.person().creates("CHG", summary, **{START: from_ms, END: to_ms, **given})
    jira.person().transitions(issue.key, status)
    return issue
