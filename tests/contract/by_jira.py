"""A backend that speaks to Jira through the `jira` client of PyPI, and does nothing that this client does not do.

The contract's tests judge by it whether the simulated Jira answers as a real one. It speaks version 2 of the API, and
finds out by itself whether it has to do with Cloud or with Data Center.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Final

from jira import JIRA, JIRAError
from jira.resources import Issue

from tests.simulators.jira import Jira
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm._jira_record import PROPERTY
from watchkeeper.itsm._text import mark, marked
from watchkeeper.itsm.base import Call, Finding, Rejected, TicketBackend

_PROJECT: Final = "OPS"
_FIELDS: Final = "summary,status,labels,assignee"
_STATES: Final = {
    "new": TicketState.OPEN,
    "indeterminate": TicketState.IN_PROGRESS,
    "done": TicketState.RESOLVED,
}
_NEEDED: Final = ("CREATE_ISSUES", "EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS")
_LONGEST: Final = 32_767
_MOST: Final = 100


class ByJira:
    """Issues by their ids. The key is a label, and with the levels in a property."""

    def __init__(self, client: JIRA) -> None:
        self._client = client

    def find(self, key: str) -> Sequence[Ticket]:
        """A search takes no notice of case; who wants exactly this key looks again."""
        if not key:
            return ()
        found = self._client.search_issues(f'labels = "{key}" ORDER BY key ASC', maxResults=0, fields=_FIELDS)
        return [_ticket(issue) for issue in found if issue.fields.labels == [key]]

    def create(self, draft: TicketDraft) -> Ticket:
        """In two calls: this client sends no properties with the first."""
        issue = self._client.create_issue(
            project={"key": _PROJECT},
            issuetype={"name": "Task"},
            summary=draft.title,
            description=draft.description,
            labels=[draft.key],
        )
        levels = {"impact": draft.impact.value, "urgency": draft.urgency.value}
        self._client.add_issue_property(issue.id, PROPERTY, {"key": draft.key, **levels})
        return _ticket(issue)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        issue = self._read(ticket.ref)
        if issue is None:
            raise Rejected(f"there is no ticket {ticket.number}")
        told = [comment.body for comment in self._client.comments(issue.id)]
        if change.key and any(mark(change.key) in body for body in told):
            return _ticket(issue)
        if levels := {name: level.value for name in ("impact", "urgency") if (level := getattr(change, name))}:
            kept = self._client.issue_property(issue.id, PROPERTY).raw["value"]
            self._client.add_issue_property(issue.id, PROPERTY, {**kept, **levels})
        links = (("Problem/Incident", change.problem, ticket.ref), ("Duplicate", ticket.ref, change.duplicate))
        for kind, source, target in links:
            if source and target:
                ends = (self._client.issue(ref, _FIELDS).key for ref in (source, target))
                self._client.create_issue_link(kind, *ends)
        if change.state is not None:
            self._move(issue, change.state)
        self._client.add_comment(issue.id, marked(change.note, change.key, _LONGEST))
        return _ticket(self._client.issue(issue.id, _FIELDS))

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        """One by one: of many at once this client only searches, which one that is gone makes fail."""
        return [_ticket(issue) for issue in map(self._read, refs) if issue is not None]

    def changed(self, within_ms: int) -> Sequence[str] | None:
        jql = f'creator = currentUser() AND updated >= "-{ceil(within_ms / 60_000)}m"'
        found = self._client.search_issues(jql, maxResults=_MOST + 1, fields="id")
        return [issue.id for issue in found] if len(found) <= _MOST else None

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        raise NotImplementedError("the jira client does not tell what it would send")

    def check(self) -> Sequence[Finding]:
        said = self._client.my_permissions(projectKey=_PROJECT, permissions=",".join(_NEEDED))["permissions"]
        return [Finding(f"lacks {name}") for name in _NEEDED if not said[name]["havePermission"]]

    def _read(self, ref: str) -> Issue | None:
        try:
            return self._client.issue(ref, _FIELDS)
        except JIRAError as error:
            if error.status_code != 404:
                raise
            return None

    def _move(self, issue: Issue, wanted: TicketState) -> None:
        ways = self._client.transitions(issue.id)
        (way,) = (each["id"] for each in ways if _STATES[each["to"]["statusCategory"]["key"]] is wanted)
        self._client.transition_issue(issue.id, way)


@contextmanager
def made(jira: Jira) -> Iterator[TicketBackend]:
    """With a client that tries nothing again, as it does otherwise even what creates something."""
    client = JIRA(jira.url, {"rest_api_version": "2"}, basic_auth=jira.login, max_retries=0, timeout=10)
    client._session.trust_env = False
    try:
        yield ByJira(client)
    finally:
        client.close()  # type: ignore[no-untyped-call]  # jira has no types there


def _ticket(issue: Issue) -> Ticket:
    fields = issue.fields
    return Ticket(
        ref=issue.id,
        number=issue.key,
        key=fields.labels[0],
        state=_STATES[fields.status.statusCategory.key],
        title=fields.summary,
        url=issue.permalink(),  # type: ignore[no-untyped-call]  # no types here either
        assignee=str(fields.assignee or ""),
    )
