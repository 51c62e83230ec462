"""Probes and what their runs find."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final


class Status(StrEnum):
    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"  # watchkeeper could not tell; never counts as down


class Category(StrEnum):
    HEALTH = "health"
    CAPACITY = "capacity"
    BACKUP = "backup"


class FactType(StrEnum):
    """What a fact of a sample is, for the checks that are made before anything runs."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Every:
    """A schedule of fixed intervals."""

    interval_ms: int


@dataclass(frozen=True, slots=True)
class Cron:
    """A schedule of wall-clock times in a time zone."""

    expression: str
    timezone: str


NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
"""No labels, no values, no facts: one for all, there are many."""

Fact = str | float | int | bool | datetime


@dataclass(frozen=True, slots=True)
class Probe:
    """One scheduled check of one target. `options` is the prober's own validated model. `host` is whom its runs talk
    to, empty where that is nobody. `parents` are the probes of what lies on the way to its target. `critical`: its
    service does not work while it is down."""

    id: str
    prober: str
    service: str
    category: Category
    schedule: Every | Cron
    timeout_ms: int
    options: Any
    labels: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    host: str = ""
    parents: tuple[str, ...] = ()
    critical: bool = True


@dataclass(frozen=True, slots=True)
class Sample:
    """The outcome of one run.

    `at_ms` is when the outcome was known. `values` are numbers in base units (seconds, bytes, percent);
    `facts` are everything else that a rule may ask about. `message` is one plain sentence. `missed` counts the runs
    in a row, up to this one, that did not take place.
    """

    probe_id: str
    at_ms: int
    status: Status
    duration_s: float = 0.0
    values: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    facts: Mapping[str, Fact] = field(default_factory=lambda: NOTHING)
    message: str = ""
    missed: int = 0
