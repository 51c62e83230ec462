"""How long people wait: for the command line, and for the daemon with the shipped example."""

import shutil
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Final

from bench import children, kernel
from bench.report import Result
from bench.sides.watchkeeper import PROGRAM, wait_until_ready
from bench.stage import Stage

_ROOT: Final = Path(__file__).parents[2]


def run(stage: Stage) -> Result:
    result = Result("startup", "medians, from the start of the process")
    times = 5 if stage.options.quick else 10
    helps = [_help(stage.new_folder()) for _ in range(times)]
    starts = [_start(stage.new_folder()) for _ in range(times)]
    result.info("watchkeeper --help", f"{1000 * median(helps):.0f} ms")
    result.info("watchkeeper run with the example, to /-/ready", f"{1000 * median(s for s, _ in starts):.0f} ms")
    result.info("CPU until then", f"{1000 * median(cpu for _, cpu in starts):.0f} ms")
    result.raw.update({"help_s": helps, "ready_s": [s for s, _ in starts], "cpu_s": [cpu for _, cpu in starts]})
    return result


def _help(folder: Path) -> float:
    began = monotonic()
    process = children.spawn([*PROGRAM, "--help"], folder / "help.log")
    process.wait(30)
    took = monotonic() - began
    children.end(process)
    return took


def _start(folder: Path) -> tuple[float, float]:
    port = children.free_port()
    shutil.copytree(_ROOT / "rules", folder / "rules")
    shutil.copytree(_ROOT / "probes", folder / "probes")
    config = folder / "config.yaml"
    shutil.copy(_ROOT / "config.example.yaml", config)
    for file in (config, *folder.glob("probes/*.yaml")):
        file.write_text(file.read_text().replace("9321", str(port)))
    began = monotonic()
    log = folder / "daemon.log"
    process = children.spawn([*PROGRAM, "run", "-c", str(config)], log)
    try:
        return wait_until_ready(port, process, log, began), kernel.cpu_s([process.pid])
    finally:
        children.end(process)
