"""Tickets as a Request Tracker tells them, and what it is told of them. No calls are made here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.domain.rule import Level, priority
from watchkeeper.domain.ticket import ProblemFindings, Ticket, TicketChange, TicketDraft, TicketState
from watchkeeper.itsm._rt_options import CUSTOM_FIELD, Options, ProblemLink
from watchkeeper.itsm._text import cut, found_out, mark
from watchkeeper.itsm.base import Rejected

NOBODY: Final = "Nobody"
SYSTEM: Final = "RT_System"
MAX_SUBJECT: Final = 200  # bytes: RT cuts off the rest
FIELDS: Final = {
    "fields": "EffectiveId,Status,Subject,Owner,Creator,LastUpdatedBy,Queue,Priority,CustomFields",
    "fields[Queue]": "Name",
}
"""What a search is asked to tell of each ticket."""

_LINKS: Final = {  # how a link is asked for, and how it is told; without Add it would take the place of others
    ProblemLink.MEMBER_OF: ("AddMemberOf", "parent"),
    ProblemLink.REFERS_TO: ("AddRefersTo", "refers-to"),
    ProblemLink.DEPENDS_ON: ("AddDependsOn", "depends-on"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A ticket of RT. `effective`: the id of the one that it was merged into, or its own. `custom`: `None` where
    custom fields may not be seen. `links`: what it points at, by RT's names; a search does not tell."""

    id: str
    effective: str
    queue: str
    subject: str
    status: str
    owner: str
    creator: str
    last_by: str
    priority: int
    custom: Mapping[str, list[str]] | None
    links: frozenset[tuple[str, str]]

    @property
    def is_merged(self) -> bool:
        return self.effective != self.id


def record_of(data: Any) -> Record:
    """A ticket, as a search or a look at it tells.

    Raises:
        LookupError, TypeError, ValueError: it is none.
    """
    given = data["CustomFields"]
    effective = data["EffectiveId"]
    return Record(
        id=str(data["id"]),
        effective=str(effective["id"] if isinstance(effective, dict) else effective),
        queue=str(data["Queue"].get("Name", "")),
        subject=str(data["Subject"]),
        status=str(data["Status"]),
        owner=str(data["Owner"]["id"]),
        creator=str(data["Creator"]["id"]),
        last_by=str(data["LastUpdatedBy"]["id"]),
        priority=int(data["Priority"] or 0),
        custom={field["name"]: list(map(str, field["values"])) for field in given} if given else None,
        links=frozenset((link["ref"], str(link.get("id", ""))) for link in data.get("_hyperlinks", ())),
    )


def number_of(ref: str) -> str:
    return f"RT#{ref}"


def quoted(text: str) -> str:
    """A text as a value of TicketSQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def ticket_of(options: Options, own: Record, shown: Record, *, is_touched: bool, version: str = "") -> Ticket:
    """A ticket. `shown` is the one that it was merged into, or itself: what people see when they look for it."""
    return Ticket(
        ref=own.id,
        number=number_of(shown.id),
        key=" ".join((own.custom or {}).get(options.key_field, [])),
        state=options.statuses_in(shown.queue).state(shown.status),
        title=shown.subject,
        url=f"{options.url}/Ticket/Display.html?id={shown.id}",
        assignee="" if shown.owner == NOBODY else shown.owner,
        is_touched=is_touched,
        version=version,
        findings=_findings_of(options, shown),
    )


def _findings_of(options: Options, record: Record) -> ProblemFindings:
    custom = record.custom or {}
    said = {what: found_out("\n".join(custom.get(name, ()))) for what, name in options.finding_fields.items()}
    return ProblemFindings(**said, is_known_error=bool(said.get("known_error")))


def new_ticket(options: Options, draft: TicketDraft, ids: Mapping[str, str]) -> dict[str, Any]:
    """What a new ticket is made of.

    Args:
        ids: of the queue's custom fields. RT may take another queue's field for one that is named. A field that is
            not there is named all the same: RT leaves it out.
    """
    wanted = options.fields_of(draft)
    custom = {found[1]: value for name, value in wanted.items() if (found := CUSTOM_FIELD.fullmatch(name))}
    custom |= {options.key_field: draft.key, **options.level_fields(draft.impact, draft.urgency)}
    body: dict[str, Any] = {
        "Queue": options.queue_of(draft.kind),
        "Subject": _fitting(draft.title, MAX_SUBJECT),
        "Content": draft.description,
        "ContentType": "text/plain",
    }
    if options.requestor is not None:
        body["Requestor"] = options.requestor
    body |= _priority(options, draft.impact, draft.urgency)
    body |= {name: value for name, value in wanted.items() if CUSTOM_FIELD.fullmatch(name) is None}
    body["CustomFields"] = {ids.get(name, name): value for name, value in custom.items()}
    return body


def changed_fields(options: Options, change: TicketChange, now: Record | None = None) -> dict[str, Any]:
    """What a change sets; empty where it only adds a note.

    Args:
        now: the ticket as it is; `None`: it is not known, and taken for an open incident.

    Raises:
        Rejected: the lifecycle has no status for the state.
    """
    fields: dict[str, Any] = {}
    if (status := _status(options, change.state, now)) is not None:
        fields["Status"] = status
    fields |= _priority(options, change.impact, change.urgency)
    if levels := options.level_fields(change.impact, change.urgency):
        fields["CustomFields"] = dict(levels)
    wanted: dict[str, list[str]] = {}
    for link, ref in links_of(options, change):
        wanted.setdefault(_LINKS[link][0], []).append(ref)
    for name, refs in wanted.items():
        fields[name] = refs[0] if len(refs) == 1 else refs
    return fields


def links_of(options: Options, change: TicketChange) -> list[tuple[ProblemLink, str]]:
    """What a change links a ticket to, and how."""
    return [(options.problem_link, change.problem)] * bool(change.problem) + [
        (options.duplicate_link, ref) for ref in (change.duplicate, change.cause) if ref
    ]


def is_linked(record: Record, link: ProblemLink, ref: str) -> bool:
    """Whether a ticket points at another one."""
    return (_LINKS[link][1], ref) in record.links


def note_of(subject: str, change: TicketChange) -> dict[str, str]:
    """What a note is made of. The mark that it is known again by stands in its own subject."""
    sign = mark(change.key)
    return {
        "Subject": f"{_fitting(subject, MAX_SUBJECT - len(sign) - 1)} {sign}".strip(),
        "Content": change.note,
        "ContentType": "text/plain",
    }


def _fitting(title: str, size: int) -> str:
    """A title in one line of at most so many bytes."""
    line = " ".join(title.split())
    return next(text for limit in range(size, -1, -1) if len((text := cut(line, limit)).encode()) <= size)


def _status(options: Options, state: TicketState | None, now: Record | None) -> str | None:
    """The status that a ticket is to get; `None` where it stays."""
    if state is None:
        return None
    statuses = options.statuses if now is None else options.statuses_in(now.queue)
    current = None if now is None else statuses.state(now.status)
    if current is state:
        return None
    if state is TicketState.OPEN:
        # What is worked on is open too. What is not known was resolved, or it would not be opened.
        return statuses.reopened if current is None or current.is_over else None
    if (status := statuses.first(state)) is None:
        raise Rejected(f"no status of RT is named for {state.value}: name one in `statuses`")
    return status


def _priority(options: Options, impact: Level | None, urgency: Level | None) -> dict[str, int]:
    if not options.priority or impact is None or urgency is None:
        return {}
    return {"Priority": options.priority[priority(impact, urgency) - 1]}
