"""Runs a monitoring plugin, as Nagios, Icinga and their kin do.

https://www.monitoring-plugins.org/doc/guidelines.html
"""

import os
from collections.abc import Iterable
from math import isfinite
from typing import Final, Literal

from pydantic import Field

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.report import cleaned
from watchkeeper.domain.rule import Clock
from watchkeeper.probers._command import (
    Command,
    CommandProber,
    Ended,
    Environment,
    Job,
    find_program,
    revealed,
    timed_out,
)
from watchkeeper.probers._names import free_name, safe_name
from watchkeeper.probers._perfdata import Datum, Output, Range, read_output
from watchkeeper.probers.base import Failure, Finding, ProberKind, failed, failure_fact
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SizeBytes

FOLDERS: Final = (
    "/usr/lib/nagios/plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/lib/monitoring-plugins",
    "/usr/local/libexec/nagios",
    "/usr/local/nagios/libexec",
)
"""Where distributions put plugins."""

MOST_DATA: Final = 50
_MOST_MESSAGE: Final = 500
_MOST_LONG: Final = 2000
_STATES: Final = ("ok", "warning", "critical", "unknown")
_UNREADABLE: Final = "unreadable_data"


class NagiosOptions(Model):
    """A run of a plugin."""

    command: Command
    """The plugin and its arguments, as a list: no shell reads them. A plugin without a slash is looked for where
    distributions put plugins, and in the usual folders of programs. Everybody on the machine can see arguments: a
    password belongs into a file that the plugin reads, or into its environment."""
    environment: Environment = Field(default_factory=dict)
    """Variables that the plugin finds beside `PATH` and `LANG`, and nothing else. One that carries a credential names
    where the secret is kept."""
    warning: Literal["up", "down"] = "up"
    """What a WARNING of the plugin is. With `up`, a rule can still ask for `facts.state == "warning"`."""
    thresholds: bool = True
    """Whether the thresholds and limits that the plugin tells of its numbers become values, too."""
    max_output: SizeBytes = Field(default=64 * 1024, gt=0, le=4 * 1024 * 1024)
    """How much of its output is read. The rest is dropped."""


def make(clock: Clock) -> CommandProber:
    """The prober."""
    return CommandProber(clock, "nagios", _work)


def _work(probe: Probe, job: Job, deadline: float) -> Finding:
    options: NagiosOptions = probe.options
    program = find_program(options.command[0], FOLDERS)
    command = (program, *options.command[1:])
    ended = job.run(command, revealed(options.environment), deadline, options.max_output)
    return timed_out(probe) if ended.code is None else judge(options, ended, ended.code)


def judge(options: NagiosOptions, ended: Ended, code: int) -> Finding:
    """What a plugin that has ended says."""
    output = read_output(ended.out.decode("utf-8", "replace"), MOST_DATA)
    name = os.path.basename(options.command[0])
    message = cleaned(output.text, _MOST_MESSAGE).rstrip(". ")
    if not message:
        complaint = cleaned(ended.err.decode("utf-8", "replace"), _MOST_MESSAGE).rstrip(". ")
        message = f"{name} printed no text" + (f", but complained: {complaint}" if complaint else "")
    values, facts = _values(options, output), _facts(output)
    if not 0 <= code <= 3:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}, which no plugin has"
        facts = facts if code < 0 else {**facts, "exit_code": code}
        return failed(Failure.LOCAL, f"{name} {how}: {message}", values, facts)
    facts = {**facts, "exit_code": code, "state": _STATES[code]}
    if code == 3:
        return failed(Failure.LOCAL, message, values, facts)
    if code == 2 or (code == 1 and options.warning == "down"):
        return failed(Failure.ANSWER, message, values, facts)
    return Finding(Status.UP, message, values, facts)


def _facts(output: Output) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    if output.long:
        lines = (cleaned(line, _MOST_LONG) for line in output.long.splitlines())
        facts["long_output"] = "\n".join(lines)[:_MOST_LONG]
    beyond = ", ".join(f"{cleaned(datum.label, 60)} ({datum.beyond})" for datum in output.data if datum.beyond)
    if beyond:
        facts["beyond"] = cleaned(beyond, _MOST_MESSAGE)
    return facts


def _values(options: NagiosOptions, output: Output) -> dict[str, float]:
    values: dict[str, float] = {_UNREADABLE: float(output.unreadable)}
    for datum in output.data:
        name = free_name(safe_name(datum.label), values)
        if datum.value is not None:
            values[name] = datum.value
        if options.thresholds:
            values |= {f"{name}_{end}": number for end, number in _ends(datum) if f"{name}_{end}" not in values}
    return values


def _ends(datum: Datum) -> Iterable[tuple[str, float]]:
    for name, found in (("warning", datum.warning), ("critical", datum.critical)):
        if isinstance(found, Range):
            yield from (
                (f"{name}_{end}", at) for end, at in (("low", found.low), ("high", found.high)) if isfinite(at)
            )
    yield from ((end, at) for end, at in (("min", datum.low), ("max", datum.high)) if at is not None)


KIND = ProberKind(
    name="nagios",
    summary="Runs a monitoring plugin, as Nagios and Icinga do.",
    category=Category.HEALTH,
    options=NagiosOptions,
    make=make,
    values={_UNREADABLE: "how many of its performance data are none, or are more than the first 50"},
    open_values=(
        "one for each performance datum, named by its label in lower case, with `_` for everything but letters and "
        "digits (`/var/log` is `var_log`, `/` is `root`, `…_percent` is `…_pct`). It is in seconds and bytes where "
        "its unit is one of time (s, ms, us) or of size (KB is 1000, KiB 1024 bytes), else as it stands. Where the "
        "plugin tells them there are `NAME_warning_low`, `NAME_warning_high`, `NAME_critical_low`, "
        "`NAME_critical_high`, `NAME_min` and `NAME_max`"
    ),
    facts={
        **failure_fact(Failure.TIMEOUT, Failure.ANSWER),
        "state": (FactType.TEXT, "ok, warning, critical or unknown; absent when it did not end as a plugin does"),
        "exit_code": (FactType.NUMBER, "its exit code; absent when it was killed"),
        "long_output": (FactType.TEXT, "what it printed after the first line; absent where there is nothing"),
        "beyond": (FactType.TEXT, "the performance data that are beyond their own thresholds; absent if none is"),
    },
)
