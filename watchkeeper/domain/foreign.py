"""The alerts of others: what their reports make of them.

Of each alert the newest report counts, in whatever order they arrive and however often. What fires is an alert like
any other from there on.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from watchkeeper.domain import alert as alerts
from watchkeeper.domain.alert import Alert, AlertRef, AlertState
from watchkeeper.domain.clocks import Kind
from watchkeeper.domain.correlator import Correlator
from watchkeeper.domain.effect import AlertChanged, Effect, ReportChanged, ReportGone
from watchkeeper.domain.expected import Labelled
from watchkeeper.domain.plan import Plan
from watchkeeper.domain.report import FOREIGN, Report, ReportState, SourcePolicy, rule_of, scope_of
from watchkeeper.domain.rule import Rule, Scope

MOST_FIRING: Final = 10_000
"""Alerts of one source that may fire at once."""

MOST_OVER: Final = 10_000
"""Alerts that are over and still remembered, of all sources together."""


class TooManyAlerts(Exception):
    """So many alerts of a source fire that no other is taken."""


class _Firing:
    """An alert that fires, by its newest report. `until_ms`: when it is over if it is not heard of again, `None`:
    never. `alert`: `None` where the database knows the report alone."""

    __slots__ = ("alert", "heard_ms", "report", "rule", "scope", "until_ms")

    def __init__(self, report: Report, alert: Alert | None, heard_ms: int, rule: Rule, scope: Scope) -> None:
        self.report = report
        self.alert = alert
        self.heard_ms = heard_ms
        self.until_ms = report.expires_ms
        self.rule = rule
        self.scope = scope


class _Over:
    """An alert that is over. `until_ms`: for how long an older report is passed over."""

    __slots__ = ("is_stored", "report", "until_ms")

    def __init__(self, report: Report, until_ms: int, *, is_stored: bool) -> None:
        self.report = report
        self.until_ms = until_ms
        self.is_stored = is_stored


class Foreign:
    """Every alert that was reported, while it fires and for some time after.

    Args:
        remembered: the newest reports that were stored.
        set_clock: has `serve` called at a time.
    """

    def __init__(
        self,
        plan: Plan,
        correlator: Correlator,
        set_clock: Callable[[int, Kind, AlertRef], None],
        remembered: Iterable[ReportChanged] = (),
    ) -> None:
        self._plan = plan
        self._correlator = correlator
        self._set_clock = set_clock
        self._remembered = list(remembered)
        self._firing: dict[str, dict[str, _Firing]] = {}  # by source and key
        self._over: dict[tuple[str, str], _Over] = {}  # the oldest first

    def counts(self) -> dict[str, int]:
        """How many alerts of each source fire."""
        return {source: len(self._firing.get(source, ())) for source in self._plan.sources}

    def firing(self) -> Iterator[tuple[Alert, Labelled]]:
        """The alerts that fire."""
        for one in self._all():
            if one.alert is not None:
                yield one.alert, Labelled(one.rule, one.scope.probe, one.scope.service)

    def scope(self, ref: AlertRef, now_ms: int) -> Scope | None:
        """What is known of an alert that fires."""
        one = self._find(ref)
        return None if one is None else replace(one.scope, now_ms=now_ms)

    def require_room(self, report: Report) -> None:
        """To be called before a report is taken in.

        Raises:
            TooManyAlerts: it is one more than are taken of a source.
        """
        of_source = self._firing.get(report.source, {})
        if len(of_source) >= MOST_FIRING and report.key not in of_source and report.state is ReportState.FIRING:
            raise TooManyAlerts(f"{MOST_FIRING} alerts of {report.source} fire already")

    def report(self, report: Report, now_ms: int) -> list[Effect]:
        """What follows from a report. Nothing where it says what is known, or what is not so any more."""
        policy = self._plan.sources.get(report.source)
        if policy is None:
            return []
        known = self._firing.get(report.source, {}).get(report.key)
        if report.state is ReportState.FIRING:
            if known is not None:
                return self._repeat(known, report, policy, now_ms)
            ended = self._over.get((report.source, report.key))
            is_late = ended is not None and report.at_ms < ended.report.at_ms and now_ms < ended.until_ms
            return [] if is_late else self._fire(report, policy, now_ms)
        if known is None:
            return self._note_end(report, policy, now_ms)
        return [] if report.at_ms < known.report.at_ms else self._end(known, report, policy, now_ms)

    def serve(self, ref: AlertRef, due_ms: int) -> list[Effect]:
        """What follows when nothing was heard of an alert for long."""
        ended = self._over.get(_names(ref))
        if ended is not None and ended.report.ref == ref:
            if ended.until_ms <= due_ms:
                return self._forget(ended, due_ms)
            self._set_clock(ended.until_ms, Kind.UNHEARD, ref)
        one = self._find(ref)
        if one is None or one.until_ms is None:
            return []
        if one.until_ms > due_ms:
            self._set_clock(one.until_ms, Kind.UNHEARD, ref)
            return []
        words = self._plan.words_of(one.rule.incident.backend or self._plan.default_backend)
        reason = words.unheard.format(elapsed=words.elapsed(due_ms - one.heard_ms))
        # Nobody said that it is over: the next report counts, whatever it is from.
        del self._firing[one.report.source][one.report.key]
        return [ReportGone(one.report.source, one.report.key, due_ms), *self._clear(one, reason, due_ms)]

    def revise(self, plan: Plan, kept: dict[AlertRef, Alert], now_ms: int) -> list[Effect]:
        """Takes on another plan, before the correlator does. Takes its own out of the alerts that are remembered, and
        puts in those that are to end."""
        self._plan = plan
        effects: list[Effect] = []
        for stored in self._remembered:
            self._take_back(stored, kept, now_ms)
        self._remembered = []
        for one in [*self._all()]:
            source, key = one.report.source, one.report.key
            policy = plan.sources.get(source)
            if policy is not None and one.alert is not None:
                one.rule, one.scope = self._made(one.report, policy, now_ms)
                continue
            del self._firing[source][key]
            effects.append(ReportGone(source, key, now_ms))
            kept.update({} if one.alert is None else {one.alert.ref: one.alert})
        for ended in [*self._over.values()]:
            if ended.report.source not in plan.sources:
                effects += self._forget(ended, now_ms)
        return effects

    def set_clocks(self) -> None:
        """Sets all of its clocks anew."""
        for one in self._all():
            self._wind(one)
        for ended in self._over.values():
            self._wind(ended)

    def stood_still(self, for_ms: int) -> None:
        """Nothing could be heard for a while."""
        for one in self._all():
            if one.until_ms is not None:
                one.until_ms += for_ms

    def _fire(self, report: Report, policy: SourcePolicy, now_ms: int, began_ms: int = 0) -> list[Effect]:
        """Has an alert fire that did not."""
        of_source = self._firing.setdefault(report.source, {})
        self._over.pop((report.source, report.key), None)
        before = Alert(report.ref)
        began_ms = began_ms or (report.began_ms if 0 < report.began_ms <= now_ms else now_ms)
        after = replace(before, state=AlertState.FIRING, since_ms=now_ms, active_since_ms=began_ms)
        one = of_source[report.key] = _Firing(report, after, now_ms, *self._made(report, policy, now_ms))
        self._wind(one)
        effects: list[Effect] = [ReportChanged(report, now_ms), AlertChanged(before, after, report.message)]
        return effects + self._correlator.fired(after, one.rule, one.scope)

    def _repeat(self, known: _Firing, report: Report, policy: SourcePolicy, now_ms: int) -> list[Effect]:
        """It fires, as was known. Under another rule it is another alert that takes over."""
        if report.rule != known.report.rule:
            if report.at_ms < known.report.at_ms:
                return []
            # The new one first: the incident that they share must not end in between.
            began_ms = known.alert.active_since_ms if known.alert is not None else None
            effects = self._fire(report, policy, now_ms, began_ms or 0)
            return effects + self._clear(known, report.message, now_ms)
        had_clock = known.until_ms is not None
        known.report = replace(report, at_ms=max(report.at_ms, known.report.at_ms))
        known.rule, known.scope = self._made(report, policy, now_ms)
        known.until_ms, known.heard_ms = report.expires_ms, now_ms
        if not had_clock:
            self._wind(known)
        return []

    def _end(self, known: _Firing, report: Report, policy: SourcePolicy, now_ms: int) -> list[Effect]:
        del self._firing[report.source][report.key]
        ended = replace(report, rule=known.report.rule)
        effects: list[Effect] = [ReportChanged(ended, now_ms), *self._clear(known, report.message, now_ms)]
        return effects + self._keep(_Over(ended, now_ms + policy.late_ms, is_stored=True), now_ms)

    def _clear(self, known: _Firing, reason: str, now_ms: int) -> list[Effect]:
        if known.alert is None:
            return []
        after = alerts.clear(known.alert, now_ms)
        return [AlertChanged(known.alert, after, reason), *self._correlator.over(after, reason)]

    def _note_end(self, report: Report, policy: SourcePolicy, now_ms: int) -> list[Effect]:
        """An alert is over that does not fire. That it does may still be under way."""
        known = self._over.pop((report.source, report.key), None)
        if known is None:
            return self._keep(_Over(report, now_ms + policy.late_ms, is_stored=False), now_ms)
        if report.at_ms > known.report.at_ms:
            known.report = replace(report, rule=known.report.rule)
            known.until_ms = now_ms + policy.late_ms
        self._over[report.source, report.key] = known
        return []

    def _keep(self, ended: _Over, now_ms: int) -> list[Effect]:
        self._over[ended.report.source, ended.report.key] = ended
        self._wind(ended)
        return self._forget(next(iter(self._over.values())), now_ms) if len(self._over) > MOST_OVER else []

    def _forget(self, ended: _Over, now_ms: int) -> list[Effect]:
        source, key = ended.report.source, ended.report.key
        del self._over[source, key]
        return [ReportGone(source, key, now_ms)] if ended.is_stored else []

    def _take_back(self, stored: ReportChanged, kept: dict[AlertRef, Alert], now_ms: int) -> None:
        """Goes on with what is remembered. The time in which nobody listened does not count."""
        report = stored.report
        policy = self._plan.sources.get(report.source) or SourcePolicy("", "")
        if report.state is ReportState.OVER:
            until_ms = stored.at_ms + policy.late_ms
            self._over[report.source, report.key] = _Over(report, until_ms, is_stored=True)
            return
        one = _Firing(report, kept.pop(report.ref, None), now_ms, *self._made(report, policy, now_ms))
        if report.expires_ms is not None:
            one.until_ms = max(report.expires_ms, now_ms + report.expires_ms - stored.at_ms)
        self._firing.setdefault(report.source, {})[report.key] = one

    def _made(self, report: Report, policy: SourcePolicy, now_ms: int) -> tuple[Rule, Scope]:
        service = self._plan.services.get(report.service) or self._plan.service_of(policy.service)
        return rule_of(report, policy), scope_of(report, policy, service, now_ms)

    def _all(self) -> Iterator[_Firing]:
        return (one for of_source in self._firing.values() for one in of_source.values())

    def _find(self, ref: AlertRef) -> _Firing | None:
        source, key = _names(ref)
        one = self._firing.get(source, {}).get(key)
        return one if one is not None and one.report.ref == ref else None

    def _wind(self, one: _Firing | _Over) -> None:
        if one.until_ms is not None:
            self._set_clock(one.until_ms, Kind.UNHEARD, one.report.ref)


def _names(ref: AlertRef) -> tuple[str, str]:
    """The source and the key of an alert. No source has a slash in its name."""
    source, _, key = ref.probe_id.removeprefix(FOREIGN).partition("/")
    return source, key
