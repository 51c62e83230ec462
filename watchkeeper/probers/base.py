"""What a prober is, and what it is made of.

A prober type is one module of this package, named as it is named in YAML. It has a `KIND`, which says what it
takes (its options model), what its samples hold, and how to make it.
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol

from watchkeeper.domain.probe import NOTHING, Category, Fact, FactType, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._threads import Threads
from watchkeeper.schema.base import Model


class Prober(Protocol):
    """Performs probes of one type. Raises nothing: a failure is a sample."""

    async def run(self, probe: Probe) -> Sample:
        """Performs the probe once, within its timeout."""

    async def close(self) -> None:
        """Lets go of what the prober holds: sockets, threads. Runs still under way end as unknown."""


@dataclass(frozen=True, slots=True)
class ProberKind:
    """What there is to know of a prober type before it is made.

    `values`: each number that a sample may hold, with its meaning and unit. `open_values`: what others there are,
    where only the target knows their names; empty where there are none. `facts`: as `values`, for everything else.
    `host`: whom a run with these options talks to, empty where that is nobody.
    """

    name: str
    summary: str
    category: Category
    options: type[Model]
    make: Callable[[Clock], Prober]
    values: Mapping[str, str] = field(default_factory=dict)
    open_values: str = ""
    facts: Mapping[str, tuple[FactType, str]] = field(default_factory=dict)
    host: Callable[[Any], str] = lambda _: ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one run found, before it is timed."""

    status: Status
    message: str
    values: Mapping[str, float] = field(default_factory=lambda: NOTHING)
    facts: Mapping[str, Fact] = field(default_factory=lambda: NOTHING)


class Failure(StrEnum):
    """What went wrong, as the fact `failure` of every sample of a network prober that is not up."""

    LOCAL = "local"  # watchkeeper's own fault: the only one whose status is unknown
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    REDIRECT = "redirect"
    STATUS = "status"
    BODY = "body"
    ANSWER = "answer"
    SLOW = "slow"


def failure_fact(*classes: Failure) -> dict[str, tuple[FactType, str]]:
    """The declaration of the fact `failure` of a prober that knows these classes."""
    return {"failure": (FactType.TEXT, f"what went wrong, unless up: one of {', '.join((*classes, Failure.LOCAL))}")}


def failed(
    failure: Failure,
    message: str,
    values: Mapping[str, float] | None = None,
    facts: Mapping[str, Fact] | None = None,
) -> Finding:
    """What a run found that failed: down, or unknown when the fault is watchkeeper's own."""
    status = Status.UNKNOWN if failure is Failure.LOCAL else Status.DOWN
    return Finding(status, message, values or NOTHING, {**(facts or {}), "failure": failure.value})


OWN_ERRORS: Final = frozenset(
    (
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.EADDRNOTAVAIL,  # no local port is left, or no address of this family
        errno.EAFNOSUPPORT,
        errno.ENETDOWN,
        errno.ENETUNREACH,  # no route: a network of its own is missing; a host that is gone is EHOSTUNREACH
        errno.EACCES,  # the firewall of this machine
        errno.EPERM,
    )
)
"""Errors of a socket that say nothing about its peer."""


def not_connected(error: int, peer: str) -> Finding:
    """What a run found whose connection to `peer` failed with this errno."""
    if error == errno.ECONNREFUSED:
        return failed(Failure.CONNECT, f"connection refused by {peer}")
    if error in OWN_ERRORS:
        return failed(Failure.LOCAL, f"could not try to connect to {peer}: {os.strerror(error)}")
    reason = os.strerror(error) if error else "no reason given"
    return failed(Failure.CONNECT, f"no connection to {peer}: {reason}")


def sample(probe: Probe, finding: Finding, *, at_ms: int, duration_s: float) -> Sample:
    """The sample of a finding."""
    return Sample(probe.id, at_ms, finding.status, duration_s, finding.values, finding.facts, finding.message)


class Stopping(Exception):
    """The prober is closed."""

    def __str__(self) -> str:
        return "watchkeeper is stopping"


class Runs:
    """The runs of a prober that are under way: each is held to its time, and `close` ends them all."""

    def __init__(self) -> None:
        self._timers: set[asyncio.Timeout] = set()
        self._closed = False

    @asynccontextmanager
    async def within(self, timeout_ms: int) -> AsyncIterator[None]:
        """Ends what is done inside when its time is over.

        Raises:
            TimeoutError: the time is over.
            Stopping: the prober is closed.
        """
        if self._closed:
            raise Stopping
        try:
            async with asyncio.timeout(timeout_ms / 1000) as timer:
                self._timers.add(timer)
                try:
                    yield
                finally:
                    self._timers.discard(timer)
        except TimeoutError:
            if self._closed:
                raise Stopping from None
            raise

    def close(self) -> None:
        self._closed = True
        for timer in self._timers:
            if not timer.expired():
                timer.reschedule(0)  # a time that is over: the run ends as soon as the loop gets to it


class BlockingProber:
    """A prober of calls that block: they run in a few threads of its own, so that one that hangs starves no other.

    Args:
        measure: does the work. An `OSError` that it raises means that watchkeeper could not tell.
        threads: how many runs may be under way at once.
    """

    def __init__(self, clock: Clock, measure: Callable[[Probe], Finding], threads: int = 4) -> None:
        self._clock = clock
        self._measure = measure
        self._threads = Threads(measure.__module__.rpartition(".")[2], threads)
        self._runs = Runs()
        self._calls: dict[str, tuple[Any, Future[Finding]]] = {}  # by probe: its options, and the call

    async def run(self, probe: Probe) -> Sample:
        """Performs the probe in a thread. One that is not done in time is unknown: the fault is ours to explain."""
        began = monotonic()
        try:
            finding = await self._find(probe)
        except Stopping as stopping:
            finding = Finding(Status.UNKNOWN, str(stopping))
        except OSError as error:
            finding = Finding(Status.UNKNOWN, f"could not look{_at(error)}: {error.strerror or error}")
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._threads.close()

    async def _find(self, probe: Probe) -> Finding:
        options, earlier = self._calls.get(probe.id, (None, None))
        if earlier is not None and not earlier.done() and options == probe.options:
            # Or a probe of something that hangs would take one thread after the other.
            return Finding(Status.UNKNOWN, "an earlier run still waits for an answer")
        call: Future[Finding] | None = None
        try:
            async with self._runs.within(probe.timeout_ms):
                call = self._threads.submit(partial(self._measure, probe))
                self._calls[probe.id] = probe.options, call
                return await asyncio.wrap_future(call)
        except TimeoutError:
            waited = format_duration_ms(probe.timeout_ms)
            if call is not None and call.cancelled():
                return Finding(Status.UNKNOWN, f"could not begin within {waited}: runs of other probes hang")
            return Finding(Status.UNKNOWN, f"gave no answer within {waited}")
        finally:
            if call is not None and call.done():
                self._calls.pop(probe.id, None)


def _at(error: OSError) -> str:
    return f" at {error.filename}" if isinstance(error.filename, str) else ""
