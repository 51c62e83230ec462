"""Which transition a ticket goes through, and with which fields.

Ids, names and forms are each workflow's own: what is fixed are the categories of the statuses that they lead to.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._jira_fields import Form
from watchkeeper.itsm._jira_options import Options, plain
from watchkeeper.itsm._jira_record import state_of
from watchkeeper.itsm.base import Rejected

Transition = Mapping[str, Any]

_DONE: Final = ("Done", "Fixed", "Resolved", "Completed", "Solved")


def is_reached(wanted: TicketState, state: TicketState) -> bool:
    """Whether a ticket in one state needs no transition to another. Workflows decide where what is opened again
    begins, and some end where others resolve."""
    if wanted is TicketState.OPEN:
        return not state.is_over
    if wanted is TicketState.RESOLVED:
        return state in (TicketState.RESOLVED, TicketState.CLOSED)
    return state is wanted


def choose(options: Options, transitions: Sequence[Transition], wanted: TicketState) -> Transition | None:
    """The transition that leads to a state: one that is named for it, or else one that leads to the right status."""
    names = options.transitions.names(wanted)
    for name in names:
        for each in transitions:
            if plain(name) in (plain(str(each.get("name"))), plain(str(_to(each).get("name")))):
                return each
    if names:
        return None
    by_state = {state: each for each in reversed(transitions) if (state := _leads_to(options, each)) is not None}
    second = {TicketState.OPEN: TicketState.IN_PROGRESS, TicketState.RESOLVED: TicketState.CLOSED}
    return by_state.get(wanted) or by_state.get(second.get(wanted, wanted))


def no_way(options: Options, transitions: Sequence[Transition], wanted: TicketState, status: str) -> str:
    """That there is no such transition, in words."""
    names = options.transitions.names(wanted)
    said = f"no transition named {' or '.join(map(repr, names))}" if names else f"no transition to {wanted}"
    there = ", ".join(f"{each.get('name')} (to {_to(each).get('name')})" for each in transitions) or "none at all"
    return f"there is {said} from {status!r}: there is {there}"


def body_of(options: Options, transition: Transition, wanted: TicketState, *, cloud: bool) -> dict[str, Any]:
    """What is sent for a transition.

    Raises:
        Rejected: its form asks for something that the configuration does not give.
    """
    form = Form.of_object(transition.get("fields"))
    fields: dict[str, Any] = {}
    if wanted is TicketState.RESOLVED:
        given = {name: value for name, value in options.resolve_fields.items() if form.find(name) is not None}
        fields, left_out = form.filled(given, cloud=cloud)
        if left_out:
            raise Rejected(f"can not go through {transition.get('name')!r}: {'; '.join(left_out)}")
        if "resolution" in form.fields and "resolution" not in fields:
            fields["resolution"] = _resolution(options, form)
    if missing := form.missing(fields):
        names = ", ".join(f"{field.name} ({field.id})" for field in missing)
        raise Rejected(f"the transition {transition.get('name')!r} asks for {names}: set it in `resolve_fields`")
    return {"transition": {"id": str(transition.get("id"))}, **({"fields": fields} if fields else {})}


def _resolution(options: Options, form: Form) -> dict[str, str]:
    field = form.fields["resolution"]
    if options.resolution and field.allowed and field.choice(options.resolution) is None:
        raise Rejected(f"there is no resolution {options.resolution!r}: there is {', '.join(field.choices)}")
    cancelled = [plain(name) for name in options.states.cancelled]
    fitting = [name for name in field.choices if plain(name) not in cancelled]
    for name in [options.resolution] if options.resolution else [*_DONE, *fitting]:
        if (found := field.choice(name)) is not None:
            return {"id": str(found["id"])}
    return {"name": options.resolution or _DONE[0]}


def _to(transition: Transition) -> Mapping[str, Any]:
    to = transition.get("to")
    return to if isinstance(to, dict) else {}


def _leads_to(options: Options, transition: Transition) -> TicketState | None:
    return state_of(_to(transition), None, options.states) if _to(transition) else None
