"""The highest rate on one core at which no run is lost, and none late by more than its interval."""

from functools import partial
from time import monotonic, sleep, time
from typing import Any, Final

from bench import arrivals, children, kernel
from bench.measure import Others
from bench.report import Result
from bench.sides.watchkeeper import Watchkeeper
from bench.stage import Stage, say

_RATES: Final = (500, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000)
_COARSE: Final = _RATES[::2]
_FIRST: Final = 4000
_SETTLE_S: Final = 5.0  # the first runs come with whatever the start costs
_GOAL: Final = 4000
_BACKLOG: Final = 0.25  # of a second's runs


def run(stage: Stage) -> Result:
    result = Result("sustained", "http probes every second, watchkeeper with all its threads on one core")
    tried: dict[int, dict[str, Any]] = {}
    rates = _COARSE if stage.options.quick else _RATES
    below, above = -1, len(rates)  # what held and what did not, as places in `rates`
    at = rates.index(_FIRST)
    while below + 1 < above:
        rate = rates[at]
        found = tried[rate] = _try(stage, rate)
        say(f"    {rate}/s: {found}")
        below, above = (at, above) if found["held"] else (below, at)
        # Just above what held, at first: bisection would waste time on rates that are out of reach.
        at = below + 2 if found["held"] and below + 2 < above else (below + above) // 2
    best = rates[below] if below >= 0 else 0
    result.at_least("checks per second, none lost, none late", best, _GOAL, "checks/s", 0)
    for rate in sorted(tried):
        found = tried[rate]
        result.info(
            f"at {rate}/s: {'held' if found['held'] else 'did not hold'}",
            f"{found['arrived_per_s']:.0f}/s arrived, {found['missed']:.0f} missed, longest gap "
            f"{found['longest_gap_s']:.2f} s, {found['core_percent']:.0f}% of the core, "
            f"late p99 {found['late_ms_p99']:.0f} ms, lag ≤ {1000 * found['lag_s_max']:g} ms",
        )
    result.raw["tried"] = tried
    return result


def _try(stage: Stage, rate: int) -> dict[str, Any]:
    """What happens at a rate, by the daemon's own counters and by nginx's log."""
    seconds = min(stage.options.window_s, 15.0)
    make = partial(Watchkeeper, core=children.SIDE_CORE)
    with stage.playing(make, stage.load(rate, 1, "logged"), warm_up_s=_SETTLE_S) as daemon:
        before, log, others = daemon.metrics(), arrivals.Log(stage.target.arrivals), Others(daemon, stage.target)
        begin_ms, cpu, began = time() * 1000, kernel.cpu_s(daemon.pids), monotonic()
        sleep(seconds)
        end_ms, cpu, took = time() * 1000, kernel.cpu_s(daemon.pids) - cpu, monotonic() - began
        others_cores, after = others.cores(), daemon.metrics()
    seen = [arrival for arrival in log.read() if begin_ms < arrival.at_ms < end_ms]
    missed_name = "watchkeeper_probe_missed_runs_total"
    missed = after.total(missed_name) - before.total(missed_name)
    late = arrivals.lateness_ms(seen, 1)
    gap_s = arrivals.longest_gap_s(seen, begin_ms, end_ms, rate)
    # Less than a second's backlog is no reason to fail, one that grows is.
    waiting = [metrics.total("watchkeeper_runs_waiting") for metrics in (before, after)]
    grows = waiting[1] - waiting[0] > _BACKLOG * rate
    return {
        "held": missed == 0 and gap_s <= 2.0 and not grows and len(seen) >= 0.99 * rate * (took - 1),
        "arrived_per_s": round(len(seen) / took, 1),
        "missed": missed,
        "longest_gap_s": round(gap_s, 3),
        "core_percent": round(100 * cpu / took, 1),
        "late_ms_p50": round(arrivals.percentile(late, 50), 1),
        "late_ms_p99": round(arrivals.percentile(late, 99), 1),
        "lag_s_max": after.lag.since(before.lag).at_most(1.0),
        "waiting": waiting,
        "others_cores": others_cores,
    }
