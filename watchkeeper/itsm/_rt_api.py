"""Calls to a Request Tracker by REST 2, and what its answers mean.

RT says little by status: what a change did not do stands as text in a 200, what a search does not understand finds
nothing, and what may not be seen is not there.
"""

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

from watchkeeper.itsm._http import Answer, Http
from watchkeeper.itsm._options import reveal
from watchkeeper.itsm._rt_options import NoteKind, Options
from watchkeeper.itsm._rt_record import FIELDS, SYSTEM, Record, number_of, quoted, record_of
from watchkeeper.itsm.base import Conflict, Denied, Outcome, Rejected, Surroundings, Unavailable

PATH: Final = "/REST/2.0"
PER_PAGE: Final = 100  # RT gives no more at once
_AT_ONCE: Final = 50  # tickets that are asked for in one query: it stands in a URL
_MAX_PAGES: Final = 50

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
        return _taken(self._fine(answer), lambda data: str(data["Version"]))

    def queue(self, name: str) -> Queue | None:
        """A queue; `None` where there is none of this name, or it may not be seen: RT does not tell which."""
        answer = self._http.call("GET", f"/queue/{_segment(name)}")
        if answer.status in (403, 404):
            return None
        return _taken(self._fine(answer), lambda data: _queue_of(name, data))

    def has_user(self, name: str) -> bool:
        """Whether there is a user of this name, as far as one may know."""
        return self._http.call("GET", f"/user/{_segment(name)}").status != 404

    def look(self, ref: str) -> Look | None:
        """What is under an id, deleted tickets too; `None` where there is nothing.

        Raises:
            Forbidden: it may not be seen.
        """
        answer = self._http.call("GET", f"/ticket/{ref}", params={"fields[Queue]": "Name"})
        if answer.status == 404:
            return None
        if answer.status == 403:
            raise Forbidden(f"watchkeeper may not see {number_of(ref)}: it has no right ShowTicket in its queue")
        shown = _taken(self._fine(answer), record_of)
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

    def create(self, body: Mapping[str, Any]) -> str:
        """Makes a ticket, and gives its id.

        Raises:
            Denied: tickets may not be made in the queue.
        """
        answer = self._http.call("POST", "/ticket", json_body=body)
        if answer.status == 403:
            raise Denied(words_of(answer))
        if answer.status >= 400:
            raise Rejected(words_of(answer))
        return _taken(answer, lambda data: str(int(data["id"])))

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
            raise Rejected(f"{number_of(ref)}: {words_of(answer)}")
        return _taken(answer, lambda said: " ".join(map(str, said)))

    def note(self, ref: str, kind: NoteKind, body: Mapping[str, str]) -> None:
        """Adds a note to a ticket."""
        answer = self._http.call("POST", f"/ticket/{ref}/{kind.value}", json_body=body)
        if answer.status >= 400:
            right = "CommentOnTicket" if kind is NoteKind.COMMENT else "ReplyToTicket"
            raise Rejected(
                f"{number_of(ref)} takes no note: {words_of(answer)} (watchkeeper needs the right {right})"
            )
        _taken(answer, lambda said: str(said[0]))

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
        return _taken(self._fine(answer), lambda data: ([read(item) for item in data["items"]], data["total"]))

    def _fine(self, answer: Answer) -> Answer:
        if answer.status == 403:
            raise Denied(f"does not let watchkeeper read (403): {words_of(answer)}")
        if answer.status != 200:
            raise Unavailable(f"answered {answer.status}: {words_of(answer)}")
        return answer


def words_of(answer: Answer) -> str:
    """What RT says about a refusal, in one line."""
    try:
        said = answer.json()["message"]
    except (Outcome, LookupError, TypeError):
        return answer.shown or str(answer.status)
    return " ".join(str(said).split())[:300]


def _taken(answer: Answer, take: Callable[[Any], T]) -> T:
    """What is taken from an answer's JSON. Raises as `Answer.json` does where it is not there."""
    data = answer.json()
    try:
        return take(data)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise answer.unclear(f"answered {answer.status} with something else: {answer.shown}") from None


def _queue_of(name: str, data: Any) -> Queue:
    fields = {field["name"]: str(field["id"]) for field in data["TicketCustomFields"]}
    return Queue(name, fields, any(link["ref"] == "create" for link in data["_hyperlinks"]))


def _any_of(refs: set[str]) -> str:
    return " OR ".join(f"TicketId = {ref}" for ref in sorted(refs, key=int))


def _segment(name: str) -> str:
    return quote(name, safe="")
