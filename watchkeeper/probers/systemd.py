"""Asks systemd how a unit is."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import Field

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, format_elapsed_ms, utc
from watchkeeper.probers._program import Work, cannot_tell, clean_environment, on_one_line
from watchkeeper.probers._program_prober import ProgramProber
from watchkeeper.probers.base import Finding, ProberKind
from watchkeeper.schema.base import Model

_PROPERTIES: Final = (
    *("Id", "LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "NRestarts", "MemoryCurrent"),
    *("TasksCurrent", "StateChangeTimestampMonotonic", "ExecMainStatus", "ExecMainExitTimestampMonotonic"),
)
_RUNS: Final = frozenset(("active", "reloading", "refreshing"))
_NOT_SET: Final = 2**64 - 1


class SystemdOptions(Model):
    """A look at a unit of systemd."""

    unit: str = Field(pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}$")
    """The unit, such as nginx.service or backup.timer. Without a suffix it is a service."""
    manager: Literal["system", "user"] = "system"
    """Who manages it: the system, or the manager of the user that watchkeeper runs as."""
    expect: Literal["active", "success"] = "active"
    """`active`: the unit is active. `success`: it runs from time to time, and is well unless its last run failed."""
    program: str = Field(default="systemctl", min_length=1)
    """The program that is asked: a name that is looked for in PATH, or a path."""


def make(clock: Clock, ticks: Callable[[], float] = time.monotonic) -> ProgramProber:
    """The prober. `ticks`: the seconds that systemd counts its timestamps in."""

    def measure(probe: Probe, work: Work) -> Finding:
        options: SystemdOptions = probe.options
        told = _ask(options, work)
        if told.get("LoadState") == "not-found":
            return Finding(Status.DOWN, f"systemd knows no unit {options.unit}")
        state = told.get("ActiveState")
        if not state:
            raise cannot_tell(f"{options.program} told no state of {options.unit}")
        values, facts = _values(told, ticks()), _facts(told)
        if (seconds := values.get("since_seconds")) is not None:
            facts["since"] = utc(clock() - round(seconds * 1000))
        return _judge(options, told, values, facts)

    return ProgramProber(clock, measure, late=_late)


def _late(probe: Probe, _doing: str) -> Finding:
    within = format_duration_ms(probe.timeout_ms)
    return Finding(Status.UNKNOWN, f"systemd told nothing about {probe.options.unit} within {within}")


def _ask(options: SystemdOptions, work: Work) -> Mapping[str, str]:
    """The unit's properties.

    Raises:
        Concluded: there is no systemd, or it does not tell.
        Interrupted: the run is over.
    """
    wanted = {}
    if options.manager == "user":
        wanted["XDG_RUNTIME_DIR"] = os.environ.get("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")
        if (bus := os.environ.get("DBUS_SESSION_BUS_ADDRESS")) is not None:
            wanted["DBUS_SESSION_BUS_ADDRESS"] = bus
    command = [options.program, f"--{options.manager}", "show", "--no-pager", f"--property={','.join(_PROPERTIES)}"]
    ended = work.run([*command, "--", options.unit], clean_environment(wanted))
    if ended.code != 0:
        raise cannot_tell(f"could not ask systemd for {options.unit}: {ended.reason}")
    lines = ended.output.decode("utf-8", "replace").splitlines()
    return {name: value for name, equals, value in (line.partition("=") for line in lines) if equals}


def _number(told: Mapping[str, str], name: str) -> int | None:
    """A number that systemd tells; `None` for one that is not set."""
    text = told.get(name, "")
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 20 else _NOT_SET
    return None if number >= _NOT_SET else number


def _values(told: Mapping[str, str], now_s: float) -> dict[str, float]:
    names = {"restarts": "NRestarts", "memory_bytes": "MemoryCurrent", "tasks": "TasksCurrent"}
    values = {value: float(number) for value, name in names.items() if (number := _number(told, name)) is not None}
    values["active"] = float(told["ActiveState"] in _RUNS)
    if changed := _number(told, "StateChangeTimestampMonotonic"):
        values["since_seconds"] = max(0.0, now_s - changed / 1e6)
    if ended := _number(told, "ExecMainExitTimestampMonotonic"):
        values["last_run_age_seconds"] = max(0.0, now_s - ended / 1e6)
        if (status := _number(told, "ExecMainStatus")) is not None:
            values["exit_status"] = status
    return values


def _facts(told: Mapping[str, str]) -> dict[str, Fact]:
    names = {"state": "ActiveState", "sub_state": "SubState", "result": "Result", "unit_file_state": "UnitFileState"}
    return {fact: on_one_line(told[name]) for fact, name in names.items() if told.get(name)}


def _judge(
    options: SystemdOptions, told: Mapping[str, str], values: Mapping[str, float], facts: Mapping[str, Fact]
) -> Finding:
    unit, state, result = options.unit, facts["state"], facts.get("result", "success")
    loaded = told.get("LoadState", "loaded")
    if loaded not in ("loaded", "masked"):
        return Finding(Status.DOWN, f"{unit} could not be loaded: {on_one_line(loaded)}", values, facts)
    since = ""
    if "since_seconds" in values:
        since = f", since {format_elapsed_ms(values['since_seconds'] * 1000)}"
    text = f"{unit} is {state} ({facts.get('sub_state', state)}){since}"
    failed = "" if result == "success" else f", its last result is {result}"
    if options.expect == "active":
        return Finding(Status.UP if state in _RUNS else Status.DOWN, text + failed, values, facts)
    if state == "failed" or failed:
        return Finding(Status.DOWN, text + failed, values, facts)
    ran = "" if "last_run_age_seconds" in values or state in _RUNS else ", and has not run yet"
    return Finding(Status.UP, text + ran, values, facts)


KIND = ProberKind(
    name="systemd",
    summary="Asks systemd how a unit is.",
    category=Category.HEALTH,
    options=SystemdOptions,
    make=make,
    values={
        "active": "1 when the unit is active, else 0",
        "restarts": "how often systemd started it again by itself since somebody did; absent for what is no service",
        "since_seconds": "seconds since its state changed last; absent if it never did",
        "last_run_age_seconds": "seconds since its main process ended last; absent if it never did",
        "exit_status": "the exit status of its main process, or the signal that ended it; absent with it",
        "memory_bytes": "bytes of memory that it has, where systemd counts them",
        "tasks": "how many processes and threads it has, where systemd counts them",
    },
    facts={
        "state": (FactType.TEXT, "active, reloading, activating, deactivating, inactive or failed"),
        "sub_state": (FactType.TEXT, "the state as its type of unit has it, such as running, exited or auto-restart"),
        "result": (FactType.TEXT, "how it ended last, such as success, exit-code, timeout or oom-kill"),
        "unit_file_state": (
            FactType.TEXT,
            "whether the machine starts it, such as enabled, disabled or static",
        ),
        "since": (FactType.TIME, "when its state changed last; absent if it never did"),
    },
)
