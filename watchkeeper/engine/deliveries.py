"""One delivery for each backend of the configuration, as it changes."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import structlog

from watchkeeper.domain.incident import Incident
from watchkeeper.engine.delivery import Delivery
from watchkeeper.store.outbox import OutboxDepth, OutboxState

_log = structlog.get_logger("delivery")


class Deliveries:
    """All deliveries.

    Args:
        make: makes the delivery of a backend's name and settings.
    """

    def __init__(self, make: Callable[[str, Any], Delivery]) -> None:
        self._make = make
        self._settings: dict[str, Any] = {}
        self._deliveries: dict[str, Delivery] = {}
        self._former: dict[str, Delivery] = {}  # of each name the last one that was told to end

    def __iter__(self) -> Iterator[str]:
        """The names of the backends."""
        return iter(self._deliveries)

    @property
    def last_outcomes(self) -> Mapping[str, str]:
        """What came of the last command at each backend; empty before the first."""
        return {name: delivery.last_outcome for name, delivery in self._deliveries.items()}

    @property
    def refusing(self) -> Mapping[str, str]:
        """Why those backends are not asked now that did not answer as they should."""
        circuits = {name: delivery.circuit for name, delivery in self._deliveries.items()}
        return {name: circuit.reason for name, circuit in circuits.items() if circuit.is_open}

    def wake(self, backends: set[str]) -> None:
        """There may be something to do at these."""
        for name in backends:
            if (delivery := self._deliveries.get(name)) is not None:
                delivery.wake()

    def revise(self, backends: Mapping[str, Any]) -> None:
        """Takes on other backends, by name. Those that stay as they are go on. The others finish the command under
        way and end; whoever takes their place begins after that, however long it takes: a command must never be in
        two hands.

        Raises:
            Exception: a backend can not be made. Then nothing has changed.
        """
        made = {
            name: self._make(name, settings)
            for name, settings in backends.items()
            if name not in self._settings or self._settings[name] != settings
        }
        for name in self._deliveries.keys() - (backends.keys() - made.keys()):
            self._former[name] = self._deliveries.pop(name)
            self._former[name].stop()
        self._settings = dict(backends)
        for name, delivery in made.items():
            self._deliveries[name] = delivery
            delivery.begin(after=self._former.get(name))

    def tell_missing(
        self, depths: Iterable[OutboxDepth], open_incidents: Iterable[Incident], open_problems: Iterable[str] = ()
    ) -> None:
        """Says which backends the configuration has not, but the outbox, open incidents or open problems wait for.

        Args:
            open_problems: the backend of each.
        """
        commands: Counter[str] = Counter()
        for depth in depths:
            if depth.state in (OutboxState.WAITING, OutboxState.IN_FLIGHT):
                commands[depth.backend] += depth.count
        incidents = Counter(incident.backend for incident in open_incidents)
        problems = Counter(open_problems)
        for name in sorted((commands.keys() | incidents.keys() | problems.keys()) - self._settings.keys()):
            _log.warning(
                "backend_missing",
                backend=name,
                commands=commands[name],
                open_incidents=incidents[name],
                open_problems=problems[name],
                advice=f"put {name!r} back under itsm.backends until they are done: no other backend gets them",
            )

    async def end(self, within_s: float) -> None:
        """Has all of them finish the command under way, at the same time."""
        everyone = [*self._deliveries.values(), *self._former.values()]
        await asyncio.gather(*(asyncio.to_thread(delivery.end, within_s) for delivery in everyone))
