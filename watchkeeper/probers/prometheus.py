"""Asks a Prometheus, or what speaks like one, a query.

https://prometheus.io/docs/prometheus/latest/querying/api/#instant-queries
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, field_validator

from watchkeeper.domain.probe import Category, Fact, FactType, Sample, Status
from watchkeeper.domain.report import cleaned
from watchkeeper.domain.rule import Clock
from watchkeeper.probers._asking import AskingProber
from watchkeeper.probers._http_options import Headers, HttpOptions, peer_of
from watchkeeper.probers._names import free_name, safe_name
from watchkeeper.probers.base import Failure, Finding, ProberKind, failed, failure_fact
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import HttpUrl, Verify

_PATH: Final = "/api/v1/query?query="
_ANSWERED: Final = (200, 400, 422, 503)  # statuses that come with a JSON text
_MOST: Final = "1MiB"
_LONGEST: Final = 300
_OWN: Final = frozenset(("value", "series", "lowest", "highest"))


class PrometheusOptions(Model):
    """A query."""

    url: HttpUrl
    """Where the server is, with the prefix of its paths if it has one."""
    query: Annotated[str, StringConstraints(min_length=1, max_length=6000)]
    """What is asked, in PromQL: an instant query, whose answer is a number or a number for each of some series."""
    label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")] | None = None
    """The label by which series are told apart: the value of each is named by what this label says."""
    max_series: int = Field(default=50, ge=1, le=500)
    """How many series there may be. More are a mistake of the query."""
    empty: Literal["up", "down", "unknown"] = "unknown"
    """What it is when there is no series, or none with a number."""
    unreachable: Literal["down", "unknown"] = "unknown"
    """What it is when the server does not answer as it should. It says nothing of what is asked about: watch the
    server by a probe of its own."""
    headers: Headers = Field(default_factory=dict)
    """Headers of the request. One that carries a credential names where the secret is kept."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""

    @field_validator("url")
    @classmethod
    def _leads_to_its_api(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.query or parts.fragment:
            raise ValueError("must say where the server is: accepted is a URL without ? and #")
        return url

    @cached_property
    def asked(self) -> HttpOptions:
        """The check of a URL that the query is asked by."""
        asked = {
            "url": self.url.rstrip("/") + _PATH + quote(self.query, safe="", errors="replace"),
            "headers": self.headers,
            "verify": self.verify,
            "follow_redirects": False,
            "max_size": _MOST,
            "expect": {"status": _ANSWERED, "body": {"contains": '"status"'}},
        }
        return HttpOptions.model_validate(asked)


class _Data(BaseModel):
    model_config = ConfigDict(strict=True)

    type: str = Field(alias="resultType")
    result: Any


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True)

    status: Literal["success", "error"]
    data: _Data | None = None
    error_type: str = Field(default="", alias="errorType")
    error: str = ""
    warnings: list[str] = Field(default_factory=list)


class _One(BaseModel):
    metric: dict[str, str]
    value: tuple[float, str]


_SERIES: Final = TypeAdapter(list[_One])
_SCALAR: Final = TypeAdapter(tuple[float, str])


@dataclass(frozen=True, slots=True)
class Series:
    """A series and its number, which may be none."""

    labels: Mapping[str, str]
    number: float

    def __str__(self) -> str:
        labels = ", ".join(f'{name}="{text}"' for name, text in self.labels.items() if name != "__name__")
        return self.labels.get("__name__", "") + (f"{{{labels}}}" if labels else "")


class PrometheusProber(AskingProber):
    """Queries."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock, _found)


def _found(options: PrometheusOptions, answer: Sample, body: bytes) -> Finding:
    """What an answer says."""
    peer = peer_of(options.url)
    if answer.status is not Status.UP:
        failure = Failure(str(answer.facts["failure"]))
        if "max_size" in answer.message:
            return failed(Failure.LOCAL, f"the query's answer is larger than {_MOST}: aggregate its series")
        message = f"{peer} {answer.message}" if failure in (Failure.STATUS, Failure.BODY) else answer.message
        return _not_told(options, failure, message)
    nonsense = f"{peer} answered something that is no answer of a Prometheus"
    try:
        read = _Answer.model_validate_json(body)
        if read.status == "error":
            return _refused(options, peer, read, int(answer.values["status_code"]))
        series = None if read.data is None else _series(read.data)
    except (ValidationError, ValueError):
        return _not_told(options, Failure.BODY, nonsense)
    if read.data is not None and series is None:
        kind = cleaned(read.data.type, 40)
        return failed(Failure.LOCAL, f"the query gives a {kind}: accepted is one that gives a scalar or a vector")
    if series is None:
        return _not_told(options, Failure.BODY, nonsense)
    return _judge(options, series, read.warnings)


def _series(data: _Data) -> list[Series] | None:
    """The series of an answer; `None` where it has another type.

    Raises:
        ValueError: it is not as its type says.
    """
    if data.type == "scalar":
        return [Series({}, float(_SCALAR.validate_python(data.result)[1]))]
    if data.type == "vector":
        return [Series(one.metric, float(one.value[1])) for one in _SERIES.validate_python(data.result)]
    return None


def _not_told(options: PrometheusOptions, failure: Failure, message: str) -> Finding:
    """What a server that does not tell is."""
    return failed(failure if options.unreachable == "down" else Failure.LOCAL, message)


def _refused(options: PrometheusOptions, peer: str, answer: _Answer, status: int) -> Finding:
    why = cleaned(answer.error or answer.error_type or "no reason given", _LONGEST).rstrip(". ")
    if status in (400, 422):  # it can not be asked so, now and tomorrow
        return failed(Failure.LOCAL, f"{peer} refuses the query: {why}")
    return _not_told(options, Failure.ANSWER, f"{peer} could not answer: {why}")


def _judge(options: PrometheusOptions, series: Sequence[Series], warnings: Sequence[str]) -> Finding:
    facts: dict[str, Fact] = {"warnings": cleaned("; ".join(warnings), _LONGEST)} if warnings else {}
    values: dict[str, float] = {"series": float(len(series))}
    if len(series) > options.max_series:
        said = f"the query gives {len(series)} series, and max_series is {options.max_series}: aggregate them"
        return failed(Failure.LOCAL, said, values, facts)
    told = [one for one in series if isfinite(one.number)]
    if not told:
        said = "no series" if not series else "no series with a number"
        status = Status(options.empty)
        if status is Status.UP:
            return Finding(status, f"the query gives {said}", values, facts)
        failure = Failure.ANSWER if status is Status.DOWN else Failure.LOCAL
        return failed(failure, f"the query gives {said}", values, facts)
    lowest, highest = min(told, key=_number), max(told, key=_number)
    values |= {"lowest": lowest.number, "highest": highest.number}
    facts |= {"lowest": cleaned(str(lowest), _LONGEST), "highest": cleaned(str(highest), _LONGEST)}
    if len(series) == 1:
        values["value"] = told[0].number
    if options.label is not None:
        values |= _by_label(told, options.label)
    return Finding(Status.UP, _words(told), values, facts)


def _number(series: Series) -> float:
    return series.number


def _by_label(series: Sequence[Series], label: str) -> dict[str, float]:
    """Each number by what the label says. The order of series does not decide on the names of those alike."""
    values: dict[str, float] = {}
    taken = set(_OWN)
    for one in sorted(series, key=lambda one: (one.labels.get(label, ""), sorted(one.labels.items()))):
        name = free_name(safe_name(one.labels.get(label, "")), taken)
        taken.add(name)
        values[name] = one.number
    return values


def _words(series: Sequence[Series]) -> str:
    if len(series) == 1:
        of = str(series[0])
        return cleaned(f"{of} is {series[0].number:g}" if of else f"it is {series[0].number:g}", _LONGEST)
    lowest, highest = min(series, key=_number), max(series, key=_number)
    said = f"{len(series)} series from {lowest.number:g} to {highest.number:g}, the highest is {highest}"
    return cleaned(said, _LONGEST)


KIND = ProberKind(
    name="prometheus",
    summary="Asks a Prometheus a query, and takes what it says of each series.",
    category=Category.HEALTH,
    options=PrometheusOptions,
    make=PrometheusProber,
    host=lambda options: urlsplit(options.url).hostname or "",
    values={
        "value": "the number, where the query gives just one",
        "series": "how many series the query gives",
        "lowest": "the lowest number of all series; absent when there is none",
        "highest": "the highest number of all series; absent when there is none",
    },
    open_values=(
        "with `label`, one for each series, named by what this label says in lower case, with `_` for everything but "
        "letters and digits (`db-1:9100` is `db_1_9100`). It is absent while there is no such series, or its number "
        "is none (`NaN`) or infinite"
    ),
    facts={
        **failure_fact(
            Failure.RESOLVE,
            Failure.CONNECT,
            Failure.TLS,
            Failure.TIMEOUT,
            Failure.PROTOCOL,
            Failure.STATUS,
            Failure.BODY,
            Failure.ANSWER,
        ),
        "lowest": (FactType.TEXT, "the series with the lowest number"),
        "highest": (FactType.TEXT, "the series with the highest number"),
        "warnings": (FactType.TEXT, "what the server warned of; absent when it did not"),
    },
)
