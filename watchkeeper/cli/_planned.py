"""What `check` says of planned windows: when the next ones are, and which calendars can not be read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from watchkeeper.cli._output import print_table
from watchkeeper.cli.changes import about
from watchkeeper.domain.expected import Because, Window
from watchkeeper.domain.maintenance import Once, Span
from watchkeeper.domain.units import format_duration_ms, format_time, parse_duration_ms

if TYPE_CHECKING:
    from watchkeeper.config.planned import Planned
    from watchkeeper.config.problems import Problem

_NEXT: Final = 3
_AHEAD_MS: Final = parse_duration_ms("10y")


@dataclass(frozen=True, slots=True)
class NextWindows:
    """Of a maintenance, when it is. `next`: `None` where that was not asked for."""

    id: str
    when: str
    about: str
    next: tuple[Span, ...] | None


@dataclass(frozen=True, slots=True)
class Look:
    """What is planned. `unread`: why sources can not be read; `left_out`: warnings about events that can not be
    used."""

    maintenance: tuple[NextWindows, ...]
    unread: tuple[str, ...]
    left_out: "tuple[Problem, ...]"

    def print(self) -> None:
        """As a table."""
        if self.maintenance:
            click.echo()
            rows = [(one.id, one.when, one.about, _in_words(one.next)) for one in self.maintenance]
            print_table(("MAINTENANCE", "WHEN", "ABOUT", "NEXT"), rows)

    def as_json(self) -> list[dict[str, Any]]:
        """For programs."""
        return [
            {
                "id": one.id,
                "when": one.when,
                "about": one.about,
                "next": None if one.next is None else [_span(span) for span in one.next],
            }
            for one in self.maintenance
        ]


def look(planned: "Planned", path: Path, *, online: bool) -> Look:
    """Reads the sources that are files; those that are URLs or secrets only when asked to.

    Args:
        path: the file that says what is planned.
    """
    from watchkeeper.app.parts import now_ms

    now = now_ms()
    left_out: dict[str, Sequence[str]] = {}
    read: dict[str, Sequence[Window]] = {}
    unread: list[str] = []
    if planned.calendars or planned.change_files:  # what reads them takes a moment to import
        from watchkeeper.engine.calendars import sources_of
        from watchkeeper.itsm.base import Outcome

        remote = () if online else {one.name for one in planned.calendars if not _is_file(one.place)}
        for source in sources_of(planned, now_ms, left_out.__setitem__):
            if source.name not in remote:
                try:
                    read[source.name] = source.read(now)
                except Outcome as outcome:
                    unread.append(f"{source.name}: {outcome}")
    found = [
        NextWindows(
            one.id, _when(one.times), about(one.selection), tuple(_first(one.times.spans(now, now + _AHEAD_MS)))
        )
        for one in planned.maintenance
    ]
    for calendar in planned.calendars:
        if calendar.because is Because.MAINTENANCE:
            windows = read.get(calendar.name)
            spans = None if windows is None else tuple(_ahead(windows, now))
            found.append(NextWindows(calendar.id, "a calendar", about(calendar.selection), spans))
    return Look(tuple(found), tuple(unread), tuple(_warnings(planned, path, left_out)))


def _is_file(place: object) -> bool:
    return isinstance(place, str) and "://" not in place


def _warnings(planned: "Planned", path: Path, left_out: Mapping[str, Sequence[str]]) -> "Iterator[Problem]":
    from watchkeeper.config.codes import Code
    from watchkeeper.config.document import Document

    odd = [calendar for calendar in planned.calendars if left_out.get(calendar.name)]
    if not odd:
        return
    document = Document(path)
    for calendar in odd:
        place = document.problem(calendar.stands, "")
        for why in left_out[calendar.name]:
            yield place.as_warning(Code.CALENDAR_EVENT_LEFT_OUT, f"leaves out {why}")


def _when(times: Any) -> str:
    return "once" if isinstance(times, Once) else str(times.text)


def _first(spans: Iterable[Span]) -> Iterable[Span]:
    return islice(spans, _NEXT)


def _ahead(windows: Iterable[Window], now_ms: int) -> Iterable[Span]:
    return _first(Span(window.from_ms, window.to_ms) for window in windows if window.to_ms > now_ms)


def _in_words(spans: tuple[Span, ...] | None) -> str:
    if spans is None:
        return "not fetched; try --online"
    lines = (f"{format_time(span.from_ms)} for {format_duration_ms(span.to_ms - span.from_ms)}" for span in spans)
    return "\n".join(lines) or "none"


def _span(span: Span) -> dict[str, str]:
    return {"from": format_time(span.from_ms), "until": format_time(span.to_ms)}
