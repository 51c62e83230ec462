"""Articles: what somebody has written about trouble, and what each of them is for."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

_WRAPPED: Final = 70  # characters from which on a line was broken for its length
_BEGINS: Final = re.compile(r"[-*+#>|`]|\d{1,3}[.)]\s")
_MAGIC: Final = frozenset("*?[")


class Source(StrEnum):
    """Where an article comes from. Of those that fit alike the first named here goes first."""

    RESOLUTION = "resolution"  # what ended an earlier incident
    KNOWN_ERROR = "known_error"  # a problem record
    FILE = "file"
    SERVICENOW = "servicenow"


class Part(StrEnum):
    """What problem records say of themselves."""

    KNOWN_ERROR = "known_error"
    WORKAROUND = "workaround"
    ROOT_CAUSE = "root_cause"


class Why(StrEnum):
    """Why an article was chosen."""

    KEY = "key"  # the same trouble as before
    RULE = "rule"
    SERVICE = "service"
    PROBER = "prober"
    MESSAGE = "message"
    WORDS = "words"


class Reason(NamedTuple):
    """`what`: the rule's name and so on; the words that are shared."""

    why: Why
    what: str


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known of an incident when knowledge is asked for. `key`: what its alerts have in common."""

    rule: str = ""
    prober: str = ""
    service: str = ""
    message: str = ""
    title: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    key: str = ""


@dataclass(frozen=True, slots=True)
class Fit:
    """What an article is for: everything that is set must agree. Names may be globs, of several one is enough.

    `message`: whether a message is meant; `pattern` is how that is written. `key`: of an incident; one with another
    key may fit all the same, this one fits better.
    """

    rules: tuple[str, ...] = ()
    probers: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    message: Callable[[str], bool] | None = None
    pattern: str = ""
    key: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing: such an article is found by its words alone."""
        return not (self.rules or self.probers or self.services or self.message)


_ANYTHING: Final = Fit()


@dataclass(frozen=True, slots=True)
class Article:
    """`id`: unique within its source. `place`: where it stands, for people: a path, a number. `url`: where to read
    on. `parts`: of a problem record, instead of a body. `at_ms`: of what fits alike the newer goes first."""

    id: str
    title: str
    body: str = ""
    source: Source = Source.FILE
    tags: tuple[str, ...] = ()
    fit: Fit = _ANYTHING
    url: str = ""
    place: str = ""
    parts: tuple[tuple[Part, str], ...] = ()
    at_ms: int = 0

    @property
    def text(self) -> str:
        """All that it says, but its title and tags."""
        return "\n\n".join([self.body, *(said for _, said in self.parts)]).strip()


@dataclass(frozen=True, slots=True)
class Found:
    """An article that was chosen, and why."""

    article: Article
    reasons: tuple[Reason, ...]


def is_exact(name: str) -> bool:
    """Whether a name stands for itself alone, as `[*]` does for a star."""
    return _MAGIC.isdisjoint(name.replace("[*]", "").replace("[?]", "").replace("[[]", ""))


def literal(name: str) -> str:
    """A name as a glob that fits nothing else."""
    return "".join(f"[{character}]" if character in _MAGIC else character for character in name)


def unescaped(name: str) -> str:
    """What an exact name stands for."""
    return name.replace("[*]", "*").replace("[?]", "?").replace("[[]", "[")


def excerpt(text: str, lines: int = 6, characters: int = 600) -> list[str]:
    """The first lines of a text that say something, without headings. What was wrapped is one line again."""
    shown: list[str] = []
    for line in _unwrapped(text):
        characters -= len(line)
        if characters < 0 or len(shown) == lines:
            return [*shown, "…"] if shown else [f"{line[: characters + len(line)]}…"]
        shown.append(line)
    return shown


def _unwrapped(text: str) -> Iterator[str]:
    """Line by line; a line that follows a long one goes on with it, unless it is an item of a list."""
    whole, is_wrapped = "", False
    for line in text.splitlines():
        plain = " ".join(line.split())
        if is_wrapped and plain and _BEGINS.match(plain) is None:
            whole += f" {plain}"
        else:
            if whole:
                yield whole
            whole = "" if plain.startswith("#") else plain
        is_wrapped = len(plain) >= _WRAPPED and not plain.startswith("#")
    if whole:
        yield whole
