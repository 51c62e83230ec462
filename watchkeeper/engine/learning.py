"""Learning from one backend: what people said when they resolved tickets, and the articles that they publish.

Nothing of this may hold up tickets: it is read in small steps, and whatever goes wrong is told in the log and tried
again later, less and less often.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from watchkeeper.domain.article import Article
from watchkeeper.domain.knowledge import MOST_ARTICLES
from watchkeeper.domain.rule import Clock
from watchkeeper.itsm.base import Ambiguous, Conflict, Publishes, Rejected, TellsResolution, TicketBackend
from watchkeeper.store.database import Database
from watchkeeper.store.resolutions import Ended, keep, next_unread

MOST_TRIES: Final = 12
"""So often it is tried to read one ticket: over some eight hours, since pauses double."""
_FIRST_PAUSE_MS: Final = 60_000
_LONGEST_PAUSE_MS: Final = 3_600_000

_log = structlog.get_logger("knowledge")


@dataclass(frozen=True, slots=True)
class Published:
    """Which articles are read, and how often. `put`: takes them."""

    query: str
    every_ms: int
    put: Callable[[Sequence[Article]], None]


class Learning:
    """Reads a little at a time, in the thread of the backend's delivery.

    Args:
        every_ms: how often it is looked for tickets that were resolved.
        learnt: hears when something was said.
        published: which articles are to be read now, `None` for none; it may change.
    """

    def __init__(
        self,
        name: str,
        backend: TicketBackend,
        database: Database,
        clock: Clock,
        every_ms: int,
        learnt: Callable[[], None] = lambda: None,
        published: Callable[[], Published | None] = lambda: None,
    ) -> None:
        self._name = name
        self._teller = backend if isinstance(backend, TellsResolution) else None
        self._publisher = backend if isinstance(backend, Publishes) else None
        self._published = published
        self._query: str | None = None  # that articles were read by last
        self._database = database
        self._clock = clock
        self._every_ms = every_ms
        self._learnt = learnt
        now = clock()
        self._due_ms = now + every_ms
        self._articles_due_ms = now
        self._pauses = {"tickets": 0, "articles": 0}  # after how many failures in a row
        self._tries: dict[int, int] = {}
        self._pages: Iterator[Sequence[Article]] | None = None  # of articles, while they are read
        self._read: list[Article] = []

    def wait_ms(self) -> int:
        """How long until there is something to read."""
        due = [self._due_ms] if self._teller is not None else []
        due += [] if (at := self._articles_at(self._published())) is None else [at]
        now = self._clock()
        return min((max(0, at - now) for at in due), default=_LONGEST_PAUSE_MS)

    def step(self) -> None:
        """Reads one ticket or one page of articles, if any is due.

        Raises:
            StoreError: the database does not answer.
        """
        now, published = self._clock(), self._published()
        at = self._articles_at(published)
        if self._teller is not None and self._due_ms <= now:
            self._read_ticket(self._teller, now)
        elif self._publisher is not None and published is not None and at is not None and at <= now:
            self._read_articles(self._publisher, published, now)

    def _articles_at(self, published: Published | None) -> int | None:
        """When articles are to be read; `None`: never. At once where they are others than before."""
        if self._publisher is None or published is None:
            return None
        return self._articles_due_ms if published.query == self._query else 0

    def _read_ticket(self, teller: TellsResolution, now_ms: int) -> None:
        if (ended := next_unread(self._database, self._name, now_ms)) is None:
            self._due_ms = now_ms + self._every_ms
            return
        try:
            text = self._said(teller, ended)
        except Exception as error:  # noqa: BLE001  # a backend's bug, or it does not answer: later again
            self._due_ms = now_ms + self._pause_ms("tickets")
            _log.warning("resolution_unreadable", backend=self._name, ticket=ended.ticket.number, reason=str(error))
            return
        self._pauses["tickets"] = 0
        self._tries.clear()
        keep(self._database, replace(ended.empty, text=text))
        if text:
            _log.info("resolution_kept", backend=self._name, ticket=ended.ticket.number)
            self._learnt()

    def _said(self, teller: TellsResolution, ended: Ended) -> str:
        """What was said about one; nothing of one that can not be read however often it is tried."""
        tries = self._tries[ended.empty.incident_id] = self._tries.get(ended.empty.incident_id, 0) + 1
        try:
            return teller.resolution(ended.ticket)
        except (Rejected, Ambiguous, Conflict):  # it is gone, or is not to be read
            return ""
        except Exception:
            if tries < MOST_TRIES:
                raise
            return ""

    def _read_articles(self, publisher: Publishes, published: Published, now_ms: int) -> None:
        if published.query != self._query:
            self._query, self._pages, self._articles_due_ms = published.query, None, now_ms
        try:
            if self._pages is None:
                self._pages = iter(publisher.articles(published.query, MOST_ARTICLES + 1))
                self._read = []
            page = next(self._pages, None)
        except Exception as error:  # noqa: BLE001  # a backend's bug, or it does not answer: what is known stays
            self._pages = None
            self._articles_due_ms = now_ms + self._pause_ms("articles")
            _log.warning("articles_unreadable", backend=self._name, reason=str(error))
            return
        if page is not None and len(self._read) <= MOST_ARTICLES:
            self._read += page
            return
        self._pages = None
        self._pauses["articles"] = 0
        self._articles_due_ms = now_ms + published.every_ms
        published.put(self._read)
        left_out = max(0, len(self._read) - MOST_ARTICLES)
        _log.info("articles_read", backend=self._name, articles=len(self._read) - left_out)
        if left_out:
            _log.warning("articles_left_out", backend=self._name, most=MOST_ARTICLES, advice="narrow knowledge.query")
        self._read = []

    def _pause_ms(self, what: str) -> int:
        self._pauses[what] += 1
        return int(min(_LONGEST_PAUSE_MS, _FIRST_PAUSE_MS * 2 ** min(self._pauses[what] - 1, 10)))
