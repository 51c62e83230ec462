"""What each field means in JQL: which operators it has, its values as a query gives them, how it is ordered."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.simulators.jira_adf import text_of
from tests.simulators.jira_jql import JqlError
from tests.simulators.jira_model import Field, Issue, Kind, User
from tests.simulators.jira_tracker import Tracker
from tests.simulators.jira_workflow import CATEGORIES, Category

CHOICES = ("=", "!=", "in", "not in", "is", "is not")
RANKED = (*CHOICES, "<", ">", "<=", ">=")
TEXTS = ("~", "!~", "is", "is not")
ALIASES = {
    "issue": "key",
    "issuekey": "key",
    "id": "key",
    "type": "issuetype",
    "createddate": "created",
    "updateddate": "updated",
    "resolved": "resolutiondate",
}
KEY = re.compile(r"[a-z]\w*-\d+|\d+")
PROPERTY = re.compile(r"issue\.property\[([^\]]+)\]\.(.+)")

Read = Callable[[Issue], list[str]]


@dataclass(frozen=True, slots=True)
class Searchable:
    """A field in JQL.

    `read`: its values in lower case; `wrong`: what Jira says to a value that can not be asked for, None when it can;
    `rank`: what < and > and ORDER BY compare; `is_time`: whether that are times.
    """

    operators: Sequence[str]
    read: Read
    wrong: Callable[[str], str | None] = lambda _value: None
    rank: Callable[[Issue], Any] | None = None
    is_time: bool = False


class Searchables:
    """The fields of a site, as one user may search them."""

    def __init__(self, tracker: Tracker, user: User | None) -> None:
        self._tracker, self._site, self._user = tracker, tracker.site, user
        self._fixed = {**self._choices(), **self._texts_and_times(), "key": self._key()}

    def find(self, name: str) -> Searchable:
        """Raises JqlError when there is none of this name."""
        lower = ALIASES.get(name.lower(), name.lower())
        if lower in self._fixed:
            return self._fixed[lower]
        if found := PROPERTY.fullmatch(name):
            return self._property(name, found[1], found[2])
        for field in self._site.fields.values():
            if field.number is not None and lower in (clause.lower() for clause in field.clauses):
                return _custom(field)
        raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")

    def _choices(self) -> Mapping[str, Searchable]:
        site = self._site
        ranks = {id_: -rank for rank, id_ in enumerate(site.priorities)}
        projects = {each.key: _lower(each.key, each.id, each.name) for each in site.projects.values()}
        visible = [projects[each.key] for each in site.visible(self._user)]
        types = {each.id: _lower(each.id, each.name) for each in site.issue_types()}
        statuses = {each.id: _lower(each.id, each.name) for each in site.statuses()}
        priorities = {each.id: _lower(each.id, each.name) for each in site.priorities.values()}
        resolutions = {each.id: _lower(each.id, each.name) for each in site.resolutions.values()}
        people = {each.name: _lower(site.identity(each), each.email) for each in site.users.values()}

        def of(field: str, names: Mapping[str, list[str]], *more: str) -> Searchable:
            def read(issue: Issue) -> list[str]:
                return names.get(issue.values.get(field) or "", [])

            return Searchable(CHOICES, read, _one_of(field, [*names.values(), list(more)]))

        return {
            "project": Searchable(CHOICES, lambda issue: projects[issue.project], _one_of("project", visible)),
            "issuetype": of("issuetype", types),
            "status": of("status", statuses),
            "statuscategory": Searchable(
                CHOICES,
                lambda issue: _category_names(self._tracker.status(issue).category),
                _one_of("statusCategory", [_category_names(each) for each in CATEGORIES]),
            ),
            "priority": Searchable(
                RANKED,
                lambda issue: priorities[issue.values["priority"]],
                _one_of("priority", priorities.values()),
                lambda issue: ranks[issue.values["priority"]],
            ),
            "resolution": of("resolution", resolutions, "unresolved"),
            "assignee": of("assignee", people),
            "reporter": of("reporter", people),
            "creator": of("creator", people),
            "labels": Searchable(CHOICES, lambda issue: _lower(*issue.labels)),
        }

    def _texts_and_times(self) -> Mapping[str, Searchable]:
        def text(*fields: str) -> Searchable:
            return Searchable(TEXTS, lambda issue: _texts(issue, fields))

        return {
            **{name: text(name) for name in ("summary", "description", "comment")},
            "text": text("summary", "description", "comment"),
            **{name: _time(name) for name in ("created", "updated", "resolutiondate")},
        }

    def _key(self) -> Searchable:
        """By key, by a key that it had, or by id. One that does not exist fails the whole query."""

        def wrong(value: str) -> str | None:
            if not KEY.fullmatch(value.lower()):
                return f"The issue key '{value}' for field 'key' is invalid."
            for issue in self._tracker.issues.values():
                if value.lower() in _keys(issue) and self._tracker.sees(self._user, issue):
                    return None
            if value.isdecimal():
                return f"A value with ID '{value}' does not exist for the field 'id'."
            return f"An issue with key '{value}' does not exist for field 'key'."

        return Searchable(CHOICES, _keys, wrong, lambda issue: (issue.project, issue.number))

    def _property(self, name: str, key: str, path: str) -> Searchable:
        """Only what an app has declared is in the index."""
        if f"{key}.{path}" not in self._site.indexed_properties:
            raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")

        def read(issue: Issue) -> list[str]:
            value = issue.properties.get(key)
            for step in path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            return [] if value is None else [str(value).lower()]

        return Searchable((*CHOICES, "~", "!~"), read)


def _time(field: str) -> Searchable:
    return Searchable(
        RANKED,
        lambda issue: [str(issue.values[field])] if issue.values.get(field) else [],
        rank=lambda issue: issue.values.get(field) or 0,
        is_time=True,
    )


def _custom(field: Field) -> Searchable:
    """A select list has choices, a text has words: `=` is no operator of it."""
    if field.kind is Kind.TIME:
        return _time(field.id)
    if field.kind is Kind.OPTION:
        options = {id_: _lower(id_, value) for id_, value in field.options.items()}
        return Searchable(
            CHOICES,
            lambda issue: options.get(issue.values.get(field.id) or "", []),
            _one_of(field.name, options.values(), "The option '{}' for field '{}' does not exist."),
        )
    return Searchable(TEXTS, lambda issue: [issue.values[field.id]] if issue.values.get(field.id) else [])


def _one_of(
    field: str, names: Iterable[Sequence[str]], message: str = "The value '{}' does not exist for the field '{}'."
) -> Callable[[str], str | None]:
    known = {name for each in names for name in each}
    return lambda value: None if value.lower() in known else message.format(value, field)


def _lower(*values: str) -> list[str]:
    return [value.lower() for value in values]


def _keys(issue: Issue) -> list[str]:
    return _lower(issue.id, issue.key, *issue.old_keys)


def _category_names(category: Category) -> list[str]:
    number, name, _ = CATEGORIES[category]
    return [str(number), name.lower(), category]


def _texts(issue: Issue, fields: Sequence[str]) -> list[str]:
    kept = [issue.values.get(field) for field in fields]
    if "comment" in fields:
        kept += [comment.body for comment in issue.comments]
    return [text_of(each) if isinstance(each, dict) else each for each in kept if each]
