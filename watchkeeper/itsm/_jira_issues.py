"""Issues as they are now. A search is not asked for that: its index knows of a write seconds or minutes later, on
Cloud for everybody, on Data Center on each node. It only names issues, which are then read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from watchkeeper.itsm._closing import MOST_REMARKS, Remark
from watchkeeper.itsm._jira_api import MOST_PAGES, Api, Missing
from watchkeeper.itsm._jira_record import FIELDS, PROPERTY, Record, identity
from watchkeeper.itsm._jira_text import plain
from watchkeeper.itsm.base import Unavailable

_BATCH: Final = 50  # with their changelogs; Cloud takes 100
_ONE_BY_ONE: Final = 5  # so few are not worth a search
_PAGE: Final = 100
_COMMENTS: Final = 50  # a change that may have been made is among the last ones


class Issues:
    """The issues of one Jira. Every method may raise an Outcome.

    Args:
        more: gives the ids of further fields that are read.
    """

    def __init__(self, api: Api, more: Callable[[], Iterable[str]] = tuple) -> None:
        self._api = api
        self._more = more

    def one(self, ref: str, *fields: str) -> Record | None:
        """An issue with its property, and further fields; `None` when it is not there, or hidden."""
        if not is_id(ref):
            return None
        wanted = {
            "fields": ",".join([*FIELDS, *self._more(), *fields]),
            "properties": PROPERTY,
            "expand": "changelog",
        }
        try:
            said = self._api.get(f"/issue/{ref}", **wanted)
        except Missing:
            return None
        return Record(_issue(said))

    def many(self, refs: Iterable[str]) -> Iterator[Record]:
        """Those of the issues that are there, and not hidden."""
        wanted = [ref for ref in dict.fromkeys(refs) if is_id(ref)]
        for at in range(0, len(wanted), _BATCH):
            batch = wanted[at : at + _BATCH]
            yield from self._fetched(batch) if self._api.is_cloud else self._searched(batch)

    def labelled(self, label: str) -> list[str]:
        """The ids of the issues that a search finds by a label, whatever its case."""
        return self.matching(f"labels = {quoted(label)}")

    def matching(self, jql: str) -> list[str]:
        """The ids of the issues that a search finds, as far as its index knows."""
        return list(self._cloud_ids(jql) if self._api.is_cloud else (str(each["id"]) for each in self._pages(jql)))

    def changed(self, minutes: int) -> list[str] | None:
        """The ids of the issues of whoever asks that were changed in the last so many minutes of Jira's own clock;
        `None` when these are more than a page. A time instead would be one of the user's time zone."""
        body = {"jql": f'creator = currentUser() AND updated >= "-{minutes}m"', "fields": ["id"], "maxResults": _PAGE}
        if self._api.is_cloud:
            said = self._api.ask("/search/jql", body)
            is_all = said.get("isLast") is True or not said.get("nextPageToken")
        else:
            said = self._api.ask("/search", body)
            is_all = int(said.get("total", _PAGE + 1)) <= len(_listed(said))
        found = [str(_issue(each)["id"]) for each in _listed(said)]
        return found if is_all and len(found) <= _PAGE else None

    def newest_open(self, project: str) -> Record | None:
        """The newest issue of whoever asks in a project that is not done, as far as a search knows."""
        jql = f"project = {quoted(project)} AND creator = currentUser() AND statusCategory != Done ORDER BY id DESC"
        found = self._cloud_ids(jql) if self._api.is_cloud else (each["id"] for each in self._pages(jql))
        ref = next(iter(found), None)
        return None if ref is None else self.one(str(ref))

    def has_comment(self, ref: str, holds: Callable[[Any], bool]) -> bool:
        """Whether this holds of the body of one of the last comments."""
        said = self._api.get(f"/issue/{ref}/comment", orderBy="-created", maxResults=str(_COMMENTS))
        comments = said.get("comments")
        if not isinstance(comments, list):
            raise Unavailable("answered with something that holds no comments")
        return any(holds(each.get("body")) for each in comments)

    def remarks(self, ref: str) -> list[Remark]:
        """The last comments, the newest first."""
        params = {"orderBy": "-created", "maxResults": str(MOST_REMARKS)}
        comments = self._api.get(f"/issue/{ref}/comment", **params).get("comments")
        if not isinstance(comments, list):
            raise Unavailable("answered with something that holds no comments")
        return [
            Remark(identity(each.get("author")), str(each.get("created", "")), plain(each.get("body")))
            for each in comments
            if isinstance(each, dict)
        ]

    def _fetched(self, refs: Sequence[str]) -> Iterator[Record]:
        """On Cloud: what is not there is left out, and what could not be read is named."""
        body = {
            "issueIdsOrKeys": list(refs),
            "fields": [*FIELDS, *self._more()],
            "properties": [PROPERTY],
            "expand": ["changelog"],
        }
        said = self._api.ask("/issue/bulkfetch", body)
        if said.get("issueErrors"):
            raise Unavailable("could not read some of the tickets that were asked for")
        yield from map(Record, map(_issue, _listed(said)))

    def _searched(self, refs: Sequence[str]) -> Iterator[Record]:
        """On Data Center: one id that is gone fails a query that is validated. What the index has not got is read."""
        found: dict[str, Record] = {}
        if len(refs) > _ONE_BY_ONE:
            jql = f"id in ({', '.join(refs)})"
            more = {"fields": [*FIELDS, *self._more()], "expand": ["changelog"], "validateQuery": False}
            found = {record.id: record for record in map(Record, self._pages(jql, **more))}
        for ref in refs:
            record = found.get(ref) or self.one(ref)
            if record is not None:
                yield record

    def _cloud_ids(self, jql: str) -> Iterator[str]:
        body: dict[str, Any] = {"jql": jql, "fields": ["id"], "maxResults": _PAGE}
        for _ in range(MOST_PAGES):
            said = self._api.ask("/search/jql", body)
            yield from (str(_issue(each)["id"]) for each in _listed(said))
            token = said.get("nextPageToken")
            if said.get("isLast") is True or not token:
                return
            body = {**body, "nextPageToken": token}
        raise Unavailable("finds more tickets of one label than can be")

    def _pages(self, jql: str, **more: Any) -> Iterator[Mapping[str, Any]]:
        """What a search of Data Center finds, page by page: a page may be shorter than it was asked for."""
        body = {"jql": jql, "fields": ["id"], **more, "maxResults": _PAGE}
        seen = 0
        for _ in range(MOST_PAGES):
            said = self._api.ask("/search", {**body, "startAt": seen})
            issues = _listed(said)
            yield from map(_issue, issues)
            seen += len(issues)
            if seen >= int(said.get("total", 0)):
                return
            if not issues:
                raise Unavailable("found more issues than it shows")
        raise Unavailable("finds more tickets than can be")


def is_id(ref: str) -> bool:
    """Whether it may be an issue's id. Keys change, and are not kept."""
    return re.fullmatch(r"[1-9][0-9]{0,17}", ref, re.ASCII) is not None


def quoted(text: str) -> str:
    """A text in JQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(said: Mapping[str, Any]) -> list[Any]:
    issues = said.get("issues")
    if not isinstance(issues, list):
        raise Unavailable("answered with something that holds no issues")
    return issues


def _issue(said: Any) -> Mapping[str, Any]:
    if not isinstance(said, dict) or not said.get("id"):
        raise Unavailable("answered with something that is no issue")
    return said
