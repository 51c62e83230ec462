"""Which window covers an alert, of all that there are now."""

from collections.abc import Iterator, Sequence
from typing import Final

from watchkeeper.domain.expected import Because, Labelled, Window

_NEVER: Final = 1 << 62


class Covering:
    """Windows in which trouble is expected, those that are over included."""

    def __init__(self, windows: Sequence[Window] = ()) -> None:
        self._windows = windows
        self._changes_ms = 0  # until then these are on:
        self._of_service: dict[str, list[Window]] = {}  # those of services alone, by their names
        self._elsewhere: list[Window] = []

    def next_change_ms(self, now_ms: int) -> int | None:
        """When the next one begins or ends."""
        return min(self._boundaries(now_ms), default=None)

    def window_of(self, labelled: Labelled, now_ms: int) -> Window | None:
        """The window that covers an alert now, of several the one that ends last."""
        if now_ms >= self._changes_ms:
            self._sort(now_ms)
        candidates = (self._elsewhere, self._of_service.get(labelled.service.id, ()))
        covering = [window for found in candidates for window in found if window.selection(labelled)]
        return max(covering, key=_by_end, default=None)

    def change_before(self, labelled: Labelled, began_ms: int, within_ms: int) -> Window | None:
        """The change in which, or so soon after which, trouble began, if there is one."""
        candidates = [
            window
            for window in self._windows
            if window.because is Because.CHANGE
            and window.from_ms <= began_ms < window.to_ms + within_ms
            and window.selection(labelled)
        ]
        return max(candidates, key=_by_end, default=None)

    def _sort(self, now_ms: int) -> None:
        self._changes_ms = min(self._boundaries(now_ms), default=_NEVER)
        self._of_service, self._elsewhere = {}, []
        for window in self._windows:
            if window.from_ms <= now_ms < window.to_ms:
                where = window.selection
                if where.services and not where.cis and not where.probes:
                    for service in where.services:
                        self._of_service.setdefault(service, []).append(window)
                else:
                    self._elsewhere.append(window)

    def _boundaries(self, after_ms: int) -> Iterator[int]:
        return (at for window in self._windows for at in (window.from_ms, window.to_ms) if at > after_ms)


def _by_end(window: Window) -> tuple[int, str]:
    return window.to_ms, window.id
