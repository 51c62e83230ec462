"""How a ServiceNow instance is configured."""

import re
from enum import StrEnum
from typing import Final

from pydantic import Field, JsonValue, field_validator, model_validator

from watchkeeper.domain.ticket import TicketState
from watchkeeper.itsm._options import FieldsBy, RemoteOptions, TimeoutMs
from watchkeeper.schema.base import Model
from watchkeeper.schema.fields import SecretRef, TextOrSecret

AUTH_HELP: Final = "{username, password}, {client_id, client_secret} or {api_key}"
QUOTA_MS: Final = 60_000  # after so long an instance cancels a call of the Table API, by default

_OWN: Final = frozenset(
    {
        *("correlation_id", "correlation_display", "short_description", "description", "state", "incident_state"),
        *("impact", "urgency", "work_notes", "number", "sys_id"),
    }
)
_FIELD: Final = re.compile(r"[a-z][a-z0-9_]{0,79}", re.ASCII)
_WAYS: Final = ({"username", "password"}, {"client_id", "client_secret"}, {"api_key"})


class Mode(StrEnum):
    """What trouble becomes in ServiceNow."""

    INCIDENTS = "incidents"  # records of the Table API
    EVENTS = "events"  # of Event Management, which makes alerts and incidents of them by its own rules


class Auth(Model):
    """Who asks: a user with a password, an OAuth client (client credentials), or an API key."""

    username: TextOrSecret | None = None
    """Login of the integration's user."""
    password: SecretRef | None = None
    """The user's password."""
    client_id: TextOrSecret | None = None
    """Id of an entry of the application registry."""
    client_secret: SecretRef | None = None
    """The entry's secret."""
    api_key: SecretRef | None = None
    """An inbound REST API key."""

    @model_validator(mode="after")
    def _is_one_way(self) -> "Auth":
        if self.model_fields_set not in _WAYS:
            raise ValueError(f"must be one of {AUTH_HELP}")
        return self


class Options(RemoteOptions):
    """A ServiceNow instance."""

    timeout: TimeoutMs = 65_000
    """How long a call may take. An instance itself gives up after 60 seconds."""
    auth: Auth
    """Who asks: `{username, password}`, `{client_id, client_secret}` (OAuth client credentials) or `{api_key}`."""
    mode: Mode = Mode.INCIDENTS
    """`incidents` writes incidents and problems; `events` sends events to Event Management."""
    problem_fields: dict[str, JsonValue] = Field(default={})
    """Fields that every new problem gets; `fields` and `fields_by` are those of incidents."""
    close_code: str = "Solution provided"
    """Resolution code of incidents that are resolved, one of the instance's own choices."""
    duplicate_close_code: str = ""
    """Resolution code of incidents that are resolved as duplicates. If it is empty it is Duplicate where the instance
    has this code, else `close_code`."""
    close_notes: str = ""
    """Resolution notes. If it is empty they say what watchkeeper notes: since when it is over, and why."""
    resolve_fields: dict[str, JsonValue] = Field(default={})
    """What else an incident gets when it is resolved, where the instance asks for it."""
    states: dict[str, TicketState] = Field(default={})
    """What an instance's own incident states mean, by their value, such as `{"4": on_hold}`."""
    source: str = Field(default="watchkeeper", min_length=1, max_length=100)
    """The source that events name."""

    @field_validator("fields", "problem_fields", "resolve_fields")
    @classmethod
    def _are_fields(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        check_fields(fields)
        return fields

    @field_validator("fields_by")
    @classmethod
    def _have_fields(cls, entries: tuple[FieldsBy, ...]) -> tuple[FieldsBy, ...]:
        for entry in entries:
            check_fields(entry.fields)
        return entries

    @field_validator("resolve_fields")
    @classmethod
    def _are_not_said_twice(cls, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in ("close_code", "close_notes"):
            if name in fields:
                raise ValueError(f"{name} is a key of its own, beside `resolve_fields`")
        return fields

    @property
    def certain_after_ms(self) -> int:
        """Names are looked up before a ticket is created, for one timeout at most; then the instance may work on it
        until its own quota ends. An event may come twice."""
        return 0 if self.mode is Mode.EVENTS else self.timeout + max(self.timeout, QUOTA_MS)


def check_fields(fields: dict[str, JsonValue]) -> None:
    """Raises ValueError for fields that can not be set, or not like that."""
    for name, value in fields.items():
        if _FIELD.fullmatch(name) is None:
            raise ValueError(f"{name!r} is no field: accepted is a column's name, such as contact_type or u_team")
        if name == "priority":
            raise ValueError("priority is not set: ServiceNow computes it of impact and urgency, which rules give")
        if name in _OWN:
            raise ValueError(f"{name} is watchkeeper's own to set")
        if not isinstance(value, str | int | float | bool):
            raise ValueError(f"{name} must be a text, a number, true or false")
