"""`python -m bench [CASE…]`: measures, prints tables, writes JSON."""

import argparse
import atexit
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

from bench import cases, children, machine, report
from bench.options import Options
from bench.report import Result
from bench.stage import Stage, say
from bench.target import Target

_MOST_LINES, _MOST_WIDTH = 16, 300  # of an error
_WORK = Path(__file__).parent / "work"


def main() -> int:
    arguments = _arguments()
    options = Options.of(quick=arguments.quick, window_s=arguments.window, rounds=arguments.rounds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    atexit.register(children.end_all)
    os.sched_setaffinity(0, {children.TARGET_CORE})  # what it starts is set free again, or pinned elsewhere
    busy = machine.busy_cores()
    warnings = _warnings(busy)
    for warning in warnings:
        say(f"WARNING: {warning}")
    about = {
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": machine.commit(),
        "quick": options.quick,
        "warm_up_s": options.warm_up_s,
        "window_s": options.window_s,
        "rounds": options.rounds,
        "machine": {**machine.describe(), "busy_cores_at_start": round(busy, 2)},
        "warnings": warnings,
    }
    results: list[Result] = []
    try:
        _run(arguments.case or list(cases.ALL), options, results)
    except KeyboardInterrupt:
        say("interrupted: what was measured so far is written")
    finally:
        children.end_all()
        if results:
            _write(about, results)
    return int(any(row.met is False for result in results for row in result.rows) and arguments.strict)


def _run(names: Sequence[str], options: Options, results: list[Result]) -> None:
    _WORK.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_WORK, ignore_cleanup_errors=True) as folder:
        # nagios leaves root behind, and must still reach its files.
        Path(folder).chmod(0o755)
        (place := Path(folder) / "target").mkdir()
        target = Target(place)
        try:
            stage = Stage(options, Path(folder), target)
            for name in names:
                say(f"{name} …")
                results.append(result := _case(name, stage))
                print(report.show(result), flush=True)
        finally:
            children.end_all()
            target.stop()


def _case(name: str, stage: Stage) -> Result:
    """A case that can not be measured says so, and the others go on."""
    began = monotonic()
    try:
        result = cases.ALL[name](stage)
    except machine.Missing as missing:
        result = Result(name, "not measured", notes=[str(missing)])
    except Exception as error:  # noqa: BLE001  # the others are still worth measuring
        lines = f"{type(error).__name__}: {error}".splitlines()
        result = Result(name, "not measured", notes=[line[:_MOST_WIDTH] for line in lines[:_MOST_LINES]])
        result.holds("the case ran to its end", "no", "yes", met=False)
    result.seconds = round(monotonic() - began, 1)
    if (most := max(_others(result.raw), default=0.0)) > machine.QUIET:
        result.notes.append(f"Others used up to {most:.1f} cores while this was measured: the figures are doubtful.")
    return result


def _others(raw: object) -> Iterator[float]:
    """What others used, wherever a case has noted it."""
    if isinstance(raw, dict):
        for key, value in raw.items():
            if key == "others_cores":
                yield value
            else:
                yield from _others(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from _others(value)


def _warnings(busy: float) -> list[str]:
    warnings = []
    if busy > machine.QUIET:
        warnings.append(
            f"the machine is busy: others use {busy:.2f} cores, load average {os.getloadavg()[0]:.2f}. "
            "Ratios are doubtful, and targets may be missed for that alone."
        )
    if (os.cpu_count() or 1) < 2:
        warnings.append("there is one core only: target and sides share it.")
    return warnings


def _write(about: dict[str, Any], results: Sequence[Result]) -> None:
    for warning in about["warnings"]:
        print(f"\nWARNING: {warning}")
    about["ended"] = datetime.now(UTC).isoformat(timespec="seconds")
    print(f"\nAll figures: {report.write(about, results)}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("case", nargs="*", choices=[*cases.ALL, []], metavar="CASE", help=", ".join(cases.ALL))
    parser.add_argument("--quick", action="store_true", help="short windows: minutes instead of half an hour")
    parser.add_argument("--window", type=float, metavar="S", help="seconds of a measurement")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often the sides of a comparison take turns")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
