"""An issue as Jira tells of it, and the ticket that it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import ProblemFindings, Ticket, TicketDraft, TicketState
from watchkeeper.itsm._closing import Ending
from watchkeeper.itsm._jira_options import States, plain
from watchkeeper.itsm._jira_text import plain as plain_text
from watchkeeper.itsm._text import found_out

PROPERTY: Final = "watchkeeper"
"""The entity property that says which ticket an issue is. Labels are for searching; people change them."""

FIELDS: Final = ("summary", "status", "resolution", "assignee", "creator", "labels", "project")

_OF_CATEGORY: Final = {"new": TicketState.OPEN, "done": TicketState.RESOLVED}


@dataclass(frozen=True, slots=True)
class Record:
    """An issue: `said` is what Jira says of it, with `FIELDS`, the changelog and, of one alone, the property."""

    said: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.said.get("id", ""))

    @property
    def number(self) -> str:
        return str(self.said.get("key", ""))

    @property
    def fields(self) -> Mapping[str, Any]:
        fields: Mapping[str, Any] = self.said.get("fields") or {}
        return fields

    @property
    def labels(self) -> list[str]:
        return [str(each) for each in self.fields.get("labels") or ()]

    @property
    def project(self) -> str:
        return str((self.fields.get("project") or {}).get("key", ""))

    @property
    def status_id(self) -> str:
        return str((self.fields.get("status") or {}).get("id", ""))

    @property
    def status(self) -> str:
        return str((self.fields.get("status") or {}).get("name", ""))

    @property
    def property(self) -> Mapping[str, Any]:
        """What watchkeeper has written down on it; nothing on a clone, which has its labels alone."""
        value = (self.said.get("properties") or {}).get(PROPERTY)
        return value if isinstance(value, dict) else {}

    def level(self, name: str) -> Level | None:
        """The `impact` or the `urgency` that was set last."""
        value = self.property.get(name)
        return Level(value) if value in list(Level) else None

    def is_of(self, key: str, me: str) -> bool:
        """Whether it is the ticket of this key: its property says so, or there is none, and watchkeeper made it."""
        if self.property:
            return self.property.get("key") == key
        return key in self.labels and identity(self.fields.get("creator")) == me

    def state(self, states: States) -> TicketState:
        return state_of(self.fields.get("status"), self.fields.get("resolution"), states)

    def ticket(self, states: States, me: str, site: str, fields: Mapping[str, str] | None = None) -> Ticket:
        """`fields`: the ids of those that tell what people found out, by what that is."""
        labelled = next((label for label in self.labels if label.startswith("wk-")), "")
        return Ticket(
            ref=self.id,
            number=self.number,
            key=str(self.property.get("key") or labelled),
            state=self.state(states),
            title=str(self.fields.get("summary") or ""),
            url=f"{site}/browse/{self.number}",
            assignee=str((self.fields.get("assignee") or {}).get("displayName", "")),
            is_touched=self._is_touched(me),
            findings=self._findings(states, fields or {}),
        )

    def _findings(self, states: States, fields: Mapping[str, str]) -> ProblemFindings:
        said = {what: found_out(_text_of(self.fields.get(id_))) for what, id_ in fields.items()}
        is_over = self.state(states).is_over
        return ProblemFindings(
            **said,
            resolution=str((self.fields.get("resolution") or {}).get("name", "")) if is_over else "",
            is_known_error=bool(said.get("known_error")),
        )

    def ending(self, me: str) -> Ending | None:
        """Who brought it into its status, and when; `None` where that was no person, or nobody tells."""
        histories = (self.said.get("changelog") or {}).get("histories") or ()
        moves = [
            history
            for history in histories
            if any(item.get("field") == "status" for item in history.get("items") or ())
        ]
        last = max(moves, key=lambda history: str(history.get("created", "")), default=None)
        if last is None or _is_machine(last.get("author"), me):
            return None
        return Ending(identity(last.get("author")), str(last.get("created", "")))

    def _is_touched(self, me: str) -> bool:
        """Whether a person has assigned or moved it. What it was given at its creation, and what apps do, is no
        person's."""
        histories = (self.said.get("changelog") or {}).get("histories") or ()
        return any(
            item.get("field") in ("status", "assignee")
            for history in histories
            if not _is_machine(history.get("author"), me)
            for item in history.get("items") or ()
        )


def state_of(status: Any, resolution: Any, states: States) -> TicketState:
    """What a status comes down to. A resolution says something only while the status is done: workflows that open an
    issue again may leave it as it is."""
    named = {name: state for state, name in states.named()}
    said = status if isinstance(status, dict) else {}
    if (state := named.get(plain(str(said.get("name", ""))))) is not None:
        return state
    category = (said.get("statusCategory") or {}).get("key")
    state = _OF_CATEGORY.get(str(category), TicketState.IN_PROGRESS)
    name = resolution.get("name", "") if isinstance(resolution, dict) else ""
    if state is TicketState.RESOLVED and named.get(plain(str(name))) is TicketState.CANCELLED:
        return TicketState.CANCELLED
    return state


def _text_of(value: Any) -> str:
    """The text of a field, whatever its type."""
    if isinstance(value, list):
        return ", ".join(map(_text_of, value))
    if isinstance(value, dict) and value.get("type") != "doc":
        return str(value.get("value") or value.get("name") or "")
    return "" if value is None else plain_text(value) if isinstance(value, str | dict) else str(value)


def identity(user: Any) -> str:
    """What Jira knows a user by: Cloud by an account id, Data Center by a name."""
    said = user if isinstance(user, dict) else {}
    return str(said.get("accountId") or said.get("name") or "")


def property_of(draft: TicketDraft) -> dict[str, Any]:
    """What is written down on a new ticket."""
    levels = {"impact": draft.impact.value, "urgency": draft.urgency.value}
    return {"key": draft.key, "incident": draft.correlation, **levels}


def _is_machine(author: Any, me: str) -> bool:
    return identity(author) == me or (isinstance(author, dict) and author.get("accountType") == "app")
