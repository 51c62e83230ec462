"""What there is to know of a Jira before anything is written there: who asks, types, forms, links, request types.

It is asked for when it is needed and kept for an hour, or until Jira refuses a ticket: administrators change it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from watchkeeper.domain.rule import Clock
from watchkeeper.domain.ticket import TicketKind
from watchkeeper.itsm._jira_api import Api, Missing
from watchkeeper.itsm._jira_fields import Form, FormField
from watchkeeper.itsm._jira_options import Options, plain
from watchkeeper.itsm._jira_record import identity
from watchkeeper.itsm.base import Denied, Rejected, Unavailable

T = TypeVar("T")

_KEPT_MS: Final = 3_600_000
_PAGE: Final = 100
_LINKS: Final = ("Problem/Incident", "Causes", "Relates")
_DUPLICATES: Final = ("Duplicate", "Duplicates", "Relates")


@dataclass(frozen=True, slots=True)
class IssueType:
    """A type of issue that can be created, and the form of its creation."""

    id: str
    name: str
    form: Form


class Site:
    """One Jira, and one project in it. Every method may raise an Outcome."""

    def __init__(self, api: Api, options: Options, clock: Clock) -> None:
        self._api = api
        self._options = options
        self._clock = clock
        self._kept: dict[str, tuple[int, Any]] = {}

    def forget(self) -> None:
        """It may have been changed."""
        self._kept.clear()

    @property
    def url(self) -> str:
        """Where people find it."""
        return str(self._api.info.get("baseUrl") or self._options.url).rstrip("/")

    @property
    def me(self) -> str:
        """What Jira knows watchkeeper's own user by."""
        return self._keep("me", self._read_me)

    def issue_type(self, kind: TicketKind) -> IssueType:
        """The issue type that tickets of a kind get.

        Raises:
            Denied: watchkeeper may not create anything in the project.
            Rejected: the project has no such type.
        """
        name = self._options.type_of(kind)
        return self._keep(f"type {name}", lambda: self._read_type(name))

    def request_type(self, issue_type: IssueType) -> tuple[FormField, str]:
        """The field that makes an issue a request, and its value.

        Raises:
            Rejected: there is no such field, or no such request type.
        """
        field = issue_type.form.request_type()
        if field is None:
            raise Rejected(f"{issue_type.name} in {self._options.project} has no request type on its create screen")
        return field, self._keep("request type", self._read_request_type)

    def link_type(self) -> str:
        """The name of the type of links between an incident and its problem.

        Raises:
            Rejected: there is none.
        """
        return self._keep("link type", lambda: self._read_link_type(self._options.link_type, _LINKS))

    def duplicate_type(self) -> str:
        """The name of the type of links between an incident and the one that takes its place.

        Raises:
            Rejected: there is none.
        """
        wanted = self._options.duplicate_type
        return self._keep("duplicate type", lambda: self._read_link_type(wanted, _DUPLICATES))

    def finding_fields(self) -> Mapping[str, str]:
        """The ids of the fields in which people write what they found out; without those that there are not."""
        if not self._options.finding_fields:
            return {}
        return self._keep("findings", self._read_finding_fields)

    def _keep(self, what: str, read: Callable[[], T]) -> T:
        now = self._clock()
        since, value = self._kept.get(what, (0, None))
        if value is None or not since <= now < since + _KEPT_MS:
            value = read()
            self._kept[what] = (now, value)
        kept: T = value
        return kept

    def _read_me(self) -> str:
        found = identity(self._api.get("/myself"))
        if not found:
            raise Unavailable("does not say who watchkeeper is")
        return found

    def _read_type(self, name: str) -> IssueType:
        project = self._options.project
        path = f"/issue/createmeta/{project}/issuetypes"
        try:
            types = self._api.pages(path, "issueTypes", maxResults=str(_PAGE))
        except Missing:
            raise Denied(
                f"there is no project {project}, or it is hidden from watchkeeper: it needs Browse Projects there"
            ) from None
        if not types:
            raise Denied(f"watchkeeper may create nothing in {project}: it needs the permission to create issues")
        found = _named(types, name) or _named(types, f"[System] {name}")
        if found is None:
            there = ", ".join(str(each.get("name")) for each in types)
            raise Rejected(f"{project} has no issue type {name!r}: it has {there}")
        fields = self._api.pages(f"{path}/{found['id']}", "fields", maxResults=str(_PAGE))
        return IssueType(str(found["id"]), str(found["name"]), Form.of_list(fields))

    def _read_request_type(self) -> str:
        wanted = self._options.request_type
        if "/" in wanted or wanted.isdecimal():
            return wanted
        types = self._desk_pages(f"/rest/servicedeskapi/servicedesk/{self._desk()}/requesttype")
        found = _named(types, wanted)
        if found is None:
            there = ", ".join(str(each.get("name")) for each in types)
            raise Rejected(f"there is no request type {wanted!r}: there is {there or 'none at all'}")
        return str(found["id"])

    def _desk(self) -> str:
        if self._options.service_desk:
            return self._options.service_desk
        for desk in self._desk_pages("/rest/servicedeskapi/servicedesk"):
            if desk.get("projectKey") == self._options.project:
                return str(desk["id"])
        raise Rejected(f"{self._options.project} is no service desk, or hidden from watchkeeper")

    def _desk_pages(self, path: str) -> list[Mapping[str, Any]]:
        """Service desks have pages of their own kind."""
        found: list[Mapping[str, Any]] = []
        for _ in range(20):
            page = self._api.get(path, start=str(len(found)), limit=str(_PAGE))
            values = page.get("values")
            if not isinstance(values, list):
                raise Unavailable("answered with a page that has no values")
            found += values
            if not values or page.get("isLastPage") is not False:
                break
        return found

    def _read_finding_fields(self) -> Mapping[str, str]:
        known = self._api.get_list("/field")
        found = {what: _named(known, name) for what, name in self._options.finding_fields.items()}
        return {what: str(field["id"]) for what, field in found.items() if field is not None}

    def _read_link_type(self, configured: str, usual: Sequence[str]) -> str:
        types = self._api.get("/issueLinkType").get("issueLinkTypes") or ()
        wanted = [configured] if configured else usual
        for name in wanted:
            if (found := _named(types, name)) is not None:
                return str(found["name"])
        there = ", ".join(str(each.get("name")) for each in types)
        raise Rejected(f"there is no link type {' or '.join(map(repr, wanted))}: there is {there or 'none at all'}")


def _named(all_: Any, name: str) -> Mapping[str, Any] | None:
    """The one of this name or id."""
    for each in all_:
        if name == str(each.get("id")) or plain(name) == plain(str(each.get("name"))):
            found: Mapping[str, Any] = each
            return found
    return None
