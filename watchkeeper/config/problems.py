"""What is wrong with a configuration, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True)
class Problem:
    """One error. `line` and `column` count from 1; `path` is where in the document, `` at its top."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        return _one_line(f"{self.file}:{self.line}:{self.column}: {path}{self.message}")


class ConfigError(Exception):
    """The configuration can not be used. `problems` says why, all of it, sorted by place."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        unique = set(problems)
        self.problems = sorted(unique, key=lambda p: (p.file, p.line, p.column, p.path, p.message))
        super().__init__("\n".join(map(str, self.problems)))


def _one_line(text: str) -> str:
    """Line breaks and control characters, which may come from a file, as escapes."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)


def suggest(name: object, known: Iterable[str]) -> str:
    """` (did you mean 'every'?)` where one of the known names is close, else nothing."""
    close = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f" (did you mean {close[0]!r}?)" if close else ""


def listing(names: Iterable[str], most: int = 12) -> str:
    """`a, b, c`; a long list is cut and says so; an empty one is `none`."""
    ordered = list(names) or ["none"]
    cut = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(ordered[:most]) + cut
