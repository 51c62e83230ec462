"""Regular expressions that take time in proportion to the text, whatever they are: the text comes from elsewhere.

The standard library parses them, and knows which characters are meant. The rest is Thompson's: all ways to match are
gone at the same time, one character after the other, so that none is gone twice. What can not be done like that, back
references and looking around, is refused.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]  # the only way to its parser
from typing import Any, Final

MAX_TEXT: Final = 256
MAX_STEPS: Final = 500
REGULAR_HELP: Final = (
    "accepted are characters, classes, alternatives and repetition, without looking around, "
    f"back references and \\b, and with up to {MAX_STEPS} steps, where x{{9}} counts as nine"
)
_CHARACTERS: Final = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.ANY, _constants.IN)
_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_PLACES: Final[Mapping[Any, Callable[[int, str], bool]]] = {
    _constants.AT_BEGINNING: lambda at, _: at == 0,
    _constants.AT_BEGINNING_STRING: lambda at, _: at == 0,
    _constants.AT_END: lambda at, text: text[at:] in ("", "\n"),
    _constants.AT_END_STRING: lambda at, text: at == len(text),
}
_Test = Callable[[str], object]
_Place = Callable[[int, str], bool]
_DONE: Final = 0


@dataclass(frozen=True, slots=True)
class _Step:
    """What is on a way: a character that must be like `test`, a `place` that must be reached, or neither. Any of
    `nexts` comes after it."""

    nexts: list[int]
    test: _Test | None = None
    place: _Place | None = None


@dataclass(frozen=True, slots=True)
class Regular:
    """A regular expression. Made by `read_regular`."""

    _steps: tuple[_Step, ...]
    _first: int

    def is_all_of(self, text: str) -> bool:
        """Whether the whole text is like it. One that is longer than `MAX_TEXT` never is."""
        if len(text) > MAX_TEXT:
            return False
        reached = self._onwards([self._first], 0, text)
        for at, character in enumerate(text, 1):
            steps = [self._steps[number] for number in reached]
            passed = [step.nexts[0] for step in steps if step.test is not None and step.test(character)]
            if not passed:
                return False
            reached = self._onwards(passed, at, text)
        return _DONE in reached

    def _onwards(self, starts: Iterable[int], at: int, text: str) -> set[int]:
        """The steps that are reached from some without another character."""
        reached: set[int] = set()
        left = list(starts)
        while left:
            number = left.pop()
            if number in reached:
                continue
            reached.add(number)
            step = self._steps[number]
            if step.test is None and (step.place is None or step.place(at, text)):
                left.extend(step.nexts)
        return reached


def read_regular(text: str) -> Regular:
    """The regular expression of a text, in Python's syntax.

    Raises:
        ValueError: it is none, or one that is not accepted. Says what is.
    """
    try:
        parsed = _parser.parse(text)
        made = _Maker()
        first = made.sequence(parsed, parsed.state.flags, _DONE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text[:60]!r} is not a regular expression: {error}") from None
    except _RefusedError as refused:
        raise ValueError(f"the regular expression {text[:60]!r} {refused}: {REGULAR_HELP}") from None
    return Regular(tuple(made.steps), first)


class _RefusedError(Exception):
    """Says what the expression has or is."""


@dataclass
class _Maker:
    """Makes steps of what was parsed, from its end to its beginning. Each method answers the first step of its part.

    `left`: how many more parts there may be.
    """

    steps: list[_Step] = field(default_factory=lambda: [_Step([])])
    left: int = MAX_STEPS
    _tests: dict[tuple[int, int], _Test] = field(default_factory=dict)

    def sequence(self, parts: Any, flags: int, then: int) -> int:
        for part in reversed(parts):
            then = self._part(part, flags, then)
        return then

    def _part(self, part: Any, flags: int, then: int) -> int:
        kind, said = part
        if kind in _CHARACTERS:
            return self._add(_Step([then], test=self._test(part, flags)))
        if kind is _constants.BRANCH:
            return self._add(_Step([self._alternative(one, flags, then) for one in said[1]]))
        if kind is _constants.SUBPATTERN:
            _, added, removed, inner = said
            return self.sequence(inner, (flags | added) & ~removed, then)
        if kind in _REPEATS:
            return self._repeat(said, flags, then)
        if kind is _constants.AT and said in _PLACES and not flags & re.MULTILINE:
            return self._add(_Step([then], place=_PLACES[said]))
        raise _RefusedError(f"has {_named(kind)}")

    def _alternative(self, parts: Any, flags: int, then: int) -> int:
        self._count()  # an empty one, too: it is a way
        return self.sequence(parts, flags, then)

    def _repeat(self, said: Any, flags: int, then: int) -> int:
        least, most, inner = said
        if most is _constants.MAXREPEAT:
            again = self._add(_Step([then]))
            self.steps[again].nexts.append(self.sequence(inner, flags, again))
            then = again
        else:
            end = then
            for _ in range(most - least):
                then = self._add(_Step([end, self.sequence(inner, flags, then)]))
        for _ in range(least):
            self._count()
            then = self.sequence(inner, flags, then)
        return then

    def _add(self, step: _Step) -> int:
        self._count()
        self.steps.append(step)
        return len(self.steps) - 1

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _RefusedError("is too large")

    def _test(self, part: Any, flags: int) -> _Test:
        """Whether a character is the one that is meant, as the standard library has it."""
        if (id(part), flags) not in self._tests:
            state = _parser.State()
            state.flags = flags
            alone = _parser.SubPattern(state, [part])
            self._tests[id(part), flags] = _compiler.compile(alone, flags).fullmatch
        return self._tests[id(part), flags]


def _named(kind: Any) -> str:
    names = {
        _constants.ASSERT: "a look around",
        _constants.ASSERT_NOT: "a look around",
        _constants.GROUPREF: "a back reference",
        _constants.GROUPREF_EXISTS: "a back reference",
        _constants.AT: "a \\b, or lines of their own",
    }
    return names.get(kind, "what is not accepted")
