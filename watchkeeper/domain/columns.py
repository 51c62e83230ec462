"""Columns of plain text, under each other in a fixed-width font. Chinese characters are two columns wide."""

from collections.abc import Iterable, Sequence
from unicodedata import east_asian_width


def width(text: str) -> int:
    """How many columns a text takes."""
    return len(text) if text.isascii() else sum(2 if east_asian_width(one) in "WF" else 1 for one in text)


def columns(rows: Iterable[Sequence[str]], gap: str = "  ") -> list[str]:
    """A line for each row. All rows have the same number of cells; the last is not padded."""
    rows = list(rows)
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    return [
        gap.join(cell + " " * (most - width(cell)) for cell, most in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
