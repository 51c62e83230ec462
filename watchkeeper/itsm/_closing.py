"""What people said when they resolved a ticket, where a system keeps that as remarks of its own beside the state."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from watchkeeper.itsm._text import cut
from watchkeeper.itsm.base import MOST_RESOLUTION

MOST_REMARKS: Final = 20
"""So many of the last remarks are looked at."""

_BEFORE_S: Final = 3600.0  # what was said earlier was about something else


@dataclass(frozen=True, slots=True)
class Ending:
    """Who resolved a ticket, and when: ISO 8601."""

    who: str
    at: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What somebody said, and when."""

    who: str
    at: str
    text: str


def belongs(ending: Ending, who: str, at: str) -> bool:
    """Whether what somebody said then is about how a ticket was resolved: it is whoever did that, at about that time
    or later."""
    return who == ending.who and _seconds(at) >= _seconds(ending.at) - _BEFORE_S


def last_of(ending: Ending, remarks: Iterable[Remark]) -> str:
    """The last that is about it. `remarks`: the newest first."""
    return next((one.text.strip() for one in remarks if belongs(ending, one.who, one.at) and one.text.strip()), "")


def told(*parts: str) -> str:
    """`Fixed: the disk was full`, of a length that can be kept."""
    return cut(": ".join(part.strip() for part in parts if part.strip()), MOST_RESOLUTION)


def _seconds(time: str) -> float:
    """A time; what is none is before all others."""
    try:
        return datetime.fromisoformat(time).timestamp()
    except (ValueError, OverflowError):
        return 0.0
