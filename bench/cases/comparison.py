"""CPU per check, side by side with what people use today."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Final

from bench.measure import Window, window
from bench.report import Result
from bench.sides import Load, Side
from bench.sides.nagios import Nagios
from bench.sides.prometheus import Prometheus
from bench.sides.watchkeeper import Watchkeeper
from bench.stage import Stage, say

_FULL_RATE: Final = 0.93  # a side that checks less often than this share of what was asked gets a note

Peers = Mapping[type[Side], float]
"""What to compare with, and how many times watchkeeper's CPU each of them should take at least."""


def http200(stage: Stage) -> Result:
    result = Result("http200", "1000 http probes every 5 s, a new connection each, two rules each")
    return _compare(stage, result, stage.load(1000, 5), {Prometheus: 8, Nagios: 14})


def http1000(stage: Stage) -> Result:
    result = Result("http1000", "1000 http probes every second, a new connection each, two rules each")
    return _compare(stage, result, stage.load(1000, 1), {Prometheus: 8})


def https200(stage: Stage) -> Result:
    result = Result("https200", "1000 https probes every 5 s, a full handshake each, two rules each")
    return _compare(stage, result, stage.load(1000, 5, "https"), {Prometheus: 2.5})


def _compare(stage: Stage, result: Result, load: Load, peers: Peers) -> Result:
    sides: Sequence[type[Side]] = (Watchkeeper, *peers)
    windows: dict[type[Side], list[Window]] = defaultdict(list)
    for _ in range(stage.options.rounds):
        for side in sides:
            with stage.playing(side, load) as playing:
                found = window(playing, stage.target, stage.options.window_s)
                up = playing.up()
            if up < len(load.urls):
                result.notes.append(f"{playing.name} found {up} of {len(load.urls)} probes up.")
            say(f"    {found.cpu_ms_per_check:.3f} ms per check at {found.checks_per_s:.0f}/s")
            windows[side].append(found)
    costs = {side: median(found.cpu_ms_per_check for found in windows[side]) for side in sides}
    wanted = len(load.urls) / load.every_s
    for side in sides:
        rate = median(found.checks_per_s for found in windows[side])
        memory = median(found.pss_mb for found in windows[side])
        result.info(side.name, f"{costs[side]:.3f} CPU-ms/check at {rate:.0f} checks/s, {memory:.0f} MB")
        if rate < _FULL_RATE * wanted:
            result.notes.append(f"{side.name} made {rate:.0f} checks/s where {wanted:.0f} were asked for.")
    own = costs[Watchkeeper]
    for side, times in peers.items():
        ratio = costs[side] / own if own else 0.0
        result.at_least(f"CPU of {side.name} / watchkeeper", ratio, times, "times")
        result.raw[f"ratio to {side.name}"] = ratio
    result.raw["windows"] = {side.name: [asdict(found) for found in windows[side]] for side in sides}
    return result
