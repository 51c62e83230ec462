"""Does a TLS handshake, and looks at the certificate."""

import ssl
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic
from typing import Final, Literal

from pydantic import field_validator

from watchkeeper.domain.probe import Category, Fact, FactType, Probe, Sample, Status
from watchkeeper.domain.rule import Clock
from watchkeeper.domain.units import format_duration_ms, utc
from watchkeeper.probers._certificate import Certificate, read_certificate
from watchkeeper.probers._connect import NotConnected, connect
from watchkeeper.probers._handshake import Shown, shake_hands
from watchkeeper.probers._resolver import KEEP_S, Endpoint, NotResolved, Resolver, is_ip
from watchkeeper.probers._tls_words import distrust, expiry, first_to_expire, no_handshake
from watchkeeper.probers._trust import Contexts, NotTrusting
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
from watchkeeper.schema.fields import HostPort, Verify

_DAY_S: Final = 86_400
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class TlsOptions(Model):
    """A check of a TLS server and its certificate."""

    address: HostPort
    """What is connected to. Of a name with several addresses, one that answers is enough."""
    server_name: str | None = None
    """The name that is asked for, and that the certificate must be for. The address's host if this is not set."""
    verify: Verify = True
    """Whether the certificate is verified, or the path of a file with the CA certificates to verify it by."""
    min_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    """The oldest version of TLS that is good enough."""

    @field_validator("server_name")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        if name is not None and not _can_be_asked_for(name):
            raise ValueError(f"{name!r} is not a host name: accepted is shop.example.com, or an IP address")
        return name

    @cached_property
    def name(self) -> str:
        """The name as TLS knows it: without the dot at its end, or the zone of an IPv6 address."""
        return (self.server_name or self.address.host).partition("%")[0].removesuffix(".")

    @cached_property
    def whom(self) -> str:
        """Whose certificate it is, for people."""
        place = str(self.address).removesuffix(":443")
        return place if self.server_name is None else f"{self.server_name} at {place}"


def _can_be_asked_for(name: str) -> bool:
    try:
        wire = name.encode("idna")
    except UnicodeError:
        return False
    return bool(wire.strip(b".")) and len(wire) < 254 and name.isprintable() and " " not in name


@dataclass(slots=True)
class _Look:
    """How far a run has come. `trusting`: CAs are read. `refused`: the certificate was not good."""

    probe: Probe
    trusting: bool = False
    endpoint: Endpoint | None = None
    refused: ssl.SSLCertVerificationError | None = None
    values: dict[str, float] = field(default_factory=dict)

    @property
    def options(self) -> TlsOptions:
        options: TlsOptions = self.probe.options
        return options


class TlsProber:
    """Handshakes with servers, all of them on the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resolver = Resolver(KEEP_S)
        self._contexts = Contexts()
        self._runs = Runs()

    async def run(self, probe: Probe) -> Sample:
        """Connects and does a handshake. If the certificate is not good it does another, in which everything is good:
        of a certificate that was refused, nothing else is told."""
        began = monotonic()
        look = _Look(probe)
        try:
            async with self._runs.within(probe.timeout_ms):
                finding = await self._look(look)
        except TimeoutError:
            finding = self._late(look)
        except Stopping as stopping:
            finding = failed(Failure.LOCAL, str(stopping))
        if finding.status is not Status.UP:
            self._resolver.forget(probe.options.address.host, probe.options.address.port)
        return sample(probe, finding, at_ms=self._clock(), duration_s=monotonic() - began)

    async def close(self) -> None:
        self._runs.close()
        self._resolver.close()
        self._contexts.close()

    async def _look(self, look: _Look) -> Finding:
        options, peer = look.options, look.options.address
        try:
            context = await self._contexts.get(options.verify, _VERSIONS[options.min_version])
            look.trusting = True
            return self._good(look, await self._ask(look, context))
        except NotTrusting as error:
            return failed(Failure.LOCAL, str(error))
        except NotResolved as error:
            return failed(error.failure, f"cannot resolve the name of {peer}: {error}")
        except NotConnected as error:
            finding = not_connected(error.error, str(peer))
            return Finding(finding.status, finding.message, look.values, finding.facts)
        except ssl.SSLCertVerificationError as error:
            look.refused = error
        except OSError as error:  # ssl.SSLError is one, with numbers of its own
            own = not isinstance(error, ssl.SSLError) and error.errno in OWN_ERRORS
            text = no_handshake(str(peer), error, options.min_version)
            return failed(Failure.LOCAL if own else Failure.TLS, text, look.values)
        return self._refused(look, await self._ask_again(look))

    async def _ask(self, look: _Look, context: ssl.SSLContext) -> Shown:
        """What the server shows.

        Raises:
            NotResolved, NotConnected: it came to no handshake.
            OSError: the handshake failed.
        """
        options, values, began = look.options, look.values, monotonic()
        endpoints = await self._resolver.endpoints(options.address.host, options.address.port)
        resolved = monotonic()
        if not is_ip(options.address.host):
            values["resolve_seconds"] = resolved - began
        with await connect(endpoints) as connection:
            connected = monotonic()
            values["connect_seconds"] = connected - resolved
            look.endpoint = Endpoint(connection.family, connection.getpeername())
            shown = await shake_hands(connection, context, options.name)
            values["tls_seconds"] = monotonic() - connected
            return shown

    async def _ask_again(self, look: _Look) -> Shown | None:
        """What the server shows to somebody who takes everything."""
        assert look.endpoint is not None
        try:
            context = await self._contexts.get(False, _VERSIONS[look.options.min_version])
            with await connect([look.endpoint]) as connection:
                return await shake_hands(connection, context, look.options.name)
        except (NotTrusting, NotConnected, OSError):
            return None

    def _good(self, look: _Look, shown: Shown) -> Finding:
        options, now = look.options, utc(self._clock())
        try:
            chain = [read_certificate(der) for der in shown.chain]
        except ValueError as error:
            return failed(Failure.LOCAL, f"cannot read the certificate of {options.whom}: {error}", look.values)
        first = first_to_expire(chain)
        values = {**look.values, "days_left": (first.not_after - now).total_seconds() / _DAY_S}
        unverified = "" if options.verify else ", and is not verified"
        return Finding(Status.UP, expiry(options.whom, chain, now) + unverified, values, _facts(chain[0], shown))

    def _refused(self, look: _Look, shown: Shown | None) -> Finding:
        assert look.refused is not None
        now = utc(self._clock())
        certificate = _read(shown)
        text = distrust(look.options.whom, look.refused, certificate, now)
        if certificate is None or shown is None:
            return failed(Failure.TLS, text, look.values)
        values = {**look.values, "days_left": (certificate.not_after - now).total_seconds() / _DAY_S}
        return failed(Failure.TLS, text, values, _facts(certificate, shown))

    def _late(self, look: _Look) -> Finding:
        """What was waited for when the time was over."""
        options, peer = look.options, look.options.address
        within = f"within {format_duration_ms(look.probe.timeout_ms)}"
        if look.refused is not None:
            return self._refused(look, None)
        if not look.trusting:
            return failed(Failure.LOCAL, f"the CA certificates to verify {peer} by could not be read {within}")
        if "connect_seconds" in look.values:
            return failed(Failure.TIMEOUT, f"no TLS with {peer} {within}", look.values)
        if is_ip(options.address.host) or "resolve_seconds" in look.values:
            return failed(Failure.TIMEOUT, f"no connection to {peer} {within}", look.values)
        if self._resolver.exhausted:
            return failed(Failure.LOCAL, f"could not resolve the name of {peer} {within}: too many names hang")
        return failed(Failure.TIMEOUT, f"the name of {peer} was not resolved {within}")


def _read(shown: Shown | None) -> Certificate | None:
    try:
        return None if shown is None else read_certificate(shown.chain[0])
    except ValueError:
        return None


def _facts(certificate: Certificate, shown: Shown) -> dict[str, Fact]:
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "not_after": certificate.not_after,
        "version": shown.version,
        "cipher": shown.cipher,
    }


KIND = ProberKind(
    name="tls",
    summary="Does a TLS handshake, and looks at the certificate.",
    category=Category.HEALTH,
    options=TlsOptions,
    make=TlsProber,
    host=lambda options: options.address.host,
    values={
        "days_left": (
            "days until the first certificate of the verified chain expires, negative when it has; where the chain "
            "is not verified or not good, until the server's own does"
        ),
        "resolve_seconds": "seconds to resolve the name; absent for an IP address",
        "connect_seconds": "seconds to connect, after the name was resolved",
        "tls_seconds": "seconds for the TLS handshake, after the connection",
    },
    facts={
        **failure_fact(Failure.RESOLVE, Failure.CONNECT, Failure.TLS, Failure.TIMEOUT),
        "subject": (FactType.TEXT, "whom the certificate is for, such as CN=shop.example.com"),
        "issuer": (FactType.TEXT, "who issued it"),
        "serial": (FactType.TEXT, "its serial number in hexadecimal digits"),
        "not_after": (FactType.TIME, "when it expires"),
        "version": (FactType.TEXT, "the version of TLS, such as TLSv1.3"),
        "cipher": (FactType.TEXT, "the cipher suite"),
    },
)
