"""The problems that are known, by their ids and by their fingerprints."""

from collections.abc import Iterable, Iterator
from typing import Final

from watchkeeper.domain.problem import Problem

MOST_KNOWN: Final = 10_000
"""How many are remembered: beyond that, those that are resolved are forgotten, the oldest first."""


class Register:
    """Of one fingerprint at most one problem is not resolved, and that is its newest.

    Args:
        problems: the oldest first.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self._known: dict[int, Problem] = {}
        self._newest: dict[str, int] = {}
        for problem in problems:
            self.keep(problem)

    def __iter__(self) -> Iterator[Problem]:
        return iter(self._known.values())

    def get(self, problem_id: int | None) -> Problem | None:
        """One of them; `None` where it is not known."""
        return None if problem_id is None else self._known.get(problem_id)

    def newest(self, fingerprint: str) -> Problem | None:
        """The last one of a fingerprint."""
        return self.get(self._newest.get(fingerprint))

    def keep(self, problem: Problem) -> None:
        """Takes in a problem, new or as it is now."""
        self._known[problem.id] = problem
        if self._newest.get(problem.fingerprint, 0) < problem.id:
            self._newest[problem.fingerprint] = problem.id
        if len(self._known) > MOST_KNOWN:
            oldest = next((one for one in self if one.is_resolved), None)
            if oldest is not None:
                self._forget(oldest)

    def _forget(self, problem: Problem) -> None:
        del self._known[problem.id]
        if self._newest.get(problem.fingerprint) == problem.id:
            del self._newest[problem.fingerprint]
