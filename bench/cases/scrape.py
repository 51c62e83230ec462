"""What a scrape of /metrics costs with ten thousand probes, and how long it holds up others."""

from functools import partial
from time import monotonic, sleep
from typing import Any, Final

from bench import arrivals, kernel
from bench.pages import fetch
from bench.report import Result
from bench.sides.watchkeeper import Watchkeeper
from bench.stage import Stage

_WARM_UP_S: Final = 12.0  # first runs are over then
_PAUSE_S: Final = 0.25


def run(stage: Stage) -> Result:
    result = Result("scrape", "/metrics of 10,000 http probes at 30 s")
    scrapes = 20 if stage.options.quick else 50
    with stage.playing(
        partial(Watchkeeper, scraped=False), stage.load(10_000, 30, "logged"), warm_up_s=_WARM_UP_S
    ) as daemon:
        busy = _watch(stage, daemon, lambda: _scrape(daemon, scrapes))
        idle = _watch(stage, daemon, lambda: sleep(busy["seconds"]))
    cpu_ms = 1000 * (busy["cpu_s"] - idle["cpu_s"] / idle["seconds"] * busy["seconds"]) / scrapes
    result.at_most("CPU of one scrape", cpu_ms, 100, "ms")
    # The two windows see different probes, which have the same lateness otherwise.
    added = {name: busy[name] - idle[name] for name in ("late_ms_p99", "late_ms_max")}
    result.at_most("delay that scrapes put on probes, at most", max(0.0, added["late_ms_max"]), 50, "ms")
    for name, found in (("with scrapes", busy), ("without", idle)):
        result.info(
            f"run lateness {name}: p50, p99, most; scheduler lag",
            f"{found['late_ms_p50']:.0f}, {found['late_ms_p99']:.0f}, {found['late_ms_max']:.0f} ms; "
            f"≤ {1000 * found['lag_s_max']:g} ms",
        )
    result.info("size of a scrape; time", f"{busy['bytes'] / 1e6:.1f} MB; {1000 * busy['scrape_s']:.0f} ms")
    result.raw.update({"with": busy, "without": idle, "cpu_ms": round(cpu_ms, 2), "scrapes": scrapes})
    return result


def _watch(stage: Stage, daemon: Watchkeeper, do: Any) -> dict[str, Any]:
    """CPU and lateness while something is done."""
    before, log = daemon.metrics(), arrivals.Log(stage.target.arrivals)
    sleep(1)  # the scrape for the metrics shall not count
    cpu, began = kernel.cpu_s(daemon.pids), monotonic()
    more = do() or {}
    cpu, took = kernel.cpu_s(daemon.pids) - cpu, monotonic() - began
    late = arrivals.lateness_ms(log.read(), 30)
    return {
        "seconds": round(took, 3),
        "cpu_s": round(cpu, 4),
        "late_ms_p50": round(arrivals.percentile(late, 50), 1),
        "late_ms_p99": round(arrivals.percentile(late, 99), 1),
        "late_ms_max": round(max(late, default=0.0), 1),
        "lag_s_max": daemon.metrics().lag.since(before.lag).at_most(1.0),
        **more,
    }


def _scrape(daemon: Watchkeeper, times: int) -> dict[str, Any]:
    size, seconds = 0, 0.0
    for _ in range(times):
        began = monotonic()
        size = len(fetch(daemon.port, "/metrics")[1])
        seconds += monotonic() - began
        sleep(_PAUSE_S)
    return {"bytes": size, "scrape_s": round(seconds / times, 4)}
