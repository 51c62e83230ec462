"""Ten thousand probes at 30 s: what a start, memory and a check cost, and how punctual runs are."""

from dataclasses import asdict
from functools import partial
from typing import Any, Final

from bench import arrivals, kernel
from bench.measure import window
from bench.report import Result
from bench.sides.watchkeeper import SCRAPE_S, Watchkeeper
from bench.stage import Stage

_FIRST_RUNS_S: Final = 11.0  # first runs are spread over ten seconds, and are not due at any time of their own


def run(stage: Stage) -> Result:
    result = Result("ten_thousand", "10,000 http probes every 30 s, beside 1000 every 3 s")
    few, many = _measure(stage, 1000, 3), _measure(stage, 10_000, 30)
    result.at_most("from the start of the process to /-/ready", many["ready_s"], 5, "s", 2)
    result.at_most("memory (RSS)", many["rss_mb"], 150, "MB")
    result.at_most("run lateness p99, seen from the target", many["late_ms_p99"], 100, "ms")
    result.info(
        "run lateness p50 and most; scheduler lag p99",
        f"{many['late_ms_p50']:.1f} ms, {many['late_ms_max']:.0f} ms; ≤ {1000 * many['lag_s_p99']:g} ms",
    )
    ratio = many["alone"]["cpu_ms_per_check"] / few["alone"]["cpu_ms_per_check"]
    result.at_most("CPU per check, against that of 1000 probes", ratio, 1.1, "times", 2)
    for name, key in (("", "alone"), (", scraped every 15 s", "scraped")):
        costs = [found[key]["cpu_ms_per_check"] for found in (few, many)]
        result.info(f"CPU per check{name}: 1000, 10,000", f"{costs[0]:.3f}, {costs[1]:.3f} ms")
    result.notes.append("The ratio is without scrapes, whose cost grows with the probes: see the case `scrape`.")
    result.raw.update({"1000": few, "10000": many})
    return result


def _measure(stage: Stage, count: int, every_s: int) -> dict[str, Any]:
    options, target = stage.options, stage.target
    warm_up_s = max(options.warm_up_s, _FIRST_RUNS_S)
    make = partial(Watchkeeper, scraped=False)
    with stage.playing(make, stage.load(count, every_s, "logged"), warm_up_s=warm_up_s) as daemon:
        before, log = daemon.metrics(), arrivals.Log(target.arrivals)
        alone = window(daemon, target, options.window_s)
        with daemon.scraping(min(SCRAPE_S, options.window_s / 2.1)):
            scraped = window(daemon, target, options.window_s)
        after = daemon.metrics()
        late = arrivals.lateness_ms(log.read(), every_s)
        return {
            "ready_s": round(daemon.ready_s, 3),
            "rss_mb": round(kernel.rss_mb(daemon.pids[0]), 1),
            "alone": asdict(alone),
            "scraped": asdict(scraped),
            "late_ms_p50": round(arrivals.percentile(late, 50), 1),
            "late_ms_p99": round(arrivals.percentile(late, 99), 1),
            "late_ms_max": round(max(late, default=0.0), 1),
            "lag_s_p99": after.lag.since(before.lag).at_most(0.99),
        }
