"""What an answer of Request Tracker says, and whether it is its own.

A refusal is only what RT itself has worded: a page of somebody else says nothing about a ticket.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from watchkeeper.itsm._http import Answer
from watchkeeper.itsm.base import Denied, Outcome

T = TypeVar("T")


def words_of(answer: Answer) -> str:
    """What is said about a refusal, in one line."""
    return own_words(answer) or answer.shown or str(answer.status)


def own_words(answer: Answer) -> str | None:
    """What RT says about a refusal, in one line. `None` when it was somebody else."""
    try:
        said = answer.json()["message"]
    except (Outcome, LookupError, TypeError):
        return None
    return " ".join(str(said).split())[:300]


def refusal(answer: Answer) -> str:
    """What RT says of a change that it refuses.

    Raises:
        Denied, Ambiguous: it was somebody else who answered.
    """
    if (said := own_words(answer)) is not None:
        return said
    text = f"answered {answer.status} with something that is not RT's: {answer.shown}"
    raise Denied(text) if answer.status == 403 else answer.unclear(text)


def taken(answer: Answer, take: Callable[[Any], T]) -> T:
    """What is taken from an answer's JSON. Raises as `Answer.json` does where it is not there."""
    data = answer.json()
    try:
        return take(data)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise answer.unclear(f"answered {answer.status} with something else: {answer.shown}") from None
