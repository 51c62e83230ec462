"""What is known beside the files of the configuration, kept up to date: what resolved earlier incidents, what is
known of problems, and articles from elsewhere. Indexes are built here, off the event loop, and handed over whole."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from watchkeeper.domain.article import Article, Source
from watchkeeper.domain.knowledge import Shelf
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.resolutions import all_resolutions, known_errors

EVERY_S: Final = 60.0

_log = structlog.get_logger("knowledge")


class Library:
    """Looks once a minute what has changed, in a thread of its own. `step` does the same by hand.

    Args:
        tell: hears of the shelves that have changed, from whichever thread changed them.
    """

    def __init__(self, database: Database, tell: Callable[[Mapping[Source, Shelf]], None]) -> None:
        self._database = database
        self._tell = tell
        self._lock = threading.Lock()
        self._shelves: dict[Source, Shelf] = {}
        self._known: dict[Source, list[Article]] = {}
        self._has_news = True  # of resolutions, which are many, and change only when somebody says so
        self._wanted = threading.Event()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._work, name="knowledge", daemon=True)

    @property
    def shelves(self) -> Mapping[Source, Shelf]:
        """All that there are, for a plan that was made anew."""
        with self._lock:
            return dict(self._shelves)

    def begin(self) -> None:
        self._thread.start()

    def end(self, within_s: float) -> None:
        self._ending.set()
        self._wanted.set()
        if self._thread.ident is not None:
            self._thread.join(within_s)

    def learnt(self) -> None:
        """There is a new resolution."""
        self._has_news = True
        self._wanted.set()

    def put(self, source: Source, articles: Sequence[Article]) -> None:
        """Takes in all articles of a source, in place of those that there were."""
        with self._lock:
            if self._known.get(source, []) == (listed := list(articles)):
                return
            shelf = Shelf(listed)
            self._known[source], self._shelves[source] = listed, shelf
        self._tell({source: shelf})

    def step(self) -> None:
        """Looks what has changed.

        Raises:
            StoreError: the database does not answer; what is known stays.
        """
        if self._has_news:
            self._has_news = False
            try:
                found = all_resolutions(self._database)
            except StoreError:
                self._has_news = True
                raise
            self.put(Source.RESOLUTION, [one.article() for one in found])
        of_problems = [article for one in known_errors(self._database) if (article := one.article()) is not None]
        self.put(Source.KNOWN_ERROR, of_problems)

    def _work(self) -> None:
        failing = False
        while not self._ending.is_set():
            self._wanted.clear()
            try:
                self.step()
                failing = False
            except StoreError as error:
                if not failing:
                    _log.warning("knowledge_stale", error=str(error))
                failing = True
            if not self._ending.is_set():
                self._wanted.wait(EVERY_S)
