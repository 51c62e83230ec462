"""The alert: one rule on one probe, as a state machine of (alert, verdict, time).

    inactive --holds--> pending --held for `for`--> firing --over for `keep_firing_for`--> inactive

A verdict of unknown stops the clocks: it neither opens nor resolves, and the time until the next verdict does not
count. Clocks run out at their own time, not when somebody next looks: replaying the same verdicts gives the same
transitions, however late timers are served.

Where the hold counts failures, it is the last verdicts that hold or do not, taken together. An alert that flaps goes
on firing until it has calmed down.
"""

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import NamedTuple

from watchkeeper.domain import flapping
from watchkeeper.domain.rule import Hold


class AlertState(StrEnum):
    INACTIVE = "inactive"
    PENDING = "pending"
    FIRING = "firing"


class Verdict(Enum):
    HOLDS = True
    OVER = False
    UNKNOWN = None


class AlertRef(NamedTuple):
    """Which alert: one rule on one probe."""

    rule_id: str
    probe_id: str


@dataclass(frozen=True, slots=True)
class Alert:
    """`since_ms`: when the state was entered. `active_since_ms`: when the condition began to hold (pending, firing).
    `clear_since_ms`: since when it no longer holds (firing only). `stalled_since_ms`: since when nothing is known,
    `None` while something is. `paused_ms`: for how long the clock that runs has stood before that.

    `recent`: what the last verdicts were, see `flapping`. `returns`: how often the condition came back while the
    alert went on firing. `is_flapping`: whether it changes too often to be believed when it is over.
    """

    ref: AlertRef
    state: AlertState = AlertState.INACTIVE
    since_ms: int = 0
    active_since_ms: int | None = None
    clear_since_ms: int | None = None
    stalled_since_ms: int | None = None
    paused_ms: int = 0
    recent: int = 0
    returns: int = 0
    is_flapping: bool = False


def deadline(alert: Alert, hold: Hold) -> int | None:
    """When the alert changes by itself, if nothing is heard until then. `None`: never."""
    if alert.stalled_since_ms is not None:
        return None
    if alert.state is AlertState.PENDING and alert.active_since_ms is not None and hold.failures == 1:
        return alert.active_since_ms + alert.paused_ms + hold.for_ms
    if alert.state is AlertState.FIRING and alert.clear_since_ms is not None and not alert.is_flapping:
        return alert.clear_since_ms + alert.paused_ms + hold.keep_firing_for_ms
    return None


def expire(alert: Alert, hold: Hold, now_ms: int) -> Alert:
    """The alert at `now_ms` if nothing was heard since. The same object when no clock has run out."""
    due = deadline(alert, hold)
    if due is None or due > now_ms:
        return alert
    return _fire(alert, due) if alert.state is AlertState.PENDING else clear(alert, due)


def observe(alert: Alert, hold: Hold, verdict: Verdict, at_ms: int) -> tuple[Alert, ...]:
    """The states that the alert passes through on hearing a verdict, oldest first. Empty when nothing changed.

    A clock that ran out before `at_ms` is served first, at its own time.
    """
    expired = expire(_not_after(alert, at_ms), hold, at_ms - 1)
    heard = _hear(expired, hold, verdict, at_ms)
    return tuple(after for before, after in ((alert, expired), (expired, heard)) if after is not before)


def hear_again(alert: Alert, hold: Hold, verdict: Verdict, at_ms: int) -> Alert:
    """The alert when it is told its last verdict once more, because it is held in another way from now on. That
    counts once, and a clock which would have run out before runs out now."""
    return _hear(replace(_not_after(alert, at_ms), recent=alert.recent >> 1), hold, verdict, at_ms)


def fall_silent(alert: Alert, since_ms: int, at_ms: int) -> Alert:
    """The alert when nothing has been known for so long that this is trouble itself. The same object if it fires."""
    if alert.state is AlertState.FIRING:
        return alert
    return _fire(replace(alert, active_since_ms=since_ms), at_ms)


def is_steady(alert: Alert) -> bool:
    """Whether it fires, and no clock runs or stands that would change that, nor has its history any change."""
    return (
        alert.recent == flapping.MASK
        and alert.state is AlertState.FIRING
        and alert.clear_since_ms is None
        and alert.stalled_since_ms is None
    )


def is_quiet(alert: Alert) -> bool:
    """Whether nothing is wrong, nor was lately."""
    return alert.recent == 0 and alert.state is AlertState.INACTIVE


def is_news(before: Alert, after: Alert, hold: Hold) -> bool:
    """Whether what changed must outlive the process. Of the recent verdicts that is so while they are counted."""
    counting = hold.failures > 1 and after.state is AlertState.PENDING
    return before != (after if counting else replace(after, recent=before.recent))


def clear(alert: Alert, at_ms: int) -> Alert:
    """The alert without trouble: its condition is over, or its rule or probe is gone."""
    return Alert(alert.ref, since_ms=at_ms, recent=alert.recent, is_flapping=alert.is_flapping)


def stall(alert: Alert, at_ms: int) -> Alert:
    """The alert when nothing is known of it from `at_ms` on. The same object when that makes no difference."""
    idle = alert.stalled_since_ms is not None or alert.state is AlertState.INACTIVE
    return alert if idle else replace(alert, stalled_since_ms=max(at_ms, alert.since_ms))


def _not_after(alert: Alert, at_ms: int) -> Alert:
    """The alert as it is when the clock was set back to before what it remembers: what lies ahead is now."""
    times = (alert.active_since_ms, alert.clear_since_ms, alert.stalled_since_ms)
    if alert.since_ms <= at_ms and all(time is None or time <= at_ms for time in times):
        return alert
    active, clear_since, stalled = (None if time is None else min(time, at_ms) for time in times)
    return replace(
        alert,
        since_ms=min(alert.since_ms, at_ms),
        active_since_ms=active,
        clear_since_ms=clear_since,
        stalled_since_ms=stalled,
    )


def _hear(alert: Alert, hold: Hold, verdict: Verdict, at_ms: int) -> Alert:
    if verdict is Verdict.UNKNOWN:
        return stall(alert, at_ms)
    alert = _remember(alert, hold, verdict)
    goes_on = alert.state is AlertState.FIRING and verdict is Verdict.HOLDS  # as after a silence
    if goes_on or flapping.count_of(alert.recent, hold.of) >= hold.failures:
        return _hear_trouble(alert, hold, at_ms)
    return _hear_relief(alert, hold, at_ms)


def _remember(alert: Alert, hold: Hold, verdict: Verdict) -> Alert:
    recent = flapping.push(alert.recent, holds=verdict is Verdict.HOLDS)
    is_flapping = hold.flapping is not None and flapping.flaps(recent, hold.flapping, before=alert.is_flapping)
    if recent == alert.recent and is_flapping == alert.is_flapping:
        return alert
    return replace(alert, recent=recent, is_flapping=is_flapping)


def _hear_trouble(alert: Alert, hold: Hold, at_ms: int) -> Alert:
    if alert.state is AlertState.FIRING:
        if alert.clear_since_ms is None and alert.stalled_since_ms is None:
            return alert
        returns = alert.returns + (alert.clear_since_ms is not None)
        return replace(alert, clear_since_ms=None, stalled_since_ms=None, paused_ms=0, returns=returns)
    alert = _begin(alert, at_ms) if alert.state is AlertState.INACTIVE else _resume(alert, at_ms)
    due = at_ms if hold.failures > 1 else deadline(alert, hold)
    return _fire(alert, at_ms) if due is not None and due <= at_ms else alert


def _hear_relief(alert: Alert, hold: Hold, at_ms: int) -> Alert:
    # Some failures, and not yet enough: those in a row end with the first sample that is good.
    failing = flapping.count_of(alert.recent, hold.of if hold.of > hold.failures else 1) > 0
    if alert.state is AlertState.INACTIVE:
        return _begin(alert, at_ms) if flapping.count_of(alert.recent, last=1) else alert
    if alert.state is AlertState.PENDING:
        return _resume(alert, at_ms) if failing else clear(alert, at_ms)
    if alert.clear_since_ms is None:
        alert = replace(alert, clear_since_ms=at_ms, stalled_since_ms=None, paused_ms=0)
    else:
        alert = _resume(alert, at_ms)
    due = deadline(alert, hold)
    return clear(alert, at_ms) if due is not None and due <= at_ms else alert


def _begin(alert: Alert, at_ms: int) -> Alert:
    return replace(alert, state=AlertState.PENDING, since_ms=at_ms, active_since_ms=at_ms)


def _resume(alert: Alert, at_ms: int) -> Alert:
    """Lets the clock go on that stood."""
    if alert.stalled_since_ms is None:
        return alert
    return replace(alert, stalled_since_ms=None, paused_ms=alert.paused_ms + at_ms - alert.stalled_since_ms)


def _fire(alert: Alert, at_ms: int) -> Alert:
    return replace(alert, state=AlertState.FIRING, since_ms=at_ms, stalled_since_ms=None, paused_ms=0)
