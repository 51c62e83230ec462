"""What is planned: maintenance and the sources of changes, as the configuration has them, and files of changes."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from watchkeeper.config.codes import Code
from watchkeeper.config.document import Document, Path_
from watchkeeper.config.matchernames import MatcherNames
from watchkeeper.config.planned import Calendar, ChangeBackend, ChangeFile, Planned
from watchkeeper.config.problems import ConfigError, Problem, listing, suggest
from watchkeeper.config.validation import validate
from watchkeeper.config.windowmodels import ChangeFileModel, ChangeModel, ChangeSourceModel, MaintenanceModel
from watchkeeper.domain.change import Change
from watchkeeper.domain.expected import Because, Selection
from watchkeeper.domain.instants import parse_instant_ms
from watchkeeper.domain.maintenance import MAX_WINDOW_MS, Maintenance, Once, Recurring, Span, mistake
from watchkeeper.domain.units import format_duration_ms, utc
from watchkeeper.schema.duetimes import CronTimes

MAX_CHANGES: Final = 5000  # in a file
_LOOKED_FROM_MS: Final = 1_767_225_600_000  # 2026-01-01: a cron expression is as right or wrong on any day
_OF_ICAL: Final = ("services", "cis", "probes", "summary", "timezone")
_NAMED: Final = "is that of the backend: leave it out"
_KINDS: Final = "cron with duration, from with to, or ical"


@dataclass(frozen=True, slots=True)
class _At:
    """An entry of a document, for problems with it."""

    document: Document
    path: Path_
    problems: list[Problem]

    def wrong(self, message: str, *place: str | int) -> None:
        self.problems.append(self.document.problem((*self.path, *place), message))

    def services(self, names: Sequence[str], known: Collection[str] | None) -> None:
        for index, name in enumerate(names if known is not None else ()):
            if name not in (known or ()):
                message = f"there is no service {name!r}{suggest(name, known or ())}; there is {listing(known or ())}"
                self.wrong(message, "services", index)

    def probes(self, patterns: Sequence[str], known: Collection[str] | None) -> None:
        for index, pattern in enumerate(patterns if known is not None else ()):
            if not any(fnmatchcase(name, pattern) for name in known or ()):
                self.wrong(f"no probe is like {pattern!r}{suggest(pattern, known or ())}", "probes", index)

    def instant(self, text: str, timezone: str | None, place: str) -> int | None:
        try:
            return parse_instant_ms(text, None if timezone is None else ZoneInfo(timezone))
        except ValueError as error:
            self.wrong(str(error), place)
            return None

    def span(self, begin: str, end: str, timezone: str | None) -> Span | None:
        from_ms, to_ms = self.instant(begin, timezone, "from"), self.instant(end, timezone, "to")
        if from_ms is None or to_ms is None:
            return None
        if to_ms <= from_ms:
            self.wrong("is not after from", "to")
            return None
        if to_ms - from_ms > MAX_WINDOW_MS:
            lasts, most = map(format_duration_ms, (to_ms - from_ms, MAX_WINDOW_MS))
            self.wrong(f"the window lasts {lasts}; accepted are up to {most}", "to")
            return None
        return Span(from_ms, to_ms)


@dataclass
class PlanReader:
    """Reads what the daemon's file plans.

    `services`, `probes`: those that there are; `None` where some could not be read. `backends`: whether each of them
    has changes to read. `names`: what matchers can ask for. `warnings`: what is odd is added to them.
    """

    document: Document
    services: Collection[str] | None
    probes: Collection[str] | None
    problems: list[Problem]
    backends: Mapping[str, bool] = field(default_factory=dict)
    names: MatcherNames = field(default_factory=MatcherNames)
    warnings: list[Problem] = field(default_factory=list)
    _maintenance: list[Maintenance] = field(default_factory=list)
    _calendars: list[Calendar] = field(default_factory=list)
    _files: list[ChangeFile] = field(default_factory=list)
    _backends: list[ChangeBackend] = field(default_factory=list)
    _names: set[str] = field(default_factory=set)

    def read(self, maintenance: Sequence[MaintenanceModel], sources: Sequence[ChangeSourceModel]) -> Planned:
        """What of it is right. The rest is added to the problems."""
        for index, model in enumerate(maintenance):
            self._read_maintenance(_At(self.document, ("maintenance", index), self.problems), model)
        for index, source in enumerate(sources):
            self._read_source(_At(self.document, ("changes", index), self.problems), source)
        return Planned(tuple(self._maintenance), tuple(self._calendars), tuple(self._files), tuple(self._backends))

    def _read_maintenance(self, at: _At, model: MaintenanceModel) -> None:
        at.services(model.services, self.services)
        at.probes(model.probes, self.probes)
        self._check_matchers(at, model)
        if not (model.services or model.probes or model.match):
            at.wrong('does not say what it is about: set services, probes or match; probes: ["*"] means all')
        selection = Selection(frozenset(model.services), probes=model.probes, matchers=model.match)
        single = model.begin if model.begin is not None else model.to
        kinds = {"cron": model.cron, "from and to": single, "ical": model.ical}
        given = [name for name, value in kinds.items() if value is not None]
        if len(given) != 1:
            at.wrong(f"has {' and '.join(given) or 'no times'}: accepted is one of {_KINDS}")
        elif model.ical is not None:
            name = f"maintenance/{model.id}"
            if self._is_new(at, name, "id"):
                zone, summary = model.timezone or "UTC", model.summary or ""
                self._calendars.append(
                    Calendar(
                        Because.MAINTENANCE, name, model.id, model.ical, zone, summary, selection, (*at.path, "ical")
                    )
                )
        else:
            times = self._recurring(at, model) if model.cron is not None else self._once(at, model)
            if times is not None and self._is_apart(at, model.id, times):
                self._maintenance.append(Maintenance(model.id, model.title or model.id, selection, times))
        if model.ical is None and model.summary is not None:
            at.wrong("belongs to ical", "summary")

    def _check_matchers(self, at: _At, model: MaintenanceModel) -> None:
        for index, matcher in enumerate(model.match):
            if (wrong := self.names.mistake(matcher)) is not None:
                at.wrong(wrong, "match", index)
            elif (odd := self.names.odd(matcher)) is not None:
                place = self.document.problem((*at.path, "match", index), "")
                self.warnings.append(place.as_warning(Code.MATCHER_MATCHES_NOTHING, odd))

    def _recurring(self, at: _At, model: MaintenanceModel) -> Recurring | None:
        assert model.cron is not None
        if model.duration is None:
            at.wrong("needs duration: how long a window lasts", "cron")
            return None
        if model.duration > MAX_WINDOW_MS:
            at.wrong(f"accepted are up to {format_duration_ms(MAX_WINDOW_MS)}", "duration")
            return None
        if wrong := mistake(_due(CronTimes(model.cron, "UTC")), model.duration, _LOOKED_FROM_MS):
            at.wrong(wrong, "cron")
            return None
        zone = model.timezone or "UTC"
        text = f"{model.cron} {zone} for {format_duration_ms(model.duration)}"
        return Recurring(_due(CronTimes(model.cron, zone)), model.duration, text)

    def _once(self, at: _At, model: MaintenanceModel) -> Once | None:
        if model.duration is not None:
            at.wrong("belongs to cron", "duration")
        if model.begin is None or model.to is None:
            at.wrong(f"from and to belong together; {'to' if model.to is None else 'from'} is not set")
            return None
        span = at.span(model.begin, model.to, model.timezone)
        return None if span is None else Once(span)

    def _is_apart(self, at: _At, name: str, times: Recurring | Once) -> bool:
        """Whether no other maintenance has this id, but single windows at another time."""
        for other in (one for one in self._maintenance if one.id == name):
            if isinstance(times, Recurring) or isinstance(other.times, Recurring):
                at.wrong(f"there is another {name!r}: only single windows may share an id", "id")
                return False
            if times.span.from_ms < other.times.span.to_ms and other.times.span.from_ms < times.span.to_ms:
                begin = f"{utc(other.times.span.from_ms):%Y-%m-%d %H:%MZ}"
                at.wrong(f"overlaps with the window of {name!r} that begins at {begin}", "from")
                return False
        return True

    def _read_source(self, at: _At, model: ChangeSourceModel) -> None:
        if [model.backend, model.yaml, model.ical].count(None) != 2:
            at.wrong("accepted is one of backend, yaml and ical")
            return
        if model.backend is not None:
            self._read_backend(at, model, model.backend)
            return
        if model.every is not None:
            at.wrong("belongs to backend: files and calendars are read every five minutes", "every")
        name = model.name or _name(model)
        if not self._is_new(at, name, *(("name",) if model.name else ())):
            return
        if name in self.backends:
            at.wrong(f"{name!r} is the name of a backend: give it a name of its own", *(("name",) * bool(model.name)))
        if model.yaml is not None:
            for key in _OF_ICAL:
                if getattr(model, key):
                    at.wrong("belongs to ical: the file says it of each change", key)
            self._files.append(ChangeFile(name, Path(model.yaml), frozenset(self.services or ())))
            return
        at.services(model.services, self.services)
        at.probes(model.probes, self.probes)
        if not (model.services or model.cis or model.probes):
            at.wrong('does not say what its changes are about: set services, cis or probes; probes: ["*"] means all')
        assert model.ical is not None
        selection = Selection(frozenset(model.services), frozenset(model.cis), model.probes)
        zone, summary = model.timezone or "UTC", model.summary or ""
        stands = (*at.path, "ical")
        self._calendars.append(Calendar(Because.CHANGE, name, "", model.ical, zone, summary, selection, stands))

    def _read_backend(self, at: _At, model: ChangeSourceModel, name: str) -> None:
        for key in (*_OF_ICAL, "name"):
            if getattr(model, key):
                at.wrong("belongs to ical: the backend says it of each change" if key != "name" else _NAMED, key)
        if not self.backends.get(name):
            able = [one for one, is_able in self.backends.items() if is_able]
            there = f"there is {listing(able)}" if able else "there is none; servicenow and jira have them"
            at.wrong(f"{name!r} is no backend that has changes{suggest(name, able)}: {there}", "backend")
        elif self._is_new(at, name, "backend"):
            every = {} if model.every is None else {"every_ms": model.every}
            self._backends.append(ChangeBackend(name, **every))

    def _is_new(self, at: _At, name: str, *place: str) -> bool:
        if name in self._names:
            at.wrong(f"there is another source {name!r}: give it a name of its own", *place)
            return False
        self._names.add(name)
        return True


def read_change_file(file: ChangeFile) -> tuple[Change, ...]:
    """The changes of a file. All or nothing.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    document = Document(file.path)
    problems: list[Problem] = []
    model = validate(ChangeFileModel, document.data, document, problems=problems)
    changes: dict[str, Change] = {}
    models, zone = ((), None) if model is None else (model.changes, model.timezone)
    if len(models) > MAX_CHANGES:
        problems.append(
            document.problem(("changes",), f"there are {len(models):,}; accepted are up to {MAX_CHANGES:,}")
        )
        models = ()
    for index, one in enumerate(models):
        at = _At(document, ("changes", index), problems)
        if one.id in changes:
            at.wrong(f"the change {one.id!r} is described twice", "id")
        at.services(one.services, file.services)
        if not (one.services or one.cis or one.probes):
            at.wrong("does not say what it is about: set services, cis or probes")
        if (span := at.span(one.begin, one.to, one.timezone or zone)) is not None:
            changes[one.id] = _change(file.name, one, span)
    if problems:
        raise ConfigError(problems)
    return tuple(changes.values())


def _change(source: str, model: ChangeModel, span: Span) -> Change:
    return Change(
        because=Because.CHANGE,
        id=model.id,
        title=model.title or model.id,
        from_ms=span.from_ms,
        to_ms=span.to_ms,
        selection=Selection(frozenset(model.services), frozenset(model.cis), model.probes),
        backend=source,
        ref=model.id,
        state=model.state,
        outcome=model.outcome,
    )


def _due(times: CronTimes) -> Callable[[int], int | None]:
    def next_after(after_ms: int) -> int | None:
        due = times.next_after(utc(after_ms))
        return None if due is None else round(due.timestamp() * 1000)

    return next_after


def _name(model: ChangeSourceModel) -> str:
    """What a source is called that does not say it."""
    place = model.yaml or model.ical
    if isinstance(place, str) and "://" in place:
        return urlsplit(place).hostname or "calendar"
    stem = re.sub("[^A-Za-z0-9._-]+", "-", Path(place).stem).strip("-.") if isinstance(place, str) else ""
    return stem or "calendar"
