"""How much the database grows in a day of ten thousand steady probes."""

import itertools
from typing import Final

from bench.report import Result
from bench.stage import Stage, say

_PROBES: Final = 10_000
_PART_DAY_H: Final = 24


def run(stage: Stage) -> Result:
    from bench.simulation import Simulation  # all of watchkeeper: a mistake in it shall fail this case only

    result = Result("store", "10,000 steady probes at 30 s, four values each")
    count, days = (100, 3) if stage.options.quick else (200, 4)
    simulation = Simulation(stage.new_folder(), stage.load(count, 30))
    sizes = [simulation.bytes()]
    try:
        for day in range(days):
            simulation.run(_PART_DAY_H)
            sizes.append(simulation.bytes())
            say(f"    day {day + 1}: {(sizes[-1] - sizes[-2]) / 1e6:.3f} MB more, of {count} probes")
    finally:
        simulation.close()
    scale = _PROBES / count / 1e6
    growth = [scale * (after - before) for before, after in itertools.pairwise(sizes)]
    result.at_most("growth a day, once minutes are no longer added up", growth[-1], 100, "MB")
    result.info("growth on each day", ", ".join(f"{megabytes:.1f}" for megabytes in growth) + " MB")
    result.notes.append(
        f"Simulated: {days} days of {count} probes through the watch into SQLite under a clock moved by hand, "
        f"times {_PROBES // count}."
    )
    result.raw.update({"bytes": sizes, "probes": count, "megabytes_a_day": growth})
    return result
