"""Which windows were in force: followed while they are, so that what is planned later changes nothing of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from watchkeeper.domain.concerned import Concerned
from watchkeeper.domain.expected import Because, Window


class Key(NamedTuple):
    """Which window; of those that come again, each has the same."""

    because: Because
    backend: str
    ref: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A window that was in force from an instant until before another, and what it was about then."""

    key: Key
    from_ms: int
    to_ms: int
    number: str
    title: str
    about: Concerned


@dataclass
class Follower:
    """Follows windows while time passes.

    `open`: those that were in force at the last look. `since_ms`: when that was. Before the first one, what was kept
    before, and when somebody was last there to look.
    """

    open: dict[Key, Kept]
    since_ms: int
    _listed: set[tuple[Key, int]] = field(default_factory=set)  # that were not over
    _is_first: bool = True

    def follow(self, windows: Iterable[Window], about: Callable[[Window], Concerned], now_ms: int) -> list[Kept]:
        """What is to be kept of the windows that are known now: those that began, and those that end otherwise than
        was kept. A window that becomes known after its beginning is in force from then on; during a time when nobody
        looked, from its beginning."""
        listed = [window for window in windows if window.because is not Because.SILENCE]
        current = {
            key_of(window): window for window in listed if window.from_ms <= now_ms and window.to_ms > self.since_ms
        }
        changed: list[Kept] = []
        for key, window in current.items():
            changed += self._go_on(key, window, about(window), now_ms)
        ends = {(key_of(window), window.from_ms): window.to_ms for window in listed}
        for key in self.open.keys() - current.keys():
            kept = self.open.pop(key)
            # Of windows that come again, the one that it was.
            told = [(from_ms, to_ms) for (other, from_ms), to_ms in ends.items() if other == key]
            mine = max((one for one in told if one[0] <= kept.from_ms), default=(0, now_ms))
            to_ms = min(kept.to_ms, now_ms, mine[1])
            if to_ms < kept.to_ms:
                changed.append(replace(kept, to_ms=max(kept.from_ms, to_ms)))
        self._listed = {named for named, to_ms in ends.items() if to_ms > now_ms}
        self.since_ms, self._is_first = now_ms, False
        return changed

    def _go_on(self, key: Key, window: Window, about: Concerned, now_ms: int) -> Iterable[Kept]:
        kept = self.open.get(key)
        begin = window.from_ms
        if kept is not None:
            is_over = kept.to_ms < min(now_ms, window.to_ms)  # and is made longer only now
            if kept.about == about and window.from_ms <= kept.from_ms < window.to_ms and not is_over:
                if kept.to_ms != window.to_ms:
                    self.open[key] = replace(kept, to_ms=window.to_ms)
                    yield self.open[key]
                return
            del self.open[key]
            begin = max(begin, now_ms)
            if kept.to_ms > (end := max(kept.from_ms, min(now_ms, kept.to_ms))):
                yield replace(kept, to_ms=end)
        if (key, window.from_ms) not in self._listed:
            begin = max(begin, self.since_ms if self._is_first else now_ms)
        if begin < window.to_ms and (about.services or about.probes):
            self.open[key] = Kept(key, begin, window.to_ms, window.id, window.title, about)
            yield self.open[key]


def key_of(window: Window) -> Key:
    """Which window it is."""
    return Key(window.because, window.backend, window.ref or window.id)
