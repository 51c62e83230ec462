"""What a Jira is made of. An issue's values are kept by id; `jira_fields` reads and shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Literal

from tests.simulators.jira_workflow import Workflow

Deployment = Literal["cloud", "server"]


class Refusal(Exception):
    """A request is not done: Jira's status and its `{"errorMessages": […], "errors": {field: …}}`."""

    def __init__(self, status: int, *messages: str, errors: Mapping[str, str] | None = None) -> None:
        super().__init__(status, messages, errors)
        self.status, self.messages, self.errors = status, messages, dict(errors or {})


@dataclass(frozen=True, slots=True)
class User:
    """Somebody. `name` is what Data Center knows them by, `account_id` what Cloud does; both are told apart."""

    name: str
    account_id: str
    email: str
    display: str
    timezone: str = "UTC"
    agent: bool = True
    roles: tuple[str, ...] = ("Administrators", "Service Desk Team")


class Kind(StrEnum):
    """How a field's values look, and how they are searched."""

    STRING = "string"
    TEXT = "text"
    LABELS = "labels"
    PRIORITY = "priority"
    USER = "user"
    ISSUE_TYPE = "issuetype"
    PROJECT = "project"
    RESOLUTION = "resolution"
    STATUS = "status"
    OPTION = "option"
    TIME = "datetime"
    REQUEST_TYPE = "sd-customerrequesttype"
    LINKS = "issuelinks"
    COMMENTS = "comments-page"
    COMPONENTS = "component"
    THINGS = "sd-servicefield"


@dataclass(frozen=True, slots=True)
class Field:
    """A field. `options` are those of a select list, id to value."""

    id: str
    name: str
    kind: Kind
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def number(self) -> int | None:
        """The N of customfield_N."""
        prefix, _, number = self.id.partition("_")
        return int(number) if prefix == "customfield" else None

    @property
    def clauses(self) -> tuple[str, ...]:
        """What JQL calls it."""
        return (self.id,) if self.number is None else (f"cf[{self.number}]", self.name)


@dataclass(frozen=True, slots=True)
class Named:
    """A priority, a resolution or an issue type."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class LinkType:
    """As in "A causes B": A is the inward issue of the request, B the outward one."""

    id: str
    name: str
    inward: str
    outward: str


@dataclass
class Screen:
    """The fields that can be set in a form, and those that must be."""

    fields: list[str]
    required: list[str] = field(default_factory=lambda: ["summary"])


@dataclass
class Project:
    """`priorities`: the ids of its priority scheme, the first one is the default."""

    id: str
    key: str
    name: str
    workflow: Workflow
    issue_types: tuple[Named, ...]
    priorities: tuple[str, ...]
    service_desk: bool = False
    create: dict[str, Screen] = field(default_factory=dict)
    """The create screen of each issue type, by id."""
    edit: dict[str, Screen] = field(default_factory=dict)
    last: int = 0
    """The number of its last issue."""


@dataclass(frozen=True, slots=True)
class RequestType:
    """A form of a service desk's portal: what it makes, and which fields it takes."""

    id: str
    name: str
    project: str
    issue_type: str
    fields: tuple[str, ...]


@dataclass
class Comment:
    """`body` is a document on Cloud, wiki markup on Data Center. `public`: whether customers read it."""

    id: str
    author: str
    body: Any
    created_ms: int
    updated_ms: int
    public: bool = True
    visibility: Mapping[str, str] | None = None
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One field's change, for the changelog."""

    at_ms: int
    author: str
    field: str
    old: Any
    new: Any


@dataclass
class Issue:
    """An issue. `values`: by field id; text as in a comment's body, users by name, choices by id, times in ms."""

    id: str
    key: str
    values: dict[str, Any]
    properties: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    remote_links: dict[str, dict[str, Any]] = field(default_factory=dict)
    history: list[Change] = field(default_factory=list)
    old_keys: list[str] = field(default_factory=list)
    hidden_from: set[str] = field(default_factory=set)
    """Users whom issue security keeps away."""

    @property
    def project(self) -> str:
        return self.key.rpartition("-")[0]

    @property
    def number(self) -> int:
        return int(self.key.rpartition("-")[2])

    @property
    def labels(self) -> list[str]:
        found: list[str] = self.values.get("labels") or []
        return found

    @property
    def public_comments(self) -> list[Comment]:
        """What a customer reads."""
        return [comment for comment in self.comments if comment.public]


@dataclass(frozen=True, slots=True)
class Link:
    """`source` causes, blocks, … `target`; both are issue ids."""

    id: str
    type: LinkType
    source: str
    target: str


def show_time(at_ms: int) -> str:
    """As Jira writes it: ISO 8601 with milliseconds, and an offset without a colon."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}+0000"
