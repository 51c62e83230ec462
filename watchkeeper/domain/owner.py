"""Whose a ticket is: an incident's or a problem's."""

from typing import Final

from watchkeeper.domain.incident import incident_number
from watchkeeper.domain.ticket import Command

_PREFIX: Final = "PRB-"


def problem_number(problem_id: int) -> str:
    """What people call a problem: `PRB-3`."""
    return f"{_PREFIX}{problem_id}"


def problem_id(number: str) -> int:
    """The id of a problem that people call `PRB-3`, `prb-3` or 3.

    Raises:
        ValueError: it is no such number.
    """
    digits = number.upper().removeprefix(_PREFIX)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 15:
        raise ValueError(f"{number!r} is not a problem's number, such as {problem_number(3)}")
    return int(digits)


def is_problem(number: str) -> bool:
    """Whether a number begins as problems' do."""
    return number.upper().startswith(_PREFIX)


def owner_number(incident_id: int | None, problem_id: int | None) -> str:
    """What people call the incident or the problem that a ticket belongs to."""
    if incident_id is not None:
        return incident_number(incident_id)
    assert problem_id is not None, "a ticket belongs to an incident or to a problem"
    return problem_number(problem_id)


def owner_field(command: Command) -> dict[str, str]:
    """Whose a command is, as a log's field."""
    name = "incident" if command.problem_id is None else "problem"
    return {name: owner_number(command.incident_id, command.problem_id)}
