"""Runs JQL over issues: https://support.atlassian.com/jira-software-cloud/docs/jql-operators/"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from tests.simulators.jira_jql import AllOf, AnyOf, Call, Clause, Empty, JqlError, Node, Not, Query, Value, clauses
from tests.simulators.jira_model import Issue, User
from tests.simulators.jira_searchable import Searchables
from tests.simulators.jira_tracker import Tracker

DATE_FORMATS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
PERIOD = re.compile(r"([+-]?)((?:\d+[wdhm]\s*)+)", re.IGNORECASE)
UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000}
_STOP = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this
to was will with
"""
STOP_WORDS = frozenset(_STOP.split())


class Search:
    """Searches for one user, at one time."""

    def __init__(self, tracker: Tracker, user: User | None) -> None:
        self._tracker, self._site, self._user = tracker, tracker.site, user
        self._now_ms = tracker.clock()
        self._fields = Searchables(tracker, user)

    def check(self, query: Query) -> None:
        """Raises JqlError with everything that is wrong with a query, at once."""
        wrong: list[str] = []
        for clause in clauses(query.where):
            try:
                wrong += self._wrong(clause)
            except JqlError as error:
                wrong += error.messages
        for field, _ in query.order:
            try:
                self._fields.find(field)
            except JqlError as error:
                wrong += error.messages
        if wrong:
            raise JqlError(*dict.fromkeys(wrong))

    def run(self, query: Query, issues: Iterable[Issue]) -> list[Issue]:
        """Those of these that the query finds and the user may see, in its order; without one, the newest first.

        Raises JqlError for a field that does not exist.
        """
        found = [
            issue
            for issue in issues
            if self._tracker.sees(self._user, issue) and (query.where is None or self._holds(query.where, issue))
        ]
        found.sort(key=lambda issue: int(issue.id), reverse=True)
        for field, descending in reversed(query.order):
            searchable = self._fields.find(field)
            found.sort(key=searchable.rank or searchable.read, reverse=descending)
        return found

    def _wrong(self, clause: Clause) -> list[str]:
        searchable = self._fields.find(clause.field)
        if clause.operator not in searchable.operators:
            return [f"The operator '{clause.operator}' is not supported by the '{clause.field}' field."]
        if searchable.is_time:
            self._times_ms(clause)
            return []
        return [message for value in self._plain(clause) if (message := searchable.wrong(value)) is not None]

    def _holds(self, node: Node, issue: Issue) -> bool:
        match node:
            case AllOf(parts):
                return all(self._holds(part, issue) for part in parts)
            case AnyOf(parts):
                return any(self._holds(part, issue) for part in parts)
            case Not(part):
                return not self._holds(part, issue)
            case Clause():
                return self._clause_holds(node, issue)

    def _clause_holds(self, clause: Clause, issue: Issue) -> bool:
        """An issue that has no value is found by no negative operator."""
        searchable = self._fields.find(clause.field)
        values = searchable.read(issue)
        negative = clause.operator in ("!=", "not in", "!~", "is not")
        if not values:
            return not negative and self._asks_for_nothing(clause)
        if clause.operator in ("is", "is not"):
            return negative
        if clause.operator in ("~", "!~"):
            return self._contains(clause, values) != negative
        if searchable.is_time:
            return _compares(clause.operator, int(values[0]), self._times_ms(clause))
        if clause.operator in ("<", ">", "<=", ">="):
            assert searchable.rank is not None
            return _compares(clause.operator, searchable.rank(issue), self._priority_ranks(clause))
        return any(value.lower() in values for value in self._plain(clause)) != negative

    def _asks_for_nothing(self, clause: Clause) -> bool:
        unresolved = clause.field.lower() == "resolution" and "unresolved" in map(str.lower, self._plain(clause))
        return Empty() in clause.values or unresolved

    def _plain(self, clause: Clause) -> list[str]:
        """A clause's values as text; functions give theirs."""
        found: list[str] = []
        for value in clause.values:
            match value:
                case str():
                    found.append(value)
                case Call("currentuser"):
                    found.append("" if self._user is None else self._site.identity(self._user))
                case Call(function):
                    raise JqlError(f"Unable to find JQL function '{function}()'.")
                case Empty():
                    pass
        return found

    def _contains(self, clause: Clause, values: Sequence[str]) -> bool:
        """Words, in any order, wherever they stand: no phrase, and no equality. A word may end with *."""
        there = {word for value in values for word in _words(value)}
        return all(
            any(each.startswith(word[:-1]) if word.endswith("*") else each == word for each in there)
            for wanted in self._plain(clause)
            for word in _words(wanted)
        )

    def _priority_ranks(self, clause: Clause) -> list[int]:
        return [
            -rank
            for value in self._plain(clause)
            for rank, each in enumerate(self._site.priorities.values())
            if value.lower() in (each.id, each.name.lower())
        ]

    def _times_ms(self, clause: Clause) -> list[int]:
        return [self._time_ms(clause.field, value) for value in clause.values if not isinstance(value, Empty)]

    def _time_ms(self, field: str, value: Value) -> int:
        """A time in a query: to the minute, and in the time zone of whoever asks."""
        if isinstance(value, Call) and value.function == "now":
            return self._now_ms
        if isinstance(value, str):
            if value.isdecimal():
                return int(value)
            if period := PERIOD.fullmatch(value.strip()):
                parts = re.findall(r"(\d+)([wdhm])", period[2].lower())
                length_ms = sum(int(number) * UNITS_MS[unit] for number, unit in parts)
                return self._now_ms + (-length_ms if period[1] == "-" else length_ms)
            zone = ZoneInfo("UTC" if self._user is None else self._user.timezone)
            for form in DATE_FORMATS:
                try:
                    return round(datetime.strptime(value, form).replace(tzinfo=zone).timestamp() * 1000)
                except ValueError:
                    continue
        raise JqlError(
            f"Date value '{value}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
            "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
        )


def _compares(operator: str, rank: Any, bounds: Sequence[Any]) -> bool:
    compare: dict[str, Callable[[Any], bool]] = {
        "<": lambda bound: rank < bound,
        ">": lambda bound: rank > bound,
        "<=": lambda bound: rank <= bound,
        ">=": lambda bound: rank >= bound,
    }
    if operator in compare:
        return any(compare[operator](bound) for bound in bounds)
    return (rank in bounds) != (operator in ("!=", "not in"))


def _words(text: str) -> list[str]:
    """As the index cuts text up: hyphens, dots and colons end a word; words that say nothing are not kept."""
    return [word for word in re.findall(r"\w+\*?", text.lower()) if word not in STOP_WORDS]
