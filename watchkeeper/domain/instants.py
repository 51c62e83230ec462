"""Instants as people write them: a date and a time of day, in a time zone."""

from datetime import UTC, datetime, tzinfo
from typing import Final

FIRST_YEAR: Final = 1971
LAST_YEAR: Final = 2199
INSTANT_HELP: Final = "a date and a time such as 2026-11-28T22:00+08:00 or 2026-11-28 22:00Z"


def parse_instant_ms(text: str, zone: tzinfo | None = None) -> int:
    """Milliseconds since the epoch of an ISO 8601 date and time.

    A time that a zone has twice, when clocks are put back, is the first of the two.

    Args:
        zone: where a text is that names no zone itself.

    Raises:
        ValueError: it is none, it has no zone, or the zone skips it when clocks are put forward.
    """
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not a time: accepted is {INSTANT_HELP}") from None
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise ValueError(f"{text!r} is out of range: accepted are the years {FIRST_YEAR} to {LAST_YEAR}")
    if at.tzinfo is None:
        if zone is None:
            raise ValueError(f"{text!r} has no time zone: accepted is {INSTANT_HELP}")
        wall, at = at, at.replace(tzinfo=zone)
        if at.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != wall:
            raise ValueError(f"{text!r} does not exist in {zone}: clocks are put forward over it")
    return round(at.timestamp() * 1000)
