"""A backend that speaks to ServiceNow through ServiceNow's own client, and does nothing that this client does not do.

The contract's tests judge by it whether the simulated instance answers as a real one: what passes with a client that
knows nothing of this project is no agreement between watchkeeper and its own simulator.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pysnc

from tests.simulators.servicenow import INTEGRATION, Instance
from watchkeeper.domain.rule import Clock, Level
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm._text import mark, marked
from watchkeeper.itsm.base import Call, Finding, Rejected, TicketBackend

_TABLE: Final = "incident"
_LEVELS: Final = {Level.HIGH: "1", Level.MEDIUM: "2", Level.LOW: "3"}
_STATES: Final = {"1": TicketState.OPEN, "2": TicketState.IN_PROGRESS, "6": TicketState.RESOLVED}
_CODE: Final = "Solution provided"
_LONGEST: Final = 4000
_MOST: Final = 100


class ByPysnc:
    """Incidents by GlideRecord. A ref is `incident/` and the sys_id, as watchkeeper's own backend has it."""

    def __init__(self, client: pysnc.ServiceNowClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    def find(self, key: str) -> Sequence[Ticket]:
        """The instance takes no notice of case; who wants exactly this key looks again."""
        record = self._client.GlideRecord(_TABLE)
        record.add_query("correlation_id", key)
        record.order_by("number")
        record.query()
        return [ticket for ticket in map(self._ticket, record) if ticket.key == key]

    def create(self, draft: TicketDraft) -> Ticket:
        record = self._client.GlideRecord(draft.kind.value)  # which are the names of the tables
        record.initialize()
        record.correlation_id = draft.key
        record.short_description = draft.title
        record.description = draft.description
        record.impact = _LEVELS[draft.impact]
        record.urgency = _LEVELS[draft.urgency]
        record.insert()
        return self._ticket(record)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        record = self._client.GlideRecord(_TABLE)
        if not record.get(_sys_id(ticket.ref)):
            raise Rejected(f"there is no ticket {ticket.number}")
        if change.key and mark(change.key) in record.get_display_value("work_notes"):
            return self._ticket(record)
        record.work_notes = marked(change.note, change.key, _LONGEST)
        if change.impact is not None:
            record.impact = _LEVELS[change.impact]
        if change.urgency is not None:
            record.urgency = _LEVELS[change.urgency]
        for name, ref in {"problem_id": change.problem, "parent_incident": change.duplicate}.items():
            if ref and not record.get_value(name):
                record.set_value(name, _sys_id(ref))
        if change.state is TicketState.RESOLVED:
            record.state, record.close_code, record.close_notes = "6", _CODE, change.note
        elif change.state is TicketState.OPEN and record.state == "6":
            record.state = "2"
        record.update()
        return self._ticket(record)

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:
        """Of very many the client makes a batch, since a URL would be too long."""
        wanted = ",".join(map(_sys_id, refs))
        if not wanted:
            return ()
        record = self._client.GlideRecord(_TABLE)
        record.add_query("sys_id", "IN", wanted)
        record.query()
        return list(map(self._ticket, record))

    def changed(self, within_ms: int) -> Sequence[str] | None:
        record = self._client.GlideRecord(_TABLE)
        since = datetime.fromtimestamp((self._clock() - within_ms) // 1000, UTC)
        record.add_query("sys_updated_on", ">=", f"{since:%Y-%m-%d %H:%M:%S}")
        record.query()
        return [_ref(each) for each in record] if len(record) <= _MOST else None

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        raise NotImplementedError("pysnc does not tell what it would send")

    def check(self) -> Sequence[Finding]:
        choices = self._client.GlideRecord("sys_choice")
        choices.add_query("name", _TABLE)
        choices.add_query("element", "close_code")
        choices.add_query("inactive", "false")
        choices.query()
        known = [choice.get_value("value") for choice in choices]
        return [] if _CODE in known else [Finding(f"there is no close code {_CODE!r}")]

    def _ticket(self, record: Any) -> Ticket:
        """That of the current record."""
        return Ticket(
            ref=_ref(record),
            number=record.get_value("number"),
            key=record.get_value("correlation_id"),
            state=_STATES.get(record.get_value("state"), TicketState.OPEN),
            title=record.get_value("short_description"),
            url=record.get_link(no_stack=True),
            assignee=record.get_display_value("assigned_to"),
            is_touched=record.get_value("sys_updated_by") != record.get_value("sys_created_by"),
        )


@contextmanager
def made(instance: Instance, ca: Path) -> Iterator[TicketBackend]:
    """For an instance over TLS, which is all that pysnc speaks. `ca`: whom to believe. It believes the environment,
    such as REQUESTS_CA_BUNDLE, more than what it is told, unless that is switched off."""
    client = pysnc.ServiceNowClient(instance.url, INTEGRATION, verify=str(ca))
    client.session.trust_env = False
    with client.session:
        yield ByPysnc(client, instance.clock)


def _ref(record: Any) -> str:
    return f"{record.table}/{record.get_value('sys_id')}"


def _sys_id(ref: str) -> str:
    return ref.rpartition("/")[2]
