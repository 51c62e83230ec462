"""Times in which trouble is expected, and opens nothing: silences, maintenance, approved changes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Final

from watchkeeper.domain.probe import Probe
from watchkeeper.domain.regular import Regular, read_regular
from watchkeeper.domain.rule import Rule
from watchkeeper.domain.service import Service


class Because(StrEnum):
    """Why trouble is expected."""

    SILENCE = "silence"  # somebody said so
    MAINTENANCE = "maintenance"  # it is planned
    CHANGE = "change"  # a change was approved


class Operator(StrEnum):
    """Alertmanager's."""

    IS = "="
    IS_NOT = "!="
    MATCHES = "=~"
    MATCHES_NOT = "!~"


@lru_cache(maxsize=1024)
def _regular(text: str) -> Regular | None:
    """`None`: it is not accepted, and was stored when it was."""
    try:
        return read_regular(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _is_like(found: str, value: str) -> bool | None:
    regular = _regular(value)
    return None if regular is None else regular.is_all_of(found)


_ASK: Mapping[Operator, Callable[[str, str], bool]] = {
    Operator.IS: lambda found, value: found == value,
    Operator.IS_NOT: lambda found, value: found != value,
    Operator.MATCHES: lambda found, value: _is_like(found, value) is True,
    Operator.MATCHES_NOT: lambda found, value: _is_like(found, value) is False,
}


@dataclass(frozen=True, slots=True)
class Matcher:
    """What an alert must be like. `name`: `rule`, `probe`, `service`, `severity`, `category`, `prober`, `ci`, or one
    of the probe's labels. Regular expressions match the whole value, where it has up to 256 characters; what is not
    there is an empty text. One that is not accepted takes nothing, with `!~` too."""

    name: str
    operator: Operator
    value: str

    def __call__(self, alert: "Labelled") -> bool:
        return self.takes(alert.label(self.name))

    def takes(self, found: str) -> bool:
        """Whether what is found under its name agrees."""
        return _ASK[self.operator](found, self.value)

    def __str__(self) -> str:
        return f'{self.name}{self.operator}"{self.value}"'


@dataclass(frozen=True, slots=True)
class Labelled:
    """An alert, as matchers ask about it."""

    rule: Rule
    probe: Probe
    service: Service

    def label(self, name: str) -> str:
        """What is found under a name; empty where nothing is."""
        own = _OWN.get(name)
        return self.probe.labels.get(name, "") if own is None else own(self)


_OWN: Mapping[str, Callable[[Labelled], str]] = {
    "rule": lambda alert: alert.rule.id,
    "probe": lambda alert: alert.probe.id,
    "service": lambda alert: alert.service.id,
    "severity": lambda alert: alert.rule.severity.value,
    "category": lambda alert: alert.probe.category.value,
    "prober": lambda alert: alert.probe.prober,
    "ci": lambda alert: alert.service.ci,
}
OWN_NAMES: Final = tuple(_OWN)
"""The names that are not those of labels."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which alerts are meant: those of one of the services or CIs, or of a probe whose id is like one of `probes`,
    where any of these are named; and that agree with all matchers. One that names nothing means all."""

    services: frozenset[str] = frozenset()
    cis: frozenset[str] = frozenset()
    probes: tuple[str, ...] = ()
    matchers: tuple[Matcher, ...] = ()

    def __call__(self, alert: Labelled) -> bool:
        named = self.services or self.cis or self.probes
        return (not named or self._is_named(alert)) and all(matcher(alert) for matcher in self.matchers)

    def _is_named(self, alert: Labelled) -> bool:
        return (
            alert.service.id in self.services
            or (bool(alert.service.ci) and alert.service.ci in self.cis)
            or any(fnmatchcase(alert.probe.id, pattern) for pattern in self.probes)
        )


@dataclass(frozen=True, slots=True)
class Window:
    """One stretch of time, from `from_ms` until before `to_ms`, in which the trouble of a selection is expected.

    `id`: what people call it, such as `SIL-3`, `weekly-patch` or a change's number; of windows that come again, each
    has the same. `title`: what is going on. `backend`, `ref`: where a change was read from, and its id there.
    """

    because: Because
    id: str
    title: str
    from_ms: int
    to_ms: int
    selection: Selection
    backend: str = ""
    ref: str = ""
