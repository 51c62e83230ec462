"""Whether conditions can hold at all: a search for contradictions that never finds one where there is none.

What an expression says with `&&`, `||`, `!` and `?:` is followed; each term may be anything that its literals and its
bounds leave. Terms are taken to have an answer, and nothing to do with each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Protocol

from watchkeeper.config.celboolean import All, Atom, Formula, Not
from watchkeeper.config.celterms import ANYTHING, Bounds, Literal, MostSamples, Test, bounds_of, test_of
from watchkeeper.domain.probe import Status

MAX_STEPS: Final = 5000
"""A search that takes more is given up: the condition may hold."""

Goal = tuple[Formula, bool]
"""A formula, and whether it is to be true."""

Answer = tuple[Test, bool]
"""A test, and what it is to say."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Tests of one term that can not have these answers together.

    `answers`: one or two. `why`: what stands against a single one, in words.
    """

    answers: tuple[Answer, ...]
    why: str = ""


def impossible(
    goals: Sequence[Goal], most_samples: MostSamples, *, has_answers: bool = False
) -> list[Contradiction] | None:
    """Why the formulas can not be so together, one reason for each way to make them so. `None`: they may be.

    Args:
        has_answers: takes terms to have answers that never have any, as their windows are too short: to show that a
            condition is true one must not show only that it is never false.
    """
    search = _Search(goals, most_samples, has_answers=has_answers)
    return None if search.finds_a_way() else search.contradictions


class _Space(Protocol):
    """What a term can be, cut into cells at the literals that it is compared with. A set of cells is a bit mask."""

    @property
    def possible(self) -> int:
        """All the cells that it can be in."""

    def mask(self, test: Test) -> int:
        """The cells for which the test says yes."""


class _Numbers:
    """The cells are the literals, and the gaps before, between and after them, in order."""

    def __init__(self, literals: Iterable[Any], bounds: Bounds) -> None:
        points = sorted(set(literals))
        self._places = {point: 2 * number + 1 for number, point in enumerate(points)}
        self._all = (1 << 2 * len(points) + 1) - 1
        edges = [-inf, *points, inf]
        low, high = bounds.low, bounds.high
        self.possible = 0
        for number in range(len(edges) - 1):
            gap_is_possible = edges[number] < high and edges[number + 1] > low and low <= high
            self.possible |= gap_is_possible << 2 * number
        for point, place in self._places.items():
            self.possible |= (low <= point <= high) << place

    def mask(self, test: Test) -> int:
        if test.operator in ("==", "!=", "in"):
            named = sum(1 << self._places[one] for one in set(test.literals))
            return self._all & ~named if test.operator == "!=" else named
        place = self._places[test.literals[0]]
        up_to = (1 << place + (test.operator in ("<=", ">"))) - 1
        return up_to if test.operator in ("<", "<=") else self._all & ~up_to


class _Choices:
    """The cells are the literals, and one for all the rest."""

    def __init__(self, literals: Iterable[Literal], accepted: Sequence[Literal] = ()) -> None:
        """`accepted`: what there is besides nothing else; anything if it is empty."""
        self._places = {one: place for place, one in enumerate(dict.fromkeys((*literals, *accepted)))}
        self._all = (1 << len(self._places) + 1) - 1
        self.possible = sum(1 << self._places[one] for one in accepted) if accepted else self._all

    def mask(self, test: Test) -> int:
        named = sum(1 << self._places[one] for one in set(test.literals))
        return self._all & ~named if test.operator == "!=" else named


class _Search:
    def __init__(self, goals: Sequence[Goal], most_samples: MostSamples, *, has_answers: bool) -> None:
        self._goals = goals
        self._has_answers = has_answers
        self._most_samples = most_samples
        self.contradictions: list[Contradiction] = []
        self._tests = {id(atom): test_of(atom) for atom in _atoms(formula for formula, _ in goals)}
        self._possible: dict[str, int] = {}  # by term: the cells that it can be in
        self._masks: dict[Test, int] = {}
        self._why: dict[str, str] = {}  # by term: why it can not be in others
        by_term: dict[str, list[Test]] = {}
        for test in self._tests.values():
            by_term.setdefault(test.term, []).append(test)
        for term, tests in by_term.items():
            space = self._space(term, tests)
            self._possible[term] = space.possible
            self._masks.update((test, space.mask(test)) for test in tests)

    def finds_a_way(self) -> bool:
        """Depth first: what must be so is looked at one after the other; of alternatives one is tried, the rest wait.

        What is known so far is for each term the cells that are left, and the answers that left them.
        """
        goals: Any = None  # a list of what is to be looked at, linked: (goal, rest)
        for goal in reversed(self._goals):
            goals = goal, goals
        waiting: list[tuple[Any, dict[str, tuple[int, tuple[Answer, ...]]]]] = [(goals, {})]
        steps = 0
        while waiting:
            goals, known = waiting.pop()
            while goals is not None:
                steps += 1
                if steps > MAX_STEPS:
                    return True
                (formula, wanted), goals = goals
                if isinstance(formula, Not):
                    goals = (formula.part, not wanted), goals
                elif isinstance(formula, Atom):
                    answer = self._tests[id(formula)], wanted
                    term = answer[0].term
                    left, before = known.get(term) or (self._possible[term], ())
                    left &= self._allowed(answer)
                    if not left:
                        self._note(before, answer)
                        break
                    known = {**known, term: (left, (*before, answer))}
                elif isinstance(formula, All) is wanted:
                    for part in reversed(formula.parts):
                        goals = (part, wanted), goals
                else:
                    waiting += [(((part, wanted), goals), known) for part in reversed(formula.parts)]
                    break
            else:
                return True
        return False

    def _space(self, term: str, tests: list[Test]) -> _Space:
        """What a term can be. Its literals are all of one type."""
        literals = [literal for test in tests for literal in test.literals]
        kind = type(literals[0]) if literals else str
        if term == "status":
            self._why[term] = 'is "up" or "down"'
            return _Choices(literals, self._statuses())
        if kind is float:
            bounds = bounds_of(tests[0].subject, self._most_samples)
            self._why[term] = bounds.why
            return _Numbers(literals, ANYTHING if bounds.low > bounds.high and self._has_answers else bounds)
        return _Choices(literals, (True, False) if kind is bool else ())

    def _statuses(self) -> Sequence[str]:
        """Rules that ask for missed runs are asked about samples that are unknown, too."""
        mentioned = (token.text for test in self._tests.values() for token in test.atom.tokens)
        known = (Status.UP.value, Status.DOWN.value)
        return (*known, Status.UNKNOWN.value) if "missed" in mentioned else known

    def _allowed(self, answer: Answer) -> int:
        test, wanted = answer
        return self._masks[test] if wanted else ~self._masks[test]

    def _note(self, before: Sequence[Answer], last: Answer) -> None:
        """Of answers that can not be together, the last and one that stands against it, where it can be by itself."""
        term = last[0].term
        left = self._possible[term] & self._allowed(last)
        if not left:
            found = Contradiction((last,), self._why.get(term, ""))
        else:
            against = next((one for one in before if not self._allowed(one) & left), before[-1])
            found = Contradiction((against, last))
        if found not in self.contradictions:
            self.contradictions.append(found)


def _atoms(formulas: Iterable[Formula]) -> Iterator[Atom]:
    waiting = list(formulas)
    seen: set[int] = set()
    while waiting:
        formula = waiting.pop()
        if id(formula) in seen:
            continue
        seen.add(id(formula))
        if isinstance(formula, Atom):
            yield formula
        elif isinstance(formula, Not):
            waiting.append(formula.part)
        else:
            waiting += formula.parts
