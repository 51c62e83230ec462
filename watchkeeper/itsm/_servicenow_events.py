"""ServiceNow's Event Management: one alert for each message key, whatever is sent how often.

What becomes of an event is decided later, by the instance's own rules, and is not told.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from watchkeeper.domain.rule import priority
from watchkeeper.domain.ticket import Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm._servicenow_client import EVENTS, Client
from watchkeeper.itsm._servicenow_options import Options
from watchkeeper.itsm._text import cut
from watchkeeper.itsm.base import Call, Finding, Outcome, Rejected, Surroundings, Unavailable

CLEAR: Final = "0"
_SEVERITIES: Final = {1: "1", 2: "2", 3: "3", 4: "3", 5: "4"}  # critical, major, minor, warning, by priority
_TEXT: Final = 4000
_FIELD: Final = 100


class Events:
    """Events of one source. A ref is the severity that an event had, and its message key."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._options = options
        self._clock = surroundings.clock
        self._client = Client(options, surroundings)

    def find(self, key: str) -> Sequence[Ticket]:  # noqa: ARG002  # the port's
        """Nothing: an event that is sent again makes no second alert."""
        return ()

    def create(self, draft: TicketDraft) -> Ticket:
        event = self._opening(draft)
        self._client.send_event(event)
        return Ticket(f"{event['severity']}:{draft.key}", draft.key, draft.key, TicketState.OPEN, draft.title)

    def update(self, ticket: Ticket, change: TicketChange) -> Ticket:
        severity, _, key = ticket.ref.partition(":")
        if severity not in _SEVERITIES.values() or not key:
            raise Rejected(f"there is no ticket {ticket.number}: it is no event")
        if change.impact is not None and change.urgency is not None:
            severity = _SEVERITIES[priority(change.impact, change.urgency)]
        state = change.state or ticket.state
        self._client.send_event(self._event(key, CLEAR if state.is_over else severity, change.note))
        return replace(ticket, ref=f"{severity}:{key}", state=state)

    def fetch(self, refs: Iterable[str]) -> Sequence[Ticket]:  # noqa: ARG002  # the port's
        raise Unavailable("does not tell what became of an event")

    def changed(self, within_ms: int) -> Sequence[str] | None:  # noqa: ARG002  # the port's
        return None

    def preview(self, command: TicketDraft | TicketChange) -> Sequence[Call]:
        if isinstance(command, TicketDraft):
            event = self._opening(command)
        else:
            is_over = command.state is not None and command.state.is_over
            event = self._event("KEY", CLEAR if is_over else "SEVERITY", command.note)
        return [Call("POST", f"{self._client.url}{EVENTS}", {"records": [event]})]

    def check(self) -> Sequence[Finding]:
        """Sends an event that clears an alert which there is not."""
        try:
            self._client.send_event(self._event("watchkeeper-self-test", CLEAR, "watchkeeper tests its access."))
        except Outcome as outcome:
            return [
                Finding(
                    f"events can not be sent: {outcome}. Check `url`: {self._client.url}. The user needs the role "
                    "evt_mgmt_integration, and the instance the plugin Event Management"
                )
            ]
        return ()

    def _opening(self, draft: TicketDraft) -> dict[str, str]:
        told = {
            "service": draft.service,
            "rule": draft.rule,
            "incident": draft.correlation,
            "title": draft.title,
            **{f"label_{label.name}": label.text for label in draft.labels},
        }
        severity = _SEVERITIES[priority(draft.impact, draft.urgency)]
        return {
            **self._event(draft.key, severity, f"{draft.title}\n\n{draft.description}"),
            "node": cut(draft.ci or draft.service, _FIELD),
            "resource": cut(draft.service, _FIELD),
            "type": cut(draft.rule or draft.correlation, _FIELD),
            "additional_info": json.dumps(told, ensure_ascii=False),  # a text that holds JSON, by its contract
        }

    def _event(self, key: str, severity: str, text: str) -> dict[str, str]:
        return {
            "source": self._options.source,
            "message_key": key,
            "severity": severity,
            "resolution_state": "Closing" if severity == CLEAR else "New",
            "description": cut(text, _TEXT),
            "time_of_event": datetime.fromtimestamp(self._clock() / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        }
