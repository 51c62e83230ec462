"""Ten thousand probes that fail at once: of one cause, and of none."""

import sqlite3
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from time import monotonic, process_time, sleep
from typing import Final

from bench import kernel
from bench.report import Result
from bench.sides import Load
from bench.sides.watchkeeper import Watchkeeper, write_config
from bench.stage import Stage, say

_PROBES: Final = 10_000
_EVERY_S: Final = 10  # in so long all of them fail
_HOLD_S: Final = 2
_OVER: Final = 50  # so many incidents have tickets of their own; the default
_PATIENCE_S: Final = 90.0
_LONG_S: Final = 900.0  # with a ticket for each
_QUIET_S: Final = 12.0  # so long it goes well before
_LOOK_S: Final = 0.05
_ALL, _GATEWAY = 0, 1  # numbers of what nginx can break: all probes ask for the same page

_COUNTS: Final = """
    SELECT (SELECT count(*) FROM incidents), (SELECT count(*) FROM incidents WHERE state = 'open'),
        (SELECT count(*) FROM desk_tickets), (SELECT count(*) FROM desk_tickets WHERE state = 'open'),
        (SELECT count(*) FROM incident_alerts WHERE firing), (SELECT count(*) FROM incident_alerts WHERE impacted),
        (SELECT count(*) FROM alerts WHERE state = 'firing')
"""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What another process can read in the database. `member`, `impacted`: alerts that are part of an open incident,
    or that one has told of as explained; `firing`: all."""

    incidents: int = 0
    open_incidents: int = 0
    tickets: int = 0
    open_tickets: int = 0
    member: int = 0
    impacted: int = 0
    firing: int = 0

    def is_quiet(self) -> bool:
        """Whether everything is over."""
        return not (self.open_incidents or self.open_tickets or self.firing)


@dataclass(slots=True)
class _Found:
    """Seconds are from when everything broke, or was mended, but for `cpu_s`. `more_cpu_s`: what it used beyond what
    it uses when all is well, until everything was told of."""

    first_ticket_s: float
    all_told_s: float
    more_cpu_s: float
    rss_before_mb: float
    rss_peak_mb: float
    told: _Seen
    over_s: float
    over_cpu_s: float
    over: _Seen


class _Side(Watchkeeper):
    """Watchkeeper with dependencies, or a limit, as a storm is to meet."""

    def __init__(self, folder: Path, *, gateway: str = "", storm: object = None) -> None:
        super().__init__(folder, scraped=False)
        self._gateway = gateway
        self._storm = storm

    def configure(self, load: Load) -> None:
        probe = {"id": "gateway", "prober": "http", "service": "service-00", "url": self._gateway, "every": "1s"}
        has_one = bool(self._gateway)
        write_config(
            self.folder,
            load,
            self.port,
            first=[probe] if has_one else [],
            each={"parents": ["gateway"]} if has_one else {},
            more={} if self._storm is None else {"correlation": {"storm": self._storm}},
        )


def run(stage: Stage) -> Result:
    result = Result("storm", f"10,000 http probes every {_EVERY_S} s that fail at once, `for: {_HOLD_S}s`")
    gateway = stage.target.urls(2, "logged")[_GATEWAY]
    one = _measure(stage, partial(_Side, gateway=gateway), _PROBES - 1, lambda seen: seen.firing >= _PROBES)
    _tell_one(result, one)
    many = _measure(stage, _Side, _PROBES, lambda seen: seen.member >= _PROBES and seen.tickets > _OVER)
    _tell_many(result, many)
    found = {"one_cause": one, "independent": many}
    if not stage.options.quick:
        side = partial(_Side, storm="off")
        each = _measure(stage, side, _PROBES, lambda seen: seen.tickets >= _PROBES, _LONG_S)
        _tell_each(result, each)
        found["without_limit"] = each
    _decide(stage, result, "one cause", _Side(stage.new_folder(), gateway=gateway))
    _decide(stage, result, "independent", _Side(stage.new_folder()))
    result.notes.append(
        f"All fail within {_EVERY_S} s, as they are asked. `group_wait` is 3 s of the time to a ticket."
    )
    result.raw.update({name: asdict(one) for name, one in found.items()})
    return result


def _decide(stage: Stage, result: Result, name: str, side: _Side) -> None:
    """Has all of it fail within one second, without asking anybody: what only deciding costs."""
    from watchkeeper.app.parts import load_config  # all of watchkeeper: a mistake in it shall fail this case only
    from watchkeeper.domain.effect import Effect, Happening, IncidentChanged
    from watchkeeper.domain.probe import Sample, Status
    from watchkeeper.domain.watch import Watch

    side.configure(replace(stage.load(_PROBES, _EVERY_S), hold_s=_HOLD_S))
    plan = load_config(side.folder / "config.yaml").plan
    watch = Watch(plan)
    watch.revise(plan, 0)
    names = sorted(plan.probes, key=lambda probe: (probe == "gateway", probe))  # the cause is noticed last
    effects: list[Effect] = []
    before_s = process_time()
    for second in (1, 1 + _HOLD_S, 10):
        for number, probe in enumerate(names):
            at_ms = 1000 * second + number * 1000 // len(names)
            effects += watch.observe(Sample(probe, at_ms, Status.DOWN, 0.1, {}, {}, "HTTP 503"))
        effects += watch.advance(1000 * (second + 1))
    cost_s = process_time() - before_s
    changes = [effect for effect in effects if isinstance(effect, IncidentChanged)]
    opened = [change.at_ms for change in changes if change.happening is Happening.OPENED]
    after_s = (opened[0] - 1000 * (1 + _HOLD_S)) / 1000
    told = f"{len(opened)} incidents, the first {after_s:.1f} s after `for`; {cost_s:.2f} s CPU for three rounds"
    result.info(f"{name}, all within one second, decisions alone", told)


def _tell_one(result: Result, found: _Found) -> None:
    tickets = found.over.tickets
    result.holds("one cause: tickets, recovery included", f"{tickets}", "1", tickets == found.told.incidents == 1)
    result.at_most("one cause: `for` to the ticket", found.first_ticket_s - _HOLD_S, 5, "s", 2)
    result.info("one cause: explained alerts that the ticket tells of at first", f"{found.told.impacted}")
    _tell(result, "one cause", found)


def _tell_many(result: Result, found: _Found) -> None:
    told = found.told
    is_well = told.member == _PROBES and found.over.tickets == told.incidents == _OVER + 1
    result.holds("independent: tickets, recovery included", f"{found.over.tickets}", f"{_OVER + 1}", is_well)
    result.info("independent: `for` to the first ticket", f"{found.first_ticket_s - _HOLD_S:.2f} s")
    _tell(result, "independent", found)


def _tell_each(result: Result, found: _Found) -> None:
    is_well = found.told.member == found.over.tickets == _PROBES
    result.holds("without a limit: tickets", f"{found.over.tickets}", f"{_PROBES}", is_well)
    _tell(result, "without a limit", found)


def _tell(result: Result, name: str, found: _Found) -> None:
    result.info(f"{name}: until all is in the database", f"{found.all_told_s - _HOLD_S:.1f} s after `for`")
    result.info(f"{name}: more CPU than before", f"{found.more_cpu_s:.1f} s, recovery {found.over_cpu_s:.1f} s")
    result.info(f"{name}: memory (RSS), before and peak", f"{found.rss_before_mb:.0f}, {found.rss_peak_mb:.0f} MB")
    result.holds(f"{name}: all is over", f"{found.over_s:.1f} s", "when all is up", found.over.is_quiet())


def _measure(
    stage: Stage,
    make: Callable[[Path], _Side],
    count: int,
    is_told: Callable[[_Seen], bool],
    patience_s: float = _PATIENCE_S,
) -> _Found:
    target = stage.target
    urls = [url[: -len("00000")] + f"{_ALL:05}" for url in target.urls(count, "logged")]
    load = replace(stage.load(1, _EVERY_S, "logged", hold_s=_HOLD_S), urls=urls)
    with stage.playing(make, load, warm_up_s=max(_QUIET_S, stage.options.warm_up_s)) as daemon:
        view = _View(daemon)
        try:
            rate = view.cpu_rate(_QUIET_S)
            rss_before_mb = kernel.rss_mb(daemon.pids[0])
            cpu_s, began = kernel.cpu_s(daemon.pids), monotonic()
            for number in (_ALL, _GATEWAY):
                target.break_probe(number)
            told_s = view.wait_for(is_told, patience_s)
            first_s = view.first_ticket_s - began
            more_cpu_s = kernel.cpu_s(daemon.pids) - cpu_s - rate * told_s
            sleep(2)  # what is told late belongs to it too
            told = view.seen
            target.mend_all()
            cpu_s = kernel.cpu_s(daemon.pids)
            over_s = view.wait_for(_Seen.is_quiet, patience_s)
            over_cpu_s = kernel.cpu_s(daemon.pids) - cpu_s - rate * over_s
            sleep(5)  # nothing may come after it
        finally:
            target.mend_all()
            view.stop()
        found = _Found(
            first_ticket_s=round(first_s, 3),
            all_told_s=round(told_s, 3),
            more_cpu_s=round(more_cpu_s, 3),
            rss_before_mb=round(rss_before_mb, 1),
            rss_peak_mb=round(view.peak_mb, 1),
            told=told,
            over_s=round(over_s, 3),
            over_cpu_s=round(over_cpu_s, 3),
            over=view.seen,
        )
    say(f"    {found}")
    return found


class _View:
    """Watches a daemon's database and memory from outside."""

    def __init__(self, daemon: Watchkeeper) -> None:
        self._daemon = daemon
        self._file = f"file:{daemon.database}?mode=ro"
        self._ending = Event()
        self.seen = _Seen()
        self.first_ticket_s = 0.0  # monotonic; 0 before there is one
        self.peak_mb = 0.0
        self._thread = Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join(30)

    def cpu_rate(self, seconds: float) -> float:
        """Seconds of CPU that it uses in a second."""
        before, began = kernel.cpu_s(self._daemon.pids), monotonic()
        sleep(seconds)
        return (kernel.cpu_s(self._daemon.pids) - before) / (monotonic() - began)

    def wait_for(self, holds: Callable[[_Seen], bool], patience_s: float) -> float:
        """How many seconds it took until something was seen; all the patience where it never was."""
        began = monotonic()
        while not holds(self.seen) and monotonic() - began < patience_s:
            sleep(_LOOK_S)
        self._daemon.check_alive()
        return monotonic() - began

    def _work(self) -> None:
        database = sqlite3.connect(self._file, uri=True, timeout=10)
        while not self._ending.wait(_LOOK_S):
            self.seen = _Seen(*database.execute(_COUNTS).fetchone())
            if self.seen.tickets and not self.first_ticket_s:
                self.first_ticket_s = monotonic()
            self.peak_mb = max(self.peak_mb, kernel.rss_mb(self._daemon.pids[0]))
        database.close()
