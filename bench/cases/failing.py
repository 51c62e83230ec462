"""What a check costs when it fails, against one that succeeds."""

from dataclasses import asdict
from time import monotonic, sleep
from typing import Final

from bench.measure import Window, window
from bench.report import Result
from bench.sides.watchkeeper import Watchkeeper
from bench.stage import Stage, say

_HOLD_S: Final = 5  # rules fire early, so that what follows is over before the window
_TICKETS_S: Final = 45.0
_NOISE: Final = 1.05


def run(stage: Stage) -> Result:
    result = Result("failing", "1000 http probes every 5 s, all of them failing, their tickets opened")
    kinds = {"http": "succeeding", "refused": "connection refused", "silent": "timeout after 1 s"}
    windows = {kind: _measure(stage, kind, result) for kind in kinds}
    good = windows["http"].cpu_ms_per_check
    result.info(kinds["http"], f"{good:.3f} CPU-ms/check")
    for kind in ("refused", "silent"):
        found = windows[kind]
        result.info(kinds[kind], f"{found.cpu_ms_per_check:.3f} CPU-ms/check at {found.checks_per_s:.0f}/s")
        ratio = found.cpu_ms_per_check / good if good else 0.0
        result.at_most(f"{kinds[kind]} / succeeding", ratio, _NOISE, "times", 2)
    result.raw["windows"] = {kind: asdict(found) for kind, found in windows.items()}
    return result


def _measure(stage: Stage, kind: str, result: Result) -> Window:
    with stage.playing(Watchkeeper, stage.load(1000, 5, kind, hold_s=_HOLD_S)) as daemon:
        if kind != "http" and not _tickets_are_open(daemon):
            result.notes.append(f"{kind}: tickets were still being opened during the window.")
        found = window(
            daemon,
            stage.target,
            stage.options.window_s,
            count=lambda: int(daemon.metrics().total("watchkeeper_samples_total")),
        )
    say(f"    {kind}: {found.cpu_ms_per_check:.3f} ms per check at {found.checks_per_s:.0f}/s")
    return found


def _tickets_are_open(daemon: Watchkeeper) -> bool:
    """Waits until every trouble has its ticket. False when that takes too long."""
    give_up = monotonic() + _TICKETS_S
    opened, depth = "watchkeeper_incidents_opened_total", "watchkeeper_outbox_depth"
    sleep(2 * _HOLD_S)
    while monotonic() < give_up:
        metrics = daemon.metrics()
        if metrics.total(opened) >= 1000 and metrics.total(depth) == 0:
            return True
        sleep(1)
    return False
