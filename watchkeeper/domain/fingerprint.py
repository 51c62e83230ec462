"""Which failures are the same one again: what stays of a message when all that changes from time to time is left out.

`answered 503 in 1.204 s` and `answered 503 in 0.9 s` are the same failure; `answered 500 in 0.9 s` is another one.
"""

import re
from hashlib import sha256
from typing import Final, NamedTuple

MOST_READ: Final = 2000  # characters of a message
MOST_KEPT: Final = 160

_LONGEST_QUOTE: Final = 40
_LONGEST_WORD: Final = 60  # what is longer than any word is somebody's id

# Numbers that say what failed, and not how much or when: status codes, error codes, versions of protocols.
_TELLING: Final = r"""
    (?:http(?:/\d(?:\.\d)?)?|status|code|errno|error|rcode|signal|answered|returned|exit(?:ed)?|ora|tns|sql|expected)
    (?:\s(?:status|code|with|of|is|was))* [\s:=-]* \d{1,5} (?![\w%]|[.:,]\d|\s?(?:%|[mµ]?s|secs?|seconds?|min|minutes?|h|hours?|days?|[kmgtp]?i?b|bytes?)\b)
    | http/\d(?:\.\d)? (?![\w.])
    | (?:tls|ssl)\s?v?\d(?:\.\d)? (?![\w.])
    | (?:ip[-]?v[46]|x\.?509|utf-?8|sha-?(?:1|256|384|512)|md5) (?!\w)
"""  # noqa: E501
_MONTH: Final = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_WEEKDAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6},?\s+)?"
_UNIT: Final = (
    r"(?:%|(?:ms|µs|ns|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?|weeks?|years?|[kmgtp]?i?b|bytes?)(?!\w))"
)
_VOLATILE: Final = rf"""
    [0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}} (?!\w)
    | 0x[0-9a-f]+ (?!\w)
    | {_WEEKDAY}{_MONTH}\s+\d{{1,2}}(?:,?\s+\d{{4}}(?![\w:]))? (?!\w)
    | {_WEEKDAY}\d{{1,2}}[\s-]+{_MONTH}(?:[\s-]+\d{{4}}(?![\w:]))? (?!\w)
    | \d{{4}}-\d{{2}}-\d{{2}}(?:[t_ ]\d{{2}}:?\d{{2}}(?::?\d{{2}}(?:[.,]\d+)?)?)?\s?(?:z|utc|gmt|[+-]\d{{2}}:?\d{{2}})? (?!\w)
    | \d{{1,2}}:\d{{2}}(?::\d{{2}}(?:[.,]\d+)?)?\s?(?:z|utc|gmt|[ap]m|[+-]\d{{2}}:?\d{{2}})? (?!\w)
    | \[?(?=[0-9a-f:]*[0-9a-f])(?:[0-9a-f]{{0,4}}:){{2,7}}[0-9a-f]{{0,4}}(?:%\w+)?(?:\]:\d+|\])? (?!\w)
    | \d{{1,3}}(?:\.\d{{1,3}}){{3}}(?:/\d{{1,2}})?(?::\d{{1,5}})? (?!\w)
    | (?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{{6,}} (?!\w)
    | \d+(?:[.,]\d+)*\s?{_UNIT}
    | (?:\d+(?:ms|[smhdwy]))+ (?!\w)
    | \d+[a-z0-9_]*
"""  # noqa: E501
_PART: Final = re.compile(
    rf"""(?P<quote>"[^"]*") | (?<![a-z0-9_])(?:(?P<telling>{_TELLING}) | (?P<volatile>{_VOLATILE}))
    | (?P<name>(?<![a-z0-9_])[a-z_]+)\d[a-z0-9_]* | (?P<digits>\d+)""",
    re.ASCII | re.VERBOSE,
)
_WORD: Final = re.compile(r"[!-~]+")
_MARKS: Final = re.compile(r"#(?:[\s,.:;/_+-]*#)+")


class Fingerprint(NamedTuple):
    """What repeats of one failure share. `key` is for people, `hash` of a length that can be an index."""

    key: str
    hash: str
    failure: str


def fingerprint(rule_id: str, service: str, ci: str, failure: str) -> Fingerprint:
    """The fingerprint of a failure that a rule found in a service.

    Args:
        ci: the service's configuration item; empty where it has none.
        failure: what the probe said, as it said it.
    """
    kind = failure_class(failure)
    parts = [rule_id, f"service={_escaped(service)}", *([f"ci={_escaped(ci)}"] if ci else []), kind]
    key = "/".join(parts)
    return Fingerprint(key, sha256(key.encode("utf-8", "replace")).hexdigest()[:24], kind)


def failure_class(message: str) -> str:
    """A message without what is another thing each time: `#` stands for numbers with their units, times and dates,
    addresses and ports, ids, and quotations longer than forty characters. Numbers that tell failures apart stay:
    status codes, error codes, versions of protocols.

    At most `MOST_KEPT` characters, in lower case. Of what it returns it makes the same again.
    """
    text = " ".join(message[:MOST_READ].lower().split())
    text = _WORD.sub(_short, _PART.sub(_steady, text))
    text = _MARKS.sub("#", text)
    return _cut(" ".join(text.split()))


def _steady(found: re.Match[str]) -> str:
    if found["telling"] is not None:
        return found[0]
    if found["quote"] is not None:
        within = found[0][1:-1]
        return '"#"' if len(within) > _LONGEST_QUOTE else f'"{_PART.sub(_steady, within)}"'
    return f"{found['name'] or ''}#"


def _short(found: re.Match[str]) -> str:
    return "#" if len(found[0]) > _LONGEST_WORD else found[0]


def _cut(text: str) -> str:
    """Not within a word, which would be another one then."""
    if len(text) <= MOST_KEPT:
        return text
    end = MOST_KEPT
    while end and "!" <= text[end - 1] <= "~" and "!" <= text[end] <= "~":
        end -= 1
    return text[:end].rstrip()


def _escaped(text: str) -> str:
    # A slash in a name must not look like the beginning of the next part.
    return text.replace("%", "%25").replace("/", "%2F")
