"""How quickly history is replayed through rules."""

import json
import subprocess
from pathlib import Path
from time import monotonic
from typing import Final

from bench.report import Result
from bench.sides.watchkeeper import PROGRAM
from bench.stage import Stage, say

_PROBES: Final = 1000
_BEGIN_S: Final = 1_800_000_000
_ENOUGH: Final = 50_000  # samples a second


def run(stage: Stage) -> Result:
    from bench.simulation import Simulation  # all of watchkeeper: a mistake in it shall fail this case only

    result = Result("backtest", "1000 probes a minute, two rules each, replayed")
    hours, lines = (6, 200_000) if stage.options.quick else (24, 500_000)
    folder = stage.new_folder()
    simulation = Simulation(folder, stage.load(_PROBES, 60))
    try:
        simulation.run(hours)
    finally:
        simulation.close()
    say(f"    {hours} h are recorded")
    probe = probe_file(folder, lines)
    for what, arguments in (
        ("from the database", ["--from", "2027-01-01", "--to", "2027-02-01"]),
        ("from CSV", ["--csv", f"{probe}=samples.csv:first_byte_seconds"]),
    ):
        began = monotonic()
        done = subprocess.run(
            [*PROGRAM, "backtest", "-c", "config.yaml", "--json", *arguments],
            cwd=folder, capture_output=True, text=True, timeout=600, check=True,
        )  # fmt: skip
        took_s = monotonic() - began
        samples = json.loads(done.stdout)["samples"]
        result.at_least(f"{what}, starting the command included", samples / took_s, _ENOUGH, "samples/s", 0)
        result.raw[what] = {"samples": samples, "seconds": took_s}
    return result


def probe_file(folder: Path, lines: int) -> str:
    """Writes `samples.csv`. The probe that it is of."""
    from bench.sides.watchkeeper import probe_id

    with (folder / "samples.csv").open("w") as file:
        file.writelines(f"{_BEGIN_S + 60 * n},{0.001 * (n % 7)}\n" for n in range(lines))
    return probe_id(0)
