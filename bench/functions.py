"""What a function over a window costs, by how many points are in it: `python -m bench.functions`.

Each is called as a rule calls it, the window as it is after each sample: one point more, and the oldest gone.
"""

import random
import sys
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import Final

from watchkeeper.config.vocabulary import FUNCTIONS
from watchkeeper.domain.probe import Category, Every, Probe, Sample, Status
from watchkeeper.domain.rule import Scope
from watchkeeper.domain.service import Objectives, Service
from watchkeeper.domain.streak import change_of, streak_of
from watchkeeper.domain.window import UP, Window

SIZES: Final = (10, 100, 1440, 10_080)
EVERY_MS: Final = 60_000
NOW_MS: Final = 1_800_000_000_000
ROUNDS: Final = 40

SERVICE: Final = Service("shop", "Shop", objectives=Objectives(999_000))
PROBE: Final = Probe("web", "http", "shop", Category.HEALTH, Every(EVERY_MS), 1000, None)


def calls(window: str) -> dict[str, tuple[str | float, ...]]:
    over = ("used", window)
    return {
        **dict.fromkeys(("avg", "sum", "min", "max", "count", "stddev", "delta", "rate", "changed"), over),
        "down_ratio": (window,),
        "burn_rate": (window,),
        "consecutive": ("down",),
        "predict": ("used", "1h", window),
        "time_to": ("used", 100.0, window),
        "quantile": (0.95, *over),
    }


def samples(rng: random.Random) -> Iterator[Sample]:
    at_ms, used = NOW_MS, 50.0
    while True:
        at_ms += EVERY_MS
        used += rng.uniform(-1, 1.001)
        yield Sample("web", at_ms, Status.UP, 0.25, {"used": used})


def microseconds(size: int) -> tuple[dict[str, float], float]:
    """Of a call of each function, and of taking in a sample."""
    span_ms = size * EVERY_MS
    window = Window({
        "used": span_ms, UP: span_ms, change_of("used"): span_ms, streak_of(Status.DOWN): 1,
    })  # fmt: skip
    coming = samples(random.Random(size))
    for _ in range(2 * size):
        window.append(next(coming))
    took: dict[str, list[float]] = {name: [] for name in FUNCTIONS if name != "age"}
    appends: list[float] = []
    for _ in range(ROUNDS):
        sample = next(coming)
        began = perf_counter()
        window.append(sample)
        appends.append(perf_counter() - began)
        scope = Scope(sample, PROBE, SERVICE, sample.at_ms, window)
        for name, arguments in calls(f"{size}m").items():
            took[name].append(_once(FUNCTIONS[name].call, scope, *arguments))
    return {name: median(times) * 1e6 for name, times in took.items()}, median(appends) * 1e6


def _once(call: Callable[..., object], *arguments: object) -> float:
    began = perf_counter()
    call(*arguments)
    return perf_counter() - began


def main() -> None:
    measured = {size: microseconds(size) for size in SIZES}
    print(f"µs per call, Python {sys.version.split()[0]}; points in the window:")
    print(f"{'':12}" + "".join(f"{size:>10,}" for size in SIZES))
    for name in calls("1m"):
        print(f"{name:12}" + "".join(f"{measured[size][0][name]:10.1f}" for size in SIZES))
    print(f"{'(a sample)':12}" + "".join(f"{measured[size][1]:10.1f}" for size in SIZES))


if __name__ == "__main__":
    main()
