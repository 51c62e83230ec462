"""The models of service hours and of how availability is measured."""

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, model_validator

from watchkeeper.domain.calendar import ALWAYS, DAY_MINUTES
from watchkeeper.domain.condition import UnknownCounts
from watchkeeper.domain.period import parse_period
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import TimeZone
from watchkeeper.schema.names import Identifier

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAYS_HELP: Final = "days such as mon-fri, sat or mon,wed"
_HOURS_HELP: Final = "hours such as 09:00-18:00, 22:00-06:00 or 00:00-24:00"
_HOURS: Final = re.compile(r"(\d{2}):([0-5]\d)-(\d{2}):([0-5]\d)", re.ASCII)


def parse_days(text: str) -> tuple[int, ...]:
    """The days of the week of `mon-fri` or `sat,sun`: 0 is Monday.

    Raises:
        ValueError: it names none, or one twice.
    """
    found: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        if first not in _DAYS or (dash and last not in _DAYS):
            raise ValueError(f"{text!r} is no day of the week: accepted are {_DAYS_HELP}")
        begin = _DAYS.index(first)
        count = (_DAYS.index(last) - begin) % 7 + 1 if dash else 1
        found += [(begin + n) % 7 for n in range(count)]
    if len(set(found)) < len(found):
        raise ValueError(f"{text!r} names a day twice")
    return tuple(found)


def parse_hours(text: str) -> tuple[int, int]:
    """From which minute of the day until before which, of `09:00-18:00`. Those that end no later than they begin end
    on the next day.

    Raises:
        ValueError: it is no such text.
    """
    found = _HOURS.fullmatch(text.strip())
    begin, end = (int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])) if found else (-1, -1)
    if not (0 <= begin < DAY_MINUTES and 0 <= end <= DAY_MINUTES):
        raise ValueError(f"{text!r} are no hours: accepted are {_HOURS_HELP}")
    return begin, end if end > begin else end + DAY_MINUTES


def _days(text: str) -> str:
    parse_days(text)
    return text


def _hours(text: str) -> str:
    parse_hours(text)
    return text


def _period(text: str) -> str:
    parse_period(text)
    return text


def _not_taken(name: str) -> str:
    if name == ALWAYS:
        raise ValueError(f"{ALWAYS!r} is there already: choose another name")
    return name


CalendarName = Annotated[Identifier, AfterValidator(_not_taken)]
Days = Annotated[str, AfterValidator(_days)]
Hours = Annotated[str, AfterValidator(_hours), WithJsonSchema({"type": "string", "description": _HOURS_HELP})]
PeriodText = Annotated[str, AfterValidator(_period)]
"""`month`, `quarter`, `year`, or a duration up to now."""


class CalendarModel(Model):
    timezone: TimeZone = "UTC"
    """Where its hours, its days and its months are: a name such as Asia/Shanghai."""
    hours: dict[Days, tuple[Hours, ...]] | None = None
    """When services are promised to work, by days of the week: `{mon-fri: ["09:00-12:00", "13:00-18:00"]}`. Hours
    that end before they begin end on the next day. Days that are not named have none; always if this is not set."""
    holidays: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")] | None = None
    """Whose public holidays have no hours: a country such as `CN`, or a part of one such as `DE-BY`. Weekends that
    are worked instead, as in China, have the hours of the last day before them that has any."""
    closed: tuple[date, ...] = ()
    """More days without hours, such as `2026-12-24`."""
    opened: tuple[date, ...] = ()
    """Days that are worked though they are holidays or weekends."""


class DownWhen(StrEnum):
    ANY = "any"
    ALL = "all"


class AvailabilityModel(Model):
    """When a service is down. One of `down_when`, `quorum` and `when`."""

    down_when: DownWhen | None = None
    """`any`: while any of its probes that count is down; `all`: while all are. `any` if nothing else is set."""
    quorum: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """It is down while fewer of its probes are up."""
    when: Annotated[str, StringConstraints(min_length=1, max_length=1000)] | None = None
    """It is down while this CEL expression is true, such as `down("web-*") > 1 || down("db") > 0`: `down` and `up`
    count its probes by id or glob."""
    probes: tuple[Annotated[str, StringConstraints(min_length=1, max_length=200)], ...] = ()
    """Which of its probes count: ids or globs. Its critical health probes if this is not set."""
    labels: dict[str, Annotated[str, StringConstraints(max_length=500)]] = Field(default_factory=dict)
    """Labels that they must have as well."""
    unknown: UnknownCounts = UnknownCounts.EXCLUDED
    """What time counts for in which nobody knew: `excluded` for nothing, `up` or `down`."""

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in ("down_when", "quorum", "when") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} are both set: accepted is one of them")
        return self
