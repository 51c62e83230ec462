"""Changes of a Jira: issues of a type that have a beginning and an end.

A search names them by their dates, in minutes from now: times would be those of the user's time zone. Whether they
count is seen when they are read.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from math import ceil
from typing import Any, Final

from watchkeeper.domain.announced import Announced
from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.maintenance import Span
from watchkeeper.domain.rule import Clock
from watchkeeper.itsm._jira_api import Api, Missing
from watchkeeper.itsm._jira_issues import Issues, quoted
from watchkeeper.itsm._jira_options import Options, plain
from watchkeeper.itsm._jira_record import Record
from watchkeeper.itsm.base import MOST_CHANGES, Denied, Finding, Outcome, Rejected

_STARTS: Final = ("Planned start", "Planned start date", "Change start date")
_ENDS: Final = ("Planned end", "Planned end date", "Change completion date")
_SYSTEM: Final = "[system] "
_PAGE: Final = 50
_KEPT_MS: Final = 3_600_000
_FIELDS: Final = ("resolutiondate", "updated", "components")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where changes are in a site: ids of their type and fields. `statuses`: names of those that the type has."""

    type_id: str
    start: str
    end: str
    about: tuple[str, ...]
    statuses: tuple[str, ...]


class Changes:
    """Reads changes."""

    def __init__(self, api: Api, options: Options, clock: Clock) -> None:
        self._api = api
        self._options = options.changes
        self._project = options.changes.project.upper() or options.project
        self._clock = clock
        self._place: tuple[int, _Place] | None = None  # and until when that holds
        self._states = _states(options)

    def planned(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        """See `PlansChanges`."""
        place = self._found_place()
        yield ()
        issues = Issues(self._api, lambda: (*_FIELDS, place.start, place.end, *place.about))
        try:
            ids = iter(issues.matching(self._jql(place, from_ms, to_ms)))
        except Rejected:
            self._place = None  # it may have been changed
            raise
        found = 0
        while page := list(islice(ids, _PAGE)):
            found += len(page)
            if found > MOST_CHANGES:
                raise Rejected(f"has more than {MOST_CHANGES:,} changes: name their `project` and `issue_type`")
            yield ()
            changes = (self._announced(record, place) for record in issues.many(page))
            yield [one for one in changes if one is not None and _touches(one, Span(from_ms, to_ms))]
        if not found and self._api.lacking(self._project, ("BROWSE_PROJECTS",)):
            raise Denied(f"shows watchkeeper nothing of {self._project}: it needs the permission to browse it")

    def check(self) -> Iterator[Finding]:
        """What would keep changes from being read."""
        try:
            place = self._read_place()
            there = set(map(plain, place.statuses))
            if not there & set(map(plain, self._options.approved)):
                yield Finding(
                    f"changes in {self._project} have no status {' or '.join(map(repr, self._options.approved))}, so "
                    f"that none is approved before it begins: name one of theirs in `changes: approved`; there is "
                    f"{', '.join(place.statuses)}"
                )
        except Outcome as outcome:
            yield Finding(f"changes can not be read: {outcome}")

    def _jql(self, place: _Place, from_ms: int, to_ms: int) -> str:
        now = self._clock()
        since, until = (ceil(ms / 60_000) + 1 for ms in (now - from_ms, to_ms - now))
        return (
            f"project = {quoted(self._project)} AND issuetype = {place.type_id} "
            f'AND {_clause(place.start)} <= "{until}m" AND {_clause(place.end)} >= "-{since}m"'
        )

    def _found_place(self) -> _Place:
        now = self._clock()
        if self._place is None or now >= self._place[0]:
            self._place = now + _KEPT_MS, self._read_place()
        return self._place[1]

    def _read_place(self) -> _Place:
        try:
            types = self._api.get_list(f"/project/{self._project}/statuses")
        except Missing:
            hidden = f"there is no project {self._project}, or it is hidden from watchkeeper"
            raise Denied(f"{hidden}: it needs Browse Projects there") from None
        wanted = plain(self._options.issue_type).removeprefix(_SYSTEM)
        own = next((one for one in types if plain(str(one.get("name"))).removeprefix(_SYSTEM) == wanted), None)
        if own is None:
            there = ", ".join(str(one.get("name")) for one in types)
            raise Rejected(f"{self._project} has no issue type {self._options.issue_type!r}: it has {there}")
        fields = self._api.get_list("/field")
        return _Place(
            str(own["id"]),
            _field(fields, "start_field", self._options.start_field, _STARTS),
            _field(fields, "end_field", self._options.end_field, _ENDS),
            tuple(found for name in self._options.about_fields if (found := _named(fields, name)) is not None),
            tuple(str(status.get("name")) for status in own.get("statuses") or ()),
        )

    def _announced(self, record: Record, place: _Place) -> Announced | None:
        """The change that an issue is; `None` if it is not approved, or not made after all."""
        standing = self._standing(record)
        begin, end = (_ms(record.fields.get(field)) for field in (place.start, place.end))
        if standing is None or begin is None or end is None:
            return None
        state, outcome = standing
        if state is ChangeState.DONE:  # it may have been before it was planned to be
            over = _ms(record.fields.get("resolutiondate")) or _ms(record.fields.get("updated"))
            end = end if over is None else min(end, over)
        names = frozenset(
            name for field in ("components", "labels", *place.about) for name in _names(record.fields.get(field))
        )
        title = " ".join(str(record.fields.get("summary") or "").split())[:200]
        return Announced(record.id, record.number, title, (Span(begin, end),), state, outcome, names, names)

    def _standing(self, record: Record) -> tuple[ChangeState, ChangeOutcome] | None:
        status = record.fields.get("status") or {}
        resolution = record.fields.get("resolution") or {}
        is_done = (status.get("statusCategory") or {}).get("key") == "done"
        said = [str(status.get("name", ""))]
        said += [str(resolution.get("name", ""))] if is_done else []  # it may stay when an issue is opened again
        for name in map(plain, said):
            if name in self._states:
                return self._states[name]
        return (ChangeState.DONE, ChangeOutcome.SUCCESSFUL) if is_done else None


def _states(options: Options) -> Mapping[str, tuple[ChangeState, ChangeOutcome] | None]:
    """What statuses and resolutions mean, by their names."""
    mine, unknown = options.changes, ChangeOutcome.UNKNOWN
    meanings: Iterable[tuple[Sequence[str], tuple[ChangeState, ChangeOutcome] | None]] = (
        (mine.approved, (ChangeState.APPROVED, unknown)),
        (mine.under_way, (ChangeState.UNDER_WAY, unknown)),
        ((*mine.cancelled, *options.states.cancelled), None),
        (mine.failed, (ChangeState.DONE, ChangeOutcome.FAILED)),
        (mine.with_issues, (ChangeState.DONE, ChangeOutcome.WITH_ISSUES)),
    )
    return {plain(name): meaning for names, meaning in meanings for name in names}


def _touches(change: Announced, within: Span) -> bool:
    return any(span.from_ms < within.to_ms and within.from_ms < span.to_ms for span in change.spans)


def _field(fields: Sequence[Any], key: str, configured: str, usual: Sequence[str]) -> str:
    for name in (configured,) if configured else usual:
        if (found := _named(fields, name)) is not None:
            return found
    wanted = repr(configured) if configured else " or ".join(map(repr, usual))
    raise Rejected(f"there is no field {wanted}: name it in `changes: {key}`")


def _named(fields: Sequence[Any], name: str) -> str | None:
    """The id of the field of this name or id."""
    for each in fields:
        if name == str(each.get("id")) or plain(name) == plain(str(each.get("name"))):
            return str(each["id"])
    return None


def _clause(field: str) -> str:
    """What JQL calls a field: names may be those of several."""
    number = field.removeprefix("customfield_")
    return f"cf[{number}]" if number != field and number.isdecimal() else quoted(field)


def _ms(value: Any) -> int | None:
    """A time with its zone; a day alone is none."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if at is None or at.tzinfo is None else round(at.timestamp() * 1000)


def _names(value: Any) -> Iterator[str]:
    """What a field names, whatever its type: of things their ids, keys and names."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _names(each)
    elif isinstance(value, dict):
        yield from (str(value[key]) for key in ("id", "objectKey", "key", "value", "name", "label") if value.get(key))
