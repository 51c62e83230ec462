"""Where the characters of a YAML scalar stand in its file, however it is written.

Folding and indentation change nothing but white space, and escapes stand in double quotes only: so the visible
characters of a value are found one after the other in what was written.
"""

import re
from collections.abc import Iterator
from typing import Final

_PROPERTIES: Final = re.compile(r"(?:[&!][^\s]*\s+)*")  # an anchor, a tag
_HEADER: Final = re.compile(r"[^\n]*\n?")  # of a block: |, >-, with a comment
_ESCAPE: Final = re.compile(r"\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\n\s*|.)", re.DOTALL)
_BLANK_ESCAPES: Final = "ntrvfNLP_ \t"


def offset_in_source(source: str, value: str, style: str | None, offset: int) -> int:
    """Where in `source`, a scalar as it is written, the character of `value` at an offset begins.

    Args:
        style: PyYAML's: `'`, `"`, `|`, `>`, or nothing for a plain scalar.
    """
    start = _begin(source, style)
    units = _units(source, start, style)
    place, is_blank = next(units, (start, False))
    for index, character in enumerate(value):
        if not character.isspace():
            while is_blank:
                place, is_blank = next(units, (place, False))
        if index >= offset:
            return place
        if is_blank or not character.isspace():
            place, is_blank = next(units, (place + 1, False))
    return place


def _begin(source: str, style: str | None) -> int:
    start = _span(_PROPERTIES, source, 0)
    if style in ("|", ">"):
        return _span(_HEADER, source, start)
    return start + 1 if style in ("'", '"') else start


def _span(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start


def _units(source: str, start: int, style: str | None) -> Iterator[tuple[int, bool]]:
    """Where each written character begins, and whether it stands for white space."""
    place = start
    while place < len(source):
        character = source[place]
        if style == '"' and character == "\\" and (escape := _ESCAPE.match(source, place)):
            kind = escape[0][1]
            if kind != "\n":  # a line that goes on stands for nothing
                yield place, _is_blank_escape(escape[0])
            place = escape.end()
            continue
        yield place, character.isspace()
        place += 2 if style == "'" and source.startswith("''", place) else 1


def _is_blank_escape(escape: str) -> bool:
    if escape[1] in "xuU":
        number = int(escape.lstrip("\\xuU"), 16)
        return number < 0x110000 and chr(number).isspace()
    return escape[1] in _BLANK_ESCAPES
