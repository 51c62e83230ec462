"""The work at the ticket backends: what delivers to each, and reads from it besides."""

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from watchkeeper.app.hearing import Hearing
from watchkeeper.app.parts import now_ms
from watchkeeper.config.load import Backend, Config
from watchkeeper.domain.article import Source
from watchkeeper.domain.evidence import PastChange
from watchkeeper.domain.expected import Window
from watchkeeper.engine.attempt import Desk
from watchkeeper.engine.change_feed import ChangeFeed, ChangeReading, feeds_of
from watchkeeper.engine.deliveries import Deliveries
from watchkeeper.engine.delivery import Delivery
from watchkeeper.engine.figures import Figures
from watchkeeper.engine.learning import Learning, Published
from watchkeeper.engine.library import Library
from watchkeeper.engine.windows import Windows
from watchkeeper.store.database import Database, StoreError
from watchkeeper.store.problems import past_changes


class Deskwork:
    """Makes the deliveries of a configuration's backends, and what they read for others.

    Args:
        make: makes the desk of a backend, for which commands wait in the database.
    """

    def __init__(
        self,
        config: Config,
        database: Database,
        make: Callable[[Backend, Database], Desk],
        figures: Figures,
        hearing: Hearing,
    ) -> None:
        self._config = config
        self._database = database
        self._make = make
        self._figures = figures
        self._hearing = hearing
        self._feeds: Mapping[str, ChangeFeed] = {}
        self._changes: Sequence[PastChange] = ()
        self.library = Library(database, hearing.learnt)
        self.windows = Windows(database, now_ms, self._expect, figures)
        self.deliveries = Deliveries(self._delivery)

    def revise(self, config: Config) -> None:
        """Takes on another configuration."""
        self._config = config
        if config.knowledge.servicenow is None:
            self.library.put(Source.SERVICENOW, [])
        self.deliveries.revise(config.backends)
        self.plan_windows(config)

    def plan_windows(self, config: Config) -> None:
        """Takes on what a configuration plans, and where else it is read from."""
        services, sources = config.plan.services.values(), config.planned.change_backends
        self._feeds = feeds_of(sources, services, now_ms, self.windows.refresh, self._feeds)
        self.windows.revise(config.planned, list(self._feeds.values()), config.plan)
        self.deliveries.wake(set(self._feeds))

    def _expect(self, windows: Sequence[Window]) -> None:
        with suppress(StoreError):  # what was known before serves as well
            self._changes = past_changes(self._database, now_ms())
        self._hearing.windows(windows, self._changes)

    def _delivery(self, _name: str, backend: Backend) -> Delivery:
        desk, hearing = self._make(backend, self._database), self._hearing
        hear = hearing.reopening_refused, hearing.tickets_seen
        hear_of_problems = hearing.problem_reopening_refused, hearing.problem_seen
        every_ms, published = desk.policy.read_every_ms, partial(self._published, desk.name)
        learning = Learning(desk.name, desk.backend, self._database, now_ms, every_ms, self.library.learnt, published)
        changes = ChangeReading(desk.backend, now_ms, lambda: self._feeds.get(desk.name))
        make = partial(Delivery, desk, self._database, now_ms, random.random, self._figures, *hear, *hear_of_problems)
        return make(learning=learning, changes=changes)

    def _published(self, backend: str) -> Published | None:
        known = self._config.knowledge
        if known.servicenow != backend:
            return None
        return Published(known.query, known.every, partial(self.library.put, Source.SERVICENOW))
