"""Links between tickets: a decision names incidents and problems, and what a backend gets, tickets of its own."""

from dataclasses import dataclass, replace

from watchkeeper.domain.phrases import ENGLISH, Phrases
from watchkeeper.domain.ticket import TicketChange


@dataclass(frozen=True, slots=True)
class Other:
    """The ticket that another one shall be linked to. `number`: what people call it, or whose it is as long as there
    is none. `ref`: empty as long as there is none. `is_coming`: whether there will be one, as far as is known."""

    number: str
    backend: str = ""
    ref: str = ""
    is_coming: bool = False


@dataclass(frozen=True, slots=True)
class Linked:
    """A change with refs for what it links to. `awaits`: whose ticket is not there yet; it is too early then."""

    change: TicketChange
    awaits: str = ""


def link(
    change: TicketChange,
    backend: str,
    problem: Other | None,
    original: Other | None,
    words: Phrases = ENGLISH,
    *,
    may_wait: bool = True,
) -> Linked:
    """A change as a backend can make it. What it can not link to stands in the note.

    Args:
        backend: the name of the one that the change is for.
        problem: the ticket of the change's problem, if it has one.
        original: that of the incident which the change's own is a duplicate of, if it is.
        may_wait: whether there is time to wait for a ticket that is coming.
    """
    told: list[str] = []
    refs = {"problem": change.problem, "duplicate": change.duplicate, "cause": change.cause}
    for name, other, phrase in (
        ("problem", problem, words.part_of),
        ("duplicate", original, words.duplicate_of),
        ("cause", _of_change(change), words.caused_by),
    ):
        if other is None:
            continue
        if other.backend == backend and other.ref:
            refs[name] = other.ref
        elif other.backend == backend and other.is_coming and may_wait:
            return Linked(change, awaits=other.number)
        else:
            told.append(words.remark.format(remark=phrase.format(number=other.number)))
    note = "\n".join([*filter(None, [change.note]), *told])
    return Linked(
        replace(change, note=note, problem=refs["problem"], duplicate=refs["duplicate"], cause=refs["cause"])
    )


def _of_change(change: TicketChange) -> Other | None:
    cause = change.caused_by
    return None if cause is None else Other(cause.number, cause.backend, cause.ref)
