"""Texts as ticket systems take them: not too long, and known again."""

import re
from hashlib import sha256
from html import unescape
from typing import Final

from watchkeeper.domain.ticket import MAX_FINDING

_ENDS: Final = re.compile(r"\n|[.!?;](?=\s)")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]{0,1000}>|<!--.{0,1000}?-->", re.DOTALL)
_BREAK: Final = re.compile(r"<br\b[^<>]{0,1000}>|</(?:p|div|li|tr|h[1-6])>", re.IGNORECASE)
_UNPRINTABLE: Final = re.compile("[\0\ud800-\udfff]")  # which no database keeps
_MARK: Final = re.compile(r"\n*\[wk-[0-9a-f]{12}\]\s*\Z")


def cut(text: str, limit: int) -> str:
    """A text of at most so many characters: where it is longer it ends with a line or a sentence, and `…`."""
    if len(text) <= limit:
        return text
    head = text[: max(0, limit - 1)]
    # An end in the first half would throw away too much: then a word's end must do, or any place.
    ends = [found.start() if found[0] == "\n" else found.end() for found in _ENDS.finditer(text, 0, len(head) + 1)]
    half = len(head) // 2
    at = next((end for end in reversed(ends) if half <= end <= len(head)), max(head.rfind(" "), 0))
    return (head[: at if at >= half else len(head)].rstrip() + "…")[:limit]


def found_out(text: str) -> str:
    """A text that people wrote about a problem, of the length that is kept, without the marks of HTML."""
    plain = text
    if _TAG.search(text):
        plain = unescape(_TAG.sub("", _BREAK.sub("\n", text))).replace("\xa0", " ")
    lines = [" ".join(line.split()) for line in _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", plain).split("\n")]
    return cut("\n".join(line for line in lines if line), MAX_FINDING)


def mark(key: str) -> str:
    """What a change with this key is known again by, in the text that it added. Nothing for no key."""
    return f"[wk-{sha256(key.encode()).hexdigest()[:12]}]" if key else ""


def marked(note: str, key: str, limit: int) -> str:
    """A note with the mark of its change as its last line, cut so that both fit."""
    if not (sign := mark(key)):
        return cut(note, limit)
    return f"{cut(note, limit - len(sign) - 2)}\n\n{sign}"


def unmarked(note: str) -> str:
    """A note as it was before it was marked."""
    return _MARK.sub("", note)
