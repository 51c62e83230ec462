"""Jira, Cloud (version 3 of its API) and Data Center (version 2), with Jira Service Management or without.

The key goes with the one call that creates an issue, as a label and as an entity property. A change sets the fields
and the status first, which may be done twice, and adds its comment last, which carries its mark: what has the comment
has all of it.

Tickets of a service project are made by the platform's API, with the field that makes them requests of a type: the
API of service desks takes only what is on the customers' form, so that label and property would need a second call,
and a crash between the two would leave a ticket that nobody finds again.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Final

from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm import _jira_moves as moves
from watchkeeper.itsm import _jira_text as text
from watchkeeper.itsm._jira_api import Api, Forbidden, Missing, mapping
from watchkeeper.itsm._jira_check import self_test
from watchkeeper.itsm._jira_draft import changed_levels, level_fields, new_issue
from watchkeeper.itsm._jira_fields import Form
from watchkeeper.itsm._jira_issues import Issues
from watchkeeper.itsm._jira_options import Options
from watchkeeper.itsm._jira_record import PROPERTY, Record
from watchkeeper.itsm._jira_site import Site
from watchkeeper.itsm.base import (
    BackendKind,
    Call,
    Conflict,
    Denied,
    Finding,
    Outcome,
    Rejected,
    Surroundings,
    Unavailable,
)

_LATE_MS: Final = 60_000  # so long Jira may go on with a call that nobody waits for any more
_LAG_MS: Final = 120_000
_MOST_KEPT: Final = 20  # things that were left out and are told by `check`
_WRITING: Final = ("EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS")


class JiraBackend:
    """A Jira by its name in the configuration."""

    def __init__(self, _name: str, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._api = Api(options, surroundings)
        self._issues = Issues(self._api)
        self._site = Site(self._api, options, surroundings.clock)
        self._left_out: dict[str, None] = {}

    def find(self, key: str) -> Sequence[Ticket]:
        if not key or any(character.isspace() for character in key):
            return ()  # no label is like that
        try:
            named = self._issues.labelled(key)
        except Rejected as refusal:  # by the query: whether there is a ticket is not known
            raise Unavailable(f"can not search for labels: {refusal}") from None
        me = self._site.me
        found = sorted(
            (record for record in self._issues.many(named) if record.is_of(key, me)), key=lambda each: int(each.id)
        )
        if not found:
            self._api.confirm_absence()
        return list(map(self._ticket, found))

    def create(self, draft: TicketDraft) -> Ticket:
        begin_by_ms = self._clock() + self._options.timeout
        body = self._new_issue(draft)
        self._api.ready()
        if self._clock() > begin_by_ms:  # later nobody would know when it must be over
            raise Unavailable("took too long to tell how a ticket is created")
        try:
            answer = self._api.write("POST", "/issue", body, 201)
        except Rejected:
            self._site.forget()  # its forms may have been changed
            raise
        said = mapping(answer)
        ref, number = str(said.get("id") or ""), str(said.get("key") or "")
        if not ref or not number:
            raise answer.unclear("answered a create with neither id nor key")
        title, url = body["fields"]["summary"], f"{self._site.url}/browse/{number}"
        return Ticket(ref, number, draft.key, TicketState.OPEN, title, url)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        record = self._read(ticket)
        if change.key and self._issues.has_comment(record.id, lambda body: text.has_mark(body, change.key)):
            return self._ticket(record)
        try:
            changed = self._ticket(self._changed(ticket, record, change))
            if change.note or change.key:
                self._api.write("POST", f"/issue/{record.id}/comment", self._comment(change), 201)
        except Forbidden as refusal:
            raise self._forbidden(record, refusal) from None
        except Missing:
            raise _gone(ticket) from None
        return changed

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        wanted = list(dict.fromkeys(refs))
        if not wanted:
            return ()
        found = list(map(self._ticket, self._issues.many(wanted)))
        if len(found) < len(wanted):
            self._api.confirm_absence()
        return found

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        """Types, forms and choices are asked for. Of a change it is not known which issue it is of."""
        if isinstance(command, TicketDraft):
            return [Call("POST", self._api.url("/issue"), self._new_issue(command))]
        calls = []
        if command.impact or command.urgency:
            levels = {"impact": command.impact, "urgency": command.urgency}
            calls.append(Call("PUT", self._api.url(f"/issue/ID/properties/{PROPERTY}"), levels))
        if command.state is not None:
            body = {"transition": {"id": f"of a transition to {command.state}"}}
            calls.append(Call("POST", self._api.url("/issue/ID/transitions"), body))
        if command.problem:
            calls.append(Call("POST", self._api.url("/issueLink"), self._link(command.problem, "ID")))
        return [*calls, Call("POST", self._api.url("/issue/ID/comment"), self._comment(command))]

    def check(self) -> Sequence[Finding]:
        findings = list(self_test(self._api, self._site, self._issues, self._options))
        return list(dict.fromkeys([*findings, *map(Finding, self._left_out)]))

    def _ticket(self, record: Record) -> Ticket:
        return record.ticket(self._options.states, self._site.me, self._site.url)

    def _read(self, ticket: Ticket, *fields: str) -> Record:
        record = self._issues.one(ticket.ref, *fields)
        if record is None:
            self._api.confirm_absence()
            raise _gone(ticket)
        return record

    def _new_issue(self, draft: TicketDraft) -> dict[str, Any]:
        issue_type = self._site.issue_type(draft.kind)
        body, left_out = new_issue(self._options, draft, issue_type, cloud=self._api.is_cloud)
        if self._options.request_type:
            field, value = self._site.request_type(issue_type)
            body["fields"][field.id] = value
        for each in left_out:
            if len(self._left_out) < _MOST_KEPT:
                self._left_out[f"{issue_type.name} in {self._options.project}: {each}"] = None
        return body

    def _changed(self, ticket: Ticket, record: Record, change: TicketChange) -> Record:
        """The issue with a change, but for its comment. What is set twice is the same as what is set once, and may be
        tried again; the comment is not, and comes last."""
        was_over = record.state(self._options.states).is_over
        if not was_over:  # else it may not be edited before it is opened
            self._set_levels(ticket, record, change)
        if change.state is not None:
            record = self._moved(ticket, record, change.state)
        if was_over:
            self._set_levels(ticket, record, change)
        if change.problem:
            self._link_to(ticket, change.problem)
        return record

    def _set_levels(self, ticket: Ticket, record: Record, change: TicketChange) -> None:
        levels = changed_levels(record, change)
        if levels is None:
            return
        form = Form.of_object(self._api.get(f"/issue/{record.id}/editmeta").get("fields"))
        fields, _ = level_fields(self._options, form, *levels, cloud=self._api.is_cloud)
        if fields:
            self._api.write("PUT", f"/issue/{record.id}", {"fields": fields}, 200, 204)
        value = {"key": ticket.key, **record.property, "impact": levels[0].value, "urgency": levels[1].value}
        self._api.write("PUT", f"/issue/{record.id}/properties/{PROPERTY}", value, 200, 201)

    def _moved(self, ticket: Ticket, record: Record, wanted: TicketState) -> Record:
        """The issue in a state, or as near to it as its workflow has it."""
        if moves.is_reached(wanted, record.state(self._options.states)):
            return record
        said = self._api.get(f"/issue/{record.id}/transitions", expand="transitions.fields")
        transitions = said.get("transitions") or []
        chosen = moves.choose(self._options, transitions, wanted)
        if chosen is None:
            if not transitions and self._api.lacking(self._options.project, ("TRANSITION_ISSUES",)):
                raise Denied(f"watchkeeper may not move issues in {self._options.project}: it needs the permission")
            raise Rejected(f"{record.number}: {moves.no_way(self._options, transitions, wanted, record.status)}")
        body = moves.body_of(self._options, chosen, wanted, cloud=self._api.is_cloud)
        try:
            self._api.write("POST", f"/issue/{record.id}/transitions", body, 204)
        except Missing:
            raise
        except Rejected as refusal:
            if self._read(ticket).status_id != record.status_id:
                raise Conflict(f"{record.number} was moved by somebody meanwhile") from None
            raise Rejected(f"{record.number} can not be moved by {chosen.get('name')!r}: {refusal}") from None
        after = self._read(ticket)  # its answer says nothing
        if not moves.is_reached(wanted, after.state(self._options.states)):
            if after.status_id not in (record.status_id, str((chosen.get("to") or {}).get("id"))):
                raise Conflict(f"{record.number} was moved by somebody meanwhile")
            raise Rejected(f"{record.number} is {after.status!r} after {chosen.get('name')!r}: that is not {wanted}")
        return after

    def _link_to(self, ticket: Ticket, problem: str) -> None:
        """Jira does not tell whether a link was there already: so it is looked for."""
        links = self._read(ticket, "issuelinks").fields.get("issuelinks") or ()
        ends = [link.get(side) for link in links for side in ("inwardIssue", "outwardIssue")]
        if not any(end and str(end.get("id")) == problem for end in ends):
            with suppress(Missing):  # of a problem that was deleted the note still tells
                self._api.write("POST", "/issueLink", self._link(problem, ticket.ref), 200, 201)

    def _link(self, problem: str, incident: str) -> dict[str, Any]:
        """As in "problem causes incident": what causes is the inward issue."""
        ends = {"inwardIssue": {"id": problem}, "outwardIssue": {"id": incident}}
        return {"type": {"name": self._site.link_type()}, **ends}

    def _comment(self, change: TicketChange) -> dict[str, Any]:
        body: dict[str, Any] = {"body": text.note(change.note, change.key, cloud=self._api.is_cloud)}
        if self._options.internal:  # without it customers of a service project read, and are mailed, everything
            body["properties"] = [{"key": "sd.public.comment", "value": {"internal": True}}]
        return body

    def _forbidden(self, record: Record, refusal: Forbidden) -> Outcome:
        """What is not allowed in the project concerns every ticket; what is allowed there, this one alone."""
        if self._api.lacking(self._options.project, _WRITING):
            return refusal
        return Rejected(f"{record.number} may not be changed: {refusal}")


def _gone(ticket: Ticket) -> Rejected:
    return Rejected(f"there is no ticket {ticket.number} any more, or it is hidden from watchkeeper")


KIND = BackendKind(
    "jira",
    "Jira, Cloud and Data Center, with Jira Service Management",
    Options,
    JiraBackend,
    index_lag_ms=_LAG_MS,
    certain_after_ms=lambda options: options.timeout + max(options.timeout, _LATE_MS),
)
