"""Durations, sizes and ratios as people write them: `90s`, `4h30m`, `10GiB`, `99.9%`."""

import re
from datetime import UTC, datetime
from functools import lru_cache
from math import isinf
from typing import Final

_MS_PER_UNIT: Final = {
    "ms": 1,
    "s": 1000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "y": 365 * 86_400_000,
}
_DURATION = re.compile(r"(?:\d+(?:ms|[smhdwy]))+", re.ASCII)
_DURATION_PART = re.compile(r"(\d+)(ms|[smhdwy])", re.ASCII)

_BYTES_PER_UNIT: Final[dict[str, int]] = {
    "B": 1,
    **{f"{prefix}B": int(1000**power) for power, prefix in enumerate("kMGTP", start=1)},
    **{f"{prefix}iB": int(1024**power) for power, prefix in enumerate("KMGTP", start=1)},
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kKMGTP]?i?B)", re.ASCII)

DURATION_HELP: Final = "a duration with its unit, such as 30s, 5m, 4h, 30d or 1h30m"
SIZE_HELP: Final = "a size with its unit, such as 500MB or 10GiB"
RATIO_HELP: Final = "a ratio in percent, such as 99.9%"


def parse_duration_ms(text: str) -> int:
    """Milliseconds of `1h30m`. Units: ms, s, m, h, d, w, y (365 days).

    Raises:
        ValueError: the text is no such duration, or it is over a thousand years.
    """
    if len(text) > 40 or not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: accepted is {DURATION_HELP}")
    total = sum(int(number) * _MS_PER_UNIT[unit] for number, unit in _DURATION_PART.findall(text))
    if total > 1000 * _MS_PER_UNIT["y"]:
        raise ValueError(f"{text!r} is over a thousand years")
    return total


@lru_cache(maxsize=4096)  # the same few intervals and timeouts again and again
def format_duration_ms(duration_ms: float) -> str:
    """The two largest units of a duration: 93_784_000 is `1d2h`."""
    rest = round(duration_ms)
    if rest < 0:
        return "-" + format_duration_ms(-rest)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _MS_PER_UNIT[unit])
        if count:
            parts.append(f"{count}{unit}")
        if parts and (len(parts) == 2 or not count):
            break
    return "".join(parts) or "0s"


def format_elapsed_ms(elapsed_ms: float) -> str:
    """How long something took, for people: from one second on in whole seconds."""
    return format_duration_ms(elapsed_ms if abs(elapsed_ms) < 1000 else elapsed_ms // 1000 * 1000)


def format_number(value: float) -> str:
    """A number for people: `97.3`, `3221225472`, and `?` for what is none."""
    if value != value:  # noqa: PLR0124
        return "?"
    return f"{value:.6g}" if abs(value) < 1_000_000 or isinf(value) else f"{value:.0f}"


def parse_size_bytes(text: str) -> int:
    """Bytes of `10GiB` (powers of 1024) or `500MB` (powers of 1000).

    Raises:
        ValueError: the text is no such size.
    """
    found = _SIZE.fullmatch(text.strip()) if len(text) <= 40 else None
    unit = found[2].replace("KB", "kB") if found else ""
    if found is None or unit not in _BYTES_PER_UNIT:
        raise ValueError(f"{text!r} is not a size: accepted is {SIZE_HELP}")
    return round(float(found[1]) * _BYTES_PER_UNIT[unit])


def format_size(size: float) -> str:
    """`1.5GiB` of 1610612736."""
    for unit in ("PiB", "TiB", "GiB", "MiB", "KiB"):
        if abs(size) >= _BYTES_PER_UNIT[unit]:
            return f"{size / _BYTES_PER_UNIT[unit]:.1f}{unit}"
    return f"{size:.0f}B"


def parse_ratio_ppm(text: str) -> int:
    """Parts per million of `99.9%`: 999_000. An integer, so that budgets are exact.

    Raises:
        ValueError: no percentage, outside 0 to 100 %, or finer than a millionth.
    """
    found = re.fullmatch(r"(\d{1,3})(?:\.(\d{1,4}))?\s*%", text.strip(), re.ASCII)
    if not found:
        raise ValueError(f"{text!r} is not a ratio: accepted is {RATIO_HELP}, with up to four decimals")
    ppm = int(found[1]) * 10_000 + int((found[2] or "").ljust(4, "0"))
    if ppm > 1_000_000:
        raise ValueError(f"{text!r} is over 100%")
    return ppm


def utc(at_ms: int) -> datetime:
    """The aware datetime of a time in ms since the epoch."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def format_time(at_ms: int) -> str:
    """`2026-11-24 14:03:11Z`: what tickets, logs and tables show."""
    return utc(at_ms).strftime("%Y-%m-%d %H:%M:%SZ")
