"""Pings a host."""

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean
from time import monotonic
from typing import Final, Literal

from pydantic import Field

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._echo import (
    MOST,
    TOKEN,
    NotAllowed,
    Pinger,
    drain_errors,
    echo_reply,
    echo_request,
    open_pinger,
)
from watchkeeper.probers._resolver import KEEP_S, NotResolved, Resolver, is_ip
from watchkeeper.probers.base import (
    OWN_ERRORS,
    Failure,
    Finding,
    ProberKind,
    Runs,
    Stopping,
    failed,
    failure_fact,
    sample,
)
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import PositiveDurationMs

_FAMILIES: Final = {None: socket.AF_UNSPEC, "ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}


class IcmpOptions(Model):
    """Some pings of a host."""

    host: str = Field(min_length=1, max_length=253)
    """A name or an IP address. Of a name with several addresses the first is pinged that there is a route to."""
    family: Literal["ipv4", "ipv6"] | None = None
    """Which addresses of a name count. All, when not set."""
    count: int = Field(default=3, ge=1, le=100)
    """How many requests are sent."""
    interval: PositiveDurationMs = 200
    """The time from one request to the next."""
    within: PositiveDurationMs = 1000
    """How long after its request a reply may come. One that comes later is lost."""
    size: int = Field(default=56, ge=TOKEN, le=8192)
    """Bytes of data in each request."""


@dataclass(slots=True)
class _Look:
    """How far a run has come. `sent`: seconds of a monotonic clock, by number; `rtts`: seconds until the reply.
    `error`: what a router, or this machine, said about a request."""

    probe: Probe
    resolved: bool = False
    address: str = ""
    sent: dict[int, float] = field(default_factory=dict)
    rtts: dict[int, float] = field(default_factory=dict)
    error: int = 0
    values: dict[str, float] = field(default_factory=dict)

    @property
    def options(self) -> IcmpOptions:
        options: IcmpOptions = self.probe.options
        return options

    @property
    def complete(self) -> bool:
        return len(self.rtts) == self.options.count


class IcmpProber:
    """Pings, all of them on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(KEEP_S)
        self._runs = Runs()

    async def run(self, probe: Probe) -> Sample:
        """Sends the requests, and waits until each is answered or lost."""
        began = monotonic()
        look = _Look(probe)
        try:
            async with self._runs.within(probe.timeout_ms):
                await self._look(look)
                finding = _judge(look, format_duration_ms(probe.options.within))
        except TimeoutError:
            finding = self._late(look)
        except Stopping as stopping:
            finding = failed(Failure.LOCAL, str(stopping))
        except NotResolved as error:
            finding = failed(error.failure, f"cannot resolve the name {probe.options.host}: {error}")
        except NotAllowed:
            finding = failed(Failure.LOCAL, _what_to_grant(probe.options.host))
        except OSError as error:
            finding = _no_way(look, error.errno or 0)
        if finding.status is not Status.UP:
            self._resolver.forget(probe.options.host, 0)
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._resolver.close()

    async def _look(self, look: _Look) -> None:
        """Fills in what is found.

        Raises:
            NotResolved, NotAllowed: nothing was sent.
            OSError: there is no way to the host.
        """
        options, began = look.options, monotonic()
        pinger = await self._pinger(look, began)
        token = os.urandom(TOKEN)
        with pinger.socket:
            hearing = asyncio.create_task(_hear(look, pinger, token))
            try:
                await _send(look, pinger, token, hearing)
                last = look.sent.get(options.count - 1, monotonic())
                await asyncio.wait([hearing], timeout=max(0.0, last + options.within / 1000 - monotonic()))
            finally:
                hearing.cancel()
                await asyncio.wait([hearing])
        if not hearing.cancelled() and (error := hearing.exception()) is not None:
            raise error

    async def _pinger(self, look: _Look, began: float) -> Pinger:
        """A socket for the first address that there is a way to."""
        options = look.options
        endpoints = await self._resolver.endpoints(
            options.host, 0, family=_FAMILIES[options.family], kind=socket.SOCK_DGRAM
        )
        look.resolved = True
        if not is_ip(options.host):
            look.values["resolve_seconds"] = monotonic() - began
        errors: list[OSError] = []
        for endpoint in endpoints:
            look.address = endpoint.ip
            try:
                return open_pinger(endpoint)
            except OSError as error:
                errors.append(error)
        raise next((error for error in errors if error.errno not in OWN_ERRORS), errors[0])

    def _late(self, look: _Look) -> Finding:
        """What was waited for when the time was over."""
        host, within = look.options.host, format_duration_ms(look.probe.timeout_ms)
        if look.resolved:
            return _judge(look, within)
        if self._resolver.exhausted:
            return failed(Failure.LOCAL, f"could not resolve the name {host} within {within}: too many names hang")
        return failed(Failure.TIMEOUT, f"the name {host} was not resolved within {within}")


async def _send(look: _Look, pinger: Pinger, token: bytes, hearing: "asyncio.Task[None]") -> None:
    """Sends the requests, one each interval.

    Raises:
        OSError: this machine does not send them.
    """
    options, began = look.options, monotonic()
    for number in range(options.count):
        if number:
            await asyncio.wait([hearing], timeout=max(0.0, began + number * options.interval / 1000 - monotonic()))
        look.sent[number] = monotonic()
        _send_one(look, pinger, echo_request(pinger, number, token, options.size))


def _send_one(look: _Look, pinger: Pinger, packet: bytes) -> None:
    # Sending shows what was said of an earlier request first, and then has sent nothing.
    for _ in range(2):
        try:
            pinger.socket.send(packet)
        except BlockingIOError:
            return  # the queue of the interface is full: it is lost
        except OSError as error:
            look.error = error.errno or 0
            drain_errors(pinger)
        else:
            return
    if look.error in OWN_ERRORS:
        raise OSError(look.error, os.strerror(look.error))


async def _hear(look: _Look, pinger: Pinger, token: bytes) -> None:
    """Takes replies until all are there. One that comes again, too late, or is somebody else's does not count."""
    loop, latest = asyncio.get_running_loop(), look.options.within / 1000
    while not look.complete:
        try:
            packet = await loop.sock_recv(pinger.socket, MOST)
        except OSError as error:
            look.error = error.errno or 0
            drain_errors(pinger)
            await asyncio.sleep(0)
            continue
        now = monotonic()
        number = echo_reply(pinger, packet, token)
        if number in look.sent and number not in look.rtts and now - look.sent[number] <= latest:
            look.rtts[number] = now - look.sent[number]


def _judge(look: _Look, within: str) -> Finding:
    """What came back. `within`: how long it was waited for."""
    host, sent, came = look.options.host, len(look.sent), len(look.rtts)
    whom = host if look.address == host else f"{host} ({look.address})"
    facts: dict[str, Fact] = {"address": look.address}
    if not sent:
        return failed(Failure.LOCAL, f"sent nothing to {whom} within {within}", look.values, facts)
    values = {**look.values, "sent": sent, "loss_percent": 100 * (sent - came) / sent}
    if not came:
        if look.error:
            return _no_way(look, look.error, values)
        return failed(Failure.TIMEOUT, f"no reply from {whom} within {within}, to {_pings(sent)}", values, facts)
    values |= _times([look.rtts[number] for number in sorted(look.rtts)])
    lost = f", {sent - came} of {sent} lost" if came < sent else ""
    return Finding(Status.UP, f"{whom} replies in {values['rtt_seconds'] * 1000:.3g} ms{lost}", values, facts)


def _times(rtts: Sequence[float]) -> dict[str, float]:
    values = {"rtt_seconds": fmean(rtts), "rtt_min_seconds": min(rtts), "rtt_max_seconds": max(rtts)}
    if len(rtts) > 1:
        values["jitter_seconds"] = fmean(abs(later - one) for one, later in pairwise(rtts))
    return values


def _no_way(look: _Look, error: int, values: dict[str, float] | None = None) -> Finding:
    """What an error says that is all that there was."""
    host, facts = look.options.host, {"address": look.address} if look.address else {}
    if error in OWN_ERRORS and not values:
        return failed(Failure.LOCAL, f"could not ping {host}: {os.strerror(error)}", look.values, facts)
    return failed(Failure.CONNECT, f"no way to {host}: {os.strerror(error)}", values or look.values, facts)


def _what_to_grant(host: str) -> str:
    group = os.getegid()
    setting = f"sysctl -w net.ipv4.ping_group_range='{group} {group}'"
    return f"may not ping {host}: let its group do it ({setting}), or grant it CAP_NET_RAW"


def _pings(count: int) -> str:
    return "1 request" if count == 1 else f"{count} requests"


KIND = ProberKind(
    name="icmp",
    summary="Pings a host.",
    category=Category.HEALTH,
    options=IcmpOptions,
    make=IcmpProber,
    host=lambda options: options.host,
    values={
        "resolve_seconds": "seconds to resolve the name; absent for an IP address",
        "sent": "how many requests were sent",
        "loss_percent": "how many of them had no reply, in percent",
        "rtt_seconds": "seconds from request to reply, mean; absent, as the others, when there was none",
        "rtt_min_seconds": "the same, of the fastest reply",
        "rtt_max_seconds": "the same, of the slowest reply",
        "jitter_seconds": "how much that differs from one reply to the next, mean; absent with one reply",
    },
    facts={
        **failure_fact(Failure.RESOLVE, Failure.CONNECT, Failure.TIMEOUT),
        "address": (FactType.TEXT, "the IP address that was pinged; absent when there was none"),
    },
)
