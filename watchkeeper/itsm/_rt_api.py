"""Calls to a Request Tracker by REST 2, and what its answers mean.

RT says little by status: what a change did not do stands as text in a 200, what a search does not understand finds
nothing, and what may not be seen is not there. A refusal is only what RT itself has worded: a 404 of a
proxy says nothing about a ticket.
"""

from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from watchkeeper.itsm._closing import MOST_REMARKS, Ending, Remark
from watchkeeper.itsm._http import Answer, Http
from watchkeeper.itsm._options import reveal
from watchkeeper.itsm._rt_options import NoteKind, Options
from watchkeeper.itsm._rt_record import FIELDS, SYSTEM, Record, number_of, quoted, record_of
from watchkeeper.itsm._rt_words import own_words, refusal, taken, words_of
from watchkeeper.itsm.base import Conflict, Denied, Outcome, Rejected, Surroundings, Unavailable

PATH: Final = "/REST/2.0"
PER_PAGE: Final = 100  # RT gives no more at once
_AT_ONCE: Final = 50  # tickets that are asked for in one query: it stands in a URL
_MAX_PAGES: Final = 50
_NEWEST: Final = {"orderby": "id", "order": "DESC", "per_page": str(MOST_REMARKS)}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue. `fields`: the ids of the custom fields of its tickets, as far as they may be seen, by name."""

    name: str
    fields: Mapping[str, str]
    may_create: bool


class Look(NamedTuple):
    """What is under an id. `own` is the ticket of that id, `shown` the one that it was merged into, or itself."""

    own: Record
    shown: Record
    version: str


class Forbidden(Outcome):
    """There is such a ticket, and it may not be seen. For the backend to make an outcome of."""


class Api:
    """One RT, as one user."""

    def __init__(self, options: Options, surroundings: Surroundings) -> None:
        self._auth = options.auth
        self._http = Http(
            f"{options.url}{PATH}",
            verify=options.verify,
            timeout_s=options.timeout_s,
            authenticate=self._who,
            clock=surroundings.clock,
            budget=surroundings.budget,
        )

    def _who(self) -> Mapping[str, str]:
        if self._auth.token is not None:
            return {"Authorization": f"token {reveal(self._auth.token)}"}
        assert self._auth.username is not None and self._auth.password is not None  # noqa: PT018  # by validation
        account = f"{self._auth.username}:{reveal(self._auth.password)}"
        return {"Authorization": f"Basic {b64encode(account.encode()).decode()}"}

    def version(self) -> str:
        """RT's own version."""
        answer = self._http.call("GET", "/rt")
        return taken(self._fine(answer), lambda data: str(data["Version"]))

    def queue(self, name: str) -> Queue | None:
        """A queue; `None` where there is none of this name, or it may not be seen: RT does not tell which."""
        answer = self._http.call("GET", f"/queue/{_segment(name)}")
        if answer.status in (403, 404) and own_words(answer) is not None:
            return None
        return taken(self._fine(answer), lambda data: _queue_of(name, data))

    def has_user(self, name: str) -> bool:
        """Whether there is a user of this name, as far as one may know."""
        answer = self._http.call("GET", f"/user/{_segment(name)}")
        return answer.status != 404 or own_words(answer) is None

    def look(self, ref: str) -> Look | None:
        """What is under an id, deleted tickets too; `None` where there is nothing.

        Raises:
            Forbidden: it may not be seen.
        """
        answer = self._http.call("GET", f"/ticket/{ref}", params={"fields[Queue]": "Name"})
        is_own = own_words(answer) is not None
        if answer.status == 404 and is_own:
            return None
        if answer.status == 403 and is_own:
            raise Forbidden(f"watchkeeper may not see {number_of(ref)}: it has no right ShowTicket in its queue")
        shown = taken(self._fine(answer), record_of)
        version = answer.headers.get("ETag", "")
        if shown.id == ref:
            return Look(shown, shown, version)
        # It answers as the ticket that it was merged into, with that one's key.
        own = next((found for found in self.search(f"id = {ref}") if found.id == ref), None)
        if own is None:
            raise Unavailable(f"{number_of(ref)} was merged into {number_of(shown.id)}, and can not be read any more")
        return Look(own, shown, version)

    def search(self, query: str, *, newest: int | None = None) -> list[Record]:
        """The tickets that a query finds, the oldest first, merged ones too. Deleted ones are never found.

        Args:
            newest: so many, the newest first.
        """
        # Without this clause RT leaves out what was merged.
        params = {"query": f"({query}) AND EffectiveId > 0", **FIELDS, "orderby": "id"}
        if newest is not None:
            params |= {"order": "DESC", "per_page": str(newest)}
            return self._page("/tickets", params, record_of)[0]
        return list(self._pages("/tickets", params, record_of))

    def by_ids(self, refs: Sequence[str]) -> Iterator[Record]:
        """The tickets of these ids that are found."""
        for at in range(0, len(refs), _AT_ONCE):
            yield from self.search(" OR ".join(f"id = {ref}" for ref in refs[at : at + _AT_ONCE]))

    def changed(self, field: str, minutes: int, also: Collection[str]) -> list[str] | None:
        """The ids of tickets that were changed in the last so many minutes: of those that have a key in this field,
        and of these. `None` when they are more than a page."""
        mine = " OR ".join([f"CF.{{{field}}} LIKE 'wk-'", *(f"id = {ref}" for ref in sorted(also, key=int))])
        query = f"LastUpdated >= {_ago(minutes)} AND ({mine}) AND EffectiveId > 0"
        params = {"query": query, "fields": "LastUpdated", "orderby": "id"}
        found, total = self._page("/tickets", params, lambda item: str(item["id"]))
        return None if total is None or total > PER_PAGE else found

    def merged(self, minutes: int) -> list[str] | None:
        """The ids of tickets that were merged in the last so many minutes, and of those that they were merged into,
        whosoever they are; `None` when they are more than a page. A search does not take this for a change."""
        query = f"Created >= {_ago(minutes)} AND Type = 'AddLink' AND Field = 'MergedInto'"
        params = {"query": query, "fields": "ObjectId", "orderby": "id"}
        found, _ = self._page("/transactions", params, lambda item: str(item["ObjectId"]))
        return None if len(found) == PER_PAGE else found

    def touched(self, records: Sequence[Record]) -> set[str]:
        """The ids of those that somebody else than their creator and RT itself has changed."""
        ours = {SYSTEM, *(record.creator for record in records)}
        found = {record.id for record in records if record.last_by not in ours}
        unsure = [record.id for record in records if record.id not in found]
        others = " AND ".join(f"Creator != {quoted(name)}" for name in sorted(ours))
        for at in range(0, len(unsure), _AT_ONCE):
            some = set(unsure[at : at + _AT_ONCE])
            params = {"query": f"({_any_of(some)}) AND {others}", "fields": "ObjectId", "orderby": "id"}
            for ref in self._pages("/transactions", params, lambda item: str(item["ObjectId"])):
                found.add(ref)
                if some <= found:
                    break
        return found

    def is_noted(self, look: Look, sign: str) -> bool:
        """Whether a note of this mark was added to a ticket."""
        word = sign.strip("[]")  # RT takes a query with brackets for something else
        query = f"({_any_of({look.own.id, look.shown.id})}) AND Subject LIKE {quoted(word)}"
        params = {"query": query, "fields": "ObjectId", "orderby": "id"}
        return bool(self._page("/transactions", params, lambda item: item["ObjectId"])[0])

    def ending(self, look: Look, statuses: Collection[str]) -> Ending | None:
        """Who brought a ticket into one of these statuses last; `None` where nobody that is known did."""
        params = {
            "fields": "Creator,Created,NewValue",
            "orderby": "id",
            "order": "DESC",
            "per_page": str(MOST_REMARKS),
        }
        query = f"TicketId = {look.shown.id} AND Type = 'Status'"
        found, _ = self._page("/transactions", {"query": query, **params}, _change_of_status)
        return next((ending for status, ending in found if status in statuses), None)

    def remarks(self, look: Look, who: str) -> Iterator[Remark]:
        """What somebody has said on a ticket, the newest first."""
        spoken = "(Type = 'Comment' OR Type = 'Correspond')"
        query = f"TicketId = {look.shown.id} AND {spoken} AND Creator = {quoted(who)}"
        params = {"query": query, "fields": "Created", **_NEWEST}
        found, _ = self._page("/transactions", params, lambda item: (int(item["id"]), str(item["Created"])))
        for id_, created in found:
            yield Remark(who, created, self._said(id_))

    def _said(self, transaction: int) -> str:
        """The plain text of a transaction."""
        path, params = f"/transaction/{transaction}/attachments", {"fields": "Content,ContentType"}
        found, _ = self._page(path, params, lambda item: (item.get("ContentType"), item.get("Content")))
        return next((str(content) for kind, content in found if kind == "text/plain" and content), "")

    def create(self, body: Mapping[str, Any]) -> str:
        """Makes a ticket, and gives its id.

        Raises:
            Denied: tickets may not be made in the queue.
        """
        answer = self._http.call("POST", "/ticket", json_body=body)
        if answer.status == 403:
            raise Denied(f"does not allow it (403): {words_of(answer)}")
        if answer.status >= 400:
            raise Rejected(refusal(answer))
        return taken(answer, lambda data: str(int(data["id"])))

    def change(self, ref: str, fields: Mapping[str, Any], version: str = "") -> str:
        """Changes a ticket, or parts of it: what RT says about that is no more than words.

        Raises:
            Conflict: it is not of this version any more.
        """
        headers = {"If-Match": version} if version else {}
        answer = self._http.call("PUT", f"/ticket/{ref}", json_body=fields, headers=headers)
        if answer.status == 412:
            raise Conflict(f"{number_of(ref)} was changed by somebody meanwhile")
        if answer.status >= 400:
            raise Rejected(f"{number_of(ref)}: {refusal(answer)}")
        return taken(answer, lambda said: " ".join(map(str, said)))

    def note(self, ref: str, kind: NoteKind, body: Mapping[str, str]) -> None:
        """Adds a note to a ticket."""
        answer = self._http.call("POST", f"/ticket/{ref}/{kind.value}", json_body=body)
        if answer.status >= 400:
            right = "CommentOnTicket" if kind is NoteKind.COMMENT else "ReplyToTicket"
            raise Rejected(f"{number_of(ref)} takes no note: {refusal(answer)} (watchkeeper needs the right {right})")
        taken(answer, lambda said: str(said[0]))

    def _pages(self, path: str, params: Mapping[str, str], read: Callable[[Any], T]) -> Iterator[T]:
        """All that is found. Where RT does not count, pages have gaps of what one may not see: an empty one ends."""
        for page in range(1, _MAX_PAGES + 1):
            found, total = self._page(path, params, read, page)
            yield from found
            if not found or (total is not None and page * PER_PAGE >= total):
                return
        raise Unavailable(f"finds more than {_MAX_PAGES * PER_PAGE}: that is not to be believed")

    def _page(
        self, path: str, params: Mapping[str, str], read: Callable[[Any], T], page: int = 1
    ) -> tuple[list[T], int | None]:
        answer = self._http.call("GET", path, params={"per_page": str(PER_PAGE), "page": str(page), **params})
        return taken(self._fine(answer), lambda data: ([read(item) for item in data["items"]], data["total"]))

    def _fine(self, answer: Answer) -> Answer:
        if answer.status == 403:
            raise Denied(f"does not let watchkeeper read (403): {words_of(answer)}")
        if answer.status != 200:
            raise Unavailable(f"answered {answer.status}: {words_of(answer)}")
        return answer


def _queue_of(name: str, data: Any) -> Queue:
    fields = {field["name"]: str(field["id"]) for field in data["TicketCustomFields"]}
    return Queue(name, fields, any(link["ref"] == "create" for link in data["_hyperlinks"]))


def _ago(minutes: int) -> str:
    """A time by RT's own clock. One that is written out would be of the user's time zone; and of `N minutes ago` RT
    takes some numbers for years."""
    return f"'-{minutes} minutes'"


def _change_of_status(item: Any) -> tuple[str, Ending]:
    return str(item.get("NewValue", "")).lower(), Ending(str(item["Creator"]["id"]), str(item["Created"]))


def _any_of(refs: set[str]) -> str:
    return " OR ".join(f"TicketId = {ref}" for ref in sorted(refs, key=int))


def _segment(name: str) -> str:
    return quote(name, safe="")
