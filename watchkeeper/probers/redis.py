"""Asks a Redis, or what speaks its protocol, how it is."""

import asyncio
import socket
import ssl
from time import monotonic
from typing import Final

from watchkeeper.domain.probe import Category, FactType, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, utc
from watchkeeper.probers._connect import NotConnected, connect
from watchkeeper.probers._redis_info import facts_of, parse_info, values_of
from watchkeeper.probers._redis_options import RedisOptions
from watchkeeper.probers._redis_talk import Talk, broken, judge, refused
from watchkeeper.probers._resolver import KEEP_S, NotResolved, Resolver, is_ip
from watchkeeper.probers._resp import LINE_LIMIT, NotResp, Refused, answer, request
from watchkeeper.probers._threads import Threads
from watchkeeper.probers._tls_words import distrust
from watchkeeper.probers._trust import Contexts, NotTrusting
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
from watchkeeper.schema.fields import SecretUnavailable

_LENGTHS: Final = {
    "none": "",
    "string": "STRLEN",
    "list": "LLEN",
    "set": "SCARD",
    "zset": "ZCARD",
    "hash": "HLEN",
    "stream": "XLEN",
}


class RedisProber:
    """Conversations with Redis, all of them on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(KEEP_S)
        self._contexts = Contexts()
        self._secrets = Threads("redis-secrets", 4)
        self._runs = Runs()

    async def run(self, probe: Probe) -> Sample:
        """Connects, asks, and hangs up."""
        began = monotonic()
        talk = Talk(probe)
        try:
            async with self._runs.within(probe.timeout_ms):
                finding = await self._talk(talk)
        except TimeoutError:
            finding = self._late(talk)
        except Stopping as stopping:
            finding = failed(Failure.LOCAL, str(stopping))
        if finding.status is not Status.UP:
            self._resolver.forget(probe.options.address.host, probe.options.address.port)
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._resolver.close()
        self._contexts.close()
        self._secrets.close()

    async def _talk(self, talk: Talk) -> Finding:
        peer = talk.peer
        try:
            password = await self._password(talk)
            connection = await self._connect(talk)
            return await self._converse(talk, connection, password)
        except (SecretUnavailable, NotTrusting) as error:
            return failed(Failure.LOCAL, str(error))
        except NotResolved as error:
            return failed(error.failure, f"cannot resolve the name of {peer}: {error}")
        except NotConnected as error:
            finding = not_connected(error.error, peer)
            return Finding(finding.status, finding.message, talk.values, finding.facts)
        except Refused as error:
            return refused(talk, error)
        except NotResp:
            return failed(Failure.PROTOCOL, f"{peer} answered something that is no Redis", talk.values, talk.facts)
        except ssl.SSLCertVerificationError as error:
            return failed(Failure.TLS, distrust(peer, error, None, utc(self._clock())), talk.values)
        except (EOFError, OSError) as error:
            return broken(talk, error)

    async def _password(self, talk: Talk) -> str | None:
        """The password, read in a thread: it may be in a file.

        Raises:
            SecretUnavailable: it is not where it should be.
        """
        secret = talk.options.password
        if secret is None:
            return None
        talk.doing = "secret"
        try:
            return await asyncio.wrap_future(self._secrets.submit(secret.reveal))
        except OSError as error:
            raise SecretUnavailable(f"the password could not be read: {error.strerror}") from None

    async def _connect(self, talk: Talk) -> socket.socket:
        address, began = talk.options.address, monotonic()
        talk.doing = "resolve"
        endpoints = await self._resolver.endpoints(address.host, address.port)
        resolved = monotonic()
        if not is_ip(address.host):
            talk.values["resolve_seconds"] = resolved - began
        talk.doing = "connect"
        connection = await connect(endpoints)
        talk.values["connect_seconds"] = monotonic() - resolved
        return connection

    async def _converse(self, talk: Talk, connection: socket.socket, password: str | None) -> Finding:
        options, context = talk.options, None
        with connection:
            if options.tls:
                talk.doing = "tls"
                context = await self._contexts.get(options.verify, ssl.TLSVersion.TLSv1_2)
            began = monotonic()
            name = options.address.host.partition("%")[0].removesuffix(".") if context else None
            reader, writer = await asyncio.open_connection(
                sock=connection, ssl=context, server_hostname=name, limit=LINE_LIMIT
            )
            try:
                if context:
                    talk.values["tls_seconds"] = monotonic() - began
                await _ask_all(talk, reader, writer, password)
            finally:
                writer.transport.abort()
        return judge(talk)

    def _late(self, talk: Talk) -> Finding:
        """What was waited for when the time was over."""
        peer, within = talk.peer, f"within {format_duration_ms(talk.probe.timeout_ms)}"
        match talk.doing:
            case "secret":
                return failed(Failure.LOCAL, f"the password for {peer} could not be read {within}")
            case "resolve" if self._resolver.exhausted:
                return failed(Failure.LOCAL, f"could not resolve the name of {peer} {within}: too many names hang")
            case "resolve":
                return failed(Failure.TIMEOUT, f"the name of {peer} was not resolved {within}")
            case "connect":
                return failed(Failure.TIMEOUT, f"no connection to {peer} {within}", talk.values)
            case "tls":
                return failed(Failure.TIMEOUT, f"no TLS with {peer} {within}", talk.values)
        return failed(Failure.TIMEOUT, f"{peer} did not answer {talk.doing} {within}", talk.values, talk.facts)


async def _ask_all(
    talk: Talk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, password: str | None
) -> None:
    """Asks what there is to ask.

    Raises:
        Refused: the server answered with an error.
        NotResp, EOFError, OSError: it did not answer as a Redis does.
    """
    options = talk.options

    async def ask(*words: str) -> str | int | None:
        talk.doing = words[0]
        writer.write(request(*words))
        return await answer(reader)

    if password is not None:
        await ask("AUTH", *([options.username] if options.username else []), password)
    began = monotonic()
    if await ask("PING") != "PONG":
        raise NotResp
    talk.values["ping_seconds"] = monotonic() - began
    text = await ask("INFO")
    if not isinstance(text, str):
        raise NotResp
    info = parse_info(text)
    talk.values |= values_of(info, options.database)
    talk.facts |= facts_of(info)
    if options.key is not None:
        if options.database:
            await ask("SELECT", str(options.database))
        command = _LENGTHS.get(str(await ask("TYPE", options.key)))
        length = await ask(command, options.key) if command else 0
        if command is not None and isinstance(length, int):
            talk.values["length"] = length


KIND = ProberKind(
    name="redis",
    summary="Asks a Redis, or what speaks its protocol, how it is.",
    category=Category.HEALTH,
    options=RedisOptions,
    make=RedisProber,
    host=lambda options: options.address.host,
    values={
        "resolve_seconds": "seconds to resolve the name; absent for an IP address",
        "connect_seconds": "seconds to connect, after the name was resolved",
        "tls_seconds": "seconds for the TLS handshake; absent without `tls`",
        "ping_seconds": "seconds until it answered PING",
        "uptime_seconds": "seconds since it was started",
        "used_memory_bytes": "bytes of memory that its data take",
        "max_memory_bytes": "bytes that they may take; absent without a limit (maxmemory)",
        "memory_used_percent": "how much of these is used, in percent; absent without a limit",
        "clients": "clients that are connected",
        "blocked_clients": "clients that wait in a blocking command, such as BLPOP",
        "evicted_keys_total": "keys that were given up for want of memory, since its start",
        "rejected_connections_total": "connections that were refused because of maxclients, since its start",
        "keys": "keys in the database",
        "length": (
            "of `key`: entries of a list, set, sorted set, hash or stream, bytes of a string, 0 if there is none; "
            "absent without `key`"
        ),
        "replicas": "of a master: replicas that are connected",
        "replication_lag_seconds": (
            "of a master: seconds since the replica that is furthest behind was heard of; of a replica: since the "
            "master was, or since the link to it is down; absent where there is no replication"
        ),
        "replication_lag_bytes": "of a master with replicas: bytes that the one furthest behind does not have yet",
    },
    facts={
        **failure_fact(
            Failure.RESOLVE, Failure.CONNECT, Failure.TLS, Failure.TIMEOUT, Failure.PROTOCOL, Failure.ANSWER
        ),
        "role": (FactType.TEXT, "master or replica"),
        "version": (FactType.TEXT, "its version"),
        "master_link": (FactType.TEXT, "of a replica: whether it is connected to its master, up or down"),
    },
)
