"""Runs an executable of your own, and reads what it prints."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

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
from watchkeeper.probers._names import why_no_value
from watchkeeper.probers.base import Failure, Finding, ProberKind, failed, failure_fact
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SizeBytes

MOST_VALUES: Final = 200
_MOST_MESSAGE: Final = 500


class ScriptOptions(Model):
    """A run of an executable."""

    command: Command
    """The executable and its arguments, as a list: no shell reads them. One with a slash is relative to the file.
    Everybody on the machine can see arguments: a password belongs into the environment."""
    environment: Environment = Field(default_factory=dict)
    """Variables that it finds beside `PATH` and `LANG`, and nothing else. One that carries a credential names where
    the secret is kept."""
    max_output: SizeBytes = Field(default=256 * 1024, gt=0, le=4 * 1024 * 1024)
    """How much it may print. One that prints more is unknown."""


class _Printed(BaseModel):
    """What it prints as JSON."""

    model_config = ConfigDict(strict=True, extra="forbid")

    status: Literal["up", "down", "unknown"] = "up"
    message: str = ""
    values: dict[str, Annotated[float, Field(allow_inf_nan=False)]] = Field(default_factory=dict)


@dataclass(slots=True)
class _Read:
    """What was printed. `wrong`: why it can not be taken as it stands."""

    status: Status = Status.UP
    message: str = ""
    values: dict[str, float] = field(default_factory=dict)
    wrong: str | None = None


def make(clock: Clock) -> CommandProber:
    """The prober."""
    return CommandProber(clock, "script", _work)


def _work(probe: Probe, job: Job, deadline: float) -> Finding:
    options: ScriptOptions = probe.options
    command = (find_program(options.command[0]), *options.command[1:])
    ended = job.run(command, revealed(options.environment), deadline, options.max_output)
    return timed_out(probe) if ended.code is None else judge(options, ended, ended.code)


def judge(options: ScriptOptions, ended: Ended, code: int) -> Finding:
    """What an executable that has ended says."""
    name = os.path.basename(options.command[0])
    read = _Read(wrong="more than max_output") if ended.cut else _read(ended.out)
    facts: dict[str, Fact] = {} if code < 0 else {"exit_code": code}
    message = cleaned(read.message, _MOST_MESSAGE).rstrip(". ") or _complaint(ended)
    if code not in (0, 1):
        how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
        return failed(Failure.LOCAL, f"{name} {how}" + (f": {message}" if message else ""), read.values, facts)
    if code == 1:  # what it printed before it gave up may be half of something
        return failed(Failure.ANSWER, message or f"{name} says that it is down", read.values, facts)
    if read.wrong is not None:
        return failed(Failure.LOCAL, f"{name} prints {read.wrong}", {}, facts)
    if read.status is Status.UP:
        return Finding(Status.UP, message or f"{name} says that it is up", read.values, facts)
    failure = Failure.ANSWER if read.status is Status.DOWN else Failure.LOCAL
    return failed(failure, message or f"{name} says that it is {read.status}", read.values, facts)


def _complaint(ended: Ended) -> str:
    """The last line that it wrote to its standard error."""
    lines = [line for line in ended.err.decode("utf-8", "replace").splitlines() if line.strip()]
    return cleaned(lines[-1], _MOST_MESSAGE).rstrip(". ") if lines else ""


def _read(out: bytes) -> _Read:
    text = out.decode("utf-8", "replace")
    read = _json(text) if text.lstrip()[:1] == "{" else _lines(text)
    if read.wrong is None and len(read.values) > MOST_VALUES:
        read.wrong = f"{len(read.values)} values: accepted are up to {MOST_VALUES}"
    for name, value in read.values.items():
        if read.wrong is None and (why := why_no_value(name, value)) is not None:
            read.wrong = why
    if read.wrong is not None:
        read.values = {}
    return read


def _json(text: str) -> _Read:
    try:
        printed = _Printed.model_validate(json.loads(text))
    except (ValueError, RecursionError) as error:
        return _Read(wrong=f"no JSON as it is accepted: {_why(error)}")
    return _Read(Status(printed.status), printed.message, printed.values)


def _why(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return cleaned(str(error), 200)
    first: Any = error.errors(include_url=False, include_input=False)[0]
    return cleaned(f"{'.'.join(map(str, first['loc']))}: {first['msg']}", 200)


def _lines(text: str) -> _Read:
    read = _Read()
    for name, value in _pairs(text):
        if name == "message" or not (name or read.message):
            read.message = value
        elif name:
            number = _number(value)
            if number is None:
                read.wrong = read.wrong or f"{cleaned(f'{name}={value}', 80)!r}: accepted is NAME=NUMBER"
            else:
                read.values[name] = number
    return read


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of each line; the name is empty where there is none."""
    for line in filter(str.strip, text.splitlines()):
        name, equals, value = line.partition("=")
        is_pair = bool(equals) and not any(character.isspace() for character in name.strip())
        yield (name.strip(), value.strip()) if is_pair else ("", line.strip())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) and "_" not in text else None


KIND = ProberKind(
    name="script",
    summary="Runs an executable of your own, and takes the numbers that it prints.",
    category=Category.HEALTH,
    options=ScriptOptions,
    make=make,
    open_values=(
        "those that it prints. A name has lower-case letters, digits and `_`, and begins with a letter. One that "
        "ends in `_percent` is a number from 0 to 100. Taken are `duration`, `up`, `status` and a few words of "
        "the languages of rules"
    ),
    facts={
        **failure_fact(Failure.TIMEOUT, Failure.ANSWER),
        "exit_code": (FactType.NUMBER, "its exit code; absent when it was killed"),
    },
)
