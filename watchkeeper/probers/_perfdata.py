"""What a monitoring plugin prints: its text, its performance data and the ranges in it.

https://www.monitoring-plugins.org/doc/guidelines.html, the sections on plugin output, performance data and threshold
ranges.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isfinite
from typing import Final

_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_DATUM: Final = re.compile(r"'((?:[^']|'')*)'=(\S*)|([^\s'=][^='\s]*)=(\S*)|(\S+)")
_VALUE: Final = re.compile(rf"({_NUMBER})([^\d.+\-;][^;]*)?", re.ASCII)
_RANGE: Final = re.compile(rf"(@?)(?:(~|{_NUMBER})?(:))?({_NUMBER})?", re.ASCII)
_UNITS: Final = {
    "s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9,
    "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "pb": 1e15,
    "kib": 2.0**10, "mib": 2.0**20, "gib": 2.0**30, "tib": 2.0**40, "pib": 2.0**50,
}  # fmt: skip
"""What a number is multiplied by; anything else is left as it is: %, counters (c), units of a plugin's own."""


@dataclass(frozen=True, slots=True)
class Range:
    """When there is an alert: outside of both ends, which belong to what is fine; or `inside`, ends included."""

    low: float
    high: float
    inside: bool = False

    def alerts(self, value: float) -> bool:
        return (self.low <= value <= self.high) is self.inside

    def times(self, factor: float) -> "Range":
        return Range(self.low * factor, self.high * factor, self.inside)


@dataclass(frozen=True, slots=True)
class Datum:
    """One performance datum, in base units. `value`: `None` where the plugin could not tell."""

    label: str
    value: float | None
    warning: Range | None = None
    critical: Range | None = None
    low: float | None = None
    high: float | None = None

    @property
    def beyond(self) -> str | None:
        """By its own ranges `critical`, `warning` or nothing."""
        if self.value is None:
            return None
        if self.critical is not None and self.critical.alerts(self.value):
            return "critical"
        return "warning" if self.warning is not None and self.warning.alerts(self.value) else None


@dataclass(frozen=True, slots=True)
class Output:
    """What a plugin printed. `unreadable`: how many performance data are none."""

    text: str
    long: str
    data: tuple[Datum, ...]
    unreadable: int = 0


def read_output(printed: str, most: int) -> Output:
    """A plugin's output. Performance data stand after the first `|` of the first line, and of the rest.

    Args:
        most: how many performance data are read; more are unreadable.
    """
    first, _, rest = printed.strip("\r\n").partition("\n")
    text, _, data = first.partition("|")
    long, _, more = rest.partition("|")
    found: list[Datum] = []
    unreadable = 0
    for datum in read_data(f"{data} {more}"):
        if datum is None or len(found) >= most:
            unreadable += 1
        else:
            found.append(datum)
    return Output(text.strip(), long.strip(), tuple(found), unreadable)


def read_data(text: str) -> Iterator[Datum | None]:
    """The performance data of a text in order; `None` for each word that is none."""
    for quoted, after_quoted, plain, after_plain, _other in _DATUM.findall(text):
        label = quoted.replace("''", "'") if quoted else plain
        yield _datum(label, after_quoted if quoted else after_plain) if label else None


def _datum(label: str, text: str) -> Datum | None:
    fields = text.split(";")
    if len(fields) > 5 and any(fields[5:]):
        return None
    value, warning, critical, low, high = (fields + [""] * 5)[:5]
    matched = _VALUE.fullmatch(value)
    if matched is None and value != "U":
        return None
    factor = _UNITS.get((matched[2] or "").lower(), 1.0) if matched else 1.0
    try:
        number = _finite(matched[1], factor) if matched else None
        ranges = [parse_range(one) if one else None for one in (warning, critical)]
        ends = [_finite(one, factor) if one else None for one in (low, high)]
    except ValueError:
        return None
    warns, alarms = (one.times(factor) if one else None for one in ranges)
    return Datum(label, number, warns, alarms, *ends)


def parse_range(text: str) -> Range:
    """The range that a text such as `10`, `10:`, `~:10`, `10:20` or `@10:20` is.

    Raises:
        ValueError: it is none.
    """
    matched = _RANGE.fullmatch(text)
    if matched is None or not (matched[3] or matched[4]):
        raise ValueError(f"{text!r} is no range: accepted are 10, 10:, ~:10, 10:20 and @10:20")
    start, end = matched[2], matched[4]
    low = -inf if start == "~" else _finite(start, 1.0) if start else 0.0
    high = _finite(end, 1.0) if end else inf
    if low > high:
        raise ValueError(f"{text!r} is no range: it ends before it begins")
    return Range(low, high, bool(matched[1]))


def _finite(text: str, factor: float) -> float:
    value = float(text) * factor
    if not isfinite(value):
        raise ValueError(f"{text!r} is too large")
    return value
