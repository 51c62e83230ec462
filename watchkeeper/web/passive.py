"""Results of passive checks, as senders for Nagios and its kin have them: as JSON, or as lines of its command file.

https://assets.nagios.com/downloads/nagioscore/docs/nagioscore/4/en/passivechecks.html
"""

import re
from math import isfinite
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from watchkeeper.config.sources import Source
from watchkeeper.domain.report import MOST_TEXT, Measured, Report, ReportState, cleaned, key_of
from watchkeeper.web.payload import Payload, Unreadable, bounded_names, read_json_list

COMMAND: Final = "PROCESS_SERVICE_CHECK_RESULT"
HOST_COMMAND: Final = "PROCESS_HOST_CHECK_RESULT"
HOST_CHECK: Final = "host"
"""The check that results about hosts themselves are of."""
MOST_VALUES: Final = 20

_CODES: Final = ("ok", "warning", "critical", "unknown")
_LINE_HELP: Final = (
    f"accepted is [SECONDS] {COMMAND};HOST;SERVICE;CODE;OUTPUT or [SECONDS] {HOST_COMMAND};HOST;CODE;OUTPUT"
)
_HOST_LINE: Final = re.compile(rf"((?:\[\d{{1,12}}\]\s*)?){HOST_COMMAND};([^;]*);([0-2]);(.*)", re.ASCII | re.DOTALL)
_OF_HOST: Final = {"0": "0", "1": "2", "2": "2"}  # up, down, unreachable
_LINE: Final = re.compile(rf"(?:\[(\d{{1,12}})\]\s*)?{COMMAND};([^;]*);([^;]*);([0-3]);(.*)", re.ASCII | re.DOTALL)
# https://nagios-plugins.org/doc/guidelines.html#AEN200
_DATUM: Final = re.compile(r"(?:'((?:[^']|'')+)'|([^\s'=]+))=(-?[\d.]+(?:[eE][-+]?\d+)?)([a-zA-Z%]*)")
_UNITS: Final = {"s": 1, "ms": 1e-3, "us": 1e-6, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}


class Result(BaseModel):
    """A result. A docstring under a field is its help text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    host: Annotated[str, Field(min_length=1, max_length=200)]
    """What was checked."""
    service: Annotated[str, Field(min_length=1, max_length=200)]
    """The check's description, such as `HTTP`. Not a service of the catalogue."""
    code: Annotated[int, Field(ge=0, le=3)]
    """0 ok, 1 warning, 2 critical, 3 unknown."""
    output: Annotated[str, Field(max_length=20_000)] = ""
    """What the check says, and after a `|` its performance data."""
    at: Annotated[float | None, Field(ge=0, le=1e11)] = None
    """When it was checked, in seconds since the epoch. When it arrives if it is not set."""
    labels: dict[str, str] = Field(default_factory=dict)
    """More labels beside `host` and `check`."""


def read(source: Source, body: bytes, content_type: str, now_ms: int) -> Payload:
    """The results of a request: JSON where it says that it is, else lines.

    Raises:
        Unreadable: one of them is none.
    """
    results = read_json_list(Result, body) if "json" in content_type.lower() else _lines(body)
    return Payload([_report(source, result, now_ms) for result in results])


def _lines(body: bytes) -> list[Result]:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise Unreadable("this is not UTF-8 text") from None
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(_of_a_check(line.strip()))
        if match is None:
            hint = "; of JSON say so: Content-Type: application/json" if line.lstrip()[:1] == "{" else ""
            raise Unreadable(f"line {number}: {line[:60]!r} is no result: {_LINE_HELP}, with a CODE of 0 to 3{hint}")
        at, host, check, code, output = match.groups()
        if not (0 < len(host) <= 200 and 0 < len(check) <= 200):
            raise Unreadable(f"line {number}: HOST and SERVICE have 1 to 200 characters")
        at_s = None if at is None else float(at)
        output = output[:20_000].replace("\\n", "\n")
        found.append(Result(host=host, service=check, code=int(code), output=output, at=at_s))
    return found


def _of_a_check(line: str) -> str:
    """A line about a host as one about a check of it."""
    if (match := _HOST_LINE.fullmatch(line)) is None:
        return line
    at, host, code, output = match.groups()
    return f"{at}{COMMAND};{host};{HOST_CHECK};{_OF_HOST[code]};{output}"


def _report(source: Source, result: Result, now_ms: int) -> Report:
    name = _CODES[result.code]
    at_ms = now_ms if result.at is None else min(round(result.at * 1000), now_ms)
    message, _, data = result.output.partition("|")
    labels = {**result.labels, "host": result.host, "check": result.service}
    title = f"{cleaned(result.service, 100)} on {cleaned(result.host, 80)} is {name}"
    return Report(
        source=source.name,
        key=key_of(result.host, result.service),
        state=ReportState.OVER if result.code == 0 else ReportState.FIRING,
        at_ms=at_ms,
        rule=f"{cleaned(result.service)}/{name}",
        title=title,
        severity=source.severity_of(name),
        service=cleaned(labels.get(source.service_label, "")),
        began_ms=at_ms,
        labels=bounded_names(labels),
        message=cleaned(message, MOST_TEXT),
        condition=f"{cleaned(result.service)}: {name} ({result.code})",
        values=_values(data.partition("\n")[0]),
        expires_ms=None if source.expire_ms is None else now_ms + source.expire_ms,
    )


def _values(data: str) -> tuple[Measured, ...]:
    """Performance data, in base units. What is none is left out."""
    found: dict[str, float] = {}
    for quoted, plain, number, unit in _DATUM.findall(data):
        try:
            value = float(number) * _UNITS.get(unit, 1)
        except ValueError:
            continue
        if isfinite(value):
            found[cleaned((quoted or plain).replace("''", "'"), 60)] = value
    return tuple(Measured(name, number) for name, number in found.items())[:MOST_VALUES]
