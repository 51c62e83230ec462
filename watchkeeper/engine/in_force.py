"""Keeps which windows were in force: availability goes by what was so, not by what is planned today."""

from collections.abc import Sequence
from typing import Final

import structlog

from watchkeeper.domain.concerned import Concerned, concerned
from watchkeeper.domain.condition import standing_of
from watchkeeper.domain.expected import Selection, Window
from watchkeeper.domain.inforce import Follower, Kept
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.units import parse_duration_ms
from watchkeeper.store import in_force
from watchkeeper.store.database import Database, StoreError

MAX_WAITING: Final = 20_000  # of windows that the database did not take
_KEPT_MS: Final = parse_duration_ms("400d")  # what is known of a probe that is gone

_log = structlog.get_logger("windows")


class InForceKeeper:
    """Looks at the windows whenever they are collected. What the database does not take is written with the next
    look."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._plan: Plan | None = None
        self._unnoted: Plan | None = None  # whose probes the database does not have yet
        self._follower: Follower | None = None
        self._about: dict[Selection, Concerned] = {}
        self._waiting: dict[tuple[object, int], Kept] = {}
        self._failing = False

    def revise(self, plan: Plan) -> None:
        """Takes on what there is to be about."""
        self._plan = self._unnoted = plan

    def look(self, windows: Sequence[Window], now_ms: int) -> None:
        """Keeps what began or ended. Nothing before it knows what there is."""
        plan = self._plan
        if plan is None:
            return
        try:
            self._look(plan, windows, now_ms)
        except StoreError as error:
            if not self._failing:
                _log.error("windows_not_kept", error=str(error), waiting=len(self._waiting))
            self._failing = True
        else:
            self._failing = False

    def _look(self, plan: Plan, windows: Sequence[Window], now_ms: int) -> None:
        if self._follower is None:
            before_ms = in_force.last_look(self._database)
            since_ms = now_ms if before_ms is None else min(before_ms, now_ms)
            kept = in_force.left_open(self._database, since_ms)
            self._follower = Follower({one.key: one for one in kept}, since_ms)
        if self._unnoted is plan:
            self._about = {}
        for one in self._follower.follow(windows, lambda window: self._concerned(plan, window), now_ms):
            self._waiting[one.key, one.from_ms] = one
        while len(self._waiting) > MAX_WAITING:
            self._waiting.pop(next(iter(self._waiting)))
        if self._unnoted is plan:
            standings = map(standing_of, plan.probes.values())
            in_force.note_standings(self._database, standings, now_ms, now_ms - _KEPT_MS)
            if self._unnoted is plan:  # not another one meanwhile
                self._unnoted = None
        if self._waiting:
            in_force.keep(self._database, list(self._waiting.values()))
            self._waiting.clear()

    def _concerned(self, plan: Plan, window: Window) -> Concerned:
        if (found := self._about.get(window.selection)) is None:
            found = concerned(window.selection, plan.services.values(), plan.probes.values())
            self._about[window.selection] = found
        return found
