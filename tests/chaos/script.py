"""What a seed decides: which targets go down and come back when, and at which points of its work the daemon dies."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from random import Random
from typing import Final

LONGEST_S: Final = 2.0  # a life whose end does not come by itself, from when the daemon has started


class Death(Enum):
    """At which point the daemon is killed."""

    AT_START = auto()  # some ms after it was begun
    AT_WORK = auto()  # some ms after it has started
    AT_REQUEST = auto()  # a request of its has come, and is answered as ever
    BEFORE_COMMIT = auto()  # a request of its has come; it is never done, or done a while later
    AFTER_COMMIT = auto()  # a request of its is done, and not answered


@dataclass(frozen=True, slots=True)
class Flip:
    """A target goes down or comes back, so many seconds after the daemon has started."""

    at_s: float
    target: int


@dataclass(frozen=True, slots=True)
class Life:
    """One run of the daemon. `after_s`: until it is killed, where a time decides: since it was begun, or since it has
    started. `nth`: at which of its requests it is killed, where a request decides. `late_s`: when a request that
    was not done is done after all; `None`: never."""

    flips: Sequence[Flip]
    death: Death
    after_s: float
    nth: int
    late_s: float | None


@dataclass(frozen=True, slots=True)
class Script:
    """`rate`: which share of the requests meets a fault: what hides behind many shows with few. `down`: the targets
    that are down in the end."""

    seed: int
    rate: float
    lives: Sequence[Life]
    down: frozenset[int]


def write(seed: int, kills: int, targets: int, *, has_wire: bool) -> Script:
    """The script of a seed.

    Args:
        kills: how many lives there are.
        has_wire: whether the backend is asked by requests that somebody can look at.
    """
    chance = Random(seed)
    deaths = list(Death) if has_wire else [Death.AT_START, Death.AT_WORK]
    weights = [1, 2, 2, 3, 3][: len(deaths)]
    lives = []
    for _ in range(kills):
        flips = [
            Flip(chance.uniform(0, LONGEST_S) * chance.random(), chance.randrange(targets))
            for _ in range(chance.choice((0, 1, 3, 3, 6, 10)))
        ]
        [death] = chance.choices(deaths, weights)
        lives.append(
            Life(
                flips=sorted(flips, key=lambda flip: flip.at_s),
                death=death,
                after_s=chance.uniform(0.0, 0.9) if death is Death.AT_START else chance.uniform(0.1, 1.5),
                nth=min(chance.randint(1, 30), chance.randint(1, 30)),
                late_s=chance.choice((None, 0.0, 1.5, 2.5)),
            )
        )
    down = frozenset(chance.sample(range(targets), targets // 3))
    return Script(seed, chance.uniform(0.1, 0.3), lives, down)
