"""Connects to a port, and hangs up."""

from time import monotonic

from watchkeeper.domain.probe import Category, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._connect import NotConnected, connect
from watchkeeper.probers._resolver import KEEP_S, NotResolved, Resolver, is_ip
from watchkeeper.probers.base import (
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
        try:
            connection = await connect(endpoints)
        except NotConnected as error:
            finding = not_connected(error.error, str(peer))
            return Finding(finding.status, finding.message, values, finding.facts)
        connection.close()
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
