"""The notation of series in rule tests: `up downx3 _ up`, `0+5x10`.

It is that of Prometheus's rule tests, made wider for what is no number. A value that counts, `5x3`, is there once and
so many times more; nothing that counts, `_x3`, is nothing so many times.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from watchkeeper.config.problems import suggest
from watchkeeper.domain.series import Finding, Series, Stretch, length
from watchkeeper.domain.units import parse_duration_ms

MAX_SAMPLES: Final = 1_000_000
MAX_MISTAKES: Final = 10  # that are told of one text

_MAX_WORD: Final = 100
_MOST_AGO_MS: Final = parse_duration_ms("100y")
_FINITE: Final = r"(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][-+]?\d{1,3})?"
_NUMBER: Final = re.compile(rf"[-+]?(?:{_FINITE}|(?i:nan|inf))", re.ASCII)
_STEPS: Final = re.compile(rf"([-+]?{_FINITE})([-+]{_FINITE})(?:x(\d+))?", re.ASCII)

NOTATION: Final = (
    ("`up`, `4.2`, `-1e3`", "one run that finds this"),
    ("`upx3`, `5x3`", "one, and three more: four runs"),
    ("`0+5x3`, `10-2x3`", "a number and three steps: 0, 5, 10, 15 and 10, 8, 6, 4"),
    ("`_`", "no value; nothing but this in all series of the probe: no run"),
    ("`_x3`", "no value, three times"),
    ("`NaN`, `Inf`, `-Inf`", "numbers that are none"),
)
"""What may be written, and what it means. Numbers are read as Prometheus's rule tests read them."""


@dataclass(frozen=True, slots=True)
class Slip:
    """What is wrong at a character of a text."""

    offset: int
    message: str


class NotationError(Exception):
    """A text is no series. `slips` says why, the first few."""

    def __init__(self, slips: list[Slip]) -> None:
        self.slips = slips
        super().__init__("; ".join(slip.message for slip in slips))


Element = Callable[[str], Any]
"""The value of an element; raises ValueError that says what is accepted."""


def number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number: accepted are 5, 5x3, 0+5x3, 10-2x3, NaN, _ and _x3")
    return Decimal(text)


def status(text: str) -> Finding:
    known = [*(finding.value for finding in Finding), "_"]
    if text not in known[:-1]:
        raise ValueError(
            f"{text!r} is no status{suggest(text, known)}: accepted are {', '.join(known)}, also counted as in upx3"
        )
    return Finding(text)


def boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{text!r} is no truth value: accepted are true, false, _, also counted as in truex3")
    return text == "true"


def moment(text: str) -> datetime | timedelta:
    try:
        if text.startswith(("-", "+")):
            ago_ms = parse_duration_ms(text[1:])
            if ago_ms <= _MOST_AGO_MS:
                return timedelta(milliseconds=-ago_ms if text[0] == "-" else ago_ms)
        elif (at := datetime.fromisoformat(text)).tzinfo is not None:
            return at
    except ValueError:
        pass
    raise ValueError(
        f"{text!r} is no time: accepted are -26h, before the sample's own time, and 2020-01-01T06:00Z, "
        "a time with its zone, also counted as in -26hx3"
    )


def parse(text: str, element: Element) -> Series:
    """The series that a text tells of.

    Raises:
        NotationError: it is none, or of more than a million runs.
    """
    stretches: list[Stretch] = []
    slips: list[Slip] = []
    total = 0
    for offset, word in _words(text):
        try:
            stretch = _stretch(word, element)
        except ValueError as error:
            slips.append(Slip(offset, str(error)))
            if len(slips) == MAX_MISTAKES:
                break
            continue
        stretches.append(stretch)
        total += stretch.times
        if total > MAX_SAMPLES:
            slips.append(Slip(offset, f"makes more than {MAX_SAMPLES:,} samples"))
            break
    if not stretches and not slips:
        slips.append(Slip(0, "is empty: write at least one value, or _ for none"))
    if slips:
        raise NotationError(slips)
    assert length(tuple(stretches)) == total
    return tuple(stretches)


def _words(text: str) -> Iterator[tuple[int, str]]:
    return ((found.start(), found[0]) for found in re.finditer(r"\S+", text))


def _stretch(word: str, element: Element) -> Stretch:
    if len(word) > _MAX_WORD:
        raise ValueError(f"{word[:20]!r}… is too long: values stand apart, with blanks between")
    if element is number and (found := _STEPS.fullmatch(word)):
        if found[3] is None:
            raise ValueError(f"{word!r} does not say how many steps: {word}x10 makes ten")
        return Stretch(Decimal(found[1]), 1 + _count(found[3]), Decimal(found[2]))
    value, times, count = word.rpartition("x")
    if not times or not (count.isascii() and count.isdigit()):
        return Stretch(None if word == "_" else element(word))
    if not value:
        raise ValueError(f"{word!r} stands alone: a count is written at its value, with no blank between")
    if value == "_":
        if _count(count) == 0:
            raise ValueError("'_x0' is nothing, no times: leave it out")
        return Stretch(None, _count(count))
    return Stretch(element(value), 1 + _count(count))


def _count(digits: str) -> int:
    if len(digits) > 7 or int(digits) > MAX_SAMPLES:
        raise ValueError(f"makes more than {MAX_SAMPLES:,} samples")
    return int(digits)
