"""When probes are due: a probe's place in its interval depends on its id alone, so no other probe moves it.

Probes of one interval are spread over it into slots, and all probes of a slot start together: a wake-up costs more
than a start. Times are ms since the epoch; a slot is due at those that leave its phase when divided by its interval.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

MIN_SLOT_MS: Final = 50
MAX_SLOT_MS: Final = 500  # of intervals that are not too long for it
MIN_SLOTS: Final = 10  # of one interval, where it is long enough
MAX_SLOTS: Final = 1200
SOON_MS: Final = 10_000  # a new probe does not wait longer than this for its first run


class Slot(NamedTuple):
    """Part of the probes of one interval: those that are due at `phase_ms` of every interval."""

    interval_ms: int
    phase_ms: int

    def last_due(self, now_ms: int) -> int:
        """The latest time not after `now_ms` at which the slot was due."""
        return now_ms - (now_ms - self.phase_ms) % self.interval_ms

    def next_due(self, now_ms: int) -> int:
        """The first time after `now_ms` at which the slot is due."""
        return self.last_due(now_ms) + self.interval_ms

    def first_delay(self, probe_id: str, now_ms: int) -> int | None:
        """How long a new probe waits for an early first run; `None` where its slot is due soon enough anyway."""
        if self.next_due(now_ms) - now_ms <= SOON_MS:
            return None
        return _spread(probe_id) % (SOON_MS // MAX_SLOT_MS) * MAX_SLOT_MS


def slot_of(probe_id: str, interval_ms: int) -> Slot:
    """The slot of a probe."""
    width = max(MIN_SLOT_MS, min(MAX_SLOT_MS, interval_ms // MIN_SLOTS), -(-interval_ms // MAX_SLOTS))
    count = max(1, interval_ms // width)
    return Slot(interval_ms, _spread(probe_id) % count * width)


def _spread(probe_id: str) -> int:
    return int.from_bytes(blake2b(probe_id.encode(), digest_size=8).digest())
