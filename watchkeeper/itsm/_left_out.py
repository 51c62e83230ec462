"""What tickets were made without: a field that may not be written, a value that is not taken."""

from collections.abc import Sequence
from typing import Final

import structlog

from watchkeeper.itsm.base import Finding

_MAX_KEPT: Final = 20

_log = structlog.get_logger("delivery")


class LeftOut:
    """Each thing is told in the log when it is left out first, and by every self-test after that. Systems do not say
    so themselves, and the ticket is there all the same.

    Args:
        backend: its name in the configuration.
        event: what the log calls it.
    """

    def __init__(self, backend: str, event: str = "ticket_incomplete") -> None:
        self._backend = backend
        self._event = event
        self._kept: dict[str, str] = {}

    def note(self, what: str, text: str) -> None:
        """Something was left out. `text`: where, why, and what to ask for."""
        if what not in self._kept:
            if len(self._kept) == _MAX_KEPT:
                return
            _log.warning(self._event, backend=self._backend, text=text)
        self._kept[what] = text

    def clear(self, what: str) -> None:
        """It was stored this time."""
        self._kept.pop(what, None)

    def findings(self) -> Sequence[Finding]:
        return [Finding(text) for text in self._kept.values()]
