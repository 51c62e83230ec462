"""Reads numbers from a page of metrics, such as node_exporter's. Many probes share one fetch of it."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import isfinite
from statistics import fmean
from time import monotonic
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema, model_validator

from watchkeeper.domain.probe import Category, Every, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._http_options import Headers, HttpOptions, ascii_url, peer_of
from watchkeeper.probers._names import free_name, safe_name, why_no_value
from watchkeeper.probers._selector import Labels, Metrics, Selector, parse_metrics, parse_selector
from watchkeeper.probers._threads import Threads
from watchkeeper.probers.base import (
    Failure,
    Finding,
    ProberKind,
    Runs,
    Stopping,
    failed,
    failure_fact,
    sample,
)
from watchkeeper.probers.http import HttpProber
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import HttpUrl, PositiveDurationMs, SizeBytes, Verify

MOST_SERIES: Final = 100_000
MOST_OF_A_VALUE: Final = 100
_PARSERS: Final = 2  # threads
_USUAL_AGE_MS: Final = 30_000
_KEPT_S: Final = 3600.0  # a page that nobody asks for any more
_MOST_RATES: Final = 20_000  # probes whose counters are remembered
_OWN: Final = ("series", "age_seconds")
_COMBINE: Final[Mapping[str, Callable[[Sequence[float]], float]]] = {
    "sum": sum, "min": min, "max": max, "mean": fmean, "count": len,
}  # fmt: skip


def _value_name(name: str) -> str:
    if (why := why_no_value(name, 0.0)) is not None:
        raise ValueError(why)
    if name in _OWN or name.endswith("_percent"):
        raise ValueError(f"{name!r} is taken: choose another name" if name in _OWN else f"{name!r}: end it in _pct")
    return name


class Chosen(Model):
    """A number of the page."""

    metric: Annotated[Selector, BeforeValidator(parse_selector), WithJsonSchema({"type": "string"})]
    """The metric, and what its labels must be like, as in PromQL: `node_filesystem_avail_bytes{mountpoint="/"}`."""
    rate: bool = False
    """Whether it is a counter whose growth per second is wanted. The first run has none. A fall counts as a reset."""
    combine: Literal["sum", "min", "max", "mean", "count"] | None = None
    """What is made of several series: one number."""
    label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")] | None = None
    """The label by which several series are told apart: each is a value of its own, up to 100."""

    @model_validator(mode="after")
    def _is_one_or_many(self) -> "Chosen":
        if self.combine is not None and self.label is not None:
            raise ValueError("combine makes one number of several series, label one of each: accepted is one of both")
        return self


class MetricsOptions(Model):
    """A look at a page of metrics."""

    url: HttpUrl
    """The page, such as `http://db-1:9100/metrics`."""
    values: dict[Annotated[str, AfterValidator(_value_name)], Chosen] = Field(min_length=1, max_length=100)
    """What is taken from it, by the name that the value shall have."""
    max_age: PositiveDurationMs | None = None
    """How old what is known of the page may be. Probes with one URL share what one of them fetched. Half the interval
    of the probe when not set, 30 seconds with cron."""
    headers: Headers = Field(default_factory=dict)
    """Headers of the request. One that carries a credential names where the secret is kept."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""
    max_size: SizeBytes = Field(default=4 * 1024 * 1024, gt=0, le=64 * 1024 * 1024)
    """How large the page may be."""

    @cached_property
    def asked(self) -> HttpOptions:
        """The check of a URL that it is fetched by."""
        asked = {"url": self.url, "headers": self.headers, "verify": self.verify}
        expect = {"status": [200], "body": {"contains": "\n"}}
        return HttpOptions.model_validate({**asked, "max_size": f"{self.max_size}B", "expect": expect})

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What two probes must agree in to share a page."""
        return ascii_url(self.url), tuple(sorted(self.headers.items(), key=repr)), self.verify, self.max_size


@dataclass(frozen=True, slots=True)
class _Page:
    """What a fetch gave. `at_s` is when, of the monotonic clock. `failure`: why there is nothing."""

    at_s: float
    metrics: Metrics
    series: int = 0
    failure: Finding | None = None


@dataclass(frozen=True, slots=True)
class _Counted:
    """The counters of a probe in the page before, and what they grew by per second."""

    at_s: float
    counters: Mapping[str, Mapping[Labels, float]]
    rates: Mapping[str, Mapping[Labels, float]]


class MetricsProber:
    """Looks at pages of metrics."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._http = HttpProber(clock)
        self._threads = Threads("metrics", _PARSERS)
        self._runs = Runs()
        self._pages: dict[Any, _Page] = {}
        self._fetches: dict[Any, asyncio.Task[_Page]] = {}
        self._counted: OrderedDict[str, _Counted] = OrderedDict()

    async def run(self, probe: Probe) -> Sample:
        """Looks once, at what another probe has fetched if it is recent."""
        began = monotonic()
        try:
            async with self._runs.within(probe.timeout_ms):
                finding = self._judge(probe, await self._page(probe))
        except Stopping as stopping:
            finding = failed(Failure.LOCAL, str(stopping))
        except TimeoutError:
            peer, within = peer_of(probe.options.url), format_duration_ms(probe.timeout_ms)
            finding = failed(Failure.TIMEOUT, f"no answer from {peer} within {within}")
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._threads.close()
        await self._http.close()

    async def _page(self, probe: Probe) -> _Page:
        options: MetricsOptions = probe.options
        page = self._pages.get(options.key)
        if page is not None and (monotonic() - page.at_s) * 1000 < _max_age_ms(probe):
            return page
        fetch = self._fetches.get(options.key)
        if fetch is None:
            fetch = self._fetches[options.key] = asyncio.create_task(self._fetch(probe))
        return await asyncio.shield(fetch)  # others may wait for it, too

    async def _fetch(self, probe: Probe) -> _Page:
        """Fetches the page, and keeps it."""
        options: MetricsOptions = probe.options
        try:
            page = await self._fetched(probe)
            now_s = monotonic()
            self._pages = {key: one for key, one in self._pages.items() if now_s - one.at_s < _KEPT_S}
            self._pages[options.key] = page
            return page
        finally:
            del self._fetches[options.key]

    async def _fetched(self, probe: Probe) -> _Page:
        options: MetricsOptions = probe.options
        body: list[bytes] = []
        answer = await self._http.run(replace(probe, options=options.asked), body)
        at_s, peer = monotonic(), peer_of(options.url)
        if answer.status is not Status.UP:
            failure = answer.facts["failure"]
            message = f"{peer} {answer.message}" if failure in (Failure.STATUS, Failure.BODY) else answer.message
            return _Page(at_s, {}, failure=Finding(answer.status, message, facts=answer.facts))
        try:
            call = self._threads.submit(partial(_parse, body))
            metrics = await asyncio.wrap_future(call)
        except (ValueError, asyncio.CancelledError, OSError) as error:
            why = " ".join(str(error).split())[:100]
            message = f"{peer} answered something that is no page of metrics" + (f": {why}" if why else "")
            return _Page(at_s, {}, failure=failed(Failure.BODY, message))
        return _Page(at_s, metrics, sum(map(len, metrics.values())))

    def _judge(self, probe: Probe, page: _Page) -> Finding:
        """What the probe finds in a page."""
        if page.failure is not None:
            return page.failure
        options: MetricsOptions = probe.options
        values: dict[str, float] = {"series": page.series, "age_seconds": max(monotonic() - page.at_s, 0.0)}
        chosen = {name: one.metric.choose(page.metrics) for name, one in options.values.items()}
        rates = self._rates(probe, page, chosen)
        wrong: Finding | None = None
        for name, one in options.values.items():
            numbers = rates.get(name, {}) if one.rate else chosen[name]
            told = {labels: number for labels, number in numbers.items() if isfinite(number)}
            if not chosen[name]:
                wrong = wrong or failed(Failure.ANSWER, f"there is no {one.metric.written} on the page")
            elif (why := _too_many(one, told)) is not None:
                wrong = failed(Failure.LOCAL, f"{name}: {why}")
            else:
                values |= _named(name, one, told, values)
        if wrong is not None:
            return replace(wrong, values=values)
        count = len(values) - len(_OWN)
        said = "1 value" if count == 1 else f"{count} values"
        return Finding(Status.UP, f"{said} of {page.series} series of {peer_of(options.url)}", values)

    def _rates(
        self, probe: Probe, page: _Page, chosen: Mapping[str, Mapping[Labels, float]]
    ) -> Mapping[str, Mapping[Labels, float]]:
        """By how much per second the probe's counters grew since the page that it saw before."""
        counters = {name: chosen[name] for name, one in probe.options.values.items() if one.rate}
        if not counters:
            return {}
        before = self._counted.pop(probe.id, None)
        rates: Mapping[str, Mapping[Labels, float]] = {}
        if before is not None and before.at_s == page.at_s:
            rates = before.rates
        elif before is not None:
            seconds = page.at_s - before.at_s
            rates = {name: _growth(now, before.counters.get(name, {}), seconds) for name, now in counters.items()}
        self._counted[probe.id] = _Counted(page.at_s, counters, rates)
        if len(self._counted) > _MOST_RATES:
            self._counted.popitem(last=False)
        return rates


def _parse(body: list[bytes]) -> Metrics:
    return parse_metrics(b"".join(body).decode("utf-8", "replace").splitlines(), MOST_SERIES)


def _max_age_ms(probe: Probe) -> int:
    if probe.options.max_age is not None:
        return int(probe.options.max_age)
    return probe.schedule.interval_ms // 2 if isinstance(probe.schedule, Every) else _USUAL_AGE_MS


def _growth(now: Mapping[Labels, float], before: Mapping[Labels, float], seconds: float) -> dict[Labels, float]:
    """Growth per second of the counters that are in both. One that fell began anew, at zero."""
    grown = {labels: (number, before[labels]) for labels, number in now.items() if labels in before}
    return {labels: (new - old if new >= old else new) / seconds for labels, (new, old) in grown.items()}


def _too_many(one: Chosen, told: Mapping[Labels, float]) -> str | None:
    if one.label is not None and len(told) > MOST_OF_A_VALUE:
        return f"{one.metric.written} has {len(told)} series: accepted are up to {MOST_OF_A_VALUE}"
    if one.label is None and one.combine is None and len(told) > 1:
        return f"{one.metric.written} has {len(told)} series: choose one by its labels, or set combine or label"
    return None


def _named(name: str, one: Chosen, told: Mapping[Labels, float], taken: Mapping[str, float]) -> dict[str, float]:
    """The values that a choice gives."""
    if one.label is None:
        combine = _COMBINE[one.combine or "sum"]
        return {name: float(combine(list(told.values())))} if told else {}
    found: dict[str, float] = {}
    for labels, number in sorted(told.items()):
        wanted = f"{name}_{safe_name(dict(labels).get(one.label, ''))}"
        found[free_name(wanted, {**taken, **found})] = number
    return found


KIND = ProberKind(
    name="metrics",
    summary="Reads numbers from a page of metrics, such as node_exporter's.",
    category=Category.CAPACITY,
    options=MetricsOptions,
    make=MetricsProber,
    host=lambda options: urlsplit(options.url).hostname or "",
    values={
        "series": "how many series the page has",
        "age_seconds": "how long ago it was fetched; 0 for the probe that fetches it",
    },
    open_values=(
        "those of `values`. With `label`, each series is one: the name, `_`, and what the label says, in lower case "
        "and with `_` for everything but letters and digits (`read_sda`). One is absent while its number is none; a "
        "rate is at the first run, too"
    ),
    facts=failure_fact(
        Failure.RESOLVE,
        Failure.CONNECT,
        Failure.TLS,
        Failure.TIMEOUT,
        Failure.PROTOCOL,
        Failure.REDIRECT,
        Failure.STATUS,
        Failure.BODY,
        Failure.ANSWER,
    ),
)
