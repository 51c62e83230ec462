"""How long services run between failures, and how often the same trouble comes again: since the start."""

from collections import OrderedDict
from typing import Final, NamedTuple

from watchkeeper.domain.incident import Incident

REPEAT_MS: Final = 7 * 86_400_000
_MOST: Final = 10_000  # services and keys that are remembered, those that failed last


class Since(NamedTuple):
    """What went before an incident. `failure_s`: since the service's last one began; `None` where none is known.
    `is_repeat`: whether one of the same key began within a week before."""

    failure_s: float | None
    is_repeat: bool


class Between:
    """When what failed last. An incident that takes the place of another is told like any other."""

    def __init__(self) -> None:
        self._services: OrderedDict[str, int] = OrderedDict()
        self._keys: OrderedDict[str, int] = OrderedDict()

    def opened(self, incident: Incident) -> Since:
        """Takes in an incident that was opened."""
        began_ms = incident.started_ms
        last_ms, same_ms = _put(self._services, incident.service, began_ms), _put(self._keys, incident.key, began_ms)
        failure_s = None if last_ms is None else max(0, began_ms - last_ms) / 1000
        return Since(failure_s, same_ms is not None and began_ms - same_ms <= REPEAT_MS)


def _put(known: "OrderedDict[str, int]", name: str, at_ms: int) -> int | None:
    before = known.pop(name, None)
    known[name] = at_ms
    if len(known) > _MOST:
        known.popitem(last=False)
    return before
