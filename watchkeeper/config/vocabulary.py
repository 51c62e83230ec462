"""The names and functions that rules and templates may use, and what they mean.

One table serves CEL (`when`) and Jinja2 (titles): declared types for the checks, and how to get each from a scope.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from math import inf
from typing import Any, Final, Protocol

from watchkeeper.domain.probe import Category, FactType, Status
from watchkeeper.domain.ring import Stretch
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.statistics import Line, Unanswerable, quantile, time_to
from watchkeeper.domain.streak import MOST, SPAN_MS, change_of, streak_of
from watchkeeper.domain.units import parse_duration_ms, utc
from watchkeeper.domain.window import UP
from watchkeeper.schema.base import Model

_MILLION: Final = 1_000_000
_VALUE: Final = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_MENTIONED: Final = re.compile(rf"\bvalues\s*\.\s*({_VALUE.pattern})(?!\w)|[\"']({_VALUE.pattern})[\"']", re.ASCII)
_STATUSES: Final = (Status.UP.value, Status.DOWN.value)


class ProberKind(Protocol):
    """What the configuration needs to know of a prober."""

    @property
    def name(self) -> str: ...
    @property
    def category(self) -> Category: ...
    @property
    def options(self) -> type[Model]: ...
    @property
    def values(self) -> Mapping[str, str]: ...
    @property
    def facts(self) -> Mapping[str, tuple[FactType, str]]: ...
    @property
    def open_values(self) -> str: ...
    @property
    def host(self) -> Callable[[Any], str]: ...


class Kind(StrEnum):
    """The type of a name."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    LABELS = "labels"


class Parameter(StrEnum):
    """What stands at a function's argument. All but numbers are literals, so that they can be checked."""

    SERIES = "series"  # the name of a value, or "duration"
    WINDOW = "window"  # a duration: "10m"
    NUMBER = "number"
    FACT = "fact"  # the name of a fact that is a time
    NAME = "name"  # the name of a value or a fact, or "status"
    STATUS = "status"  # "up" or "down"


@dataclass(frozen=True, slots=True)
class Name:
    kind: Kind
    get: Callable[[Scope], Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of rules. `call` gets the scope and the arguments, numbers as floats, everything else as text."""

    parameters: tuple[Parameter, ...]
    call: Callable[..., float | bool]
    meaning: str
    series: str | None = None  # the series it reads where no parameter names one
    least: int = 1  # how many points its window must hold for an answer
    low: float = -inf
    high: float = inf
    """An answer lies between these two, both included."""
    result: Kind = Kind.NUMBER

    def signature(self, name: str) -> str:
        return f"{name}({', '.join(self.parameters)})"


def _known(number: float) -> float | None:
    """Not a number is what the duration of a run is of which it was not kept."""
    return number if number == number else None  # noqa: PLR0124


def _plain(labels: Mapping[str, str]) -> dict[str, str]:
    """CEL takes no other mapping, such as the one that probes without labels share."""
    return labels if type(labels) is dict else dict(labels)


NAMES: Final[Mapping[str, Name]] = {
    "status": Name(Kind.TEXT, lambda s: s.sample.status.value, "up or down: a sample that is unknown is not judged"),
    "up": Name(Kind.BOOLEAN, lambda s: s.sample.status is Status.UP, "whether the status is up"),
    "duration": Name(Kind.NUMBER, lambda s: _known(s.sample.duration_s), "of the run, in seconds"),
    "message": Name(Kind.TEXT, lambda s: s.sample.message, "what the prober says of the run, in words"),
    "missed": Name(Kind.NUMBER, lambda s: float(s.sample.missed), "runs in a row that did not take place when due"),
    "now": Name(Kind.TIME, lambda s: utc(s.now_ms), "the time of the evaluation"),
    "labels": Name(Kind.LABELS, lambda s: _plain(s.probe.labels), "the probe's labels"),
    "probe.id": Name(Kind.TEXT, lambda s: s.probe.id, ""),
    "probe.prober": Name(Kind.TEXT, lambda s: s.probe.prober, ""),
    "probe.category": Name(Kind.TEXT, lambda s: s.probe.category.value, "health, capacity or backup"),
    "service.id": Name(Kind.TEXT, lambda s: s.service.id, ""),
    "service.title": Name(Kind.TEXT, lambda s: s.service.title, ""),
    "service.owner": Name(Kind.TEXT, lambda s: s.service.owner, ""),
    "service.criticality": Name(Kind.TEXT, lambda s: s.service.criticality.value, "high, medium or low"),
    "service.ci": Name(Kind.TEXT, lambda s: s.service.ci, "the configuration item"),
}

_KIND_OF_FACT: Final = {
    FactType.TEXT: Kind.TEXT,
    FactType.NUMBER: Kind.NUMBER,
    FactType.BOOLEAN: Kind.BOOLEAN,
    FactType.TIME: Kind.TIME,
}


def names_for(prober: ProberKind) -> dict[str, Name]:
    """All names that a rule on this prober's probes may use."""
    names = dict(NAMES)
    for value, meaning in prober.values.items():
        names[f"values.{value}"] = Name(Kind.NUMBER, _value_getter(value), meaning)
    for fact, (kind, meaning) in prober.facts.items():
        names[f"facts.{fact}"] = Name(_KIND_OF_FACT[kind], _fact_getter(fact), meaning)
    return names


def produces(prober: ProberKind, value: str) -> bool:
    """Whether samples of this prober may hold a value of this name."""
    return value in prober.values or (bool(prober.open_values) and _VALUE.fullmatch(value) is not None)


def names_in_text(prober: ProberKind, text: str) -> dict[str, Name]:
    """The values that an expression or template mentions, of a prober of which only the target knows them all."""
    if not prober.open_values:
        return {}
    mentioned = {found[1] or found[2] for found in _MENTIONED.finditer(text)} - prober.values.keys()
    return {
        f"values.{name}": Name(Kind.NUMBER, _value_getter(name), prober.open_values) for name in sorted(mentioned)
    }


def _value_getter(name: str) -> Callable[[Scope], Any]:
    return lambda scope: scope.sample.values.get(name)


def _fact_getter(name: str) -> Callable[[Scope], Any]:
    return lambda scope: scope.sample.facts.get(name)


@lru_cache(maxsize=4096)
def _span(text: str) -> int:
    return parse_duration_ms(text)


def parse_window_ms(text: str) -> int:
    """The length of a window, or how far ahead a prediction looks.

    Raises:
        ValueError: no duration, or none at all.
    """
    length = parse_duration_ms(text)
    if length == 0:
        raise ValueError(f"{text!r} is no time at all: a window must be longer")
    return length


def parse_status(text: str) -> Status:
    """A status that runs can have in a row.

    Raises:
        ValueError: it is none. Its text says which there are.
    """
    if text not in _STATUSES:
        raise ValueError(f"{text!r} is no status that runs have in a row: accepted are {' and '.join(_STATUSES)}")
    return Status(text)


def asked(function: Function, literals: Sequence[str | None]) -> tuple[str, int] | None:
    """What a call reads of the window and how far back, in ms: as far as its last window goes.

    Args:
        literals: the arguments, None for numbers.

    Raises:
        ValueError: one is wrong.
    """
    name, span_ms = function.series, 0
    for parameter, literal in zip(function.parameters, literals, strict=True):
        if literal is None:
            continue
        if parameter is Parameter.SERIES:
            name = literal
        elif parameter is Parameter.NAME:
            name = change_of(literal)
        elif parameter is Parameter.STATUS:
            name, span_ms = streak_of(parse_status(literal)), SPAN_MS
        elif parameter is Parameter.WINDOW:
            span_ms = parse_window_ms(literal)
    return None if name is None else (name, span_ms)


def _over(aggregate: Callable[[Stretch], float], at_least: int = 1) -> Callable[..., float]:
    def call(scope: Scope, series: str, window: str) -> float:
        return aggregate(scope.window.stretch(series, _span(window), scope.now_ms, at_least))

    return call


def _quantile(scope: Scope, q: float, series: str, window: str) -> float:
    return quantile(q, scope.window.stretch(series, _span(window), scope.now_ms).values)


def _downs(scope: Scope, window: str) -> tuple[float, int]:
    """How many samples of the window were down, and how many there are."""
    statuses = scope.window.stretch(UP, _span(window), scope.now_ms)
    return len(statuses) - statuses.total(), len(statuses)


def _down_ratio(scope: Scope, window: str) -> float:
    down, count = _downs(scope, window)
    return down / count


def _burn_rate(scope: Scope, window: str) -> float:
    objective_ppm = scope.service.objectives.availability_ppm
    if objective_ppm is None:
        raise Unanswerable(f"the service {scope.service.id} has no availability objective")
    if objective_ppm >= _MILLION:
        raise Unanswerable(f"the service {scope.service.id} shall always be available: there is no error budget")
    down, count = _downs(scope, window)
    return down * _MILLION / (count * (_MILLION - objective_ppm))


def _fit(scope: Scope, series: str, window: str) -> Line:
    return scope.window.stretch(series, _span(window), scope.now_ms, at_least=2).fit(scope.now_ms)


def _predict(scope: Scope, series: str, ahead: str, window: str) -> float:
    line = _fit(scope, series, window)
    return line.value + line.slope * _span(ahead) / 1000


def _time_to(scope: Scope, series: str, limit: float, window: str) -> float:
    return time_to(limit, _fit(scope, series, window))


def _changed(scope: Scope, name: str, window: str) -> bool:
    return scope.window.changed(name, _span(window), scope.now_ms)


def _consecutive(scope: Scope, status: str) -> float:
    return float(scope.window.in_a_row(Status(status)))


def _age(scope: Scope, fact: str) -> float:
    at = scope.sample.facts.get(fact)
    if not isinstance(at, datetime):
        raise Unanswerable(f"the sample has no time {fact!r}")
    return scope.now_ms / 1000 - at.timestamp()


_S, _W, _N, _F = Parameter.SERIES, Parameter.WINDOW, Parameter.NUMBER, Parameter.FACT

FUNCTIONS: Final[Mapping[str, Function]] = {
    "avg": Function((_S, _W), _over(Stretch.average), "the mean of the samples in the window"),
    "min": Function((_S, _W), _over(Stretch.least), "the smallest"),
    "max": Function((_S, _W), _over(Stretch.greatest), "the largest"),
    "sum": Function((_S, _W), _over(Stretch.total), "the sum"),
    "count": Function((_S, _W), _over(len), "how many samples there are, at least 1", low=1),
    "stddev": Function((_S, _W), _over(Stretch.deviation), "the standard deviation (of the population)", low=0),
    "quantile": Function((_N, _S, _W), _quantile, "the quantile (0 to 1), interpolated linearly"),
    "delta": Function((_S, _W), _over(Stretch.delta, 2), "the last value in the window minus the first", least=2),
    "rate": Function(
        (_S, _W), _over(Stretch.rate, 2), "growth per second of a counter; a fall counts as a reset", least=2, low=0
    ),
    "down_ratio": Function((_W,), _down_ratio, "the share of samples that were down, 0 to 1", UP, low=0, high=1),
    "burn_rate": Function(
        (_W,), _burn_rate, "how many times faster the service's error budget burns than it may", UP, low=0
    ),
    "consecutive": Function(
        (Parameter.STATUS,), _consecutive, f'runs in a row that were `"up"` or `"down"`, up to now and to {MOST}',
        least=0, low=0, high=MOST,
    ),
    "changed": Function(
        (Parameter.NAME, _W), _changed, 'whether a value, a fact or `"status"` changed in the window',
        result=Kind.BOOLEAN,
    ),
    "predict": Function(
        (_S, _W, _W), _predict, "the value after the first duration, by a line fitted to the second", least=2
    ),
    "time_to": Function(
        (_S, _N, _W), _time_to, "seconds until the fitted line reaches the limit, from below", least=2, low=0
    ),
    "age": Function((_F,), _age, "seconds since the time that a fact tells", least=0),
}  # fmt: skip
