"""What stands in an X.509 certificate. Python's ssl module tells that only of one that it trusts.

A certificate is DER (ITU-T X.690) of the structure in RFC 5280, 4.1. Nothing is verified here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_LONGEST_NAME: Final = 200  # characters of a name that are kept
_LONGEST_SERIAL: Final = 64  # the same of a serial number: RFC 5280 allows 40
_VERSION: Final = 0xA0
_BCD_TIME: Final[Mapping[int, str]] = {0x17: "%y%m%d%H%M%SZ", 0x18: "%Y%m%d%H%M%SZ"}  # UTCTime, GeneralizedTime
_CHARACTERS: Final[Mapping[int, str]] = {0x14: "latin-1", 0x1C: "utf-32-be", 0x1E: "utf-16-be"}  # else UTF-8
_ATTRIBUTES: Final[Mapping[bytes, str]] = {
    b"\x55\x04\x03": "CN",
    b"\x55\x04\x05": "serialNumber",
    b"\x55\x04\x06": "C",
    b"\x55\x04\x07": "L",
    b"\x55\x04\x08": "ST",
    b"\x55\x04\x0a": "O",
    b"\x55\x04\x0b": "OU",
    b"\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19": "DC",
    b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01": "emailAddress",
}
"""The attributes of names that certificates have, by the content of their object identifiers."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`subject` and `issuer` are written `C=DE, O=Example, CN=shop.example.com`, `serial` in hexadecimal digits."""

    subject: str
    issuer: str
    serial: str
    not_before: datetime
    not_after: datetime


def read_certificate(der: bytes) -> Certificate:
    """The certificate of these bytes.

    Raises:
        ValueError: they are none.
    """
    try:
        [(_, whole)] = _parts(der)
        _, signed = next(_parts(whole))
        fields = [content for tag, content in _parts(signed) if tag != _VERSION]
        serial, _algorithm, issuer, validity, subject, *_ = fields
        not_before, not_after = (_time(tag, content) for tag, content in _parts(validity))
        return Certificate(_name(subject), _name(issuer), _digits(serial), not_before, not_after)
    except (LookupError, StopIteration, ValueError) as error:
        raise ValueError("it is not an X.509 certificate") from error


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and content of each value, as they stand one after the other.

    Raises:
        LookupError, ValueError: they do not end where they should.
    """
    at = 0
    while at < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:  # it takes so many bytes more
            size = length & 0x7F
            length = int.from_bytes(data[at : at + size], "big")
            at += size
        if at + length > len(data):
            raise ValueError("a value is longer than what holds it")
        yield tag, data[at : at + length]
        at += length


def _digits(serial: bytes) -> str:
    return serial.lstrip(b"\0").hex().upper()[:_LONGEST_SERIAL] or "00"


def _time(tag: int, content: bytes) -> datetime:
    text = content.decode("ascii")
    time = datetime.strptime(text, _BCD_TIME[tag]).replace(tzinfo=UTC)
    # Two digits are a year from 1950 to 2049: RFC 5280, 4.1.2.5.1. Python's begin in 1969.
    return time.replace(year=time.year - 100) if tag == 0x17 and time.year >= 2050 else time


def _name(content: bytes) -> str:
    """A name on one line, cut off where it is long."""
    text = ", ".join(_attribute(one) for _, several in _parts(content) for _, one in _parts(several))
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


def _attribute(content: bytes) -> str:
    (_, kind), (tag, value) = _parts(content)
    text = value.decode(_CHARACTERS.get(tag, "utf-8"), "replace")[:_LONGEST_NAME]
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    return f"{_ATTRIBUTES.get(kind, 'other')}={shown}"
