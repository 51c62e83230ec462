"""`watchkeeper backtest`: what rules would have opened, had they been in force."""

import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import click

from watchkeeper.cli._moment import Moment
from watchkeeper.cli._options import WRONG, config_option, database_of, fail, json_option, read_config
from watchkeeper.domain.units import format_time, parse_duration_ms

if TYPE_CHECKING:
    from watchkeeper.cli._backtest_output import Told
    from watchkeeper.config.load import Config
    from watchkeeper.domain.past import Slice
    from watchkeeper.domain.watch import Plan
    from watchkeeper.engine.csv_history import CsvFile

INTERRUPTED: Final = 130  # what the shell makes of a program that Ctrl-C ends
_DEFAULT_MS: Final = 7 * 86_400_000
_AGAIN_MS: Final = 3_600_000


class _Duration(click.ParamType[int]):
    """A duration, in ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return parse_duration_ms(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("backtest")
@config_option
@json_option
@click.option("--from", "from_ms", type=Moment(), metavar="TIME", help="Where to begin; 7d ago if not given.")
@click.option("--to", "to_ms", type=Moment(), metavar="TIME", help="Where to end; now if not given.")
@click.option(
    "--rules", multiple=True, metavar="FILES", help="Rules to judge, instead of the configuration's. Repeatable."
)
@click.option("--compare", nargs=2, metavar="OLD NEW", help="Judge two sets of rules and say how they differ.")
@click.option(
    "--csv",
    "csv_files",
    multiple=True,
    metavar="PROBE=FILE[:VALUE]",
    help="Samples of a probe from a file, instead of what is recorded. Repeatable.",
)
@click.option(
    "--short",
    "short_ms",
    type=_Duration(),
    default="5m",
    show_default=True,
    help="Incidents that were resolved sooner count as noise.",
)
def command(
    config_path: Path,
    *,
    as_json: bool,
    from_ms: int | None,
    to_ms: int | None,
    rules: tuple[str, ...],
    compare: tuple[str, str] | None,
    csv_files: tuple[str, ...],
    short_ms: int,
) -> None:
    """Say which incidents rules would have opened in the past.

    Replays what is recorded, or the samples of files, under the clock of the time. Nothing is stored and no ticket is
    opened. FILES, OLD and NEW are rule files, folders of them, or globs.

    TIME is a date such as 2026-11-01, a time such as 2026-11-01T12:00 (UTC if it has no offset), or how long ago: 7d.
    """
    from watchkeeper.cli._backtest_output import print_report

    if rules and compare:
        raise click.UsageError("--rules and --compare are both given: --compare names the rules already")
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        fail(f"watchkeeper: --from is {format_time(from_ms)}, which is not before --to, {format_time(to_ms)}", WRONG)
    try:
        configs = _configs(config_path, rules, compare)
        files = _csv_files(next(iter(configs.values())), csv_files)
        told = _of_files(files, configs, from_ms, to_ms) if files else _of_database(configs, from_ms, to_ms)
    except KeyboardInterrupt:
        fail("watchkeeper: interrupted", INTERRUPTED)
    print_report(told, short_ms, _AGAIN_MS, as_json=as_json)
    if told.stopped_ms is not None:
        sys.exit(INTERRUPTED)


def _configs(path: Path, rules: Sequence[str], compare: tuple[str, str] | None) -> "dict[str, Config]":
    """The configuration with each set of rules, by what people call it."""
    if compare is None:
        return {"": read_config(path, _rule_files(rules) if rules else None)}
    old, new = compare
    names = (old, new) if old != new else (f"{old} (old)", f"{new} (new)")
    return {name: read_config(path, _rule_files([some])) for name, some in zip(names, compare, strict=True)}


def _rule_files(names: Sequence[str]) -> list[str]:
    """The files that files, folders and globs name."""
    from glob import escape, glob

    found: list[Path] = []
    for name in names:
        path = Path(name)
        some = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
        if not path.exists():
            some = sorted(map(Path, glob(name, recursive=True)))
        if not some:
            fail(f"watchkeeper: {name}: no rule file is there; accepted is a file, a folder or a glob", WRONG)
        found += some
    return [escape(str(path.absolute())) for path in found]


def _csv_files(config: "Config", named: Sequence[str]) -> "list[CsvFile]":
    """What `PROBE=FILE[:VALUE]` name."""
    from watchkeeper import probers
    from watchkeeper.config.problems import listing, suggest
    from watchkeeper.config.vocabulary import produces
    from watchkeeper.domain.window import DURATION
    from watchkeeper.engine.csv_history import CsvFile

    found: dict[str, CsvFile] = {}
    for text in named:
        probe_id, equals, file = text.partition("=")
        value: str | None = None
        if not Path(file).exists() and ":" in file:
            file, _, value = file.rpartition(":")
        if not equals or not file:
            raise click.UsageError(f"--csv {text!r}: accepted is PROBE=FILE or PROBE=FILE:VALUE")
        probe = config.plan.probes.get(probe_id)
        if probe is None:
            known = config.plan.probes
            message = f"there is no probe {probe_id!r}{suggest(probe_id, known)}; there is {listing(known)}"
            fail(f"watchkeeper: --csv {text}: {message}", WRONG)
        if probe_id in found:
            fail(f"watchkeeper: --csv {text}: a probe has one file; more values are more columns of it", WRONG)
        kind = probers.find(probe.prober)
        values = tuple(kind.values)
        if value is None and len(values) == 1 and not kind.open_values:
            value = values[0]
        if value is not None and produces(kind, value):
            values = tuple(dict.fromkeys((*values, value)))
        if value is not None and value not in (accepted := (*values, DURATION)):
            message = f"the {probe.prober} prober has no value {value!r}{suggest(value, accepted)}"
            fail(f"watchkeeper: --csv {text}: {message}; accepted: {listing(accepted)}", WRONG)
        found[probe_id] = CsvFile(probe_id, Path(file), value, values)
    return list(found.values())


def _of_database(configs: "dict[str, Config]", from_ms: int | None, to_ms: int | None) -> "Told":
    from watchkeeper.app.parts import now_ms
    from watchkeeper.cli._backtest_output import Told, notes_on_hours
    from watchkeeper.engine.backtest import warm_up_ms
    from watchkeeper.engine.stored_history import StoredHistory
    from watchkeeper.store.past import PastReader

    config = next(iter(configs.values()))
    with database_of(config, for_reading=True) as database:
        reader = PastReader(database)
        extent = reader.extent()
        if extent is None:
            fail(f"watchkeeper: there is no history in {database.name} yet: `watchkeeper run` makes it", WRONG)
        latest_ms = now_ms() if to_ms is None else to_ms
        earliest_ms = latest_ms - _DEFAULT_MS if from_ms is None else from_ms
        begin_ms, end_ms = max(earliest_ms, extent.from_ms), min(latest_ms, extent.to_ms)
        there_is = f"history goes from {format_time(extent.from_ms)} to {format_time(extent.to_ms)}"
        asked = f"between {format_time(earliest_ms)} and {format_time(latest_ms)}"
        if begin_ms >= end_ms:
            fail(f"watchkeeper: nothing is recorded {asked}: {there_is}", WRONG)
        watched = reader.probes_between(begin_ms, end_ms)
        plans = {name: _only(one.plan, watched) for name, one in configs.items()}
        probes = next(iter(plans.values())).probes
        if not probes:
            fail(
                f"watchkeeper: none of the configured probes was watched {asked}: {there_is}, of other probes", WRONG
            )
        notes = []
        if from_ms is not None and begin_ms > from_ms:
            notes.append(f"history begins at {format_time(begin_ms)}: there is nothing before")
        if unseen := len(config.plan.probes) - len(probes):
            notes.append(f"{unseen} of {len(config.plan.probes)} probes have no history in this time")
        history = StoredHistory(reader, probes, extent.to_ms)
        warm_ms = max(begin_ms - max(map(warm_up_ms, plans.values())), extent.from_ms)
        told = Told(plans, begin_ms, end_ms, notes)
        _replay(told, history.slices(warm_ms, end_ms), lambda at_ms: (at_ms - warm_ms) / (end_ms - warm_ms))
        told.end(end_ms)
        notes += notes_on_hours(history.hours_ms)
        if reader.damaged:
            notes.append(f"{reader.damaged} stored figures are damaged and were passed over")
        return told


def _of_files(files: "list[CsvFile]", configs: "dict[str, Config]", from_ms: int | None, to_ms: int | None) -> "Told":
    from watchkeeper.cli._backtest_output import Told
    from watchkeeper.engine.backtest import warm_up_ms
    from watchkeeper.engine.csv_history import CsvError, CsvHistory

    plans = {name: _only(config.plan, {file.probe_id for file in files}) for name, config in configs.items()}
    warm_ms = None if from_ms is None else from_ms - max(map(warm_up_ms, plans.values()))
    history = CsvHistory(files)
    try:
        slices = history.slices(warm_ms, to_ms)
        first = next(slices, None)
        begin_ms = from_ms if from_ms is not None else history.first_ms
        if first is None or begin_ms is None:
            fail(f"watchkeeper: {', '.join(str(file.path) for file in files)}: there are no samples", WRONG)
        told = Told(plans, begin_ms, begin_ms, [])
        _replay(told, chain([first], slices), lambda _: history.share())
    except CsvError as error:
        fail(str(error), WRONG)
    last_ms = begin_ms if history.last_ms is None else history.last_ms
    if not told.any.samples:
        there_is = f"they go from {format_time(history.first_ms or 0)} to {format_time(last_ms)}"
        fail(f"watchkeeper: no sample of the files is in the time that is asked for: {there_is}", WRONG)
    told.end(last_ms + 1 if to_ms is None else min(to_ms, last_ms + 1))
    return told


def _only(plan: "Plan", probes: Collection[str]) -> "Plan":
    """The plan without the probes of which nothing is known: rules on silence would take that for silence."""
    from dataclasses import replace

    return replace(plan, probes={probe_id: probe for probe_id, probe in plan.probes.items() if probe_id in probes})


def _replay(told: "Told", slices: "Iterable[Slice]", share: Callable[[int], float]) -> None:
    from watchkeeper.engine.backtest import replay
    from watchkeeper.engine.memory import settle

    settle()  # or collections of garbage would go through every probe again and again
    began = monotonic()
    with _interruptible() as stopped, _progress(share) as progress:
        told.stopped_ms = replay(slices, told.backtests.values(), progress, stopped)
    told.took_s = monotonic() - began


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends what is done between two looks; a second one ends it at once."""
    pressed: list[int] = []

    def note(number: int, _: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _progress(share: Callable[[int], float]) -> Iterator[Callable[[int], None]]:
    """Shows on a terminal how far it is, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=1.0)
        yield lambda at_ms: bar.update(task, completed=share(at_ms), description=format_time(at_ms))
