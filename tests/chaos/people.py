"""People at work on tickets while the daemon is killed around them, and what they may expect to be left as it is."""

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random
from threading import Lock
from time import time_ns
from typing import Final

from tests.chaos.adapters import Act, Desk, Found

_SHARE: Final = 0.5  # of the looks at tickets, while which somebody does something


@dataclass(frozen=True, slots=True)
class Deed:
    """What somebody did to the ticket of a key."""

    key: str
    act: Act
    text: str
    at_ms: int


class People:
    """They act when they are visited, at random, until they have done enough.

    Args:
        not_theirs: the keys of the tickets that they leave alone.
    """

    def __init__(
        self,
        desk: Desk,
        acts: Sequence[Act],
        enough: int,
        chance: Random,
        not_theirs: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._desk, self._acts, self._enough, self._chance = desk, acts, enough, chance
        self._not_theirs = not_theirs
        self._lock = Lock()
        self._deeds: list[Deed] = []
        self._home = False

    def visit(self) -> None:
        """Somebody may do something to a ticket."""
        with self._lock:
            if self._home or self.is_tired or self._chance.random() >= _SHARE:
                return
            others = self._not_theirs()
            if tickets := [ticket for ticket in self._desk.tickets() if ticket.key not in others]:
                # The newest are most likely to be in trouble still.
                self._act(self._chance.choice(tickets[-12:]))

    def go_home(self) -> None:
        """Nobody does anything any more."""
        with self._lock:
            self._home = True

    @property
    def is_tired(self) -> bool:
        """Whether enough was done."""
        return len(self._deeds) >= self._enough

    @property
    def deeds(self) -> Sequence[Deed]:
        """What was done, in its order."""
        return self._deeds

    def by_key(self) -> dict[str, list[Deed]]:
        found = defaultdict(list)
        for deed in self._deeds:
            found[deed.key].append(deed)
        return found

    def _act(self, ticket: Found) -> None:
        act = self._chance.choice(self._acts)
        text = f"This is remark {len(self._deeds)}." if act is Act.COMMENT else ""
        if self._desk.act(act, ticket.ref, text):
            self._deeds.append(Deed(ticket.key, act, text, time_ns() // 1_000_000))
