"""What is configured of a Jira."""

import re
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, JsonValue, field_validator, model_validator

from watchkeeper.domain.rule import Level
from watchkeeper.domain.ticket import TicketKind, TicketState
from watchkeeper.itsm._jira_change_options import ChangeOptions
from watchkeeper.itsm._options import FieldsBy, RemoteOptions, SystemUrl
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SecretRef, TextOrSecret

AUTH_HELP: Final = "{username, token}, {token}, {username, password} or {client_id, client_secret}"
GATEWAY: Final = "https://api.atlassian.com"

_OWN: Final = frozenset(("project", "issuetype", "summary", "description", "labels", "priority", "status"))
_WAYS: Final = (
    {"username", "token"},
    {"token"},
    {"username", "password"},
    {"client_id", "client_secret"},
    {"client_id", "client_secret", "token_url"},
)

Name = Annotated[str, Field(min_length=1)]


class Flavour(StrEnum):
    """Which Jira it is."""

    CLOUD = "cloud"
    DATA_CENTER = "data_center"


def plain(name: str) -> str:
    """A name as it is compared: Jira's own differ in case and in apostrophes from what people write."""
    return " ".join(name.replace("\u2019", "'").casefold().split())


def _without_path(url: str) -> str:
    if "/rest/" in f"{url.lower()}/" or "/browse/" in f"{url.lower()}/":
        raise ValueError("ends before /rest or /browse: where Jira's own pages begin is enough")
    return url


def _project(key: str) -> str:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,254}", key, re.ASCII) is None:
        raise ValueError("must be the project's key, such as OPS: what its tickets' numbers begin with")
    return key.upper()


def _label(label: str) -> str:
    if not label or len(label) > 255 or any(character.isspace() for character in label):
        raise ValueError("a label has 1 to 255 characters, and no spaces")
    return label


class Auth(Model):
    """Who asks: an e-mail address with an API token (Cloud), a personal access token (Data Center), a user with a
    password (Data Center), or a service account's client id and secret."""

    username: TextOrSecret | None = None
    """E-mail address of the user on Cloud, name of the user on Data Center."""
    token: SecretRef | None = None
    """API token (with `username`), or personal access token (alone)."""
    password: SecretRef | None = None
    """The user's password, on Data Center."""
    client_id: TextOrSecret | None = None
    """Id of a service account's OAuth 2.0 credentials."""
    client_secret: SecretRef | None = None
    """Their secret."""
    token_url: SystemUrl | None = None
    """Where tokens are fetched, if not at Atlassian (Cloud) or under `url` at `/rest/oauth2/latest/token`."""

    @model_validator(mode="after")
    def _is_one_way(self) -> Self:
        if self.model_fields_set not in _WAYS:
            raise ValueError(f"must be one of {AUTH_HELP}")
        return self


class States(Model):
    """What statuses mean beyond their category (to do, in progress, done), by their names. A resolution that is named
    in `cancelled` means the same."""

    on_hold: Sequence[Name] = ("Pending", "On hold", "Waiting for customer")
    """It waits for something."""
    cancelled: Sequence[Name] = ("Canceled", "Cancelled", "Declined", "Won't do", "Won't fix")
    """It was no trouble: nothing is added any more, and it is not opened again."""
    closed: Sequence[Name] = ("Closed",)
    """It is done for good: nothing is added any more, and it is not opened again."""

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        names = [name for _, name in self.named()]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"{twice[0]!r} stands in more than one list")
        return self

    def named(self) -> Iterator[tuple[TicketState, str]]:
        """Every name, as `plain` has it, with what it means."""
        for state in (TicketState.ON_HOLD, TicketState.CANCELLED, TicketState.CLOSED):
            yield from ((state, plain(name)) for name in getattr(self, state.value))


class Transitions(Model):
    """Names of transitions, or of the statuses that they lead to. The first one that a ticket has is taken. Where
    none is named, watchkeeper takes one that leads to a status of the right category."""

    in_progress: Sequence[Name] = ()
    """Work on it begins."""
    resolved: Sequence[Name] = ()
    """Its trouble is over."""
    reopened: Sequence[Name] = ()
    """Its trouble is not over after all."""

    def names(self, state: TicketState) -> Sequence[str]:
        """Those that lead to a state."""
        match state:
            case TicketState.OPEN:
                return self.reopened
            case TicketState.IN_PROGRESS:
                return self.in_progress
            case TicketState.RESOLVED:
                return self.resolved
            case _:
                return ()


class LevelField(Model):
    """A field that holds the impact or the urgency, and what it holds for each level."""

    field: Name
    """Its name or its id."""
    high: str = "High"
    """Its value for high."""
    medium: str = "Medium"
    """Its value for medium."""
    low: str = "Low"
    """Its value for low."""

    def value(self, level: Level) -> str:
        value: str = getattr(self, level.value)
        return value


class Options(RemoteOptions):
    """A Jira: Cloud or Data Center, with or without Jira Service Management."""

    url: Annotated[SystemUrl, AfterValidator(_without_path)]
    """Where it is: `https://example.atlassian.net`, or for tokens with scopes and for OAuth on Cloud
    `https://api.atlassian.com/ex/jira/CLOUD_ID`. `http://` is accepted for this machine only."""
    auth: Auth
    """Who asks: `{username, token}` on Cloud, `{token}` (personal access token) or `{username, password}` on Data
    Center, `{client_id, client_secret}` for OAuth on both."""
    project: Annotated[str, AfterValidator(_project)]
    """Key of the project that tickets are made in."""
    issue_type: Name = "Incident"
    """Type of the issues that incidents become."""
    problem_type: str = ""
    """Type of the issues that problems become. Empty: that of incidents."""
    flavour: Flavour | None = None
    """`cloud` or `data_center`, if Jira shall not be asked."""
    priority: dict[Annotated[int, Field(ge=1, le=5)], Name] = Field(default={})
    """Names of the project's priorities for watchkeeper's, 1 (critical) to 5 (planning), such as `{1: Highest}`. What
    is not named is spread over the project's own, in its order."""
    impact: LevelField | None = None
    """A field that gets the impact."""
    urgency: LevelField | None = None
    """A field that gets the urgency."""
    labels: Sequence[Annotated[str, AfterValidator(_label)]] = ()
    """Labels that every ticket gets, beside the one that it is found by."""
    states: States = Field(default=States())
    """What statuses mean."""
    transitions: Transitions = Field(default=Transitions())
    """How tickets are moved."""
    resolution: str = ""
    """Resolution of tickets that are resolved, where the workflow asks for one. Empty: Done, or what is closest."""
    resolve_fields: dict[str, JsonValue] = Field(default={})
    """What else a ticket gets when it is resolved, where the workflow asks for it."""
    link_type: str = ""
    """Type of the link between an incident and its problem, or the change that caused it. Empty: Problem/Incident, or
    else Causes or Relates."""
    duplicate_type: str = ""
    """Type of the link between an incident and the one that took its place. Empty: Duplicate, or else Relates."""
    workaround_field: str = ""
    """A field of problems, by name or id, in which people write how to live with it. Empty: there is none."""
    root_cause_field: str = ""
    """Likewise the one for the cause."""
    known_error_field: str = ""
    """Likewise the one for the known error."""
    changes: ChangeOptions = Field(default=ChangeOptions())
    """How changes are read, where `changes` of the daemon's file names this backend."""
    request_type: str = ""
    """Request type of tickets in a service project: its id or name, on Data Center `PORTAL/TYPE` by their keys."""
    service_desk: str = ""
    """Id of the service desk that the request type's name is looked up in. Empty: that of the project."""
    internal: bool = True
    """Whether customers are kept from reading notes in a service project."""

    @field_validator("fields", "resolve_fields")
    @classmethod
    def _are_fields(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        _check_fields(fields)
        return fields

    @field_validator("fields_by")
    @classmethod
    def _have_fields(cls, entries: Sequence[FieldsBy]) -> Sequence[FieldsBy]:
        for entry in entries:
            _check_fields(entry.fields)
        return entries

    @model_validator(mode="after")
    def _oauth_goes_by_the_gateway(self) -> Self:
        host = urlsplit(self.url).hostname or ""
        if self.auth.client_id is not None and host.endswith(".atlassian.net"):
            raise ValueError(
                f"with client_id the url is {GATEWAY}/ex/jira/CLOUD_ID; the id stands at {self.url}/_edge/tenant_info"
            )
        return self

    @property
    def finding_fields(self) -> dict[str, str]:
        """The names of the fields in which people write what they found out, by what that is."""
        fields = {
            "workaround": self.workaround_field,
            "root_cause": self.root_cause_field,
            "known_error": self.known_error_field,
        }
        return {finding: name for finding, name in fields.items() if name}

    def type_of(self, kind: TicketKind) -> str:
        """The name of the issue type of a ticket."""
        return self.problem_type or self.issue_type if kind is TicketKind.PROBLEM else self.issue_type

    def token_url(self) -> str:
        """Where OAuth tokens are fetched."""
        if self.auth.token_url is not None:
            return self.auth.token_url
        if self.url.startswith(f"{GATEWAY}/"):
            return "https://auth.atlassian.com/oauth/token"
        return f"{self.url}/rest/oauth2/latest/token"


def _check_fields(fields: dict[str, JsonValue]) -> None:
    for name in fields:
        if name.lower() in _OWN:
            known = {"labels": "`labels`", "priority": "`priority`", "issuetype": "`issue_type`"}.get(name.lower())
            raise ValueError(f"{name} is watchkeeper's own to set" + (f": see {known}" if known else ""))
