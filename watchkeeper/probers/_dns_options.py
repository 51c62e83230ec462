"""What a look-up in the DNS is asked for."""

from collections.abc import Hashable
from functools import cached_property
from ipaddress import ip_address
from typing import Annotated, Any, Final, Literal

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
from dns.rdtypes.txtbase import TXTBase
from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema, field_validator, model_validator

from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import Address, parse_address

_DNS_PORT: Final = 53
_ADDRESSES: Final = ("A", "AAAA")
_EXAMPLES: Final = {
    "A": "192.0.2.1",
    "AAAA": "2001:db8::1",
    "MX": "10 mail.example.com",
    "SRV": "0 5 5060 sip.example.com",
    "CAA": '0 issue "ca.example.com"',
    "SOA": "ns.example.com admin.example.com 2026010100 3600 600 86400 300",
}

Text = Annotated[str, StringConstraints(min_length=1)]
Type = Literal["A", "AAAA", "CNAME", "MX", "NS", "TXT", "SOA", "SRV", "PTR", "CAA"]


def _server(value: Any) -> Address:
    """The address of a host with or without a port.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) and value:
        try:
            return Address(str(ip_address(value)), _DNS_PORT)  # an IPv6 address without brackets has no port
        except ValueError:
            if ":" not in value:
                return Address(value, _DNS_PORT)
    return parse_address(value)


Server = Annotated[
    Address,
    BeforeValidator(_server),
    WithJsonSchema({"type": "string", "description": "host, host:port or [::1]:port"}),
]


class Expect(Model):
    """What a good answer is."""

    answers: tuple[Text, ...] = Field(min_length=1)
    """What the answer must hold, each as it stands in a zone file; it may hold more. A TXT is its text."""


class DnsOptions(Model):
    """A look-up of a name."""

    name: Text
    """The name that is looked up. For a PTR it may be an IP address."""
    type: Type = "A"
    """The type of the records that are asked for."""
    server: Server | None = None
    """Who is asked, `host` or `host:port`. When not set, A and AAAA are asked as any program on this machine does it,
    /etc/hosts included, and other types of the servers in /etc/resolv.conf."""
    expect: Expect | None = None
    """What a good answer is. Any that has records of the type is, when not set."""

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        try:
            _absolute(name)
        except (dns.exception.DNSException, UnicodeError) as error:
            raise ValueError(f"{name!r} is not a name that can be looked up: {error}") from None
        return name

    @model_validator(mode="after")
    def _expects_what_there_can_be(self) -> "DnsOptions":
        _ = self.wanted
        return self

    @property
    def by_system(self) -> bool:
        """Whether the system's own resolver is asked, which can tell of addresses only."""
        return self.server is None and self.type in _ADDRESSES

    @cached_property
    def question(self) -> dns.name.Name:
        """The absolute name that is asked for."""
        if self.type == "PTR":
            try:
                return dns.reversename.from_address(self.name)
            except dns.exception.DNSException:
                pass
        return _absolute(self.name)

    @cached_property
    def wanted(self) -> dict[Hashable, str]:
        """What the answer must hold, as `comparable` has it, and as it was written."""
        answers = self.expect.answers if self.expect is not None else ()
        return {_comparable_text(self.type, text): text for text in answers}


def comparable(record: dns.rdata.Rdata) -> Hashable:
    """A record so that two that mean the same are equal."""
    if record.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
        return ip_address(record.to_text())
    return text_of(record) if isinstance(record, TXTBase) else record


def text_of(record: dns.rdata.Rdata) -> str:
    """A record as people write it."""
    if isinstance(record, TXTBase):
        return b"".join(record.strings).decode("utf-8", "replace")
    return record.to_text()


def _comparable_text(type_: str, text: str) -> Hashable:
    if type_ == "TXT":
        return text
    try:
        return comparable(dns.rdata.from_text(dns.rdataclass.IN, type_, text, dns.name.root, relativize=False))
    except (dns.exception.DNSException, ValueError):
        example = _EXAMPLES.get(type_, "host.example.com")
        raise ValueError(
            f"expect.answers: {text!r} is no {type_} record: accepted is one such as {example}"
        ) from None


def _absolute(name: str) -> dns.name.Name:
    return dns.name.from_text(name, dns.name.root)
