"""What a probe's recent samples were, as far back as any rule asks.

A window of length W at time T holds what happened in (T - W, T].
"""

from collections.abc import Iterable, Mapping
from math import isnan

from watchkeeper.domain.probe import Sample, Status
from watchkeeper.domain.ring import Ring, Stretch
from watchkeeper.domain.statistics import Points, Unanswerable
from watchkeeper.domain.streak import LastChange, Streak, change_of, changing, lasting, streak_of
from watchkeeper.domain.units import format_duration_ms

__all__ = ("DURATION", "EMPTY", "UP", "Points", "Unanswerable", "Window")

DURATION = "duration"  # the name under which a run's duration stands beside the prober's values
UP = "up"  # likewise, 1 of a run that was up and 0 of one that was down


class Window:
    """What rules ask about of one probe.

    `spans_ms`: what they ask about, to how far back the longest goes: the name of a series, or what `streak_of` or
    `change_of` gives.

    `awaited`: that of which the history is still to come. Until it is there, it has no answers: what a rule would
    say of an hour of which a minute is known is no answer.
    """

    __slots__ = ("_others", "_rings", "_short", "awaited")

    def __init__(self, spans_ms: Mapping[str, int]) -> None:
        self._rings: dict[str, Ring] = {}
        self._others: dict[str, Streak | LastChange] = {}
        self._short: tuple[str, ...] = ()  # of which less was kept than is asked for now
        self.awaited: Mapping[str, int] = {}
        for name, span_ms in spans_ms.items():
            if (status := lasting(name)) is not None:
                self._others[name] = Streak(status, span_ms)
            elif (changed := changing(name)) is not None:
                self._others[name] = LastChange(changed, span_ms)
            else:
                self._rings[name] = Ring(span_ms)

    def await_history(self, still: Iterable[str] = ()) -> None:
        """From now on the history of all is to come that is not there already, or that `still` names."""
        awaited = {*self._short, *still}
        parts = (*self._rings.items(), *self._others.items())
        self.awaited = {name: part.span_ms for name, part in parts if name in awaited or not part}

    def fill(self, history: Mapping[str, Points]) -> None:
        """Takes in the history that was awaited: of each as much as there is, which may be nothing."""
        for name, points in history.items():
            if (ring := self._rings.get(name)) is not None:
                ring.put_before(points)
            elif (other := self._others.get(name)) is not None:
                other.fill(points)
        self.awaited = {}
        self._short = ()

    def append(self, sample: Sample) -> None:
        """Takes in a sample. What is unknown says nothing and is left out."""
        if sample.status is Status.UNKNOWN:
            return
        for name, ring in self._rings.items():
            if name == UP:
                value: float | None = 1.0 if sample.status is Status.UP else 0.0
            elif name == DURATION:
                value = sample.duration_s
            else:
                value = sample.values.get(name)
            if value is not None and not isnan(value):
                ring.append(sample.at_ms, value)
        for other in self._others.values():
            other.append(sample)

    def keep(self, older: "Window") -> None:
        """Takes over what a window knows that this one replaces, where both look at the same."""
        for name, ring in self._rings.items():
            if (before := older._rings.get(name)) is not None:
                self._rings[name] = before.copy(ring.span_ms)
                if ring.span_ms > before.span_ms:
                    self._short += (name,)
        for name, other in self._others.items():
            if (known := older._others.get(name)) is not None:
                self._others[name] = known.copy(other.span_ms)
                if other.span_ms > known.span_ms:
                    self._short += (name,)

    def stretch(self, name: str, span_ms: int, now_ms: int, at_least: int = 1) -> Stretch:
        """The points of one series in (now - span, now].

        Raises:
            Unanswerable: there are fewer than `at_least`.
        """
        if self.awaited and name in self.awaited:
            raise Unanswerable(f"the history of {name!r} is not read yet")
        ring = self._rings.get(name)
        found = (ring or _NOTHING).stretch(now_ms - span_ms, now_ms)
        if len(found) < at_least:
            raise Unanswerable(
                f"{len(found)} samples of {name!r} in the last {format_duration_ms(span_ms)}, {at_least} needed"
            )
        return found

    def points(self, name: str, span_ms: int, now_ms: int, at_least: int = 1) -> Points:
        """The points of `stretch`.

        Raises:
            Unanswerable: there are fewer than `at_least`.
        """
        return self.stretch(name, span_ms, now_ms, at_least).points

    def in_a_row(self, status: Status) -> int:
        """How many runs in a row, up to the last, had a status, as far as they are counted. Unknown ones neither
        count nor break.

        Raises:
            Unanswerable: it is not counted, or its history is not read yet.
        """
        streak = self._other(streak_of(status), f"how long it was {status} before")
        assert isinstance(streak, Streak)
        return streak.count

    def changed(self, name: str, span_ms: int, now_ms: int) -> bool:
        """Whether a value, a fact or `status` differs between any two successive samples in (now - span, now].

        Raises:
            Unanswerable: no sample there has it, or its history is not read yet.
        """
        change = self._other(change_of(name), f"the history of {name!r}")
        assert isinstance(change, LastChange)
        return change.within(now_ms - span_ms, now_ms)

    def _other(self, name: str, what: str) -> Streak | LastChange:
        if name in self.awaited:
            raise Unanswerable(f"{what} is not read yet")
        if (found := self._others.get(name)) is None:
            raise Unanswerable(f"{what} is not kept")
        return found


_NOTHING = Ring(1)
EMPTY = Window({})
