"""What is wrong with a configuration, or odd, and where."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum

from watchkeeper.config.codes import Code


class Level(StrEnum):
    ERROR = "error"
    WARNING = "warning"  # it can be run, but hardly is what was meant


@dataclass(frozen=True, slots=True)
class Problem:
    """One error, or one warning. `line` and `column` count from 1, in characters; `path` is where in the document, ``
    at its top."""

    file: str
    line: int
    column: int
    path: str
    message: str
    level: Level = Level.ERROR
    code: Code = Code.INVALID

    @property
    def text(self) -> str:
        """What is wrong, without the place in the file."""
        return _one_line(f"{self.path}: {self.message}" if self.path else self.message)

    def __str__(self) -> str:
        place = _one_line(f"{self.file}:{self.line}:{self.column}")
        if self.level is Level.WARNING:
            return f"{place}: warning: {self.text} [{self.code}]"
        return f"{place}: {self.text}"

    def as_warning(self, code: Code, message: str) -> "Problem":
        """A warning at the same place."""
        return replace(self, level=Level.WARNING, code=code, message=message)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By place, each once."""
    return sorted(set(problems), key=lambda p: (p.file, p.line, p.column, p.path, p.message))


class ConfigError(Exception):
    """The configuration can not be used. `problems` says why, all of it, sorted by place. `warnings` are about what
    could be read of it."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = in_order(problems)
        self.warnings = in_order(warnings)
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
