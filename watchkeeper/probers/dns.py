"""Looks up a name in the DNS, and looks at the answer."""

import socket
from collections.abc import Callable, Hashable, Mapping
from ipaddress import ip_address
from time import monotonic
from typing import Final

import dns.exception
import dns.rcode
import dns.resolver

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms
from watchkeeper.probers._dns_options import DnsOptions, comparable, text_of
from watchkeeper.probers._dns_query import NoReply, Reply, ask_any, query
from watchkeeper.probers._resolver import Endpoint, NotResolved, Resolver, is_ip
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

_SHORT: Final = 120  # characters of what an answer holds, in a message
_FAMILIES: Final = {"A": socket.AF_INET, "AAAA": socket.AF_INET6}


class DnsProber:
    """Look-ups of names: those of the system in threads, all others on the event loop.

    Args:
        system: makes what tells which servers this machine asks.
    """

    def __init__(self, clock: Clock, system: Callable[[], dns.resolver.Resolver] = dns.resolver.Resolver) -> None:
        self._clock = clock
        self._system = system
        self._resolver = Resolver()
        self._runs = Runs()

    async def run(self, probe: Probe) -> Sample:
        """Looks the name up once, in no cache of its own."""
        began = monotonic()
        look = self._by_system if probe.options.by_system else self._by_query
        heard: list[Reply] = []
        try:
            async with self._runs.within(probe.timeout_ms):
                finding = await look(probe, heard)
        except TimeoutError:
            finding = self._late(probe) if not heard else _judge(probe.options, heard[-1], monotonic() - began)
        except NotResolved as error:
            finding = failed(error.failure, str(error))
        except NoReply as error:
            finding = _not_asked(error)
        except Stopping as stopping:
            finding = failed(Failure.LOCAL, str(stopping))
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._resolver.close()

    async def _by_system(self, probe: Probe, _heard: list[Reply]) -> Finding:
        options: DnsOptions = probe.options
        began = monotonic()
        try:
            endpoints = await self._resolver.endpoints(options.name, 0, family=_FAMILIES[options.type])
        except NotResolved as error:
            raise NotResolved(error.failure, f"cannot resolve {options.name}: {error}") from None
        found: dict[Hashable, str] = {
            ip_address(endpoint.ip.partition("%")[0]): endpoint.ip for endpoint in endpoints
        }
        return _judge_records(options, found, {"resolve_seconds": monotonic() - began}, {})

    async def _by_query(self, probe: Probe, heard: list[Reply]) -> Finding:
        options: DnsOptions = probe.options
        began = monotonic()
        servers = await self._servers(options)
        asked = monotonic()
        await ask_any(
            query(options.question, options.type), servers, probe.timeout_ms / 1000 - (asked - began), heard
        )
        return _judge(options, heard[-1], monotonic() - asked)

    async def _servers(self, options: DnsOptions) -> list[Endpoint]:
        """Who is asked.

        Raises:
            NotResolved: it is not known who.
        """
        if options.server is not None:
            host, port = options.server.host, options.server.port
            try:
                return await self._resolver.endpoints(host, port, kind=socket.SOCK_DGRAM)
            except NotResolved as error:
                raise NotResolved(error.failure, f"cannot resolve the name of {options.server}: {error}") from None
        try:
            system = self._system()
        except (dns.exception.DNSException, OSError) as error:
            raise NotResolved(Failure.LOCAL, f"this machine knows no DNS server to ask: {error}") from None
        servers = [
            endpoint
            for address in system.nameservers
            if isinstance(address, str) and is_ip(address)
            for endpoint in await self._resolver.endpoints(address, system.port, kind=socket.SOCK_DGRAM)
        ]
        if not servers:
            raise NotResolved(Failure.LOCAL, "this machine knows no DNS server to ask: /etc/resolv.conf names none")
        return servers

    def _late(self, probe: Probe) -> Finding:
        """What was waited for when the time was over."""
        options: DnsOptions = probe.options
        within = f"within {format_duration_ms(probe.timeout_ms)}"
        by_name = options.by_system or (options.server is not None and not is_ip(options.server.host))
        if by_name and self._resolver.exhausted:
            return failed(Failure.LOCAL, f"could not resolve {options.name} {within}: too many names hang")
        whom = f"from {options.server}" if options.server is not None else "from this machine's DNS servers"
        return failed(Failure.TIMEOUT, f"no answer {whom} for {options.name} {within}")


def _not_asked(error: NoReply) -> Finding:
    if error.error:
        return not_connected(error.error, error.server)
    return failed(Failure.PROTOCOL, f"{error.server} broke off, or answered something that is no DNS")


def _judge(options: DnsOptions, reply: Reply, took_s: float) -> Finding:
    """What is wrong with a server's answer, or what it holds."""
    message, server, name = reply.message, reply.server, options.name
    rcode = dns.rcode.to_text(message.rcode())
    values, facts = {"resolve_seconds": took_s}, {"rcode": rcode}
    match message.rcode():
        case dns.rcode.NOERROR:
            pass
        case dns.rcode.NXDOMAIN:
            text = f"{server} says that there is no name {name} (NXDOMAIN)"
            return failed(Failure.RESOLVE, text, {**values, "answers": 0}, facts)
        case dns.rcode.SERVFAIL:
            return failed(Failure.RESOLVE, f"{server} could not look up {name} (SERVFAIL)", values, facts)
        case dns.rcode.REFUSED:
            return failed(Failure.RESOLVE, f"{server} refused to look up {name} (REFUSED)", values, facts)
        case _:
            return failed(Failure.RESOLVE, f"{server} did not look up {name} ({rcode})", values, facts)
    try:
        records = message.resolve_chaining().answer or ()
    except dns.exception.DNSException as error:
        return failed(Failure.PROTOCOL, f"{server} gave an answer without sense: {error}", values, facts)
    return _judge_records(options, {comparable(record): text_of(record) for record in records}, values, facts)


def _judge_records(
    options: DnsOptions, found: Mapping[Hashable, str], values: dict[str, float], facts: Mapping[str, Fact]
) -> Finding:
    """What is missing among the records that were found."""
    values["answers"] = len(found)
    shown = _short(", ".join(sorted(found.values())))
    if not found:
        return failed(Failure.ANSWER, f"{options.name} has no {options.type} records", values, facts)
    missing = [text for record, text in options.wanted.items() if record not in found]
    if missing:
        text = f"{options.name} has no {options.type} record {_short(', '.join(missing))}: there is {shown}"
        return failed(Failure.ANSWER, text, values, facts)
    return Finding(Status.UP, f"{options.name} {options.type} is {shown}", values, facts)


def _short(text: str) -> str:
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"


KIND = ProberKind(
    name="dns",
    summary="Looks up a name in the DNS, and looks at the answer.",
    category=Category.HEALTH,
    options=DnsOptions,
    make=DnsProber,
    host=lambda options: options.server.host if options.server else "",
    values={
        "answers": "how many records of the type there are",
        "resolve_seconds": "seconds until the answer",
    },
    facts={
        **failure_fact(Failure.RESOLVE, Failure.CONNECT, Failure.TIMEOUT, Failure.PROTOCOL, Failure.ANSWER),
        "rcode": (FactType.TEXT, "the answer's code, such as NOERROR or NXDOMAIN; absent unless a server was asked"),
    },
)
