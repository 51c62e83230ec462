"""Cron expressions of five fields, as crontab(5) defines them."""

from typing import Final, NamedTuple

from apscheduler.triggers.cron import CronTrigger

_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class CronFields(NamedTuple):
    """The five fields, with days of the week by name: crontab counts them from Sunday, APScheduler from Monday."""

    minute: str
    hour: str
    day: str
    month: str
    day_of_week: str


def parse_cron(text: str) -> CronFields:
    """The fields of `30 6 * * mon-fri`.

    Raises:
        ValueError: it is no such expression.
    """
    accepted = "accepted are five fields, minute hour day month weekday, such as 30 6 * * mon-fri"
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"{text!r} is not a cron expression: {accepted}")
    minute, hour, day, month, weekday = fields
    try:
        found = CronFields(minute, hour, day, month.lower(), _named_days(weekday.lower()))
        CronTrigger(**found._asdict(), timezone="UTC")
    except (ValueError, TypeError, LookupError):
        raise ValueError(f"{text!r} is not a cron expression: {accepted}") from None
    return found


def _named_days(field: str) -> str:
    """The weekday field as a list of names."""
    if field == "*":
        return field
    chosen: list[str] = []
    for part in field.split(","):
        span, slash, step = part.partition("/")
        if span == "*":
            first, last = 0, 6
        else:
            low, dash, high = span.partition("-")
            first = _day_number(low)
            last = _day_number(high) if dash else (6 if slash else first)
            if dash and last < first:
                last += 7  # fri-mon runs over the week's end
        chosen += [_DAYS[number % 7] for number in range(first, last + 1, int(step) if slash else 1)]
    return ",".join(dict.fromkeys(chosen))


def _day_number(text: str) -> int:
    if text in _DAYS:
        return _DAYS.index(text)
    number = int(text)
    if not 0 <= number <= 7:
        raise ValueError(text)
    return number
