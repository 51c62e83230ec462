"""The names and functions that rules and templates may use, and what they mean.

One table serves CEL (`when`) and Jinja2 (titles): declared types for the checks, and how to get each from a scope.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, Protocol

from watchkeeper.domain import window as windows
from watchkeeper.domain.probe import Category, FactType, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.units import parse_duration_ms, utc
from watchkeeper.domain.window import Unanswerable
from watchkeeper.schema.base import Model


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
    def host(self) -> Callable[[Any], str]: ...


class Kind(StrEnum):
    """The type of a name."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    LABELS = "labels"


class Parameter(StrEnum):
    """What stands at a function's argument. Names and windows are literals, so that they can be checked."""

    SERIES = "series"  # the name of a value, or "duration"
    WINDOW = "window"  # a duration: "10m"
    NUMBER = "number"
    FACT = "fact"  # the name of a fact that is a time


@dataclass(frozen=True, slots=True)
class Name:
    kind: Kind
    get: Callable[[Scope], Any]
    meaning: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of rules. `call` gets the scope and the arguments, numbers as floats, durations as text."""

    parameters: tuple[Parameter, ...]
    call: Callable[..., float]
    meaning: str
    series: str | None = None  # the series it reads where no parameter names one

    def signature(self, name: str) -> str:
        return f"{name}({', '.join(self.parameters)})"


NAMES: Final[Mapping[str, Name]] = {
    "status": Name(Kind.TEXT, lambda s: s.sample.status.value, "up or down: a sample that is unknown is not judged"),
    "up": Name(Kind.BOOLEAN, lambda s: s.sample.status is Status.UP, "whether the status is up"),
    "duration": Name(Kind.NUMBER, lambda s: s.sample.duration_s, "of the run, in seconds"),
    "message": Name(Kind.TEXT, lambda s: s.sample.message, "what the prober says of the run, in words"),
    "missed": Name(Kind.NUMBER, lambda s: float(s.sample.missed), "runs in a row that did not take place when due"),
    "now": Name(Kind.TIME, lambda s: utc(s.now_ms), "the time of the evaluation"),
    "labels": Name(Kind.LABELS, lambda s: s.probe.labels, "the probe's labels"),
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


_Aggregate = Callable[[Any], float]


def _over(aggregate: _Aggregate) -> Callable[..., float]:
    def call(scope: Scope, series: str, window: str) -> float:
        return aggregate(scope.window.points(series, _span(window), scope.now_ms).values)

    return call


def _rate(scope: Scope, series: str, window: str) -> float:
    return windows.rate(scope.window.points(series, _span(window), scope.now_ms, at_least=2))


def _quantile(scope: Scope, q: float, series: str, window: str) -> float:
    return windows.quantile(q, scope.window.points(series, _span(window), scope.now_ms).values)


def _down_ratio(scope: Scope, window: str) -> float:
    return 1 - windows.average(scope.window.points(windows.UP, _span(window), scope.now_ms).values)


def _fit(scope: Scope, series: str, window: str) -> windows.Line:
    points = scope.window.points(series, _span(window), scope.now_ms, at_least=2)
    return windows.fit(points, scope.now_ms)


def _predict(scope: Scope, series: str, ahead: str, window: str) -> float:
    line = _fit(scope, series, window)
    return line.value + line.slope * _span(ahead) / 1000


def _time_to(scope: Scope, series: str, limit: float, window: str) -> float:
    return windows.time_to(limit, _fit(scope, series, window))


def _age(scope: Scope, fact: str) -> float:
    at = scope.sample.facts.get(fact)
    if not isinstance(at, datetime):
        raise Unanswerable(f"the sample has no time {fact!r}")
    return scope.now_ms / 1000 - at.timestamp()


_S, _W, _N, _F = Parameter.SERIES, Parameter.WINDOW, Parameter.NUMBER, Parameter.FACT

FUNCTIONS: Final[Mapping[str, Function]] = {
    "avg": Function((_S, _W), _over(windows.average), "the mean of the samples in the window"),
    "min": Function((_S, _W), _over(min), "the smallest"),
    "max": Function((_S, _W), _over(max), "the largest"),
    "sum": Function((_S, _W), _over(sum), "the sum"),
    "count": Function((_S, _W), _over(len), "how many samples there are"),
    "rate": Function((_S, _W), _rate, "growth per second of a counter; a fall counts as a reset"),
    "quantile": Function((_N, _S, _W), _quantile, "the quantile (0 to 1), interpolated linearly"),
    "down_ratio": Function((_W,), _down_ratio, "the share of samples that were down, 0 to 1", windows.UP),
    "predict": Function((_S, _W, _W), _predict, "the value after the first duration, by a line fitted to the second"),
    "time_to": Function((_S, _N, _W), _time_to, "seconds until the fitted line reaches the limit, from below"),
    "age": Function((_F,), _age, "seconds since the time that a fact tells"),
}  # fmt: skip
