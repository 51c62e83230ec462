"""Connects to a port, and hangs up."""

import asyncio
import socket
from time import monotonic
from typing import Final

from watchkeeper.domain.probe import Category, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._resolver import KEEP_S, Endpoint, NotResolved, Resolver, is_ip
from watchkeeper.probers.base import (
    OWN_ERRORS,
    Failure,
    Finding,
    ProberKind,
    Runs,
    Stopping,
    failed,
    failure_fact,
    not_connected,
    sample,
)
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import HostPort

_HEAD_START_S: Final = 0.25  # before the next address is tried as well: RFC 8305, 5


class TcpOptions(Model):
    """A check of a TCP port."""

    address: HostPort
    """What is connected to. Of a name with several addresses, one that answers is enough."""


class TcpProber:
    """Connections to ports, all of them on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(KEEP_S)
        self._runs = Runs()

    async def run(self, probe: Probe) -> Sample:
        """Connects once, and closes the connection."""
        began = monotonic()
        values: dict[str, float] = {}
        try:
            async with self._runs.within(probe.timeout_ms):
                finding = await self._connect(probe.options, values)
        except TimeoutError:
            finding = self._late(probe, values)
        except Stopping as stopping:
            finding = failed(Failure.LOCAL, str(stopping))
        if finding.status is not Status.UP:
            self._resolver.forget(probe.options.address.host, probe.options.address.port)
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._resolver.close()

    async def _connect(self, options: TcpOptions, values: dict[str, float]) -> Finding:
        peer, began = options.address, monotonic()
        try:
            endpoints = await self._resolver.endpoints(peer.host, peer.port)
        except NotResolved as error:
            return failed(error.failure, f"cannot resolve the name of {peer}: {error}")
        resolved = monotonic()
        if not is_ip(peer.host):
            values["resolve_seconds"] = resolved - began
        if (errors := await _connect_to_any(endpoints)) is not None:
            # What an address of a family that this machine does not have says, matters only if no other says more.
            telling = next((number for number in errors if number not in OWN_ERRORS), errors[0])
            finding = not_connected(telling, str(peer))
            return Finding(finding.status, finding.message, values, finding.facts)
        values["connect_seconds"] = monotonic() - resolved
        return Finding(Status.UP, f"connected to {peer} in {values['connect_seconds']:.3f} s", values)

    def _late(self, probe: Probe, values: dict[str, float]) -> Finding:
        """What was waited for when the time was over."""
        peer, within = probe.options.address, f"within {format_duration_ms(probe.timeout_ms)}"
        if is_ip(peer.host) or "resolve_seconds" in values:
            return failed(Failure.TIMEOUT, f"no connection to {peer} {within}", values)
        if self._resolver.exhausted:
            return failed(Failure.LOCAL, f"could not resolve the name of {peer} {within}: too many names hang")
        return failed(Failure.TIMEOUT, f"the name of {peer} was not resolved {within}")


async def _connect_to_any(endpoints: list[Endpoint]) -> list[int] | None:
    """Connects to the first endpoint that answers. A slow one gets a head start, then the next is tried beside it.

    Returns:
        `None` when there was a connection, or else why there was none, as the errno of each endpoint.
    """
    if len(endpoints) == 1:
        error = await _connect_to(endpoints[0])
        return None if error is None else [error]
    errors: list[int] = []
    waiting = list(endpoints)
    trying: set[asyncio.Task[int | None]] = set()
    try:
        while waiting or trying:
            if waiting:
                trying.add(asyncio.create_task(_connect_to(waiting.pop(0))))
            done, trying = await asyncio.wait(
                trying, timeout=_HEAD_START_S if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for error in (task.result() for task in done):
                if error is None:
                    return None
                errors.append(error)
    finally:
        for task in trying:
            task.cancel()
        await asyncio.gather(*trying, return_exceptions=True)
    return errors


async def _connect_to(endpoint: Endpoint) -> int | None:
    """The errno of a connection that failed."""
    try:
        with socket.socket(endpoint.family, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, endpoint.address)
    except OSError as error:  # also one of the kernel's own timeouts, which is no TimeoutError of ours
        return error.errno or 0
    return None


KIND = ProberKind(
    name="tcp",
    summary="Connects to a TCP port.",
    category=Category.HEALTH,
    options=TcpOptions,
    make=TcpProber,
    host=lambda options: options.address.host,
    values={
        "resolve_seconds": "seconds to resolve the name; absent for an IP address",
        "connect_seconds": "seconds to connect, after the name was resolved",
    },
    facts=failure_fact(Failure.RESOLVE, Failure.CONNECT, Failure.TIMEOUT),
)
