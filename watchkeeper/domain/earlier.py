"""Earlier incidents of the same trouble, as many as a ticket tells of."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from watchkeeper.domain.incident import Incident, incident_number

MOST_KEYS: Final = 10_000
MOST_OF_A_KEY: Final = 3


class Earlier(NamedTuple):
    """An incident that is over. `ticket_number`: empty where it is not known."""

    id: int
    started_ms: int
    resolved_ms: int
    ticket_number: str = ""

    @property
    def number(self) -> str:
        """What people call it: `INC-12`."""
        return incident_number(self.id)


class EarlierIncidents:
    """The last incidents of each key. The keys that have had none for the longest time are forgotten.

    Args:
        known: by key, the newest first; the keys in the order of their newest.
    """

    def __init__(self, known: Mapping[str, Sequence[Earlier]]) -> None:
        self._of_key = {key: tuple(found[:MOST_OF_A_KEY]) for key, found in list(known.items())[-MOST_KEYS:]}

    def of(self, key: str) -> tuple[Earlier, ...]:
        """Those of a key, the newest first."""
        return self._of_key.get(key, ())

    def add(self, incident: Incident) -> None:
        """Takes in an incident that is over now."""
        if incident.resolved_ms is None:
            return
        newest = Earlier(incident.id, incident.started_ms, incident.resolved_ms, incident.ticket_number)
        before = self._of_key.pop(incident.key, ())
        self._of_key[incident.key] = (newest, *before)[:MOST_OF_A_KEY]
        if len(self._of_key) > MOST_KEYS:
            del self._of_key[next(iter(self._of_key))]
