"""Approved changes of an instance, by its own definition of a change window.

A change counts while its state is one of -2, -1, 1 and 2, it is approved and not on hold: from its planned start
until its planned end, and from the beginning of work until its end. So says the maintenance rule of Event Management,
"CI in Change Window". Those in review and closed are read too, for what came of them: their windows are over. Some
are closed long after that.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from watchkeeper.domain.announced import Announced
from watchkeeper.domain.change import ChangeOutcome, ChangeState
from watchkeeper.domain.maintenance import Span
from watchkeeper.itsm._left_out import LeftOut
from watchkeeper.itsm._servicenow_client import SYS_ID, Client, Row
from watchkeeper.itsm._servicenow_records import time_of
from watchkeeper.itsm.base import MOST_CHANGES, Denied, Finding, Outcome, Rejected, Unavailable

CHANGE: Final = "change_request"
PAGE: Final = 100
FIELDS: Final = (
    *("sys_id", "number", "short_description", "state", "approval", "on_hold", "close_code"),
    *("start_date", "end_date", "work_start", "work_end", "closed_at", "sys_updated_on"),
    *("cmdb_ci", "business_service"),
)
NEEDED: Final = ("state", "approval", "on_hold", "start_date", "end_date", "work_start", "work_end")
"""The fields without which it is not known whether a change counts."""

_STATES: Final = {
    "-2": ChangeState.APPROVED,
    "1": ChangeState.APPROVED,
    "-1": ChangeState.UNDER_WAY,
    "2": ChangeState.UNDER_WAY,
    "0": ChangeState.DONE,
    "3": ChangeState.DONE,
}
_CLOSED: Final = "3"
_OUTCOMES: Final = {
    "successful": ChangeOutcome.SUCCESSFUL,
    "successful_issues": ChangeOutcome.WITH_ISSUES,
    "unsuccessful": ChangeOutcome.FAILED,
}
_DATES: Final = (("start_date", "end_date"), ("work_start", "work_end"))
_MOST_ROWS: Final = 5000  # of things that a page of changes is about
_THINGS_PAGE: Final = 1000
_SAMPLE: Final = 10
_UNREADABLE: Final = "{} can not be read, which says what changes are about: {}"


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that says what changes are about. `field`: refers to a CI. `is_service`: by its name, too."""

    table: str
    field: str
    is_service: bool


RELATIONS: Final = (
    Relation("task_ci", "ci_item", is_service=False),
    Relation("task_cmdb_ci_service", "cmdb_ci_service", is_service=True),
)


class Changes:
    """Reads changes, and what they are about.

    Args:
        left_out: is told of tables that can not be read: changes go without what they say.
    """

    def __init__(self, client: Client, left_out: LeftOut) -> None:
        self._client = client
        self._left_out = left_out

    def planned(self, from_ms: int, to_ms: int) -> Iterator[Sequence[Announced]]:
        """See `PlansChanges`."""
        seen: set[str] = set()
        since, until = time_of(from_ms), time_of(to_ms)
        conditions = [f"{begin}<={until}^{end}>={since}" for begin, end in _DATES]
        for condition in (*conditions, f"closed_at>={since}"):
            for rows in self._rows(condition):
                # What is not as it was asked for comes where the instance has dropped a condition.
                new = [row for row in rows if row["sys_id"] not in seen and _counts(row, Span(from_ms, to_ms))]
                seen |= {row["sys_id"] for row in new}
                if len(seen) > MOST_CHANGES:
                    raise Unavailable(f"has more than {MOST_CHANGES:,} approved changes from {time_of(from_ms)} on")
                if not new:
                    yield ()
                    continue
                about: dict[str, list[tuple[Row, Relation]]] = {}
                for relation in RELATIONS:
                    yield ()  # each call may have to wait for its turn
                    for row in self._related(relation, [one["sys_id"] for one in new]):
                        about.setdefault(row["task"], []).append((row, relation))
                yield [_announced(row, about.get(row["sys_id"], ())) for row in new]

    def _rows(self, condition: str) -> Iterator[Sequence[Row]]:
        query = f"stateIN{','.join(_STATES)}^approval=approved^on_hold=false^{condition}^ORDERBYsys_id"
        for offset in range(0, 2 * MOST_CHANGES, PAGE):
            found = self._client.search(CHANGE, query, FIELDS, PAGE, offset=offset)
            if found.hidden:
                text = f"some approved changes are not shown to watchkeeper: let its user read all of {CHANGE}"
                self._left_out.note(f"{CHANGE} hidden", text)
            for name in NEEDED:
                if any(name not in row.values for row in found.rows):
                    raise Rejected(f"{CHANGE}.{name} does not exist, or watchkeeper may not read it")
            yield found.rows
            if len(found.rows) + found.hidden < PAGE:
                return
        raise Unavailable(f"has more than {MOST_CHANGES:,} approved changes, or takes no notice of their dates")

    def _related(self, relation: Relation, changes: Sequence[str]) -> Iterator[Row]:
        """The rows of a table that say what these changes are about."""
        query = f"taskIN{','.join(changes)}^ORDERBYsys_id"
        fields = ("sys_id", "task", relation.field)
        try:
            for offset in range(0, _MOST_ROWS, _THINGS_PAGE):
                found = self._client.search(relation.table, query, fields, _THINGS_PAGE, offset=offset)
                yield from (row for row in found.rows if row["task"] in changes)
                if len(found.rows) + found.hidden < _THINGS_PAGE:
                    self._left_out.clear(relation.table)
                    return
            text = f"{relation.table} names more than {_MOST_ROWS:,} things that {len(changes)} changes are about"
            self._left_out.note(relation.table, text)
        except (Denied, Rejected) as refusal:
            self._client.search(CHANGE, "ORDERBYsys_id", ("sys_id",), 1)  # fails if it is not about this table alone
            self._left_out.note(relation.table, _UNREADABLE.format(relation.table, refusal))

    def check(self) -> Iterator[Finding]:
        """What would keep changes from being read."""
        try:
            for table, needed in ((CHANGE, NEEDED), *((one.table, ("task", one.field)) for one in RELATIONS)):
                yield from map(Finding, self._check(table, needed))
        except Outcome as outcome:
            yield Finding(f"changes can not be read: {outcome}")

    def _check(self, table: str, needed: Sequence[str]) -> Iterator[str]:
        try:
            found = self._client.search(table, "ORDERBYDESCsys_created_on", ("sys_id", *needed), _SAMPLE)
        except (Denied, Rejected) as refusal:
            yield f"{table}, by which changes are read, can not be read: {refusal}"
            return
        if found.hidden and not found.rows:
            yield f"no {table} is shown to watchkeeper, by which changes are read: its user needs the role itil"
        for name in needed:
            if any(name not in row.values for row in found.rows):
                yield f"{table}.{name}, by which changes are read, does not exist, or watchkeeper may not read it"


def _counts(row: Row, within: Span) -> bool:
    closed_ms = _ms(row["closed_at"])
    return (
        row["state"] in _STATES
        and row["approval"] == "approved"
        and row["on_hold"] == "false"
        and (
            any(span.from_ms <= within.to_ms and within.from_ms <= span.to_ms for span in _dates(row))
            or (closed_ms is not None and closed_ms >= within.from_ms)
        )
    )


def _announced(row: Row, about: Sequence[tuple[Row, Relation]]) -> Announced:
    things = [(row, "cmdb_ci", False), (row, "business_service", True)]
    things += [(other, relation.field, relation.is_service) for other, relation in about]
    return Announced(
        ref=row["sys_id"],
        number=row["number"] or row["sys_id"],
        title=" ".join(row["short_description"].split())[:200],
        spans=tuple(_over(row) if _STATES[row["state"]] is ChangeState.DONE else _dates(row)),
        state=_STATES[row["state"]],
        outcome=_OUTCOMES.get(row["close_code"] if row["state"] == _CLOSED else "", ChangeOutcome.UNKNOWN),
        cis=frozenset(name for one, field, _ in things for name in _names(one, field)),
        services=frozenset(name for one, field, is_service in things if is_service for name in _names(one, field)),
    )


def _names(row: Row, field: str) -> Iterator[str]:
    """The id of what a field refers to, and its name."""
    value = row[field]
    if SYS_ID.fullmatch(value):
        yield value
        if name := row.shown.get(field, ""):
            yield name


def _dates(row: Row) -> list[Span]:
    """When it is planned, and when it was worked on, as far as both ends are there."""
    spans = []
    for begin, end in _DATES:
        from_ms, to_ms = _ms(row[begin]), _ms(row[end])
        if from_ms is not None and to_ms is not None and from_ms < to_ms:
            spans.append(Span(from_ms, to_ms))
    return spans


def _over(row: Row) -> list[Span]:
    """When a change that is done was under way: until it was done, which may be before it was planned to be."""
    ends = [at for name in ("work_end", "closed_at", "sys_updated_on") if (at := _ms(row[name])) is not None]
    spans = (Span(span.from_ms, min(span.to_ms, *ends)) if ends else span for span in _dates(row))
    return [span for span in spans if span.from_ms < span.to_ms]


def _ms(text: str) -> int | None:
    """A time as it is stored, in UTC."""
    try:
        return round(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
