"""The simulated ServiceNow instance."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.chaos.adapters import Act, Found
from tests.chaos.adapters._clock import WallClock
from tests.chaos.adapters._notes import note_of
from tests.chaos.mischief import CERTAIN_AFTER_S, TIMEOUT_S, USUAL, Mischief
from tests.simulators.http import Request, serving
from tests.simulators.servicenow import INTEGRATION, Instance
from tests.simulators.servicenow_faults import SERVICENOW_COMMITTED, SERVICENOW_LOST
from tests.simulators.servicenow_refusal import Refused
from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._servicenow_records import INCIDENT_STATES

FAULTS: Final = (*USUAL, *SERVICENOW_LOST, *SERVICENOW_COMMITTED)
ACTS: Final = tuple(Act)
_TABLE: Final = "/api/now/table/incident"
_STATES: Final = {"incident": INCIDENT_STATES, "problem": {"101": TicketState.OPEN, "102": TicketState.IN_PROGRESS}}


class ServiceNowDesk:
    has_wire = True

    def __init__(self, instance: Instance, secret: Path) -> None:
        self._instance = instance
        self._secret = secret
        self._person = instance.person()

    def settings(self) -> str:
        return (
            f"{{type: servicenow, url: '{self._instance.url}', timeout: {TIMEOUT_S:g}s, "
            f"certain_after: {CERTAIN_AFTER_S * 1000:.0f}ms, sync: 1s, reopen_after: 2s, "
            f"auth: {{username: {INTEGRATION[0]}, password: {{file: '{self._secret}'}}}}, "
            "fields: {assignment_group: Network, category: network}}"
        )

    def tickets(self) -> list[Found]:
        return [
            Found(
                ref=row["sys_id"],
                key=row["correlation_id"],
                state=states[row["state"]],
                notes=tuple(map(note_of, self._instance.notes(row["sys_id"]))),
                assignee=row["assigned_to"],
                links=tuple(filter(None, (row.get("problem_id"), row.get("parent_incident")))),
            )
            for table, states in _STATES.items()
            for row in self._instance.rows(table)
        ]

    def act(self, act: Act, ref: str, text: str) -> bool:
        person = self._person
        state = INCIDENT_STATES[self._instance.row("incident", ref)["state"]]
        # What has ended takes changes, and drops them; only what is resolved can be reopened.
        if state in (TicketState.CLOSED, TicketState.CANCELLED) or (act is Act.REOPEN) > (
            state is TicketState.RESOLVED
        ):
            return False
        try:
            match act:
                case Act.ASSIGN:
                    person.assign(ref, "Network")
                case Act.RESOLVE:
                    person.resolve(ref)
                case Act.CANCEL:
                    person.cancel(ref)
                case Act.CLOSE:
                    person.close(ref)
                case Act.REOPEN:
                    person.reopen(ref)
                case Act.COMMENT:
                    person.note(ref, text)
        except Refused:
            return False
        return True

    def disturb(self, seconds: float) -> None:
        """Its requests are disturbed."""


def _looks(request: Request) -> bool:
    """Tickets are listed: whatever is done to them now is seen before anything is written."""
    return request.method == "GET" and request.path == _TABLE


@contextmanager
def open_desk(folder: Path, mischief: Mischief) -> Iterator[ServiceNowDesk]:
    secret = folder / "secret"
    secret.write_text(INTEGRATION[1])
    clock = WallClock()
    instance = Instance(clock, seed=1)
    mischief.looks = _looks
    with serving(instance, mischief, clock=clock) as server:
        instance.server = server
        yield ServiceNowDesk(instance, secret)
