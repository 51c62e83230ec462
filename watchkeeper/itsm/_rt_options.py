"""What is configured of a Request Tracker."""

import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import TicketKind, TicketState
from watchkeeper.itsm._options import FieldsBy, RemoteOptions, SystemUrl
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SecretRef

CUSTOM_FIELD: Final = re.compile(r"CF\.\{([^{}]+)\}")
STANDARD_FIELDS: Final = (
    "AdminCc", "Cc", "DependedOnBy", "DependsOn", "Due", "FinalPriority", "InitialPriority", "MemberOf", "Members",
    "Owner", "Priority", "ReferredToBy", "RefersTo", "Requestor", "SLA", "Starts", "TimeEstimated", "TimeLeft",
)  # fmt: skip


def _without_path(url: str) -> str:
    if "/rest/" in f"{url.lower()}/":
        raise ValueError("ends before /REST/2.0: where RT's own pages are is enough")
    return url


def _custom_field(name: str) -> str:
    if not name.strip() or re.search(r"[{}'\"\\\x00-\x1f]", name):
        raise ValueError("must be the name of a custom field, without braces, quotes, backslashes and line ends")
    return name


CustomFieldName = Annotated[str, AfterValidator(_custom_field)]
Name = Annotated[str, Field(min_length=1)]


def _queue(name: str) -> str:
    if not name.strip() or "/" in name:
        raise ValueError("must be the name of a queue; RT can not be asked for one with a slash in its name")
    return name


QueueName = Annotated[str, AfterValidator(_queue)]


class NoteKind(StrEnum):
    """How notes are added."""

    COMMENT = "comment"  # seen by those who work on the ticket
    CORRESPOND = "correspond"  # mailed to its requestors too


class ProblemLink(StrEnum):
    """How an incident points at its problem, or at another one."""

    MEMBER_OF = "member_of"
    REFERS_TO = "refers_to"
    DEPENDS_ON = "depends_on"


class Auth(Model):
    """A token, or a user's name and password."""

    token: SecretRef | None = None
    """An authentication token of the user (Logged in as, Settings, Auth Tokens)."""
    username: str | None = None
    """The user's name."""
    password: SecretRef | None = None
    """The user's password."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        by_password = self.username is not None and self.password is not None
        by_half = self.username is not None or self.password is not None
        if (self.token is not None) == by_password or (self.token is not None and by_half):
            raise ValueError("accepted is either token, or username and password")
        return self


class Statuses(Model):
    """The statuses of a lifecycle, by what they come down to. Of each list watchkeeper sets the first; the others are
    understood. A status that is not named counts as `in_progress`."""

    open: Sequence[Name] = ("new",)
    """Nobody has taken it up."""
    in_progress: Sequence[Name] = ("open",)
    """Somebody works on it."""
    on_hold: Sequence[Name] = ("stalled",)
    """It waits for something."""
    resolved: Sequence[Name] = ("resolved",)
    """It is done, and may be opened again."""
    closed: Sequence[Name] = ()
    """It is done for good: nothing is added any more."""
    cancelled: Sequence[Name] = ("rejected", "deleted")
    """It was no trouble: nothing is added any more."""
    reopened: Name = "open"
    """What a ticket gets that is opened again."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [name for _, name in self.named()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} stands in more than one list")
        return self

    def named(self) -> Iterator[tuple[TicketState, str]]:
        """Every status that is named, in lower case, with what it comes down to."""
        for state in TicketState:
            yield from ((state, name.lower()) for name in getattr(self, state.value))

    def state(self, status: str) -> TicketState:
        """What a status comes down to."""
        return next((state for state, name in self.named() if name == status.lower()), TicketState.IN_PROGRESS)

    def first(self, state: TicketState) -> str | None:
        """The status that stands for a state, if there is one."""
        names: Sequence[str] = getattr(self, state.value)
        return names[0] if names else None


class LevelField(Model):
    """A custom field that holds the impact or the urgency, and what it holds for each level."""

    field: CustomFieldName
    """Its name."""
    high: str = "high"
    """Its value for high."""
    medium: str = "medium"
    """Its value for medium."""
    low: str = "low"
    """Its value for low."""

    def value(self, level: Level) -> str:
        value: str = getattr(self, level.value)
        return value


class Options(RemoteOptions):
    """A Request Tracker 5, spoken to by REST 2."""

    url: Annotated[SystemUrl, AfterValidator(_without_path)]
    """Where RT is, such as `https://rt.example.com`, without `/REST/2.0`. `http://` is accepted for this machine
    only."""
    auth: Auth
    """Who asks: `{token: …}`, or `{username: …, password: …}`."""
    queue: QueueName
    """The queue of incidents."""
    problem_queue: QueueName | None = None
    """The queue of problems; that of incidents if this is not set."""
    key_field: CustomFieldName = "Watchkeeper Key"
    """The custom field of both queues that holds what watchkeeper knows its tickets by."""
    requestor: Name | None = None
    """The requestor of new tickets: a user's name or an address. RT writes to them when a ticket is created."""
    statuses: Statuses = Statuses()
    """What the statuses of the lifecycle mean, where it is not RT's own."""
    problem_statuses: Statuses | None = None
    """The same of the queue of problems, where it has another lifecycle."""
    priority: Sequence[Annotated[int, Field(ge=0, le=2**31 - 1)]] = (100, 80, 60, 40, 20)
    """RT's priority for ITIL's, from 1 (critical) to 5 (planning). `[]`: it is left to RT."""
    impact: LevelField | None = None
    """The custom field of the impact, if there is one."""
    urgency: LevelField | None = None
    """The custom field of the urgency, if there is one."""
    notes: NoteKind = NoteKind.COMMENT
    """How notes are added: as a `comment` among colleagues, or as `correspond`ence that is mailed to requestors."""
    problem_link: ProblemLink = ProblemLink.MEMBER_OF
    """How an incident points at its problem: `member_of`, `refers_to` or `depends_on`."""
    duplicate_link: ProblemLink = ProblemLink.REFERS_TO
    """How an incident points at the one that took its place, or at what caused it, likewise."""
    workaround_field: CustomFieldName | None = None
    """A custom field of problems in which people write how to live with it, if there is one."""
    root_cause_field: CustomFieldName | None = None
    """Likewise the one for the cause."""
    known_error_field: CustomFieldName | None = None
    """Likewise the one for the known error."""
    resolution_field: CustomFieldName | None = None
    """Likewise the one for how it was cured."""

    @field_validator("priority")
    @classmethod
    def _five(cls, value: Sequence[int]) -> Sequence[int]:
        if len(value) not in (0, 5):
            raise ValueError("has five numbers, from the most urgent to the least, or none")
        return value

    @field_validator("fields")
    @classmethod
    def _known(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in value.items():
            if CUSTOM_FIELD.fullmatch(name) is None and name not in STANDARD_FIELDS:
                accepted = ", ".join(STANDARD_FIELDS)
                raise ValueError(
                    f"there is no field {name!r}: accepted are CF.{{NAME}} of a custom field, {accepted}"
                )
            plain = given if isinstance(given, list) else [given]
            if not all(isinstance(one, str | int | float) and not isinstance(one, bool) for one in plain):
                raise ValueError(f"{name} must be a text or a number, or a list of these")
        return value

    @field_validator("fields_by")
    @classmethod
    def _all_known(cls, value: Sequence[FieldsBy]) -> Sequence[FieldsBy]:
        for entry in value:
            cls._known(entry.fields)
        return value

    @model_validator(mode="after")
    def _key_is_ours(self) -> Self:
        if f"CF.{{{self.key_field}}}" in self.all_fields():
            raise ValueError(
                f"the custom field {self.key_field!r} is for watchkeeper's key: leave it out of the fields"
            )
        return self

    @property
    def queues(self) -> Sequence[str]:
        """All queues that tickets are made in."""
        return tuple(dict.fromkeys((self.queue, self.queue_of(TicketKind.PROBLEM))))

    @property
    def finding_fields(self) -> Mapping[str, str]:
        """The custom fields in which people write what they found out, by what that is."""
        fields = {
            "workaround": self.workaround_field,
            "root_cause": self.root_cause_field,
            "known_error": self.known_error_field,
            "resolution": self.resolution_field,
        }
        return {finding: name for finding, name in fields.items() if name is not None}

    def queue_of(self, kind: TicketKind) -> str:
        return self.problem_queue or self.queue if kind is TicketKind.PROBLEM else self.queue

    def statuses_in(self, queue: str) -> Statuses:
        """The statuses of a queue's tickets."""
        of_problems = self.problem_statuses is not None and queue == self.problem_queue
        return self.problem_statuses if of_problems and self.problem_statuses is not None else self.statuses

    def level_fields(self, impact: Level | None, urgency: Level | None) -> Mapping[str, str]:
        """The custom fields of levels, and their values."""
        pairs = ((self.impact, impact), (self.urgency, urgency))
        return {field.field: field.value(level) for field, level in pairs if field is not None and level is not None}
