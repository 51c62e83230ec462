"""Alerts that fire, and how each stands: part of an incident, or held back and why."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.dependencies import Dependencies
from watchkeeper.domain.expected import Because, Labelled, Window
from watchkeeper.domain.rule import Rule, Scope, Severity, is_cause, is_explained

_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Standing(StrEnum):
    """What becomes of an alert that fires."""

    GATHERING = "gathering"  # it waits for what comes with it
    EXPECTED = "expected"  # it is silenced, or planned
    EXPLAINED = "explained"  # something upstream is down
    MEMBER = "member"  # it is part of an incident


class Firing:
    """An alert that fires. `key`: of the incident that it is, or would be, part of. `ripe_ms`: until when it gathers.
    `window`: what it is expected by. `explained_by`: the key of the open incident that tells of it, `None` while its
    cause has none.

    `scope` is what was seen when it fired; `None` when that was before a restart. `held_by`: the window that covered
    it last. `teller`: the number of the incident that told of it last.
    """

    __slots__ = (
        "alert",
        "explained_by",
        "held_by",
        "is_cause",
        "is_explained",
        "key",
        "labelled",
        "ripe_ms",
        "scope",
        "standing",
        "teller",
        "window",
    )

    def __init__(self, alert: Alert, labelled: Labelled, key: str, scope: Scope | None) -> None:
        self.alert = alert
        self.labelled = labelled
        self.key = key
        self.scope = scope
        self.is_cause = is_cause(labelled.rule, labelled.probe)
        self.is_explained = is_explained(labelled.rule, labelled.probe)
        self.standing = Standing.GATHERING
        self.ripe_ms = 0
        self.window: Window | None = None
        self.explained_by: str | None = None
        self.held_by: Window | None = None
        self.teller = ""

    @property
    def ref(self) -> AlertRef:
        return self.alert.ref

    @property
    def rule(self) -> Rule:
        return self.labelled.rule

    @property
    def order(self) -> tuple[int, str, AlertRef]:
        """The most important come first."""
        return _RANK[self.rule.severity], self.key, self.ref

    @property
    def explains(self) -> bool:
        """Whether it explains trouble downstream now. What is silenced does not: nobody said that more is to fail."""
        silenced = self.standing is Standing.EXPECTED and self.window and self.window.because is Because.SILENCE
        return self.is_cause and not silenced


class FiringAlerts:
    """All alerts that fire, found by what they are upstream and downstream of."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies = dependencies
        self._all: dict[AlertRef, Firing] = {}
        self._of_probe: dict[str, dict[AlertRef, Firing]] = {}
        self._of_service: dict[str, dict[AlertRef, Firing]] = {}
        self._explaining_probe: dict[str, dict[AlertRef, Firing]] = {}  # those that explain others now
        self._explaining_service: dict[str, dict[AlertRef, Firing]] = {}

    def __iter__(self) -> Iterator[Firing]:
        return iter(self._all.values())

    def __len__(self) -> int:
        return len(self._all)

    def get(self, ref: AlertRef) -> Firing | None:
        """The alert, if it fires."""
        return self._all.get(ref)

    def add(self, one: Firing) -> None:
        """Takes in an alert that fires from now on."""
        self._all[one.ref] = one
        _put(one, self._of_probe, self._of_service)
        self.note(one)

    def note(self, one: Firing) -> None:
        """To be called whenever an alert stands in another way: it may explain others from now on, or no longer."""
        change = _put if one.explains else _take
        change(one, self._explaining_probe, self._explaining_service)

    def remove(self, ref: AlertRef) -> None:
        """Forgets an alert that does no longer fire."""
        if (one := self._all.pop(ref, None)) is not None:
            _take(one, self._of_probe, self._of_service)
            _take(one, self._explaining_probe, self._explaining_service)

    def causes_of(self, one: Firing) -> Iterator[Firing]:
        """What explains an alert now: what is down upstream of it. The probe's parents come first."""
        probe, service = one.labelled.probe.id, one.labelled.service.id
        if one.rule.incident.inhibited is not False:
            yield from _within(self._explaining_probe, self._dependencies.probes_above(probe))
        if one.is_explained:
            yield from _within(self._explaining_service, self._dependencies.services_above(service))

    def below(self, cause: Firing) -> list[Firing]:
        """The alerts that a cause explains, by itself or like others."""
        return self._below(cause, by_probe=True, by_service=True)

    def below_alone(self, cause: Firing) -> list[Firing]:
        """Those of them that nothing else on the same probe, or else in the same service, explains as well."""
        probe, service = cause.labelled.probe.id, cause.labelled.service.id
        by_probe = not self._explaining_probe.get(probe, {}).keys() - {cause.ref}
        by_service = not self._explaining_service.get(service, {}).keys() - {cause.ref}
        return self._below(cause, by_probe=by_probe, by_service=by_service)

    def reaches(self, cause: Firing) -> tuple[str, str]:
        """What decides what a cause explains. Empty texts where it explains nothing."""
        probe, service = cause.labelled.probe.id, cause.labelled.service.id
        has_probes = bool(self._dependencies.probes_below(probe))
        has_services = bool(self._dependencies.services_below(service))
        return probe if has_probes else "", service if has_services else ""

    def _below(self, cause: Firing, *, by_probe: bool, by_service: bool) -> list[Firing]:
        found: dict[AlertRef, Firing] = {}
        if by_probe:
            names = self._dependencies.probes_below(cause.labelled.probe.id)
            inhibited = (one for one in _within(self._of_probe, names) if one.rule.incident.inhibited is not False)
            found |= {one.ref: one for one in inhibited}
        if by_service:
            names = self._dependencies.services_below(cause.labelled.service.id)
            found |= {one.ref: one for one in _within(self._of_service, names) if one.is_explained}
        return list(found.values())


_Index = dict[str, dict[AlertRef, Firing]]


def _put(one: Firing, by_probe: _Index, by_service: _Index) -> None:
    by_probe.setdefault(one.labelled.probe.id, {})[one.ref] = one
    by_service.setdefault(one.labelled.service.id, {})[one.ref] = one


def _take(one: Firing, by_probe: _Index, by_service: _Index) -> None:
    for index, name in ((by_probe, one.labelled.probe.id), (by_service, one.labelled.service.id)):
        if (found := index.get(name)) is not None:
            found.pop(one.ref, None)
            if not found:
                del index[name]


def _within(index: _Index, names: frozenset[str]) -> Iterator[Firing]:
    return (one for name in sorted(names & index.keys()) for one in index[name].values())
