"""Changes: approved windows in which work on services is expected, as sources tell them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from watchkeeper.domain.expected import Window


class ChangeState(StrEnum):
    """How far a change is."""

    REQUESTED = "requested"  # nobody has approved it: it holds nothing back
    APPROVED = "approved"
    UNDER_WAY = "under_way"
    DONE = "done"
    CANCELLED = "cancelled"


class ChangeOutcome(StrEnum):
    """What came of a change. Rates of success and failure are counted from these."""

    UNKNOWN = "unknown"
    SUCCESSFUL = "successful"
    WITH_ISSUES = "with_issues"
    FAILED = "failed"


_EXPECTED: Final = (ChangeState.APPROVED, ChangeState.UNDER_WAY, ChangeState.DONE)


@dataclass(frozen=True, slots=True)
class Change(Window):
    """A window of a change, with what is known of it. `id` is its number, as people call it."""

    state: ChangeState = ChangeState.APPROVED
    outcome: ChangeOutcome = ChangeOutcome.UNKNOWN


def expected(windows: Iterable[Window]) -> list[Window]:
    """Those that count: of changes the approved ones, of others all."""
    return [window for window in windows if not isinstance(window, Change) or window.state in _EXPECTED]
