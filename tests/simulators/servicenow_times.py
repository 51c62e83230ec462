"""Times: raw ones are UTC and sort as text, shown ones are in a user's time zone and format."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from tests.simulators.servicenow_auth import User

RAW = "%Y-%m-%d %H:%M:%S"


def raw_time(at_ms: int) -> str:
    """A time as the Table API gives it, in whole seconds."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime(RAW)


def ms_of(raw: str) -> int:
    return int(datetime.strptime(raw, RAW).replace(tzinfo=UTC).timestamp()) * 1000


def is_raw(text: str) -> bool:
    try:
        datetime.strptime(text, RAW).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def shown_time(raw: str, user: User) -> str:
    at = datetime.strptime(raw, RAW).replace(tzinfo=UTC)
    return at.astimezone(ZoneInfo(user.time_zone)).strftime(user.date_format)


def time_shown_as(text: str, user: User) -> str:
    """The raw time of one that a user wrote, nothing where it is not in this user's format."""
    try:
        at = datetime.strptime(text, user.date_format).replace(tzinfo=ZoneInfo(user.time_zone))
    except ValueError:
        return ""
    return at.astimezone(UTC).strftime(RAW)
