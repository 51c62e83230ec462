"""Correlation: which alerts that fire are one trouble, which are explained by another, and which are expected.

An alert that fires opens nothing at once. It is *expected* while a window covers it, *explained* while something
upstream of it is down, and otherwise *gathers* for `group_wait`: what is explained meanwhile never was trouble of its
own, and what has the same key becomes one incident with it. A cause that is found late adopts the incidents that it
explains. So the open incidents are the same in whatever order failures are noticed:

    open = the keys of those alerts that fire, are neither expected nor explained, and have gathered long enough

where what is part of an open incident stays so when a window begins, or when its cause has no incident of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from watchkeeper.domain.alert import Alert, AlertRef
from watchkeeper.domain.casebook import Casebook
from watchkeeper.domain.clocks import Kind
from watchkeeper.domain.correlation import incident_key
from watchkeeper.domain.covering import Covering
from watchkeeper.domain.dependencies import Dependencies
from watchkeeper.domain.effect import Effect
from watchkeeper.domain.expected import Labelled, Window
from watchkeeper.domain.opening import Entry
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.probe import Every, Sample, Status
from watchkeeper.domain.rule import Rule, Scope
from watchkeeper.domain.spread import Spread
from watchkeeper.domain.standing import Firing, FiringAlerts, Standing
from watchkeeper.domain.storm import STORM_KEY, Storm

_LARGE: Final = 20  # alerts: incidents of more are told of changes together
_LEAVING_MS: Final = 1_000
_MOST_CAUSES: Final = 100  # of an alert, so many are looked at for one that is told of
_TICK_MS: Final = 100  # alerts that gather are looked at so often, all that are due together

SetClock = Callable[[int, Kind, tuple[str]], None]


class Correlator:
    """Every alert that fires, and how it stands.

    Args:
        set_clock: has `serve` called at a time, with what the clock is about.
        scope_of: what is known now of an alert's probe; `None` while that is nothing.
    """

    def __init__(
        self,
        casebook: Casebook,
        plan: Plan,
        set_clock: SetClock,
        scope_of: Callable[[AlertRef, int], Scope | None],
    ) -> None:
        self._casebook = casebook
        self._set_clock = set_clock
        self._scope_of = scope_of
        self._covering = Covering()
        self._window_due_ms: int | None = None  # when the clock of windows runs out that counts
        self._gathering: dict[AlertRef, Firing] = {}
        self._ticks: set[int] = set()  # when it is looked for what is ripe
        self._spread = Spread()
        self._told: dict[str, dict[AlertRef, None]] = {}  # what incidents tell of, by their key
        self._untold: dict[AlertRef, None] = {}  # what is explained, and was told of by an incident that is over
        self._leaving: dict[str, dict[AlertRef, None]] = {}  # what is over, of large incidents
        self._plan = plan
        self._storm = Storm(plan.correlation.storm, (one.opened_ms for one in casebook.open.values()))
        self._firing = FiringAlerts(Dependencies(plan.services.values(), plan.probes.values()))

    @property
    def is_storm(self) -> bool:
        """Whether so much has opened that one incident gathers the rest."""
        return self._casebook.is_open(STORM_KEY)

    def standings(self) -> Mapping[tuple[Standing, str], int]:
        """How many alerts stand how; those that are expected by what they are expected by."""
        return Counter(
            (one.standing, one.window.because.value if one.window is not None else "") for one in self._firing
        )

    def held_back(self) -> Iterable[Firing]:
        """The alerts that fire and are not part of an incident."""
        return (one for one in self._firing if one.standing is not Standing.MEMBER)

    # What happens to alerts.

    def fired(self, alert: Alert, rule: Rule, scope: Scope) -> list[Effect]:
        """What follows when an alert begins to fire."""
        now = alert.since_ms
        effects: list[Effect] = []
        if (key := self._casebook.key_of(alert.ref)) is not None:
            effects += self._flush_leaving(key, now)  # it was over for a moment
        one = self._new(alert, rule, scope)
        effects += self._place(one, now, self._plan.correlation.group_wait_ms)
        return effects + (self._claim_below(one, now) if one.explains else [])

    def stayed(self, before: Alert, after: Alert, reason: str, at_ms: int) -> list[Effect]:
        """What follows when an alert goes on firing."""
        if (one := self._firing.get(after.ref)) is not None:
            one.alert = after
        return self._casebook.stayed(before, after, reason, at_ms)

    def over(self, alert: Alert, reason: str) -> list[Effect]:
        """What follows when an alert is over."""
        now = alert.since_ms
        effects: list[Effect] = []
        if (key := self._casebook.key_of(alert.ref)) is not None:
            effects += self._leave(key, alert, reason)
        if key is not None:
            self._tell_elsewhere(key, now)
        if (one := self._firing.get(alert.ref)) is None:
            return effects  # of a rule or probe that is gone
        self._leave_explained(one, now)
        self._gathering.pop(alert.ref, None)
        released = self._firing.below_alone(one) if one.explains else []
        self._firing.remove(alert.ref)
        for other in released:
            if other.standing is Standing.EXPLAINED:
                effects += self._place(other, now, self._patience_ms(other))
        return effects

    def settle(self, now_ms: int) -> list[Effect]:
        """To be called once all alerts are known after a restart: incidents may have parts that are over."""
        effects: list[Effect] = []
        for key, incident in list(self._casebook.open.items()):
            over = sorted(ref for ref in incident.firing if self._firing.get(ref) is None)
            if over:
                effects += self._casebook.left(key, over, now_ms)
                self._tell_elsewhere(key, now_ms)
        return effects

    def set_back(self, now_ms: int) -> None:
        """The clock was set back: nothing waits for a time that has been."""
        self._ticks.clear()
        for one in self._gathering.values():
            one.ripe_ms = min(one.ripe_ms, _tick(now_ms + self._patience_ms(one)))
            self._look_again(one.ripe_ms)

    # Time.

    def expect(self, windows: Sequence[Window], now_ms: int) -> list[Effect]:
        """Takes on the windows that there are from now on."""
        self._covering = Covering(windows)
        return self._look_at_windows(now_ms)

    def serve(self, kind: Kind, about: str, now_ms: int) -> list[Effect]:
        """What follows from a clock that has run out."""
        if kind is Kind.GATHERED:
            self._ticks.discard(now_ms)
            return self._ripen([one for one in self._gathering.values() if one.ripe_ms <= now_ms], now_ms)
        if kind is Kind.WINDOW:
            if now_ms != self._window_due_ms:
                return []  # another one was set since
            self._window_due_ms = None
            return self._look_at_windows(now_ms)
        return self._tell_spread(about, now_ms)

    # Plans.

    def revise(self, plan: Plan, firing: Iterable[tuple[Alert, Labelled]], now_ms: int) -> list[Effect]:
        """Takes on another plan, and which alerts fire under it. Those that are known stand as they did."""
        self._plan = plan
        self._storm.revise(plan.correlation.storm)
        known = {one.ref: one for one in self._firing}
        self._firing = FiringAlerts(Dependencies(plan.services.values(), plan.probes.values()))
        self._gathering.clear()
        self._ticks.clear()
        self._window_due_ms = None
        told_of = {ref: incident.key for incident in self._casebook.open.values() for ref in incident.impacted}
        for alert, labelled in firing:
            before = known.get(alert.ref)
            scope = None if before is None else before.scope
            if scope is not None:
                scope = replace(scope, probe=labelled.probe, service=labelled.service)
            one = Firing(alert, labelled, incident_key(labelled.rule, labelled.probe), scope)
            if self._casebook.key_of(alert.ref) is not None:
                one.standing = Standing.MEMBER
            elif before is not None:
                one.explained_by, one.held_by, one.teller = before.explained_by, before.held_by, before.teller
                if before.standing is Standing.GATHERING:
                    one.ripe_ms = before.ripe_ms
                    self._gathering[one.ref] = one
            else:
                one.explained_by = told_of.get(one.ref)
            self._firing.add(one)
        told_of |= {ref: one.explained_by for ref, one in known.items() if one.explained_by is not None}
        self._told.clear()
        self._untold.clear()
        for ref, key in told_of.items():
            if self._firing.get(ref) is None or self._casebook.key_of(ref) is not None:
                self._spread.remove(key, ref)
            else:
                self._told.setdefault(key, {})[ref] = None
        effects = self._place_all(now_ms, self._patience_ms)
        for key in self._spread.waiting():
            self._arrange_telling(key, now_ms)
        for key in list(self._leaving):
            effects += self._flush_leaving(key, now_ms)
        self._await_window(now_ms)
        return effects

    def _new(self, alert: Alert, rule: Rule, scope: Scope) -> Firing:
        one = Firing(alert, Labelled(rule, scope.probe, scope.service), incident_key(rule, scope.probe), scope)
        self._firing.add(one)
        return one

    def _patience_ms(self, one: Firing) -> int:
        """For how long an alert gathers whose cause is over, or that is remembered: it must have been heard again."""
        schedule = one.labelled.probe.schedule
        heard_ms = schedule.interval_ms + one.labelled.probe.timeout_ms if isinstance(schedule, Every) else 0
        return max(self._plan.correlation.group_wait_ms, heard_ms)

    # How an alert stands.

    def _place(self, one: Firing, now_ms: int, wait_ms: int) -> list[Effect]:
        """Has an alert stand as it must now, unless it is part of an incident."""
        if one.standing is Standing.MEMBER:
            return []
        self._cover(one, now_ms)
        if one.window is None:
            cause = next(self._firing.causes_of(one), None)
            one.standing = Standing.GATHERING if cause is None else Standing.EXPLAINED
        if one.standing is not Standing.EXPLAINED:
            self._leave_explained(one, now_ms)
        if one.standing is Standing.GATHERING:
            return self._gather(one, now_ms, wait_ms)
        self._gathering.pop(one.ref, None)
        return self._attribute(one, now_ms) if one.standing is Standing.EXPLAINED else []

    def _cover(self, one: Firing, now_ms: int) -> None:
        one.window = self._covering.window_of(one.labelled, now_ms)
        if one.window is not None:
            one.standing, one.held_by = Standing.EXPECTED, one.window
        self._firing.note(one)

    def _gather(self, one: Firing, now_ms: int, wait_ms: int) -> list[Effect]:
        if one.ref not in self._gathering:
            if self._casebook.is_open(one.key):
                wait_ms = min(wait_ms, self._joining_ms)
            one.ripe_ms = _tick(now_ms + wait_ms) if wait_ms else now_ms
            self._gathering[one.ref] = one
        if one.ripe_ms <= now_ms:
            return self._ripen([one], now_ms)
        self._look_again(one.ripe_ms)
        return []

    def _look_again(self, at_ms: int) -> None:
        if at_ms not in self._ticks:
            self._ticks.add(at_ms)
            self._set_clock(at_ms, Kind.GATHERED, ("",))

    @property
    def _joining_ms(self) -> int:
        """After what time at the latest an alert joins an incident that is open already."""
        return min(1000, self._plan.correlation.group_wait_ms)

    def _claim_below(self, cause: Firing, now_ms: int) -> list[Effect]:
        """What gathers and is explained from now on, gathers no longer."""
        effects: list[Effect] = []
        for other in self._firing.below_alone(cause):
            if other.standing is Standing.GATHERING:
                effects += self._place(other, now_ms, 0)
        return effects

    def _look_at_windows(self, now_ms: int) -> list[Effect]:
        """Windows have begun, ended, or are others than before."""
        self._await_window(now_ms)
        return self._place_all(now_ms, lambda _: self._plan.correlation.group_wait_ms)

    def _await_window(self, now_ms: int) -> None:
        due = self._covering.next_change_ms(now_ms)
        if due is not None and due != self._window_due_ms:
            self._set_clock(due, Kind.WINDOW, ("",))
        self._window_due_ms = due

    def _place_all(self, now_ms: int, wait_ms: Callable[[Firing], int]) -> list[Effect]:
        held = list(self.held_back())
        for one in held:  # of all of them first, as it decides whether one explains others
            self._cover(one, now_ms)
        effects: list[Effect] = []
        for one in held:
            effects += self._place(one, now_ms, wait_ms(one))
        return effects

    # Incidents.

    def _ripen(self, ripe: Sequence[Firing], now_ms: int) -> list[Effect]:
        """What has gathered long enough becomes incidents, the most important first."""
        for one in ripe:
            one.scope = one.scope or self._scope_of(one.ref, now_ms) or self._unseen(one, now_ms)
        keys = {one.key for one in ripe}
        # What belongs to the same trouble comes along.
        together = [one for one in self._gathering.values() if one.key in keys and one.scope is not None]
        of_key: dict[str, list[Firing]] = {}
        for one in sorted(together, key=lambda one: one.order):
            of_key.setdefault(one.key, []).append(one)
        effects: list[Effect] = []
        too_much: list[Firing] = []
        small: set[tuple[str, str]] = set()
        for key, alerts in of_key.items():
            if self._casebook.is_open(key) or self._storm.takes(now_ms) or self._explain_a_storm(alerts, small):
                effects += self._admit(key, alerts, now_ms)
            else:
                too_much += alerts
        return effects + (self._admit(STORM_KEY, too_much, now_ms) if too_much else [])

    def _explain_a_storm(self, alerts: Iterable[Firing], small: set[tuple[str, str]]) -> bool:
        """Whether alerts are the cause of what has incidents of its own, or of more than may have such and nothing
        tells of yet: then one more ticket is of help. `small`: reaches of which that is not so; more are added."""
        policy = self._plan.correlation.storm
        for one in alerts:
            if policy is None or not one.is_cause or (reach := self._firing.reaches(one)) in small:
                continue
            below = self._firing.below(one)
            if sum(not self._is_told_of(other) for other in below) > policy.over:
                return True
            own = (self._casebook.key_of(other.ref) for other in below if other.standing is Standing.MEMBER)
            if any(key not in (None, STORM_KEY) for key in own):
                return True
            small.add(reach)
        return False

    def _unseen(self, one: Firing, now_ms: int) -> Scope:
        """What there is to tell of an alert that fired before a restart, and was not heard of since."""
        labelled = one.labelled
        words = self._plan.words_of(one.rule.incident.backend or self._plan.default_backend)
        since_ms = one.alert.since_ms if one.alert.stalled_since_ms is None else one.alert.stalled_since_ms
        message = words.silence.format(elapsed=words.elapsed(now_ms - since_ms))
        sample = Sample(labelled.probe.id, now_ms, Status.UNKNOWN, message=message)
        return Scope(sample, labelled.probe, labelled.service, now_ms)

    def _leave(self, key: str, alert: Alert, reason: str) -> list[Effect]:
        """Takes an alert that is over out of its incident: of a large one together with others."""
        leaving = self._leaving.setdefault(key, {})
        remaining = len(self._casebook.open[key].firing) - len(leaving)
        now = alert.since_ms
        if remaining > _LARGE:
            leaving[alert.ref] = None
            if len(leaving) == 1:
                self._set_clock(now + _LEAVING_MS, Kind.SPREAD, (key,))
            return []
        effects = self._join_waiting(key, now)  # it must not end with the last one while others are to join
        effects += self._flush_leaving(key, now)
        return effects + self._casebook.over(alert, reason)

    def _flush_leaving(self, key: str, now_ms: int) -> list[Effect]:
        leaving = self._leaving.pop(key, None)
        return self._casebook.left(key, list(leaving), now_ms) if leaving and self._casebook.is_open(key) else []

    def _join_waiting(self, key: str, now_ms: int) -> list[Effect]:
        waiting = [one for one in self._gathering.values() if one.key == key and one.scope is not None]
        return self._admit(key, waiting, now_ms) if waiting and self._casebook.is_open(key) else []

    def _admit(self, key: str, alerts: Sequence[Firing], now_ms: int) -> list[Effect]:
        entries = [
            Entry(one.alert, one.rule, one.scope, one.held_by, one.teller) for one in alerts if one.scope is not None
        ]
        for one in alerts:
            one.standing, one.scope, one.window = Standing.MEMBER, None, None
            self._firing.note(one)
            self._gathering.pop(one.ref, None)
        if self._casebook.is_open(key):
            effects = self._flush_leaving(key, now_ms) + self._casebook.join(key, entries, now_ms)
        elif key == STORM_KEY:
            effects = self._casebook.begin_storm(key, entries, now_ms)
        else:
            within_ms = self._plan.correlation.attribute_within_ms
            change = self._covering.change_before(alerts[0].labelled, entries[0].began_ms, within_ms)
            effects = self._casebook.begin(key, entries, now_ms, change)
        return effects + self._adopt_below(alerts, key, now_ms)

    def _adopt_below(self, causes: Iterable[Firing], key: str, now_ms: int) -> list[Effect]:
        """What causes explain whose incident is open is told of there. Incidents of its own come to an end."""
        effects: list[Effect] = []
        reached: set[tuple[str, str]] = set()
        over: list[str] = []  # the incidents that come to an end
        queue = [one for one in causes if one.is_cause]
        for cause in queue:  # grows while it is gone through
            if (reach := self._firing.reaches(cause)) in reached:
                continue
            reached.add(reach)
            below = self._firing.below(cause)
            effects += self._take_over(below, key, over, now_ms)
            for other in below:
                if other.standing is Standing.EXPLAINED and not self._is_told_of(other):
                    self._tell_of(other, key, now_ms)
                    queue += [other] if other.is_cause else []
        for own in over:
            self._tell_elsewhere(own, now_ms)
        return effects

    def _take_over(self, alerts: Iterable[Firing], key: str, over: list[str], now_ms: int) -> list[Effect]:
        """Takes alerts out of their own incidents, which are told where they went."""
        moved: dict[str, list[Firing]] = {}
        for one in alerts:
            own = self._casebook.key_of(one.ref) if one.standing is Standing.MEMBER else None
            if own is not None and own != key:
                moved.setdefault(own, []).append(one)
        effects: list[Effect] = []
        for own, ones in moved.items():
            effects += self._flush_leaving(own, now_ms)
            effects += self._casebook.hand_over(own, [one.alert for one in ones], self._casebook.open[key], now_ms)
            for one in ones:
                one.standing = Standing.EXPLAINED
                self._firing.note(one)
            over += [] if self._casebook.is_open(own) else [own]
        return effects

    # What incidents tell of what they explain.

    def _is_told_of(self, one: Firing) -> bool:
        return one.explained_by is not None and self._casebook.is_open(one.explained_by)

    def _attribute(self, one: Firing, now_ms: int) -> list[Effect]:
        """Finds the incident that tells of an alert which is explained: that of its cause, or of what explains it."""
        if self._is_told_of(one):
            return []
        one.explained_by = None
        for cause in islice(self._firing.causes_of(one), _MOST_CAUSES):
            member = cause.standing is Standing.MEMBER
            key = self._casebook.key_of(cause.ref) if member else cause.explained_by
            if key is not None and self._casebook.is_open(key):
                self._tell_of(one, key, now_ms)
                return self._adopt_below([one], key, now_ms)
        return []

    def _tell_elsewhere(self, key: str, now_ms: int) -> None:
        """What an incident told of that is over is told of by another one, soon, as far as it still has a cause."""
        if self._casebook.is_open(key):
            return
        self._spread.forget(key)
        self._leaving.pop(key, None)
        left = [one for ref in self._told.pop(key, ()) if (one := self._firing.get(ref)) and one.explained_by == key]
        if left and not self._untold:
            self._set_clock(now_ms + _LEAVING_MS, Kind.SPREAD, ("",))
        for one in left:
            one.explained_by = None
            self._untold[one.ref] = None

    def _tell_untold(self, now_ms: int) -> list[Effect]:
        refs, self._untold = self._untold, {}
        ones = [one for ref in refs if (one := self._firing.get(ref)) and one.standing is Standing.EXPLAINED]
        return [effect for one in ones for effect in self._attribute(one, now_ms)]

    def _tell_of(self, one: Firing, key: str, now_ms: int) -> None:
        one.explained_by, one.teller = key, self._casebook.open[key].number
        self._told.setdefault(key, {})[one.ref] = None
        self._want_telling(key, self._spread.add(key, one.ref), now_ms)

    def _leave_explained(self, one: Firing, now_ms: int) -> None:
        if one.explained_by is not None:
            key, one.explained_by = one.explained_by, None
            if not self._casebook.is_open(key):
                return
            self._told.get(key, {}).pop(one.ref, None)
            self._want_telling(key, self._spread.remove(key, one.ref), now_ms)

    def _want_telling(self, key: str, is_first: bool, now_ms: int) -> None:
        if is_first:
            self._arrange_telling(key, now_ms)

    def _arrange_telling(self, key: str, now_ms: int) -> None:
        interval_ms = self._plan.correlation.group_interval_ms
        self._set_clock(self._spread.arrange(key, now_ms, interval_ms), Kind.SPREAD, (key,))

    def _tell_spread(self, key: str, now_ms: int) -> list[Effect]:
        if not key:
            return self._tell_untold(now_ms)
        effects = self._flush_leaving(key, now_ms)
        if self._spread.is_due(key, now_ms):
            added, gone = self._spread.take(key, now_ms)
            effects += self._casebook.impact(key, added, gone, now_ms) if self._casebook.is_open(key) else []
        if not self._casebook.is_open(key):
            self._spread.forget(key)
        return effects


def _tick(at_ms: int) -> int:
    return -(-at_ms // _TICK_MS) * _TICK_MS
