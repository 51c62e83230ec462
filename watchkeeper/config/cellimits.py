"""How much work an expression may be.

CEL always ends, but it can take its time: loops in loops, long texts that are added up in a loop, regular expressions
that count far. A condition is evaluated on the event loop, between two runs of probes, so that what could take long
is refused when the file is read. The work is estimated from the tokens, in steps of some 50 to 100 ns.
"""

import re
from collections.abc import Iterator
from typing import Final

from watchkeeper.config.celmistakes import Mistake
from watchkeeper.config.celtokens import Tokens
from watchkeeper.config.vocabulary import FUNCTIONS

MOST_WORK: Final = 200_000
_LOOPS: Final = frozenset(("all", "exists", "exists_one", "map", "filter"))
_MOST_MAPS: Final = 2  # each may multiply what the one before made
_LABELS: Final = 20  # rounds of a loop over labels
_FUNCTION: Final = 500
_SORTING: Final = 10_000  # `quantile`, of a week of minutes
_ADDING: Final = 10  # two texts, of which each may be as long as all that are added up in the expression
_SEARCHING: Final = 200  # `contains`, which is slow where nearly all is alike: with the square of the texts' length
_ZONE: Final = 2000  # a time zone is read from a file, when first asked for
_REGEX: Final = 100  # for each unit of its weight, on a text of some thousand characters
MOST_WEIGHT: Final = MOST_WORK // _REGEX

_ZONED: Final = re.compile(r"get(?:FullYear|Month|Date|Day\w+|Hours|Minutes|Seconds|Milliseconds)")
_COUNTED: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_CLASS: Final = re.compile(r"\[\^?\]?(?:\[:\^?\w+:\]|\\.|[^\]\\])*\]", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[^}]*\}|..)|.)", re.DOTALL)


def too_much(tokens: Tokens, patterns: dict[int, str]) -> Iterator[Mistake]:
    """What makes an expression too much work.

    Args:
        patterns: the regular expressions in it, by the index of their token.
    """
    solid = [index for index, token in enumerate(tokens.items) if token.kind != "space"]
    rounds = max(_LABELS, sum(tokens.items[index].text in (",", "[", "{") for index in solid))
    texts = 1 + sum(tokens.items[index].text == "+" for index in solid)
    opened: list[str] = []  # of each bracket that is open the name of its loop, if it is one's
    work, maps = 0, 0
    for place, index in enumerate(solid):
        token = tokens.items[index]
        if token.text in ("(", "[", "{"):
            before = [tokens.items[one].text for one in solid[max(place - 2, 0) : place]]
            is_loop = token.text == "(" and before[:1] == ["."] and before[-1] in _LOOPS
            opened.append(before[-1] if is_loop else "")
            maps += opened[-1] == "map"
        elif token.text in (")", "]", "}") and opened:
            opened.pop()
        if token.text == "+" and "map" in opened:
            yield Mistake(token.at, "can not be in map: what is added up there could grow without end")
            return
        if maps > _MOST_MAPS:
            yield Mistake(token.at, f"maps for the third time: accepted are {_MOST_MAPS} uses of map")
            return
        work += _steps(token.kind, token.text, patterns.get(index), texts) * rounds ** sum(map(bool, opened))
        if work > MOST_WORK:
            yield Mistake(token.at, _why(in_a_loop=any(opened), in_a_pattern=index in patterns))
            return


def _why(*, in_a_loop: bool, in_a_pattern: bool) -> str:
    if in_a_pattern:
        most = f"at most {MOST_WEIGHT} characters together"
        return f"the regular expressions are too large: {most}, where x{{9}} counts as nine; loops and + multiply"
    if in_a_loop:
        return "is evaluated too often: loops in loops and loops over long lists keep other probes waiting"
    return "is too much work, which keeps other probes waiting"


def _steps(kind: str, text: str, pattern: str | None, texts: int) -> int:
    if pattern is not None:
        return _REGEX * weight(pattern) * texts
    if text == "+":
        return _ADDING * texts
    if text == "contains":
        return _SEARCHING * texts**2
    if kind != "name":
        return 1
    if text in FUNCTIONS:
        return _SORTING if text == "quantile" else _FUNCTION
    return _ZONE if _ZONED.fullmatch(text) else 1


def weight(pattern: str) -> int:
    """About how many states a regular expression has, in RE2's syntax: what repeats by count counts as often."""
    groups, last, at = [0], 0, 0
    while at < len(pattern):
        char = pattern[at]
        if (escape := _ESCAPE.match(pattern, at)) is not None:
            last, at = _weight_of_class(escape[0]), escape.end()
        elif (several := _CLASS.match(pattern, at)) is not None:
            last, at = _weight_of_class(several[0]), several.end()
        elif char == "[":
            return sum(groups) + len(pattern) - at  # without an end: no regular expression
        elif (counted := _COUNTED.match(pattern, at)) is not None:
            groups[-1] += last * (max(int(counted[1]), int(counted[2] or 1)) - 1)
            last, at = last * max(int(counted[1]), int(counted[2] or 1)), counted.end()
            continue
        elif char == "(":
            groups.append(0)
            last, at = 0, at + 1
        elif char == ")" and len(groups) > 1:
            last, at = groups.pop() + 1, at + 1
        else:
            last, at = 10 if char == "." or not char.isascii() else 1, at + 1
        groups[-1] += last
    return sum(groups)


def _weight_of_class(text: str) -> int:
    """Classes that go beyond ASCII are large: a letter of any language is one of hundreds of ranges of bytes."""
    if re.search(r"\\[pP]", text):
        return 500
    return 10 if text.startswith("[^") or not text.isascii() or re.fullmatch(r"\\[DWS]", text) else 2
