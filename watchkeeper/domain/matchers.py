"""Matchers as people write them: `service="web-shop"`, `probe=~"db-.*"`."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from watchkeeper.domain.expected import Matcher, Operator
from watchkeeper.domain.regular import read_regular

MATCHER_HELP: Final = 'NAME="VALUE" with =, !=, =~ or !~, such as service="web-shop" or probe=~"db-.*"'
MAX_LENGTH: Final = 500
_MATCHER: Final = re.compile(
    r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^"\s]*))\s*', re.DOTALL
)
_ESCAPED: Final = re.compile(r'\\(["\\])')  # others are the regular expression's own
_NOBODY: Final = ("", "\N{REPLACEMENT CHARACTER} no such thing \N{REPLACEMENT CHARACTER}")  # values that nothing has


def parse_matcher(text: str) -> Matcher:
    """The matcher of a text. The quotes may be left out where the value holds no spaces.

    Raises:
        ValueError: it is none, is too long, or its regular expression is not accepted.
    """
    found = _MATCHER.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise ValueError(f"{text[:60]!r} is not a matcher: accepted is {MATCHER_HELP}")
    name, operator, quoted, plain = found.groups()
    value = plain if quoted is None else _ESCAPED.sub(r"\1", quoted)
    made = Matcher(name, Operator(operator), value)
    if made.operator in (Operator.MATCHES, Operator.MATCHES_NOT):
        read_regular(value)
    return made


def take_everything(matchers: Iterable[Matcher]) -> bool:
    """Whether no matcher asks for anything: each of them takes what is not there, or whatever is."""
    return not any(_asks(matcher) for matcher in matchers)


def _asks(matcher: Matcher) -> bool:
    return not any(map(matcher.takes, _NOBODY))


def written(matcher: Matcher) -> str:
    """What `parse_matcher` reads as this one."""
    value = matcher.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{matcher.name}{matcher.operator}"{value}"'


def in_words(matchers: Sequence[Matcher]) -> str:
    """`service="web-shop", severity="minor"`."""
    return ", ".join(map(written, matchers)) or "everything"
