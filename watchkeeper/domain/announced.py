"""Changes as ticket systems announce them, and which services they are about."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Final

from watchkeeper.domain.change import Change, ChangeOutcome, ChangeState
from watchkeeper.domain.expected import Because, Selection, Window
from watchkeeper.domain.maintenance import MAX_WINDOW_MS, Span, merged
from watchkeeper.domain.service import Service
from watchkeeper.domain.ticket import ChangeRef

_PART: Final = "#"  # between the id of a change and which of its windows it is, from the second on


@dataclass(frozen=True, slots=True)
class Announced:
    """A change as a ticket system tells it. `ref` is its id there, `number` what people call it.

    `spans`: when it is planned, and when it was worked on. `cis`: names and ids of the configuration items that it is
    about, `services`: names of services.
    """

    ref: str
    number: str
    title: str
    spans: tuple[Span, ...]
    state: ChangeState
    outcome: ChangeOutcome = ChangeOutcome.UNKNOWN
    cis: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


class Watched:
    """The services that are watched, by what ticket systems call them."""

    def __init__(self, services: Iterable[Service]) -> None:
        self._by_ci: dict[str, set[str]] = {}
        self._by_name: dict[str, set[str]] = {}
        for service in services:
            if service.ci:
                self._by_ci.setdefault(_plain(service.ci), set()).add(service.id)
            for name in (service.id, service.title):
                self._by_name.setdefault(_plain(name), set()).add(service.id)

    def meant_by(self, change: Announced) -> frozenset[str]:
        """The ids of the services that a change is about: by their CI, or by their own id or title."""
        meant = (self._by_ci.get(_plain(ci), ()) for ci in change.cis)
        named = (self._by_name.get(_plain(name), ()) for name in change.services)
        return frozenset(id_ for ids in chain(meant, named) for id_ in ids)


def windows_of(change: Announced, source: str, watched: Watched) -> list[Change]:
    """Its windows, by their beginning: more than one if it was worked on at another time than planned. None where it
    is about nothing that is watched: a window that names nothing would mean everything."""
    about = watched.meant_by(change)
    spans = merged(span for span in change.spans if span.from_ms < span.to_ms) if about else []
    return [
        Change(
            because=Because.CHANGE,
            id=change.number,
            title=change.title or change.number,
            from_ms=span.from_ms,
            to_ms=span.to_ms,
            selection=Selection(services=about),
            backend=source,
            ref=change.ref if number == 1 else f"{change.ref}{_PART}{number}",
            state=change.state,
            outcome=change.outcome,
        )
        for number, span in enumerate(spans, 1)
        if span.to_ms - span.from_ms <= MAX_WINDOW_MS
    ]


def is_endless(change: Announced) -> bool:
    """Whether it lasts longer than a window may."""
    return any(span.to_ms - span.from_ms > MAX_WINDOW_MS for span in merged(change.spans))


def change_ref(window: Window) -> ChangeRef:
    """The change that a window is of, as its backend knows it."""
    return ChangeRef(window.backend, window.ref.partition(_PART)[0], window.id)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
