"""Kills the daemon in the middle of its work, again and again, and judges the tickets that there are in the end.

    python -m tests.chaos [--backend NAME …] [--kills 200] [--seed 1] [--people | --quiet] [--json]

The exit status is 1 when anything is wrong; then it says what, where to look, and how to do the same again. Times are
real, so the same seed gives the same script, and nearly the same run.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict
from typing import Final

import pytest

from tests.chaos import adapters
from tests.chaos.run import Result, run
from tests.engine.outage import OUTAGES, fresh_database, outage, told

COLUMNS: Final = (
    "backend",
    "people",
    "seed",
    "kills",
    "faults",
    "incidents",
    "merged",
    "problems",
    "tickets",
    "deeds",
    "duplicates",
    "lost",
    "requests/ticket",
    "seconds",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos")
    parser.add_argument("--backend", nargs="+", choices=adapters.names(), default=adapters.names())
    parser.add_argument("--kills", type=int, default=200, help="of each backend and mode")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--people", action="store_true", help="only with people who act meanwhile")
    chosen.add_argument("--quiet", action="store_true", help="only without them")
    parser.add_argument("--json", action="store_true", help="a line for each run, instead of a table")
    options = parser.parse_args()
    modes = [True] if options.people else [False] if options.quiet else [False, True]
    results: list[Result] = []
    if not options.json:
        print("  ".join(COLUMNS), flush=True)
    for backend in options.backend:
        for people in [mode for mode in modes if not mode or adapters.find(backend).ACTS]:
            try:
                result = run(backend, options.seed, options.kills, people=people)
            except pytest.skip.Exception as missing:
                print(f"{backend}: {missing}", file=sys.stderr, flush=True)
                continue
            results.append(result)
            print(json.dumps(asdict(result)) if options.json else _row(result), flush=True)
            for what in result.wrong[:20]:
                print(f"  WRONG: {what}", file=sys.stderr)
            if result.wrong:
                mode = "--people" if people else "--quiet"
                print(
                    f"  {len(result.wrong)} things are wrong; database and log are in {result.folder}\n  again: "
                    f"python -m tests.chaos --backend {backend} --kills {options.kills} --seed {options.seed} {mode}",
                    file=sys.stderr,
                    flush=True,
                )
    if not options.json:
        print(f"{_summary(results)}\n", flush=True)
        for name, away in OUTAGES.items():
            with fresh_database() as database:
                print(told(name, outage(database, away)), flush=True)
    return int(any(result.wrong for result in results))


def _summary(results: list[Result]) -> str:
    met: Counter[str] = Counter()
    for result in results:
        met.update(result.met)
    kinds = ", ".join(f"{name} {count}" for name, count in sorted(met.items()))
    problems = sum(one.problems for one in results)
    tickets, incidents = sum(one.tickets for one in results), sum(one.incidents for one in results)
    return (
        f"{sum(one.kills for one in results)} kills, {met.total()} faults ({kinds or 'none'}): "
        f"{incidents} incidents, {problems} problems, {tickets} tickets, "
        f"{sum(one.duplicates for one in results)} duplicates, {sum(one.lost for one in results)} lost, "
        f"{sum(len(one.wrong) for one in results)} things wrong"
    )


def _row(result: Result) -> str:
    per_ticket = f"{result.requests / result.tickets:.1f}" if result.requests and result.tickets else "-"
    cells = {**asdict(result), "people": "yes" if result.people else "no", "requests/ticket": per_ticket}
    cells["seconds"] = f"{result.seconds:.0f}"
    return "  ".join(f"{cells[name]!s:>{len(name)}}" for name in COLUMNS)


if __name__ == "__main__":
    sys.exit(main())
