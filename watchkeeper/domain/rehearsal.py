"""A rehearsal: rules under a clock that is moved by hand, and everything that comes of it.

Rule tests and replays of history hand it samples; it hands them to the same `Watch` that the daemon uses.
"""

from collections.abc import Iterable

from watchkeeper.domain.alert import Alert, AlertState
from watchkeeper.domain.effect import Effect, IncidentChanged
from watchkeeper.domain.incident import Incident
from watchkeeper.domain.probe import Sample
from watchkeeper.domain.ticket import Command
from watchkeeper.domain.watch import Plan, Watch


class Rehearsal:
    """What a plan would make of samples.

    Args:
        start_ms: when watching begins.

    Attributes:
        incidents: all that were ever opened, by their number, as they are now.
        commands: what would have been asked of the ticket systems, in order.
    """

    def __init__(self, plan: Plan, start_ms: int) -> None:
        self.now_ms = start_ms
        self.watch = Watch(plan)
        self.incidents: dict[int, Incident] = {}
        self.commands: list[Command] = []
        self._note(self.watch.revise(plan, start_ms))

    def observe(self, sample: Sample) -> None:
        """Hands on a sample. Samples come in the order of their times."""
        self.now_ms = sample.at_ms
        if effects := self.watch.observe(sample):
            self._note(effects)

    def advance(self, to_ms: int) -> None:
        """Lets time pass without a sample."""
        self.now_ms = to_ms
        self._note(self.watch.advance(to_ms))

    def alerts(self) -> list[Alert]:
        """Those that are not inactive, ordered by rule and probe."""
        bindings = (binding for subject in self.watch.subjects.values() for binding in subject.bindings)
        active = [binding.alert for binding in bindings if binding.alert.state is not AlertState.INACTIVE]
        return sorted(active, key=lambda alert: alert.ref)

    def _note(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, IncidentChanged):
                self.incidents[effect.incident.id] = effect.incident
            elif isinstance(effect, Command):
                self.commands.append(effect)
