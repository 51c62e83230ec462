"""One delivery for each backend of the configuration, as it changes."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from watchkeeper.engine.delivery import Delivery

CHANGE_S: Final = 90.0  # how long a backend that is replaced may take for the command under way


class Deliveries:
    """All deliveries.

    Args:
        make: makes the delivery of a backend's name and settings.
    """

    def __init__(self, make: Callable[[str, Any], Delivery]) -> None:
        self._make = make
        self._settings: dict[str, Any] = {}
        self._deliveries: dict[str, Delivery] = {}

    def __iter__(self) -> Iterator[str]:
        """The names of the backends."""
        return iter(self._deliveries)

    def wake(self, backends: set[str]) -> None:
        """There may be something to do at these."""
        for name in backends:
            if (delivery := self._deliveries.get(name)) is not None:
                delivery.wake()

    async def revise(self, backends: Mapping[str, Any]) -> None:
        """Takes on other backends, by name. Those that stay as they are go on; others finish what they are at first:
        a command must never be in two hands."""
        for name, settings in list(self._settings.items()):
            if backends.get(name) != settings:
                del self._settings[name]
                await asyncio.to_thread(self._deliveries.pop(name).end, CHANGE_S)
        for name, settings in backends.items():
            if name not in self._settings:
                self._settings[name] = settings
                delivery = self._deliveries[name] = self._make(name, settings)
                delivery.begin()

    async def end(self, within_s: float) -> None:
        """Has all of them finish the command under way, at the same time."""
        ends = (asyncio.to_thread(delivery.end, within_s) for delivery in self._deliveries.values())
        await asyncio.gather(*ends)
