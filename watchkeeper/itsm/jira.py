"""Jira, Cloud (version 3 of its API) and Data Center (version 2), with Jira Service Management or without.

The key goes with the one call that creates an issue, as a label and as an entity property. A change sets the fields
and the status first, which may be done twice, and adds its comment last, which carries its mark: what has the comment
has all of it.

Tickets of a service project are made by the platform's API, with the field that makes them requests of a type: the
API of service desks takes only what is on the customers' form, so that label and property would need a second call,
and a crash between the two would leave a ticket that nobody finds again.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from math import ceil
from typing import Any, Final

from watchkeeper.domain.announced import Announced
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm import _jira_moves as moves
from watchkeeper.itsm import _jira_text as text
from watchkeeper.itsm._closing import last_of, told
from watchkeeper.itsm._jira_api import Api, Forbidden, Missing, mapping
from watchkeeper.itsm._jira_changes import Changes
from watchkeeper.itsm._jira_check import self_test
from watchkeeper.itsm._jira_draft import changed_levels, level_fields, new_issue
from watchkeeper.itsm._jira_fields import Form
from watchkeeper.itsm._jira_issues import Issues
from watchkeeper.itsm._jira_options import Options
from watchkeeper.itsm._jira_record import PROPERTY, Record
from watchkeeper.itsm._jira_site import Site
from watchkeeper.itsm._left_out import LeftOut
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
_WRITING: Final = ("EDIT_ISSUES", "TRANSITION_ISSUES", "ADD_COMMENTS")


class JiraBackend:
    """A Jira by its name in the configuration."""

    def __init__(self, name: str, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._api = Api(options, surroundings)
        self._site = Site(self._api, options, surroundings.clock)
        self._issues = Issues(self._api, lambda: self._site.finding_fields().values())
        self._left_out = LeftOut(name)
        self._changes = Changes(self._api, options, surroundings.clock)

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

    def changed(self, within_ms: int) -> Sequence[str] | None:
        return self._issues.changed(ceil(within_ms / 60_000))

    def resolution(self, ticket: Ticket) -> str:
        """What whoever resolved it commented at about that time, with the resolution in front: alone it says too
        little."""
        record = self._read(ticket)
        ending = record.ending(self._site.me)
        is_over = record.state(self._options.states) in (TicketState.RESOLVED, TicketState.CLOSED)
        if ending is None or not is_over or not (said := last_of(ending, self._issues.remarks(record.id))):
            return ""
        return told(str((record.fields.get("resolution") or {}).get("name", "")), said)

    def planned_changes(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        return self._changes.planned(from_ms, to_ms)

    def check_changes(self) -> Sequence[Finding]:
        return list(self._changes.check())

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
        calls += [Call("POST", self._api.url("/issueLink"), link) for link in self._links(command, "ID").values()]
        return [*calls, Call("POST", self._api.url("/issue/ID/comment"), self._comment(command))]

    def check(self) -> Sequence[Finding]:
        findings = self_test(self._api, self._site, self._issues, self._options)
        return list(dict.fromkeys([*findings, *self._left_out.findings()]))

    def _ticket(self, record: Record) -> Ticket:
        return record.ticket(self._options.states, self._site.me, self._site.url, self._site.finding_fields())

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
            self._left_out.note(each, f"{issue_type.name} in {self._options.project}: {each}: tickets go without it")
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
        if links := self._links(change, ticket.ref):
            self._make_links(ticket, links)
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

    def _make_links(self, ticket: Ticket, links: Mapping[str, Mapping[str, Any]]) -> None:
        """Jira does not tell whether a link was there already: so it is looked for, whatever its type. One that is
        there is somebody's."""
        there = self._read(ticket, "issuelinks").fields.get("issuelinks") or ()
        linked = {str((link.get(side) or {}).get("id")) for link in there for side in ("inwardIssue", "outwardIssue")}
        for other, body in links.items():
            if other not in linked:
                with suppress(Missing):  # of what was deleted the note still tells
                    self._api.write("POST", "/issueLink", body, 200, 201)

    def _links(self, change: TicketChange, ref: str) -> dict[str, Mapping[str, Any]]:
        """What a ticket is to be linked to, and how, as in "problem causes incident" and "incident duplicates other":
        what does something is the inward issue."""
        links: dict[str, Mapping[str, Any]] = {}
        for source in (change.cause, change.problem):
            if source and source != ref:
                links[source] = self._link(self._site.link_type(), source, ref)
        if change.duplicate and change.duplicate != ref:
            try:
                links[change.duplicate] = self._link(self._site.duplicate_type(), ref, change.duplicate)
            except Rejected as refusal:  # the note says it too
                self._left_out.note("duplicates", f"duplicates are not linked: {refusal}")
        return links

    def _link(self, type_name: str, source: str, target: str) -> dict[str, Any]:
        return {"type": {"name": type_name}, "inwardIssue": {"id": source}, "outwardIssue": {"id": target}}

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
    plans_changes=lambda _options: True,
    certain_after_ms=lambda options: options.timeout + max(options.timeout, _LATE_MS),
)
