"""How quickly availability is measured from a database of some history."""

import gc
from random import Random
from time import perf_counter, process_time
from typing import Any, Final

from bench.report import Result
from bench.stage import Stage, say

_SERVICES: Final = 1000
_PROBES: Final = 10  # of a service
_DAY_MS: Final = 86_400_000
_NOW: Final = 1_795_564_800_000  # 2026-11-25T00:00Z
_OUTAGES_A_DAY: Final = 0.5  # of a probe


def run(stage: Stage) -> Result:
    from watchkeeper.store import migrate  # all of watchkeeper: a mistake in it shall fail this case only
    from watchkeeper.store.database import Database

    services = 100 if stage.options.quick else _SERVICES
    result = Result(
        "availability", f"{services} services of ten probes, a month; one of them for a year; office hours, windows"
    )
    database = Database(f"sqlite:///{stage.new_folder() / 'watchkeeper.db'}")
    try:
        migrate.upgrade(database)
        rows = _fill(database, services)
        say(f"    {rows:,} intervals")
        result.info("intervals", f"{rows:,}")
        plan = _plan(services)
        _all(result, database, plan, scale=_SERVICES // services)
        _one(result, database, plan)
    finally:
        database.close()
    return result


def _all(result: Result, database: Any, plan: Any, scale: int) -> None:
    from watchkeeper.domain.servicelevel import report_of
    from watchkeeper.domain.spans import Span
    from watchkeeper.store.availability import histories
    from watchkeeper.store.servicelevel import AT_ONCE

    span = Span(_NOW - 30 * _DAY_MS, _NOW)
    services = list(plan.services.values())
    gc.collect()
    began, cpu = perf_counter(), process_time()
    down_ms = 0
    for begin in range(0, len(services), AT_ONCE):
        some = services[begin : begin + AT_ONCE]
        known = histories(database, plan, some, span, _NOW)
        down_ms += sum(report_of(one, known[one.id], span, _NOW).measured.bad_ms for one in some)
    took, spent = perf_counter() - began, process_time() - cpu
    assert down_ms > 0
    result.at_most("a month of 1000 services with 10,000 probes", took * scale, 10, "s", 2)
    result.info("of that, CPU", f"{spent * scale:.2f} s")
    result.raw |= {"a month of all, s": took, "services": len(services)}


def _one(result: Result, database: Any, plan: Any) -> None:
    from watchkeeper.domain.spans import Span
    from watchkeeper.store.servicelevel import measure_service

    span = Span(_NOW - 365 * _DAY_MS, _NOW)
    took = []
    for _ in range(15):
        gc.collect()
        began = perf_counter()
        measure_service(database, plan, plan.services["s0"], span, _NOW, _NOW)
        took.append((perf_counter() - began) * 1000)
    result.at_most("a year of one service with ten probes, slowest of 15", max(took), 200, "ms", 1)
    result.raw["a year of one, ms"] = took


def _plan(count: int) -> Any:
    from zoneinfo import ZoneInfo

    from watchkeeper.domain.calendar import Calendar
    from watchkeeper.domain.plan import Plan
    from watchkeeper.domain.probe import Category, Every, Probe
    from watchkeeper.domain.service import USUAL_HOURS, Objectives, Service

    office = Calendar("office", ZoneInfo("Europe/Berlin"), (*(((480, 1200),),) * 5, (), ()))
    agreed = Objectives(999_000)
    hours = (office, USUAL_HOURS)
    services = {f"s{n}": Service(f"s{n}", f"s{n}", objectives=agreed, hours=hours[n % 2]) for n in range(count)}
    probes = {
        name: Probe(name, "http", f"s{n}", Category.HEALTH, Every(30_000), 1000, None)
        for n in range(count)
        for name in (f"s{n}-p{m}" for m in range(_PROBES))
    }
    return Plan(services, probes, {}, "desk")


def _fill(database: Any, services: int) -> int:
    """A month of every service, a year of the first. How many intervals."""
    from sqlalchemy import insert

    from watchkeeper.store import tables

    random = Random(1)
    total = 0
    for n in range(services):
        days = 365 if n == 0 else 31
        rows = [row for m in range(_PROBES) for row in _past(random, f"s{n}-p{m}", f"s{n}", days)]
        windows = [_window(n, week) for week in range(days // 7)]
        with database.write() as connection:
            connection.execute(insert(tables.probe_intervals), rows)
            connection.execute(insert(tables.windows_in_force), windows)
        total += len(rows)
    return total


def _past(random: Random, probe: str, service: str, days: int) -> list[dict[str, Any]]:
    edges = sorted(random.sample(range(_NOW - days * _DAY_MS + 1, _NOW), 2 * round(days * _OUTAGES_A_DAY)))
    times = [_NOW - days * _DAY_MS, *edges]
    return [
        {
            "probe_id": probe,
            "service": service,
            "from_ms": begin,
            "to_ms": end,
            "status": ("up", "down")[index % 2] if random.random() > 0.05 else "unknown",
            "message": "HTTP 503 Service Unavailable after 0.2 s",
        }
        for index, (begin, end) in enumerate(zip(times, [*edges, None], strict=True))
    ]


def _window(service: int, week: int) -> dict[str, Any]:
    begin = _NOW - (week + 1) * 7 * _DAY_MS
    return {
        "because": "maintenance",
        "backend": "",
        "ref": f"weekly-{service}",
        "from_ms": begin,
        "to_ms": begin + 7_200_000,
        "number": f"weekly-{service}",
        "title": "weekly patch",
        "services": f'["s{service}"]',
        "probes": "[]",
    }
