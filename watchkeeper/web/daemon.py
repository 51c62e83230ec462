"""What the pages ask of the daemon."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of reading the configuration again. Without problems it is in force; with any, nothing changed.

    `fault`: watchkeeper itself failed, and `text` says how.
    """

    problems: Sequence[str]
    text: str
    fault: bool = False


class Daemon(Protocol):
    def metrics(self) -> AsyncIterator[str]:
        """The metrics in Prometheus's text format, in pieces."""

    def status(self) -> Mapping[str, Any]:
        """What `web.status` makes of how the daemon is, as JSON has it. Waits for nobody."""

    def unready(self) -> Sequence[str]:
        """What keeps the daemon from doing its work, in words. Empty: it is ready."""

    async def reload(self) -> Reload: ...
