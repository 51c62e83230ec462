"""How far a conversation with a Redis has come, and what is made of how it went. Asks nobody."""

import ssl
from dataclasses import dataclass, field
from typing import Final

from watchkeeper.domain.probe import Fact, Probe, Status
from watchkeeper.domain.units import format_duration_ms, format_size
from watchkeeper.probers._redis_options import RedisOptions
from watchkeeper.probers._resp import Refused
from watchkeeper.probers._tls_words import no_handshake
from watchkeeper.probers.base import OWN_ERRORS, Failure, Finding, failed

_NOT_LET_IN: Final = frozenset(("NOAUTH", "WRONGPASS", "NOPERM", "DENIED"))
_CODES: Final = _NOT_LET_IN | {
    "ERR",
    "LOADING",
    "BUSY",
    "MASTERDOWN",
    "MISCONF",
    "READONLY",
    "WRONGTYPE",
    "CLUSTERDOWN",
}
_LONGEST: Final = 200  # characters of what it said, in a message


@dataclass(slots=True)
class Talk:
    """How far a run has come. `doing`: what it waits for."""

    probe: Probe
    doing: str = ""
    values: dict[str, float] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)

    @property
    def options(self) -> RedisOptions:
        options: RedisOptions = self.probe.options
        return options

    @property
    def peer(self) -> str:
        return str(self.options.address)


def judge(talk: Talk) -> Finding:
    """What is wrong with what it told of itself, or what there is to say."""
    values, facts, peer, wanted = talk.values, talk.facts, talk.peer, talk.options.expect.role
    role = facts.get("role")
    if role is None:
        return failed(Failure.PROTOCOL, f"{peer} told nothing of itself that a Redis tells", values, facts)
    if wanted is not None and role != wanted:
        return failed(Failure.ANSWER, f"{peer} is a {role}, expected a {wanted}", values, facts)
    if role == "replica" and facts.get("master_link") != "up":
        since = values.get("replication_lag_seconds")
        text = "" if since is None else f" since {format_duration_ms(since * 1000)}"
        return failed(Failure.ANSWER, f"{peer} is a replica without a link to its master{text}", values, facts)
    if talk.options.key is not None and "length" not in values:
        return failed(
            Failure.ANSWER, f"{peer} has a key {talk.options.key!r} of a type without a length", values, facts
        )
    memory = f", {format_size(values['used_memory_bytes'])} used" if "used_memory_bytes" in values else ""
    length = f", {talk.options.key} has {values['length']:.0f}" if "length" in values else ""
    return Finding(Status.UP, f"{peer} is a {role}{memory}{length}", values, facts)


def refused(talk: Talk, refused: Refused) -> Finding:
    """What an error says. Of the answer to a password only the code is shown: the rest may repeat it."""
    code = refused.code if refused.code in _CODES else "an error"
    said = code if talk.doing == "AUTH" else _on_one_line(str(refused))
    if refused.code in _NOT_LET_IN or talk.doing == "AUTH":
        what = {
            "NOAUTH": "it wants a password: set password",
            "NOPERM": f"the user may not {talk.doing}: ACL SETUSER … +{talk.doing.lower()}",
        }.get(refused.code, f"{code} to {talk.doing}: look at username and password")
        return failed(Failure.LOCAL, f"{talk.peer} did not let watchkeeper in: {what}", talk.values, talk.facts)
    return failed(Failure.ANSWER, f"{talk.peer} answered {talk.doing} with {said}", talk.values, talk.facts)


def broken(talk: Talk, error: EOFError | OSError) -> Finding:
    if talk.doing == "tls":
        tls = error if isinstance(error, OSError) else ssl.SSLEOFError()
        own = not isinstance(error, ssl.SSLError) and isinstance(error, OSError) and error.errno in OWN_ERRORS
        failure = Failure.LOCAL if own else Failure.TLS
        return failed(failure, no_handshake(talk.peer, tls, "TLSv1.2"), talk.values)
    return failed(Failure.PROTOCOL, f"{talk.peer} hung up before it answered {talk.doing}", talk.values, talk.facts)


def _on_one_line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text[:_LONGEST]).rstrip(". ")
